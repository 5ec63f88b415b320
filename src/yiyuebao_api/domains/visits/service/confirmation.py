"""A finished visit is confirmed, by the patient or by silence: that is what fixes the shares (RULE-70)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import ActorKind
from yiyuebao_api.domains.visits import queries
from yiyuebao_api.domains.visits.models import Visit, VisitSheet
from yiyuebao_api.domains.visits.rules import Confirmer, Stage, check_step
from yiyuebao_api.domains.visits.service.moves import Actor, hold, move
from yiyuebao_api.kernel import outbox
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import VisitId

#: The job that `wiring.JOBS` maps to `confirm_silent`.
CONFIRM_SILENT = "visits.confirm_silent"


async def await_confirmation(tx: AsyncSession, visit: Visit, *, after: timedelta, now: datetime) -> None:
    """Promise the silent confirmation of a visit that has just been finished."""
    visit.confirms_at = now + after
    await outbox.put(tx, CONFIRM_SILENT, visit.id, now=now, run_at=visit.confirms_at)


async def confirm_visit(tx: AsyncSession, visit: Visit, *, now: datetime) -> VisitSheet:
    """The patient confirms; once more, or after silence did, it is the same visit. Raises VisitStepOutOfOrder."""
    booking = await hold(tx, visit)
    if visit.stage is not Stage.CONFIRMED:
        await _confirm(tx, visit, booking, Confirmer.PATIENT, Actor(ActorKind.PATIENT, visit.account_id), now)
    return await queries.sheet_of(tx, visit, booking)


async def confirm_silent(begin: Begin, visit_id: VisitId, *, now: datetime) -> None:
    """The patient said nothing: confirmed. Run too early it asks to be run again; run twice it does nothing."""
    async with begin() as tx:
        visit = await queries.require_visit(tx, visit_id)
        booking = await hold(tx, visit)
        if visit.stage is not Stage.FINISHED or visit.confirms_at is None:
            return
        if now < visit.confirms_at:
            raise outbox.Again(visit.confirms_at - now)
        await _confirm(tx, visit, booking, Confirmer.SILENCE, Actor(ActorKind.SYSTEM), now)


async def _confirm(
    tx: AsyncSession, visit: Visit, booking: Booking, by: Confirmer, actor: Actor, now: datetime
) -> None:
    check_step(visit.place, visit.stage, Stage.CONFIRMED)
    visit.confirmed_at, visit.confirmed_by = now, by
    await move(tx, visit, booking, Stage.CONFIRMED, actor, now=now)
