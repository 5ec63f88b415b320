"""The desk sends somebody, sends somebody else, or nobody for now; and a booking that ended sends nobody any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings.events import BookingCancelled, BookingRefused, StartMissed
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.queries import lock_booking, require_hospital_booking
from yiyuebao_api.domains.bookings.rules import ActorKind, BookingState
from yiyuebao_api.domains.bookings.service import require_assessed, unassign
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.clinicians.events import ClinicianWentOffline
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.queries import list_staff, lock_person, require_clinician_of
from yiyuebao_api.domains.clinicians.rules import may_serve
from yiyuebao_api.domains.grants import service as grants
from yiyuebao_api.domains.grants.rules import Basis
from yiyuebao_api.domains.notices.service import tell_account, tell_hospital
from yiyuebao_api.domains.schedules.models import Roster
from yiyuebao_api.domains.schedules.rules import Shift, day_of
from yiyuebao_api.domains.visits import queries
from yiyuebao_api.domains.visits.models import Visit, VisitSheet
from yiyuebao_api.domains.visits.problems import BookingNotAssignable, VisitStepOutOfOrder
from yiyuebao_api.domains.visits.rules import (
    UNTOUCHED,
    Stage,
    Standing,
    busy_range,
    check_may_be_sent,
    check_step,
    is_on_duty,
    most_visits,
    not_granted,
)
from yiyuebao_api.domains.visits.service.moves import Actor, hold, move, note, tell_booking, when
from yiyuebao_api.kernel.ids import AccountId, BookingId, ClinicianId, HospitalId, VisitId
from yiyuebao_api.kernel.paging import Paging
from yiyuebao_api.kernel.problems import Words

#: How many of a hospital's staff are looked at for one booking.
STAFF_MOST = 1000


async def assign_visit(
    tx: AsyncSession, *, hospital_id: HospitalId, desk: AccountId, booking_id: BookingId, clinician_id: ClinicianId,
    travel: timedelta, now: datetime,
) -> VisitSheet:  # fmt: skip
    """Send a clinician of the hospital to an accepted booking (RULE-22, 45, 46); once more is the same visit.

    Locks the booking, its visit and the person. Raises NotFound, BookingNotAssignable, AssessmentNeeded, ClinicianUnqualified,
    ClinicianOnLeave, ClinicianBusy, ClinicianFullyBooked, OtherSexWished, ItemNotGranted.
    """
    await require_hospital_booking(tx, hospital_id, booking_id)
    clinician = await require_clinician_of(tx, hospital_id, clinician_id)
    booking = await lock_booking(tx, booking_id)
    visit = await queries.lock_visit_of(tx, booking_id)
    if visit is not None and visit.stage is Stage.ASSIGNED and visit.clinician_id == clinician_id:
        return VisitSheet(visit, booking, clinician)
    if booking.state is not BookingState.ACCEPTED:
        raise BookingNotAssignable(state=booking.state.value)
    await require_assessed(tx, booking)
    await _require_free(tx, clinician, booking, travel=travel)
    actor = Actor(ActorKind.DESK, desk)
    if visit is None:
        visit = _new_visit(booking, clinician, travel=travel, now=now)
        tx.add(visit)
        await tx.flush()  # before its first step: without relationship() the unit of work does not know the order
    else:
        check_step(visit.place, visit.stage, Stage.ASSIGNED)
        visit.stage, visit.cancelled_at = Stage.ASSIGNED, None
        _plan(visit, booking, clinician, travel=travel, now=now)
    note(tx, visit, actor, now=now)
    await _open_grant(tx, visit, now=now)
    await tell_booking(tx, visit, booking, actor, now=now)
    await _tell_clinician(tx, visit, booking, now=now)
    return VisitSheet(visit, booking, clinician)


async def reassign_visit(
    tx: AsyncSession, visit: Visit, *, desk: AccountId, clinician_id: ClinicianId, reason: str, travel: timedelta,
    now: datetime,
) -> VisitSheet:  # fmt: skip
    """Send somebody else, as long as nobody has set out; both clinicians and the patient are told.

    Raises what `assign_visit` raises about the clinician, and VisitStepOutOfOrder.
    """
    clinician = await require_clinician_of(tx, visit.hospital_id, clinician_id)
    booking = await hold(tx, visit)
    if visit.stage not in UNTOUCHED:
        raise VisitStepOutOfOrder(stage=visit.stage.value)
    if visit.clinician_id == clinician_id:
        return VisitSheet(visit, booking, clinician)
    await _require_free(tx, clinician, booking, travel=travel)
    await _tell_taken_back(tx, visit, booking, now=now)
    await _close_grant(tx, visit, now=now)
    _plan(visit, booking, clinician, travel=travel, now=now)
    await _open_grant(tx, visit, now=now)
    note(tx, visit, Actor(ActorKind.DESK, desk), now=now, reason=reason)
    await _tell_clinician(tx, visit, booking, now=now)
    start = when(visit.starts_at)
    await tell_account(
        tx, visit.account_id, "visit.reassigned", title=Words("服务人员已更换", "Somebody else comes"),
        body=Words(
            f"您 {start.zh} 的预约已改由 {clinician.name} 为您服务。", f"{clinician.name} comes to your visit of {start.en} instead."
        ),
        subject=visit.id, now=now,
    )  # fmt: skip
    return VisitSheet(visit, booking, clinician)


async def unassign_visit(tx: AsyncSession, visit: Visit, *, desk: AccountId, reason: str, now: datetime) -> VisitSheet:
    """Send nobody for now: the booking is accepted again and waits for another assignment, which revives the visit.

    Raises VisitStepOutOfOrder once somebody has set out.
    """
    booking = await hold(tx, visit)
    if visit.stage not in UNTOUCHED:
        raise VisitStepOutOfOrder(stage=visit.stage.value)
    await _tell_taken_back(tx, visit, booking, now=now)
    await _close_grant(tx, visit, now=now)
    visit.cancelled_at = now
    await move(tx, visit, booking, Stage.CANCELLED, Actor(ActorKind.DESK, desk), now=now, reason=reason)
    await unassign(tx, booking, reason=reason, now=now)
    return await queries.sheet_of(tx, visit, booking)


async def note_booking_ended(tx: AsyncSession, event: BookingCancelled | BookingRefused) -> None:
    """The booking was cancelled or refused: nobody comes. A visit that has taken place stays as it is."""
    visit = await queries.lock_visit_of(tx, event.booking_id)
    if visit is None or visit.stage in (Stage.FINISHED, Stage.CONFIRMED, Stage.CANCELLED):
        return
    booking = await tx.get_one(Booking, event.booking_id)  # locked by the announcer
    reason = "booking_cancelled" if isinstance(event, BookingCancelled) else "booking_refused"
    await _tell_taken_back(tx, visit, booking, now=event.at)
    visit.cancelled_at = event.at
    await move(tx, visit, booking, Stage.CANCELLED, Actor(ActorKind.SYSTEM), now=event.at, reason=reason)


async def note_start_missed(tx: AsyncSession, event: StartMissed) -> None:
    """Who was sent hears that they are waited for. The announcer holds the booking's row lock."""
    visit = await queries.lock_visit_of(tx, event.booking_id)
    if visit is None or visit.place is not Place.HOME or visit.stage not in (Stage.ASSIGNED, Stage.DEPARTED):
        return
    start = when(visit.starts_at)
    body = Words(
        f"您 {start.zh} 的任务已过开始时间，请尽快前往并登记；无法前往请立即联系医院。",
        f"You are waited for since {start.en}: go and record it, or call the hospital at once if you cannot.",
    )
    title = Words("患者正在等待", "You are waited for")
    await tell_account(tx, visit.clinician_account_id, "visit.late", title=title, body=body, subject=visit.id, now=event.at)


async def note_clinician_offline(tx: AsyncSession, event: ClinicianWentOffline) -> None:
    """Somebody who is to come cannot: the desk is told of every visit that needs somebody else (A09, RULE-28)."""
    for visit in await queries.visits_awaiting(tx, event.clinician_id, event.at):
        start = when(visit.starts_at)
        body = Words(
            f"{start.zh} 的服务（订单 {visit.order_no}）所派人员已不能上门，请尽快改派。",
            f"Who was assigned to {start.en} (order {visit.order_no}) may not go any more; please send somebody else.",
        )
        title = Words("服务人员已停止接单，请改派", "Send somebody else")
        await tell_hospital(
            tx, visit.hospital_id, "visit.clinician_offline", title=title, body=body, subject=visit.id, now=event.at
        )


# ── who might be sent ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who might be sent to a booking."""

    clinician: Clinician
    standing: Standing
    on_duty: bool | None
    knows_patient: bool


async def list_candidates(
    tx: AsyncSession, *, hospital_id: HospitalId, booking_id: BookingId, travel: timedelta, most: int
) -> Sequence[Candidate]:
    """A hospital's clinicians for a booking, the free ones first; the same facts give the same order. Raises NotFound.

    Within each half: who is on duty, who knows the patient, who has fewer visits that day, who was there first.
    """
    booking = await require_hospital_booking(tx, hospital_id, booking_id)
    staff = list(await list_staff(tx, hospital_id, Paging(STAFF_MOST, None)))
    standings, rosters = await _standings(tx, staff, booking, travel=travel)
    known = await queries.who_knows(tx, booking.patient_id, hospital_id)
    candidates = [
        Candidate(
            each, standings[each.id], is_on_duty(_shifts(rosters, each.id), booking.starts_at, booking.ends_at),
            each.id in known,
        )
        for each in staff
    ]  # fmt: skip

    def rank(one: Candidate) -> tuple[bool, bool, bool, int, ClinicianId]:
        blocked = bool(one.standing.blockers())
        return blocked, one.on_duty is False, not one.knows_patient, one.standing.visits_that_day, one.clinician.id

    return sorted(candidates, key=rank)[:most]


async def _require_free(tx: AsyncSession, clinician: Clinician, booking: Booking, *, travel: timedelta) -> None:
    """Lock the person, and be sure that they can be sent."""
    await lock_person(tx, clinician.account_id)
    standings, _ = await _standings(tx, [clinician], booking, travel=travel)
    check_may_be_sent(standings[clinician.id])


async def _standings(
    tx: AsyncSession, staff: Sequence[Clinician], booking: Booking, *, travel: timedelta
) -> tuple[dict[ClinicianId, Standing], dict[ClinicianId, list[Roster]]]:
    """What is known of some clinicians at the time of a booking, with five selects for all of them."""
    day = day_of(booking.starts_at)
    ids, people = [each.id for each in staff], {each.account_id for each in staff}
    busy_from, busy_until = busy_range(booking.starts_at, booking.ends_at, booking.place, travel)
    busy = await queries.busy_among(tx, people, busy_from, busy_until, but=booking.id)
    counts = await queries.visits_on(tx, ids, *queries.period_of(day), but=booking.id)
    away = await queries.on_leave_among(tx, ids, booking.starts_at, booking.ends_at)
    rosters = await queries.rosters_of(tx, ids)
    return {
        each.id: Standing(
            clauses=may_serve(each, day), busy=each.account_id in busy, on_leave=each.id in away,
            visits_that_day=counts[each.id], most_visits=most_visits(_shifts(rosters, each.id), day),
            other_sex=booking.staff_sex not in (None, each.sex),
            not_granted=not_granted(booking.service_code, each.item_codes),
        )
        for each in staff
    }, rosters  # fmt: skip


def _shifts(rosters: dict[ClinicianId, list[Roster]], clinician_id: ClinicianId) -> list[Shift]:
    return [
        Shift(row.clinician_id, row.weekday, row.start_minute, row.end_minute, row.max_visits_a_day)
        for row in rosters.get(clinician_id, ())
    ]


# ── the row, and who hears of it ─────────────────────────────────────────────────────────────────────────────────────


def _new_visit(booking: Booking, clinician: Clinician, *, travel: timedelta, now: datetime) -> Visit:
    busy_from, busy_until = busy_range(booking.starts_at, booking.ends_at, booking.place, travel)
    return Visit(
        id=VisitId.new(), booking_id=booking.id, order_no=booking.order_no, hospital_id=booking.hospital_id,
        clinician_id=clinician.id, clinician_account_id=clinician.account_id, patient_id=booking.patient_id,
        account_id=booking.account_id, place=booking.place, starts_at=booking.starts_at, ends_at=booking.ends_at,
        busy_from=busy_from, busy_until=busy_until, stage=Stage.ASSIGNED, assigned_at=now, departed_at=None,
        arrived_at=None, checked_in_at=None, started_at=None, finished_at=None, confirms_at=None, confirmed_at=None,
        unsigned_at=None, cancelled_at=None, distance_m=None, arrival_reason=None, record=None, finished_by=None, confirmed_by=None,
        code_failures=0, code_blocked_until=None, version=0,
    )  # fmt: skip


def _plan(visit: Visit, booking: Booking, clinician: Clinician, *, travel: timedelta, now: datetime) -> None:
    """Who comes, and when: the booking may have a new time since the visit was assigned before."""
    visit.clinician_id, visit.clinician_account_id, visit.assigned_at = clinician.id, clinician.account_id, now
    visit.starts_at, visit.ends_at = booking.starts_at, booking.ends_at
    visit.busy_from, visit.busy_until = busy_range(booking.starts_at, booking.ends_at, booking.place, travel)


async def _open_grant(tx: AsyncSession, visit: Visit, *, now: datetime) -> None:
    """Who is sent may see the patient, by right of the booking."""
    await grants.open_grant(
        tx, patient_id=visit.patient_id, grantee=visit.clinician_id, basis=Basis.BOOKING, subject=visit.booking_id, now=now
    )


async def _close_grant(tx: AsyncSession, visit: Visit, *, now: datetime) -> None:
    await grants.close_grants(
        tx, basis=Basis.BOOKING, subject=visit.booking_id, grantee=visit.clinician_id, now=now
    )


async def _tell_clinician(tx: AsyncSession, visit: Visit, booking: Booking, *, now: datetime) -> None:
    start = when(visit.starts_at)
    body = Words(
        f"您有新的服务任务：{start.zh}，{booking.service_name}。", f"You are sent to a visit: {start.en}, {booking.service_name}."
    )
    title = Words("新的服务任务", "A visit for you")
    await tell_account(tx, visit.clinician_account_id, "visit.assigned", title=title, body=body, subject=visit.id, now=now)


async def _tell_taken_back(tx: AsyncSession, visit: Visit, booking: Booking, *, now: datetime) -> None:
    start = when(visit.starts_at)
    body = Words(
        f"{start.zh} 的{booking.service_name}任务已取消，无需前往。",
        f"You need not go: {booking.service_name} of {start.en} was taken back.",
    )
    title = Words("服务任务已取消", "Visit taken back")
    await tell_account(tx, visit.clinician_account_id, "visit.taken_back", title=title, body=body, subject=visit.id, now=now)
