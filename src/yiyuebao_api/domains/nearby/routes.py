"""HTTP of nearby: services and hospitals around a place, for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Response
from fastapi.requests import HTTPConnection
from pydantic_core import to_json

from yiyuebao_api.domains.accounts.guards import Anyone
from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.nearby import service
from yiyuebao_api.domains.nearby.index import NearbyIndex
from yiyuebao_api.domains.nearby.problems import PeriodNotSearchable, PlaceMissing, PlaceOutsideChina
from yiyuebao_api.domains.nearby.rules import RADIUS_M, Sort, Wanted, searched_days, stars_of
from yiyuebao_api.domains.nearby.schemas import (
    CategoryFacetOut,
    NearbyFacetsOut,
    NearbyHospitalOut,
    NearbyServiceOut,
    PlaceFacetOut,
    PriceFacetOut,
    SexFacetOut,
    StarsFacetOut,
)
from yiyuebao_api.domains.nearby.snapshot import PRICE_BANDS
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.geo import CoordType, Point, to_gcj02
from yiyuebao_api.kernel.ids import HospitalId, Id, ServiceId, SiteId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, Paging, cursor_of
from yiyuebao_api.kernel.problems import refuses
from yiyuebao_api.kernel.reading import Reading
from yiyuebao_api.kernel.routing import DirectRoute
from yiyuebao_api.kernel.schema import Adcode, Day, wire_time

public = APIRouter(prefix="/v1/nearby", tags=["nearby"], route_class=DirectRoute)


async def _index(connection: HTTPConnection) -> NearbyIndex:
    return cast("NearbyIndex", connection.app.state.nearby)


async def _origin(
    lat: Annotated[float | None, Query(description="Latitude; together with `lng`.", examples=[20.023])] = None,
    lng: Annotated[float | None, Query(description="Longitude, degrees.", examples=[110.32])] = None,
    coord_type: Annotated[CoordType, Query(description="The datum of `lat` and `lng`.")] = CoordType.GCJ02,
    adcode: Annotated[
        Adcode | None,
        Query(description="District or region: instead of `lat` and `lng`, or together with them to check districts."),
    ] = None,
) -> Origin:  # fmt: skip
    if (lat is None) is not (lng is None):
        raise PlaceMissing
    if lat is None or lng is None:
        if adcode is None:
            raise PlaceMissing
        return Origin(None, adcode)
    try:
        return Origin(to_gcj02(lat, lng, coord_type), adcode)
    except ValueError:
        raise PlaceOutsideChina from None


class Origin:
    """Where a search starts: a point, a district, or both."""

    def __init__(self, point: Point | None, adcode: str | None) -> None:
        self.point, self.adcode = point, adcode


Index = Annotated[NearbyIndex, Depends(_index)]
Around = Annotated[Origin, Depends(_origin)]
Radius = Annotated[int, Query(ge=100, le=100_000, description="Metres; only with `lat` and `lng`.")]
Category = Annotated[
    str | None, Query(pattern=r"^[a-z0-9_-]{1,20}$", description="Code from GET /v1/catalogue/categories.")
]


@dataclass(frozen=True, slots=True)
class Filter:
    """What the services are asked to be."""

    radius_m: int
    category: str | None
    place: Place | None
    max_price_fen: Fen | None
    earliest: date | None
    latest: date | None
    min_stars: float | None
    staff_sex: Sex | None

    def wanted(self, around: Origin, today: date, sort: Sort) -> Wanted:
        """Raises PeriodNotSearchable."""
        return Wanted(
            around.point, around.adcode, today, self.radius_m, self.category,
            None if self.place is Place.BOTH else self.place, self.max_price_fen,
            searched_days(self.earliest, self.latest, today), sort, self.min_stars, self.staff_sex,
        )  # fmt: skip


async def _filters(
    radius_m: Radius = RADIUS_M, category: Category = None,
    place: Annotated[Place | None, Query(description="`home`: whose staff come here; `hospital`: to go to.")] = None,
    max_price_fen: Annotated[int | None, Query(ge=0, le=10_000_000, description="At most so many fen.")] = None,
    earliest: Annotated[Day | None, Query(description="With a free slot on or after this day in Shanghai.")] = None,
    latest: Annotated[Day | None, Query(description="With a free slot on or before this day.")] = None,
    min_stars: Annotated[
        float | None, Query(ge=1, le=5, description="Reviewed with so many stars or more; leaves out what nobody reviewed.")
    ] = None,
    staff_sex: Annotated[Sex | None, Query(description="Hospitals with staff of that sex.")] = None,
) -> Filter:  # fmt: skip
    price = None if max_price_fen is None else Fen(max_price_fen)
    return Filter(radius_m, category, place, price, earliest, latest, min_stars, staff_sex)


Filters = Annotated[Filter, Depends(_filters)]


def _json(page: dict[str, Any]) -> Response:
    return Response(to_json(page), media_type="application/json")


def _after(paging: Paging, wanted: Wanted, kind: type[Id]) -> tuple[Wanted, tuple[float, bytes] | None]:
    """What a cursor holds. The origin in it is the first page's: a phone that moves still gets one list."""
    held = paging.after(str, float, kind, float, float)
    if held is None:
        return wanted, None
    sort, key, row, lat, lng = held
    origin = wanted.origin
    if sort != wanted.sort.value or not isfinite(key):
        raise InvalidCursor
    if origin is not None:
        try:
            origin = Point(lat, lng)
        except ValueError:
            raise InvalidCursor from None
    moved = Wanted(**{name: getattr(wanted, name) for name in wanted.__slots__} | {"origin": origin})
    return moved, (key, row.bytes)


def _next(wanted: Wanted, key: float, row: Id) -> str:
    lat, lng = (wanted.origin.lat, wanted.origin.lng) if wanted.origin else (0.0, 0.0)
    return cursor_of(wanted.sort.value, float(key), row, float(lat), float(lng))


@public.get(
    "/services", summary="附近的服务", response_model=Page[NearbyServiceOut],
    responses=refuses(PlaceMissing, PlaceOutsideChina, PeriodNotSearchable, InvalidCursor),
)  # fmt: skip
async def find_nearby_services(
    caller: Anyone, around: Around, index: Index, paging: Pages, reader: Reading, now: Now,
    filters: Filters,
    sort: Annotated[Sort, Query(description="`soonest` orders the 200 nearest by their next slot.")] = Sort.DISTANCE,
) -> Response:  # fmt: skip
    """Published services in season that can be had at a place: home services only where their area covers it."""
    wanted, after = _after(paging, filters.wanted(around, day_of(now), sort), ServiceId)
    found = await service.find_services(reader, index, wanted, limit=paging.limit, after=after, now=now)
    at_hospital = wanted.place is Place.HOSPITAL
    cursor = _next(wanted, found.hits[-1].key, ServiceId.of(found.hits[-1].shown.service_id)) if found.more else None
    return _json({"items": [_service(hit, at_hospital) for hit in found.hits], "next_cursor": cursor})


def _service(hit: service.Hit, at_hospital: bool) -> dict[str, Any]:
    """`NearbyServiceOut`, straight from the row: what our own tables say is not validated at every search."""
    row = hit.shown
    return {
        "service_id": ServiceId.text_of(row.service_id), "name": row.name, "category_code": row.category_code,
        "place": row.place, "price_fen": row.hospital_price_fen if at_hospital else row.price_fen,
        "duration_min": row.duration_min, "picture_url": row.picture_url,
        "hospital_id": HospitalId.text_of(row.hospital_id), "hospital_name": row.hospital_name,
        "hospital_level": row.hospital_level, "site_id": SiteId.text_of(row.site_id), "site_name": row.site_name,
        "address": row.address, "adcode": row.adcode, "distance_m": None if hit.metres is None else round(hit.metres),
        "stars": stars_of(row.stars, row.reviews), "reviews": row.reviews,
        "next_free_at": None if hit.next_free_at is None else wire_time(hit.next_free_at),
    }  # fmt: skip


@public.get(
    "/facets", summary="附近服务的筛选项", responses=refuses(PlaceMissing, PlaceOutsideChina, PeriodNotSearchable)
)
async def count_nearby_services(
    caller: Anyone, around: Around, index: Index, filters: Filters, reader: Reading, now: Now
) -> NearbyFacetsOut:
    """How many services each choice of the filters would leave. Days count as far as pools open on them at all."""
    found = await service.count_services(reader, index, filters.wanted(around, day_of(now), Sort.DISTANCE))
    ends = [*PRICE_BANDS, None]
    return NearbyFacetsOut(
        categories=[CategoryFacetOut(category_code=code, services=n) for code, n in found.categories.items()],
        places=[PlaceFacetOut(place=place, services=n) for place, n in found.places.items()],
        prices=[
            PriceFacetOut(above_fen=Fen(below or 0), upto_fen=None if upto is None else Fen(upto), services=n)
            for below, upto, n in zip([0, *PRICE_BANDS], ends, found.prices, strict=True)
        ],
        stars=[StarsFacetOut(min_stars=stars, services=n) for stars, n in found.stars.items()],
        staff_sexes=[SexFacetOut(staff_sex=sex, services=n) for sex, n in found.sexes.items()],
    )


@public.get(
    "/hospitals", summary="附近的医院", response_model=Page[NearbyHospitalOut],
    responses=refuses(PlaceMissing, PlaceOutsideChina, InvalidCursor),
)  # fmt: skip
async def find_nearby_hospitals(
    caller: Anyone, around: Around, index: Index, paging: Pages, reader: Reading, now: Now,
    radius_m: Radius = RADIUS_M, category: Category = None,
) -> Response:  # fmt: skip
    """Open hospitals around a place, nearest first, each at its nearest site."""
    asked = Wanted(around.point, around.adcode, day_of(now), radius_m, category)
    wanted, after = _after(paging, asked, SiteId)
    found = await service.find_hospitals(reader, index, wanted, limit=paging.limit, after=after)
    items = [_hospital(hit) for hit in found.hits]
    cursor = _next(wanted, found.hits[-1].key, SiteId.of(found.hits[-1].row[0])) if found.more else None
    return _json({"items": items, "next_cursor": cursor})


def _hospital(hit: service.HospitalHit) -> dict[str, Any]:
    """`NearbyHospitalOut`, in the same way."""
    site_id, hospital_id, name, level, site_name, address, adcode, lat, lng = hit.row
    return {
        "hospital_id": HospitalId.text_of(hospital_id), "name": name, "level": level, "site_id": SiteId.text_of(site_id),
        "site_name": site_name, "address": address, "adcode": adcode, "lat": lat, "lng": lng,
        "distance_m": None if hit.metres is None else round(hit.metres), "services": hit.services,
    }  # fmt: skip


ROUTERS: list[APIRouter] = [public]
