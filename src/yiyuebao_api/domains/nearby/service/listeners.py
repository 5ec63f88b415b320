"""Rewrites what is searched in the transaction that changes it; rows that stay the same get no new number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue.events import OfferChanged
from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceState, ServiceVersion
from yiyuebao_api.domains.catalogue.rules import price_of
from yiyuebao_api.domains.clinicians.events import StaffChanged
from yiyuebao_api.domains.hospitals.events import HospitalChanged, SiteChanged
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalState, Site
from yiyuebao_api.domains.nearby import queries
from yiyuebao_api.domains.nearby.models import NearbyOffer, NearbySite
from yiyuebao_api.domains.nearby.rules import extra_mask, sex_mask, week_mask
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.domains.schedules.events import PoolChanged
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.bell import SEARCH
from yiyuebao_api.kernel.database import Begin, after_commit
from yiyuebao_api.kernel.ids import ServiceId, SiteId

_PORTION = 500


async def note_offer_changed(tx: AsyncSession, event: OfferChanged) -> None:
    """A service was published, suspended, retired or published again."""
    await _write_offers(tx, [event.service_id])


async def note_pool_changed(tx: AsyncSession, event: PoolChanged) -> None:
    """A pool has other items or other days."""
    await _write_offers(tx, event.service_ids)


async def note_site_changed(tx: AsyncSession, event: SiteChanged) -> None:
    """A site is new, or its place or service area is another one."""
    await _write_sites(tx, await queries.sites_with_hospital(tx, site_id=event.site_id))


async def note_hospital_changed(tx: AsyncSession, event: HospitalChanged) -> None:
    """A hospital was opened, suspended or edited, or has another licence: all its sites tell."""
    await _write_sites(tx, await queries.sites_with_hospital(tx, hospital_id=event.hospital_id))


async def note_staff_changed(tx: AsyncSession, event: StaffChanged) -> None:
    """A hospital may send somebody it could not send before, or no longer can."""
    await _write_sites(tx, await queries.sites_with_hospital(tx, hospital_id=event.hospital_id))


async def count_review(tx: AsyncSession, service_id: ServiceId, stars: int) -> None:
    """Somebody judged a service, told downward by `bookings`; counted under the lock of the counter (RULE-63)."""
    counter = await queries.lock_counter(tx)
    row = (await queries.offer_rows(tx, [service_id])).get(service_id)
    if row is None:  # never listed here: there is nothing to search
        return
    counter.number += 1
    row.stars, row.reviews, row.change_number = row.stars + stars, row.reviews + 1, counter.number
    await tx.flush()


async def rebuild(begin: Begin) -> int:
    """Compare every row with what it repeats, and rewrite what differs; returns how many services were looked at.

    For data that came in without announcements (a bulk import). Portions of 500, each in its own transaction; safe to
    repeat, and to run while the service works.
    """
    last_site: SiteId | None = None
    while True:
        async with begin() as tx:
            some = await queries.sites_after(tx, last_site, most=_PORTION)
            await _write_sites(tx, some)
        if not some:
            break
        last_site = some[-1][0].id
    looked_at = 0
    last: ServiceId | None = None
    while True:
        async with begin() as tx:
            ids = await queries.services_after(tx, last, most=_PORTION)
            await _write_offers(tx, ids)
        if not ids:
            return looked_at
        looked_at, last = looked_at + len(ids), ids[-1]


async def _write_offers(tx: AsyncSession, service_ids: Iterable[ServiceId]) -> None:
    """Bring the rows of some services up to date, under the lock of the counter. Never published ones have no row."""
    wanted = sorted(set(service_ids))
    if not wanted:
        return
    counter = await queries.lock_counter(tx)
    before = counter.number
    published = await queries.published_of(tx, wanted)
    days = await queries.open_days_of(tx, list(published), today=day_of(clock.now()))
    rows = await queries.offer_rows(tx, list(published))
    sites = await queries.site_rows(tx, {service.site_id for service, _ in published.values()})
    for site_id in sorted({service.site_id for service, _ in published.values()} - set(sites)):
        await _write_sites(tx, await queries.sites_with_hospital(tx, site_id=site_id))
    for service_id, (service, version) in published.items():
        facts = _offer(service, version, *days[service_id])
        row = rows.get(service_id)
        if row is not None and _same(row, facts):
            continue
        counter.number += 1
        if row is None:
            tx.add(NearbyOffer(service_id=service_id, change_number=counter.number, **facts))
        else:
            _set(row, facts, counter.number)
    await _written(tx, counter.number > before)


async def _write_sites(tx: AsyncSession, sites: Sequence[tuple[Site, Hospital]]) -> None:
    """Bring the rows of some sites up to date, under the lock of the counter."""
    if not sites:
        return
    counter = await queries.lock_counter(tx)
    before = counter.number
    rows = await queries.site_rows(tx, [site.id for site, _ in sites])
    sexes = await queries.staff_sexes_of(tx, {hospital.id for _, hospital in sites})
    for site, hospital in sites:
        facts = _site(site, hospital, sexes[hospital.id])
        row = rows.get(site.id)
        if row is not None and _same(row, facts):
            continue
        counter.number += 1
        if row is None:
            tx.add(NearbySite(site_id=site.id, change_number=counter.number, **facts))
        else:
            _set(row, facts, counter.number)
    await _written(tx, counter.number > before)


async def _written(tx: AsyncSession, changed: bool) -> None:
    """Every process's index is woken once this is committed."""
    await tx.flush()
    if changed and "search rung" not in tx.info:
        tx.info["search rung"] = True
        after_commit(tx, partial(tx.info["bell"].ring, SEARCH))


def _offer(service: Service, version: ServiceVersion, weekdays: Iterable[int], extra: Iterable[Any]) -> dict[str, Any]:
    return {
        "hospital_id": service.hospital_id, "site_id": service.site_id,
        "listed": service.state is ServiceState.PUBLISHED, "category_code": service.category_code,
        "name": version.name, "picture_url": version.picture_url, "duration_min": version.duration_min,
        "place": version.place, "price_fen": price_of(version, version.place),
        "hospital_price_fen": price_of(version, Place.HOSPITAL), "season_from": version.season_from,
        "season_until": version.season_until, "weekdays": week_mask(weekdays), "extra_days": extra_mask(extra),
    }  # fmt: skip


def _site(site: Site, hospital: Hospital, sexes: Iterable[Sex]) -> dict[str, Any]:
    return {
        "hospital_id": hospital.id, "hospital_name": hospital.name, "hospital_level": hospital.level,
        "name": site.name, "address": site.address, "adcode": site.adcode, "lat": site.lat, "lng": site.lng,
        "radius_m": site.radius_m, "adcodes": list(site.adcodes),
        "goes_home": bool(hospital.home_mode) and site.open_for_home, "open": hospital.state is HospitalState.OPEN,
        "licence_until": hospital.licence_valid_until, "staff_sexes": sex_mask(sexes),
    }  # fmt: skip


def _same(row: NearbyOffer | NearbySite, facts: dict[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in facts.items())


def _set(row: NearbyOffer | NearbySite, facts: dict[str, Any], number: int) -> None:
    for name, value in facts.items():
        setattr(row, name, value)
    row.change_number = number
