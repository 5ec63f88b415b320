"""Jobs, queues and the audit on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import Field
from starlette.responses import StreamingResponse

from yiyuebao_api.domains.operations.models import Waiting
from yiyuebao_api.domains.operations.rules import DEADLINES, DECIDED_AT, QueueKind, is_free
from yiyuebao_api.kernel.audit import NAMED, AuditEntry, Report
from yiyuebao_api.kernel.ids import AccountId, AuditId, HospitalId, JobId, PatientId
from yiyuebao_api.kernel.outbox import JobState, OutboxJob
from yiyuebao_api.kernel.schema import Moment, Out
from yiyuebao_api.kernel.tokens import Mode


class JobOut(Out):
    """A job that waits, runs or gave up; done ones are gone."""

    id: JobId
    type: str = Field(examples=["payments.refund"])
    subject: str = Field(description="What it is about.", examples=["rfd_01kj4y8x3hf7a9cq2v5b6n8m0t"])
    state: JobState
    attempts: int
    last_error: str | None = Field(description="Class and reason of the last failure; no personal data.")
    run_at: Moment = Field(description="Not before.")
    created_at: Moment

    @classmethod
    def of(cls, job: OutboxJob) -> Self:
        return cls(
            id=job.id, type=job.type, subject=job.aggregateid, state=job.state, attempts=job.attempts,
            last_error=job.last_error, run_at=job.run_at, created_at=job.created_at,
        )  # fmt: skip


class NdJson(StreamingResponse):
    """One JSON object a line."""

    media_type = "application/x-ndjson"


class AuditEntryOut(Out):
    """Who saw or changed whose data: ids and words of the code, no name and no content."""

    id: AuditId
    at: Moment
    actor_id: AccountId | None = Field(description="Null for the service itself.")
    mode: Mode | None
    hospital_id: HospitalId | None = Field(description="For which hospital they acted.")
    action: str = Field(examples=["visits.read"])
    patient_id: PatientId | None = Field(description="Whose data.")
    subject: str = Field(examples=["bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"])
    basis: str = Field(examples=["booking"])
    request_id: str | None = Field(description="As in the log.")

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        return cls.model_validate(entry)


class VerificationOut(Out):
    """What reading the audit again has found. Rows that are not sealed yet are no damage."""

    sound: bool
    entries: int = Field(description="Rows under the seals that were read.")
    seals: int
    head_number: int | None
    head_digest: str | None = Field(description="Note it elsewhere: an end cut off later is seen by it.")
    unsealed: int
    changed: list[AuditId] = Field(description="At most 100.")
    removed: list[AuditId] = Field(description="At most 100.")
    broken_seals: list[int] = Field(description="At most 100.")

    @classmethod
    def of(cls, found: Report) -> Self:
        return cls(
            sound=found.sound, entries=found.entries, seals=found.seals,
            head_number=found.head.number if found.head else None,
            head_digest=found.head.digest.hex() if found.head else None, unsealed=len(found.unsealed),
            changed=found.changed[:NAMED], removed=found.removed[:NAMED], broken_seals=found.broken_seals[:NAMED],
        )  # fmt: skip


class QueueOut(Out):
    """A queue at a glance."""

    kind: QueueKind
    waiting: int = Field(ge=0)
    overdue: int = Field(ge=0, description="Of these, past their deadline.")
    oldest_since: Moment | None
    decide_within_hours: float = Field(examples=[48])


class QueueItemOut(Out):
    """Something that waits for a decision. `decided_at` is where: the routes of the domain that owns it."""

    kind: QueueKind
    subject: str = Field(examples=["cln_01kj4y8x3hf7a9cq2v5b6n8m0t"])
    since: Moment
    due_at: Moment
    overdue: bool
    claimed_by_me: bool
    claimed_until: Moment | None = Field(description="An operator is at it until then; null: free.")
    decided_at: str = Field(examples=["/v1/operator/clinicians/cln_01kj4y8x3hf7a9cq2v5b6n8m0t"])

    @classmethod
    def of(cls, kind: QueueKind, item: Waiting, me: AccountId, now: datetime) -> Self:
        due_at = item.since + DEADLINES[kind]
        held = item.claim is not None and not is_free(item.claim.claimed_until, now)
        return cls(
            kind=kind, subject=str(item.subject), since=item.since, due_at=due_at, overdue=due_at < now,
            claimed_by_me=held and item.claim is not None and item.claim.account_id == me,
            claimed_until=item.claim.claimed_until if held and item.claim is not None else None,
            decided_at=DECIDED_AT[kind].format(id=item.subject),
        )  # fmt: skip


class QueueClaimOut(Out):
    """Who keeps it, and until when."""

    kind: QueueKind
    subject: str
    claimed_until: Moment
