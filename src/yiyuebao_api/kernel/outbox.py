"""Work that must happen after a commit: a row in the same transaction, delivered by a worker at least once.

A worker claims due rows with SKIP LOCKED, marks them with its name and a lease, runs them, and completes only what is still
its own (fenced by worker and attempt). A row whose worker died is handed out again when its lease ends. A failure backs off
along the job's schedule and ends among the dead letters, which an operator can see and revive. Handlers must therefore be
safe to repeat. The column names are those of the Debezium outbox event router.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast

import structlog
from prometheus_client import Counter
from sqlalchemy import JSON, Index, String, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Begin, Model, after_commit, code_column, is_outage
from yiyuebao_api.kernel.ids import Id, JobId
from yiyuebao_api.kernel.purging import delete_some

LEASE = timedelta(seconds=60)
POLL_S = 0.3
REAP_EVERY = timedelta(seconds=1)
#: Runs beyond a job's schedule that ended with their worker, before the job is held to be the reason.
CRASHES = 5
DONE = Counter("yiyuebao_jobs", "Outbox jobs run", ["type", "outcome"])
log = structlog.get_logger()

Context = TypeVar("Context")


class JobState(StrEnum):
    READY = "ready"
    RUNNING = "running"
    DEAD = "dead"


class OutboxJob(Model):
    """Outbox: work that must follow a commit, until it has been done; what is left here for long is dead letters."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "state", "run_at", "id"), Index("ix_outbox_type", "type", "state"))

    id: Mapped[JobId] = mapped_column(primary_key=True, comment="UUIDv7")
    aggregatetype: Mapped[str] = mapped_column(String(40), comment="kind of thing the job is about")
    aggregateid: Mapped[str] = mapped_column(code_column(40), comment="its id")
    type: Mapped[str] = mapped_column(code_column(60), comment="name of the job in wiring.JOBS")
    payload: Mapped[dict[str, Any]] = mapped_column(JSON, comment="arguments: ids only, no personal data")
    state: Mapped[JobState] = mapped_column(comment="ready, running, dead; done rows are deleted")
    run_at: Mapped[datetime] = mapped_column(comment="not before")
    lease_until: Mapped[datetime | None] = mapped_column(comment="until when its worker owns it (system clock)")
    worker: Mapped[str | None] = mapped_column(code_column(60), comment="who runs it")
    attempts: Mapped[int] = mapped_column(comment="runs so far")
    last_error: Mapped[str | None] = mapped_column(String(500), comment="class and reason of the last failure")
    created_at: Mapped[datetime] = mapped_column(comment="when it was asked for")


class Again(Exception):
    """Raised by a handler: nothing failed, but look again after `wait`. Counts as no attempt."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"again in {wait}")
        self.wait = wait


class GiveUp(Exception):
    """Raised by a handler: no repetition can help; straight to the dead letters."""


@dataclass(frozen=True, slots=True)
class Work:
    """One run of one job."""

    id: JobId
    type: str
    payload: Mapping[str, Any]
    attempt: int


_DEFAULT_BACK_OFF = tuple(timedelta(seconds=s) for s in (2, 5, 15, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600))


@dataclass(frozen=True, slots=True)
class Job(Generic[Context]):
    """What runs under a name, how long one run may take, and when a failed one is tried again."""

    run: Callable[[Context, Work], Awaitable[None]]
    back_off: Sequence[timedelta] = _DEFAULT_BACK_OFF
    timeout: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        if self.timeout >= LEASE:
            raise ValueError("a run must end before its lease, or it is handed out while it runs")


@dataclass(frozen=True, slots=True)
class Timer(Generic[Context]):
    """Housekeeping that nobody asks for: run about every `every` by each worker; must be safe to run twice at once."""

    run: Callable[[Context], Awaitable[object]]
    every: timedelta


def job_of(
    job: str, about: Id, payload: Mapping[str, Any] | None = None, *, now: datetime, run_at: datetime
) -> OutboxJob:
    """The row of a job. Whoever writes it without `put` has nobody woken up: for what is not due yet."""
    return OutboxJob(
        id=JobId.new(), aggregatetype=type(about).__name__.removesuffix("Id").lower(), aggregateid=str(about), type=job,
        payload={"id": str(about), **(payload or {})}, state=JobState.READY, run_at=run_at, lease_until=None,
        worker=None, attempts=0, last_error=None, created_at=now,
    )  # fmt: skip


async def put(
    tx: AsyncSession, job: str, about: Id, payload: Mapping[str, Any] | None = None, *, now: datetime,
    run_at: datetime | None = None,
) -> JobId:  # fmt: skip
    """Ask for a job in this transaction; it exists if and only if the transaction commits."""
    row = job_of(job, about, payload, now=now, run_at=run_at or now)
    tx.add(row)
    if row.run_at <= now and "rung" not in tx.info:
        tx.info["rung"] = True
        after_commit(tx, tx.info["bell"].ring)
    return row.id


async def list_dead(tx: AsyncSession) -> Sequence[OutboxJob]:
    """Jobs that gave up, oldest first."""
    return (
        await tx.scalars(select(OutboxJob).where(OutboxJob.state == JobState.DEAD).order_by(OutboxJob.id).limit(200))
    ).all()


async def purge(tx: AsyncSession, jobs: Collection[str], *, kept: timedelta, now: datetime, at_most: int) -> int:
    """Forget dead letters of those jobs that were last due longer ago; those of all other jobs wait for a person."""
    old = (OutboxJob.state == JobState.DEAD, OutboxJob.run_at < now - kept, OutboxJob.type.in_(jobs))
    return await delete_some(tx, OutboxJob, *old, at_most=at_most)


async def revive(tx: AsyncSession, job_id: JobId, *, now: datetime) -> bool:
    """Give a dead letter a fresh start."""
    done = await tx.execute(
        update(OutboxJob)
        .where(OutboxJob.id == job_id, OutboxJob.state == JobState.DEAD)
        .values(state=JobState.READY, run_at=now, attempts=0)
    )
    return cast("int", done.rowcount) == 1  # type: ignore[attr-defined]


@dataclass(slots=True)
class Worker(Generic[Context]):
    """Runs jobs and timers of one process."""

    begin: Begin
    context: Context
    jobs: Mapping[str, Job[Context]]
    timers: Mapping[str, Timer[Context]] = field(default_factory=dict)
    batch: int = 20
    grace: timedelta = timedelta(seconds=10)
    name: str = field(default_factory=lambda: f"{os.uname().nodename[:20]}-{os.getpid()}-{random.randrange(10**6)}")
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Finish what runs, take nothing new."""
        self._stop.set()
        self._wake.set()

    def wake(self) -> None:
        """Something was put: look now rather than at the next poll."""
        self._wake.set()

    async def run(self) -> None:
        """Until `stop()`, up to `batch` jobs at once: a slow one takes its own place and delays no other.

        A database that is away is waited for, never a reason to die. What still runs `grace` after `stop()` is cut off;
        its lease ends and it is handed out again.
        """
        jobs: set[asyncio.Task[None]] = set()
        timers: dict[str, asyncio.Task[None]] = {}
        due = dict.fromkeys(self.timers, clock.system_now())
        reap = clock.system_now()

        def ended(job: asyncio.Task[None]) -> None:
            jobs.discard(job)
            if len(jobs) == self.batch * 3 // 4:  # some places at a time: one look for each would be mostly looking
                self._wake.set()

        while not self._stop.is_set():
            claimed: list[Work] = []
            try:
                if clock.system_now() >= reap:
                    await self._reap()
                    reap = clock.system_now() + REAP_EVERY
                if len(jobs) < self.batch:
                    claimed = await self._claim(limit=self.batch - len(jobs))
            except Exception as error:
                _complain(error)
                await self._pause(1.0)
            for work in claimed:
                jobs.add(job := asyncio.create_task(self._alone(work)))
                job.add_done_callback(ended)
            self._start_due(timers, due)
            if not claimed:
                await self._pause(POLL_S)
        await _end({*jobs, *timers.values()}, within=self.grace)

    def _start_due(self, running: dict[str, asyncio.Task[None]], due: dict[str, datetime]) -> None:
        for name, timer in self.timers.items():
            if clock.system_now() >= due[name] and (name not in running or running[name].done()):
                due[name] = clock.system_now() + timer.every
                running[name] = asyncio.create_task(self._timer(name, timer))

    async def _alone(self, work: Work) -> None:
        try:
            await self._one(work)
        except Exception as error:  # how it ended could not be written: its lease ends and it runs again
            _complain(error)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        if not self._stop.is_set():
            self._wake.clear()

    async def drain(self, only: str | None = None, *, early: bool = False) -> int:
        """Everything that is due now, including what that work asks for; returns the number of runs.

        `only` names one job or timer; `early` runs that job's waiting rows before their time (handlers judge for
        themselves whether there is anything to do).
        """
        count = 0
        await self._reap()
        for name, timer in self.timers.items():
            if only in (None, name):
                await self._timer(name, timer)
                count += 1
        seen: set[JobId] = set()
        while True:
            claimed = await self._claim(only=only, early=early, but=seen)
            if not claimed:
                return count
            seen |= {work.id for work in claimed} if early else set()
            await asyncio.gather(*(self._one(work) for work in claimed))
            count += len(claimed)

    async def once(self) -> int:
        """One batch; returns how many jobs ran."""
        await self._reap()
        claimed = await self._claim()
        await asyncio.gather(*(self._one(work) for work in claimed))
        return len(claimed)

    async def _timer(self, name: str, timer: Timer[Context]) -> None:
        try:
            await timer.run(self.context)
        except Exception as error:
            if not is_outage(error):
                log.exception("timer", timer=name)

    async def _reap(self) -> None:
        """Rows whose worker died become ready again."""
        async with self.begin() as tx:
            await tx.execute(
                update(OutboxJob)
                .where(OutboxJob.state == JobState.RUNNING, OutboxJob.lease_until < clock.system_now())
                .values(state=JobState.READY, worker=None, lease_until=None)
            )

    async def _claim(
        self, *, limit: int | None = None, only: str | None = None, early: bool = False, but: set[JobId] | None = None
    ) -> list[Work]:
        due = select(OutboxJob).where(OutboxJob.state == JobState.READY)
        if not early:
            due = due.where(OutboxJob.run_at <= clock.now())
        if only is not None:
            due = due.where(OutboxJob.type == only)
        if but:
            due = due.where(OutboxJob.id.not_in(but))
        for server in ("mysql", "mariadb"):
            # In a short table MySQL would rather read all of it and sort: then it locks all of it, and nobody else gets any.
            due = due.with_hint(OutboxJob, "FORCE INDEX (ix_outbox_due)", server)
        due = due.order_by(OutboxJob.run_at, OutboxJob.id).limit(limit or self.batch).with_for_update(skip_locked=True)
        async with self.begin() as tx:
            rows = (await tx.scalars(due)).all()
            for row in rows:
                row.state, row.worker, row.attempts = JobState.RUNNING, self.name, row.attempts + 1
                row.lease_until = clock.system_now() + LEASE
            return [Work(row.id, row.type, row.payload, row.attempts) for row in rows]

    async def _one(self, work: Work) -> None:
        job = self.jobs.get(work.type)
        structlog.contextvars.bind_contextvars(job=work.type, job_id=str(work.id))
        try:
            if job is None:
                raise GiveUp(f"no job is called {work.type}")
            if work.attempt > len(job.back_off) + CRASHES:
                raise GiveUp("its worker died or was cut off every time")
            async with asyncio.timeout(job.timeout.total_seconds()):
                await job.run(self.context, work)
        except Again as again:
            await self._finish(work, "again", run_at=clock.now() + again.wait, attempts=work.attempt - 1)
        except GiveUp as reason:
            log.error("job given up", reason=str(reason))
            await self._finish(work, "dead", dead=True, error=f"GiveUp: {reason}")
        except Exception as error:
            back_off = job.back_off if job else ()
            text = f"{type(error).__name__}: {error}"[:500]
            if work.attempt > len(back_off):
                log.error("job dead", error=type(error).__name__)
                await self._finish(work, "dead", dead=True, error=text)
            else:
                log.warning("job failed", error=type(error).__name__, attempt=work.attempt)
                wait = back_off[work.attempt - 1] * random.uniform(0.9, 1.1)
                await self._finish(work, "failed", run_at=clock.now() + wait, error=text)
        else:
            await self._finish(work, "done")
        finally:
            structlog.contextvars.unbind_contextvars("job", "job_id")

    async def _finish(
        self, work: Work, outcome: str, *, run_at: datetime | None = None, dead: bool = False,
        attempts: int | None = None, error: str | None = None,
    ) -> None:  # fmt: skip
        """Only the worker that still holds this very attempt may say how it ended."""
        DONE.labels(work.type, outcome).inc()
        mine = (OutboxJob.id == work.id, OutboxJob.worker == self.name, OutboxJob.attempts == work.attempt)
        async with self.begin() as tx:
            if run_at is None and not dead:
                await tx.execute(delete(OutboxJob).where(*mine))
                return
            values: dict[str, Any] = {
                "state": JobState.DEAD if dead else JobState.READY, "worker": None, "lease_until": None,
                "attempts": work.attempt if attempts is None else attempts, "last_error": error,
            }  # fmt: skip
            if run_at is not None:
                values["run_at"] = run_at
            await tx.execute(update(OutboxJob).where(*mine).values(**values))


def _complain(error: Exception) -> None:
    if not is_outage(error) and not isinstance(error, OSError):
        log.error("worker", exc_info=error)


async def _end(tasks: set[asyncio.Task[None]], *, within: timedelta) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=within.total_seconds())
    for each in late:
        each.cancel()
    await asyncio.gather(*late, return_exceptions=True)


async def count_waiting(tx: AsyncSession) -> int:
    """How many jobs have not been done yet."""
    return (await tx.scalar(select(func.count()).select_from(OutboxJob))) or 0
