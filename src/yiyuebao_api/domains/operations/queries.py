"""Named selects over the outbox, the queues and who is at work on what waits in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians.models import Clinician, Qualification
from yiyuebao_api.domains.clinicians.rules import ClinicianState, QualificationState
from yiyuebao_api.domains.consultations.models import Flag
from yiyuebao_api.domains.consultations.rules import FlagState
from yiyuebao_api.domains.hospitals.models import LicenceReview
from yiyuebao_api.domains.hospitals.rules import LicenceReviewState
from yiyuebao_api.domains.identities.models import Identity
from yiyuebao_api.domains.identities.rules import IdentityState
from yiyuebao_api.domains.operations.models import QueueClaim, Waiting
from yiyuebao_api.domains.operations.rules import QueueKind
from yiyuebao_api.kernel.ids import (
    ClinicianId,
    ConsultationFlagId,
    HospitalId,
    Id,
    IdentityId,
    JobId,
    QualificationId,
)
from yiyuebao_api.kernel.outbox import JobState, OutboxJob
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound


async def list_jobs(tx: AsyncSession, state: JobState, paging: Paging) -> Sequence[OutboxJob]:
    """Jobs in one state, newest first."""
    statement = select(OutboxJob).where(OutboxJob.state == state)
    return (await tx.scalars(newest_first(statement, OutboxJob.id, JobId, paging))).all()


class _Source(NamedTuple):
    """Where a queue's items stand: what is decided, in what order it came, since when it waits."""

    subject: Any
    kind: type[Id]
    since: Any
    waits: Any


#: Read downward: a queue is a state of rows that another domain owns, never a second copy of them.
_SOURCES: Mapping[QueueKind, _Source] = {
    QueueKind.IDENTITY: _Source(
        Identity.id, IdentityId, Identity.created_at, Identity.state == IdentityState.SUBMITTED
    ),
    QueueKind.QUALIFICATION: _Source(
        Qualification.id, QualificationId, Qualification.submitted_at,
        Qualification.state == QualificationState.SUBMITTED,
    ),
    QueueKind.CLINICIAN: _Source(
        Clinician.id, ClinicianId, Clinician.created_at, Clinician.state == ClinicianState.SUBMITTED
    ),
    QueueKind.HOSPITAL_LICENCE: _Source(
        LicenceReview.hospital_id, HospitalId, LicenceReview.submitted_at,
        LicenceReview.state == LicenceReviewState.PENDING,
    ),
    QueueKind.CONSULTATION_FLAG: _Source(Flag.id, ConsultationFlagId, Flag.created_at, Flag.state == FlagState.OPEN),
    QueueKind.DEAD_LETTER: _Source(OutboxJob.id, JobId, OutboxJob.created_at, OutboxJob.state == JobState.DEAD),
}  # fmt: skip


async def list_waiting(tx: AsyncSession, kind: QueueKind, paging: Paging) -> Sequence[Waiting]:
    """What waits longest first, one more than asked."""
    source = _SOURCES[kind]
    statement: Select[Any] = select(source.subject, source.since).where(source.waits)
    if after := paging.after(float, source.kind):
        since = datetime.fromtimestamp(after[0], tz=UTC)
        later = (source.since > since) | ((source.since == since) & (source.subject > after[1]))
        statement = statement.where(later)
    rows = (await tx.execute(statement.order_by(source.since, source.subject).limit(paging.limit + 1))).all()
    claims = await _claims_of(tx, kind, [str(subject) for subject, _ in rows])
    return [Waiting(subject, since, claims.get(str(subject))) for subject, since in rows]


async def count_waiting(tx: AsyncSession, kind: QueueKind, overdue_before: datetime) -> tuple[int, int, datetime | None]:
    """How many wait, how many of them for too long, and since when the first one does."""
    source = _SOURCES[kind]
    counted = select(func.count(), func.sum(source.since < overdue_before), func.min(source.since)).where(source.waits)
    many, late, first = (await tx.execute(counted)).one()
    return many, int(late or 0), first


async def require_queue_of(tx: AsyncSession, subject: str) -> QueueKind:
    """The queue in which that id waits: its prefix says which. Raises NotFound."""
    for kind, source in _SOURCES.items():
        if subject.partition("_")[0] == source.kind.prefix:
            try:
                wanted = source.kind.parse(subject)
            except ValueError:
                break
            waits = select(source.subject).where(source.waits, source.subject == wanted)
            if (await tx.scalars(waits)).first() is not None:
                return kind
    raise NotFound


async def lock_claim(tx: AsyncSession, kind: QueueKind, subject: str) -> QueueClaim | None:
    """Who is at it, locked."""
    locked = select(QueueClaim).where(QueueClaim.kind == kind, QueueClaim.subject == subject).with_for_update()
    return (await tx.scalars(locked.execution_options(populate_existing=True))).one_or_none()


async def _claims_of(tx: AsyncSession, kind: QueueKind, subjects: Sequence[str]) -> dict[str, QueueClaim]:
    if not subjects:
        return {}
    held = select(QueueClaim).where(QueueClaim.kind == kind, QueueClaim.subject.in_(subjects))
    return {claim.subject: claim for claim in await tx.scalars(held)}
