"""The socket of consultations: who may open one, what it hears and sends, and what it never does."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.client import Api
from tests.scenes.clinicians import make_clinician
from tests.scenes.consultations import as_clinician, make_consultation, make_pair, offer, row_of, say
from tests.sockets import Device
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import ClinicianKind
from yiyuebao_api.domains.consultations import service
from yiyuebao_api.domains.consultations.rules import ConsultState, MessageKind
from yiyuebao_api.kernel import clock


async def test_two_talk_and_a_third_hears_nothing(api: Api, context: Context, url: str) -> None:
    """C01: the paper's own code sends every message to every client."""
    pair, others = await make_pair(api, context), await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    async with (
        Device(url, pair.asking) as phone, Device(url, pair.asking) as tablet, Device(url, pair.answering) as doctor,
        Device(url, others.asking) as stranger,
    ):  # fmt: skip
        ack = await phone.send(talk.id, "头晕三天了", number="m-1")
        assert ack["seq"] == 1
        assert (await doctor.hears("message.new"))["body"] == {"text": "头晕三天了"}
        assert (await tablet.hears("message.new"))["message_id"] == ack["message_id"]
        again = await phone.send(talk.id, "头晕三天了", number="m-1")
        assert again == ack
        await doctor.send(talk.id, "量过血压吗？")
        await phone.hears("message.new", seq=2)
        await stranger.say("ping")
        await stranger.hears("pong")
        assert [each["type"] for each in stranger.got] == ["welcome", "pong"]
        assert phone.messages == [(2, "量过血压吗？")], "its own message came as an acknowledgement"
        assert tablet.messages == [(1, "头晕三天了"), (2, "量过血压吗？")]


async def test_the_missing_messages_come_in_order_before_what_is_live(api: Api, context: Context, url: str) -> None:
    """C07."""
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    for number in range(1, 251):
        await say(context, talk, pair.asker, f"第 {number} 句")
    async with Device(url, pair.asking, cursors={str(talk.id): 7}) as phone:
        sending = asyncio.create_task(say(context, talk, pair.asker, "live"))
        await phone.hears("caught_up")
        await sending
        await phone.hears("message.new", seq=251)
        assert [seq for seq, _ in phone.messages] == list(range(8, 252))


async def test_marks_typing_and_recall_reach_the_other_one(api: Api, context: Context, url: str) -> None:
    """C10, C11, C12."""
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    here = {"consultation_id": str(talk.id)}
    async with Device(url, pair.asking) as phone, Device(url, pair.answering) as doctor:
        ack = await phone.send(talk.id, "发错了")
        await doctor.say("mark", delivered=1, **here)
        mark = await phone.hears("mark", reader="clinician")
        assert (mark["device_id"], mark["delivered_seq"], mark["read_seq"]) == (doctor.device_id, 1, 0)
        await doctor.say("mark", read=1, **here)
        await phone.hears("mark", read_seq=1)
        for _ in range(5):
            await doctor.say("typing", **here)
        await doctor.say("mark", read=0, **here)
        await phone.say("message.recall", message_id=ack["message_id"], **here)
        told = await doctor.hears("message.recalled")
        assert (told["seq"], told["tombstone_seq"]) == (1, 2)
        assert (await doctor.hears("message.new", seq=2))["kind"] == "recall"
        assert len([each for each in phone.got if each["type"] == "typing"]) == 1
        assert len([each for each in phone.got if each["type"] == "mark"]) == 2, "marks that did not move say nothing"
    async with Device(url, pair.answering, cursors={str(talk.id): 0}) as again:
        await again.hears("caught_up", seq=2)
        hidden = await again.hears("message.new", seq=1)
        assert (hidden["body"], hidden["hidden"]) == ({}, True)


async def test_the_other_one_sees_who_is_there(api: Api, context: Context, url: str) -> None:
    """C04."""
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    here: dict[str, Any] = {"consultation_id": str(talk.id), "who": "clinician"}
    async with Device(url, pair.asking) as phone:
        async with Device(url, pair.answering) as doctor, Device(url, pair.answering) as tablet:
            await phone.hears("presence", 2, presence="online", **here)
            await doctor.say("presence.set", busy=True)
            await phone.hears("presence", presence="busy", **here)
            await tablet.wire.close()
            await phone.hears("presence", 2, presence="busy", **here)
        left = await phone.hears("presence", presence="offline", **here)
        assert left["last_seen_at"] is not None


async def test_a_cursor_of_another_time_is_reset_and_a_resume_follows(api: Api, context: Context, url: str) -> None:
    """C08."""
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    await say(context, talk, pair.asker, "一")
    async with Device(url, pair.answering, cursors={str(talk.id): 99}) as doctor:
        await doctor.hears("reset", consultation_id=str(talk.id))
        await doctor.say("resume", cursors={str(talk.id): 0})
        await doctor.hears("caught_up", seq=1)
        assert doctor.messages == [(1, "一")]
        await say(context, talk, pair.asker, "二")
        await doctor.hears("message.new", seq=2)


async def test_a_wake_up_that_was_lost_or_late_leaves_no_hole(api: Api, context: Context, url: str) -> None:
    """What Redis loses or turns around is read from the log: 2 and 3 never arrive, 4 comes twice, 5 before 4."""
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    async with Device(url, pair.answering, cursors={str(talk.id): 0}) as doctor:
        await doctor.hears("caught_up")
        await say(context, talk, pair.asker, "1")
        await doctor.hears("message.new", seq=1)
        for number in range(2, 6):
            async with context.begin() as tx:
                await service.send_message(
                    tx, consultation_id=talk.id, sender=pair.asker, client_msg_id=f"m-{number}", kind=MessageKind.TEXT,
                    body={"text": str(number)}, now=clock.now(),
                )  # fmt: skip
                lost = tx.info["after_commit"]
                tx.info["after_commit"] = [] if number < 5 else [*lost, *lost]
        await doctor.hears("message.new", seq=5)
        await doctor.say("ping")
        await doctor.hears("pong")
        assert doctor.messages == [(number, str(number)) for number in range(1, 6)]


async def test_what_is_refused_says_why_and_changes_nothing(api: Api, context: Context, url: str) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, state=ConsultState.ENDED)
    async with Device(url, pair.asking, additional_headers={"Accept-Language": "en"}) as phone:
        fields = {"consultation_id": str(talk.id), "kind": "text", "body": {"text": "还在吗"}}
        await phone.say("message.send", client_msg_id="m-1", **fields)
        told = await phone.hears("error", client_msg_id="m-1")
        assert (told["code"], told["about"], told["title"]) == (
            "consultation-state-refused", "message.send", "Not possible now",
        )  # fmt: skip
        await phone.say("message.send", client_msg_id="m-2", **{**fields, "body": {"text": "字" * 4001}})
        assert (await phone.hears("error", client_msg_id="m-2"))["code"] == "message-malformed"
    assert (await row_of(context.database, talk.id)).last_seq == 0


async def test_the_list_of_staff_begins_with_who_is_there(api: Api, context: Context, url: str) -> None:
    """The paper: 查看在线状态的医护人员."""
    pair = await make_pair(api, context)
    away = await make_clinician(context.database, pair.hospital.id, kind=ClinicianKind.DOCTOR)
    path, where = "/v1/consultations/offers", {"hospital_id": str(pair.hospital.id)}
    await offer(api, context, pair)
    later = await as_clinician(api, context, away)
    body = {"quantity": 3, "price_fen": 3000, "is_open": True}
    assert (await later.put(f"{path}/health_advice/rounds", json=body)).status_code == 200

    async def shown(**wanted: Any) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = (await api.get(path, params={**where, **wanted, "limit": 1, **cursor})).json()
            found += [(each["clinician_id"], each["presence"]) for each in answer["items"]]
            if answer["next_cursor"] is None:
                return found
            cursor = {"cursor": answer["next_cursor"]}

    here, there = str(pair.clinician.id), str(away.id)
    assert await shown() == [(there, "offline"), (here, "offline")], "the newest first"
    async with Device(url, pair.answering) as doctor:
        assert await shown() == [(here, "online"), (there, "offline")]
        assert await shown(presence="online") == [(here, "online")]
        await doctor.say("presence.set", busy=True)
        await doctor.say("ping")
        await doctor.hears("pong")
        assert await shown() == [(here, "busy"), (there, "offline")]
        assert await shown(presence="online") == []
    assert (await api.get(path, params={**where, "cursor": "WzFd"})).status_code == 422
