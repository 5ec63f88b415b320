"""The hospital takes a paid booking on, in time; its silence is a refusal (RULE-64)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import ActorKind, BookingState, Policy, answer_due
from yiyuebao_api.domains.bookings.service.assessing import require_assessed
from yiyuebao_api.domains.bookings.service.ending import refuse_in_silence, require_state
from yiyuebao_api.domains.bookings.service.telling import clock_time, move, tell_desk, tell_hospital, tell_payer, when
from yiyuebao_api.kernel import outbox
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import AccountId, BookingId
from yiyuebao_api.kernel.problems import Words

#: Jobs of `wiring.JOBS`. Each row carries the deadline it was put for: after a new time it has nothing to do any more.
REMIND_DESK = "bookings.remind_desk"
END_UNACCEPTED = "bookings.end_unaccepted"


async def await_acceptance(tx: AsyncSession, booking: Booking, *, now: datetime) -> None:
    """A paid booking is to be accepted in time: from now on somebody watches. The caller holds the row's lock."""
    due = answer_due(Policy.of(booking.policy), now, booking.starts_at)
    booking.accept_by, booking.desk_reminded_at = due.by, None
    watched = {"by": due.by.isoformat()}
    await outbox.put(tx, REMIND_DESK, booking.id, watched, now=now, run_at=due.remind_at)
    await outbox.put(tx, END_UNACCEPTED, booking.id, watched, now=now, run_at=due.by)


async def accept_booking(tx: AsyncSession, booking_id: BookingId, *, account_id: AccountId, now: datetime) -> Booking:
    """The desk takes the booking on. A second time answers the first one's outcome. Raises BookingStateRefused, AssessmentNeeded."""
    booking = await queries.lock_booking(tx, booking_id)
    if booking.state is BookingState.ACCEPTED:
        return booking
    require_state(booking, (BookingState.PAID,))  # an assigned one can be accepted too, but by taking somebody off
    await require_assessed(tx, booking)
    await move(tx, booking, BookingState.ACCEPTED, actor=ActorKind.DESK, actor_id=account_id, now=now)
    await tell_hospital(tx, booking, "booking.accepted", Words("已接单", "Booking accepted"), now=now)
    start = when(booking)
    body = Words(
        f"医院已接单：{booking.service_name}，{start.zh}。", f"The hospital has accepted: {booking.service_name}, {start.en}."
    )
    await tell_payer(tx, booking, "booking.accepted", Words("医院已接单", "Booking accepted"), body, now)
    return booking



async def remind_desk(begin: Begin, booking_id: BookingId, *, by: datetime, now: datetime) -> None:
    """The job some time before the deadline `by`: the desk hears once that a booking still waits."""
    async with begin() as tx:
        booking = await queries.lock_booking(tx, booking_id)
        if not _waits(booking, by) or booking.desk_reminded_at is not None or now >= by:
            return
        booking.desk_reminded_at = now
        last = clock_time(by)
        title = Words("预约待接单，即将超时", "A booking waits for you")
        words = Words(
            f"请在 {last.zh} 前接单，否则将自动全额退款", f"accept it by {last.en}, or it ends and everything is refunded"
        )
        await tell_desk(tx, booking, "booking.accept_soon", title, words, now)


async def end_unaccepted(begin: Begin, booking_id: BookingId, *, by: datetime, now: datetime) -> None:
    """The job at the deadline `by`: nobody accepted, so everything goes back and the place is free.

    The row's lock decides between it and a desk that accepts at the same moment. Run too early it asks to be run again.
    """
    async with begin() as tx:
        booking = await queries.lock_booking(tx, booking_id)
        if not _waits(booking, by):
            return
        if now < by:
            raise outbox.Again(by - now)
        await refuse_in_silence(tx, booking, now=now)


def _waits(booking: Booking, by: datetime) -> bool:
    return booking.state is BookingState.PAID and booking.accept_by == by
