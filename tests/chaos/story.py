"""Pairs that talk while processes, Redis, the database and the network are hurt; at the end everything must agree.

    python -m tests.chaos --pairs 200 --seconds 120 --seed 7
"""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alembic import command
from pydantic import SecretStr
from sqlalchemy import select

from scripts.servers import free_port
from tests.chaos.talk import Counts, Talker
from tests.client import Api
from tests.faults.processes import Service, environment
from tests.sandbox_server import SandboxServer
from tests.scenes.accounts import sign_in
from tests.scenes.consultations import make_consultation, make_pair
from tests.servers import MariaDb, Redis
from yiyuebao_api import migrate, tables, wiring
from yiyuebao_api.app import create_app
from yiyuebao_api.context import Context, open_context
from yiyuebao_api.domains.consultations.models import Message
from yiyuebao_api.kernel import events
from yiyuebao_api.kernel.ids import ConsultationId

#: Everybody was healed, and nobody learned anything new for so long: what is missing now is lost.
SETTLE_S = 60.0

Hurt = Callable[[], Awaitable[None]]


class Ground:
    """A durable database, a Redis and several API processes of our own, and ways to hurt each of them."""

    def __init__(self, folder: Path, server: MariaDb, redis: Redis, env: dict[str, str], processes: int, seed: int) -> None:
        self.server, self.redis, self.random = server, redis, random.Random(seed)
        self.services = []
        for number in range(processes):
            (home := folder / f"api-{number}").mkdir()
            self.services.append(Service(home, env, free_port()))
        self.talkers: list[Talker] = []
        self.done: Counter[str] = Counter()

    @property
    def urls(self) -> list[str]:
        return [each.url for each in self.services]

    async def start(self) -> None:
        for each in self.services:
            each.launch()
        await asyncio.gather(*(each.answers() for each in self.services))

    def stop(self) -> None:
        for each in self.services:
            each.stop(grace_s=1)

    async def kill_process(self) -> None:
        """kill -9, and a new one a second later."""
        victim = self.random.choice(self.services)
        victim.kill()
        await asyncio.sleep(1)
        victim.launch()
        await victim.answers()

    async def end_process(self) -> None:
        """A rolling restart: asked to end, it ends in time."""
        victim = self.random.choice(self.services)
        assert victim.process is not None
        victim.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(victim.ended, within=14)
        victim.launch()
        await victim.answers()

    async def restart_redis(self) -> None:
        self.redis.kill()
        await asyncio.sleep(self.random.random() * 2)
        await asyncio.to_thread(self.redis.start)

    async def restart_database(self) -> None:
        """A power cut."""
        self.server.kill()
        await asyncio.sleep(self.random.random())
        await asyncio.to_thread(self.server.start)

    async def cut_sockets(self) -> None:
        for each in self.random.sample(self.talkers, max(1, len(self.talkers) // 4)):
            each.cut()

    async def hurt(self, until: float, *, pause_s: float = 3.0) -> None:
        """One thing after the other, each kind once before any comes again; sockets are cut between all of them."""
        rounds: list[Hurt] = []
        while time.monotonic() < until:
            if not rounds:
                rounds = [self.kill_process, self.restart_redis, self.restart_database, self.end_process]
                self.random.shuffle(rounds)
            for hurt in (self.cut_sockets, rounds.pop()):
                if time.monotonic() < until:
                    await hurt()
                    self.done[hurt.__name__] += 1
                    await asyncio.sleep(pause_s * (0.5 + self.random.random()) / 2)


@asynccontextmanager
async def ground(sandbox: SandboxServer, folder: Path, processes: int, seed: int) -> AsyncIterator[tuple[Ground, Context]]:
    """Everything started; everything ended."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(MariaDb(durable=True, database="yiyuebao"))
        redis = stack.enter_context(Redis())
        settings = sandbox.settings(
            database_url=SecretStr(server.url("yiyuebao")), clock_file=folder / "clock",
            notify_base_url=f"http://127.0.0.1:{free_port()}",
        )  # fmt: skip
        context = await stack.enter_async_context(open_context(settings))
        async with context.database.engine.begin() as connection:
            await connection.run_sync(tables.metadata.create_all)
        await asyncio.to_thread(command.stamp, migrate.config(settings), "head")
        events.connect(wiring.EVENTS)
        env = environment(settings, sandbox, YIYUEBAO_REDIS__URL=redis.url, YIYUEBAO_LOG_LEVEL="WARNING")
        held = Ground(folder, server, redis, env, processes, seed)
        stack.callback(held.stop)
        await held.start()
        yield held, context


async def people(held: Ground, context: Context, pairs: int, words: int, counts: Counts) -> None:
    """Pairs with a consultation each; every fourth patient has two devices."""
    async with Api(create_app(context=context)) as api:
        for number in range(pairs):
            pair = await make_pair(api, context)
            talk = await make_consultation(context.database, pair, quantity=1_000_000)
            devices = [("p", str(pair.asking.token)), ("d", str(pair.answering.token))]
            if number % 4 == 0:
                devices.append(("q", (await sign_in(context.database, context.tokens, pair.asker)).access_token))
            for role, token in devices:
                said = [f"{number}-{role}-{at}" for at in range(words)]
                seed = held.random.randrange(1 << 30)
                held.talkers.append(
                    Talker(f"device-{number}-{role}", token, str(talk.id), said, held.urls, counts, seed)
                )


async def tell(
    sandbox: SandboxServer, folder: Path, *, pairs: int, seconds: float, seed: int, processes: int = 2, words: int | None = None,
    pace_s: float = 0.5, pause_s: float = 3.0,
) -> dict[str, Any]:  # fmt: skip
    """The whole story. Raises AssertionError when anything was lost, doubled, out of order or told to the wrong person."""
    counts = Counts()
    words = words or int(seconds / pace_s / 1.5)
    async with ground(sandbox, folder, processes, seed) as (held, context):
        await people(held, context, pairs, words, counts)
        running = [asyncio.create_task(each.run(pace_s)) for each in held.talkers]
        began = time.monotonic()
        await held.hurt(began + seconds, pause_s=pause_s)
        healed = time.monotonic()
        log: dict[str, list[tuple[int, str]]] = {}
        moved, seen = healed, (0, 0)
        while time.monotonic() < moved + SETTLE_S:  # patience for a slow machine, none for a word that does not come
            await asyncio.sleep(0.5)
            if (now := (counts.acknowledged, sum(len(each.history) for each in held.talkers))) != seen:
                moved, seen = time.monotonic(), now
            if all(each.done for each in held.talkers):
                log = await written(context, held)
                if all(sorted(each.history.items()) == log[each.consultation_id] for each in held.talkers):
                    break
        settled = time.monotonic() - healed
        for each in held.talkers:
            each.stopped = True
            each.cut()
        await asyncio.wait(running, timeout=10)
        for task in running:
            task.cancel()
        log = await written(context, held)
    judge(held.talkers, log, counts, words)
    return {
        "pairs": pairs, "devices": len(held.talkers), "processes": processes, "seed": seed, "hurt": dict(held.done),
        "settled_s": round(settled, 1), "stored": sum(map(len, log.values())),
        **{name: value for name, value in asdict(counts).items() if name != "wrong"},
    }  # fmt: skip


async def written(context: Context, held: Ground) -> dict[str, list[tuple[int, str]]]:
    """Every consultation's log as the database has it."""
    log: dict[str, list[tuple[int, str]]] = {each.consultation_id: [] for each in held.talkers}
    ids = [ConsultationId.parse(each) for each in log]
    async with context.begin() as tx:
        rows = select(Message.consultation_id, Message.seq, Message.client_msg_id).where(Message.consultation_id.in_(ids))
        for consultation_id, seq, number in (await tx.execute(rows.order_by(Message.consultation_id, Message.seq))).all():
            log[str(consultation_id)].append((seq, number))
    return log


def judge(talkers: list[Talker], log: dict[str, list[tuple[int, str]]], counts: Counts, words: int) -> None:
    assert counts.wrong == [], counts.wrong[:5]
    for consultation_id, rows in log.items():
        assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1)), f"a gap in {consultation_id}"
        numbers = [number for _, number in rows]
        assert len(numbers) == len(set(numbers)), f"a word twice in {consultation_id}"
    for each in talkers:
        assert each.done, f"{each.name} waits for {len(each.waiting) + len(each.unsent)}"
        rows = log[each.consultation_id]
        assert sorted(each.history.items()) == rows, f"{each.name} knows {len(each.history)} of {len(rows)}"
        prefix = each.name.removeprefix("device-") + "-"
        own = [number for _, number in rows if number.startswith(prefix)]
        assert own == [f"{prefix}{at}" for at in range(words)], f"{each.name}'s own words, in its order"


def run(*, pairs: int, seconds: float, seed: int, processes: int) -> dict[str, Any]:
    """The story with a sandbox of its own."""
    with tempfile.TemporaryDirectory(prefix="yiyuebao-chaos-") as folder:
        (home := Path(folder) / "sandbox").mkdir()
        with SandboxServer(home) as sandbox:
            return asyncio.run(tell(sandbox, Path(folder), pairs=pairs, seconds=seconds, seed=seed, processes=processes))
