"""What the benchmarks share: servers of their own, a lean load generator, processor time, and the form of the output.

The generator is raw keep-alive connections on uvloop: one write and one `data_received` a request, so that on two cores it
takes little from what it measures. A closed loop: each connection asks again as soon as it was answered.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self, cast

from pydantic import SecretStr

from scripts.servers import Daemon, free_port
from tests.servers import MariaDb
from yiyuebao_api.kernel import secrets
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.tokens import Tokens
from yiyuebao_api.sandbox import keys
from yiyuebao_api.settings import Settings

POOL = Settings().database.pool_size
_TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_RETRY_AFTER_S = 1.0  # what our 503 says, and what a phone keeps to
#: Gives the bytes of the next request of one connection, told the status of the last answer (0 at first); None ends it.
Ask = Callable[[int], bytes | None]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def tell(benchmark: str, cell: str, **figures: object) -> None:
    """One cell as one line of JSON."""
    say(json.dumps({"benchmark": benchmark, "cell": cell, **figures}, ensure_ascii=False))


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def get(path: str, token: str = "") -> bytes:
    """A GET as it goes over the wire."""
    signed = f"authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{signed}\r\n".encode()


def post(path: str, body: Mapping[str, Any], token: str, key: str) -> bytes:
    """A POST with an Idempotency-Key as it goes over the wire."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def once(request: bytes) -> Ask:
    """That request, and again when the service was too busy (503), as a phone does; no other."""
    return lambda status: request if status in (0, 503) else None


@dataclass(slots=True)
class Answers:
    """What came back: the time of each answer by its status, and the last body of each status."""

    began: float = 0.0
    last: float = 0.0
    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: dict[int, bytes] = field(default_factory=dict)

    def note(self, status: int, body: bytes, seconds: float, at: float) -> None:
        self.times.append(seconds)
        self.statuses[status] += 1
        self.bodies[status] = body
        self.last = at

    @property
    def seconds(self) -> float:
        """From the first question to the last answer."""
        return self.last - self.began

    def quantile(self, share: float) -> float:
        """Milliseconds."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3


class _Connection(asyncio.Protocol):
    def __init__(self, ask: Ask, answers: Answers) -> None:
        self._ask, self._answers = ask, answers
        self._buffer, self._asked = b"", 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, status: int = 0) -> None:
        request = self._ask(status)
        if request is None:
            self._transport.close()
            return
        self._asked = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        found = _LENGTH.search(head)
        if found is None or len(body) < int(found[1]):
            return
        self._buffer = b""
        status, now = int(head[9:12]), time.perf_counter()
        self._answers.note(status, body, now - self._asked, now)
        if status == 503:
            asyncio.get_running_loop().call_later(_RETRY_AFTER_S, self.ask, status)
        else:
            self.ask(status)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def fire(port: int, asks: Sequence[Ask], answers: Answers | None = None) -> Answers:
    """One connection for each, all opened before the first of them asks; returns when all have ended."""
    answers, loop = answers or Answers(), asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda ask=ask: _Connection(ask, answers), "127.0.0.1", port))[1]  # type: ignore[misc]
        for ask in asks
    ]
    answers.began = time.perf_counter()
    for each in opened:
        each.ask()
    await asyncio.gather(*(each.done for each in opened))
    return answers


async def load(port: int, request: bytes, *, connections: int, seconds: float) -> Answers:
    """The same request again and again for that long."""
    end = time.perf_counter() + seconds

    def ask(status: int) -> bytes | None:
        return request if time.perf_counter() < end else None

    return await fire(port, [ask] * connections)


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _family(int(child))


def cpu_us(pid: int) -> float:
    """Microseconds of processor time that a process and its children have used, in user and in system mode."""
    total = 0
    for each in _family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total * _TICK_US


class ProductionDisk(MariaDb):
    """A durable MariaDB with its binlog on, each flush of which takes two milliseconds longer, as on a server's disk."""

    _STRACE = (
        "strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
        "-e", "inject=fsync,fdatasync:delay_exit=2000",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__(durable=True)

    def launch(self) -> None:
        rest = [each for each in self.command if each != "--skip-log-bin"]
        self.command = [*self._STRACE, *rest, "--log-bin=binlog", "--sync-binlog=1", "--server-id=1"]
        super().launch()

    @classmethod
    def refusal(cls) -> str | None:
        """Why there is no such disk on this machine; None when there is."""
        try:
            tried = subprocess.run([*cls._STRACE, "true"], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return "strace is not installed"
        return None if tried.returncode == 0 else f"strace may not trace: {tried.stderr.strip()[-120:]}"


class House:
    """One database server with the whole schema, and as many programs in front of it as are wanted."""

    def __init__(self, server: MariaDb, stack: ExitStack, folder: Path) -> None:
        self._server, self._stack, self.folder = server, stack, folder
        self._server.database = "benchmark"
        self.programs: list[Program] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("YIYUEBAO_")},
            **keys.prepare(folder / "sandbox", f"http://127.0.0.1:{free_port()}"),
            "YIYUEBAO_DATABASE__URL": server.url("benchmark"),
        }
        self.settings = Settings()
        self.tokens = Tokens(self.settings.secrets)

    @classmethod
    @contextmanager
    def standing(cls, server: MariaDb | None = None) -> Iterator[Self]:
        """A started server (durable, on a real disk) with an empty, migrated database."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yiyuebao-benchmark-")))
            house = cls(stack.enter_context(server or MariaDb(durable=True)), stack, folder)
            asyncio.run(house._create())
            house.command("migrate")
            secrets.install(house.settings.secrets)
            try:
                yield house
            except BaseException:
                for program in house.programs:  # their logs go with the house
                    say(f"{program.name}: {program.last_words(30)}")
                raise

    async def _create(self) -> None:
        database = self.database("", 1)
        async with database.engine.begin() as connection:
            create = "CREATE DATABASE benchmark CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
            await connection.exec_driver_sql(create)
        await database.aclose()

    def database(self, name: str = "benchmark", pool_size: int = POOL) -> Database:
        """A pool of this process; its statements may take as long as preparing a world takes."""
        limits = self.settings.database.model_copy(
            update={"url": SecretStr(self._server.url(name)), "statement_timeout_s": 600.0}
        )
        return Database(limits, pool_size=pool_size)

    def command(self, *words: str) -> None:
        """`python -m yiyuebao_api …`, to its end."""
        subprocess.run(
            [sys.executable, "-m", "yiyuebao_api", *words], env=self.environment, check=True, stdout=subprocess.DEVNULL
        )

    def program(self, name: str, *words: str, **settings: str) -> Program:
        """`python -m …` listening on a port of its own (`--port`), until the house is left."""
        port = free_port()
        command = [sys.executable, "-m", *words, "--port", str(port)]
        made = Program(name, command, log=self.folder / f"{name}.log", env={**self.environment, **settings}, port=port)
        made.launch()
        self.programs.append(made)
        self._stack.callback(made.stop)
        return made

    def serve(self, *, workers: int = 1, source: Path | None = None, **settings: str) -> Program:
        """The service itself, or another state of it, whose `src` folder is given."""
        if source is not None:
            settings["PYTHONPATH"] = str(source.resolve())
        name = f"serve-{workers}" if source is None else f"serve-{source.resolve().parent.name}"
        return self.program(name, "yiyuebao_api", "serve", "--workers", str(workers), **settings)


class Program(Daemon):
    """A server on the loopback interface."""

    def __init__(self, name: str, command: list[str], *, log: Path, env: Mapping[str, str], port: int) -> None:
        super().__init__(name, command, log=log, env=env)
        self.port = port

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def ready(self, path: str = "/healthz", *, timeout_s: float = 60.0) -> None:
        """Return when it answers 200 on every process of it (asked some times in a row)."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                answers = [await fire(self.port, [once(get(path))]) for _ in range(8)]
                if all(each.statuses[200] for each in answers):
                    return
            except OSError:
                pass
            if not self.running or time.monotonic() > deadline:
                raise RuntimeError(self.obituary() if not self.running else self.last_words())
            await asyncio.sleep(0.1)


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Figures:
    """One cell: requests a second, milliseconds, and the server's processor time per request."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float

    @classmethod
    def median(cls, rounds: Sequence[Figures]) -> Figures:
        return cls(*(median(getattr(each, name) for each in rounds) for name in cls.__slots__))


async def measure(program: Program, request: bytes, *, connections: int, seconds: float, status: int = 200) -> Figures:
    """One round of one cell. Every answer must have that status."""
    before = cpu_us(program.pid)
    answers = await load(program.port, request, connections=connections, seconds=seconds)
    used, count = cpu_us(program.pid) - before, len(answers.times)
    if set(answers.statuses) != {status}:
        raise RuntimeError(f"{program.name} answered {dict(answers.statuses)}: {answers.bodies}")
    return Figures(count / answers.seconds, answers.quantile(0.5), answers.quantile(0.99), used / count)
