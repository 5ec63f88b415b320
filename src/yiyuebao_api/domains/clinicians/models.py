"""Rows of clinicians."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.clinicians.rules import ClinicianKind, ClinicianState, Title
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import AccountId, ClinicianId, HospitalId
from yiyuebao_api.kernel.secrets import Sealed

__all__ = [
    "Clinician",
    "ClinicianKind",
    "ClinicianState",
    "Sex",
    "Title",
]


class Clinician(Model):
    """Clinicians: nurses and doctors, one row per person and hospital."""

    __tablename__ = "clinician"
    __table_args__ = (
        UniqueConstraint("account_id", "hospital_id"),
        Index(None, "hospital_id", "state", "id"),
        Index(None, "state", "id"),
        CheckConstraint("clinical_years BETWEEN 0 AND 80", name="years"),
    )

    id: Mapped[ClinicianId] = mapped_column(primary_key=True, comment="UUIDv7")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="the person's account")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="whose staff")
    kind: Mapped[ClinicianKind] = mapped_column(comment="nurse or doctor")
    name: Mapped[str] = mapped_column(Sealed("clinicians.name", 50), comment="name, sealed")
    sex: Mapped[Sex] = mapped_column(comment="for wishes in intimate care (RULE-46)")
    title: Mapped[Title] = mapped_column(comment="professional title (RULE-22)")
    specialty: Mapped[str] = mapped_column(String(100), comment="department or speciality, as shown")
    intro: Mapped[str] = mapped_column(String(1000), comment="introduction for patients")
    licence_no: Mapped[str] = mapped_column(Sealed("clinicians.licence_no", 40), comment="licence number, sealed")
    licence_valid_until: Mapped[date] = mapped_column(comment="last day of the licence, inclusive (RULE-23)")
    clinical_years: Mapped[int] = mapped_column(comment="full years of clinical work (RULE-22, RULE-24)")
    state: Mapped[ClinicianState] = mapped_column(comment="draft, submitted, verified, rejected, suspended")
    reason: Mapped[str | None] = mapped_column(String(500), comment="why it was rejected or suspended")
    verified_at: Mapped[datetime | None] = mapped_column(comment="last verification by the operator (RULE-21)")
    version: Mapped[int] = mapped_column(comment="counts edits; the ETag")
    created_at: Mapped[datetime] = mapped_column(comment="when they were registered")
