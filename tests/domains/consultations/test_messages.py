"""What is said: stored once, in order, without gaps, told to two people only, marked and taken back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.client import Api
from tests.scenes.accounts import make_account
from tests.scenes.consultations import make_consultation, make_pair, row_of, say
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState
from yiyuebao_api.domains.consultations import service
from yiyuebao_api.domains.consultations.models import Block, Flag, Mark, Message
from yiyuebao_api.domains.consultations.problems import (
    AcceptFirst,
    ClinicianNotServing,
    ConsultationStateRefused,
    MessageMalformed,
    PairBlocked,
    RecallTooLate,
    RoundsUsedUp,
    TooManyDevices,
)
from yiyuebao_api.domains.consultations.rules import (
    MAX_DEVICES,
    ConsultKind,
    ConsultState,
    FlagKind,
    Measure,
    MessageKind,
)
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId, ConsultationId
from yiyuebao_api.kernel.outbox import OutboxJob
from yiyuebao_api.kernel.problems import NotFound


async def log_of(context: Context, consultation_id: ConsultationId) -> list[Message]:
    async with context.begin() as tx:
        wanted = select(Message).where(Message.consultation_id == consultation_id).order_by(Message.seq)
        return list((await tx.scalars(wanted)).all())


async def test_fifty_who_write_at_once_get_a_log_without_a_gap(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, state=ConsultState.ACTIVE, quantity=100)
    senders = [pair.asker, pair.answerer] * 25
    acks = await asyncio.gather(*(say(context, talk, sender, f"第 {at} 句") for at, sender in enumerate(senders)))
    assert sorted(ack.seq for ack in acks) == list(range(1, 51))
    assert [each.seq for each in await log_of(context, talk.id)] == list(range(1, 51))
    assert (await row_of(context.database, talk.id)).last_seq == 50


async def test_the_same_number_is_one_message_whoever_is_in_a_hurry(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    acks = await asyncio.gather(*(say(context, talk, pair.asker, "在吗", number="m-1") for _ in range(20)))
    assert len(set(acks)) == 1
    other = await say(context, talk, pair.answerer, "在", number="m-1")
    assert (acks[0].seq, other.seq) == (1, 2)
    assert len(await log_of(context, talk.id)) == 2


async def test_a_repetition_is_answered_even_when_nothing_may_be_said_any_more(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    first = await say(context, talk, pair.asker, number="m-1")
    async with context.begin() as tx:
        row = await tx.get_one(type(talk), talk.id)
        row.state = ConsultState.ENDED
    assert await say(context, talk, pair.asker, number="m-1") == first
    with pytest.raises(ConsultationStateRefused):
        await say(context, talk, pair.asker)
    assert len(await log_of(context, talk.id)) == 1


async def test_to_everybody_else_it_is_not_there(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    sent = await say(context, talk, pair.asker)
    stranger = (await make_account(context.database)).id
    with pytest.raises(NotFound):
        await say(context, talk, stranger)
    for attempt in (
        lambda tx: service.list_messages(tx, talk.id, stranger, 0, 50),
        lambda tx: service.mark(tx, talk.id, stranger, "d", read=1, now=clock.now()),
        lambda tx: service.participants_of(tx, talk.id, stranger),
        lambda tx: service.recall_message(
            tx, consultation_id=talk.id, sender=stranger, message_id=sent.message_id, now=clock.now()
        ),
        lambda tx: service.recall_message(
            tx, consultation_id=talk.id, sender=pair.answerer, message_id=sent.message_id, now=clock.now()
        ),
    ):
        with pytest.raises(NotFound):
            async with context.begin() as tx:
                await attempt(tx)
    (only,) = await log_of(context, talk.id)
    assert only.recalled_by is None


async def test_an_unpaid_one_is_nobodys_business_at_the_other_end(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, state=ConsultState.AWAITING_PAYMENT)
    with pytest.raises(NotFound):
        await say(context, talk, pair.answerer)
    with pytest.raises(ConsultationStateRefused):
        await say(context, talk, pair.asker)
    assert await log_of(context, talk.id) == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text", {}), ("text", {"text": ""}), ("text", {"text": "   "}), ("text", {"text": "字" * 4001}),
        ("text", {"text": "a\0b"}), ("text", {"text": "\ud800"}), ("text", {"text": 5}), ("text", {"text": "a", "seq": "1"}),
        ("recall", {"message_id": "x"}), ("card", {"title": "x"}), ("card", {"type": "a", "title": "x" * 101}),
        ("image", {"file_id": "http://elsewhere"}), ("file", {"file_id": "fil_01kj4y8x3hf7a9cq2v5b6n8m0t"}),
    ],
)  # fmt: skip
async def test_what_is_no_message_is_refused(api: Api, context: Context, kind: str, body: dict[str, Any]) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    with pytest.raises(MessageMalformed):
        async with context.begin() as tx:
            await service.send_message(
                tx, consultation_id=talk.id, sender=pair.asker, client_msg_id="m", kind=MessageKind(kind), body=body,
                now=clock.now(),
            )  # fmt: skip
    assert (await row_of(context.database, talk.id)).last_seq == 0


async def test_a_long_text_and_a_card_are_kept_as_they_were(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    await say(context, talk, pair.asker, "😀" * 4000)
    card = {"type": "visit", "title": "上门护理", "subject": "bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"}
    async with context.begin() as tx:
        await service.send_message(
            tx, consultation_id=talk.id, sender=pair.asker, client_msg_id="m", kind=MessageKind.CARD, body=card,
            now=clock.now(),
        )  # fmt: skip
    first, second = await log_of(context, talk.id)
    assert (first.body["text"], second.body) == ("😀" * 4000, card)


async def test_the_first_answer_starts_it(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, measure=Measure.MINUTES, quantity=15)
    now = clock.now()
    await say(context, talk, pair.asker, now=now)
    assert (await row_of(context.database, talk.id)).state is ConsultState.WAITING
    await say(context, talk, pair.answerer, now=now)
    row = await row_of(context.database, talk.id)
    assert (row.state, row.answered_at, row.closes_at) == (ConsultState.ACTIVE, now, now + timedelta(minutes=15))
    with pytest.raises(ConsultationStateRefused):
        await say(context, talk, pair.asker, now=now + timedelta(minutes=15))
    await say(context, talk, pair.asker, now=now + timedelta(minutes=14, seconds=59))
    async with context.begin() as tx:
        jobs = await tx.scalar(select(func.count()).where(OutboxJob.type == "consultations.watch"))
    assert jobs == 3  # the warning, the end, the silence


async def test_a_follow_up_is_accepted_before_it_is_answered(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, kind=ConsultKind.ONLINE_FOLLOW_UP)
    with pytest.raises(AcceptFirst):
        await say(context, talk, pair.answerer)
    assert (await row_of(context.database, talk.id)).state is ConsultState.WAITING


async def test_rounds_are_used_by_answers_and_end_with_a_grace(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, quantity=2)
    now = clock.now()
    await say(context, talk, pair.answerer, now=now)  # answers the complaint
    await say(context, talk, pair.answerer, now=now)  # goes on: the same round
    assert (await row_of(context.database, talk.id)).rounds_used == 1
    for _ in range(3):
        await say(context, talk, pair.asker, now=now)
    await say(context, talk, pair.answerer, now=now)
    row = await row_of(context.database, talk.id)
    assert (row.rounds_used, row.closes_at) == (2, now + timedelta(minutes=30))
    with pytest.raises(RoundsUsedUp):
        await say(context, talk, pair.asker, now=now)
    await say(context, talk, pair.answerer, "再补充一句", now=now + timedelta(minutes=29))
    with pytest.raises(ConsultationStateRefused):
        await say(context, talk, pair.answerer, now=now + timedelta(minutes=30))


async def test_silence_of_two_days_ends_it(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    now = clock.now()
    talk = await make_consultation(context.database, pair, state=ConsultState.ACTIVE, now=now)
    with pytest.raises(ConsultationStateRefused):
        await say(context, talk, pair.asker, now=now + timedelta(hours=48))
    await say(context, talk, pair.asker, now=now + timedelta(hours=47))
    await say(context, talk, pair.asker, now=now + timedelta(hours=94))


async def test_nothing_passes_between_a_blocked_pair(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, state=ConsultState.ACTIVE)
    async with context.begin() as tx:
        tx.add(Block(account_id=pair.answerer, blocked_id=pair.asker, blocked_at=clock.now()))
    for sender in (pair.asker, pair.answerer):
        with pytest.raises(PairBlocked):
            await say(context, talk, sender)


async def test_a_suspended_clinician_answers_no_more(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, state=ConsultState.ACTIVE)
    async with context.begin() as tx:
        (await tx.get_one(Clinician, pair.clinician.id)).state = ClinicianState.SUSPENDED
    with pytest.raises(ClinicianNotServing):
        await say(context, talk, pair.answerer)
    await say(context, talk, pair.asker)


async def test_a_recall_hides_and_keeps_and_takes_a_place_in_the_log(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    now = clock.now()
    sent = await say(context, talk, pair.asker, "发错了", now=now)
    await say(context, talk, pair.asker, "请看这条", now=now)

    async def recall(after: timedelta) -> Message:
        async with context.begin() as tx:
            return await service.recall_message(
                tx, consultation_id=talk.id, sender=pair.asker, message_id=sent.message_id, now=now + after
            )

    with pytest.raises(RecallTooLate):
        await recall(timedelta(minutes=2, seconds=1))
    stones = await asyncio.gather(*(recall(timedelta(minutes=2)) for _ in range(10)))
    assert {each.seq for each in stones} == {3}
    assert (await recall(timedelta(hours=1))).seq == 3  # a second recall answers the first one's outcome
    first, _, stone = await log_of(context, talk.id)
    assert (first.body["text"], first.recalled_by, first.is_hidden) == ("发错了", 3, True)
    assert (stone.kind, stone.body) == (MessageKind.RECALL, {"message_id": str(sent.message_id), "seq": 1})


async def mark(
    context: Context, consultation_id: ConsultationId, reader: AccountId, device: str, delivered: int, read: int
) -> Mark:
    async with context.begin() as tx:
        return await service.mark(
            tx, consultation_id, reader, device, delivered=delivered, read=read, now=clock.now()
        )


async def test_marks_grow_per_device_and_keep_their_times(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    for _ in range(3):
        await say(context, talk, pair.asker)
    first = await mark(context, talk.id, pair.answerer, "phone", 2, 1)
    assert (first.delivered_seq, first.read_seq) == (2, 1)
    back = await mark(context, talk.id, pair.answerer, "phone", 1, 0)
    assert (back.delivered_seq, back.read_seq, back.read_at) == (2, 1, first.read_at)
    beyond = await mark(context, talk.id, pair.answerer, "phone", 0, 99)
    assert (beyond.delivered_seq, beyond.read_seq) == (3, 3)
    other = await mark(context, talk.id, pair.answerer, "tablet", 1, 0)
    assert (other.delivered_seq, other.read_seq, other.read_at) == (1, 0, None)


async def test_marks_at_once_keep_the_highest(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, last_seq=40)
    await asyncio.gather(*(mark(context, talk.id, pair.asker, "phone", seq, seq - 1) for seq in range(1, 41)))
    async with context.begin() as tx:
        (row,) = (await tx.scalars(select(Mark))).all()
    assert (row.delivered_seq, row.read_seq) == (40, 39)


async def test_nobody_has_hundreds_of_devices(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, last_seq=1)
    for at in range(MAX_DEVICES):
        await mark(context, talk.id, pair.asker, f"device-{at}", 1, 0)
    with pytest.raises(TooManyDevices):
        await mark(context, talk.id, pair.asker, "one-more", 1, 0)
    with pytest.raises(MessageMalformed):
        await mark(context, talk.id, pair.asker, "with a blank", 1, 0)
    await mark(context, talk.id, pair.asker, "device-0", 1, 1)


async def test_suspicious_words_are_delivered_and_flagged(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    await say(context, talk, pair.asker, "今天头晕，血压 150/95")
    await say(context, talk, pair.asker, "我的电话一三八 0013-8000 你打给我" + "0")
    assert len(await log_of(context, talk.id)) == 2
    async with context.begin() as tx:
        (flag,) = (await tx.scalars(select(Flag))).all()
    assert (flag.seq, flag.kind, flag.rule) == (2, FlagKind.CONTACT, "phone-number")
