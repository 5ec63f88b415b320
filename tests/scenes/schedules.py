"""Pools with hours and items, in one line each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceVersion
from yiyuebao_api.domains.catalogue.rules import places_of
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.schedules.models import Leave, Pool, PoolService, Roster, Template
from yiyuebao_api.domains.schedules.rules import Need, moment_of
from yiyuebao_api.domains.schedules.service import need_of
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import LeaveId, PoolId, RosterId, RowId

EIGHT_TO_SIX = (8 * 60, 18 * 60)


def at(day: date, clock: str) -> datetime:
    """`at(day, "09:30")`: that time in Shanghai, as aware UTC."""
    hours, minutes = clock.split(":")
    return moment_of(day, int(hours) * 60 + int(minutes))


def shanghai(moment: datetime) -> str:
    """`2026-11-25 09:30`, to compare with."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


async def make_pool(
    database: Database, *services: Service, capacity: int = 1, hours: tuple[int, int] = EIGHT_TO_SIX,
    step_minutes: int = 60, weekdays: tuple[int, ...] = tuple(range(7)), window_capacity: int | None = None,
    **changes: Any,
) -> Pool:  # fmt: skip
    """A pool of the first service's site from which all of them draw; open 8 to 18 every day, a start each hour."""
    first = services[0]
    values: dict[str, Any] = {
        "id": PoolId.new(), "hospital_id": first.hospital_id, "site_id": first.site_id, "name": "居家护理一组",
        "place": Place.BOTH, "capacity": capacity, "lead_minutes": 240, "horizon_days": 14, "night": False,
        "active": True, "version": 1, **changes,
    }  # fmt: skip
    pool = Pool(**values)
    async with database.begin() as tx:
        tx.add(pool)
        await tx.flush()
        for weekday in weekdays:
            tx.add(
                Template(
                    id=RowId.new(), pool_id=pool.id, weekday=weekday, start_minute=hours[0], end_minute=hours[1],
                    step_minutes=step_minutes, capacity=window_capacity,
                )
            )  # fmt: skip
        for service in services:
            for place in places_of(pool.place):
                tx.add(PoolService(service_id=service.id, place=place, pool_id=pool.id))
    return pool


async def make_shifts(
    database: Database, clinician: Clinician, pool: Pool, *, hours: tuple[int, int] = EIGHT_TO_SIX,
    weekdays: tuple[int, ...] = tuple(range(7)), max_visits_a_day: int = 8,
) -> None:  # fmt: skip
    """The clinician works in the pool on those days of the week."""
    async with database.begin() as tx:
        for weekday in weekdays:
            tx.add(
                Roster(
                    id=RosterId.new(), clinician_id=clinician.id, hospital_id=clinician.hospital_id, pool_id=pool.id,
                    weekday=weekday, start_minute=hours[0], end_minute=hours[1], max_visits_a_day=max_visits_a_day,
                )
            )  # fmt: skip
        (await tx.get_one(Pool, pool.id)).version += 1


async def make_leave(database: Database, clinician: Clinician, first: datetime, last: datetime) -> Leave:
    """The clinician is away; nobody's pool is told, so use it before slots are first asked for."""
    row = Leave(
        id=LeaveId.new(), clinician_id=clinician.id, hospital_id=clinician.hospital_id, first=first, last=last,
        reason="", created_at=first,
    )  # fmt: skip
    async with database.begin() as tx:
        tx.add(row)
    return row


def need(made: tuple[Service, ServiceVersion]) -> Need:
    """What `make_service` made, as `claim_place` wants it."""
    return need_of(*made)
