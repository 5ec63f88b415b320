"""Use cases of visits: the desk's assignment, the clinician's steps, the patient's code and confirmation."""

from yiyuebao_api.domains.visits.service.agreements import refuse_agreement, show_agreement, sign_agreement
from yiyuebao_api.domains.visits.service.assignment import (
    Candidate,
    assign_visit,
    list_candidates,
    note_booking_ended,
    note_clinician_offline,
    note_start_missed,
    reassign_visit,
    unassign_visit,
)
from yiyuebao_api.domains.visits.service.codes import show_visit_code
from yiyuebao_api.domains.visits.service.confirmation import CONFIRM_SILENT, confirm_silent, confirm_visit
from yiyuebao_api.domains.visits.service.showing import show_page_to_clinician, show_to_clinician, show_to_desk
from yiyuebao_api.domains.visits.service.steps import (
    arrive_visit,
    check_in_visit,
    depart_visit,
    finish_visit,
    start_visit,
)

__all__ = [
    "CONFIRM_SILENT", "Candidate", "arrive_visit", "assign_visit", "check_in_visit", "confirm_silent",
    "confirm_visit", "depart_visit", "finish_visit", "list_candidates", "note_booking_ended", "note_clinician_offline",
    "note_start_missed",
    "reassign_visit", "refuse_agreement", "show_agreement", "show_page_to_clinician", "show_to_clinician", "show_to_desk",
    "show_visit_code",
    "sign_agreement", "start_visit", "unassign_visit",
]  # fmt: skip
