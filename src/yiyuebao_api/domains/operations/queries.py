"""Named selects over the outbox."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.kernel.ids import JobId
from yiyuebao_api.kernel.outbox import JobState, OutboxJob
from yiyuebao_api.kernel.paging import Paging, newest_first


async def list_jobs(tx: AsyncSession, state: JobState, paging: Paging) -> Sequence[OutboxJob]:
    """Jobs in one state, newest first."""
    statement = select(OutboxJob).where(OutboxJob.state == state)
    return (await tx.scalars(newest_first(statement, OutboxJob.id, JobId, paging))).all()
