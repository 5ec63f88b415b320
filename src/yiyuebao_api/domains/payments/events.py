"""What payments announce."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from yiyuebao_api.domains.payments.rules import SubjectKind
from yiyuebao_api.kernel.ids import HospitalId, PaymentId, RefundId
from yiyuebao_api.kernel.money import Fen


@dataclass(frozen=True, slots=True)
class PaymentSucceeded:
    """The payer's money is at the hospital's merchant."""

    payment_id: PaymentId
    subject_kind: SubjectKind
    subject_id: str
    hospital_id: HospitalId
    amount_fen: Fen
    at: datetime


@dataclass(frozen=True, slots=True)
class RefundSucceeded:
    """The money is back at the payer's."""

    refund_id: RefundId
    payment_id: PaymentId
    subject_kind: SubjectKind
    subject_id: str
    hospital_id: HospitalId
    amount_fen: Fen
    at: datetime
