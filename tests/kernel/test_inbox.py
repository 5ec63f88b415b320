"""The inbox: what a provider said is kept before it is answered, and has its effect once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.kernel.bank import Entry, count
from yiyuebao_api.kernel import clock, inbox
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import BookingId, RowId
from yiyuebao_api.kernel.inbox import APPLY, InboxMessage
from yiyuebao_api.kernel.outbox import Job, OutboxJob, Work, Worker

FAILING: list[Exception] = []


async def _apply(tx: AsyncSession, content: Mapping[str, Any]) -> None:
    """One effect; then whatever the test wants to go wrong."""
    tx.add(Entry(id=BookingId.new(), what=str(content["what"])))
    await tx.flush()
    await asyncio.sleep(0.005)
    if FAILING:
        raise FAILING.pop()


APPLIERS: Mapping[str, inbox.Applier] = {"bank": _apply}


async def receive(store: Database, external: str = "e1", what: str = "told") -> RowId:
    return await inbox.receive(store.begin, "bank", external, {"what": what}, now=clock.now())


async def apply(store: Database, row: RowId) -> bool:
    return await inbox.apply(store.begin, row, APPLIERS, now=clock.now())


def make_worker(store: Database) -> Worker[None]:
    async def run(_: None, work: Work) -> None:
        await apply(store, RowId.parse(work.payload["id"]))

    return Worker(store.begin, None, {APPLY: Job(run, back_off=[timedelta()] * 5)})


async def messages(store: Database) -> list[InboxMessage]:
    async with store.begin() as tx:
        return list((await tx.scalars(select(InboxMessage))).all())


async def jobs(store: Database) -> list[OutboxJob]:
    async with store.begin() as tx:
        return list((await tx.scalars(select(OutboxJob))).all())


@pytest.fixture(autouse=True)
def _nothing_fails() -> None:
    FAILING.clear()


async def test_a_message_and_its_job_are_one_commit(store: Database) -> None:
    """The process may die right after the answer: somebody must know that there is something to apply."""
    row = await receive(store)
    (message,), (job,) = await messages(store), await jobs(store)
    assert (message.id, message.applied_at) == (row, None)
    assert (job.type, job.payload["id"]) == (APPLY, str(row))
    assert job.run_at - clock.now() > timedelta(seconds=3), "the route itself comes first"


async def test_duplicates_in_parallel_are_kept_once_and_applied_once(store: Database) -> None:
    """F8: WeChat sends the same notification from several machines at once; the patient paid once."""
    taken = await asyncio.gather(*(receive(store) for _ in range(20)))
    assert len(set(taken)) == 1, "everybody is told of the first arrival"
    assert len(await messages(store)) == len(await jobs(store)) == 1
    applied = await asyncio.gather(*(apply(store, taken[0]) for _ in range(20)))
    assert sorted(applied) == [False] * 19 + [True]
    assert await count(store, "told") == 1


async def test_the_whole_way_twenty_times_at_once(store: Database) -> None:
    """Receiving and applying interleave as they do in the route."""

    async def route() -> bool:
        return await apply(store, await receive(store))

    assert sum(await asyncio.gather(*(route() for _ in range(20)))) == 1
    assert await make_worker(store).drain(early=True) == 1
    assert await count(store, "told") == 1


async def test_a_later_duplicate_with_other_words_changes_nothing(store: Database) -> None:
    """The first verified content is what we acted on; a second under the same number is not believed."""
    row = await receive(store, what="told")
    assert await receive(store, what="other") == row
    await apply(store, row)
    assert await receive(store, what="other") == row
    assert not await apply(store, row)
    assert await count(store) == 1


async def test_numbers_are_compared_byte_by_byte_and_per_source(store: Database) -> None:
    """'a' is not 'A' to a provider; a refund's number is not a payment's."""
    rows = {await receive(store, external) for external in ("a", "A", "b", "ä")}
    rows.add(await inbox.receive(store.begin, "other", "a", {}, now=clock.now()))
    assert len(rows) == 5


async def test_what_failed_is_rolled_back_and_applied_by_the_job(store: Database) -> None:
    """WeChat was answered 200 already: nobody will tell us again."""
    row = await receive(store)
    FAILING.append(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await apply(store, row)
    assert await count(store) == 0, "no half effect"
    assert (await messages(store))[0].applied_at is None
    assert await make_worker(store).drain(early=True) == 1
    assert await count(store, "told") == 1
    assert (await messages(store))[0].applied_at is not None
    assert await jobs(store) == []


async def test_the_job_itself_is_repeated_until_it_is_done(store: Database) -> None:
    """A deadlock at night must not need a person in the morning."""
    await receive(store)
    FAILING.extend([ZeroDivisionError(), ValueError(), RuntimeError()])
    worker = make_worker(store)
    for _ in range(4):
        await worker.drain(early=True)
    assert FAILING == []
    assert await count(store, "told") == 1
    assert await jobs(store) == []


async def test_the_job_beside_the_route_applies_once(store: Database) -> None:
    """A slow route and the job five seconds later meet at the row's lock."""
    row = await receive(store)
    applied = await asyncio.gather(apply(store, row), make_worker(store).drain(early=True), apply(store, row))
    assert applied[1] == 1
    assert await count(store, "told") == 1


async def test_what_was_said_cannot_be_read_in_the_table(store: Database) -> None:
    """A notification names the payer."""
    await inbox.receive(store.begin, "bank", "e9", {"openid": "oABCDEFG"}, now=clock.now())
    async with store.begin() as tx:
        raw = (await tx.execute(text("SELECT content FROM inbox"))).scalar_one()
    assert b"oABCDEFG" not in raw
