"""The desk's roster: who works when in which pool, and who is away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.queries import require_clinician_of
from yiyuebao_api.domains.schedules import queries
from yiyuebao_api.domains.schedules.events import PoolChanged
from yiyuebao_api.domains.schedules.models import Leave, Roster
from yiyuebao_api.domains.schedules.problems import HoursOverlap
from yiyuebao_api.domains.schedules.rules import DAY_MINUTES, Away, Duty, Shift, duty_at, moment_of, overlap
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import ClinicianId, HospitalId, LeaveId, PoolId, RosterId
from yiyuebao_api.kernel.problems import NotFound


@dataclass(frozen=True, slots=True)
class RosterLine:
    """One shift of one day, and the leave that falls into it."""

    shift: Roster
    clinician: Clinician
    leave: Sequence[Leave]


async def set_roster(
    tx: AsyncSession, clinician: Clinician, shifts: Sequence[tuple[PoolId, Shift]]
) -> Sequence[Roster]:
    """Replace the weekly hours of a locked clinician. Raises HoursOverlap, NotFound for another hospital's pool."""
    for weekday in range(7):
        if overlap((shift.start, shift.end) for _, shift in shifts if shift.weekday == weekday):
            raise HoursOverlap
    before = await queries.shifts_of(tx, clinician.id)
    touched = {row.pool_id for row in before} | {pool_id for pool_id, _ in shifts}
    pools = await queries.lock_pools(tx, touched)
    if {pool.id for pool in pools if pool.hospital_id == clinician.hospital_id} != touched:
        raise NotFound
    await tx.execute(delete(Roster).where(Roster.clinician_id == clinician.id))
    rows = [
        Roster(
            id=RosterId.new(), clinician_id=clinician.id, hospital_id=clinician.hospital_id, pool_id=pool_id,
            weekday=shift.weekday, start_minute=shift.start, end_minute=shift.end, max_visits_a_day=shift.max_visits,
        )
        for pool_id, shift in shifts
    ]  # fmt: skip
    tx.add_all(rows)
    await _changed(tx, touched)
    return await queries.shifts_of(tx, clinician.id)


async def add_leave(
    tx: AsyncSession, *, hospital_id: HospitalId, clinician_id: ClinicianId, first: datetime, last: datetime,
    reason: str, now: datetime,
) -> Leave:  # fmt: skip
    """Note that a clinician of the hospital is away in the half-open period; what they do then is offered no more.

    Visits already booked stay; the desk reassigns them. Raises NotFound.
    """
    clinician = await require_clinician_of(tx, hospital_id, clinician_id)
    row = Leave(
        id=LeaveId.new(), clinician_id=clinician.id, hospital_id=hospital_id, first=first, last=last, reason=reason,
        created_at=now,
    )  # fmt: skip
    tx.add(row)
    await _changed(tx, {shift.pool_id for shift in await queries.shifts_of(tx, clinician.id)})
    return row


async def remove_leave(tx: AsyncSession, leave: Leave) -> None:
    """Take a leave back."""
    await tx.delete(leave)
    await _changed(tx, {shift.pool_id for shift in await queries.shifts_of(tx, leave.clinician_id)})


async def roster_of_day(tx: AsyncSession, hospital_id: HospitalId, day: date) -> list[RosterLine]:
    """Who works for the hospital on that day in Shanghai, by pool and start, with the leave that falls into it."""
    lines = await queries.shifts_on(tx, hospital_id, day.weekday())
    away = await queries.leave_between(tx, hospital_id, moment_of(day, 0), moment_of(day, DAY_MINUTES))
    return [
        RosterLine(shift, clinician, [leave for leave in away if leave.clinician_id == clinician.id])
        for shift, clinician in lines
    ]


async def duty_of(tx: AsyncSession, clinician_id: ClinicianId, *, starts_at: datetime, ends_at: datetime) -> Duty:
    """Whether a clinician works then by roster and leave, and how many visits they make that day at most (RULE-45).

    A clinician whose hours nobody entered is taken to be on duty unless they are on leave.
    """
    shifts = [
        Shift(row.clinician_id, row.weekday, row.start_minute, row.end_minute, row.max_visits_a_day)
        for row in await queries.shifts_of(tx, clinician_id)
    ]
    leave = await queries.leave_of(tx, clinician_id, starts_at, ends_at)
    return duty_at(shifts, [Away(row.clinician_id, row.first, row.last) for row in leave], starts_at, ends_at)


async def _changed(tx: AsyncSession, pool_ids: Iterable[PoolId]) -> None:
    pools = await queries.lock_pools(tx, pool_ids)
    for pool in pools:
        pool.version += 1
    await tx.flush()
    draws = await queries.services_of(tx, [pool.id for pool in pools])
    for pool in pools:
        await announce(tx, PoolChanged(pool.id, tuple(draws.get(pool.id, ()))))
