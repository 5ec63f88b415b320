"""Use cases of clinicians: the desk's files, the person's certificates, the operator's decisions, and what runs out."""

from yiyuebao_api.domains.clinicians.rules import day_of
from yiyuebao_api.domains.clinicians.service.adverse import record_adverse
from yiyuebao_api.domains.clinicians.service.clinicians import (
    edit_clinician,
    register_clinician,
    reject_clinician,
    set_items,
    set_readiness,
    submit_clinician,
    suspend_clinician,
    suspend_clinician_of,
    verify_clinician,
)
from yiyuebao_api.domains.clinicians.service.expiry import watch_expiry
from yiyuebao_api.domains.clinicians.service.qualifications import (
    approve_qualification,
    begin_qualification,
    edit_qualification,
    note_look,
    read_photo,
    read_photos,
    reject_qualification,
    submit_qualification,
    withdraw_qualification,
)

__all__ = [
    "approve_qualification", "begin_qualification", "day_of", "edit_clinician", "edit_qualification", "note_look",
    "read_photo", "read_photos", "record_adverse", "register_clinician", "reject_clinician", "reject_qualification",
    "set_items", "set_readiness", "submit_clinician", "submit_qualification", "suspend_clinician", "suspend_clinician_of",
    "verify_clinician", "watch_expiry", "withdraw_qualification",
]  # fmt: skip
