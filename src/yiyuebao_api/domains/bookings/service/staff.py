"""A wish for a woman or a man: promised only when somebody can keep it, and dropped only by who made it (RULE-46)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.problems import BookingStateRefused, StaffSexNotOffered
from yiyuebao_api.domains.bookings.rules import ActorKind, effective
from yiyuebao_api.domains.bookings.service.ending import RESCHEDULABLE
from yiyuebao_api.domains.bookings.service.telling import note, tell_desk
from yiyuebao_api.domains.clinicians.queries import list_verified_of
from yiyuebao_api.domains.clinicians.rules import may_serve
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.kernel.ids import AccountId, BookingId, HospitalId
from yiyuebao_api.kernel.problems import Words
from yiyuebao_api.kernel.reading import Asks

_WORDS = {Sex.FEMALE: "女性", Sex.MALE: "男性"}


async def require_staff(asks: Asks, hospital_id: HospitalId, wished: Sex | None, on: date) -> None:
    """Somebody of that sex may be sent by the hospital on that Shanghai day. Raises StaffSexNotOffered."""
    if wished is None:
        return
    staff = await list_verified_of(asks, hospital_id, wished)
    if all(may_serve(each, on) for each in staff):
        raise StaffSexNotOffered(wished=_WORDS[wished])


async def accept_any_staff(tx: AsyncSession, booking_id: BookingId, *, account_id: AccountId, now: datetime) -> Booking:
    """Whoever wished for a woman or a man takes anybody, until somebody is assigned; the desk is told. Once more is the same.

    Raises BookingStateRefused.
    """
    booking = await queries.lock_booking(tx, booking_id)
    if booking.staff_sex is None:
        return booking
    if effective(booking.state, booking.hold_until, now) not in RESCHEDULABLE:
        raise BookingStateRefused(state=effective(booking.state, booking.hold_until, now).value)
    booking.staff_sex = None
    note(
        tx, booking, booking.state, booking.state, actor=ActorKind.PATIENT, actor_id=account_id, reason="不再要求人员性别",
        now=now,
    )  # fmt: skip
    if booking.paid_at is not None:
        title = Words("患者不再要求人员性别", "A wish was dropped")
        words = Words("可安排任何符合条件的人员", "the patient takes anybody who may be sent, woman or man")
        await tell_desk(tx, booking, "booking.any_staff", title, words, now)
    await tx.flush()
    return booking
