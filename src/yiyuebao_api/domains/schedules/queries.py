"""Selects of schedules; nothing here writes except the lock row of a day."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceVersion
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.schedules.models import (
    Claim,
    Leave,
    Pool,
    PoolDay,
    PoolService,
    Roster,
    ScheduleException,
    Template,
)  # fmt: skip
from yiyuebao_api.domains.schedules.rules import Away, Busy, Change, Crew, Need, Shift, Window, busy_of, moment_of
from yiyuebao_api.kernel.ids import ClaimId, ClinicianId, HospitalId, LeaveId, PoolId, ScheduleExceptionId, ServiceId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound

# ── pools and their facts ────────────────────────────────────────────────────────────────────────────────────────────


async def require_pool(tx: AsyncSession, hospital_id: HospitalId, pool_id: PoolId) -> Pool:
    """A hospital's own pool. Raises NotFound."""
    pool = await tx.get(Pool, pool_id)
    if pool is None or pool.hospital_id != hospital_id:
        raise NotFound
    return pool


async def lock_pool(tx: AsyncSession, hospital_id: HospitalId, pool_id: PoolId) -> Pool:
    """A hospital's own pool, locked for an edit of it or of anything that its version counts. Raises NotFound."""
    mine = select(Pool).where(Pool.id == pool_id, Pool.hospital_id == hospital_id).with_for_update()
    pool = (await tx.scalars(mine.execution_options(populate_existing=True))).one_or_none()
    if pool is None:
        raise NotFound
    return pool


async def lock_pools(tx: AsyncSession, pool_ids: Iterable[PoolId]) -> Sequence[Pool]:
    """Several pools, locked in key order."""
    some = select(Pool).where(Pool.id.in_(set(pool_ids))).order_by(Pool.id).with_for_update()
    return (await tx.scalars(some.execution_options(populate_existing=True))).all()


async def list_pools(tx: AsyncSession, hospital_id: HospitalId, paging: Paging) -> Sequence[Pool]:
    """A hospital's pools, newest first, one more than asked."""
    some = select(Pool).where(Pool.hospital_id == hospital_id)
    return (await tx.scalars(newest_first(some, Pool.id, PoolId, paging))).all()


async def services_of(tx: AsyncSession, pool_ids: Sequence[PoolId]) -> Mapping[PoolId, list[ServiceId]]:
    """The items that draw from each pool, in the order of their ids."""
    found: defaultdict[PoolId, list[ServiceId]] = defaultdict(list)
    some = select(PoolService.pool_id, PoolService.service_id).where(PoolService.pool_id.in_(pool_ids)).distinct()
    for pool_id, service_id in await tx.execute(some.order_by(PoolService.service_id)):
        found[pool_id].append(service_id)
    return found


async def week_of(tx: AsyncSession, pool_ids: Sequence[PoolId]) -> Sequence[Template]:
    """The weekly hours of some pools in order."""
    some = select(Template).where(Template.pool_id.in_(pool_ids))
    return (await tx.scalars(some.order_by(Template.pool_id, Template.weekday, Template.start_minute))).all()


async def exceptions_of(tx: AsyncSession, pool_ids: Sequence[PoolId], *, since: date) -> Sequence[ScheduleException]:
    """The exceptions of some pools from a day on, in the order of their effect."""
    some = select(ScheduleException).where(ScheduleException.pool_id.in_(pool_ids), ScheduleException.day >= since)
    return (await tx.scalars(some.order_by(ScheduleException.day, ScheduleException.id))).all()


async def require_exception(tx: AsyncSession, pool_id: PoolId, exception_id: ScheduleExceptionId) -> ScheduleException:
    """One exception of a pool. Raises NotFound."""
    row = await tx.get(ScheduleException, exception_id)
    if row is None or row.pool_id != pool_id:
        raise NotFound
    return row


async def has_claims(tx: AsyncSession, pool_id: PoolId) -> bool:
    """Whether a place of the pool was ever taken."""
    return bool(await tx.scalar(select(exists().where(Claim.pool_id == pool_id))))


# ── roster and leave ─────────────────────────────────────────────────────────────────────────────────────────────────


async def shifts_of(tx: AsyncSession, clinician_id: ClinicianId) -> Sequence[Roster]:
    """A clinician's weekly hours."""
    some = select(Roster).where(Roster.clinician_id == clinician_id)
    return (await tx.scalars(some.order_by(Roster.weekday, Roster.start_minute))).all()


async def shifts_on(tx: AsyncSession, hospital_id: HospitalId, weekday: int) -> Sequence[tuple[Roster, Clinician]]:
    """Everybody who works for the hospital on such a day, by pool and start."""
    some = (
        select(Roster, Clinician)
        .join(Clinician, Clinician.id == Roster.clinician_id)
        .where(Roster.hospital_id == hospital_id, Roster.weekday == weekday)
        .order_by(Roster.pool_id, Roster.start_minute, Roster.id)
    )
    return [(shift, clinician) for shift, clinician in await tx.execute(some)]


async def leave_of(tx: AsyncSession, clinician_id: ClinicianId, first: datetime, last: datetime) -> Sequence[Leave]:
    """A clinician's leave that touches the half-open period."""
    some = select(Leave).where(Leave.clinician_id == clinician_id, Leave.last > first, Leave.first < last)
    return (await tx.scalars(some.order_by(Leave.first, Leave.id))).all()


async def leave_between(tx: AsyncSession, hospital_id: HospitalId, first: datetime, last: datetime) -> Sequence[Leave]:
    """Leave of a hospital's clinicians that touches the half-open period."""
    some = select(Leave).where(Leave.hospital_id == hospital_id, Leave.last > first, Leave.first < last)
    return (await tx.scalars(some.order_by(Leave.first, Leave.id))).all()


async def require_leave(tx: AsyncSession, hospital_id: HospitalId, leave_id: LeaveId) -> Leave:
    """A leave entered by this hospital. Raises NotFound."""
    row = await tx.get(Leave, leave_id)
    if row is None or row.hospital_id != hospital_id:
        raise NotFound
    return row


# ── what a slot is computed from ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Draw:
    """Which pool an item draws from at a place, and which version of the pool's facts holds."""

    pool_id: PoolId
    version: int


async def draws_of(
    tx: AsyncSession, service_ids: Sequence[ServiceId], place: Place | None
) -> dict[ServiceId, list[Draw]]:
    """The pools of some items, for one place or for all."""
    some = (
        select(PoolService.service_id, PoolService.pool_id, Pool.version)
        .join(Pool, Pool.id == PoolService.pool_id)
        .where(PoolService.service_id.in_(service_ids))
    )
    if place is not None:
        some = some.where(PoolService.place == place)
    found: defaultdict[ServiceId, list[Draw]] = defaultdict(list)
    for service_id, pool_id, version in await tx.execute(some):
        found[service_id].append(Draw(pool_id, version))
    return found


async def draw_of(tx: AsyncSession, pool_id: PoolId) -> Draw | None:
    """A pool and the version of its facts."""
    version = await tx.scalar(select(Pool.version).where(Pool.id == pool_id))
    return None if version is None else Draw(pool_id, version)


async def needs_of(tx: AsyncSession, service_ids: Sequence[ServiceId]) -> dict[ServiceId, Need]:
    """What the published versions of some items ask of a schedule."""
    some = (
        select(
            Service.id, Service.hospital_id, Service.site_id, ServiceVersion.duration_min,
            ServiceVersion.buffer_before_min, ServiceVersion.buffer_after_min, ServiceVersion.lead_minutes,
            ServiceVersion.season_from, ServiceVersion.season_until,
        )
        .join(ServiceVersion, ServiceVersion.id == Service.current)
        .where(Service.id.in_(service_ids))
    )  # fmt: skip
    return {row[0]: Need(*row) for row in await tx.execute(some)}


#: Facts by pool and version. A version's facts never change, so this can be old but not wrong: the version itself is
#: read from the table each time.
_crews: OrderedDict[PoolId, tuple[int, date, Crew]] = OrderedDict()
_CREWS_KEPT = 20_000


async def crews_of(tx: AsyncSession, draws: Iterable[Draw], *, today: date) -> dict[PoolId, Crew]:
    """The facts of pools, from memory when the version is known there; five selects for all the others together."""
    wanted = {draw.pool_id: draw.version for draw in draws}
    crews: dict[PoolId, Crew] = {}
    for pool_id, version in wanted.items():
        known = _crews.get(pool_id)
        if known is not None and known[0] == version and known[1] <= today:
            crews[pool_id] = known[2]
    missing = [pool_id for pool_id in wanted if pool_id not in crews]
    if missing:
        # Facts committed between two of these selects belong to a later version; then nothing is remembered.
        before = await _read_crews(tx, missing, today)
        versions = select(Pool.id, Pool.version).where(Pool.id.in_(missing))
        after = {row.id: row.version for row in await tx.execute(versions)}
        for pool_id, (version, crew) in before.items():
            crews[pool_id] = crew
            if after.get(pool_id) == version:
                _crews[pool_id] = (version, today, crew)
                _crews.move_to_end(pool_id)
        while len(_crews) > _CREWS_KEPT:
            _crews.popitem(last=False)
    return crews


async def _read_crews(tx: AsyncSession, pool_ids: Sequence[PoolId], today: date) -> dict[PoolId, tuple[int, Crew]]:
    pools = (
        await tx.execute(
            select(Pool.id, Pool.version, Pool.capacity, Pool.lead_minutes, Pool.horizon_days, Pool.active).where(
                Pool.id.in_(pool_ids)
            )
        )
    ).all()
    weeks: defaultdict[PoolId, defaultdict[int, list[Window]]] = defaultdict(lambda: defaultdict(list))
    for each in await week_of(tx, pool_ids):
        hours = Window(each.start_minute, each.end_minute, each.step_minutes, each.capacity, each.start_minute)
        weeks[each.pool_id][each.weekday].append(hours)
    changes: defaultdict[PoolId, defaultdict[date, list[Change]]] = defaultdict(lambda: defaultdict(list))
    for made in await exceptions_of(tx, pool_ids, since=today - timedelta(days=1)):
        change = Change(made.kind, made.start_minute, made.end_minute, made.step_minutes, made.capacity)
        changes[made.pool_id][made.day].append(change)
    shifts: defaultdict[PoolId, list[Shift]] = defaultdict(list)
    hours_of = select(Roster).where(Roster.pool_id.in_(pool_ids)).order_by(Roster.id)
    for row in await tx.scalars(hours_of):
        shift = Shift(row.clinician_id, row.weekday, row.start_minute, row.end_minute, row.max_visits_a_day)
        shifts[row.pool_id].append(shift)
    people = {shift.clinician_id for some in shifts.values() for shift in some}
    away: list[Away] = []
    if people:
        since = moment_of(today, 0) - timedelta(days=2)
        absent = select(Leave).where(Leave.clinician_id.in_(people), Leave.last > since).order_by(Leave.id)
        away = [Away(leave.clinician_id, leave.first, leave.last) for leave in await tx.scalars(absent)]
    return {
        pool_id: (
            version,
            Crew(
                pool_id, capacity, lead, horizon, active,
                {weekday: tuple(windows) for weekday, windows in weeks[pool_id].items()},
                {day: tuple(some) for day, some in changes[pool_id].items()},
                tuple(shifts[pool_id]),
                tuple(each for each in away if each.clinician_id in {shift.clinician_id for shift in shifts[pool_id]}),
            ),
        )
        for pool_id, version, capacity, lead, horizon, active in pools
    }  # fmt: skip


# ── claims ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def taken_of(
    tx: AsyncSession, pool_ids: Sequence[PoolId], first: date, last: date, *, now: datetime,
    but: Iterable[ClaimId] = (),
) -> Mapping[tuple[PoolId, date], list[Busy]]:  # fmt: skip
    """The live claims of some pools from one day to another, both included, by pool and day; same rule as `is_live`."""
    live = or_(Claim.kept_at.is_not(None), and_(Claim.lapsed_at.is_(None), Claim.held_until > now))
    some = select(Claim.pool_id, Claim.day, Claim.busy_from, Claim.busy_until).where(
        Claim.pool_id.in_(pool_ids), Claim.day.between(first, last), Claim.released_at.is_(None), live
    )
    if left_out := list(but):
        some = some.where(Claim.id.not_in(left_out))
    found: defaultdict[tuple[PoolId, date], list[Busy]] = defaultdict(list)
    for pool_id, day, busy_from, busy_until in await tx.execute(some):
        found[pool_id, day].append(busy_of(day, busy_from, busy_until))
    return found


async def lapsed_beside(tx: AsyncSession, claim: Claim, now: datetime) -> Sequence[Claim]:
    """Claims whose hold ended unpaid and whose time overlaps this one, which is given their place; in key order."""
    some = select(Claim).where(
        Claim.pool_id == claim.pool_id, Claim.day == claim.day, Claim.released_at.is_(None), Claim.kept_at.is_(None),
        Claim.lapsed_at.is_(None), Claim.held_until <= now, Claim.busy_from < claim.busy_until,
        Claim.busy_until > claim.busy_from, Claim.id != claim.id,
    )  # fmt: skip
    return (await tx.scalars(some.order_by(Claim.id).execution_options(populate_existing=True))).all()


async def find_claim(tx: AsyncSession, claim_id: ClaimId) -> Claim | None:
    """A claim as it is now, not as this session remembers it."""
    return await tx.get(Claim, claim_id, populate_existing=True)


async def lock_days(tx: AsyncSession, days: Iterable[tuple[PoolId, date]]) -> None:
    """Lock days of pools in key order, until the transaction ends; claims of a day are only counted under its lock.

    A row that is missing is made. `ON DUPLICATE KEY UPDATE` takes the exclusive lock at once; IGNORE would take a
    shared one first, and two of them would then wait for each other.
    """
    for pool_id, day in sorted(set(days)):
        row = select(PoolDay.day).where(PoolDay.pool_id == pool_id, PoolDay.day == day).with_for_update()
        if (await tx.execute(row)).first() is None:
            made = insert(PoolDay).values(pool_id=pool_id, day=day)
            await tx.execute(made.on_duplicate_key_update(day=made.inserted.day))
