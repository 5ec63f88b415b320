"""Rows of clinicians."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BINARY, JSON, Boolean, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.clinicians.rules import (
    AdverseKind,
    ClinicianKind,
    ClinicianState,
    Fault,
    Paper,
    Practice,
    QualificationKind,
    QualificationState,
    Title,
)
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import AccountId, ClinicianId, HospitalId, QualificationId, RowId
from yiyuebao_api.kernel.secrets import Sealed, SealedJson

__all__ = [
    "AdverseRecord",
    "CertificateNumber",
    "Clinician",
    "ClinicianKind",
    "ClinicianState",
    "ExpiryWarning",
    "Qualification",
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
    state: Mapped[ClinicianState] = mapped_column(comment="draft, submitted, verified, rejected, suspended, exited")
    reason: Mapped[str | None] = mapped_column(String(500), comment="why it was rejected or suspended")
    verified_at: Mapped[datetime | None] = mapped_column(comment="last verification by the operator (RULE-21)")
    identity_checked_at: Mapped[datetime | None] = mapped_column(comment="when their own ID card was approved (RULE-07)")
    licence_checked_at: Mapped[datetime | None] = mapped_column(comment="when the photographed licence was approved")
    practice: Mapped[Practice | None] = mapped_column(comment="registered or filed at this hospital (RULE-22, RULE-26)")
    e_reg_checked_on: Mapped[date | None] = mapped_column(comment="day of the look into the electronic register (RULE-22)")
    e_reg_source: Mapped[str | None] = mapped_column(String(100), comment="which register was looked into, and how")
    title_checked_at: Mapped[datetime | None] = mapped_column(comment="when the title certificate was approved")
    training_passed_on: Mapped[date | None] = mapped_column(comment="day the training for home visits was passed (RULE-27)")
    liability_until: Mapped[date | None] = mapped_column(comment="last day of the liability insurance (RULE-27)")
    malpractice_until: Mapped[date | None] = mapped_column(comment="last day of the malpractice insurance (RULE-27)")
    accident_until: Mapped[date | None] = mapped_column(comment="last day of the accident insurance (RULE-27)")
    item_codes: Mapped[list[str]] = mapped_column(
        JSON, comment="codes of the items that the hospital lets them do, such as N05 (RULE-46)"
    )
    version: Mapped[int] = mapped_column(comment="counts edits; the ETag")
    created_at: Mapped[datetime] = mapped_column(comment="when they were registered")


class Qualification(Model):
    """Qualifications: one certificate of a clinician, from the photograph to the operator's decision."""

    __tablename__ = "qualification"
    __table_args__ = (
        UniqueConstraint("clinician_id", "kind", "pending"),
        Index(None, "state", "id"),
        Index(None, "clinician_id", "id"),
        Index(None, "number_index"),
    )

    id: Mapped[QualificationId] = mapped_column(primary_key=True, comment="UUIDv7")
    clinician_id: Mapped[ClinicianId] = mapped_column(ForeignKey("clinician.id"), comment="whose, at which hospital")
    kind: Mapped[QualificationKind] = mapped_column(comment="nurse_licence, doctor_licence, certificate, title")
    state: Mapped[QualificationState] = mapped_column(comment="draft, submitted, approved, rejected, expired")
    pending: Mapped[bool | None] = mapped_column(
        Boolean, comment="true until decided, then null: one of a kind is open at a time"
    )
    photo_ids: Mapped[list[str]] = mapped_column(JSON, comment="ids of its photographs, in order (RULE-15)")
    holder_name: Mapped[str] = mapped_column(Sealed("qualification.holder_name", 50), comment="name on it, sealed")
    number: Mapped[str] = mapped_column(Sealed("qualification.number", 40), comment="its number, sealed (RULE-16, RULE-17)")
    number_index: Mapped[bytes] = mapped_column(BINARY(32), comment="blind index of the number")
    issued_on: Mapped[date | None] = mapped_column(comment="day of issue")
    valid_until: Mapped[date | None] = mapped_column(comment="last day, inclusive; null: without end (RULE-23)")
    title: Mapped[Title | None] = mapped_column(comment="the title it certifies")
    practice_place: Mapped[str | None] = mapped_column(String(100), comment="place of practice printed on it (RULE-22)")
    recognised: Mapped[dict[str, Any] | None] = mapped_column(
        SealedJson("qualification.recognised"), comment="what a machine read of the photographs as submitted, sealed; null: not yet"
    )
    fault: Mapped[Fault | None] = mapped_column(comment="the clause on which it was rejected")
    reason: Mapped[str | None] = mapped_column(Sealed("qualification.reason", 500), comment="why, in words; sealed")
    submitted_at: Mapped[datetime | None] = mapped_column(comment="when it was last submitted")
    decided_at: Mapped[datetime | None] = mapped_column(comment="when the operator decided")
    decided_by: Mapped[AccountId | None] = mapped_column(comment="which operator")
    version: Mapped[int] = mapped_column(comment="counts changes; the ETag")
    created_at: Mapped[datetime] = mapped_column(comment="when it was begun")


class CertificateNumber(Model):
    """Certificate numbers that were approved: two reviewers who accept one number for two persons meet at its row."""

    __tablename__ = "certificate_number"

    kind: Mapped[QualificationKind] = mapped_column(primary_key=True, comment="of which certificate")
    number_index: Mapped[bytes] = mapped_column(BINARY(32), primary_key=True, comment="blind index of the number")
    since: Mapped[datetime] = mapped_column(comment="when it was first approved")


class AdverseRecord(Model):
    """Adverse records: why a person serves here no more, and until when; never changed (RULE-23, RULE-28)."""

    __tablename__ = "adverse_record"
    __table_args__ = (Index(None, "account_id", "id"),)

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="the person, at every hospital")
    clinician_id: Mapped[ClinicianId] = mapped_column(ForeignKey("clinician.id"), comment="as whose staff it was found")
    kind: Mapped[AdverseKind] = mapped_column(comment="licence_revoked, adverse_practice, violation")
    reason: Mapped[str] = mapped_column(Sealed("adverse_record.reason", 500), comment="what happened, sealed")
    happened_on: Mapped[date] = mapped_column(comment="day of the revocation or violation")
    barred_until: Mapped[date | None] = mapped_column(comment="last day of the bar; null: for good")
    recorded_by: Mapped[AccountId] = mapped_column(comment="which operator")
    recorded_at: Mapped[datetime] = mapped_column(comment="when it was recorded")


class ExpiryWarning(Model):
    """Expiry warnings: one row for each that was given, so that none is given twice (RULE-23, A09)."""

    __tablename__ = "expiry_warning"
    __table_args__ = (UniqueConstraint("clinician_id", "paper", "last_day", "days_before"),)

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    clinician_id: Mapped[ClinicianId] = mapped_column(ForeignKey("clinician.id"), comment="who was warned")
    paper: Mapped[Paper] = mapped_column(comment="licence, liability, malpractice, accident, verification")
    last_day: Mapped[date] = mapped_column(comment="the last day that was warned of")
    days_before: Mapped[int] = mapped_column(comment="which warning: 90, 60, 30 or 7 days before, 0 when it has ended")
    given_at: Mapped[datetime] = mapped_column(comment="when")
