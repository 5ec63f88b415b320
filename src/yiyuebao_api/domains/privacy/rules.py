"""What becomes of what is held, and how long a copy is there (RULE-146, RULE-147)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

#: How long a finished copy can be fetched.
EXPORT_LIFE = timedelta(days=7)
PREFIX = "exports"


class ExportState(StrEnum):
    """`pending → ready → expired`."""

    PENDING = "pending"
    READY = "ready"
    EXPIRED = "expired"


class Fate(StrEnum):
    """What becomes of rows when their person closes the account."""

    ERASED = "erased"  # the rows go
    EMPTIED = "emptied"  # what says who it was goes; the row stays because others refer to it
    KEPT = "kept"  # the law wants them for a term: storage only


class OpenThing(StrEnum):
    """What still runs."""

    BOOKING = "booking"
    CONSULTATION = "consultation"
    REFUND = "refund"
