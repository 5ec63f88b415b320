"""Selects of nearby: the change feed, rows by key, the search without an index, and the locked counter.

The feed and the fetch are written as plain SQL and read as plain tuples: they are the hottest selects of the house, and
rows by key cost half of what they do through the ORM.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceVersion
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.rules import ClinicianState
from yiyuebao_api.domains.hospitals.models import Hospital, Site
from yiyuebao_api.domains.hospitals.rules import adcode_range, prefix_of
from yiyuebao_api.domains.nearby.models import NearbyChange, NearbyOffer, NearbySite
from yiyuebao_api.domains.nearby.rules import SEX_BITS, Wanted
from yiyuebao_api.domains.nearby.snapshot import OfferRow, SiteRow
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.domains.schedules.models import Pool, PoolService, ScheduleException, Template
from yiyuebao_api.domains.schedules.rules import ExceptionKind
from yiyuebao_api.kernel.ids import HospitalId, RowId, ServiceId, SiteId
from yiyuebao_api.kernel.reading import Asks, padded, rows_of

SEARCH = "search"

# ── the counter and the feed ─────────────────────────────────────────────────────────────────────────────────────────


async def lock_counter(tx: AsyncSession) -> NearbyChange:
    """The counter of changes, locked until the transaction ends; made when there is none."""
    row = select(NearbyChange).where(NearbyChange.kind == SEARCH).with_for_update()
    row = row.execution_options(populate_existing=True)
    found: NearbyChange | None = (await tx.scalars(row)).one_or_none()
    if found is None:
        made = insert(NearbyChange).values(kind=SEARCH, number=0, epoch=RowId.new())
        await tx.execute(made.on_duplicate_key_update(kind=made.inserted.kind))
        found = (await tx.scalars(row)).one()
    return found


async def last_number(tx: AsyncSession) -> tuple[int, bytes]:
    """The last number given out, and which counter gave it; (0, b"") before the first change."""
    rows = await rows_of(tx, "SELECT number, epoch FROM nearby_change WHERE kind = %s", [SEARCH])
    return (rows[0][0], bytes(rows[0][1])) if rows else (0, b"")


_SITE = (
    "SELECT site_id, hospital_id, lat, lng, radius_m, adcode, adcodes, goes_home, `open`, licence_until,"
    " staff_sexes, change_number FROM nearby_site"
)
_OFFER = (
    "SELECT service_id, site_id, listed, category_code, place, price_fen, hospital_price_fen, season_from,"
    " season_until, weekdays, extra_days, stars, reviews, change_number FROM nearby_offer"
)
_ABOVE = " WHERE change_number > %s ORDER BY change_number LIMIT %s"


async def sites_changed(tx: AsyncSession, *, above: int, most: int) -> tuple[list[SiteRow], int]:
    """Sites whose change number is above one, in its order, and the last number among them."""
    rows = await rows_of(tx, _SITE + _ABOVE, [above, most])
    return [_site(row) for row in rows], rows[-1][11] if rows else above


async def offers_changed(tx: AsyncSession, *, above: int, most: int) -> tuple[list[OfferRow], int]:
    """Offers whose change number is above one, in its order, and the last number among them."""
    rows = await rows_of(tx, _OFFER + _ABOVE, [above, most])
    return [OfferRow._make(row[:13]) for row in rows], rows[-1][13] if rows else above


async def sites_by_key(tx: Asks, *, after: bytes, most: int) -> list[SiteRow]:
    """All sites in the order of their keys, a portion at a time."""
    return [_site(row) for row in await rows_of(tx, _SITE + " WHERE site_id > %s ORDER BY site_id LIMIT %s", [after, most])]


async def offers_by_key(tx: AsyncSession, *, after: bytes, most: int) -> list[OfferRow]:
    """All offers in the order of their keys, a portion at a time."""
    rows = await rows_of(tx, _OFFER + " WHERE service_id > %s ORDER BY service_id LIMIT %s", [after, most])
    return [OfferRow._make(row[:13]) for row in rows]


def _site(row: Any) -> SiteRow:
    where, (adcodes, goes_home, is_open, licence_until, sexes) = row[:6], row[6:11]
    return SiteRow._make((*where, tuple(json.loads(adcodes)), bool(goes_home), bool(is_open), licence_until, sexes))


# ── rows by key ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Shown(NamedTuple):
    """A row of the answer."""

    service_id: bytes
    name: str
    category_code: str
    place: str
    price_fen: int
    hospital_price_fen: int
    duration_min: int
    picture_url: str | None
    hospital_id: bytes
    hospital_name: str
    hospital_level: str
    site_id: bytes
    site_name: str
    address: str
    adcode: str
    goes_home: int
    radius_m: int
    adcodes: str
    stars: int
    reviews: int


_SHOWN = (
    "SELECT o.service_id, o.name, o.category_code, o.place, o.price_fen, o.hospital_price_fen, o.duration_min,"
    " o.picture_url, o.hospital_id, t.hospital_name, t.hospital_level, o.site_id, t.name, t.address, t.adcode,"
    " t.goes_home, t.radius_m, t.adcodes, o.stars, o.reviews FROM nearby_offer o STRAIGHT_JOIN nearby_site t ON t.site_id = o.site_id"
    " WHERE o.service_id IN ({0}) AND o.listed AND t.`open` AND t.licence_until >= %s"
    " AND (o.season_from IS NULL OR o.season_from <= %s) AND (o.season_until IS NULL OR o.season_until >= %s)"
)
_SITES_SHOWN = (
    "SELECT site_id, hospital_id, hospital_name, hospital_level, name, address, adcode, lat, lng FROM nearby_site"
    " WHERE site_id IN ({0}) AND `open` AND licence_until >= %s"
)


async def offers_shown(tx: Asks, service_ids: Sequence[bytes], wanted: Wanted) -> dict[bytes, Shown]:
    """Offers by their keys that still match what is wanted: the tables have the last word, not the index."""
    if not service_ids:
        return {}
    first = wanted.days.first if wanted.days else wanted.today
    last = wanted.days.last if wanted.days else wanted.today
    keys = padded(service_ids)
    statement, parameters = _SHOWN.format(_holders(keys)), [*keys, wanted.today, last, first]
    if wanted.category is not None:
        statement, parameters = statement + " AND o.category_code = %s", [*parameters, wanted.category]
    if wanted.place is not None:
        statement, parameters = statement + " AND o.place IN (%s, 'both')", [*parameters, wanted.place.value]
    if wanted.place is Place.HOME:
        statement += " AND t.goes_home"
    if wanted.max_price_fen is not None:
        price = "o.hospital_price_fen" if wanted.place is Place.HOSPITAL else "o.price_fen"
        statement, parameters = f"{statement} AND {price} <= %s", [*parameters, wanted.max_price_fen]
    if wanted.min_stars is not None:
        statement, parameters = statement + " AND o.stars >= %s * o.reviews AND o.reviews", [*parameters, wanted.min_stars]
    if wanted.staff_sex is not None:
        statement, parameters = statement + " AND t.staff_sexes & %s", [*parameters, SEX_BITS[wanted.staff_sex]]
    return {row[0]: Shown(*row) for row in await rows_of(tx, statement, [*parameters])}


async def sites_shown(tx: Asks, site_ids: Sequence[bytes], today: date) -> dict[bytes, Any]:
    """Sites of open hospitals by their keys."""
    if not site_ids:
        return {}
    keys = padded(site_ids)
    rows = await rows_of(tx, _SITES_SHOWN.format(_holders(keys)), [*keys, today])
    return {row[0]: row for row in rows}


def _holders(values: Sequence[Any]) -> str:
    return ",".join(["%s"] * len(values))


# ── the search without an index ──────────────────────────────────────────────────────────────────────────────────────


async def sites_in_box(tx: Asks, south: float, north: float, west: float, east: float) -> list[SiteRow]:
    """Open sites within two circles of latitude and two of longitude."""
    where = " WHERE lat BETWEEN %s AND %s AND lng BETWEEN %s AND %s AND `open`"
    return [_site(row) for row in await rows_of(tx, _SITE + where, [south, north, west, east])]


async def sites_in_region(tx: Asks, adcode: str) -> list[SiteRow]:
    """Open sites that stand in a region."""
    first, last = adcode_range(prefix_of(adcode))
    where = " WHERE adcode BETWEEN %s AND %s AND `open`"
    return [_site(row) for row in await rows_of(tx, _SITE + where, [first, last])]


async def offers_of_sites(tx: Asks, site_ids: Sequence[bytes]) -> list[OfferRow]:
    """The listed offers of some sites."""
    where = f" WHERE site_id IN ({_holders(site_ids)}) AND listed = 1"
    rows = await rows_of(tx, _OFFER + where, [*site_ids]) if site_ids else []
    return [OfferRow._make(row[:13]) for row in rows]


# ── what the listeners read ──────────────────────────────────────────────────────────────────────────────────────────


async def published_of(
    tx: AsyncSession, service_ids: Sequence[ServiceId]
) -> dict[ServiceId, tuple[Service, ServiceVersion]]:
    """Services with the version they were last published with; those that never were are left out."""
    some = (
        select(Service, ServiceVersion)
        .join(ServiceVersion, ServiceVersion.id == Service.current)
        .where(Service.id.in_(service_ids))
        .order_by(Service.id)
    )
    return {service.id: (service, version) for service, version in await tx.execute(some)}


async def services_after(tx: AsyncSession, service_id: ServiceId | None, *, most: int) -> list[ServiceId]:
    """All services in the order of their keys, a portion at a time."""
    some = select(Service.id).order_by(Service.id).limit(most)
    return list(await tx.scalars(some if service_id is None else some.where(Service.id > service_id)))


async def sites_after(tx: AsyncSession, site_id: SiteId | None, *, most: int) -> list[tuple[Site, Hospital]]:
    """All sites with their hospitals in the order of their keys, a portion at a time."""
    some = select(Site, Hospital).join(Hospital, Hospital.id == Site.hospital_id).order_by(Site.id).limit(most)
    rows = await tx.execute(some if site_id is None else some.where(Site.id > site_id))
    return [(site, hospital) for site, hospital in rows]


async def sites_with_hospital(
    tx: AsyncSession, *, site_id: SiteId | None = None, hospital_id: HospitalId | None = None
) -> list[tuple[Site, Hospital]]:
    """One site, or all of a hospital, with the hospital; in key order."""
    some = select(Site, Hospital).join(Hospital, Hospital.id == Site.hospital_id).order_by(Site.id)
    some = some.where(Site.id == site_id) if site_id is not None else some.where(Site.hospital_id == hospital_id)
    return [(site, hospital) for site, hospital in await tx.execute(some)]


async def staff_sexes_of(tx: AsyncSession, hospital_ids: Iterable[HospitalId]) -> dict[HospitalId, set[Sex]]:
    """Which sexes there are among the verified clinicians of some hospitals."""
    found: dict[HospitalId, set[Sex]] = {each: set() for each in hospital_ids}
    verified = select(Clinician.hospital_id, Clinician.sex).where(
        Clinician.hospital_id.in_(list(found)), Clinician.state == ClinicianState.VERIFIED
    )
    for hospital_id, sex in await tx.execute(verified.distinct()):
        found[hospital_id].add(sex)
    return found


async def open_days_of(
    tx: AsyncSession, service_ids: Iterable[ServiceId], *, today: date
) -> dict[ServiceId, tuple[set[int], set[date]]]:
    """The weekdays on which the pools of some items open, and the days from today on opened by exception."""
    wanted = list(service_ids)
    found: dict[ServiceId, tuple[set[int], set[date]]] = {service_id: (set(), set()) for service_id in wanted}
    drawn = select(PoolService.service_id, Template.weekday).join(Pool, Pool.id == PoolService.pool_id)
    weekly = drawn.join(Template, Template.pool_id == Pool.id).where(PoolService.service_id.in_(wanted), Pool.active)
    for service_id, weekday in await tx.execute(weekly.distinct()):
        found[service_id][0].add(weekday)
    opened = (
        select(PoolService.service_id, ScheduleException.day)
        .join(Pool, Pool.id == PoolService.pool_id)
        .join(ScheduleException, ScheduleException.pool_id == Pool.id)
        .where(
            PoolService.service_id.in_(wanted), Pool.active, ScheduleException.kind == ExceptionKind.OPEN,
            ScheduleException.day >= today,
        )
    )  # fmt: skip
    for service_id, day in await tx.execute(opened.distinct()):
        found[service_id][1].add(day)
    return found


async def offer_rows(tx: AsyncSession, service_ids: Iterable[ServiceId]) -> dict[ServiceId, NearbyOffer]:
    """Rows of this domain by key."""
    some = select(NearbyOffer).where(NearbyOffer.service_id.in_(list(service_ids)))
    return {row.service_id: row for row in await tx.scalars(some.execution_options(populate_existing=True))}


async def site_rows(tx: AsyncSession, site_ids: Iterable[SiteId]) -> dict[SiteId, NearbySite]:
    """Rows of this domain by key."""
    some = select(NearbySite).where(NearbySite.site_id.in_(list(site_ids)))
    return {row.site_id: row for row in await tx.scalars(some.execution_options(populate_existing=True))}
