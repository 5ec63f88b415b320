"""A large installation for benchmarks: 20 000 sites clustered like sixty cities, and as many services as one asks for.

Every row that a search, a page, or a list of free times reads is there, and the facts agree between tables. Services
are written in transactions of 20 000 with everything that follows from them, so an interrupted run goes on where it
stopped. The benchmark's hospitals are nobody's: no desk, no staff, no merchant.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import accumulate
from typing import Any, TypeVar, cast

from sqlalchemy import BigInteger, Table, case, func, insert, literal, select
from sqlalchemy import cast as cast_to
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue.models import Place, RiskGrade, Service, ServiceState, ServiceVersion
from yiyuebao_api.domains.catalogue.rules import CATEGORIES
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalLevel, HospitalState, Site
from yiyuebao_api.domains.hospitals.rules import org_code_check_letter, uscc_check_letter
from yiyuebao_api.domains.nearby.models import NearbyOffer, NearbySite
from yiyuebao_api.domains.nearby.queries import lock_counter
from yiyuebao_api.domains.schedules.models import Pool, PoolService, Template
from yiyuebao_api.kernel.database import Database, Model
from yiyuebao_api.kernel.ids import HospitalId, Id, PoolId, RowId, ServiceId, ServiceVersionId, SiteId
from yiyuebao_api.seed.cities import CITIES
from yiyuebao_api.seed.fixed import BEGAN
from yiyuebao_api.seed.items import ITEMS

SITES = 20_000
_CHUNK, _ROWS = 20_000, 5_000
_FIRST = int((BEGAN + timedelta(days=1)).timestamp() * 1000)  # a day after the demonstration's rows
_VISIT, _MATERIAL, _TRAVEL = 5_000, 1_000, 3_000
#: Which weekdays a site's pool is open, Monday is bit 0: every day, workdays, without Sunday, Tuesday and Thursday.
_WEEKS = (0b1111111, 0b0011111, 0b0111111, 0b0001010)

_AnyId = TypeVar("_AnyId", bound=Id)
_HOME_ITEMS = tuple(item for item in ITEMS if item.content.place is not Place.HOSPITAL)
_CODES = tuple(code for code, *_ in CATEGORIES)


def scale_id(kind: type[_AnyId], number: int) -> _AnyId:
    """The id of the benchmark's row with that number, in the order of numbers."""
    return kind(int=_FIRST << 80 | 0x7 << 76 | 0b10 << 62 | number)


async def seed_scale(database: Database, services: int) -> dict[str, int]:
    """Bring the benchmark's installation up to `services` services, one in ten of them not published.

    A smaller number than there is removes nothing. Returns the rows that were new, by table.
    """
    added = {"site": 0, "service": 0}
    async with database.begin() as tx:
        if await _count(tx, Site, SiteId) == 0:
            await _sites(tx)
            added["site"] = SITES
    async with database.begin() as tx:
        there = await _count(tx, Service, ServiceId)
    for first in range(there, services, _CHUNK):
        last = min(first + _CHUNK, services)
        async with database.begin() as tx:
            await _services(tx, first, last)
        added["service"] += last - first
    return added


async def _count(tx: AsyncSession, model: Any, kind: type[Id]) -> int:
    ours = model.id.between(scale_id(kind, 0), scale_id(kind, (1 << 48) - 1))
    return await tx.scalar(select(func.count()).select_from(model).where(ours)) or 0


def _table(model: type[Model]) -> Table:
    return cast("Table", model.__table__)


async def _insert(tx: AsyncSession, model: type[Model], rows: Iterator[dict[str, Any]]) -> None:
    """Many rows, in statements of some thousands."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS:
            await tx.execute(insert(_table(model)), batch)
            batch = []
    if batch:
        await tx.execute(insert(_table(model)), batch)


# ── sites ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _sites(tx: AsyncSession) -> None:
    await _insert(tx, Hospital, (_hospital(number) for number in range(SITES)))
    await _insert(tx, Site, _site_rows())
    await _insert(tx, Pool, (_pool(number) for number in range(SITES)))
    await _insert(tx, Template, _templates())
    number = _number_of(Site.id)
    facts = (
        select(
            Site.id, Site.hospital_id, Hospital.name, Hospital.level, Site.name, Site.address, Site.adcode, Site.lat,
            Site.lng, Site.radius_m, Site.adcodes, Site.open_for_home, literal(True), Hospital.licence_valid_until,
            literal(0), number + await _numbers(tx, SITES),
        )
        .join(Hospital, Hospital.id == Site.hospital_id)
        .where(Site.id.between(scale_id(SiteId, 0), scale_id(SiteId, SITES)))
    )  # fmt: skip
    columns = (
        "site_id", "hospital_id", "hospital_name", "hospital_level", "name", "address", "adcode", "lat", "lng",
        "radius_m", "adcodes", "goes_home", "open", "licence_until", "staff_sexes", "change_number",
    )  # fmt: skip
    await tx.execute(insert(_table(NearbySite)).from_select(columns, facts))


async def _numbers(tx: AsyncSession, many: int) -> int:
    """The first of so many numbers of nearby's changes, one for each row; its counter is held until the commit."""
    counter = await lock_counter(tx)
    first = counter.number + 1
    counter.number += many
    await tx.flush()
    return first


def _number_of(key: Any) -> Any:
    """The number inside an id of the benchmark, as the server computes it."""
    return cast_to(func.conv(func.right(func.hex(key), 12), 16, 10), BigInteger)


def _hospital(number: int) -> dict[str, Any]:
    city = CITIES[_city_of(number)]
    organisation = f"{number:08d}"
    first = f"12{city[1]}00{organisation}{org_code_check_letter(organisation)}"
    return {
        "id": scale_id(HospitalId, number), "name": f"{city[0]}第{number}医院", "level": HospitalLevel.SECONDARY_A,
        "intro": "基准测试数据。", "phone": "010-60000000", "opening": "周一至周日 08:00-18:00", "departments": [],
        "state": HospitalState.OPEN, "uscc": first + uscc_check_letter(first),
        "licence_no": f"{number:09d}{city[1]}0112A1001", "licence_valid_until": date(2040, 12, 31),
        "licence_checked_at": BEGAN, "home_mode": True, "sub_mchid": None, "sub_appid": None, "version": 1,
        "created_at": BEGAN,
    }  # fmt: skip


_HEIGHTS = list(accumulate(city[4] for city in CITIES))


def _city_of(number: int) -> int:
    """The city of a site: as many sites as its weight asks for."""
    dice = random.Random(number)
    return dice.choices(range(len(CITIES)), cum_weights=_HEIGHTS)[0]


def _site_rows() -> Iterator[dict[str, Any]]:
    dice = random.Random(20_261_123)
    for number in range(SITES):
        name, code, lat, lng, weight = CITIES[_city_of(number)]
        spread = 0.05 + weight / 3000
        district = dice.randint(2, 12)
        yield {
            "id": scale_id(SiteId, number), "hospital_id": scale_id(HospitalId, number), "name": f"{name}院区",
            "adcode": f"{code}{district:02d}", "address": f"{name}第{number}号", "lat": dice.gauss(lat, spread),
            "lng": dice.gauss(lng, spread), "radius_m": dice.choice((5_000, 10_000, 10_000, 15_000, 20_000, 30_000)),
            "adcodes": [code] if dice.random() < 0.2 else [], "open_for_home": dice.random() < 0.95, "version": 1,
            "created_at": BEGAN,
        }  # fmt: skip


def _pool(number: int) -> dict[str, Any]:
    return {
        "id": scale_id(PoolId, number), "hospital_id": scale_id(HospitalId, number),
        "site_id": scale_id(SiteId, number), "name": "护理组",
        "place": Place.BOTH, "capacity": 2, "lead_minutes": 240, "horizon_days": 14, "night": False,
        "active": True, "version": 1,
    }  # fmt: skip


def _templates() -> Iterator[dict[str, Any]]:
    for number in range(SITES):
        for weekday in range(7):
            if _WEEKS[number % 4] >> weekday & 1:
                yield {
                    "id": scale_id(RowId, number * 7 + weekday), "pool_id": scale_id(PoolId, number),
                    "weekday": weekday, "start_minute": 480, "end_minute": 1080, "step_minutes": 30, "capacity": None,
                }  # fmt: skip


# ── services ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _services(tx: AsyncSession, first: int, last: int) -> None:
    """The services with these numbers, and everything that follows from them."""
    await _insert(tx, Service, _service_rows(first, last))
    some = Service.id.between(scale_id(ServiceId, first), scale_id(ServiceId, last - 1))
    await tx.execute(_versions(some))
    await tx.execute(_offers(some, await _numbers(tx, last - first) - first))
    for place in (Place.HOME, Place.HOSPITAL):
        await tx.execute(_draws(some, place))


def _service_rows(first: int, last: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(first)
    places = (Place.HOME, Place.HOME, Place.BOTH, Place.HOSPITAL)
    unpublished = (ServiceState.SUSPENDED, ServiceState.RETIRED)
    sites = [
        int(SITES * dice.random() ** 1.3) for _ in range(first, last)
    ]  # some sites offer several times the average
    for number, site in zip(range(first, last), sites, strict=True):
        item = _HOME_ITEMS[number * 7 % len(_HOME_ITEMS)]
        yield {
            "id": scale_id(ServiceId, number), "hospital_id": scale_id(HospitalId, site),
            "site_id": scale_id(SiteId, site), "category_code": _CODES[dice.randrange(len(_CODES))], "code": item.code,
            "state": unpublished[number // 10 % 2] if number % 10 == 0 else ServiceState.PUBLISHED,
            "current": scale_id(ServiceVersionId, number), "draft": None, "version": 2,
            "name": item.content.name, "place": places[dice.randrange(4)],
            "price_fen": 12_000 + 100 * dice.randrange(600), "season_from": None, "season_until": None,
            "created_at": BEGAN,
        }  # fmt: skip


def _parts() -> tuple[Any, Any, Any]:
    """Visit fee, item fee and travel fee that add up to the price with the material."""
    inside = Service.place == Place.HOSPITAL
    visit, travel = case((inside, 0), else_=_VISIT), case((inside, 0), else_=_TRAVEL)
    return visit, Service.price_fen - _MATERIAL - visit - travel, travel


def _versions(some: Any) -> Any:
    visit, item, travel = _parts()
    told: dict[str, Any] = {
        "id": Service.current, "service_id": Service.id, "number": literal(1), "name": Service.name,
        "intro": literal("基准测试数据。"), "tips": literal("无。"), "cautions": literal("无。"),
        "place": Service.place,
        "duration_min": literal(60), "buffer_before_min": literal(0), "buffer_after_min": literal(15),
        "lead_minutes": literal(240), "risk_grade": literal(RiskGrade.LOW.value), "clinical": literal(True),
        "skills": literal("[]"), "prerequisites": literal("无。"), "contraindications": literal("无。"),
        "consumables": literal("无。"), "medical_waste": literal(False), "requires_order": literal(False),
        "visit_fee_fen": visit, "item_fee_fen": item, "material_fee_fen": literal(_MATERIAL), "travel_fee_fen": travel,
        "price_fen": Service.price_fen, "published_at": Service.created_at,
    }  # fmt: skip
    return insert(_table(ServiceVersion)).from_select(list(told), select(*told.values()).where(some))


def _offers(some: Any, ahead: int) -> Any:
    """What nearby knows of them; their change numbers are their own numbers plus `ahead`."""
    _, item, _ = _parts()
    week = func.elt(_number_of(Service.site_id) % 4 + 1, *_WEEKS)
    told: dict[str, Any] = {
        "service_id": Service.id, "hospital_id": Service.hospital_id, "site_id": Service.site_id,
        "listed": Service.state == ServiceState.PUBLISHED, "category_code": Service.category_code, "name": Service.name,
        "duration_min": literal(60), "place": Service.place, "price_fen": Service.price_fen,
        "hospital_price_fen": item + _MATERIAL, "weekdays": week, "extra_days": literal(0),
        "stars": literal(0), "reviews": literal(0),
        "change_number": _number_of(Service.id) + ahead,
    }  # fmt: skip
    return insert(_table(NearbyOffer)).from_select(list(told), select(*told.values()).where(some))


def _draws(some: Any, place: Place) -> Any:
    drawn = select(Service.id, literal(place.value), Pool.id).join(Pool, Pool.site_id == Service.site_id)
    here = Service.place.in_([place, Place.BOTH])
    return insert(_table(PoolService)).from_select(["service_id", "place", "pool_id"], drawn.where(some, here))
