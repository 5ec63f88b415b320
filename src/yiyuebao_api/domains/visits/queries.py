"""Named selects over visits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.schedules.models import Leave, Roster
from yiyuebao_api.domains.visits.models import Visit, VisitSheet, VisitStep
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.ids import AccountId, BookingId, ClinicianId, HospitalId, PatientId, VisitId
from yiyuebao_api.kernel.paging import InvalidCursor, Paging, cursor_of
from yiyuebao_api.kernel.problems import NotFound

Sheets = Select[Visit, Booking, Clinician]

# ── one visit ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sheets() -> Sheets:
    return (
        select(Visit, Booking, Clinician)
        .join(Booking, Booking.id == Visit.booking_id)
        .join(Clinician, Clinician.id == Visit.clinician_id)
    )


async def require_sheet(tx: AsyncSession, visit_id: VisitId) -> VisitSheet:
    """Anybody's visit with its booking and clinician. Raises NotFound."""
    found = (await tx.execute(_sheets().where(Visit.id == visit_id))).one_or_none()
    if found is None:
        raise NotFound
    visit, booking, clinician = found
    return VisitSheet(visit, booking, clinician)


async def require_visit(tx: AsyncSession, visit_id: VisitId) -> Visit:
    """Anybody's. Raises NotFound."""
    visit = await tx.get(Visit, visit_id)
    if visit is None:
        raise NotFound
    return visit


async def require_visit_of_account(tx: AsyncSession, account_id: AccountId, visit_id: VisitId) -> Visit:
    """A visit that this account booked. Raises NotFound."""
    visit = await require_visit(tx, visit_id)
    if visit.account_id != account_id:
        raise NotFound
    return visit


async def require_visit_of_clinician(
    tx: AsyncSession, account_id: AccountId, hospital_id: HospitalId, visit_id: VisitId
) -> Visit:
    """A visit this person is sent to by that hospital. Raises NotFound."""
    visit = await require_visit(tx, visit_id)
    if visit.clinician_account_id != account_id or visit.hospital_id != hospital_id:
        raise NotFound
    return visit


async def require_visit_of_hospital(tx: AsyncSession, hospital_id: HospitalId, visit_id: VisitId) -> Visit:
    """A visit of that hospital. Raises NotFound."""
    visit = await require_visit(tx, visit_id)
    if visit.hospital_id != hospital_id:
        raise NotFound
    return visit


async def sheet_of(tx: AsyncSession, visit: Visit, booking: Booking) -> VisitSheet:
    """The sheet of a visit whose booking is at hand."""
    return VisitSheet(visit, booking, await tx.get_one(Clinician, visit.clinician_id))


async def lock_visit(tx: AsyncSession, visit_id: VisitId) -> Visit:
    """The visit's row, locked; lock its booking first. Raises NotFound."""
    locked = select(Visit).where(Visit.id == visit_id).with_for_update().execution_options(populate_existing=True)
    visit = (await tx.scalars(locked)).one_or_none()
    if visit is None:
        raise NotFound
    return visit


async def lock_visit_of(tx: AsyncSession, booking_id: BookingId) -> Visit | None:
    """The visit of a booking, locked, if it was ever assigned; lock the booking first."""
    locked = select(Visit).where(Visit.booking_id == booking_id).with_for_update()
    return (await tx.scalars(locked.execution_options(populate_existing=True))).one_or_none()


async def steps_of(tx: AsyncSession, visit_id: VisitId) -> Sequence[VisitStep]:
    """A visit's history, oldest first."""
    return (await tx.scalars(select(VisitStep).where(VisitStep.visit_id == visit_id).order_by(VisitStep.id))).all()


# ── pages by planned start ───────────────────────────────────────────────────────────────────────────────────────────


async def list_visits_of_clinician(
    tx: AsyncSession, clinician_id: ClinicianId, paging: Paging, *, first: datetime, last: datetime | None
) -> Sequence[VisitSheet]:
    """A clinician's visits that start in the half-open period, earliest first, one more than asked."""
    statement = _sheets().where(Visit.clinician_id == clinician_id)
    # The index has the busy range alone, and nobody is busy with a visit earlier than a day before it starts.
    statement = statement.where(Visit.busy_from > first - timedelta(days=1))
    if last is not None:
        statement = statement.where(Visit.busy_from < last)
    return await _earliest_first(tx, statement, paging, first, last)


async def list_visits_of_account(
    tx: AsyncSession, account_id: AccountId, paging: Paging, *, first: datetime | None, last: datetime | None,
    booking_id: BookingId | None = None,
) -> Sequence[VisitSheet]:  # fmt: skip
    """Visits this account booked, or the one of a booking of its own, earliest first, one more than asked."""
    statement = _sheets().where(Visit.account_id == account_id)
    if booking_id is not None:
        statement = statement.where(Visit.booking_id == booking_id)
    return await _earliest_first(tx, statement, paging, first, last)


async def list_visits_of_hospital(
    tx: AsyncSession, hospital_id: HospitalId, paging: Paging, *, first: datetime | None, last: datetime | None,
    stage: Stage | None = None, booking_id: BookingId | None = None,
) -> Sequence[VisitSheet]:  # fmt: skip
    """A hospital's visits that start in the half-open period, or the one of a booking, earliest first, one more than asked."""
    statement = _sheets().where(Visit.hospital_id == hospital_id)
    if booking_id is not None:
        statement = statement.where(Visit.booking_id == booking_id)
    if stage is not None:
        statement = statement.where(Visit.stage == stage)
    return await _earliest_first(tx, statement, paging, first, last)


async def _earliest_first(
    tx: AsyncSession,
    statement: Sheets,
    paging: Paging,
    first: datetime | None,
    last: datetime | None,
) -> Sequence[VisitSheet]:
    if first is not None:
        statement = statement.where(Visit.starts_at >= first)
    if last is not None:
        statement = statement.where(Visit.starts_at < last)
    if after := paging.after(str, VisitId):
        starts_at, visit_id = _moment(after[0]), after[1]
        statement = statement.where(Visit.starts_at >= starts_at, (Visit.starts_at > starts_at) | (Visit.id > visit_id))
    found = await tx.execute(statement.order_by(Visit.starts_at, Visit.id).limit(paging.limit + 1))
    return [VisitSheet(visit, booking, clinician) for visit, booking, clinician in found]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidCursor from None
    if moment.tzinfo is None or not 2000 <= moment.year <= 2200:
        raise InvalidCursor
    return moment


def cursor_after(sheet: VisitSheet) -> str:
    """The cursor of the page that follows this visit."""
    return cursor_of(sheet.visit.starts_at.isoformat(), sheet.visit.id)


# ── who is free ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def busy_among(
    tx: AsyncSession, people: Collection[AccountId], first: datetime, last: datetime, *, but: BookingId
) -> set[AccountId]:
    """Who of them has a visit whose busy range overlaps the half-open one, at any hospital (RULE-45)."""
    overlapping = select(Visit.clinician_account_id).where(
        Visit.clinician_account_id.in_(people), Visit.stage != Stage.CANCELLED, Visit.booking_id != but,
        Visit.busy_from < last, Visit.busy_until > first, Visit.busy_from > first - timedelta(days=2),
    )  # fmt: skip
    return set(await tx.scalars(overlapping))


async def visits_awaiting(tx: AsyncSession, clinician_id: ClinicianId, now: datetime) -> Sequence[Visit]:
    """The visits a clinician is assigned to that nobody has set out for, from a day ago on, earliest first."""
    awaiting = select(Visit).where(
        Visit.clinician_id == clinician_id, Visit.stage == Stage.ASSIGNED, Visit.busy_from > now - timedelta(days=1)
    )
    return (await tx.scalars(awaiting.order_by(Visit.busy_from))).all()


async def visits_on(
    tx: AsyncSession, clinicians: Collection[ClinicianId], first: datetime, last: datetime, *, but: BookingId
) -> Counter[ClinicianId]:
    """How many visits each of them has that start in the half-open period."""
    counted = (
        select(Visit.clinician_id, func.count())
        .where(
            Visit.clinician_id.in_(clinicians), Visit.stage != Stage.CANCELLED, Visit.booking_id != but,
            Visit.starts_at >= first, Visit.starts_at < last, Visit.busy_from > first - timedelta(days=1),
            Visit.busy_from < last,
        )
        .group_by(Visit.clinician_id)
    )  # fmt: skip
    return Counter(dict(iter(await tx.execute(counted))))


async def who_knows(tx: AsyncSession, patient_id: PatientId, hospital_id: HospitalId) -> set[ClinicianId]:
    """Who of a hospital has finished a visit to that patient before."""
    before = select(Visit.clinician_id).where(
        Visit.patient_id == patient_id, Visit.hospital_id == hospital_id,
        Visit.stage.in_([Stage.FINISHED, Stage.CONFIRMED]),
    )  # fmt: skip
    return set(await tx.scalars(before.distinct()))


async def on_leave_among(
    tx: AsyncSession, clinicians: Collection[ClinicianId], first: datetime, last: datetime
) -> set[ClinicianId]:
    """Who of them is on leave at some moment of the half-open period."""
    absent = select(Leave.clinician_id).where(
        Leave.clinician_id.in_(clinicians), Leave.last > first, Leave.first < last
    )
    return set(await tx.scalars(absent.distinct()))


async def rosters_of(tx: AsyncSession, clinicians: Collection[ClinicianId]) -> dict[ClinicianId, list[Roster]]:
    """The weekly hours of some clinicians; who is in no roster is missing."""
    found: defaultdict[ClinicianId, list[Roster]] = defaultdict(list)
    for row in await tx.scalars(select(Roster).where(Roster.clinician_id.in_(clinicians)).order_by(Roster.id)):
        found[row.clinician_id].append(row)
    return dict(found)


def period_of(day: date) -> tuple[datetime, datetime]:
    """The half-open period of a day in Shanghai."""
    first = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    return first, first + timedelta(days=1)


def page_of(sheets: Sequence[VisitSheet], paging: Paging) -> tuple[Sequence[VisitSheet], str | None]:
    """What is shown of one more than asked, and the cursor of the next page."""
    shown = sheets[: paging.limit]
    return shown, cursor_after(shown[-1]) if len(sheets) > paging.limit else None
