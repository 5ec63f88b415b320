"""Statements past SQLAlchemy: the same values, the same errors, the same transaction, whether a session opened it or nobody."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from tests.kernel.conftest import MakeStore
from yiyuebao_api import settings
from yiyuebao_api.kernel.database import (
    Attempt,
    Database,
    assert_no_transaction,
    current_attempt,
    is_contention,
    is_duplicate,
    is_outage,
)
from yiyuebao_api.kernel.events import after_commit
from yiyuebao_api.kernel.wire import Row, Wire, column, marks, moment

ENTRY = "INSERT INTO bank_account (number, fen) VALUES (%s, %s)"
FEN = "SELECT fen FROM bank_account WHERE number = %s"
LOCKED = f"{FEN} FOR UPDATE"
Opens = Callable[[Database], AbstractAsyncContextManager[Wire]]


@asynccontextmanager
async def of_a_session(store: Database) -> AsyncIterator[Wire]:
    async with store.begin_for_request() as tx:
        yield await Wire.of(tx)


def of_its_own(store: Database) -> AbstractAsyncContextManager[Wire]:
    return store.begin_wire()


@pytest.fixture(params=[of_a_session, of_its_own])
def opens(request: pytest.FixtureRequest) -> Opens:
    made: Opens = request.param
    return made


async def ask(opens: Opens, store: Database, statement: str, values: Sequence[Any] = ()) -> list[Row]:
    """In a transaction of its own."""
    async with opens(store) as wire:
        return await wire.ask(statement, values)


async def test_every_value_comes_back_as_it_went(store: Database, opens: Opens) -> None:
    """Bytes and words go as hexadecimal: nothing in a message is ever read as SQL."""
    now = datetime(2026, 11, 25, 8, 30, 15, 123456, tzinfo=UTC)
    words = "it's \"100%\" \\ 好\n😷'; DELETE FROM bank_account; -- "
    values = (bytes(range(256)), b"", words, "", 2**40, -1, True, None, column(now))
    (row,) = await ask(opens, store, f"SELECT {marks(len(values))}, '%%'", values)
    assert row[:8] == (*values[:6], 1, None)
    assert datetime.fromisoformat(str(row[8])) == values[8]
    assert row[9] == "%"
    assert moment(column(now)) == now
    assert moment(None) is column(None) is None
    assert await ask(opens, store, "SELECT COUNT(*) FROM bank_account") == [(8,)]
    with pytest.raises(KeyError):
        await ask(opens, store, "SELECT %s", [1.5])


async def test_it_commits_and_rolls_back_with_the_transaction(store: Database, opens: Opens) -> None:
    async def fail(number: int) -> None:
        async with opens(store) as wire:
            assert await wire.ask(ENTRY, (number, 1)) == []
            await wire.put(ENTRY, (number + 1, 1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail(90)
    assert await ask(opens, store, "SELECT fen FROM bank_account WHERE number IN (90, 91)") == []
    async with opens(store) as wire:
        await wire.ask(ENTRY, (90, 5))
        await wire.put(ENTRY, (91, 6))
        assert await wire.ask(FEN, [91]) == [(6,)], "whatever is asked next sees it"
        await wire.put(ENTRY, (92, 7))
    async with store.begin() as tx:
        found = await tx.scalars(text("SELECT fen FROM bank_account WHERE number >= 90 ORDER BY number"))
        assert [*found] == [5, 6, 7]


async def test_several_are_answered_in_order_up_to_the_first_that_fails(store: Database, opens: Opens) -> None:
    async with opens(store) as wire:
        await wire.put(ENTRY, (90, 9))
        asked: list[tuple[str, Sequence[Any]]] = [(FEN, [1]), (ENTRY, (91, 1)), (FEN, [77]), (LOCKED, [90])]
        assert await wire.ask_all(*asked) == [[(1000,)], [], [], [(9,)]]
    for unfit in ("SELECT nothing FROM bank_account", "INSERT INTO bank_account (number, fen) VALUES (1, 1)"):
        with pytest.raises(DBAPIError):
            async with opens(store) as wire:
                await wire.ask_all((ENTRY, (92, 1)), (unfit, ()), (ENTRY, (93, 1)))
    assert await ask(opens, store, "SELECT number FROM bank_account WHERE number > 91") == []


async def test_what_goes_with_the_commit_holds_as_a_whole_or_not_at_all(store: Database) -> None:
    """One packet; and the commit is not reached when anything before it fails."""
    packets: list[str] = []
    event.listen(store.engine.sync_engine, "before_cursor_execute", lambda _c, _cursor, words, *_: packets.append(words))

    async def three() -> None:
        async with store.begin_wire() as wire:
            for number in (90, 1, 91):
                await wire.put(ENTRY, (number, 1))

    with pytest.raises(IntegrityError):
        await three()
    assert packets == [ENTRY] * 3 + ["COMMIT"], "who listens hears of each"
    async with store.begin_wire() as wire:
        assert await wire.ask("SELECT number FROM bank_account WHERE number >= 90") == []


async def test_its_errors_are_the_ones_everybody_knows(store: Database, make_store: MakeStore, opens: Opens) -> None:
    """A duplicate is told as one, a row that somebody holds as contention, a mistake of ours as neither."""
    with pytest.raises(DBAPIError) as failed:
        await ask(opens, store, ENTRY, (1, 12345))
    assert is_duplicate(failed.value)
    assert "12345" not in str(failed.value)
    with pytest.raises(DBAPIError) as failed:
        await ask(opens, store, "SELECT nothing FROM bank_account")
    assert not is_outage(failed.value)
    async with opens(store) as wire:
        await wire.ask(LOCKED, [1])
        with pytest.raises(DBAPIError) as failed:
            await asyncio.create_task(ask(opens, make_store(lock_wait_s=1), LOCKED, [1]), context=contextvars.Context())
    assert is_contention(failed.value)


async def test_a_transaction_that_failed_holds_nothing(make_store: MakeStore, opens: Opens, store: Database) -> None:
    """1205 undoes its statement only: what was locked before it must be free once the transaction is over."""
    hasty = make_store(pool_size=1, lock_wait_s=1)

    async def two() -> None:
        async with opens(hasty) as wire:
            await wire.ask(LOCKED, [2])
            await wire.ask(LOCKED, [1])

    async with opens(store) as wire:
        await wire.ask(LOCKED, [1])
        with pytest.raises(DBAPIError):
            await asyncio.create_task(two(), context=contextvars.Context())
        assert await wire.ask(f"{LOCKED} NOWAIT", [2]) == [(1000,)]
    assert await ask(opens, hasty, FEN, [1]) == [(1000,)]


async def test_a_deadlock_is_contention_and_its_other_half_goes_on(store: Database, opens: Opens) -> None:
    met = asyncio.Barrier(2)

    async def cross(first: int, second: int) -> None:
        async with opens(store) as wire:
            await wire.ask(LOCKED, [first])
            await met.wait()
            await wire.ask_all((LOCKED, [second]), ("UPDATE bank_account SET fen = fen + 1 WHERE number = %s", [second]))

    outcomes = await asyncio.gather(cross(1, 2), cross(2, 1), return_exceptions=True)
    (victim,) = [each for each in outcomes if each is not None]
    assert is_contention(victim)
    assert await ask(opens, store, "SELECT SUM(fen) FROM bank_account WHERE number < 3") == [(2001,)]


async def test_a_connection_that_is_lost_is_not_used_again(make_store: MakeStore, opens: Opens) -> None:
    store = make_store(pool_size=1)
    with pytest.raises(DBAPIError) as failed:
        await ask(opens, store, "KILL CONNECTION_ID()")
    assert is_outage(failed.value)

    async def hang_up() -> None:
        async with opens(store) as wire:
            wire._driver.close()
            await wire.ask("SELECT 1")

    with pytest.raises(DBAPIError) as failed:
        await hang_up()
    assert is_outage(failed.value)
    assert await ask(opens, store, "SELECT 1") == [(1,)]


async def test_an_answer_that_nobody_waited_for_is_nobody_elses(make_store: MakeStore, opens: Opens) -> None:
    store = make_store(pool_size=1)
    task = asyncio.create_task(ask(opens, store, "SELECT SLEEP(1), 'old'"))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await ask(opens, store, "SELECT 'new'") == [("new",)]


async def test_who_is_cancelled_leaves_nothing_open(make_store: MakeStore, opens: Opens, store: Database) -> None:
    small = make_store(pool_size=1)
    holds = asyncio.Event()

    async def hold() -> None:
        async with opens(small) as wire:
            await wire.ask(LOCKED, [1])
            holds.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(hold())
    await holds.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await ask(opens, store, LOCKED, [1]) == [(1000,)]
    assert await ask(opens, small, LOCKED, [1]) == [(1000,)]


async def test_nobody_waits_without_an_end(make_store: MakeStore, opens: Opens) -> None:
    store = make_store(pool_size=1, patience_s=0.4)
    for _ in range(2):
        with pytest.raises(PoolExhausted):
            await ask(opens, store, "SELECT SLEEP(3)")
    assert await ask(opens, store, "SELECT 1") == [(1,)]


async def test_the_server_s_own_limit_is_an_outage(make_store: MakeStore, opens: Opens) -> None:
    """Not SLEEP: MySQL ends it early and calls that an answer."""
    long = "SELECT COUNT(*) FROM " + " JOIN ".join(f"information_schema.COLUMNS c{number}" for number in range(4))
    with pytest.raises(DBAPIError) as failed:
        await ask(opens, make_store(statement_timeout_s=0.2), long)
    assert is_outage(failed.value)
    assert not is_contention(failed.value)


async def test_it_is_a_transaction_like_any_other(store: Database) -> None:
    """None opens inside it, no provider is called under it, what waits for its commit waits, and it is not run again."""
    told: list[list[Row]] = []

    async def follow() -> None:
        told.append(await ask(of_its_own, store, FEN, [90]))

    attempt = Attempt()
    marker = current_attempt.set(attempt)
    for number in (1, 90):
        try:
            async with store.begin_wire() as wire:
                with pytest.raises(AssertionError):
                    assert_no_transaction()
                with pytest.raises(AssertionError):
                    await ask(of_its_own, store, "SELECT 1")
                after_commit(wire, follow)
                await wire.put(ENTRY, (number, 5))
        except IntegrityError:
            assert not attempt.committed
    current_attempt.reset(marker)
    assert attempt.committed
    assert told == [[(5,)]]
    assert_no_transaction()


async def test_a_server_that_cannot_be_reached_is_an_outage(store: Database, opens: Opens) -> None:
    url = str(store.engine.url.set(port=1).render_as_string(hide_password=False))
    away = Database(settings.Database(), url=url, pool_size=1)
    with pytest.raises(DBAPIError) as failed:
        await ask(opens, away, "SELECT 1")
    assert is_outage(failed.value)
    await away.aclose()
