"""When the seeded sites can be had: a nurses' pool, a doctors' pool and rooms, with hours and a roster."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue.models import Place, Service
from yiyuebao_api.domains.catalogue.rules import places_of
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind
from yiyuebao_api.domains.hospitals.models import Site
from yiyuebao_api.domains.schedules import service as schedules
from yiyuebao_api.domains.schedules.models import Pool
from yiyuebao_api.domains.schedules.queries import shifts_of
from yiyuebao_api.domains.schedules.rules import Shift, Weekly
from yiyuebao_api.kernel.ids import PoolId, ServiceId

_MORNING, _EVENING = 8 * 60, 18 * 60
_HOURS = [Weekly(weekday, _MORNING, _EVENING, 30, None) for weekday in range(7)]
_ROOM_HOURS = [
    Weekly(weekday, start, end, 30, None) for weekday in range(7) for start, end in ((480, 720), (840, 1050))
]


async def seed_schedules(tx: AsyncSession, site: Site) -> int:
    """Pools for everything a site offers, unless it has pools; returns how many were made.

    Home visits go to nurses, 医生巡诊 to doctors. A hospital's staff stand in the roster of the first site that is
    seeded; another site's pools have no roster, so their capacity alone counts.
    """
    if await tx.scalar(select(Pool.id).where(Pool.site_id == site.id).limit(1)) is not None:
        return 0
    services = (await tx.scalars(select(Service).where(Service.site_id == site.id).order_by(Service.id))).all()
    at_home = [each for each in services if Place.HOME in places_of(each.place)]
    nurses = await _pool(
        tx, site, "上门护理组", Place.HOME, 2, [row.id for row in at_home if not _by_doctor(row)], _HOURS
    )
    doctors = await _pool(tx, site, "医生巡诊组", Place.HOME, 1, [row.id for row in at_home if _by_doctor(row)], _HOURS)
    inside = [row.id for row in services if Place.HOSPITAL in places_of(row.place)]
    rooms = await _pool(tx, site, "门诊护理室", Place.HOSPITAL, 3, inside, _ROOM_HOURS)
    await _roster(tx, site, nurses, doctors)
    return sum(pool_id is not None for pool_id in (nurses, doctors, rooms))


def _by_doctor(service: Service) -> bool:
    return service.code.startswith("D")


async def _pool(
    tx: AsyncSession, site: Site, name: str, place: Place, capacity: int, services: Sequence[ServiceId],
    week: Sequence[Weekly],
) -> PoolId | None:  # fmt: skip
    if not services:
        return None
    pool = await schedules.create_pool(
        tx, hospital_id=site.hospital_id, site_id=site.id, name=name, place=place, capacity=capacity,
        lead_minutes=240 if place is Place.HOME else 60, horizon_days=14, night=False,
    )  # fmt: skip
    await schedules.set_services(tx, pool, services)
    await schedules.set_week(tx, pool, week)
    return pool.id


async def _roster(tx: AsyncSession, site: Site, nurses: PoolId | None, doctors: PoolId | None) -> None:
    staff = select(Clinician).where(Clinician.hospital_id == site.hospital_id).order_by(Clinician.id)
    for clinician in (await tx.scalars(staff)).all():
        pool_id = nurses if clinician.kind is ClinicianKind.NURSE else doctors
        if pool_id is not None and not await shifts_of(tx, clinician.id):
            shifts = [(pool_id, Shift(clinician.id, weekday, _MORNING, _EVENING, 8)) for weekday in range(7)]
            await schedules.set_roster(tx, clinician, shifts)
