"""Rows of nearby: what decides a search, per offer and per site, and the counter that orders their changes."""

from __future__ import annotations

from datetime import date

from sqlalchemy import JSON, BigInteger, Double, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.hospitals.models import HospitalLevel
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import HospitalId, RowId, ServiceId, SiteId
from yiyuebao_api.kernel.money import Fen


class NearbyOffer(Model):
    """Searchable facts of services, rewritten in the transaction that changes them; unpublished ones stay, unlisted."""

    __tablename__ = "nearby_offer"
    __table_args__ = (Index(None, "change_number"), Index(None, "site_id", "listed"))

    service_id: Mapped[ServiceId] = mapped_column(primary_key=True, comment="the item")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="who offers it")
    site_id: Mapped[SiteId] = mapped_column(comment="from where, or where")
    listed: Mapped[bool] = mapped_column(comment="published now")
    category_code: Mapped[str] = mapped_column(code_column(20), comment="its category")
    name: Mapped[str] = mapped_column(String(100), comment="name of the published version")
    picture_url: Mapped[str | None] = mapped_column(String(500), comment="picture of the published version")
    duration_min: Mapped[int] = mapped_column(SmallInteger, comment="length, minutes")
    place: Mapped[Place] = mapped_column(comment="home, hospital, both")
    price_fen: Mapped[Fen] = mapped_column(comment="price at home, or in hospital for items done only there, fen")
    hospital_price_fen: Mapped[Fen] = mapped_column(comment="price in hospital, fen")
    season_from: Mapped[date | None] = mapped_column(comment="first day of the season, inclusive")
    season_until: Mapped[date | None] = mapped_column(comment="last day of the season, inclusive")
    stars: Mapped[int] = mapped_column(default=0, comment="stars of all reviews added up (G06)")
    reviews: Mapped[int] = mapped_column(default=0, comment="how many reviews")
    weekdays: Mapped[int] = mapped_column(SmallInteger, comment="days its pools open each week, bit 0 is Monday")
    extra_days: Mapped[int] = mapped_column(BigInteger, comment="days opened by exception, bit = day number mod 62")
    change_number: Mapped[int] = mapped_column(BigInteger, comment="number of the last change")


class NearbySite(Model):
    """Searchable facts of sites and their hospitals, rewritten in the transaction that changes them."""

    __tablename__ = "nearby_site"
    __table_args__ = (
        Index(None, "change_number"),
        Index(None, "lat", "lng"),
        Index(None, "adcode"),
        Index(None, "hospital_id"),
    )

    site_id: Mapped[SiteId] = mapped_column(primary_key=True, comment="the site")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="whose site")
    hospital_name: Mapped[str] = mapped_column(String(100), comment="name of the hospital")
    hospital_level: Mapped[HospitalLevel] = mapped_column(comment="its grade")
    name: Mapped[str] = mapped_column(String(100), comment="name of the site")
    address: Mapped[str] = mapped_column(String(200), comment="street address")
    adcode: Mapped[str] = mapped_column(code_column(6), comment="its district")
    lat: Mapped[float] = mapped_column(Double, comment="latitude, GCJ-02 degrees")
    lng: Mapped[float] = mapped_column(Double, comment="longitude, GCJ-02 degrees")
    radius_m: Mapped[int] = mapped_column(comment="how far its staff travel, metres")
    adcodes: Mapped[list[str]] = mapped_column(
        JSON, comment="served district prefixes; empty: the radius alone decides"
    )
    goes_home: Mapped[bool] = mapped_column(comment="hospital and site visit patients at home")
    open: Mapped[bool] = mapped_column(comment="the hospital is open")
    staff_sexes: Mapped[int] = mapped_column(
        SmallInteger, default=0, comment="sexes among its verified clinicians: bit 0 female, bit 1 male (G06)"
    )
    licence_until: Mapped[date | None] = mapped_column(comment="last day of the hospital's licence, inclusive")
    change_number: Mapped[int] = mapped_column(BigInteger, comment="number of the last change")


class NearbyChange(Model):
    """The counter of changes; who changes a row holds its lock until the commit, so numbers appear in their order."""

    __tablename__ = "nearby_change"

    kind: Mapped[str] = mapped_column(code_column(20), primary_key=True, comment="what is counted: search")
    number: Mapped[int] = mapped_column(BigInteger, comment="the last number given out")
    epoch: Mapped[RowId] = mapped_column(comment="which counter this is: numbers of another one mean nothing here")
