"""One step of a visit: locked, checked, written down, and told to the booking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.queries import lock_booking
from yiyuebao_api.domains.bookings.rules import ActorKind, VisitStage
from yiyuebao_api.domains.bookings.service import note_visit_stage
from yiyuebao_api.domains.partners import service as partners
from yiyuebao_api.domains.visits import queries
from yiyuebao_api.domains.visits.models import Visit, VisitStep
from yiyuebao_api.domains.visits.rules import Stage, check_step
from yiyuebao_api.kernel.clock import SHANGHAI, in_english
from yiyuebao_api.kernel.ids import AccountId, RowId
from yiyuebao_api.kernel.problems import NotFound, Words


@dataclass(frozen=True, slots=True)
class Actor:
    """Who moves a visit; without an account it is the service itself."""

    kind: ActorKind
    account_id: AccountId | None = None


async def hold(tx: AsyncSession, visit: Visit) -> Booking:
    """Lock a visit that was read before, its booking first; the row is read anew. Raises NotFound.

    Whoever was assigned when it was read must still be: a step of somebody who was replaced meanwhile finds nothing.
    """
    sent = visit.clinician_id
    booking = await lock_booking(tx, visit.booking_id)
    await queries.lock_visit(tx, visit.id)
    if visit.clinician_id != sent:
        raise NotFound
    return booking


async def move(
    tx: AsyncSession, visit: Visit, booking: Booking, stage: Stage, actor: Actor, *, now: datetime,
    client_time: datetime | None = None, position: dict[str, Any] | None = None, reason: str | None = None,
) -> None:  # fmt: skip
    """Bring a locked visit to its next stage, in both books. Raises VisitStepOutOfOrder."""
    check_step(visit.place, visit.stage, stage)
    visit.stage = stage
    note(tx, visit, actor, now=now, client_time=client_time, position=position, reason=reason)
    if stage is not Stage.CANCELLED:
        await tell_booking(tx, visit, booking, actor, now=now)


async def tell_booking(tx: AsyncSession, visit: Visit, booking: Booking, actor: Actor, *, now: datetime) -> None:
    """The booking hears of the visit's stage, with it the patient, and the hospital's systems."""
    await note_visit_stage(
        tx, booking, VisitStage(visit.stage.value), actor=actor.kind, actor_id=actor.account_id, now=now,
        clinician_id=visit.clinician_id,
    )  # fmt: skip
    if visit.stage is Stage.ASSIGNED:
        return  # the booking has published it
    data = {
        "visit_id": visit.id, "booking_id": visit.booking_id, "order_no": visit.order_no, "place": visit.place.value,
        "clinician_id": visit.clinician_id, "state": visit.stage.value, "at": now,
    }  # fmt: skip
    await partners.publish(tx, visit.hospital_id, f"visit.{visit.stage.value}", data, subject=visit.id, now=now)


def note(
    tx: AsyncSession, visit: Visit, actor: Actor, *, now: datetime, client_time: datetime | None = None,
    position: dict[str, Any] | None = None, reason: str | None = None,
) -> None:  # fmt: skip
    """One row of history: where the visit is now, and who did it."""
    visit.version += 1
    tx.add(
        VisitStep(
            id=RowId.new(), visit_id=visit.id, stage=visit.stage, actor=actor.kind, actor_id=actor.account_id,
            clinician_id=visit.clinician_id, at=now, client_time=client_time, position=position, reason=reason,
        )
    )  # fmt: skip


def when(moment: datetime) -> Words:
    """`11月25日 09:00`, `25 Nov 09:00`, for notices."""
    local = moment.astimezone(SHANGHAI)
    return Words(f"{local.month}月{local.day}日 {local:%H:%M}", in_english(moment))
