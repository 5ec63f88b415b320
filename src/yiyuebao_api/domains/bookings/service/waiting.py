"""The hospital takes its next step in time: accepts, assigns, sets out; its silence is a refusal (RULE-64, 67)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.events import BookingRefused, StartMissed
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import (
    AWAITED,
    ActorKind,
    BookingState,
    Policy,
    VisitStage,
    due,
    is_expected,
    refusal,
)
from yiyuebao_api.domains.bookings.service.ending import facts_of, wind_up
from yiyuebao_api.domains.bookings.service.telling import clock_time, move, tell_desk, tell_hospital, tell_payer, when
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.kernel import outbox
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import BookingId
from yiyuebao_api.kernel.money import yuan
from yiyuebao_api.kernel.problems import Words

#: Jobs of `wiring.JOBS`. Each row carries the deadline it was put for: after another step, or with a new time, it has
#: nothing to do any more.
REMIND = "bookings.remind"
END_IN_SILENCE = "bookings.end_in_silence"


async def await_hospital(tx: AsyncSession, booking: Booking, *, now: datetime) -> None:
    """The hospital's next step is due in time: from now on somebody watches. The caller holds the row's lock."""
    step = due(Policy.of(booking.policy), booking.state, now, booking.starts_at)
    booking.act_by, booking.reminded_at = step.by, None
    watched = {"by": step.by.isoformat()}
    await outbox.put(tx, REMIND, booking.id, watched, now=now, run_at=step.remind_at)
    await outbox.put(tx, END_IN_SILENCE, booking.id, watched, now=now, run_at=step.by)


async def remind(begin: Begin, booking_id: BookingId, *, by: datetime, now: datetime) -> None:
    """The job some time before the deadline `by`: once, the desk hears what still waits; after the start the patient too.

    Who set out and is not there is late as well.
    """
    async with begin() as tx:
        booking = await queries.lock_booking(tx, booking_id)
        if booking.act_by != by or booking.reminded_at is not None or now >= by:
            return
        if booking.state in _SOON:
            kind, title, words = _SOON[booking.state]
            last = clock_time(by)
            await tell_desk(tx, booking, kind, title, Words(words.zh.format(last.zh), words.en.format(last.en)), now)
        elif is_expected(booking.state, booking.visit_stage):
            await _tell_of_delay(tx, booking, by, now)
        else:
            return
        booking.reminded_at = now


async def end_in_silence(begin: Begin, booking_id: BookingId, *, by: datetime, now: datetime) -> None:
    """The job at the deadline `by`: the step was not taken, so everything goes back and the place is free.

    The row's lock decides between it and whoever takes the step at the same moment. Run too early it asks to be run again.
    """
    async with begin() as tx:
        booking = await queries.lock_booking(tx, booking_id)
        if booking.state not in AWAITED or booking.act_by != by:
            return
        if now < by:
            raise outbox.Again(by - now)
        await _refuse_in_silence(tx, booking, now=now)


async def _refuse_in_silence(tx: AsyncSession, booking: Booking, *, now: datetime) -> None:
    """As if the hospital had refused. The caller holds the row's lock."""
    silence = _SILENCES[booking.state]
    if booking.state is BookingState.ASSIGNED and booking.place is Place.HOSPITAL:
        silence = _NOT_CHECKED_IN
    outcome = refusal(await facts_of(tx, booking, now))
    await move(tx, booking, BookingState.REFUSED, actor=ActorKind.SYSTEM, reason=silence.reason, now=now)
    await wind_up(tx, booking, outcome.refund_fen, cause=silence.kind, reason=f"{silence.reason}退款", now=now)
    await announce(tx, BookingRefused(booking.id, now))
    await tell_hospital(tx, booking, "booking.cancelled", silence.at_desk, now=now, reason=silence.code)
    start, back = when(booking), yuan(outcome.refund_fen)
    body = Words(
        f"{silence.body.zh}：{booking.service_name}，{start.zh}。订单 {booking.order_no} 全额 {back} 将原路退回。",
        f"{silence.body.en}: {booking.service_name}, {start.en}. "
        f"Order {booking.order_no}: all of {back} goes back to your WeChat.",
    )
    await tell_payer(tx, booking, f"booking.{silence.kind}", silence.title, body, now)


async def _tell_of_delay(tx: AsyncSession, booking: Booking, by: datetime, now: datetime) -> None:
    """The visit should have begun: the desk, the patient (who may cancel for nothing) and who was sent hear of it."""
    start, last = when(booking), clock_time(by)
    delay = _NOT_THERE if booking.place is Place.HOME else _NOT_SEEN
    unless = Words(delay.unless.zh.format(last.zh), delay.unless.en.format(last.en))
    if booking.visit_stage is VisitStage.DEPARTED:
        unless = Words("", "")
    late = Words(delay.body.zh.format(start.zh), delay.body.en.format(start.en))
    body = Words(
        f"{late.zh}您可以继续等待，也可以现在取消并全额退款{unless.zh}。",
        f"{late.en} You may wait, or cancel now and get everything back{unless.en}.",
    )
    await tell_payer(tx, booking, "visit.late", delay.title, body, now)
    at_desk = Words(f"{delay.at_desk.zh}{unless.zh}", f"{delay.at_desk.en}{unless.en}")
    await tell_desk(tx, booking, "visit.late", delay.title, at_desk, now)
    await announce(tx, StartMissed(booking.id, now))


# ── the words ────────────────────────────────────────────────────────────────────────────────────────────────────────

#: What the desk hears some time before a step is due: kind, title, words with the time.
_SOON: Mapping[BookingState, tuple[str, Words, Words]] = {
    BookingState.PAID: (
        "booking.accept_soon", Words("预约待接单，即将超时", "A booking waits for you"),
        Words("请在 {} 前接单，否则将自动全额退款", "accept it by {}, or it ends and everything is refunded"),
    ),
    BookingState.ACCEPTED: (
        "booking.assign_soon", Words("预约待派人，即将超时", "A booking has nobody yet"),
        Words("请在 {} 前派人，否则将自动全额退款", "assign somebody by {}, or it ends and everything is refunded"),
    ),
}  # fmt: skip


class _Delay(NamedTuple):
    """What is said when the visit should have begun; `unless` closes both."""

    title: Words
    body: Words
    at_desk: Words
    unless: Words


_NOT_THERE = _Delay(
    Words("服务人员尚未到达", "Nobody is there yet"),
    Words("很抱歉，{} 的服务人员尚未到达。", "We are sorry: nobody has come to your visit of {} yet."),
    Words("服务人员尚未到达，请立即联系或改派", "nobody is there: call them or send somebody else"),
    Words("；{} 前仍无人出发将自动取消并全额退款", "; it ends with a full refund unless somebody sets out by {}"),
)
_NOT_SEEN = _Delay(
    Words("尚未签到", "Not checked in yet"),
    Words("您 {} 的到院服务尚未签到，如已到院请出示核验码。", "You have not checked in for {}; at the hospital, show your code."),
    Words("患者尚未签到", "the patient has not checked in"),
    Words("；{} 前仍未签到将自动取消并全额退款", "; it ends with a full refund unless somebody checks in by {}"),
)


class _Silence(NamedTuple):
    """What an end in silence is called: in the history, in the books, in events, at the desk, and to the patient."""

    kind: str
    code: str
    reason: str
    at_desk: Words
    title: Words
    body: Words


_SILENCES: Mapping[BookingState, _Silence] = {
    BookingState.PAID: _Silence(
        "unanswered", "not-accepted-in-time", "医院超时未接单", Words("超时未接单，已自动取消", "Not accepted in time: ended"),
        Words("医院未及时接单", "No answer in time"),
        Words("很抱歉，医院未在规定时间内接单", "We are sorry, the hospital did not accept in time"),
    ),
    BookingState.ACCEPTED: _Silence(
        "unassigned", "not-assigned-in-time", "医院超时未派人", Words("超时未派人，已自动取消", "Nobody assigned in time: ended"),
        Words("医院未能安排人员", "Nobody could be sent"),
        Words("很抱歉，医院未能为您安排服务人员，无需再等待", "We are sorry, the hospital found nobody to send; you need not wait"),
    ),
    BookingState.ASSIGNED: _Silence(
        "nobody_came", "nobody-came", "服务人员未上门", Words("无人上门，已自动取消", "Nobody set out: ended"),
        Words("服务人员未能上门", "Nobody came"),
        Words("很抱歉，服务人员未能上门，预约已取消", "We are sorry, nobody came, and the booking has ended"),
    ),
}  # fmt: skip
#: At the hospital nobody knows who was not there.
_NOT_CHECKED_IN = _Silence(
    "not_checked_in", "not-checked-in", "到院未签到", Words("患者未签到，已自动取消", "Nobody checked in: ended"),
    Words("预约已取消", "Booking ended"), Words("因未签到，预约已自动取消", "Nobody checked in, so the booking has ended"),
)  # fmt: skip
