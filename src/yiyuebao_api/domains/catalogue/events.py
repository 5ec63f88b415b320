"""What the catalogue announces."""

from __future__ import annotations

from dataclasses import dataclass

from yiyuebao_api.kernel.ids import ServiceId


@dataclass(frozen=True, slots=True)
class OfferChanged:
    """A service was published, published again, suspended or retired."""

    service_id: ServiceId
