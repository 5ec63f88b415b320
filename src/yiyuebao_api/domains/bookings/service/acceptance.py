"""The hospital takes a paid booking on (RULE-64)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import ActorKind, BookingState
from yiyuebao_api.domains.bookings.service.assessing import require_assessed
from yiyuebao_api.domains.bookings.service.ending import require_state
from yiyuebao_api.domains.bookings.service.telling import move, tell_hospital, tell_payer, when
from yiyuebao_api.domains.bookings.service.waiting import await_hospital
from yiyuebao_api.kernel.ids import AccountId, BookingId
from yiyuebao_api.kernel.problems import Words


async def accept_booking(tx: AsyncSession, booking_id: BookingId, *, account_id: AccountId, now: datetime) -> Booking:
    """The desk takes the booking on. A second time answers the first one's outcome. Raises BookingStateRefused, AssessmentNeeded."""
    booking = await queries.lock_booking(tx, booking_id)
    if booking.state is BookingState.ACCEPTED:
        return booking
    require_state(booking, (BookingState.PAID,))  # an assigned one can be accepted too, but by taking somebody off
    await require_assessed(tx, booking)
    await move(tx, booking, BookingState.ACCEPTED, actor=ActorKind.DESK, actor_id=account_id, now=now)
    await await_hospital(tx, booking, now=now)
    await tell_hospital(tx, booking, "booking.accepted", Words("已接单", "Booking accepted"), now=now)
    start = when(booking)
    body = Words(
        f"医院已接单：{booking.service_name}，{start.zh}。", f"The hospital has accepted: {booking.service_name}, {start.en}."
    )
    await tell_payer(tx, booking, "booking.accepted", Words("医院已接单", "Booking accepted"), body, now)
    return booking
