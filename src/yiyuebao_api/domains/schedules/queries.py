"""Selects of schedules; nothing here writes except the lock row of a day and the mark of a lapsed hold."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.schedules.models import (
    Claim,
    Leave,
    Pool,
    PoolService,
    Roster,
    ScheduleException,
    Template,
)  # fmt: skip
from yiyuebao_api.domains.schedules.rules import (
    Away,
    Busy,
    Change,
    Crew,
    ExceptionKind,
    Fit,
    Shift,
    Window,
    busy_of,
    moment_of,
)
from yiyuebao_api.kernel.ids import (
    ClaimId,
    ClinicianId,
    HospitalId,
    LeaveId,
    PoolId,
    ScheduleExceptionId,
    ServiceId,
)
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.reading import Asks, Read, one_of, padded, rows_of

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
    """Whether a place of the pool was taken, in all the time that claims are kept."""
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


class Asked(NamedTuple):
    """What an item asks of a pool."""

    draw: Draw
    fit: Fit


_DRAW = Read(
    select(PoolService.pool_id, Pool.version)
    .join(Pool, Pool.id == PoolService.pool_id)
    .where(PoolService.service_id == bindparam("service_id"), PoolService.place == bindparam("place"))
)


async def draw_for(tx: Asks, service_id: ServiceId, place: Place) -> Draw | None:
    """The pool an item draws from at a place, home or hospital."""
    found = await one_of(tx, _DRAW, service_id=service_id, place=place)
    return None if found is None else Draw(found.pool_id, found.version)


async def draw_of(tx: AsyncSession, pool_id: PoolId) -> Draw | None:
    """A pool and the version of its facts."""
    version = await tx.scalar(select(Pool.version).where(Pool.id == pool_id))
    return None if version is None else Draw(pool_id, version)


_REACH = (
    "SELECT s.id, d.place, d.pool_id, p.version, v.duration_min, v.buffer_before_min, v.buffer_after_min,"
    " v.lead_minutes, v.season_from, v.season_until FROM service s JOIN service_version v ON v.id = s.current"
    " JOIN pool_service d ON d.service_id = s.id JOIN pool p ON p.id = d.pool_id WHERE s.id IN ({0})"
)


async def reach_of(
    tx: Asks, service_ids: Sequence[bytes], place: Place | None, *, not_at_home: Container[bytes] = ()
) -> dict[Asked, list[bytes]]:
    """What the published versions of some items ask of which pools, for one place or for all; most items of a pool ask
    the same."""
    found: dict[Asked, list[bytes]] = {}
    if not service_ids:
        return found
    parameters: list[Any] = padded(service_ids)
    statement = _REACH.format(_holders(parameters))
    if place is not None:
        statement, parameters = statement + " AND d.place = %s", [*parameters, place.value]
    for service_id, at, *asked in await rows_of(tx, statement, parameters):
        if at != _HOME or service_id not in not_at_home:
            found.setdefault(_asked(*asked), []).append(service_id)
    return found


_HOME = Place.HOME.value


@lru_cache(maxsize=20_000)  # the same few thousand are looked at all day; an edit makes another row
def _asked(pool_id: bytes, version: int, *fit: Any) -> Asked:
    return Asked(Draw(PoolId.of(pool_id), version), Fit(*fit))


def _holders(values: Sequence[Any]) -> str:
    return ",".join(["%s"] * len(values))


#: Facts by pool and version. A version's facts never change, so this can be old but not wrong: the version itself is
#: read from the table each time.
_crews: OrderedDict[PoolId, tuple[int, date, Crew]] = OrderedDict()
_CREWS_KEPT = 20_000


async def crews_of(tx: Asks, draws: Iterable[Draw], *, today: date) -> dict[PoolId, Crew]:
    """The facts of pools, from memory when the version is known there; one select for all the others together."""
    crews: dict[PoolId, Crew] = {}
    missing: list[PoolId] = []
    for draw in draws:
        known = _crews.get(draw.pool_id)
        if known is not None and known[0] == draw.version and known[1] <= today:
            crews[draw.pool_id] = known[2]
        else:
            missing.append(draw.pool_id)
    if missing:
        for pool_id, (version, crew) in (await _read_crews(tx, missing, today)).items():
            crews[pool_id] = crew
            _crews[pool_id] = version, today, crew
            _crews.move_to_end(pool_id)
        while len(_crews) > _CREWS_KEPT:
            _crews.popitem(last=False)
    return crews


_POOL, _WINDOW, _CHANGE, _SHIFT, _AWAY = range(5)
#: One statement is one moment: what it reads of a pool belongs to the very version it reads. Days by TO_DAYS.
_CREWS = (
    "SELECT 0 AS part, id AS pool_id, version AS a, capacity AS b, lead_minutes AS c, horizon_days AS d,"
    " active AS e, NULL AS f, NULL AS row_id, NULL AS who, NULL AS first_at, NULL AS last_at FROM pool WHERE id IN ({0})"
    " UNION ALL SELECT 1, pool_id, weekday, start_minute, end_minute, step_minutes, capacity, NULL, id, NULL,"
    " NULL, NULL FROM schedule_template WHERE pool_id IN ({0})"
    " UNION ALL SELECT 2, pool_id, TO_DAYS(day), start_minute, end_minute, step_minutes, capacity,"
    " kind = 'open', id, NULL, NULL, NULL FROM schedule_exception WHERE pool_id IN ({0}) AND day >= %s"
    " UNION ALL SELECT 3, pool_id, weekday, start_minute, end_minute, max_visits_a_day, NULL, NULL, id,"
    " clinician_id, NULL, NULL FROM roster WHERE pool_id IN ({0})"
    " UNION ALL SELECT 4, r.pool_id, NULL, NULL, NULL, NULL, NULL, NULL, l.id, l.clinician_id, l.first, l.last"
    " FROM (SELECT DISTINCT pool_id, clinician_id FROM roster WHERE pool_id IN ({0})) r"
    " JOIN clinician_leave l ON l.clinician_id = r.clinician_id AND l.last > %s"
)
_TO_DAYS = 365  # TO_DAYS counts from the year 0, `date.toordinal` from the year 1


async def _read_crews(tx: Asks, pool_ids: Sequence[PoolId], today: date) -> dict[PoolId, tuple[int, Crew]]:
    some = padded([pool_id.bytes for pool_id in pool_ids])
    since = today - timedelta(days=1)
    gone = moment_of(since, 0).replace(tzinfo=None)
    parameters = [*some, *some, *some, since, *some, *some, gone]
    parts: defaultdict[int, list[Any]] = defaultdict(list)
    for row in sorted(await rows_of(tx, _CREWS.format(_holders(some)), parameters), key=lambda row: row[8] or b""):
        parts[row[0]].append(row)
    weeks: defaultdict[bytes, defaultdict[int, list[Window]]] = defaultdict(lambda: defaultdict(list))
    for _, pool, weekday, start, end, step, capacity, *_ in parts[_WINDOW]:
        weeks[pool][weekday].append(Window(start, end, step, capacity, start))
    changes: defaultdict[bytes, defaultdict[date, list[Change]]] = defaultdict(lambda: defaultdict(list))
    for _, pool, day, start, end, step, capacity, opens, *_ in parts[_CHANGE]:
        kind = ExceptionKind.OPEN if opens else ExceptionKind.CLOSED
        changes[pool][date.fromordinal(day - _TO_DAYS)].append(Change(kind, start, end, step, capacity))
    shifts: defaultdict[bytes, list[Shift]] = defaultdict(list)
    for _, pool, weekday, start, end, most, _, _, _, who, *_ in parts[_SHIFT]:
        shifts[pool].append(Shift(ClinicianId.of(who), weekday, start, end, most))
    away: defaultdict[bytes, list[Away]] = defaultdict(list)
    for _, pool, *_, who, first, last in parts[_AWAY]:
        away[pool].append(Away(ClinicianId.of(who), first.replace(tzinfo=UTC), last.replace(tzinfo=UTC)))
    return {
        PoolId.of(pool): (
            version,
            Crew(
                PoolId.of(pool), capacity, lead, horizon, bool(active),
                {weekday: tuple(windows) for weekday, windows in weeks[pool].items()},
                {day: tuple(made) for day, made in changes[pool].items()}, tuple(shifts[pool]), tuple(away[pool]),
            ),
        )
        for _, pool, version, capacity, lead, horizon, active, *_ in parts[_POOL]
    }  # fmt: skip


# ── claims ───────────────────────────────────────────────────────────────────────────────────────────────────────────


_TAKEN = (
    "SELECT pool_id, day, busy_from, busy_until, COUNT(*) FROM claim WHERE pool_id IN ({0}) AND day BETWEEN %s AND %s"
    " AND released_at IS NULL AND (kept_at IS NOT NULL OR (lapsed_at IS NULL AND held_until > %s))"
)


async def taken_of(
    tx: Asks, pool_ids: Sequence[PoolId], first: date, last: date, *, now: datetime,
    but: Iterable[ClaimId] = (),
) -> Mapping[tuple[PoolId, date], list[Busy]]:  # fmt: skip
    """The live claims of some pools from one day to another, both included, by pool and day; same rule as `is_live`."""
    left_out = [claim_id.bytes for claim_id in but]
    pools = padded([pool_id.bytes for pool_id in pool_ids])
    statement = _TAKEN.format(_holders(pools)) + (f" AND id NOT IN ({_holders(left_out)})" if left_out else "")
    statement += " GROUP BY pool_id, day, busy_from, busy_until"
    parameters = [*pools, first, last, now.astimezone(UTC).replace(tzinfo=None)]
    found: defaultdict[tuple[PoolId, date], list[Busy]] = defaultdict(list)
    for pool, day, busy_from, busy_until, claims in await rows_of(tx, statement, [*parameters, *left_out]):
        busy = busy_of(day, busy_from.replace(tzinfo=UTC), busy_until.replace(tzinfo=UTC), claims)
        found[PoolId.of(pool), day].append(busy)
    return found


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A claim whose hold ended unpaid and whose time nobody else was given yet."""

    id: ClaimId
    busy: Busy


_COUNTED = (
    "SELECT NULL, busy_from, busy_until, COUNT(*) FROM claim WHERE pool_id = %s AND day = %s AND released_at IS NULL"
    " AND (kept_at IS NOT NULL OR (lapsed_at IS NULL AND held_until > %s)){0} GROUP BY busy_from, busy_until"
    " UNION ALL SELECT id, busy_from, busy_until, 0 FROM claim WHERE pool_id = %s AND day = %s AND released_at IS NULL"
    " AND kept_at IS NULL AND lapsed_at IS NULL AND held_until <= %s{0}"
)


async def count_day(
    tx: Asks, pool_id: PoolId, day: date, *, now: datetime, but: Sequence[ClaimId] = ()
) -> tuple[list[Busy], list[Lapsed]]:
    """The live claims of a locked day, as `taken_of` counts them, and the lapsed ones, with one select."""
    left_out = [claim_id.bytes for claim_id in but]
    statement = _COUNTED.format(f" AND id NOT IN ({_holders(left_out)})" if left_out else "")
    asked = [pool_id.bytes, day, now.astimezone(UTC).replace(tzinfo=None), *left_out]
    taken: list[Busy] = []
    lapsed: list[Lapsed] = []
    for claim_id, busy_from, busy_until, claims in await rows_of(tx, statement, [*asked, *asked]):
        busy = busy_of(day, busy_from.replace(tzinfo=UTC), busy_until.replace(tzinfo=UTC), claims)
        if claim_id is None:
            taken.append(busy)
        else:
            lapsed.append(Lapsed(ClaimId.of(claim_id), busy))
    return taken, lapsed


_LAPSED = "UPDATE claim SET lapsed_at = %s WHERE id IN ({0})"


async def mark_lapsed(tx: Asks, claim_ids: Iterable[ClaimId], now: datetime) -> None:
    """Note that somebody else was given their time, under the day's lock."""
    some = [claim_id.bytes for claim_id in sorted(claim_ids)]
    if some:
        await rows_of(tx, _LAPSED.format(_holders(some)), [now.astimezone(UTC).replace(tzinfo=None), *some])


async def find_claim(tx: AsyncSession, claim_id: ClaimId) -> Claim | None:
    """A claim as it is now, not as this session remembers it."""
    return await tx.get(Claim, claim_id, populate_existing=True)


_DAY = "SELECT day FROM pool_day WHERE pool_id = %s AND day = %s FOR UPDATE"
_NEW_DAY = "INSERT INTO pool_day (pool_id, day) VALUES (%s, %s) ON DUPLICATE KEY UPDATE day = day"


async def lock_days(tx: Asks, days: Iterable[tuple[PoolId, date]]) -> None:
    """Lock days of pools in key order, until the transaction ends; claims of a day are only counted under its lock.

    A row that is missing is made. `ON DUPLICATE KEY UPDATE` takes the exclusive lock at once; IGNORE would take a
    shared one first, and two of them would then wait for each other.
    """
    for pool_id, day in sorted(set(days)):
        if not await rows_of(tx, _DAY, [pool_id.bytes, day]):
            await rows_of(tx, _NEW_DAY, [pool_id.bytes, day])
