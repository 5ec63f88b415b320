"""Several messages in one transaction: each has the outcome it would have had alone."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from sqlalchemy import delete, func, select

from tests.client import Api
from tests.plans import Statements
from tests.scenes.consultations import Pair, make_consultation, make_pair, row_of, say
from tests.scenes.files import uploaded
from tests.sockets import Device
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState
from yiyuebao_api.domains.consultations import service
from yiyuebao_api.domains.consultations.models import Block, Flag, Message
from yiyuebao_api.domains.consultations.queries import lock_consultation
from yiyuebao_api.domains.consultations.rules import ConsultState, MessageKind
from yiyuebao_api.domains.consultations.service import Sending, SentMessage
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId, ConsultationId

BY_NUMBER = "uq_consultation_message_consultation_id_sender_id_client_msg_id"


def text(consultation_id: ConsultationId, sender: AccountId, number: str, /, **body: Any) -> Sending:
    return Sending(consultation_id, sender, number, MessageKind.TEXT, body or {"text": number})


async def test_each_gets_its_own_outcome_and_its_own_place(api: Api, context: Context) -> None:
    pair, blocked, gone = [await make_pair(api, context) for _ in range(3)]
    database = context.database
    talk, other = await make_consultation(database, pair), await make_consultation(database, pair)
    shut = await make_consultation(database, blocked)
    ended = await make_consultation(database, gone, state=ConsultState.ENDED)
    async with context.begin() as tx:
        tx.add(Block(account_id=blocked.answerer, blocked_id=blocked.asker, blocked_at=clock.now()))
    first = await say(context, talk, pair.asker, number="m-1")
    sendings = [
        text(talk.id, pair.asker, "m-1"), text(talk.id, pair.asker, "m-2"), text(other.id, pair.asker, "m-2"),
        text(talk.id, pair.answerer, "m-2"), text(talk.id, pair.asker, "m-2"), text(talk.id, gone.asker, "m-3"),
        text(ConsultationId.new(), pair.asker, "m-4"), text(talk.id, pair.asker, "m-5", sender="clinician"),
        text(shut.id, blocked.asker, "m-6"), text(ended.id, gone.asker, "m-7"), text(talk.id, pair.asker, "m-8"),
    ]  # fmt: skip
    async with context.begin() as tx:
        outcomes = await service.send_messages(tx, sendings, now=clock.now())
    told = [each.seq if isinstance(each, SentMessage) else each.code for each in outcomes]
    assert told == [
        1, 2, 1, 3, 2, "not-found", "not-found", "message-malformed", "pair-blocked", "consultation-state-refused", 4,
    ]  # fmt: skip
    assert outcomes[0] == first
    assert outcomes[1] == outcomes[4]
    row = await row_of(database, talk.id)
    assert (row.last_seq, row.state, row.rounds_used, row.asked) == (4, ConsultState.ACTIVE, 1, True)
    assert (await row_of(database, other.id)).last_seq == 1
    assert (await row_of(database, shut.id)).last_seq == (await row_of(database, ended.id)).last_seq == 0
    async with context.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(Message)) == 5


async def test_without_a_session_plain_words_are_stored_and_nothing_else(api: Api, context: Context) -> None:
    """What moves more is put aside with whatever follows it in its consultation: none of it has a place before the others."""
    pairs = [await make_pair(api, context) for _ in range(4)]
    waiting, flagged, last, calm = [
        await make_consultation(context.database, pair, state=state, quantity=quantity)
        for pair, state, quantity in zip(
            pairs, (ConsultState.WAITING, *[ConsultState.ACTIVE] * 3), (20, 20, 1, 20), strict=True
        )
    ]  # fmt: skip
    file = await uploaded(context, pairs[3].asker, Purpose.CONSULTATION_IMAGE)
    picture = Sending(calm.id, pairs[3].asker, "m-9", MessageKind.IMAGE, {"file_id": str(file.id)})
    sendings = [
        text(waiting.id, pairs[0].asker, "m-1"), text(waiting.id, pairs[0].answerer, "m-2"), text(waiting.id, pairs[0].asker, "m-3"),
        text(flagged.id, pairs[1].asker, "m-1", text="加我微信 abc12345"), text(flagged.id, pairs[1].asker, "m-2"),
        text(last.id, pairs[2].answerer, "m-1"), text(calm.id, pairs[3].asker, "m-1"), text(calm.id, pairs[3].asker, "m-1"),
        text(calm.id, pairs[0].asker, "m-2"), picture, text(calm.id, pairs[3].answerer, "m-1"),
    ]  # fmt: skip

    async def plain() -> list[int | str | None]:
        async with context.database.begin_wire() as wire:
            outcomes = await service.send_plain_messages(wire, sendings, now=clock.now())
        return [each if each is None else each.seq if isinstance(each, SentMessage) else each.code for each in outcomes]

    told = [1, None, None, None, None, None, 1, 1, "not-found", None, None]
    assert await plain() == told
    assert await plain() == told, "and is found again"
    rows = [await row_of(context.database, each.id) for each in (waiting, flagged, last, calm)]
    assert [(row.last_seq, row.state, row.rounds_used) for row in rows] == [
        (1, ConsultState.WAITING, 0), (0, ConsultState.ACTIVE, 0), (0, ConsultState.ACTIVE, 0), (1, ConsultState.ACTIVE, 0),
    ]  # fmt: skip
    outcomes = await api.app.state.live_desk._store(sendings)
    told = [each.seq if isinstance(each, SentMessage) else each.code for each in outcomes]
    assert told == [1, 2, 3, 1, 2, 1, 1, 1, "not-found", 2, 3]
    rows = [await row_of(context.database, each.id) for each in (waiting, flagged, last, calm)]
    assert [(row.last_seq, row.state, row.rounds_used) for row in rows] == [
        (3, ConsultState.ACTIVE, 1), (2, ConsultState.ACTIVE, 0), (1, ConsultState.ACTIVE, 1), (3, ConsultState.ACTIVE, 1),
    ]  # fmt: skip
    assert rows[2].closes_at is not None
    async with context.begin() as tx:
        assert [each.rule for each in await tx.scalars(select(Flag))] == ["contact-words"]


async def test_a_crowd_over_sockets_shares_transactions_and_keeps_its_order(
    api: Api, context: Context, url: str
) -> None:
    pairs = [await make_pair(api, context) for _ in range(6)]
    talks = [await make_consultation(context.database, each) for each in pairs]
    store = api.app.state.live_desk.store
    devices = [Device(url, each.asking) for each in pairs] + [Device(url, each.answering) for each in pairs]
    for each in devices:
        await each.__aenter__()
    groups, calls = store.groups, store.calls

    async def talk(number: int) -> None:
        for at in range(15):
            await devices[number].send(talks[number % 6].id, f"{number}-{at}")

    await asyncio.gather(*map(talk, range(12)))
    assert store.calls - calls == 180
    assert store.groups - groups < 180
    for number, talked in enumerate(talks):
        async with context.begin() as tx:
            rows = await service.list_messages(tx, talked.id, pairs[number].asker, 0, 200)
        assert [row.seq for row in rows] == list(range(1, 31))
        for who in (number, number + 6):
            own = [str(row.body["text"]) for row in rows if row.sender_id == (pairs[number].asker if who < 6 else pairs[number].answerer)]
            assert own == [f"{who}-{at}" for at in range(15)]
            heard = devices[who]
            other = [row.seq for row in rows if str(row.body["text"]) not in own]
            await heard.hears("message.new", 15)
            assert [seq for seq, _ in heard.messages] == other
    for each in devices:
        await each.__aexit__()


async def test_a_consultation_that_somebody_holds_keeps_only_its_own_people_waiting(
    api: Api, context: Context, url: str
) -> None:
    pairs = [await make_pair(api, context) for _ in range(3)]
    talks = [await make_consultation(context.database, each) for each in pairs]
    async with Device(url, pairs[0].asking) as held, Device(url, pairs[1].asking) as free, Device(url, pairs[2].asking) as other:
        async with context.begin() as tx:
            await lock_consultation(tx, talks[0].id)
            fields = {"consultation_id": str(talks[0].id), "kind": "text", "body": {"text": "等"}}
            await held.say("message.send", client_msg_id="m-1", **fields)
            acks = await asyncio.gather(free.send(talks[1].id, "不等"), other.send(talks[2].id, "不等"))
            assert [each["seq"] for each in acks] == [1, 1]
            assert (await held.hears("error", client_msg_id="m-1"))["code"] == "service-unavailable"
        assert (await held.send(talks[0].id, "等", number="m-1"))["seq"] == 1


async def test_who_speaks_holds_the_consultation_and_nothing_else(api: Api, context: Context) -> None:
    """The look at the clinician and at the blocks waits for nobody and lets nobody wait: they serve a hundred others too."""
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, state=ConsultState.ACTIVE)
    async with context.begin() as tx:
        tx.add(Block(account_id=pair.asker, blocked_id=pair.answerer, blocked_at=clock.now()))
    async with context.begin() as tx:
        await service.send_messages(tx, [text(talk.id, pair.asker, "m-1")], now=clock.now())
        async with asyncio.timeout(1):
            await asyncio.create_task(change_both(context, pair), context=contextvars.Context())


async def change_both(context: Context, pair: Pair) -> None:
    async with context.begin() as tx:
        clinician = await tx.get_one(Clinician, pair.clinician.id, with_for_update=True)
        clinician.state = ClinicianState.SUSPENDED
        await tx.execute(delete(Block))


async def test_what_was_sent_before_is_found_by_its_number(api: Api, context: Context) -> None:
    """The accident: the servers preferred to read the whole consultation, and every message cost more than the one before."""
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, state=ConsultState.ACTIVE)
    sendings = [text(talk.id, pair.asker, f"m-{number}") for number in range(40)]
    async with context.begin() as tx:
        await service.send_messages(tx, sendings, now=clock.now())
    statements = Statements(context.database)
    async with context.begin() as tx:
        again = await service.send_messages(tx, sendings[5:7], now=clock.now())
    assert [each.seq for each in again if isinstance(each, SentMessage)] == [6, 7]
    (plan,) = (await statements.plans())["consultation_message"]
    assert plan["key"] == BY_NUMBER
    assert int(plan["rows"]) == 2
