"""Processes that share the database and the sandbox of this run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.processes import DyingWorker, environment
from tests.sandbox_server import SandboxServer
from tests.servers import Redis
from yiyuebao_api.settings import Settings


@pytest.fixture(scope="session")
def env(settings: Settings, sandbox: SandboxServer) -> dict[str, str]:
    """The environment of a process that joins this run."""
    return environment(settings, sandbox)


@pytest.fixture(scope="session")
async def dying(env: dict[str, str]) -> AsyncIterator[DyingWorker]:
    """A worker that dies on command."""
    async with DyingWorker(env) as made:
        yield made


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server
