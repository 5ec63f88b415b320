"""Use cases of nearby: the searches, and the listeners that keep what is searched."""

from yiyuebao_api.domains.nearby.service.listeners import (
    note_hospital_changed,
    note_offer_changed,
    note_pool_changed,
    note_site_changed,
    rebuild,
)
from yiyuebao_api.domains.nearby.service.searches import SearchPage, find_hospitals, find_services

__all__ = [
    "SearchPage",
    "find_hospitals",
    "find_services",
    "note_hospital_changed",
    "note_offer_changed",
    "note_pool_changed",
    "note_site_changed",
    "rebuild",
]
