"""/v1/operator/operations: the jobs that follow commits, the dead letters among them, the queues and the audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from yiyuebao_api.domains.accounts.guards import Auditor, Operator
from yiyuebao_api.domains.operations import queries, service
from yiyuebao_api.domains.operations.problems import ClaimedByAnother, JobNotDead
from yiyuebao_api.domains.operations.rules import DEADLINES, QueueKind
from yiyuebao_api.domains.operations.schemas import (
    AuditEntryOut,
    JobOut,
    NdJson,
    QueueClaimOut,
    QueueItemOut,
    QueueOut,
    VerificationOut,
)
from yiyuebao_api.kernel import audit, outbox
from yiyuebao_api.kernel.audit import Wanted
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions, Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import AccountId, HospitalId, JobId, PatientId
from yiyuebao_api.kernel.outbox import JobState
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, refuses
from yiyuebao_api.kernel.schema import Moment

operator = APIRouter(prefix="/v1/operator/operations", tags=["operations"], route_class=OnceRoute)

Subject = Annotated[str, Path(pattern=r"^[a-z]{3}_[0-9a-z]{26}$", description="Id of what waits.")]


@operator.get("/jobs", summary="后台任务与死信", responses=refuses(InvalidCursor))
async def list_jobs(
    caller: Operator, paging: Pages, tx: Tx,
    state: Annotated[JobState, Query(description="`dead`: gave up and wait for a person.")] = JobState.DEAD,
) -> Page[JobOut]:  # fmt: skip
    """Jobs in one state, newest first; dead letters by default."""
    return page(await queries.list_jobs(tx, state, paging), paging, JobOut.of, lambda job: job.id)


@operator.post("/jobs/{job_id}/revive", status_code=204, summary="重新启动死信任务", responses=refuses(JobNotDead))
async def revive_job(caller: Operator, job_id: JobId, tx: Tx, now: Now) -> None:
    """Give a dead letter a fresh start; every job is safe to repeat."""
    if not await outbox.revive(tx, job_id, now=now):
        raise JobNotDead


@operator.get("/queues", summary="待办队列")
async def list_queues(caller: Operator, tx: Tx, now: Now) -> list[QueueOut]:
    """How much waits for a decision in each queue, and how much of it for too long."""
    told = []
    for kind, allowed in DEADLINES.items():
        waiting, overdue, first = await queries.count_waiting(tx, kind, now - allowed)
        told.append(QueueOut(
            kind=kind, waiting=waiting, overdue=overdue, oldest_since=first,
            decide_within_hours=allowed.total_seconds() / 3600,
        ))  # fmt: skip
    return told


@operator.get("/queues/items", summary="待办事项", responses=refuses(InvalidCursor))
async def list_queue(caller: Operator, kind: QueueKind, paging: Pages, tx: Tx, now: Now) -> Page[QueueItemOut]:
    """What waits in a queue, longest first, with its deadline and whether a colleague is at it."""
    rows = await queries.list_waiting(tx, kind, paging)
    return page(
        rows, paging, lambda row: QueueItemOut.of(kind, row, caller.account_id, now),
        lambda row: (row.since.timestamp(), row.subject),
    )  # fmt: skip


@operator.post("/queues/items/{subject}/claim", summary="领取待办事项", responses=refuses(NotFound, ClaimedByAnother))
async def claim_work(caller: Operator, subject: Subject, tx: Tx, now: Now) -> QueueClaimOut:
    """Keep an item for fifteen minutes, so that no colleague does the same; the decision is a route of its owner."""
    claim = await service.claim_work(tx, subject, caller.account_id, now=now)
    return QueueClaimOut(kind=claim.kind, subject=subject, claimed_until=claim.claimed_until)


@operator.post("/queues/items/{subject}/release", status_code=204, summary="放回待办事项", responses=refuses(NotFound))
async def release_work(caller: Operator, subject: Subject, tx: Tx) -> None:
    """Give an item back undecided."""
    await service.release_work(tx, subject, caller.account_id)


# ── the auditor: another person than the operator, and nobody else ───────────────────────────────────────────────────


async def _wanted(
    patient_id: Annotated[PatientId | None, Query(description="Whose data.")] = None,
    actor_id: Annotated[AccountId | None, Query(description="Who.")] = None,
    hospital_id: Annotated[HospitalId | None, Query(description="For which hospital they acted.")] = None,
    action: Annotated[
        str | None, Query(max_length=60, pattern=r"^[a-z_.]+$", description="For example `visits.read`.")
    ] = None,
    since: Annotated[Moment | None, Query(description="From then on, inclusive.")] = None,
    until: Annotated[Moment | None, Query(description="Before then.")] = None,
) -> Wanted:
    return Wanted(patient_id, actor_id, hospital_id, action, since, until)


AuditSearch = Annotated[Wanted, Depends(_wanted)]


@operator.get("/audit", summary="审计查询", responses=refuses(InvalidCursor))
async def list_audit(
    caller: Auditor, wanted: AuditSearch, paging: Pages, tx: Tx, now: Now
) -> Page[AuditEntryOut]:
    """Who saw or changed whose data, newest first. The search leaves a row too."""
    rows = await audit.list_entries(tx, wanted, paging)
    service.note_audit_search(tx, wanted, caller.account_id, "operations.list_audit", now=now)
    return page(rows, paging, AuditEntryOut.of, lambda row: row.id)


@operator.get("/audit/export", summary="审计导出", response_class=NdJson)
async def export_audit(caller: Auditor, wanted: AuditSearch, begin: Transactions, now: Now) -> NdJson:
    """The same rows, oldest first, all of them: one JSON object a line, sent while it is read."""
    async with begin() as tx:
        service.note_audit_search(tx, wanted, caller.account_id, "operations.export_audit", now=now)
    return NdJson(
        AuditEntryOut.of(row).model_dump_json() + "\n" async for row in service.every_entry(begin, wanted, until=now)
    )


@operator.get("/audit/verification", summary="审计校验")
async def verify_audit(
    caller: Auditor, begin: Transactions,
    seals: Annotated[int, Query(ge=1, le=1000, description="So many of the newest; the command reads all of them.")] = 100,
) -> VerificationOut:  # fmt: skip
    """Read the newest seals, their rows and the unsealed tail again: was anything changed or removed?"""
    return VerificationOut.of(await audit.verify(begin, newest=seals))


ROUTERS = [operator]
