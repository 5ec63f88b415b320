"""What hospitals announce."""

from __future__ import annotations

from dataclasses import dataclass

from yiyuebao_api.kernel.ids import HospitalId, SiteId


@dataclass(frozen=True, slots=True)
class HospitalChanged:
    """A hospital was opened, suspended, edited, or got a new licence or merchant."""

    hospital_id: HospitalId


@dataclass(frozen=True, slots=True)
class SiteChanged:
    """A site is new, or moved, or its service area changed."""

    site_id: SiteId
