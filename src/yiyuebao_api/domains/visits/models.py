"""Rows of visits and of their history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BINARY, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import ActorKind
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.consents.rules import Method, Signer
from yiyuebao_api.domains.visits.rules import AgreementText, ArrivalReason, Confirmer, Stage
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import (
    AccountId,
    BookingId,
    ClinicianId,
    FileId,
    HospitalId,
    PatientId,
    RowId,
    ServiceVersionId,
    VisitId,
)
from yiyuebao_api.kernel.secrets import Sealed, SealedJson


class Visit(Model):
    """Visits: who comes to whom, when, and how far it is."""

    __tablename__ = "visit"
    __table_args__ = (
        UniqueConstraint("booking_id"),
        Index("ix_visit_clinician", "clinician_id", "busy_from"),
        Index("ix_visit_person", "clinician_account_id", "busy_from"),
        Index("ix_visit_hospital", "hospital_id", "starts_at", "id"),
        Index("ix_visit_account", "account_id", "starts_at", "id"),
        Index("ix_visit_patient", "patient_id", "hospital_id"),
        CheckConstraint("busy_from <= starts_at AND starts_at < ends_at AND busy_from <= busy_until", name="order"),
    )

    id: Mapped[VisitId] = mapped_column(primary_key=True, comment="UUIDv7")
    booking_id: Mapped[BookingId] = mapped_column(ForeignKey("booking.id"), comment="the booking it fulfils")
    order_no: Mapped[str] = mapped_column(code_column(24), comment="the booking's number for people")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="who sends somebody")
    clinician_id: Mapped[ClinicianId] = mapped_column(comment="who is sent; the last one, when it is cancelled")
    clinician_account_id: Mapped[AccountId] = mapped_column(comment="the person's account, the same at every hospital")
    patient_id: Mapped[PatientId] = mapped_column(comment="who is visited")
    account_id: Mapped[AccountId] = mapped_column(comment="who booked and confirms")
    place: Mapped[Place] = mapped_column(comment="home or hospital")
    starts_at: Mapped[datetime] = mapped_column(comment="planned start")
    ends_at: Mapped[datetime] = mapped_column(comment="planned end")
    busy_from: Mapped[datetime] = mapped_column(comment="from when the clinician is busy: the way there (RULE-45)")
    busy_until: Mapped[datetime] = mapped_column(comment="until when, exclusive; earlier once the visit ended early")
    stage: Mapped[Stage] = mapped_column(comment="assigned, departed, arrived, started, finished, confirmed, cancelled")
    assigned_at: Mapped[datetime] = mapped_column(comment="when the present clinician was assigned")
    departed_at: Mapped[datetime | None] = mapped_column(comment="when they set out; null at the hospital")
    arrived_at: Mapped[datetime | None] = mapped_column(comment="when they were there; at the hospital the patient")
    checked_in_at: Mapped[datetime | None] = mapped_column(comment="when the patient's code was typed (RULE-54)")
    started_at: Mapped[datetime | None] = mapped_column(comment="when the service began")
    finished_at: Mapped[datetime | None] = mapped_column(comment="when the service ended")
    confirms_at: Mapped[datetime | None] = mapped_column(comment="when silence confirms it, promised at the end")
    confirmed_at: Mapped[datetime | None] = mapped_column(comment="when it was confirmed")
    unsigned_at: Mapped[datetime | None] = mapped_column(comment="when the patient's side refused to sign, at the door")
    cancelled_at: Mapped[datetime | None] = mapped_column(comment="when it was cancelled or taken back")
    distance_m: Mapped[int | None] = mapped_column(comment="from the address at arrival, metres")
    arrival_reason: Mapped[ArrivalReason | None] = mapped_column(comment="why it was farther than 500 m (RULE-55)")
    record: Mapped[dict[str, Any] | None] = mapped_column(
        SealedJson("visits.record"), comment="nursing record, sealed (RULE-59)"
    )
    finished_by: Mapped[AccountId | None] = mapped_column(comment="who wrote the record")
    confirmed_by: Mapped[Confirmer | None] = mapped_column(comment="patient, silence")
    code_failures: Mapped[int] = mapped_column(comment="wrong check-in codes since the last pause")
    code_blocked_until: Mapped[datetime | None] = mapped_column(comment="no check-in code is taken before")
    version: Mapped[int] = mapped_column(comment="counts the changes")


class VisitStep(Model):
    """History of visits: one row a step, never changed."""

    __tablename__ = "visit_step"
    __table_args__ = (Index(None, "visit_id", "id"),)

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    visit_id: Mapped[VisitId] = mapped_column(ForeignKey("visit.id"), comment="which visit")
    stage: Mapped[Stage] = mapped_column(comment="the stage it came into, or was in")
    actor: Mapped[ActorKind] = mapped_column(comment="patient, desk, clinician, system")
    actor_id: Mapped[AccountId | None] = mapped_column(comment="account of the actor; null for the system")
    clinician_id: Mapped[ClinicianId] = mapped_column(comment="who was assigned after this step")
    at: Mapped[datetime] = mapped_column(comment="when, by the server's clock")
    client_time: Mapped[datetime | None] = mapped_column(comment="when, by the phone's clock")
    position: Mapped[dict[str, Any] | None] = mapped_column(
        SealedJson("visits.position"), comment="lat, lng (GCJ-02) and accuracy_m, sealed (RULE-55)"
    )
    reason: Mapped[str | None] = mapped_column(Sealed("visit_step.reason", 200), comment="why, in the actor's words; sealed")


class Agreement(Model):
    """Consents to a service, signed before it begins (RULE-47, V08); never changed."""

    __tablename__ = "visit_agreement"

    visit_id: Mapped[VisitId] = mapped_column(ForeignKey("visit.id"), primary_key=True, comment="for which visit")
    template: Mapped[int] = mapped_column(comment="version of the wording: see rules.TEMPLATE")
    service_version_id: Mapped[ServiceVersionId] = mapped_column(comment="the version of the service that it describes")
    sha256: Mapped[bytes] = mapped_column(BINARY(32), comment="of the text that was shown")
    account_id: Mapped[AccountId] = mapped_column(comment="who signed")
    signer: Mapped[Signer] = mapped_column(comment="self, guardian, representative")
    method: Mapped[Method] = mapped_column(comment="tap, signature")
    signature_file_id: Mapped[FileId | None] = mapped_column(comment="picture of the signature; asked for where risk is high")
    read_at: Mapped[datetime] = mapped_column(comment="when the text was opened")
    signed_at: Mapped[datetime] = mapped_column(comment="when it was signed")


@dataclass(frozen=True, slots=True)
class VisitSheet:
    """A visit with the booking it fulfils and the clinician who is sent: what everybody is shown of it."""

    visit: Visit
    booking: Booking
    clinician: Clinician
    granted: bool = False  # whether the clinician it is shown to may see the patient whole; asked by `showing`


@dataclass(frozen=True, slots=True)
class ShownAgreement:
    """The text of one visit, and whether it has been signed."""

    text: AgreementText
    signed: Agreement | None
