"""What settlements announce."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from yiyuebao_api.kernel.ids import AccrualId, HospitalId


@dataclass(frozen=True, slots=True)
class SharesReleased:
    """The dispute window of a confirmed booking is over."""

    accrual_id: AccrualId
    hospital_id: HospitalId
    subject_id: str
    at: datetime
