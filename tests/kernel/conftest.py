"""A database server, the tables of the kernel and of the tests' small bank, and that bank over HTTP."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.kernel.bank import Account, Entry, Scene, Small, make_app
from tests.servers import GivenServer, MariaDb, database_server
from yiyuebao_api import settings as settings_
from yiyuebao_api.kernel import clock, log, secrets
from yiyuebao_api.kernel.database import PATIENCE_S, Database, Model
from yiyuebao_api.kernel.idempotency import Once
from yiyuebao_api.kernel.ids import AccountId, SessionId
from yiyuebao_api.kernel.inbox import InboxMessage
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.outbox import OutboxJob
from yiyuebao_api.kernel.tokens import Claims, Mode, Tokens

log.configure("INFO")  # structlog's own default paints tracebacks for seconds

TABLES = [Model.metadata.tables[name] for name in ("idempotency_key", "inbox", "outbox")]
SIGNED_IN = Tokens(settings_.Secrets())


@pytest.fixture(scope="session")
def bank_server() -> Iterator[MariaDb | GivenServer]:
    """A server of its own: some tests kill its connections."""
    started = database_server()
    yield started
    started.stop()


@pytest.fixture(scope="session")
async def bank_url(bank_server: MariaDb | GivenServer) -> AsyncIterator[str]:
    name = f"yiyuebao_kernel_{os.getpid()}"
    root = create_async_engine(bank_server.url(), poolclass=NullPool)
    async with root.begin() as connection:
        await connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"))
    engine = create_async_engine(bank_server.url(name), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(lambda c: Model.metadata.create_all(c, tables=TABLES))
        await connection.run_sync(Small.metadata.create_all)
    await engine.dispose()
    yield bank_server.url(name)
    async with root.begin() as connection:
        await connection.execute(text(f"DROP DATABASE {name}"))
    await root.dispose()


MakeStore = Callable[..., Database]


@pytest.fixture
async def make_store(bank_url: str) -> AsyncIterator[MakeStore]:
    """`make_store(pool_size=2, pool_timeout_s=0.3)`: another pool on the same database."""
    made: list[Database] = []

    def make(*, pool_size: int = 20, patience_s: float = PATIENCE_S, **options: Any) -> Database:
        settings = settings_.Database(url=SecretStr(bank_url), **options)
        made.append(Database(settings, pool_size=pool_size, patience_s=patience_s))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


@pytest.fixture
async def store(make_store: MakeStore) -> AsyncIterator[Database]:
    """The database with eight accounts of 1 000 fen, emptied afterwards."""
    before = secrets._ring
    secrets.install(settings_.Secrets())
    held = make_store()
    async with held.begin() as tx:
        for table in (Once, InboxMessage, OutboxJob, Account, Entry):
            await tx.execute(delete(table))
        tx.add_all(Account(number=number, fen=Fen(1000)) for number in range(1, 9))
    yield held
    secrets._ring = before


def bearer(claims: Claims) -> dict[str, str]:
    return {"Authorization": f"Bearer {SIGNED_IN.issue(claims, now=clock.now())}"}


def somebody() -> dict[str, str]:
    """The headers of a caller nobody has seen before."""
    return bearer(Claims(AccountId.new(), SessionId.new(), Mode.PATIENT, None))


@pytest.fixture
def bank(store: Database) -> FastAPI:
    return make_app(store, SIGNED_IN)


@pytest.fixture
def scene(bank: FastAPI) -> Scene:
    held: Scene = bank.state.scene
    return held


@pytest.fixture
async def client(bank: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """One signed-in caller of the bank."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(bank), base_url="http://test", headers=somebody(), timeout=30
    ) as made:
        yield made
