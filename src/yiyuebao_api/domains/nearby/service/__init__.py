"""Use cases of nearby: the searches, and the listeners that keep what is searched."""

from yiyuebao_api.domains.nearby.service.listeners import (
    count_review,
    note_hospital_changed,
    note_offer_changed,
    note_pool_changed,
    note_site_changed,
    note_staff_changed,
    rebuild,
)
from yiyuebao_api.domains.nearby.service.searches import (
    Hit,
    HospitalHit,
    SearchPage,
    count_services,
    find_hospitals,
    find_services,
)

__all__ = [
    "Hit",
    "HospitalHit",
    "SearchPage",
    "count_review",
    "count_services",
    "find_hospitals",
    "find_services",
    "note_hospital_changed",
    "note_offer_changed",
    "note_pool_changed",
    "note_site_changed",
    "note_staff_changed",
    "rebuild",
]
