"""The desk's pools: what they are, which items draw from them, and when they are open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue.models import Place, Service
from yiyuebao_api.domains.catalogue.rules import places_of
from yiyuebao_api.domains.hospitals.queries import require_site
from yiyuebao_api.domains.schedules import queries
from yiyuebao_api.domains.schedules.events import PoolChanged
from yiyuebao_api.domains.schedules.models import Pool, PoolService, Roster, ScheduleException, Template
from yiyuebao_api.domains.schedules.problems import (
    HoursOverlap,
    NightNotAllowed,
    PoolInUse,
    ServiceInOtherPool,
    ServiceNotOfSite,
)
from yiyuebao_api.domains.schedules.rules import Change, ExceptionKind, Weekly, at_night, overlap
from yiyuebao_api.kernel.database import is_duplicate
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import HospitalId, PoolId, RowId, ScheduleExceptionId, ServiceId, SiteId
from yiyuebao_api.kernel.problems import NotFound


async def create_pool(
    tx: AsyncSession, *, hospital_id: HospitalId, site_id: SiteId, name: str, place: Place, capacity: int,
    lead_minutes: int, horizon_days: int, night: bool,
) -> Pool:  # fmt: skip
    """A new pool of one of the hospital's sites, without hours and items yet. Raises NotFound for a foreign site."""
    site = await require_site(tx, site_id)
    if site.hospital_id != hospital_id:
        raise NotFound
    pool = Pool(
        id=PoolId.new(), hospital_id=hospital_id, site_id=site_id, name=name, place=place, capacity=capacity,
        lead_minutes=lead_minutes, horizon_days=horizon_days, night=night, active=True, version=1,
    )  # fmt: skip
    tx.add(pool)
    await tx.flush()
    return pool


async def edit_pool(
    tx: AsyncSession, pool: Pool, *, name: str, capacity: int, lead_minutes: int, horizon_days: int, night: bool,
    active: bool,
) -> Pool:  # fmt: skip
    """Replace the terms of a locked pool; site and place stay. Places already taken stay taken.

    Raises NightNotAllowed while hours at night are still in its week.
    """
    if not night and any(at_night(row.start_minute, row.end_minute) for row in await queries.week_of(tx, [pool.id])):
        raise NightNotAllowed
    pool.name, pool.capacity, pool.lead_minutes = name, capacity, lead_minutes
    pool.horizon_days, pool.night, pool.active = horizon_days, night, active
    return await _changed(tx, pool)


async def delete_pool(tx: AsyncSession, pool: Pool) -> None:
    """Remove a locked pool of which no claim is left. Raises PoolInUse."""
    if await queries.has_claims(tx, pool.id):
        raise PoolInUse
    await _changed(tx, pool)
    await tx.execute(delete(PoolService).where(PoolService.pool_id == pool.id))
    await tx.execute(delete(Template).where(Template.pool_id == pool.id))
    await tx.execute(delete(ScheduleException).where(ScheduleException.pool_id == pool.id))
    await tx.execute(delete(Roster).where(Roster.pool_id == pool.id))
    await tx.delete(pool)
    await tx.flush()


async def set_services(tx: AsyncSession, pool: Pool, service_ids: Sequence[ServiceId]) -> Pool:
    """Say which items draw from a locked pool, for each place that the pool serves.

    Raises ServiceNotOfSite for an unknown item or one of another site, ServiceInOtherPool for one that draws elsewhere.
    """
    wanted = set(service_ids)
    own = select(Service.id).where(Service.id.in_(wanted), Service.site_id == pool.site_id)
    if set(await tx.scalars(own)) != wanted:
        raise ServiceNotOfSite
    before = (await queries.services_of(tx, [pool.id])).get(pool.id, [])
    await tx.execute(delete(PoolService).where(PoolService.pool_id == pool.id))
    for service_id in sorted(wanted):
        for place in places_of(pool.place):
            tx.add(PoolService(service_id=service_id, place=place, pool_id=pool.id))
    try:
        await tx.flush()
    except IntegrityError as error:
        if is_duplicate(error):
            raise ServiceInOtherPool from None
        raise
    return await _changed(tx, pool, before)


async def set_week(tx: AsyncSession, pool: Pool, week: Sequence[Weekly]) -> Pool:
    """Replace the weekly hours of a locked pool. Raises HoursOverlap, NightNotAllowed."""
    for weekday in range(7):
        if overlap((hours.start, hours.end) for hours in week if hours.weekday == weekday):
            raise HoursOverlap
    if not pool.night and any(at_night(hours.start, hours.end) for hours in week):
        raise NightNotAllowed
    await tx.execute(delete(Template).where(Template.pool_id == pool.id))
    tx.add_all(
        Template(
            id=RowId.new(), pool_id=pool.id, weekday=hours.weekday, start_minute=hours.start, end_minute=hours.end,
            step_minutes=hours.step, capacity=hours.capacity,
        )
        for hours in week
    )  # fmt: skip
    return await _changed(tx, pool)


async def add_exception(
    tx: AsyncSession, pool: Pool, *, day: date, change: Change, reason: str, now: datetime
) -> ScheduleException:
    """Close or open hours of one day of a locked pool; places already taken stay taken. Raises NightNotAllowed."""
    if change.kind is ExceptionKind.OPEN and not pool.night and at_night(change.start, change.end):
        raise NightNotAllowed
    row = ScheduleException(
        id=ScheduleExceptionId.new(), pool_id=pool.id, day=day, kind=change.kind, start_minute=change.start,
        end_minute=change.end, step_minutes=change.step, capacity=change.capacity, reason=reason, created_at=now,
    )  # fmt: skip
    tx.add(row)
    await _changed(tx, pool)
    return row


async def remove_exception(tx: AsyncSession, pool: Pool, exception_id: ScheduleExceptionId) -> None:
    """Take an exception of a locked pool back. Raises NotFound."""
    await tx.delete(await queries.require_exception(tx, pool.id, exception_id))
    await _changed(tx, pool)


async def _changed(tx: AsyncSession, pool: Pool, also: Sequence[ServiceId] = ()) -> Pool:
    pool.version += 1
    await tx.flush()
    draws = (await queries.services_of(tx, [pool.id])).get(pool.id, [])
    await announce(tx, PoolChanged(pool.id, tuple(sorted({*draws, *also}))))
    return pool
