"""What bookings announce."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from yiyuebao_api.kernel.ids import BookingId


@dataclass(frozen=True, slots=True)
class BookingCancelled:
    """The patient does not want it any more."""

    booking_id: BookingId
    at: datetime


@dataclass(frozen=True, slots=True)
class StartMissed:
    """The visit should have begun a while ago, and nobody is there."""

    booking_id: BookingId
    at: datetime


@dataclass(frozen=True, slots=True)
class BookingRefused:
    """The hospital cannot do it."""

    booking_id: BookingId
    at: datetime
