"""HTTP of nearby: services and hospitals around a place, for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Response
from fastapi.requests import HTTPConnection

from yiyuebao_api.domains.accounts.guards import Anyone
from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.hospitals.models import HospitalLevel
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
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.geo import CoordType, Point, to_gcj02
from yiyuebao_api.kernel.ids import HospitalId, Id, ServiceId, SiteId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, Paging, cursor_of
from yiyuebao_api.kernel.problems import refuses
from yiyuebao_api.kernel.schema import Adcode, Day

public = APIRouter(prefix="/v1/nearby", tags=["nearby"])


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


def _json(page: Page[Any]) -> Response:
    """Validated once and written once; FastAPI would do both again."""
    return Response(page.model_dump_json(), media_type="application/json")


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
    caller: Anyone, around: Around, index: Index, paging: Pages, tx: Tx, now: Now,
    filters: Filters,
    sort: Annotated[Sort, Query(description="`soonest` orders the 200 nearest by their next slot.")] = Sort.DISTANCE,
) -> Response:  # fmt: skip
    """Published services in season that can be had at a place: home services only where their area covers it."""
    wanted, after = _after(paging, filters.wanted(around, day_of(now), sort), ServiceId)
    found = await service.find_services(tx, index, wanted, limit=paging.limit, after=after, now=now)
    at_hospital = wanted.place is Place.HOSPITAL
    items = [
        NearbyServiceOut(
            service_id=ServiceId.of(hit.shown.service_id), name=hit.shown.name, category_code=hit.shown.category_code,
            place=Place(hit.shown.place),
            price_fen=Fen(hit.shown.hospital_price_fen if at_hospital else hit.shown.price_fen),
            duration_min=hit.shown.duration_min, picture_url=hit.shown.picture_url,
            hospital_id=HospitalId.of(hit.shown.hospital_id), hospital_name=hit.shown.hospital_name,
            hospital_level=HospitalLevel(hit.shown.hospital_level), site_id=SiteId.of(hit.shown.site_id),
            site_name=hit.shown.site_name, address=hit.shown.address, adcode=hit.shown.adcode,
            distance_m=None if hit.metres is None else round(hit.metres), next_free_at=hit.next_free_at,
            stars=stars_of(hit.shown.stars, hit.shown.reviews), reviews=hit.shown.reviews,
        )
        for hit in found.hits
    ]  # fmt: skip
    cursor = _next(wanted, found.hits[-1].key, items[-1].service_id) if found.more else None
    return _json(Page[NearbyServiceOut](items=items, next_cursor=cursor))


@public.get(
    "/facets", summary="附近服务的筛选项", responses=refuses(PlaceMissing, PlaceOutsideChina, PeriodNotSearchable)
)
async def count_nearby_services(
    caller: Anyone, around: Around, index: Index, filters: Filters, tx: Tx, now: Now
) -> NearbyFacetsOut:
    """How many services each choice of the filters would leave. Days count as far as pools open on them at all."""
    found = await service.count_services(tx, index, filters.wanted(around, day_of(now), Sort.DISTANCE))
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
    caller: Anyone, around: Around, index: Index, paging: Pages, tx: Tx, now: Now,
    radius_m: Radius = RADIUS_M, category: Category = None,
) -> Response:  # fmt: skip
    """Open hospitals around a place, nearest first, each at its nearest site."""
    asked = Wanted(around.point, around.adcode, day_of(now), radius_m, category)
    wanted, after = _after(paging, asked, SiteId)
    found = await service.find_hospitals(tx, index, wanted, limit=paging.limit, after=after)
    items = [
        NearbyHospitalOut(
            hospital_id=HospitalId.of(hit.row[1]), name=hit.row[2], level=hit.row[3], site_id=SiteId.of(hit.row[0]),
            site_name=hit.row[4], address=hit.row[5], adcode=hit.row[6], lat=hit.row[7], lng=hit.row[8],
            distance_m=None if hit.metres is None else round(hit.metres), services=hit.services,
        )
        for hit in found.hits
    ]  # fmt: skip
    cursor = _next(wanted, found.hits[-1].key, items[-1].site_id) if found.more else None
    return _json(Page[NearbyHospitalOut](items=items, next_cursor=cursor))


ROUTERS: list[APIRouter] = [public]
