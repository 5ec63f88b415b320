"""What consents announce."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from yiyuebao_api.domains.consents.rules import Purpose
from yiyuebao_api.kernel.ids import AccountId, PatientId


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn:
    """Somebody took a consent back; what was built on it alone must end (RULE-144)."""

    account_id: AccountId
    patient_id: PatientId | None
    purpose: Purpose
    at: datetime
