"""Rows of the catalogue: categories, services, their immutable versions, history, regional policy."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.catalogue.rules import Listing, Place, RiskGrade, Scenario, ServiceState
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import (
    AccountId,
    ClinicianId,
    HospitalId,
    RegionalPolicyId,
    RowId,
    ServiceId,
    ServiceVersionId,
    SiteId,
)
from yiyuebao_api.kernel.money import Fen

__all__ = [
    "Category",
    "Listing",
    "Place",
    "RegionalPolicy",
    "RiskGrade",
    "Scenario",
    "Service",
    "ServiceMove",
    "ServiceState",
    "ServiceVersion",
]


class Category(Model):
    """Categories of services, in the order they are shown."""

    __tablename__ = "category"

    code: Mapped[str] = mapped_column(code_column(20), primary_key=True, comment="stable code")
    scenario: Mapped[Scenario] = mapped_column(comment="scenario of care it belongs to")
    name_zh: Mapped[str] = mapped_column(String(50), comment="name in Chinese")
    name_en: Mapped[str] = mapped_column(String(50), comment="name in English")
    position: Mapped[int] = mapped_column(comment="order in lists")


class Service(Model):
    """Services: items a site offers; name, place, price and season are copies of the published version."""

    __tablename__ = "service"
    __table_args__ = (
        Index(None, "hospital_id", "state", "id"),
        Index(None, "site_id", "state", "category_code"),
        Index(None, "proposed_by", "state"),
        CheckConstraint("price_fen >= 0", name="price"),
    )

    id: Mapped[ServiceId] = mapped_column(primary_key=True, comment="UUIDv7")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="who offers it")
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), comment="from where, or where")
    category_code: Mapped[str] = mapped_column(code_column(20), ForeignKey("category.code"), comment="its category")
    code: Mapped[str] = mapped_column(code_column(20), comment="item code of the regional lists, such as N05 (RULE-31)")
    state: Mapped[ServiceState] = mapped_column(comment="draft, published, suspended, retired")
    current: Mapped[ServiceVersionId | None] = mapped_column(comment="the version last published")
    proposed_by: Mapped[ClinicianId | None] = mapped_column(comment="which clinician proposed it; null: the desk's own")
    draft: Mapped[dict[str, Any] | None] = mapped_column(JSON, comment="edits that wait for publication")
    version: Mapped[int] = mapped_column(comment="counts edits; the ETag")
    name: Mapped[str] = mapped_column(String(100), comment="name (of the version; of the draft before the first)")
    place: Mapped[Place] = mapped_column(comment="home, hospital, both (same source as name)")
    price_fen: Mapped[Fen] = mapped_column(comment="price shown in lists, fen (same source as name)")
    season_from: Mapped[date | None] = mapped_column(comment="first day of the season, inclusive")
    season_until: Mapped[date | None] = mapped_column(comment="last day of the season, inclusive")
    created_at: Mapped[datetime] = mapped_column(comment="when the desk made it")


class ServiceVersion(Model):
    """Published versions of services: what patients saw and bought; rows are never changed (RULE-37)."""

    __tablename__ = "service_version"
    __table_args__ = (UniqueConstraint("service_id", "number"),)

    id: Mapped[ServiceVersionId] = mapped_column(primary_key=True, comment="UUIDv7")
    service_id: Mapped[ServiceId] = mapped_column(ForeignKey("service.id"), comment="whose version")
    number: Mapped[int] = mapped_column(comment="1, 2, 3 … per service")
    name: Mapped[str] = mapped_column(String(100), comment="name of the item")
    intro: Mapped[str] = mapped_column(Text, comment="what is done")
    tips: Mapped[str] = mapped_column(Text, comment="how to prepare")
    cautions: Mapped[str] = mapped_column(Text, comment="what to beware of")
    picture_url: Mapped[str | None] = mapped_column(String(500), comment="https address of a picture")
    place: Mapped[Place] = mapped_column(comment="home, hospital, both")
    duration_min: Mapped[int] = mapped_column(comment="length, minutes")
    buffer_before_min: Mapped[int] = mapped_column(comment="kept free before, minutes")
    buffer_after_min: Mapped[int] = mapped_column(comment="kept free after, minutes")
    lead_minutes: Mapped[int] = mapped_column(comment="shortest notice, minutes (RULE-44)")
    risk_grade: Mapped[RiskGrade] = mapped_column(comment="L, M, H (RULE-30)")
    clinical: Mapped[bool] = mapped_column(comment="only for licensed staff (RULE-29)")
    skills: Mapped[list[str]] = mapped_column(JSON, comment="titles and skills that are needed (RULE-30)")
    prerequisites: Mapped[str] = mapped_column(Text, comment="what must be there before (RULE-30)")
    contraindications: Mapped[str] = mapped_column(Text, comment="for whom it is not (RULE-30)")
    consumables: Mapped[str] = mapped_column(Text, comment="what is used up (RULE-30)")
    medical_waste: Mapped[bool] = mapped_column(comment="leaves medical waste (RULE-30)")
    requires_order: Mapped[bool] = mapped_column(comment="needs a prescription or a doctor's order (RULE-33)")
    screening: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True), comment="what is asked before it is booked at home; null: nothing (RULE-40, 41)"
    )
    visit_fee_fen: Mapped[Fen] = mapped_column(comment="for coming, fen; home only")
    item_fee_fen: Mapped[Fen] = mapped_column(comment="for the item, fen")
    material_fee_fen: Mapped[Fen] = mapped_column(comment="for material, fen")
    travel_fee_fen: Mapped[Fen] = mapped_column(comment="for travel, fen; home only")
    price_fen: Mapped[Fen] = mapped_column(comment="sum at home, or in hospital for items done only there, fen")
    season_from: Mapped[date | None] = mapped_column(comment="first day of the season, inclusive")
    season_until: Mapped[date | None] = mapped_column(comment="last day of the season, inclusive")
    published_at: Mapped[datetime] = mapped_column(comment="when it was published")
    published_by: Mapped[AccountId | None] = mapped_column(comment="who published it; null for the installation itself")


class ServiceMove(Model):
    """History of services: every change of state with who and why; rows are only added."""

    __tablename__ = "service_move"
    __table_args__ = (Index(None, "service_id", "id"),)

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    service_id: Mapped[ServiceId] = mapped_column(ForeignKey("service.id"), comment="which service")
    state: Mapped[ServiceState] = mapped_column(comment="the state it came into")
    version_id: Mapped[ServiceVersionId | None] = mapped_column(comment="the version in force then")
    reason: Mapped[str | None] = mapped_column(String(500), comment="why, in the desk's words")
    account_id: Mapped[AccountId | None] = mapped_column(comment="who did it; null for the installation itself")
    at: Mapped[datetime] = mapped_column(comment="when")


class RegionalPolicy(Model):
    """Regional policy: which items may be done at home where, by region or for one hospital (RULE-31, RULE-32)."""

    __tablename__ = "regional_policy"
    __table_args__ = (Index(None, "adcode_prefix", "item_code"), Index(None, "item_code"))

    id: Mapped[RegionalPolicyId] = mapped_column(primary_key=True, comment="UUIDv7")
    adcode_prefix: Mapped[str] = mapped_column(code_column(6), comment="region of 2, 4 or 6 digits; empty: the country")
    hospital_id: Mapped[HospitalId | None] = mapped_column(comment="for one hospital only; null for all")
    item_code: Mapped[str] = mapped_column(code_column(20), comment="the item, such as N05")
    listing: Mapped[Listing] = mapped_column(comment="positive, negative, exception")
    reason: Mapped[str] = mapped_column(String(500), comment="the rule in words, or why an exception was made")
    effective_from: Mapped[date] = mapped_column(comment="first day, inclusive")
    effective_until: Mapped[date | None] = mapped_column(comment="last day, inclusive; null while it holds")
    created_by: Mapped[AccountId | None] = mapped_column(comment="operator; null for the installation itself")
    created_at: Mapped[datetime] = mapped_column(comment="when it was written")
