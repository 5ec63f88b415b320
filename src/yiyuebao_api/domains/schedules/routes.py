"""HTTP of schedules: slots for everybody, pools, hours, roster and leave for the desk."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from yiyuebao_api.domains.accounts.guards import Anyone, HospitalDesk
from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.catalogue.problems import ServiceNotOffered
from yiyuebao_api.domains.schedules import queries, service
from yiyuebao_api.domains.schedules.guards import EditedPool, EditedStaff, OwnLeave, OwnPool, OwnStaff
from yiyuebao_api.domains.schedules.models import Pool
from yiyuebao_api.domains.schedules.problems import (
    HoursOverlap,
    NightNotAllowed,
    PeriodNotListable,
    PoolInUse,
    ServiceInOtherPool,
    ServiceNotOfSite,
)
from yiyuebao_api.domains.schedules.rules import day_of, is_listable
from yiyuebao_api.domains.schedules.schemas import (
    ExceptionIn,
    ExceptionOut,
    LeaveIn,
    LeaveOut,
    NewPoolIn,
    PoolFileOut,
    PoolIn,
    PoolOut,
    PoolServicesIn,
    RosterDayOut,
    RosterIn,
    RosterLineOut,
    RosterOut,
    SlotOut,
    SlotsOut,
    WeekIn,
)
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.editing import IfMatch, PreconditionFailed, PreconditionRequired, tag, tagged
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import ScheduleExceptionId, ServiceId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, merge, refuses
from yiyuebao_api.kernel.schema import Day, Moment

public = APIRouter(prefix="/v1/schedules", tags=["schedules"], route_class=OnceRoute)
desk = APIRouter(prefix="/v1/hospital/schedules", tags=["schedules"], route_class=OnceRoute)

_STALE = (PreconditionRequired, PreconditionFailed)


# ── for everybody ────────────────────────────────────────────────────────────────────────────────────────────────────


@public.get("/slots", summary="可约时段", responses=refuses(NotFound, ServiceNotOffered, PeriodNotListable))
async def list_slots(
    caller: Anyone, tx: Tx, now: Now, service_id: ServiceId,
    first: Annotated[Moment, Query(alias="from", description="Slots that start at or after this moment …")],
    last: Annotated[Moment, Query(alias="to", description="… and before this one, at most 31 days later.")],
    place: Annotated[Place, Query(description="`home` or `hospital`.")] = Place.HOME,
) -> SlotsOut:  # fmt: skip
    """When a service can be had; fully booked times are listed with `left` 0."""
    if place is Place.BOTH or not is_listable(first, last):
        raise PeriodNotListable
    slots = await service.list_slots(tx, service_id, first=first, last=last, place=place, now=now)
    return SlotsOut(items=[SlotOut.of(slot) for slot in slots])


# ── pools ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _file(tx: Tx, pool: Pool, response: Response, now: Now) -> PoolFileOut:
    tag(response, pool.version)
    services = (await queries.services_of(tx, [pool.id])).get(pool.id, [])
    week = await queries.week_of(tx, [pool.id])
    exceptions = await queries.exceptions_of(tx, [pool.id], since=day_of(now))
    return PoolFileOut.file(pool, services, week, exceptions)


@desk.get("/pools", summary="本院班组", responses=refuses(InvalidCursor))
async def list_pools(caller: HospitalDesk, paging: Pages, tx: Tx) -> Page[PoolOut]:
    """The hospital's pools, newest first."""
    return page(await queries.list_pools(tx, caller.hospital_id, paging), paging, PoolOut.of, lambda row: row.id)


@desk.post("/pools", status_code=201, summary="新建班组", responses=merge(refuses(NotFound), tagged(201)))
async def create_pool(caller: HospitalDesk, body: NewPoolIn, response: Response, tx: Tx) -> PoolOut:
    """Make a pool of one of the hospital's sites; it has no hours and no items yet."""
    pool = await service.create_pool(tx, hospital_id=caller.hospital_id, **dict(body))
    tag(response, pool.version)
    return PoolOut.of(pool)


@desk.get("/pools/{pool_id}", summary="班组详情", responses=merge(refuses(NotFound), tagged()))
async def show_pool(caller: HospitalDesk, pool: OwnPool, response: Response, tx: Tx, now: Now) -> PoolFileOut:
    """A pool with its items, its week and its exceptions from today on."""
    return await _file(tx, pool, response, now)


@desk.put(
    "/pools/{pool_id}", summary="修改班组", responses=merge(refuses(NotFound, NightNotAllowed, *_STALE), tagged())
)
async def edit_pool(
    caller: HospitalDesk, pool: EditedPool, expected: IfMatch, body: PoolIn, response: Response, tx: Tx
) -> PoolOut:
    """Replace a pool's terms; places already taken stay taken."""
    expected.require(pool.version)
    pool = await service.edit_pool(tx, pool, **dict(body))
    tag(response, pool.version)
    return PoolOut.of(pool)


@desk.delete("/pools/{pool_id}", status_code=204, summary="删除班组", responses=refuses(NotFound, PoolInUse))
async def delete_pool(caller: HospitalDesk, pool: EditedPool, tx: Tx) -> None:
    """Remove a pool that never had a booking; any other can be switched off."""
    await service.delete_pool(tx, pool)


@desk.put(
    "/pools/{pool_id}/services", summary="设置班组项目",
    responses=merge(refuses(NotFound, ServiceNotOfSite, ServiceInOtherPool, *_STALE), tagged()),
)  # fmt: skip
async def set_pool_services(
    caller: HospitalDesk, pool: EditedPool, expected: IfMatch, body: PoolServicesIn, response: Response, tx: Tx,
    now: Now,
) -> PoolFileOut:  # fmt: skip
    """Say which items draw from the pool; an item draws from one pool for each place."""
    expected.require(pool.version)
    return await _file(tx, await service.set_services(tx, pool, body.service_ids), response, now)


@desk.put(
    "/pools/{pool_id}/templates", summary="设置每周模板",
    responses=merge(refuses(NotFound, HoursOverlap, NightNotAllowed, *_STALE), tagged()),
)  # fmt: skip
async def set_pool_week(
    caller: HospitalDesk, pool: EditedPool, expected: IfMatch, body: WeekIn, response: Response, tx: Tx, now: Now
) -> PoolFileOut:
    """Replace the weekly hours; places already taken stay taken."""
    expected.require(pool.version)
    week = [hours.rule() for hours in body.hours]
    return await _file(tx, await service.set_week(tx, pool, week), response, now)


@desk.post(
    "/pools/{pool_id}/exceptions", status_code=201, summary="新增例外日", responses=refuses(NotFound, NightNotAllowed)
)
async def add_exception(caller: HospitalDesk, pool: EditedPool, body: ExceptionIn, tx: Tx, now: Now) -> ExceptionOut:
    """Close or open hours of one day; places already taken stay taken."""
    row = await service.add_exception(tx, pool, day=body.day, change=body.rule(), reason=body.reason, now=now)
    return ExceptionOut.of(row)


@desk.delete(
    "/pools/{pool_id}/exceptions/{exception_id}", status_code=204, summary="撤销例外日", responses=refuses(NotFound)
)
async def remove_exception(caller: HospitalDesk, pool: EditedPool, exception_id: ScheduleExceptionId, tx: Tx) -> None:
    """Take an exception back."""
    await service.remove_exception(tx, pool, exception_id)


# ── roster and leave ─────────────────────────────────────────────────────────────────────────────────────────────────


@desk.get("/roster", summary="当日排班")
async def show_roster_of_day(caller: HospitalDesk, tx: Tx, day: Day) -> RosterDayOut:
    """Who works on a day in Shanghai, by pool and start, and who of them is away."""
    lines = await service.roster_of_day(tx, caller.hospital_id, day)
    return RosterDayOut(day=day, items=[RosterLineOut.of(line.shift, line.clinician, line.leave) for line in lines])


@desk.get("/roster/{clinician_id}", summary="人员排班", responses=merge(refuses(NotFound), tagged()))
async def show_roster(caller: HospitalDesk, clinician: OwnStaff, response: Response, tx: Tx) -> RosterOut:
    """A clinician's weekly hours."""
    roster = RosterOut.of(clinician.id, await queries.shifts_of(tx, clinician.id))
    tag(response, roster.version)
    return roster


@desk.put(
    "/roster/{clinician_id}", summary="设置人员排班",
    responses=merge(refuses(NotFound, HoursOverlap, *_STALE), tagged()),
)  # fmt: skip
async def set_roster(
    caller: HospitalDesk, clinician: EditedStaff, expected: IfMatch, body: RosterIn, response: Response, tx: Tx
) -> RosterOut:
    """Replace a clinician's weekly hours; places already taken stay taken."""
    expected.require(RosterOut.of(clinician.id, await queries.shifts_of(tx, clinician.id)).version)
    rows = await service.set_roster(tx, clinician, [shift.rule(clinician.id) for shift in body.shifts])
    roster = RosterOut.of(clinician.id, rows)
    tag(response, roster.version)
    return roster


@desk.get("/leave", summary="请假列表", responses=refuses(PeriodNotListable))
async def list_leave(
    caller: HospitalDesk, tx: Tx,
    first: Annotated[Moment, Query(alias="from", description="Leave that touches the time from here …")],
    last: Annotated[Moment, Query(alias="to", description="… until before here, at most 31 days later.")],
) -> list[LeaveOut]:  # fmt: skip
    """Who is away in a period, by start."""
    if not is_listable(first, last):
        raise PeriodNotListable
    return [LeaveOut.of(row) for row in await queries.leave_between(tx, caller.hospital_id, first, last)]


@desk.post("/leave", status_code=201, summary="登记请假", responses=refuses(NotFound))
async def add_leave(caller: HospitalDesk, body: LeaveIn, tx: Tx, now: Now) -> LeaveOut:
    """Note that a clinician is away; visits already booked stay and are the desk's to reassign."""
    row = await service.add_leave(tx, hospital_id=caller.hospital_id, **dict(body), now=now)
    return LeaveOut.of(row)


@desk.delete("/leave/{leave_id}", status_code=204, summary="销假", responses=refuses(NotFound))
async def remove_leave(caller: HospitalDesk, leave: OwnLeave, tx: Tx) -> None:
    """Take a leave back."""
    await service.remove_leave(tx, leave)


ROUTERS: list[APIRouter] = [public, desk]
