"""Reads past SQLAlchemy: the same values, the same refusals, never a write, never another's answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from sqlalchemy import JSON, bindparam, func, literal, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from tests.kernel.bank import Account, Entry
from tests.kernel.conftest import MakeStore
from yiyuebao_api import settings
from yiyuebao_api.kernel.database import Database, UtcDateTime, is_outage
from yiyuebao_api.kernel.problems import NotAllowed
from yiyuebao_api.kernel.reading import Read, Reader

_ACCOUNT = Read(select(Account.number, Account.fen).where(Account.number == bindparam("number")))
_NOBODY = Read(select(Account.number).where(Account.number == bindparam("caller")))


class Asked:
    """Who calls, for a test: account `caller`, refused unless it is there and below five."""

    read: ClassVar[Read] = _NOBODY

    def __init__(self, caller: int) -> None:
        self.parameters: Mapping[str, Any] = {"caller": caller}
        self.heard: list[Sequence[Any] | None] = []

    async def hear(self, row: Sequence[Any] | None) -> None:
        self.heard.append(row)
        if row is None or row[0] >= 5:
            raise NotAllowed


def reader(store: Database, first: Asked | None = None) -> Reader:
    return Reader(store.readers, SimpleNamespace(session=first))


async def test_a_row_is_what_the_columns_types_make_of_it(store: Database) -> None:
    moment = datetime(2026, 11, 25, 9, 30, 0, 123456, tzinfo=UTC)
    every = Read(select(
        literal(moment, UtcDateTime()).label("at"), func.json_array(1, "二", type_=JSON).label("list"),
        literal("a'b\\%s\"?", None).label("words"), literal(None, UtcDateTime()).label("never"),
        bindparam("given", type_=UtcDateTime()).label("given"),
    ))  # fmt: skip
    row = await reader(store).one(every, given=moment)
    assert row is not None
    assert (row.at, row.list, row.words, row.never, row.given) == (moment, [1, "二"], "a'b\\%s\"?", None, moment)


async def test_as_often_as_one_likes(store: Database) -> None:
    """Prepared at the first time, and again on every connection; what was committed meanwhile is seen."""
    for fen in (1000, 7, 8):
        found = await asyncio.gather(*(reader(store).one(_ACCOUNT, number=1) for _ in range(50)))
        assert {each.fen for each in found if each is not None} == {fen}
        async with store.begin() as tx:
            await tx.execute(text(f"UPDATE {Account.__tablename__} SET fen = IF(fen = 1000, 7, 8)"))
    assert await reader(store).one(_ACCOUNT, number=99) is None


async def test_who_calls_is_judged_before_anything_is_told(store: Database) -> None:
    first = Asked(2)
    row = await reader(store, first).one(_ACCOUNT, number=1)
    assert row is not None
    assert (row.number, row.fen, first.heard) == (1, 1000, [[2]])
    assert await reader(store, Asked(2)).one(_ACCOUNT, number=99) is None
    for nobody in (7, 77):
        with pytest.raises(NotAllowed):
            await reader(store, Asked(nobody)).one(_ACCOUNT, number=1)


async def test_who_calls_is_asked_once_and_in_any_case(store: Database) -> None:
    first = Asked(2)
    two = reader(store, first)
    await two.one(_ACCOUNT, number=1)
    await two.one(_ACCOUNT, number=2)
    await two.settle()
    assert first.heard == [[2]]
    with pytest.raises(NotAllowed):
        await reader(store, Asked(77)).settle()
    with pytest.raises(NotAllowed):
        await reader(store, Asked(77)).rows("SELECT 1", [])


async def test_it_cannot_write(store: Database) -> None:
    for statement in (f"UPDATE {Account.__tablename__} SET fen = 0", f"DELETE FROM {Entry.__tablename__}"):
        with pytest.raises(DBAPIError, match="1792"):
            await reader(store).rows(statement, [])
    row = await reader(store).one(_ACCOUNT, number=1)
    assert row is not None
    assert row.fen == 1000


async def test_connections_that_died_are_replaced_in_silence(store: Database) -> None:
    """A server that was restarted must not cost one 503 for each connection of the pool."""
    await asyncio.gather(*(reader(store).rows("SELECT SLEEP(0.05)", []) for _ in range(6)))
    mine = await reader(store).rows("SELECT CONNECTION_ID()", [])
    async with store.begin() as tx:
        own = (await tx.execute(text("SELECT CONNECTION_ID()"))).scalar_one()
        user = (await tx.execute(text("SELECT CURRENT_USER()"))).scalar_one().split("@")[0]
        listed = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = :user AND COMMAND = 'Sleep'"
        for (number,) in (await tx.execute(text(listed), {"user": user})).all():
            if number != own:
                await tx.execute(text(f"KILL {number}"))
    again = await asyncio.gather(*(reader(store).rows("SELECT CONNECTION_ID()", []) for _ in range(6)))
    assert mine[0] not in [rows[0] for rows in again]


async def test_a_reader_that_left_leaves_no_answer_behind(store: Database) -> None:
    """The answer of a read that was cancelled would be the next reader's answer on that connection."""
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader(store).rows("SELECT 'old', SLEEP(0.2)", []), 0.05)
        assert await reader(store).rows("SELECT 'new'", []) == (("new",),)


async def test_nobody_waits_without_an_end(make_store: MakeStore) -> None:
    store = make_store(pool_size=2, patience_s=0.4)
    began = time.perf_counter()
    found = await asyncio.gather(
        *(reader(store).rows("SELECT SLEEP(3)", []) for _ in range(6)), return_exceptions=True
    )
    assert [type(each) for each in found] == [PoolExhausted] * 6
    assert time.perf_counter() - began < 2
    assert await reader(store).rows("SELECT 1", []) == ((1,),)


async def test_the_server_s_own_limit_is_an_outage(make_store: MakeStore) -> None:
    """Not SLEEP: MySQL ends it early and calls that an answer."""
    store = make_store(statement_timeout_s=0.2)
    long = "SELECT COUNT(*) FROM " + " JOIN ".join(f"information_schema.COLUMNS c{number}" for number in range(4))
    with pytest.raises(OperationalError) as found:
        await reader(store).rows(long, [])
    assert is_outage(found.value)


async def test_an_error_is_told_as_elsewhere(store: Database) -> None:
    with pytest.raises(DBAPIError) as found:
        await reader(store).rows("SELECT nothing FROM nowhere", [])
    assert not is_outage(found.value)
    away = Database(
        settings.Database(), url=str(store.engine.url.set(port=1).render_as_string(hide_password=False)), pool_size=2
    )
    with pytest.raises(OperationalError) as gone:
        await reader(away).rows("SELECT 1", [])
    assert is_outage(gone.value)
    await away.aclose()
