"""One real database server, one real sandbox and the whole service for all tests; every test leaves empty tables behind."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from scripts.servers import free_port
from tests.client import Api, Contract
from tests.sandbox_server import SandboxServer
from tests.servers import GivenServer, MariaDb, database_server
from yiyuebao_api import tables, wiring
from yiyuebao_api.app import create_app
from yiyuebao_api.context import Context, open_context
from yiyuebao_api.kernel import clock, events, secrets
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.turnstile import Turnstile
from yiyuebao_api.serving import SOCKETS
from yiyuebao_api.settings import Settings

_WRITES = re.compile(r"\s*(?:insert(?:\s+ignore)?\s+into|update|replace\s+into|delete\s+from)\s+`?(\w+)", re.IGNORECASE)


@pytest.fixture(scope="session")
def server() -> Iterator[MariaDb | GivenServer]:
    """The database server of this run."""
    started = database_server()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """The providers, on a free port, with keys of their own."""
    with SandboxServer(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
async def control(sandbox: SandboxServer) -> AsyncIterator[httpx.AsyncClient]:
    """Paths below `/_sandbox`; WeChat Pay has forgotten everything before each test, and is well again after it."""
    async with httpx.AsyncClient(base_url=f"{sandbox.base_url}/_sandbox", trust_env=False, timeout=10) as client:
        (await client.post("/reset")).raise_for_status()
        yield client
        (await client.post("/reset")).raise_for_status()
        calm = {"notify_scale": 1, "refund_outcome": "SUCCESS", "refund_delay_s": 0.5, "split_delay_s": 0}
        (await client.post("/behaviour", json=calm)).raise_for_status()


@pytest.fixture(scope="session")
async def database_url(server: MariaDb | GivenServer) -> AsyncIterator[str]:
    """An empty database with every table."""
    name = f"yiyuebao_test_{os.getpid()}"
    root = create_async_engine(server.url(), poolclass=NullPool)
    async with root.begin() as connection:
        await connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"))
    url = server.url(name)
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    await engine.dispose()
    yield url
    async with root.begin() as connection:
        await connection.execute(text(f"DROP DATABASE {name}"))
    await root.dispose()


@pytest.fixture(scope="session")
def settings(database_url: str, sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Development settings that point at this run's servers; WeChat's notifications come to a port of our own."""
    return sandbox.settings(
        database_url=SecretStr(database_url), clock_file=tmp_path_factory.mktemp("clock") / "clock",
        notify_base_url=f"http://127.0.0.1:{free_port()}",
    )  # fmt: skip


@asynccontextmanager
async def listening(app: FastAPI, port: int) -> AsyncIterator[None]:
    """The application on a real port in this loop, for those who call it over the network."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off", access_log=False, **SOCKETS)
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    ticking = asyncio.create_task(server.main_loop())
    try:
        yield
    finally:
        server.should_exit = True
        await ticking
        await server.shutdown()


class DirtyTables:
    """Notes which tables a test wrote, and empties those and no others afterwards."""

    def __init__(self, database: Database) -> None:
        self.names: set[str] = set()
        event.listen(database.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, _conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if found := _WRITES.match(statement):
            self.names.add(found[1].lower())

    async def clean(self, database: Database) -> None:
        if not self.names:
            return
        async with database.engine.begin() as connection:
            await connection.execute(text("SET SESSION foreign_key_checks=0"))
            for table in reversed(tables.metadata.sorted_tables):
                if table.name in self.names:
                    await connection.execute(text(f"DELETE FROM `{table.name}`"))
            await connection.execute(text("SET SESSION foreign_key_checks=1"))
        self.names.clear()


@pytest.fixture(scope="session")
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database of this run, with a pool of its own."""
    secrets.install(settings.secrets)
    events.connect(wiring.EVENTS)
    # A loaded machine must not turn a crowd into 503s: how long a request may wait is tested in tests/kernel.
    patient = settings.database.model_copy(update={"pool_timeout_s": 60.0})
    held = Database(patient, pool_size=20, patience_s=60.0)
    yield held
    await held.aclose()


@pytest.fixture(scope="session")
def dirty(database: Database) -> DirtyTables:
    return DirtyTables(database)


@pytest.fixture(autouse=True)
async def _clean(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Tests that touched the database leave it empty, the clock at now and the sandbox well."""
    dirty = request.getfixturevalue("dirty") if "database" in request.fixturenames else None
    database = request.getfixturevalue("database") if dirty is not None else None
    settings = request.getfixturevalue("settings") if "settings" in request.fixturenames else None
    yield
    if dirty is not None:
        await dirty.clean(database)
    if settings is not None and settings.clock_file is not None:
        settings.clock_file.unlink(missing_ok=True)
        clock.use_file(settings.clock_file)


@pytest.fixture(scope="session")
async def context(settings: Settings, database: Database) -> AsyncIterator[Context]:
    """Everything a process holds, speaking to this run's servers."""
    async with open_context(settings, database=database) as held:
        yield held


@pytest.fixture(scope="session")
async def app(context: Context) -> AsyncIterator[FastAPI]:
    """The whole service, started."""
    made = create_app(context=context)
    made.state.contract = Contract(made)  # now, and not while a hundred requests race each other
    address = urlsplit(context.settings.wechat_pay.notify_base_url)
    async with made.router.lifespan_context(made), listening(made, address.port or 0):
        made.state.turnstile = Turnstile(patience_s=60)  # as patient as the database above, for the same reason
        yield made


@pytest.fixture
async def api(app: FastAPI, database: Database, dirty: DirtyTables) -> AsyncIterator[Api]:
    """A client that validates every answer against the published contract."""
    async with Api(app) as client:
        yield client


@pytest.fixture
def worker(context: Context, dirty: DirtyTables) -> Worker[Context]:
    """The jobs of the service; `await worker.drain()` does what is due."""
    return Worker(context.begin, context, wiring.JOBS, wiring.TIMERS, name="test-worker")
