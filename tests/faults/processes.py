"""Our own programs as processes: the API, the worker, and a worker that dies on command."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import httpx

from scripts.servers import Daemon, free_port
from tests.sandbox_server import SandboxServer
from tests.servers import Redis
from yiyuebao_api.settings import Settings

ROOT = Path(__file__).parents[2]


def environment(settings: Settings, sandbox: SandboxServer, **more: str) -> dict[str, str]:
    """What a process needs to run under these settings, and nothing of ours that happens to be set here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YIYUEBAO_")}
    return kept | sandbox.environment | {
        "YIYUEBAO_DATABASE__URL": settings.database.url.get_secret_value(),
        "YIYUEBAO_WECHAT_PAY__NOTIFY_BASE_URL": settings.wechat_pay.notify_base_url,
        "YIYUEBAO_CLOCK_FILE": str(settings.clock_file or ""),
        "YIYUEBAO_FILES__FOLDER": str(settings.files.folder),
        "PYTHONPATH": str(ROOT),
        "OPENBLAS_NUM_THREADS": "1",
        **more,
    }  # fmt: skip


class Process(Daemon):
    """`python -m yiyuebao_api …` in a folder of its own."""

    def __init__(self, folder: Path, env: Mapping[str, str], *arguments: str) -> None:
        name = arguments[0]
        command = [sys.executable, "-m", "yiyuebao_api", *arguments]
        super().__init__(name, command, log=folder / f"{name}.log", env=env, cwd=folder)

    def __enter__(self) -> Self:
        self.launch()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(grace_s=1)

    def ended(self, *, within: float) -> int:
        """How it ended by itself."""
        assert self.process is not None
        return self.process.wait(within)


class Service(Process):
    """The API on a port."""

    def __init__(self, folder: Path, env: Mapping[str, str], port: int | None = None) -> None:
        self.port = port or free_port()
        super().__init__(folder, env, "serve", "--port", str(self.port))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answers(self) -> None:
        """Returns when it serves."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            async with asyncio.timeout(90):
                while True:
                    try:
                        if (await client.get("/healthz")).status_code == 200:
                            return
                    except httpx.TransportError:
                        assert self.running, self.obituary()
                    await asyncio.sleep(0.05)


@asynccontextmanager
async def two(folder: Path, env: Mapping[str, str], redis: Redis) -> AsyncIterator[tuple[Service, Service]]:
    """Two API processes that find each other through Redis."""
    homes = [folder / "one", folder / "two"]
    for home in homes:
        home.mkdir()
    with (
        Service(homes[0], {**env, "YIYUEBAO_REDIS__URL": redis.url}) as one,
        Service(homes[1], {**env, "YIYUEBAO_REDIS__URL": redis.url}) as other,
    ):
        await asyncio.gather(one.answers(), other.answers())
        yield one, other


class DyingWorker:
    """`await dying.work("payments.refund", at=7)`: the worker does that job's rows and is killed at its 7th step."""

    def __init__(self, env: Mapping[str, str], program: str = "tests.faults.dying_worker") -> None:
        self.env, self.program = dict(env), program

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.program, stdin=pipe, stdout=pipe, env=self.env, cwd=ROOT
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def work(self, job: str, *, at: int) -> bool:
        """True when it was killed, False when it ended before its step `at`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{job} {at}\n".encode())
        async with asyncio.timeout(90):
            told = (await self._process.stdout.readline()).decode().strip()
        assert told in ("killed", "done"), f"the worker failed: {told or 'it is gone'}"
        return told == "killed"
