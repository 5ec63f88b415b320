"""What clinicians announce."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from yiyuebao_api.domains.clinicians.rules import Paper
from yiyuebao_api.kernel.ids import AccountId, ClinicianId, HospitalId, QualificationId


@dataclass(frozen=True, slots=True)
class ClinicianWentOffline:
    """Somebody who could be sent can be sent no more: suspended, expired, edited, or exited (RULE-23, RULE-28)."""

    clinician_id: ClinicianId
    hospital_id: HospitalId
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class QualificationDecided:
    """The operator approved a certificate, or sent it back."""

    qualification_id: QualificationId
    account_id: AccountId
    hospital_id: HospitalId
    approved: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class PaperRunsOut:
    """A licence, an insurance or the verification ends in so many days, or has ended (0); said once each (A09)."""

    clinician_id: ClinicianId
    account_id: AccountId
    hospital_id: HospitalId
    name: str
    paper: Paper
    last_day: date
    days_before: int
    at: datetime


@dataclass(frozen=True, slots=True)
class StaffChanged:
    """Somebody of this hospital may be sent from now on, or may not any more."""

    hospital_id: HospitalId
