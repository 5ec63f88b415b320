"""What clinicians announce."""

from __future__ import annotations

from dataclasses import dataclass

from yiyuebao_api.kernel.ids import HospitalId


@dataclass(frozen=True, slots=True)
class StaffChanged:
    """Somebody of this hospital may be sent from now on, or may not any more."""

    hospital_id: HospitalId
