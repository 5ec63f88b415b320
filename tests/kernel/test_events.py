"""Announcements: in the announcer's transaction, in the order written, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from tests.kernel.bank import Entry, count
from yiyuebao_api.kernel import events
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import BookingId


@dataclass(frozen=True)
class Happened:
    what: str


@dataclass(frozen=True)
class HappenedElsewhere(Happened):
    pass


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = events._listeners
    yield
    events._listeners = before


async def note(tx: AsyncSession, event: Happened) -> None:
    tx.add(Entry(id=BookingId.new(), what=event.what))


async def refuse(tx: AsyncSession, event: Happened) -> None:
    raise ZeroDivisionError


async def test_listeners_run_in_the_order_written(store: Database) -> None:
    """The ledger is written before the booking that reads it."""
    order: list[int] = []

    def numbered(number: int) -> events.Listener:
        async def listen(tx: AsyncSession, event: Happened) -> None:
            order.append(number)

        return listen

    events.connect({Happened: [numbered(1), numbered(2), numbered(3)]})
    async with store.begin() as tx:
        await events.announce(tx, Happened("x"))
    assert order == [1, 2, 3]


async def test_what_a_listener_does_is_committed_with_the_announcement(store: Database) -> None:
    """A payment that is noted and a booking that is not would be a patient without a nurse."""
    events.connect({Happened: [note]})
    async with store.begin() as tx:
        await events.announce(tx, Happened("heard"))
        assert await tx.get(Entry, BookingId.new()) is None  # the same, still open transaction
    assert await count(store, "heard") == 1


async def test_one_listener_s_failure_rolls_everything_back(store: Database) -> None:
    """Half of what follows from a payment is worse than none: the inbox repeats the whole."""
    events.connect({Happened: [note, refuse]})

    async def use_case() -> None:
        async with store.begin() as tx:
            tx.add(Entry(id=BookingId.new(), what="own"))
            await events.announce(tx, Happened("heard"))

    with pytest.raises(ZeroDivisionError):
        await use_case()
    assert await count(store) == 0


async def test_an_event_nobody_placed_is_a_mistake(store: Database) -> None:
    """Forgotten in the table, it would be announced to nobody for ever; nobody listening is written as []."""
    events.connect({Happened: []})
    async with store.begin() as tx:
        await events.announce(tx, Happened("x"))
        with pytest.raises(KeyError):
            await events.announce(tx, HappenedElsewhere("x"))
