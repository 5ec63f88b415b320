"""Rows of bookings, their price lines and their history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.bookings.rules import ActorKind, BookingState, Decision, Dependence, VisitStage
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import (
    AccountId,
    AddressId,
    AssessmentId,
    BookingId,
    ClaimId,
    ClinicianId,
    HospitalId,
    PatientId,
    PaymentId,
    ReviewId,
    RowId,
    ServiceId,
    ServiceVersionId,
    SiteId,
)
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.secrets import Sealed, SealedJson


class Booking(Model):
    """Bookings: one visit promised to one patient, with everything it was promised under."""

    __tablename__ = "booking"
    __table_args__ = (
        UniqueConstraint("order_no"),
        UniqueConstraint("claim_id"),
        Index("ix_booking_account", "account_id", "id"),
        Index("ix_booking_hospital", "hospital_id", "state", "id"),
        Index("ix_booking_patient", "patient_id", "starts_at"),
        CheckConstraint("total_fen > 0", name="total_positive"),
    )

    id: Mapped[BookingId] = mapped_column(primary_key=True, comment="UUIDv7")
    order_no: Mapped[str] = mapped_column(code_column(24), comment="number for people: date and 14 random characters")
    account_id: Mapped[AccountId] = mapped_column(comment="who booked and pays")
    patient_id: Mapped[PatientId] = mapped_column(ForeignKey("patient.id"), comment="who is visited")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="who sends somebody")
    site_id: Mapped[SiteId] = mapped_column(comment="from where")
    service_id: Mapped[ServiceId] = mapped_column(comment="what")
    service_version_id: Mapped[ServiceVersionId] = mapped_column(comment="in which published version (RULE-37)")
    service_code: Mapped[str] = mapped_column(code_column(16), comment="the item's code, for integrations")
    service_name: Mapped[str] = mapped_column(String(100), comment="the item's name at booking time")
    place: Mapped[Place] = mapped_column(comment="home or hospital")
    address_id: Mapped[AddressId | None] = mapped_column(comment="which address was chosen; null at the hospital")
    address: Mapped[dict[str, Any] | None] = mapped_column(SealedJson("booking.address"), comment="its snapshot, sealed")
    contact: Mapped[dict[str, Any]] = mapped_column(SealedJson("booking.contact"), comment="patient's name and phone, sealed")
    note: Mapped[str | None] = mapped_column(Sealed("booking.note", 500), comment="what the patient wrote, sealed")
    screening: Mapped[dict[str, Any] | None] = mapped_column(
        SealedJson("booking.screening"), comment="answers, eligibility, allergies, medication, companion; sealed (RULE-43)"
    )
    staff_sex: Mapped[Sex | None] = mapped_column(comment="the patient wishes for a man or a woman (RULE-46); null: anybody")
    starts_at: Mapped[datetime] = mapped_column(comment="planned start")
    ends_at: Mapped[datetime] = mapped_column(comment="planned end, without buffers")
    state: Mapped[BookingState] = mapped_column(comment="see rules.MOVES; held is read together with hold_until")
    visit_stage: Mapped[VisitStage | None] = mapped_column(comment="told by visits")
    hold_until: Mapped[datetime] = mapped_column(comment="until when the unpaid place is held")
    claim_id: Mapped[ClaimId] = mapped_column(comment="the place taken in schedules")
    total_fen: Mapped[Fen] = mapped_column(comment="sum of the lines, fen")
    policy: Mapped[dict[str, Any]] = mapped_column(JSON, comment="cancellation policy shown at booking time")
    payment_id: Mapped[PaymentId | None] = mapped_column(comment="the payment that counted")
    paid_at: Mapped[datetime | None] = mapped_column(comment="when it was paid")
    act_by: Mapped[datetime | None] = mapped_column(
        comment="until when the hospital takes its next step; null until paid (RULE-64, 67)"
    )
    reminded_at: Mapped[datetime | None] = mapped_column(comment="when somebody was reminded of that step; null: not yet")
    reschedules: Mapped[int] = mapped_column(comment="how often it was moved to another time (RULE-66)")
    refunded_fen: Mapped[Fen] = mapped_column(comment="refunds that arrived, fen")
    refund_due_fen: Mapped[Fen] = mapped_column(comment="refunds promised, fen; arrived when equal to refunded")
    created_at: Mapped[datetime] = mapped_column(comment="when it was booked")


class BookingLine(Model):
    """Price lines of a booking; they add up to its total (RULE-34)."""

    __tablename__ = "booking_line"

    booking_id: Mapped[BookingId] = mapped_column(ForeignKey("booking.id"), primary_key=True, comment="its booking")
    position: Mapped[int] = mapped_column(primary_key=True, comment="order on the bill")
    kind: Mapped[str] = mapped_column(code_column(24), comment="visit_fee, item_fee, material_fee, travel_fee")
    amount_fen: Mapped[Fen] = mapped_column(comment="fen")


class Assessment(Model):
    """First assessments: whether somebody may be served at home, for one category of services (RULE-39)."""

    __tablename__ = "booking_assessment"
    __table_args__ = (
        Index("ix_booking_assessment_booking", "booking_id"),
        Index("ix_booking_assessment_patient", "patient_id", "hospital_id", "category_code"),
        CheckConstraint("barthel BETWEEN 0 AND 100", name="barthel"),
    )

    id: Mapped[AssessmentId] = mapped_column(primary_key=True, comment="UUIDv7")
    booking_id: Mapped[BookingId] = mapped_column(ForeignKey("booking.id"), comment="for which booking it was made")
    patient_id: Mapped[PatientId] = mapped_column(comment="of whom")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="at which hospital it stands")
    category_code: Mapped[str] = mapped_column(code_column(20), comment="for which category of services it stands")
    assessor_id: Mapped[ClinicianId] = mapped_column(comment="who assessed: licensed, of that hospital")
    recorded_by: Mapped[AccountId] = mapped_column(comment="which account of the desk wrote it down")
    findings: Mapped[dict[str, Any]] = mapped_column(
        SealedJson("booking_assessment.findings"), comment="condition, needs, risk, Barthel items; sealed"
    )
    barthel: Mapped[int] = mapped_column(comment="Barthel index, 0 to 100")
    level: Mapped[Dependence] = mapped_column(comment="able, light, moderate, heavy")
    decision: Mapped[Decision] = mapped_column(comment="home_ok, to_hospital, reject")
    assessed_at: Mapped[datetime] = mapped_column(comment="when")
    valid_until: Mapped[datetime] = mapped_column(comment="90 days later, exclusive")
    voided_at: Mapped[datetime | None] = mapped_column(comment="when it fell: adverse event, hospital stay, new diagnosis")
    void_reason: Mapped[str | None] = mapped_column(Sealed("booking_assessment.void_reason", 200), comment="why; sealed")


class Review(Model):
    """Reviews: what somebody thought of a visit, one a booking; never deleted, folded for a legal reason (RULE-63)."""

    __tablename__ = "booking_review"
    __table_args__ = (
        UniqueConstraint("booking_id"),
        Index("ix_booking_review_service", "service_id", "id"),
        Index("ix_booking_review_hospital", "hospital_id", "id"),
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars"),
    )

    id: Mapped[ReviewId] = mapped_column(primary_key=True, comment="UUIDv7")
    booking_id: Mapped[BookingId] = mapped_column(ForeignKey("booking.id"), comment="which visit")
    service_id: Mapped[ServiceId] = mapped_column(comment="of what")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="by whom it was done")
    stars: Mapped[int] = mapped_column(comment="1 to 5")
    words: Mapped[str | None] = mapped_column(Sealed("booking_review.words", 500), comment="what they wrote, sealed")
    author: Mapped[str] = mapped_column(Sealed("booking_review.author", 50), comment="their name as shown: masked; sealed")
    created_at: Mapped[datetime] = mapped_column(comment="when it was written")
    reply: Mapped[str | None] = mapped_column(Sealed("booking_review.reply", 500), comment="the hospital's answer, sealed")
    replied_at: Mapped[datetime | None] = mapped_column(comment="when the hospital answered")
    fold_reason: Mapped[str | None] = mapped_column(String(200), comment="legal reason for which it is folded; null: shown")
    folded_at: Mapped[datetime | None] = mapped_column(comment="when the operator folded it")
    folded_by: Mapped[AccountId | None] = mapped_column(comment="which operator")


class BookingMove(Model):
    """History of a booking: one row a move, never changed."""

    __tablename__ = "booking_move"
    __table_args__ = (Index("ix_booking_move_booking", "booking_id", "id"),)

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    booking_id: Mapped[BookingId] = mapped_column(ForeignKey("booking.id"), comment="its booking")
    from_state: Mapped[BookingState | None] = mapped_column(comment="null for the first")
    to_state: Mapped[BookingState] = mapped_column(comment="where it went")
    stage: Mapped[VisitStage | None] = mapped_column(comment="visit stage, when that is what changed")
    actor: Mapped[ActorKind] = mapped_column(comment="who")
    actor_id: Mapped[str | None] = mapped_column(code_column(40), comment="account of the actor; null for the system")
    reason: Mapped[str | None] = mapped_column(Sealed("booking_move.reason", 200), comment="why, as told; sealed")
    at: Mapped[datetime] = mapped_column(comment="when")
