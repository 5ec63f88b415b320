"""What a search answers."""

from __future__ import annotations

from pydantic import Field

from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.hospitals.models import HospitalLevel
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.kernel.ids import HospitalId, ServiceId, SiteId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.schema import Moment, Out

_METRES = Field(
    ge=0, description="Metres from the place asked about to the site; null in a search by adcode.", examples=[1280]
)


class NearbyServiceOut(Out):
    """A service that can be had at the place asked about."""

    service_id: ServiceId
    name: str = Field(examples=["PICC/输液港维护"])
    category_code: str = Field(examples=["postop"])
    place: Place
    price_fen: Fen = Field(
        description="At home; in hospital when that was asked for or it is done only there.", examples=[24500]
    )
    duration_min: int = Field(examples=[45])
    picture_url: str | None
    hospital_id: HospitalId
    hospital_name: str = Field(examples=["海口第一人民医院"])
    hospital_level: HospitalLevel
    site_id: SiteId
    site_name: str = Field(examples=["龙华院区"])
    address: str = Field(examples=["海口市龙华区金盘路 18 号"])
    adcode: str = Field(examples=["460106"])
    distance_m: int | None = _METRES
    stars: float | None = Field(description="Mean of the reviews, 1 to 5; null before the first.", examples=[4.8])
    reviews: int = Field(ge=0, description="How many reviews.", examples=[37])
    next_free_at: Moment | None = Field(
        description="First free slot, within the days asked for; null when there is none."
    )


class CategoryFacetOut(Out):
    """A category and what it would leave."""

    category_code: str = Field(examples=["postop"])
    services: int


class PlaceFacetOut(Out):
    """A place and what it would leave."""

    place: Place
    services: int


class PriceFacetOut(Out):
    """A band of prices and what lies in it."""

    above_fen: Fen = Field(description="Lower end, not included.", examples=[10000])
    upto_fen: Fen | None = Field(description="Upper end, included; null: no upper end.", examples=[20000])
    services: int


class StarsFacetOut(Out):
    """A least rating and what it would leave."""

    min_stars: float = Field(examples=[4.5])
    services: int


class SexFacetOut(Out):
    """Staff of a sex, and the services of the hospitals that have some."""

    staff_sex: Sex
    services: int


class NearbyFacetsOut(Out):
    """How many services each choice would leave, all other filters staying as they are (G06)."""

    categories: list[CategoryFacetOut]
    places: list[PlaceFacetOut]
    prices: list[PriceFacetOut]
    stars: list[StarsFacetOut]
    staff_sexes: list[SexFacetOut]


class NearbyHospitalOut(Out):
    """A hospital at its nearest site."""

    hospital_id: HospitalId
    name: str = Field(examples=["海口第一人民医院"])
    level: HospitalLevel
    site_id: SiteId
    site_name: str = Field(examples=["龙华院区"])
    address: str = Field(examples=["海口市龙华区金盘路 18 号"])
    adcode: str = Field(examples=["460106"])
    lat: float = Field(description="GCJ-02 degrees.", examples=[20.01893])
    lng: float = Field(description="GCJ-02 degrees.", examples=[110.31997])
    distance_m: int | None = _METRES
    services: int = Field(
        ge=0, description="Published services of that site (in the category asked for).", examples=[27]
    )
