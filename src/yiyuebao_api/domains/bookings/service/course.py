"""What the visit makes of an accepted booking."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import STATE_OF_STAGE, ActorKind, BookingState, VisitStage
from yiyuebao_api.domains.bookings.service.ending import earn
from yiyuebao_api.domains.bookings.service.telling import move, tell_hospital, tell_payer, when
from yiyuebao_api.domains.grants import service as grants
from yiyuebao_api.domains.grants.rules import AFTERWARDS, Basis
from yiyuebao_api.kernel.ids import AccountId, ClinicianId

_TOLD = {
    VisitStage.ASSIGNED: ("已安排医护人员", "医院已为您安排医护人员，{when}。"),
    VisitStage.DEPARTED: ("医护人员已出发", "医护人员已出发前往您的地址，请保持电话畅通。"),
    VisitStage.ARRIVED: ("医护人员已到达", "医护人员已到达，请核对身份后开始服务。"),
    VisitStage.FINISHED: ("服务已完成", "服务已完成，请确认；24 小时内未确认将自动确认。"),
    VisitStage.CONFIRMED: ("服务已确认", "感谢您的确认，祝早日康复。"),
}


async def note_visit_stage(
    tx: AsyncSession, booking: Booking, stage: VisitStage, *, actor: ActorKind, actor_id: AccountId | None, now: datetime,
    clinician_id: ClinicianId | None = None,
) -> None:  # fmt: skip
    """How far the visit is, told downward by `visits`, which holds the booking's row lock.

    Confirmation fixes the shares of what was paid and is not promised back. Raises BookingStateRefused.
    """
    await move(tx, booking, STATE_OF_STAGE[stage], actor=actor, actor_id=actor_id, stage=stage, now=now)
    if stage is VisitStage.ASSIGNED:
        await tell_hospital(tx, booking, "booking.assigned", "已派单", now=now, clinician_id=clinician_id)
    if stage in _TOLD:
        title, body = _TOLD[stage]
        await tell_payer(tx, booking, f"visit.{stage.value}", title, body.format(when=when(booking)), now)
    if stage is VisitStage.CONFIRMED:
        await grants.close_grants(tx, basis=Basis.BOOKING, subject=booking.id, now=now, after=AFTERWARDS)
        await earn(tx, booking, now=now)


async def unassign(tx: AsyncSession, booking: Booking, *, reason: str, now: datetime) -> None:
    """Nobody is assigned any more; the desk must find somebody else. The caller holds the booking's row lock."""
    await move(tx, booking, BookingState.ACCEPTED, actor=ActorKind.DESK, reason=reason, now=now)
    booking.visit_stage = None
