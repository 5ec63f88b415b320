"""/v1/operator/operations: the jobs that follow commits, and the dead letters among them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from yiyuebao_api.domains.accounts.guards import Operator
from yiyuebao_api.domains.operations import queries
from yiyuebao_api.domains.operations.problems import JobNotDead
from yiyuebao_api.domains.operations.schemas import JobOut
from yiyuebao_api.kernel import outbox
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import JobId
from yiyuebao_api.kernel.outbox import JobState
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import refuses

operator = APIRouter(prefix="/v1/operator/operations", tags=["operations"], route_class=OnceRoute)


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


ROUTERS = [operator]
