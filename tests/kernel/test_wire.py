"""Statements past SQLAlchemy: the same values, the same errors, the same transaction."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.kernel.conftest import MakeStore
from yiyuebao_api.kernel.database import Database, is_contention, is_duplicate, is_outage
from yiyuebao_api.kernel.wire import Row, Wire, column, marks, moment

ENTRY = "INSERT INTO bank_account (number, fen) VALUES (%s, %s)"


async def ask(store: Database, statement: str, values: Sequence[Any] = ()) -> list[Row]:
    """In a transaction of its own."""
    async with store.begin() as tx:
        return await (await Wire.of(tx)).ask(statement, values)


async def ask_when_cut_off(store: Database) -> list[Row]:
    async with store.begin() as tx:
        wire = await Wire.of(tx)
        tx.info["wire"].close()  # what the end of somebody's patience does
        return await wire.ask("SELECT 1")


async def test_every_value_comes_back_as_it_went(store: Database) -> None:
    """Bytes go as hexadecimal and words as the driver quotes them: nothing in a message is ever read as SQL."""
    now = datetime(2026, 11, 25, 8, 30, 15, 123456, tzinfo=UTC)
    values = (bytes(range(256)), b"", "it's \"100%\" \\ 好\n😷", 2**40, -1, True, None, column(now))
    (row,) = await ask(store, f"SELECT {marks(len(values))}, '%%'", values)
    assert row[:7] == (*values[:5], 1, None)
    assert datetime.fromisoformat(str(row[7])) == values[7]
    assert row[8] == "%"
    assert moment(column(now)) == now
    assert moment(None) is column(None) is None


async def test_it_commits_and_rolls_back_with_the_transaction(store: Database) -> None:
    async def fail() -> None:
        async with store.begin() as tx:
            assert await (await Wire.of(tx)).ask(ENTRY, (90, 1)) == []
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await ask(store, "SELECT fen FROM bank_account WHERE number = 90") == []
    await ask(store, ENTRY, (91, 5))
    async with store.begin() as tx:
        assert await tx.scalar(text("SELECT fen FROM bank_account WHERE number = 91")) == 5


async def test_its_errors_are_the_ones_everybody_knows(store: Database, make_store: MakeStore) -> None:
    """A duplicate is told as one, a row that somebody holds as contention, a mistake of ours as neither."""
    with pytest.raises(DBAPIError) as failed:
        await ask(store, ENTRY, (1, 12345))
    assert is_duplicate(failed.value)
    assert "12345" not in str(failed.value)
    with pytest.raises(DBAPIError) as failed:
        await ask(store, "SELECT nothing FROM bank_account")
    assert not is_outage(failed.value)
    locked = "SELECT * FROM bank_account WHERE number = 1 FOR UPDATE"
    async with store.begin() as tx:
        await (await Wire.of(tx)).ask(locked)
        with pytest.raises(DBAPIError) as failed:
            await asyncio.create_task(ask(make_store(lock_wait_s=1), locked), context=contextvars.Context())
    assert is_contention(failed.value)


async def test_a_connection_that_is_lost_is_not_used_again(make_store: MakeStore) -> None:
    store = make_store(pool_size=1)
    with pytest.raises(DBAPIError) as failed:
        await ask(store, "KILL CONNECTION_ID()")
    assert is_outage(failed.value)
    with pytest.raises(DBAPIError) as failed:
        await ask_when_cut_off(store)
    assert is_outage(failed.value)
    assert await ask(store, "SELECT 1") == [(1,)]


async def test_an_answer_that_nobody_waited_for_is_nobody_elses(make_store: MakeStore) -> None:
    store = make_store(pool_size=1)
    task = asyncio.create_task(ask(store, "SELECT SLEEP(1), 'old'"))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await ask(store, "SELECT 'new'") == [("new",)]
