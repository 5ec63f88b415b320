"""The clinician's way through a visit. The same step again (a double tap, a lost answer) answers the same visit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import ActorKind
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.problems import ClinicianUnqualified
from yiyuebao_api.domains.clinicians.rules import may_serve
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.domains.visits import queries
from yiyuebao_api.domains.visits.models import Visit, VisitSheet
from yiyuebao_api.domains.visits.problems import (
    ArrivalTooFar,
    CheckInCodeBlocked,
    CheckInCodeWrong,
    RecordAlreadyWritten,
    VisitStepOutOfOrder,
)
from yiyuebao_api.domains.visits.rules import (
    ARRIVAL_M,
    CODE_BLOCKED,
    CODE_TRIES,
    ArrivalReason,
    Stage,
    busy_until_after,
    check_granted,
    check_step,
    not_granted,
)
from yiyuebao_api.domains.visits.service.agreements import require_agreement
from yiyuebao_api.domains.visits.service.codes import is_code
from yiyuebao_api.domains.visits.service.confirmation import await_confirmation
from yiyuebao_api.domains.visits.service.moves import Actor, hold, move, note
from yiyuebao_api.domains.visits.service.showing import show_to_clinician
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.geo import Point, distance_m
from yiyuebao_api.kernel.ids import AccountId, HospitalId, VisitId


def _by(visit: Visit) -> Actor:
    return Actor(ActorKind.CLINICIAN, visit.clinician_account_id)


async def depart_visit(tx: AsyncSession, visit: Visit, *, client_time: datetime | None, now: datetime) -> VisitSheet:
    """Set out. Who may be sent is asked again (RULE-22). Raises NotFound, VisitStepOutOfOrder, ClinicianUnqualified,
    ItemNotGranted.
    """
    booking = await hold(tx, visit)
    if visit.stage is not Stage.DEPARTED:
        check_step(visit.place, visit.stage, Stage.DEPARTED)
        await _require_fit(tx, visit, booking, now)
        visit.departed_at = now
        await move(tx, visit, booking, Stage.DEPARTED, _by(visit), now=now, client_time=client_time)
    return await _shown(tx, visit, booking, "visits.depart", now)


async def arrive_visit(
    tx: AsyncSession, visit: Visit, *, at: Point, accuracy_m: float | None, reason: ArrivalReason | None,
    words: str | None, client_time: datetime | None, now: datetime,
) -> VisitSheet:  # fmt: skip
    """Be there: within 500 m of the address, or with a reason (RULE-55). The position is kept sealed.

    Raises NotFound, VisitStepOutOfOrder (at the hospital too, where the code is the arrival), ArrivalTooFar.
    """
    booking = await hold(tx, visit)
    if visit.stage is not Stage.ARRIVED:
        if visit.place is Place.HOSPITAL:
            raise VisitStepOutOfOrder(stage=visit.stage.value)
        check_step(visit.place, visit.stage, Stage.ARRIVED)
        distance = round(distance_m(at, _address(booking)))
        if distance > ARRIVAL_M and reason is None:
            raise ArrivalTooFar(distance_m=distance, most_m=ARRIVAL_M)
        visit.arrived_at, visit.distance_m = now, distance
        visit.arrival_reason = reason if distance > ARRIVAL_M else None
        why = None if visit.arrival_reason is None else " ".join(filter(None, [visit.arrival_reason.value, words]))
        position = {"lat": at.lat, "lng": at.lng, "accuracy_m": accuracy_m}
        await move(
            tx, visit, booking, Stage.ARRIVED, _by(visit), now=now, client_time=client_time, position=position,
            reason=None if why is None else why[:200],
        )  # fmt: skip
    return await _shown(tx, visit, booking, "visits.arrive", now)


async def check_in_visit(
    begin: Begin, visit_id: VisitId, *, account_id: AccountId, hospital_id: HospitalId, code: str,
    client_time: datetime | None, now: datetime,
) -> VisitSheet:  # fmt: skip
    """The patient showed today's code (RULE-54). At the hospital that is the arrival, at a door it may be.

    A wrong code is counted in a transaction of its own, so that the refusal does not undo the count; after five wrong
    ones none is taken for a quarter of an hour. Raises NotFound, VisitStepOutOfOrder, ClinicianUnqualified, ItemNotGranted,
    CheckInCodeWrong, CheckInCodeBlocked.
    """
    async with begin() as tx:
        visit = await queries.require_visit_of_clinician(tx, account_id, hospital_id, visit_id)
        booking = await hold(tx, visit)
        if visit.stage is Stage.ARRIVED and visit.checked_in_at is not None:
            return await _shown(tx, visit, booking, "visits.check_in", now)
        if visit.stage is not Stage.ARRIVED:
            check_step(visit.place, visit.stage, Stage.ARRIVED)
        if visit.code_blocked_until is not None and now < visit.code_blocked_until:
            raise CheckInCodeBlocked(retry_after=1 + int((visit.code_blocked_until - now).total_seconds()))
        if is_code(visit.id, code, now):
            await _checked_in(tx, visit, booking, client_time=client_time, now=now)
            return await _shown(tx, visit, booking, "visits.check_in", now)
        visit.code_failures += 1
        if visit.code_failures >= CODE_TRIES:
            visit.code_failures, visit.code_blocked_until = 0, now + CODE_BLOCKED
    raise CheckInCodeWrong


async def _checked_in(
    tx: AsyncSession, visit: Visit, booking: Booking, *, client_time: datetime | None, now: datetime
) -> None:
    visit.code_failures, visit.code_blocked_until, visit.checked_in_at = 0, None, now
    if visit.stage is Stage.ARRIVED:
        note(tx, visit, _by(visit), now=now, client_time=client_time, reason="check_in_code")
        return
    if visit.place is Place.HOSPITAL:  # nobody departed, so nobody has been asked again yet
        await _require_fit(tx, visit, booking, now)
    visit.arrived_at = now
    await move(tx, visit, booking, Stage.ARRIVED, _by(visit), now=now, client_time=client_time, reason="check_in_code")


async def start_visit(tx: AsyncSession, visit: Visit, *, client_time: datetime | None, now: datetime) -> VisitSheet:
    """Begin the service, once somebody has agreed to it (RULE-47). Raises NotFound, VisitStepOutOfOrder, AgreementMissing."""
    booking = await hold(tx, visit)
    if visit.stage is not Stage.STARTED:
        check_step(visit.place, visit.stage, Stage.STARTED)
        await require_agreement(tx, visit)
        visit.started_at = now
        await move(tx, visit, booking, Stage.STARTED, _by(visit), now=now, client_time=client_time)
    return await _shown(tx, visit, booking, "visits.start", now)


async def finish_visit(
    tx: AsyncSession, visit: Visit, *, record: dict[str, Any], travel: timedelta, confirm_after: timedelta,
    client_time: datetime | None, now: datetime,
) -> VisitSheet:  # fmt: skip
    """End the service with its nursing record (RULE-59); the patient is asked to confirm, and silence will do so.

    The clinician is free again as soon as they are back. Raises NotFound, VisitStepOutOfOrder, RecordAlreadyWritten.
    """
    booking = await hold(tx, visit)
    if visit.stage is Stage.FINISHED:
        if visit.record != record:
            raise RecordAlreadyWritten
        return await _shown(tx, visit, booking, "visits.finish", now)
    check_step(visit.place, visit.stage, Stage.FINISHED)
    way = travel if visit.place is Place.HOME else timedelta()
    visit.finished_at, visit.finished_by, visit.record = now, visit.clinician_account_id, record
    visit.busy_until = busy_until_after(now, visit.busy_from, visit.busy_until, way)
    await move(tx, visit, booking, Stage.FINISHED, _by(visit), now=now, client_time=client_time)
    await await_confirmation(tx, visit, after=confirm_after, now=now)
    return await _shown(tx, visit, booking, "visits.finish", now)


async def _shown(tx: AsyncSession, visit: Visit, booking: Booking, action: str, now: datetime) -> VisitSheet:
    return await show_to_clinician(tx, await queries.sheet_of(tx, visit, booking), action, now=now)


def _address(booking: Booking) -> Point:
    assert booking.address is not None, "a visit at home without an address"
    return Point(booking.address["lat"], booking.address["lng"])


async def _require_fit(tx: AsyncSession, visit: Visit, booking: Booking, now: datetime) -> None:
    """RULE-22 and 46, asked again on the day they go, or for the visit's own day when they go earlier."""
    clinician = await tx.get_one(Clinician, visit.clinician_id, populate_existing=True)
    if clauses := may_serve(clinician, max(day_of(now), day_of(visit.starts_at))):
        raise ClinicianUnqualified(clauses=[clause.value for clause in clauses])
    check_granted(not_granted(booking.service_code, clinician.item_codes))
