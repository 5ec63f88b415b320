"""Rows of hospitals: organisations, sites, proposed licences, history, desk members."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, Double, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.hospitals.rules import HospitalLevel, HospitalState, LicenceReviewState, ServiceArea
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.kernel.ids import AccountId, HospitalId, RowId, SiteId
from yiyuebao_api.kernel.secrets import Sealed

__all__ = [
    "DeskMember",
    "Hospital",
    "HospitalLevel",
    "HospitalMove",
    "HospitalState",
    "LicenceReview",
    "LicenceReviewState",
    "Site",
]


class Hospital(Model):
    """Hospitals: organisations that offer care, with licence, settlement and state."""

    __tablename__ = "hospital"
    __table_args__ = (
        UniqueConstraint("uscc"),
        UniqueConstraint("sub_mchid"),
        Index(None, "state", "id"),
    )

    id: Mapped[HospitalId] = mapped_column(primary_key=True, comment="UUIDv7")
    name: Mapped[str] = mapped_column(String(100), comment="full registered name")
    level: Mapped[HospitalLevel] = mapped_column(comment="grade given by the health authority")
    intro: Mapped[str] = mapped_column(Text, comment="introduction for patients")
    phone: Mapped[str] = mapped_column(String(30), comment="public telephone number")
    opening: Mapped[str] = mapped_column(String(200), comment="opening hours, as people write them")
    departments: Mapped[list[str]] = mapped_column(JSON, comment="names of departments (RULE-20)")
    state: Mapped[HospitalState] = mapped_column(comment="draft, open, suspended")
    uscc: Mapped[str] = mapped_column(code_column(18), comment="unified social credit code (RULE-14)")
    licence_no: Mapped[str | None] = mapped_column(code_column(30), comment="practice licence number (RULE-15)")
    licence_valid_until: Mapped[date | None] = mapped_column(comment="last day of the licence, inclusive (RULE-19)")
    licence_checked_at: Mapped[datetime | None] = mapped_column(comment="last check by the operator (RULE-21)")
    home_mode: Mapped[bool | None] = mapped_column(comment="may visit patients at home (RULE-19); null while unknown")
    sub_mchid: Mapped[str | None] = mapped_column(code_column(20), comment="its WeChat Pay sub-merchant (RULE-71)")
    sub_appid: Mapped[str | None] = mapped_column(code_column(32), comment="its own AppID, if payers' openids are its")
    version: Mapped[int] = mapped_column(comment="counts edits; the ETag")
    created_at: Mapped[datetime] = mapped_column(comment="when it was registered")


class Site(Model):
    """Sites of hospitals: where patients go, and the area that staff travel to from there."""

    __tablename__ = "site"
    __table_args__ = (
        Index(None, "hospital_id", "id"),
        Index(None, "adcode", "hospital_id"),
        CheckConstraint("radius_m BETWEEN 500 AND 100000", name="radius"),
    )

    id: Mapped[SiteId] = mapped_column(primary_key=True, comment="UUIDv7")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="whose site it is")
    name: Mapped[str] = mapped_column(String(100), comment="name of the site")
    adcode: Mapped[str] = mapped_column(code_column(6), comment="GB/T 2260 district code (RULE-18)")
    address: Mapped[str] = mapped_column(String(200), comment="street address")
    lat: Mapped[float] = mapped_column(Double, comment="latitude, GCJ-02 degrees")
    lng: Mapped[float] = mapped_column(Double, comment="longitude, GCJ-02 degrees")
    radius_m: Mapped[int] = mapped_column(comment="how far staff travel, metres (RULE-44)")
    adcodes: Mapped[list[str]] = mapped_column(JSON, comment="served districts, prefixes; empty: all within the radius")
    open_for_home: Mapped[bool] = mapped_column(comment="staff leave from here for home visits")
    version: Mapped[int] = mapped_column(comment="counts edits; the ETag")
    created_at: Mapped[datetime] = mapped_column(comment="when it was added")

    @property
    def point(self) -> Point:
        """The site on the map, GCJ-02."""
        return Point(self.lat, self.lng)

    @property
    def area(self) -> ServiceArea:
        """Where its staff go."""
        return ServiceArea(self.point, self.radius_m, tuple(self.adcodes))


class LicenceReview(Model):
    """Licences that desks proposed, and what the operator decided; the licence in force stays until one is approved."""

    __tablename__ = "licence_review"
    __table_args__ = (Index(None, "hospital_id", "id"), Index(None, "state", "id"))

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="whose licence")
    licence_no: Mapped[str] = mapped_column(code_column(30), comment="proposed licence number")
    licence_valid_until: Mapped[date] = mapped_column(comment="proposed last day, inclusive")
    state: Mapped[LicenceReviewState] = mapped_column(comment="pending, approved, refused")
    reason: Mapped[str | None] = mapped_column(String(500), comment="why it was refused")
    submitted_by: Mapped[AccountId] = mapped_column(comment="desk account that proposed it")
    submitted_at: Mapped[datetime] = mapped_column(comment="when it was proposed")
    decided_by: Mapped[AccountId | None] = mapped_column(comment="operator who decided")
    decided_at: Mapped[datetime | None] = mapped_column(comment="when it was decided")


class HospitalMove(Model):
    """History of hospitals: every change of state with who and why; rows are only added."""

    __tablename__ = "hospital_move"
    __table_args__ = (Index(None, "hospital_id", "id"),)

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="which hospital")
    state: Mapped[HospitalState] = mapped_column(comment="the state it came into")
    reason: Mapped[str | None] = mapped_column(String(500), comment="why, in the operator's words")
    account_id: Mapped[AccountId | None] = mapped_column(comment="who did it; null for the installation itself")
    at: Mapped[datetime] = mapped_column(comment="when")


class DeskMember(Model):
    """Desk members: names of the people who work at a hospital's management back end; the right itself is a role."""

    __tablename__ = "desk_member"
    __table_args__ = (Index(None, "hospital_id", "account_id"),)

    account_id: Mapped[AccountId] = mapped_column(primary_key=True, comment="the account that signs in")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="whose desk")
    name: Mapped[str] = mapped_column(Sealed("desk_members.name", 50), comment="name of the person, sealed")
    login: Mapped[str] = mapped_column(String(64), comment="what they sign in with")
    created_at: Mapped[datetime] = mapped_column(comment="when they were added")
    removed_at: Mapped[datetime | None] = mapped_column(comment="when their right ended")
