"""What waits for a person, for how long it may, and for how long one person may keep it to themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

#: A claim ends by itself: somebody who went home must not keep a patient waiting.
CLAIMED_FOR = timedelta(minutes=15)


class QueueKind(StrEnum):
    """The queues of the platform (O05)."""

    IDENTITY = "identity"
    QUALIFICATION = "qualification"
    CLINICIAN = "clinician"
    HOSPITAL_LICENCE = "hospital_licence"
    CONSULTATION_FLAG = "consultation_flag"
    DEAD_LETTER = "dead_letter"


#: From when it began to wait until it should be decided.
DEADLINES: dict[QueueKind, timedelta] = {
    QueueKind.IDENTITY: timedelta(days=1),
    QueueKind.QUALIFICATION: timedelta(days=2),
    QueueKind.CLINICIAN: timedelta(days=2),
    QueueKind.HOSPITAL_LICENCE: timedelta(days=3),
    QueueKind.CONSULTATION_FLAG: timedelta(hours=24),
    QueueKind.DEAD_LETTER: timedelta(hours=4),
}

#: Where it is decided; `{id}` is the item's subject.
DECIDED_AT: dict[QueueKind, str] = {
    QueueKind.IDENTITY: "/v1/operator/identities/{id}",
    QueueKind.QUALIFICATION: "/v1/operator/clinicians/qualifications/{id}",
    QueueKind.CLINICIAN: "/v1/operator/clinicians/{id}",
    QueueKind.HOSPITAL_LICENCE: "/v1/operator/hospitals/{id}",
    QueueKind.CONSULTATION_FLAG: "/v1/operator/consultations/flags/{id}",
    QueueKind.DEAD_LETTER: "/v1/operator/operations/jobs/{id}",
}


def is_free(claimed_until: datetime | None, now: datetime) -> bool:
    """Whether somebody else may take it."""
    return claimed_until is None or claimed_until <= now
