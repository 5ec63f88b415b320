"""What the visit makes of an accepted booking."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import STATE_OF_STAGE, ActorKind, BookingState, VisitStage
from yiyuebao_api.domains.bookings.service.ending import earn
from yiyuebao_api.domains.bookings.service.telling import move, tell_hospital, tell_payer, when
from yiyuebao_api.domains.bookings.service.waiting import await_hospital
from yiyuebao_api.domains.grants import service as grants
from yiyuebao_api.domains.grants.rules import AFTERWARDS, Basis
from yiyuebao_api.kernel.ids import AccountId, ClinicianId
from yiyuebao_api.kernel.problems import Words

_TOLD = {
    VisitStage.ASSIGNED: (
        Words("已安排医护人员", "Somebody is assigned"),
        Words("医院已为您安排医护人员，{when.zh}。", "The hospital has assigned somebody for {when.en}; open the booking to see who."),
    ),
    VisitStage.DEPARTED: (
        Words("医护人员已出发", "On the way"),
        Words("医护人员已出发前往您的地址，请保持电话畅通。", "Your clinician has set out; please keep your phone at hand."),
    ),
    VisitStage.ARRIVED: (
        Words("医护人员已到达", "At your door"),
        Words("医护人员已到达，请核对身份后开始服务。", "Your clinician has arrived; check who it is before it begins."),
    ),
    VisitStage.FINISHED: (
        Words("服务已完成", "The visit is done"),
        Words("服务已完成，请确认；24 小时内未确认将自动确认。", "Please confirm the visit; after 24 hours it is confirmed by itself."),
    ),
    VisitStage.CONFIRMED: (
        Words("服务已确认", "Confirmed"), Words("感谢您的确认，祝早日康复。", "Thank you for confirming; get well soon."),
    ),
}  # fmt: skip


async def note_visit_stage(
    tx: AsyncSession, booking: Booking, stage: VisitStage, *, actor: ActorKind, actor_id: AccountId | None, now: datetime,
    clinician_id: ClinicianId | None = None,
) -> None:  # fmt: skip
    """How far the visit is, told downward by `visits`, which holds the booking's row lock.

    Confirmation fixes the shares of what was paid and is not promised back. Raises BookingStateRefused.
    """
    await move(tx, booking, STATE_OF_STAGE[stage], actor=actor, actor_id=actor_id, stage=stage, now=now)
    if stage is VisitStage.ASSIGNED:
        await await_hospital(tx, booking, now=now)
        await tell_hospital(tx, booking, "booking.assigned", Words("已派单", "Somebody is assigned"), now=now, clinician_id=clinician_id)
    if stage in _TOLD:
        title, body = _TOLD[stage]
        said = Words(*(each.format(when=when(booking)) for each in body))
        await tell_payer(tx, booking, f"visit.{stage.value}", title, said, now)
    if stage is VisitStage.CONFIRMED:
        await grants.close_grants(tx, basis=Basis.BOOKING, subject=booking.id, now=now, after=AFTERWARDS)
        await earn(tx, booking, now=now)


async def unassign(tx: AsyncSession, booking: Booking, *, reason: str, now: datetime) -> None:
    """Nobody is assigned any more; the desk must find somebody else. The caller holds the booking's row lock."""
    await move(tx, booking, BookingState.ACCEPTED, actor=ActorKind.DESK, reason=reason, now=now)
    booking.visit_stage = None
    await await_hospital(tx, booking, now=now)
