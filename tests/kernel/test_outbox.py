"""The outbox: everything that was asked for is done, by one worker at a time, however workers and jobs fail."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from tests.kernel.bank import Entry, deadlock
from tests.kernel.conftest import MakeStore
from yiyuebao_api.kernel import clock, outbox
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import BookingId, JobId
from yiyuebao_api.kernel.outbox import CRASHES, LEASE, Again, GiveUp, Job, JobState, OutboxJob, Timer, Work, Worker

S = timedelta(seconds=1)
Run = Callable[[None, Work], Awaitable[None]]


async def ask(store: Database, name: str = "job", times: int = 1, *, late: timedelta = timedelta(), **payload: Any) -> list[JobId]:
    now = clock.now()
    async with store.begin() as tx:
        return [
            await outbox.put(tx, name, BookingId.new(), payload, now=now, run_at=now + late) for _ in range(times)
        ]


async def rows(store: Database) -> list[OutboxJob]:
    async with store.begin() as tx:
        return list((await tx.scalars(select(OutboxJob).order_by(OutboxJob.id))).all())


async def set_all(store: Database, **values: Any) -> None:
    async with store.begin() as tx:
        await tx.execute(update(OutboxJob).values(**values))


async def end_leases(store: Database) -> None:
    """As if the lease's minute had passed."""
    await set_all(store, lease_until=clock.system_now() - S)


async def make_due(store: Database) -> None:
    """As if the back-off had passed."""
    await set_all(store, run_at=clock.now() - S)


def make_worker(store: Database, run: Run, *, back_off: Sequence[timedelta] = (S, S), **options: Any) -> Worker[None]:
    return Worker(store.begin, None, {"job": Job(run, back_off=back_off)}, **options)


@asynccontextmanager
async def at_work(*workers: Worker[None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in workers]
    try:
        yield
    finally:
        for each in workers:
            each.stop()
        await asyncio.gather(*tasks)


async def until(true: Callable[[], bool], within: float = 10) -> None:
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)


class Book:
    """A job that notes its runs and does what the scene tells it to."""

    def __init__(self, *then: Exception | None) -> None:
        self.runs: list[Work] = []
        self.then = list(then)

    async def __call__(self, _: None, work: Work) -> None:
        self.runs.append(work)
        if self.then and (error := self.then.pop(0)) is not None:
            raise error


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_job_exists_if_and_only_if_the_transaction_commits(store: Database) -> None:
    """A webhook that tells of a booking which was rolled back is a lie to the hospital."""

    async def use_case(fail: bool) -> None:
        async with store.begin() as tx:
            tx.add(Entry(id=BookingId.new(), what="x"))
            await outbox.put(tx, "job", BookingId.new(), now=clock.now())
            if fail:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use_case(fail=True)
    assert await rows(store) == []
    await use_case(fail=False)
    async with store.begin() as tx:
        assert await outbox.count_waiting(tx) == 1


async def test_the_row_is_one_that_debezium_s_router_reads(store: Database) -> None:
    """The day workers no longer suffice, Kafka Connect takes over the same table."""
    about = BookingId.new()
    async with store.begin() as tx:
        job_id = await outbox.put(tx, "bookings.expire", about, {"more": 1}, now=clock.now())
    async with store.begin() as tx:
        row = (await tx.execute(text("SELECT id, aggregatetype, aggregateid, type, payload FROM outbox"))).one()
    assert (row.id, row.aggregatetype, row.aggregateid, row.type) == (job_id.bytes, "booking", str(about), "bookings.expire")
    assert str(about) in row.payload


async def test_a_job_is_not_run_before_its_time(store: Database, tmp_path: Path) -> None:
    """A hold that expires at once is a patient who pays for nothing."""
    book = Book()
    worker = make_worker(store, book)
    await ask(store, late=timedelta(minutes=15))
    assert await worker.drain() == 0
    clock.use_file(tmp_path / "clock")
    try:
        clock.move(timedelta(minutes=15))
        assert await worker.drain() == 1
    finally:
        clock.use_file(None)
    assert len(book.runs) == 1
    assert await rows(store) == []


# ── several workers ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_several_workers_run_every_job_once(make_store: MakeStore, store: Database) -> None:
    """Two API processes each with a worker must not tell the hospital everything twice."""
    runs: Counter[JobId] = Counter()
    who: Counter[str] = Counter()

    def job(name: str) -> Run:
        async def run(_: None, work: Work) -> None:
            runs[work.id] += 1
            who[name] += 1
            await asyncio.sleep(0.002)

        return run

    asked = await ask(store, times=200)
    workers = [make_worker(make_store(pool_size=6), job(name), name=name, batch=5) for name in "abcd"]
    async with at_work(*workers):
        await until(lambda: len(runs) == 200)
    assert set(runs) == set(asked)
    assert set(runs.values()) == {1}
    assert len(who) == 4, "each had its share"
    assert await rows(store) == []


async def test_what_a_worker_holds_is_invisible_to_the_others(store: Database) -> None:
    """Without the mark two workers would take turns at one job."""
    await ask(store, times=3)
    first, second = make_worker(store, Book(), name="first"), make_worker(store, Book(), name="second")
    held = await first._claim()
    assert len(held) == 3
    assert await second._claim() == []
    assert {(each.state, each.worker, each.attempts) for each in await rows(store)} == {(JobState.RUNNING, "first", 1)}


async def test_a_locked_row_is_passed_over(store: Database) -> None:
    """A worker that waits for another's row waits for its whole batch."""
    await ask(store, times=2)
    async with store.engine.begin() as foreign:
        await foreign.execute(select(OutboxJob.id).order_by(OutboxJob.id).limit(1).with_for_update())
        began = time.monotonic()
        assert len(await make_worker(store, Book())._claim()) == 1
        assert time.monotonic() - began < 1


async def test_the_job_of_a_dead_worker_is_handed_out_again(store: Database) -> None:
    """A worker killed in the middle must not take a refund with it."""
    book = Book()
    await ask(store)
    await make_worker(store, book, name="dead")._claim()
    alive = make_worker(store, book, name="alive")
    assert await alive.drain() == 0, "its lease still runs"
    assert (await rows(store))[0].lease_until is not None
    await end_leases(store)
    async with at_work(alive):
        await until(lambda: len(book.runs) == 1)
    assert book.runs[0].attempt == 2
    assert await rows(store) == []


async def test_an_operator_s_single_run_takes_abandoned_jobs_too(store: Database) -> None:
    """`worker --once` after a crash must find what the crash left."""
    book = Book()
    await ask(store)
    await make_worker(store, book, name="dead")._claim()
    await end_leases(store)
    assert await make_worker(store, book, name="alive").drain() == 1


async def test_a_worker_that_lost_its_lease_may_not_say_how_it_ended(store: Database) -> None:
    """A frozen machine that wakes up must not delete, revive or fail a row that another one is running."""
    await ask(store)
    slow, other = make_worker(store, Book(), name="slow"), make_worker(store, Book(), name="other")
    (old,) = await slow._claim()
    await end_leases(store)
    await other._reap()
    (new,) = await other._claim()
    before = [(each.state, each.worker, each.attempts, each.last_error) for each in await rows(store)]
    await slow._finish(old, "done")
    await slow._finish(old, "failed", run_at=clock.now(), error="late")
    await slow._finish(old, "dead", dead=True, error="late")
    assert [(each.state, each.worker, each.attempts, each.last_error) for each in await rows(store)] == before
    await other._finish(new, "done")
    assert await rows(store) == []


async def test_the_same_worker_is_fenced_from_its_own_earlier_run(store: Database) -> None:
    """The name alone does not tell two runs of one process apart."""
    await ask(store)
    worker = make_worker(store, Book())
    (old,) = await worker._claim()
    await end_leases(store)
    await worker._reap()
    (new,) = await worker._claim()
    await worker._finish(old, "done")
    assert len(await rows(store)) == 1
    await worker._finish(new, "done")
    assert await rows(store) == []


def test_a_run_must_end_before_its_lease() -> None:
    """A run longer than its lease is run twice at once, by design of the lease."""
    with pytest.raises(ValueError, match="lease"):
        Job(Book(), timeout=LEASE)


# ── failing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_failure_backs_off_and_then_rests_among_the_dead(store: Database) -> None:
    """Hammering a provider that is down, or dropping a refund after the third failure, both hurt somebody."""
    book = Book(*[ValueError("no")] * 9)
    worker = make_worker(store, book, back_off=(60 * S, 600 * S))
    await ask(store)
    for attempt, wait in [(1, 60), (2, 600)]:
        await worker.drain()
        (row,) = await rows(store)
        assert (row.state, row.attempts, row.worker, row.lease_until) == (JobState.READY, attempt, None, None)
        assert row.last_error == "ValueError: no"
        assert 0.89 * wait < (row.run_at - clock.now()).total_seconds() < 1.11 * wait
        assert await worker.drain() == 0, "not before its time"
        await make_due(store)
    await worker.drain()
    (row,) = await rows(store)
    assert (row.state, row.attempts) == (JobState.DEAD, 3)
    assert await worker.drain() == 0
    assert [work.attempt for work in book.runs] == [1, 2, 3]


async def test_the_dead_are_listed_and_can_be_revived(store: Database) -> None:
    """An operator who has mended the reason must not write SQL on a production database."""
    book = Book(ValueError("no"))
    worker = make_worker(store, book, back_off=())
    (job_id,) = await ask(store)
    await worker.drain()
    async with store.begin() as tx:
        assert [row.id for row in await outbox.list_dead(tx)] == [job_id]
        assert await outbox.revive(tx, job_id, now=clock.now())
    async with store.begin() as tx:
        assert not await outbox.revive(tx, job_id, now=clock.now()), "it is not dead any more"
        assert await outbox.list_dead(tx) == []
    assert await worker.drain() == 1
    assert [work.attempt for work in book.runs] == [1, 1], "a fresh start"
    assert await rows(store) == []


async def test_giving_up_skips_the_schedule(store: Database) -> None:
    """A refund under the wrong amount does not become right by repetition."""
    await ask(store)
    await make_worker(store, Book(GiveUp("wrong amount"))).drain()
    (row,) = await rows(store)
    assert (row.state, row.attempts, row.last_error) == (JobState.DEAD, 1, "GiveUp: wrong amount")


async def test_looking_again_counts_as_no_attempt(store: Database) -> None:
    """A payment is queried for fifteen minutes; that is no failure and must not end among the dead."""
    book = Book(*[Again(5 * S)] * 20, ValueError("no"), Again(5 * S))
    worker = make_worker(store, book)
    await ask(store)
    for _ in range(20):
        await worker.drain()
        (row,) = await rows(store)
        assert (row.state, row.attempts, row.worker) == (JobState.READY, 0, None)
        assert 4 < (row.run_at - clock.now()).total_seconds() <= 5
        await make_due(store)
    await worker.drain()
    assert (await rows(store))[0].attempts == 1
    await make_due(store)
    await worker.drain()
    assert (await rows(store))[0].attempts == 1, "the failure before it still counts"


async def test_a_job_nobody_knows_is_shown_and_not_lost(store: Database) -> None:
    """A deployment that was rolled back meets rows of the newer one."""
    await ask(store, name="of.tomorrow")
    await make_worker(store, Book()).drain()
    (row,) = await rows(store)
    assert row.state is JobState.DEAD
    assert "of.tomorrow" in (row.last_error or "")


async def test_a_run_without_an_end_is_cut_off(store: Database) -> None:
    """A provider that never answers must not hold a place for ever."""

    async def hang(_: None, work: Work) -> None:
        await asyncio.sleep(60)

    await ask(store)
    worker: Worker[None] = Worker(store.begin, None, {"job": Job(hang, timeout=0.05 * S)})
    await worker.drain()
    (row,) = await rows(store)
    assert (row.state, row.attempts) == (JobState.READY, 1)
    assert (row.last_error or "").startswith("TimeoutError")


async def test_a_job_that_kills_its_worker_ends_among_the_dead(store: Database) -> None:
    """Else one row takes down every worker once a minute, for ever."""
    book = Book()
    worker = make_worker(store, book)
    await ask(store)
    await set_all(store, attempts=2 + CRASHES)
    await worker.drain()
    assert (await rows(store))[0].state is JobState.DEAD
    assert book.runs == []


async def test_a_long_reason_still_fits(store: Database) -> None:
    """A failure that cannot be written down is repeated without back-off."""
    await ask(store)
    await make_worker(store, Book(ValueError("长" * 5000))).drain()
    assert len((await rows(store))[0].last_error or "") == 500


# ── draining ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_draining_does_what_the_work_itself_asks_for(store: Database) -> None:
    """`worker --once` means: afterwards nothing is due."""
    seen: list[str] = []

    async def chain(_: None, work: Work) -> None:
        seen.append(work.type)
        if work.type != "three":
            await ask(store, {"one": "two", "two": "three"}[work.type])

    await ask(store, "one")
    worker: Worker[None] = Worker(store.begin, None, dict.fromkeys(["one", "two", "three"], Job(chain)))
    assert await worker.drain() == 3
    assert seen == ["one", "two", "three"]


async def test_draining_more_than_a_batch(store: Database) -> None:
    """The batch is a size, not a limit."""
    await ask(store, times=45)
    assert await make_worker(store, Book(), batch=20).drain() == 45


async def test_draining_one_name_leaves_the_others(store: Database) -> None:
    """An operator who runs the refunds does not want to run the webhooks."""
    seen: list[str] = []

    async def note(_: None, work: Work) -> None:
        seen.append(work.type)

    async def tick(_: None) -> None:
        seen.append("timer")

    await ask(store, "one")
    await ask(store, "two")
    jobs: Mapping[str, Job[None]] = dict.fromkeys(["one", "two"], Job(note))
    worker: Worker[None] = Worker(store.begin, None, jobs, {"timer": Timer(tick, 60 * S)})
    assert await worker.drain("one") == 1
    assert seen == ["one"]
    assert await worker.drain("timer") == 1
    assert seen == ["one", "timer"]
    assert await worker.drain() == 2
    assert seen[2:] == ["timer", "two"]


async def test_draining_early_runs_each_waiting_row_once(store: Database) -> None:
    """A job that answers "not yet" must not be asked in a circle."""
    book = Book(*[Again(60 * S)] * 9)
    await ask(store, times=3, late=timedelta(hours=1))
    worker = make_worker(store, book)
    assert await worker.drain() == 0
    assert await worker.drain(early=True) == 3
    assert len(book.runs) == 3
    assert len(await rows(store)) == 3


# ── the loop ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_slow_job_delays_no_other(store: Database) -> None:
    """One hospital whose system hangs must not hold up the refunds of all others for half a minute."""
    release, done = asyncio.Event(), Book()

    async def slow(_: None, work: Work) -> None:
        await release.wait()

    await ask(store, "slow", 3)
    await ask(store, "job", 2)
    worker: Worker[None] = Worker(store.begin, None, {"slow": Job(slow), "job": Job(done)}, batch=5)
    async with at_work(worker):
        await until(lambda: len(done.runs) == 2)
        await ask(store, "job", 30)
        began = time.monotonic()
        await until(lambda: len(done.runs) == 32)
        assert time.monotonic() - began < 8, "in the two places that are left"
        async with asyncio.timeout(10):  # the last of them has run, and is about to be completed
            while sum(each.state is JobState.RUNNING for each in await rows(store)) != 3:
                await asyncio.sleep(0.02)
        release.set()
    assert await rows(store) == []


async def test_a_full_worker_takes_no_more_than_its_places(store: Database) -> None:
    """What a worker holds and does not run is run by nobody until its lease ends."""
    release, most, now = asyncio.Event(), 0, 0

    async def slow(_: None, work: Work) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await release.wait()
        now -= 1

    await ask(store, times=12)
    async with at_work(make_worker(store, slow, batch=4)):
        await until(lambda: now == 4)
        await asyncio.sleep(0.4)
        assert sum(each.state is JobState.RUNNING for each in await rows(store)) == 4
        release.set()
        async with asyncio.timeout(10):
            while await rows(store):
                await asyncio.sleep(0.05)
    assert most == 4


async def test_many_quick_jobs_do_not_wait_for_polls(store: Database) -> None:
    """Twenty jobs a poll would be sixty-six a second at best, whatever the machine."""
    book = Book()
    await ask(store, times=200)
    worker = make_worker(store, book, batch=4)  # fifty polls of 0.3 s would be 15 s
    began = time.monotonic()
    async with at_work(worker):
        await until(lambda: len(book.runs) == 200, within=14)
    assert time.monotonic() - began < 12


async def test_a_wake_up_is_heard_before_the_poll(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hospital hears of a payment at once, not at the next poll."""
    monkeypatch.setattr(outbox, "POLL_S", 30.0)
    book = Book()
    worker = make_worker(store, book)
    async with at_work(worker):
        await asyncio.sleep(0.2)
        await ask(store)
        worker.wake()
        await until(lambda: len(book.runs) == 1, within=5)


async def test_stopping_finishes_what_runs_and_takes_nothing_new(store: Database) -> None:
    """F14: a deployment must not cut a provider call in two."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def slow(_: None, work: Work) -> None:
        started.set()
        await asyncio.sleep(0.3)
        ended.set()

    await ask(store)
    worker = make_worker(store, slow)
    async with at_work(worker):
        await started.wait()
        worker.stop()
        await ask(store)
    assert ended.is_set()
    assert [row.state for row in await rows(store)] == [JobState.READY]


async def test_what_does_not_finish_in_time_is_handed_out_again(store: Database) -> None:
    """A job that hangs must not keep a deployment waiting until it is killed, nor be lost by it."""
    book, started = Book(), asyncio.Event()

    async def hang(_: None, work: Work) -> None:
        started.set()
        await asyncio.sleep(60)

    await ask(store)
    worker = make_worker(store, hang, grace=0.1 * S)
    async with asyncio.timeout(5), at_work(worker):
        await started.wait()
    assert [row.state for row in await rows(store)] == [JobState.RUNNING]
    await end_leases(store)
    assert await make_worker(store, book, name="next").drain() == 1
    assert await rows(store) == []


async def test_timers_run_about_every_so_often_and_never_beside_themselves(store: Database) -> None:
    """Housekeeping that takes long must neither pile up nor keep jobs waiting; one that fails must come again."""
    ticks, beside, most = 0, 0, 0

    async def tick(_: None) -> None:
        nonlocal ticks, beside, most
        ticks, beside = ticks + 1, beside + 1
        most = max(most, beside)
        await asyncio.sleep(0.4)
        beside -= 1
        raise ValueError("no")

    book = Book()
    worker: Worker[None] = Worker(store.begin, None, {"job": Job(book)}, {"tick": Timer(tick, 0.05 * S)})
    async with at_work(worker):
        await until(lambda: ticks == 1)
        await ask(store)
        await until(lambda: len(book.runs) == 1, within=5)
        await until(lambda: ticks >= 3)
    assert most == 1


@pytest.mark.parametrize("error", [deadlock(2013), deadlock(1213), RuntimeError("a bug"), ConnectionResetError()])
async def test_a_database_that_is_away_is_waited_for(store: Database, error: Exception) -> None:
    """A worker that dies with the database's restart leaves every refund undone until somebody notices."""
    book, times = Book(), 2

    @asynccontextmanager
    async def begin() -> AsyncIterator[Any]:
        nonlocal times
        if times:
            times -= 1
            raise error
        async with store.begin() as tx:
            yield tx

    await ask(store)
    worker: Worker[None] = Worker(begin, None, {"job": Job(book)})
    async with at_work(worker):
        await until(lambda: len(book.runs) == 1)
    assert await rows(store) == []


async def test_an_outcome_that_cannot_be_written_runs_the_job_again(store: Database) -> None:
    """At least once: between the effect and the note of it everything can die."""
    book, broken = Book(), False

    async def run(_: None, work: Work) -> None:
        nonlocal broken
        await book(None, work)
        broken = len(book.runs) == 1

    @asynccontextmanager
    async def begin() -> AsyncIterator[Any]:
        nonlocal broken
        if broken:
            broken = False
            raise OperationalError("lost", {}, Exception(2013, "lost"))
        async with store.begin() as tx:
            yield tx

    await ask(store)
    async with at_work(Worker(begin, None, {"job": Job(run)})):
        await until(lambda: len(book.runs) == 1)
        await end_leases(store)
        await until(lambda: len(book.runs) == 2)
    assert [work.attempt for work in book.runs] == [1, 2]
    assert await rows(store) == []
