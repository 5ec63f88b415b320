"""When a delivery is tried again, when an endpoint is given up, and who listens to what."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class EventType(StrEnum):
    """Everything a hospital's system can be told."""

    BOOKING_PAID = "booking.paid"
    BOOKING_ACCEPTED = "booking.accepted"
    BOOKING_ASSIGNED = "booking.assigned"
    BOOKING_RESCHEDULED = "booking.rescheduled"
    BOOKING_CANCELLED = "booking.cancelled"
    VISIT_DEPARTED = "visit.departed"
    VISIT_ARRIVED = "visit.arrived"
    VISIT_STARTED = "visit.started"
    VISIT_FINISHED = "visit.finished"
    VISIT_CONFIRMED = "visit.confirmed"
    REFUND_SUCCEEDED = "refund.succeeded"
    CONSULTATION_PAID = "consultation.paid"
    CONSULTATION_ENDED = "consultation.ended"
    CONSULTATION_REFUNDED = "consultation.refunded"
    ENDPOINT_TEST = "endpoint.test"


class EndpointState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class DeliveryState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REPLACED = "replaced"


ENDPOINTS_PER_HOSPITAL: Final = 10
SECRET_OVERLAP: Final = timedelta(hours=24)
PAUSED_AFTER: Final = timedelta(days=3)
#: Standard Webhooks 1.0: with the first attempt at once, ten attempts over 75 h 35 min.
SCHEDULE: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
JITTER: Final = 0.1
GONE: Final = 410
_WISHES_COUNT: Final = frozenset({429, 503})


def is_success(status: int) -> bool:
    """Only 2xx: a redirect is not followed and is no success."""
    return 200 <= status < 300


def wait_after(
    attempts: int, *, status: int | None, retry_after: timedelta | None, jitter: float
) -> timedelta | None:
    """How long after the `attempts`-th failed attempt the next one comes; None: there is none.

    `jitter` in [-1, 1] spreads the waits by a tenth. With 429 and 503 the receiver's Retry-After is a lower bound.
    """
    if attempts > len(SCHEDULE):
        return None
    wait = SCHEDULE[attempts - 1] * (1 + JITTER * jitter)
    if status in _WISHES_COUNT and retry_after is not None:
        wait = max(wait, retry_after)
    return wait


def is_given_up(failing_since: datetime, now: datetime) -> bool:
    """Three days without one success."""
    return now - failing_since >= PAUSED_AFTER


def listens(event_types: Collection[str], event_type: str) -> bool:
    """An empty list listens to everything."""
    return not event_types or event_type in event_types
