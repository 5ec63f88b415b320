"""Who may not: strangers, thieves, floods, and sockets that are dead without knowing it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.client import Api
from tests.scenes.accounts import sign_in
from tests.scenes.consultations import make_consultation, make_pair, say
from tests.sockets import FRAMES, PATH, Device, ticket_of
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts import service as accounts
from yiyuebao_api.domains.accounts.queries import require_account
from yiyuebao_api.domains.accounts.rules import AccountStatus
from yiyuebao_api.domains.consultations import live
from yiyuebao_api.kernel import clock, presence, tickets
from yiyuebao_api.kernel import live as hub
from yiyuebao_api.kernel.ids import ConsultationId
from yiyuebao_api.kernel.presence import Presence
from yiyuebao_api.kernel.tokens import LIFETIME


def at(url: str) -> str:
    return url.replace("http", "ws", 1) + PATH


async def goodbye(wire: ClientConnection) -> tuple[int | None, list[dict[str, Any]]]:
    """The code it is closed with, and what was said before."""
    said = []
    try:
        async with asyncio.timeout(10):
            async for text in wire:
                said.append(json.loads(text))
                FRAMES.judge(said[-1])
    except ConnectionClosed:
        pass
    return wire.close_code, said


async def hello(url: str, **fields: Any) -> tuple[int | None, list[dict[str, Any]]]:
    async with connect(at(url), proxy=None) as wire:
        await wire.send(json.dumps({"type": "hello", "device_id": "thief", **fields}))
        return await goodbye(wire)


async def test_nobody_is_let_in_without_a_valid_ticket(api: Api, context: Context, url: str) -> None:
    pair = await make_pair(api, context)
    assert (await hello(url, ticket="invented-ticket-invented-ticket"))[0] == 4401
    assert (await hello(url))[0] == 4401
    assert (await hello(url, ticket="short"))[0] == 4401
    async with connect(at(url), proxy=None) as wire:
        await wire.send("床前明月光")
        code, said = await goodbye(wire)
        assert (code, [each["code"] for each in said]) == (4401, ["invalid-input"])
    async with connect(at(url), proxy=None) as wire:
        await wire.send(json.dumps({"type": "ping"}))
        assert (await goodbye(wire))[0] == 4401
    async with Device(url, pair.asking) as phone:
        await phone.say("ping")
        await phone.hears("pong")


async def test_a_ticket_works_once_and_thirty_seconds(api: Api, context: Context, url: str) -> None:
    """A ticket that is replayed, by whoever stole it, opens nothing; of two at once one gets in."""
    pair = await make_pair(api, context)
    ticket = await ticket_of(pair.asking)
    wires = [await connect(at(url), proxy=None) for _ in range(4)]
    for number, wire in enumerate(wires):
        await wire.send(json.dumps({"type": "hello", "device_id": f"d{number}", "ticket": ticket}))
    said = [json.loads(await wire.recv()) for wire in wires]
    assert sorted(each["type"] for each in said) == ["error", "error", "error", "welcome"]
    assert {each["code"] for each in said if each["type"] == "error"} == {"unauthenticated"}
    for wire in wires:
        await wire.close()
    assert (await hello(url, ticket=ticket))[0] == 4401
    late = await ticket_of(pair.asking)
    clock.move(tickets.LIFETIME + timedelta(seconds=1))
    assert (await hello(url, ticket=late))[0] == 4401


async def test_a_ticket_of_a_session_that_ended_opens_nothing(api: Api, context: Context, url: str) -> None:
    pair = await make_pair(api, context)
    ticket = await ticket_of(pair.asking)
    assert (await pair.asking.delete("/v1/accounts/sessions")).status_code == 204
    code, said = await hello(url, ticket=ticket)
    assert (code, said[0]["code"]) == (4401, "unauthenticated")


async def test_whoever_says_nothing_is_let_go_after_five_seconds(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """C02."""
    monkeypatch.setattr(live, "HELLO_S", 0.3)
    async with connect(at(url), proxy=None) as wire:
        assert (await goodbye(wire)) == (4401, [])


async def test_the_header_opens_it_too_where_a_client_can_set_one(api: Api, context: Context, url: str) -> None:
    pair = await make_pair(api, context)
    headers = {"Authorization": f"Bearer {pair.asking.token}"}
    async with connect(at(url), proxy=None, additional_headers=headers) as wire:
        await wire.send(json.dumps({"type": "hello", "device_id": "d"}))
        assert json.loads(await wire.recv())["type"] == "welcome"
    headers = {"Authorization": "Bearer x.y.z"}
    async with connect(at(url), proxy=None, additional_headers=headers) as wire:
        await wire.send(json.dumps({"type": "hello", "device_id": "d"}))
        assert (await goodbye(wire))[0] == 4401


async def test_a_page_of_another_origin_is_refused_before_it_is_opened(
    api: Api, context: Context, url: str
) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(at(url), proxy=None, origin=origin)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
    own = urlsplit(context.settings.http.public_url)
    async with connect(at(url), proxy=None, origin=f"{own.scheme}://{own.netloc}"):  # type: ignore[arg-type]
        pass


async def test_signing_out_closes_the_sockets_of_that_session_only(api: Api, context: Context, url: str) -> None:
    pair = await make_pair(api, context)
    other = api.signed_in((await sign_in(context.database, context.tokens, pair.asker)).access_token)
    async with Device(url, pair.asking) as phone, Device(url, other) as tablet:
        sessions = (await pair.asking.get("/v1/accounts/sessions")).json()["items"]
        mine = next(each["id"] for each in sessions if each["current"])
        assert (await pair.asking.delete(f"/v1/accounts/sessions/{mine}")).status_code == 204
        assert await phone.closed() == (4401, "session-ended")
        await tablet.say("ping")
        await tablet.hears("pong")
        assert (await other.delete("/v1/accounts/sessions")).status_code == 204
        assert await tablet.closed() == (4401, "session-ended")


async def test_a_wake_up_that_was_lost_keeps_nobody_in(
    api: Api, context: Context, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await make_pair(api, context)
    async with Device(url, pair.asking) as phone:
        claims = context.tokens.read(str(pair.asking.token), now=clock.now())
        async with context.begin() as tx:
            await accounts.delete_session(tx, claims.account_id, claims.session_id, now=clock.now())
            tx.info["after_commit"].clear()
        monkeypatch.setattr(live, "_CHECK_S", 0.0)
        assert await phone.closed() == (4401, "session-ended")


async def test_an_account_that_was_suspended_is_let_go(
    api: Api, context: Context, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C02: a ban, whoever wrote it."""
    pair = await make_pair(api, context)
    async with Device(url, pair.asking) as phone, Device(url, pair.answering) as doctor:
        async with context.begin() as tx:
            (await require_account(tx, pair.asker)).status = AccountStatus.SUSPENDED
        monkeypatch.setattr(live, "_CHECK_S", 0.0)
        assert await phone.closed() == (4401, "session-ended")
        await doctor.say("ping")
        await doctor.hears("pong")


async def test_the_socket_ends_with_the_token_unless_it_is_renewed(api: Api, context: Context, url: str) -> None:
    pair = await make_pair(api, context)
    async with Device(url, pair.asking) as phone, Device(url, pair.answering) as doctor:
        clock.move(LIFETIME - timedelta(seconds=30))
        await phone.hears("expiring")
        await doctor.hears("expiring")
        claims = context.tokens.read(str(pair.asking.token), now=clock.now())
        fresh = api.signed_in(context.tokens.issue(claims, now=clock.now()))
        await phone.say("renew", ticket=await ticket_of(pair.answering))
        assert (await phone.hears("error"))["code"] == "unauthenticated", "somebody else's ticket"
        await phone.say("renew", ticket=await ticket_of(fresh))
        await phone.hears("renewed")
        clock.move(timedelta(seconds=31))
        assert await doctor.closed() == (4401, "token-expired")
        await phone.say("ping")
        await phone.hears("pong")


async def test_who_is_silent_for_two_intervals_is_gone(
    api: Api, context: Context, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C03, C04: a phone with a dark screen answers pings of the protocol, and nobody is there."""
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    async with Device(url, pair.asking) as phone, Device(url, pair.answering) as doctor:
        monkeypatch.setattr(live, "SILENCE_S", 1.2)
        pinging = asyncio.create_task(ping(phone))
        assert await doctor.closed() == (4408, "silent")
        told = await phone.hears("presence", consultation_id=str(talk.id), presence="offline")
        assert told["who"] == "clinician"
        pinging.cancel()


async def ping(device: Device) -> None:
    while True:
        await device.say("ping")
        await asyncio.sleep(0.2)


async def test_a_foreign_consultation_is_not_there(api: Api, context: Context, url: str) -> None:
    pair, others = await make_pair(api, context), await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    await say(context, talk, pair.asker, "只给医生")
    for foreign in (talk.id, ConsultationId.new()):
        async with Device(url, others.asking, cursors={str(foreign): 0}) as stranger:
            await stranger.hears("reset", consultation_id=str(foreign))
            fields = {"consultation_id": str(foreign)}
            await stranger.say("message.send", client_msg_id="m", kind="text", body={"text": "我来了"}, **fields)
            assert (await stranger.hears("error", client_msg_id="m"))["code"] == "not-found"
            await stranger.say("mark", read=1, **fields)
            await stranger.say("typing", **fields)
            await stranger.say("message.recall", message_id="msg_01kj4y8x3hf7a9cq2v5b6n8m0t", **fields)
            await stranger.hears("error", 4)
            assert {each["code"] for each in stranger.got if each["type"] == "error"} == {"not-found"}
            assert stranger.messages == []


async def test_the_sender_is_who_the_ticket_says(api: Api, context: Context, url: str) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    async with Device(url, pair.asking) as phone, Device(url, pair.answering) as doctor:
        forged = {
            "type": "message.send", "client_msg_id": "m", "consultation_id": str(talk.id), "kind": "text",
            "body": {"text": "我是医生"}, "sender": "clinician",
        }  # fmt: skip
        await phone.wire.send(json.dumps(forged))
        assert (await phone.hears("error"))["client_msg_id"] == "m"
        del forged["sender"]
        await phone.wire.send(json.dumps({**forged, "body": {"text": "我是医生", "sender": "clinician"}}))
        assert (await phone.hears("error", 2))["code"] == "message-malformed"
        await phone.wire.send(json.dumps(forged))
        assert (await doctor.hears("message.new"))["sender"] == "patient"


JUNK = [
    "", "null", "[]", "1", '"ping"', "{}", '{"type":null}', '{"type":"hello"}', '{"type":"welcome"}', "{" * 5000,
    '{"type":"ping","x":1}', '{"type":"ping"', '{"type":"message.send"}', '{"type":"mark","consultation_id":"con_x"}',
    '{"type":"resume","cursors":{"con_01kj4y8x3hf7a9cq2v5b6n8m0t":-1}}', '{"type":"resume","cursors":[]}',
    '{"type":"resume","cursors":{"con_01kj4y8x3hf7a9cq2v5b6n8m0t":1e300}}', '{"type":["ping"]}', "\u0000", "NaN",
    '{"type":"message.send","client_msg_id":"\\ud800","consultation_id":"con_01kj4y8x3hf7a9cq2v5b6n8m0t","kind":"text","body":{}}',
]  # fmt: skip


async def test_malformed_frames_are_told_so_and_never_crash_anything(
    api: Api, context: Context, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STRIKES", 1000)
    pair = await make_pair(api, context)
    async with Device(url, pair.asking) as phone:
        for number, junk in enumerate(JUNK):
            await phone.wire.send(junk)
            assert (await phone.hears("error", number + 1))["code"] == "invalid-input", junk
        await phone.wire.send(b"\x00\xff")
        assert (await phone.hears("error", len(JUNK) + 1))["code"] == "malformed-request"
        await phone.say("ping")
        await phone.hears("pong")


async def test_repetition_ends_it_and_a_giant_frame_at_once(api: Api, context: Context, url: str) -> None:
    pair = await make_pair(api, context)
    async with Device(url, pair.asking) as phone:
        for _ in range(live.STRIKES):
            await phone.wire.send("junk")
        assert (await phone.closed())[0] == 1008
        assert len([each for each in phone.got if each["type"] == "error"]) == live.STRIKES
    async with Device(url, pair.asking) as phone:
        await phone.wire.send("x" * (live.FRAME_BYTES + 1))
        assert (await phone.closed())[0] == 1009


async def test_ten_thousand_frames_at_once_hurt_nobody_else(api: Api, context: Context, url: str) -> None:
    pair, others = await make_pair(api, context), await make_pair(api, context)
    talk, theirs = await make_consultation(context.database, pair), await make_consultation(context.database, others)
    async with Device(url, pair.asking) as flood, Device(url, others.asking) as calm, Device(url, others.answering) as doctor:
        body = {"type": "message.send", "consultation_id": str(talk.id), "kind": "text", "body": {"text": "x"}}

        async def pour() -> None:
            try:
                for number in range(10_000):
                    await flood.wire.send(json.dumps({**body, "client_msg_id": f"m-{number}"}))
            except ConnectionClosed:
                pass

        pouring = asyncio.create_task(pour())
        await calm.send(theirs.id, "在吗")
        await doctor.hears("message.new")
        assert (await flood.closed(within=20))[0] == 1008
        await pouring
        acks = [each["seq"] for each in flood.got if each["type"] == "message.ack"]
        assert acks == list(range(1, len(acks) + 1))
        assert 20 <= len(acks) <= 60
        refused = [each for each in flood.got if each["type"] == "error"]
        assert {(each["code"], each["retry_after_s"]) for each in refused} == {("too-many-requests", 1)}


async def test_five_devices_and_the_same_one_again(api: Api, context: Context, url: str) -> None:
    """C13: a device that comes back takes its own place and nobody else's; nobody is kicked in turns."""
    pair = await make_pair(api, context)
    devices = [Device(url, pair.asking, device_id=f"d{number}") for number in range(5)]
    for each in devices:
        await each.__aenter__()
    code, said = await hello(url, ticket=await ticket_of(pair.asking))
    assert (code, said[0]["code"]) == (4429, "too-many-sockets")
    async with Device(url, pair.asking, device_id="d0"):
        assert await devices[0].closed() == (4409, "replaced")
        for each in devices[1:]:
            await each.say("ping")
            await each.hears("pong")
    for each in devices:
        await each.__aexit__()
    async with asyncio.timeout(8):
        while await seen(context, pair.asker) is not Presence.OFFLINE:
            await asyncio.sleep(0.1)


async def seen(context: Context, account_id: Any) -> Presence:
    async with context.begin() as tx:
        return (await presence.seen(tx, [account_id], now=clock.system_now()))[account_id].presence




async def test_a_slow_reader_is_let_go_and_finds_everything_when_it_comes_back(
    api: Api, context: Context, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T11: neither the memory nor the others pay for a phone that reads nothing."""
    monkeypatch.setattr(hub, "QUEUE_BYTES", 50_000)
    monkeypatch.setattr(hub, "GOODBYE_S", 0.5)
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, quantity=100)
    slow = Device(url, pair.answering, max_queue=1)
    async with slow, Device(url, pair.asking) as phone:
        slow.wire.transport.pause_reading()
        here = context.database.live
        await phone.send(talk.id, "第一句")
        (mine,) = [each for each in here.devices() if each.account_id == pair.answerer]
        for _ in range(2000):  # what 2 000 wake-ups would bring
            mine.hear(hub.Wake(hub.Verb.FRAME, '{"type":"pong"}' + " " * 5000))
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while mine in here.devices():
                await asyncio.sleep(0.05)
        await phone.send(talk.id, "第二句")
        slow.wire.transport.resume_reading()
        await slow.closed()
    async with Device(url, pair.answering, cursors={str(talk.id): 0}) as back:
        await back.hears("caught_up", seq=2)
        assert [text for _, text in back.messages] == ["第一句", "第二句"]
