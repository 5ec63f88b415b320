"""Stories told twice: by a worker that lives, and by workers that are killed (-9) one step later each."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Enum, func, select, update

from tests.faults.processes import DyingWorker
from yiyuebao_api import tables
from yiyuebao_api.context import Context
from yiyuebao_api.domains.settlements import queries as books
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.outbox import JobState, OutboxJob, Worker

Growth = Counter[str]
Scene = Callable[[], Awaitable[Any]]
MOST = 120
#: Steps until a worker holds a job: look for abandoned ones, claim. The same for every job, so one story dies there.
CLAIMED = 7


@asynccontextmanager
async def grown(context: Context) -> AsyncIterator[Growth]:
    """By how many rows each table grew meanwhile, and by how many in each state: `booking`, `booking.state=paid`."""

    async def census() -> Growth:
        counted = Growth()
        async with context.begin() as tx:
            for table in tables.metadata.sorted_tables:
                if table.name != "outbox":
                    told = [each for each in table.columns if isinstance(each.type, Enum)]
                    for *values, count in await tx.execute(select(*told, func.count()).select_from(table).group_by(*told)):
                        counted[table.name] += count
                        for column, value in zip(told, values, strict=True):
                            counted[f"{table.name}.{column.name}={value}"] += count
        return counted

    before, growth = await census(), Growth()
    yield growth
    after = await census()
    growth.update({name: after[name] - before[name] for name in after | before if after[name] != before[name]})


async def waiting(context: Context, job: str) -> list[OutboxJob]:
    async with context.begin() as tx:
        return list((await tx.scalars(select(OutboxJob).where(OutboxJob.type == job))).all())


async def asked_for(context: Context) -> Growth:
    """How many jobs wait, by name."""
    async with context.begin() as tx:
        counts = await tx.execute(select(OutboxJob.type, func.count()).group_by(OutboxJob.type))
        return Growth({str(name): int(count) for name, count in counts})


async def die_until_done(context: Context, dying: DyingWorker, job: str, first: int) -> int:
    """Workers die one step later each, until the job's row is gone; returns how many died."""
    deaths = 0
    for at in range(first, MOST):
        deaths += await dying.work(job, at=at)
        left = await waiting(context, job)
        if not left:
            return deaths
        assert all(each.state is not JobState.DEAD for each in left), left[0].last_error
        async with context.begin() as tx:  # as if the minute of the lease had passed, and nobody counts the deaths
            await tx.execute(
                update(OutboxJob).where(OutboxJob.type == job)
                .values(lease_until=clock.system_now() - timedelta(seconds=1), attempts=1)
            )  # fmt: skip
    raise AssertionError(f"{job} did not end")


async def told_twice(
    context: Context, worker: Worker[Context], dying: DyingWorker, job: str, scene: Scene, *, first: int = CLAIMED
) -> Growth:
    """What the undisturbed worker added, after it was seen that the killed ones added the same, jobs included."""
    await scene()
    assert await waiting(context, job)
    before = await asked_for(context)
    async with grown(context) as expected:
        for _ in range(MOST):
            if await waiting(context, job):
                await worker.drain(job, early=True)
    assert await waiting(context, job) == []
    follow = await asked_for(context) - before
    await scene()
    before = await asked_for(context)
    async with grown(context) as found:
        deaths = await die_until_done(context, dying, job, first)
    assert deaths >= 8, f"{deaths} steps are too few to be all"
    assert found == expected
    assert await asked_for(context) - before == follow
    return expected


async def told_at_every_step(
    worker: Worker[Context], dying: DyingWorker, timer: str, scene: Scene, holds: Callable[[], Awaitable[None]]
) -> int:
    """For every step of a timer: a scene, a worker that dies there, one that lives, and what must then hold."""
    for at in range(1, MOST):
        await scene()
        killed = await dying.work(timer, at=at)
        await worker.drain(timer)
        await holds()
        if not killed:
            return at - 1
    raise AssertionError(f"{timer} did not end")


async def assert_the_books_add_up(context: Context) -> None:
    async with context.begin() as tx:
        assert await books.unbalanced(tx) == []
