"""Messages through the live socket: stored by the grouped use case, stored each in a transaction, and a bare relay beside.

One server process on the same route with the same options of uvicorn; pairs that answer each other as fast as they are
answered, or, at a rate, one after the other. The relay reads the same frames with the same models and hands them to the other
one: what the socket itself costs. `two` is two processes with Redis, and of every second pair the one is here and the other there;
`near` is one process that speaks to Redis too.

    python -m benchmarks.messages [--quick] [--connections 100 1000 5000] [--cells relay grouped two] [--seconds 8]
    python -m benchmarks.messages --cells relay grouped before --beside ../before/src    # and another state of the code
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import httpx
import uvloop
from alembic import command
from fastapi import FastAPI, WebSocket
from pydantic import SecretStr
from starlette.websockets import WebSocketDisconnect

from benchmarks.harness import say, tell
from scripts.servers import Daemon, free_port
from tests.client import Api
from tests.faults.processes import Service, environment
from tests.sandbox_server import SandboxServer
from tests.scenes.consultations import make_consultation, make_pair
from tests.servers import MariaDb, Redis
from yiyuebao_api import migrate, tables, wiring
from yiyuebao_api.app import create_app
from yiyuebao_api.context import Context, open_context
from yiyuebao_api.domains.consultations import frames
from yiyuebao_api.kernel import clock, events, live
from yiyuebao_api.kernel.tokens import Claims, Tokens

PATH = "/v1/consultations/live"
CELLS = ("relay", "each", "grouped", "near", "two")
#: Pairs that connect at the same time.
RAMP = 16


# ── the relay ────────────────────────────────────────────────────────────────────────────────────────────────────────


def relay() -> FastAPI:
    """The same frames on the same route, parsed and said the same way, stored nowhere."""
    app = FastAPI(openapi_url=None)
    here: dict[str, list[WebSocket]] = {}

    @app.websocket(PATH)
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        hello = frames.HELLO.validate_json(await socket.receive_text())
        (name,) = map(str, hello.cursors)
        here.setdefault(name, []).append(socket)
        await socket.send_text('{"type":"welcome"}')
        try:
            while True:
                frame = frames.CLIENT.validate_json(await socket.receive_text())
                if isinstance(frame, frames.Ping):
                    continue
                told = {"client_msg_id": frame.client_msg_id, "consultation_id": name, "seq": 1, "sent_at": ""}
                await socket.send_text(live.encoded({"type": "message.ack", **told}))
                said = live.encoded({"type": "message.new", "sender": "patient", "kind": frame.kind, "body": frame.body, **told})
                for each in here[name]:
                    if each is not socket:
                        await each.send_text(said)
        except WebSocketDisconnect:
            here[name].remove(socket)

    return app


# ── a lean client ────────────────────────────────────────────────────────────────────────────────────────────────────


class Wire(asyncio.Protocol):
    """A client's side of a WebSocket: a mask of zeros leaves the payload as it is."""

    def __init__(self, hello: bytes, talk: Talk) -> None:
        self.hello, self.talk = hello, talk
        self.buffer, self.open = b"", False
        self.welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def send(self, payload: bytes) -> None:
        size = len(payload)
        head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
        self.transport.write(head + b"\0\0\0\0" + payload)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.open:
            head, mark, rest = self.buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            if b" 101 " not in head:
                raise RuntimeError(head.decode())
            self.open, self.buffer = True, rest
            self.send(self.hello)
        while len(self.buffer) >= 2:
            size, start = self.buffer[1] & 0x7F, 2
            if size == 126:
                size, start = int.from_bytes(self.buffer[2:4], "big"), 4
            if len(self.buffer) < start + size:
                return
            frame, opcode = self.buffer[start : start + size], self.buffer[0] & 0x0F
            self.buffer = self.buffer[start + size :]
            if opcode == 1:
                self.take(frame)
            elif opcode == 8 and not self.talk.stopped:
                raise RuntimeError(f"closed: {frame!r}")

    def take(self, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message.new"'):
            self.talk.heard(self)
        elif frame.startswith(b'{"type":"welcome"'):
            self.welcomed.set_result(None)
        elif frame.startswith(b'{"type":"error"'):
            raise RuntimeError(frame.decode())
        elif frame.startswith(b'{"type":"message.ack"'):
            self.talk.acknowledged += 1

    def connection_lost(self, error: Exception | None) -> None:
        if not self.welcomed.done():
            self.welcomed.set_exception(ConnectionError("closed before the welcome"))


class Talk:
    """Two who answer each other at once, or, with a pace, speak every so often."""

    def __init__(self, consultation_id: str, times: list[float], pace_s: float | None) -> None:
        self.consultation_id, self.times, self.pace_s = consultation_id, times, pace_s
        self.name, self.number, self.acknowledged = os.urandom(6).hex(), 0, 0
        self.asked = 0.0
        self.stopped = False
        self.wires: list[Wire] = []

    def ask(self, wire: Wire) -> None:
        if self.stopped:
            return
        self.number += 1
        self.asked = time.perf_counter()
        wire.send(
            f'{{"type":"message.send","client_msg_id":"{self.name}-{self.number}","consultation_id":"{self.consultation_id}",'
            f'"kind":"text","body":{{"text":"今天血压一百三十八，头不晕了。"}}}}'.encode()
        )

    def heard(self, wire: Wire) -> None:
        self.times.append(time.perf_counter() - self.asked)
        if self.pace_s is None:
            self.ask(wire)
        else:
            asyncio.get_running_loop().call_later(self.pace_s, self.ask, wire)


# ── the run ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def ticket(client: httpx.AsyncClient, token: str) -> str:
    answer = await client.post("/v1/consultations/live-tickets", headers={"Authorization": f"Bearer {token}"})
    return str(answer.raise_for_status().json()["ticket"])


class Server(NamedTuple):
    """What is measured: where its processes are reached, and which they are."""

    urls: list[str]
    pids: list[int]

    def cpu_s(self) -> float:
        return sum(map(cpu_s, self.pids))

    def memory_kb(self) -> int:
        return sum(map(memory_kb, self.pids))


async def cell(
    server: Server, people: list[tuple[str, list[Claims]]], seconds: float, pace_s: float | None, tokens: Tokens | None
) -> dict[str, Any]:
    """Messages delivered per second, round trip, processor time and memory of the server. Without tokens: the relay."""
    times: list[float] = []
    talks: list[Talk] = []
    before = server.memory_kb()
    loop = asyncio.get_running_loop()
    beating = asyncio.create_task(heartbeats(talks))
    at_once = asyncio.Semaphore(RAMP)
    async with httpx.AsyncClient(base_url=server.urls[0], trust_env=False, timeout=60) as client:

        async def connect(place: int, consultation_id: str, both: list[Claims]) -> None:
            talk = Talk(consultation_id, times, pace_s)
            async with at_once:
                for number, claims in enumerate(both):
                    # Of two processes: pairs on the one, on both, on the other, on both.
                    address = urlsplit(server.urls[(place + number * (place % 2 + 1)) // 2 % len(server.urls)])
                    hello: dict[str, Any] = {"type": "hello", "device_id": f"b{number}", "cursors": {consultation_id: 0}}
                    if tokens is not None:
                        hello["ticket"] = await ticket(client, tokens.issue(claims, now=clock.now()))
                        hello["cursors"] = {}
                    text = json.dumps(hello).encode()
                    made = await loop.create_connection(partial(Wire, text, talk), address.hostname or "", address.port or 0)
                    wire = made[1]
                    await wire.welcomed
                    talk.wires.append(wire)
            talks.append(talk)

        await asyncio.gather(*(connect(place, *each) for place, each in enumerate(people)))
    await quiet(server)
    idle = server.memory_kb() - before
    for number, talk in enumerate(talks):
        if pace_s is None:
            talk.ask(talk.wires[0])
        else:
            loop.call_later(pace_s * number / len(talks), talk.ask, talk.wires[0])
    async with asyncio.timeout(120):  # everybody has asked and answered: a first answer starts a consultation, once
        while min(talk.number for talk in talks) < 3:
            await asyncio.sleep(0.1)
    times.clear()
    began, ran = time.perf_counter(), server.cpu_s()
    await asyncio.sleep(seconds)
    took, ran = time.perf_counter() - began, server.cpu_s() - ran
    delivered = len(times)
    for talk in talks:
        talk.stopped = True
    beating.cancel()
    await asyncio.sleep(0.3)
    for talk in talks:
        for wire in talk.wires:
            wire.transport.abort()
    await quiet(server)
    ordered = sorted(times)
    return {
        "per_s": round(delivered / took), "p50_ms": round(statistics.median(ordered) * 1e3, 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1e3, 2), "cpu_us": round(ran / max(1, delivered) * 1e6),
        "kb_per_connection": round(idle / sum(len(talk.wires) for talk in talks), 1),
    }  # fmt: skip


async def quiet(server: Server) -> None:
    """Until the server has said hello or goodbye to everybody, so that the next figures are not about that."""
    for _ in range(60):
        ran = server.cpu_s()
        await asyncio.sleep(0.5)
        if server.cpu_s() - ran < 0.05:
            return


async def heartbeats(talks: list[Talk]) -> None:
    """Thousands of connections take longer to open than the service bears silence. Spread over the interval, as phones' are."""
    slots, slot = 200, 0
    while True:
        await asyncio.sleep(frames.HEARTBEAT_S / slots)
        slot = (slot + 1) % slots
        for wire in [each for talk in talks[slot::slots] for each in talk.wires]:
            wire.send(b'{"type":"ping"}')


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))


async def people(context: Context, pairs: int) -> list[tuple[str, list[Claims]]]:
    """Who they are: a token lives fifteen minutes, and thousands of connections take longer."""
    at_once = asyncio.Semaphore(RAMP)

    async def two(api: Api) -> tuple[str, list[Claims]]:
        async with at_once:
            pair = await make_pair(api, context)
            talk = await make_consultation(context.database, pair, quantity=1_000_000)
        both = [context.tokens.read(str(each.token), now=clock.now()) for each in (pair.asking, pair.answering)]
        return str(talk.id), both

    async with Api(create_app(context=context)) as api:
        return await asyncio.gather(*(two(api) for _ in range(pairs)))


class Relay(Daemon):
    """The relay as a process, with the options of the service."""

    def __init__(self, folder: Path, env: dict[str, str], port: int) -> None:
        words = [
            "-m", "uvicorn", "benchmarks.messages:relay", "--factory", "--port", str(port), "--ws", "websockets-sansio",
            "--ws-max-size", "65536", "--ws-per-message-deflate", "false", "--loop", "uvloop", "--no-access-log", "--log-level", "warning",
        ]  # fmt: skip
        super().__init__("relay", [sys.executable, *words], log=folder / "relay.log", env=env, cwd=Path.cwd())


async def run(given: argparse.Namespace) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yiyuebao-messages-")))
        (folder / "sandbox").mkdir()
        sandbox = stack.enter_context(SandboxServer(folder / "sandbox"))
        server = stack.enter_context(MariaDb(durable=True, database="yiyuebao"))
        settings = sandbox.settings(
            database_url=SecretStr(server.url("yiyuebao")), clock_file=folder / "clock", notify_base_url="http://127.0.0.1:1"
        )
        context = await stack.enter_async_context(open_context(settings))
        async with context.database.engine.begin() as connection:
            await connection.run_sync(tables.metadata.create_all)
        await asyncio.to_thread(command.stamp, migrate.config(settings), "head")
        events.connect(wiring.EVENTS)
        env = environment(
            settings, sandbox, YIYUEBAO_LIVE__MESSAGES_PER_S="1e9", YIYUEBAO_LIVE__BURST="1e9", YIYUEBAO_LOG_LEVEL="WARNING"
        )
        services = {name: await launched(stack, folder / name, env, name, given) for name in given.cells}
        for connections in given.connections:
            made = await people(context, connections // 2)
            for pace in (None, *([connections / 2 / given.rate] if given.rate else [])):
                await turn(services, made, connections, pace, given, context.tokens)


async def launched(
    stack: AsyncExitStack, home: Path, env: dict[str, str], name: str, given: argparse.Namespace
) -> Server:
    """The processes of a cell."""
    home.mkdir()
    if name == "relay":
        bare = Relay(home, env, port := free_port())
        bare.launch()
        stack.callback(bare.stop)
        async with asyncio.timeout(30):
            while True:
                try:
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
                except OSError:
                    await asyncio.sleep(0.1)
        assert bare.process is not None
        return Server([f"http://127.0.0.1:{port}"], [bare.process.pid])
    more = {"YIYUEBAO_LIVE__GROUP": "1" if name == "each" else "64"}
    if name == "before":
        more["PYTHONPATH"] = str(given.beside.resolve())
    if name in ("near", "two"):
        more["YIYUEBAO_REDIS__URL"] = stack.enter_context(Redis()).url
    services = []
    for number in range(2 if name == "two" else 1):
        (folder := home / str(number)).mkdir()
        services.append(stack.enter_context(Service(folder, {**env, **more})))
        await services[-1].answers()
    return Server([each.url for each in services], [each.process.pid for each in services if each.process is not None])


async def turn(
    services: dict[str, Server], made: list[tuple[str, list[Claims]]], connections: int, pace: float | None,
    given: argparse.Namespace, tokens: Tokens,
) -> None:  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in given.cells}
    for _ in range(given.rounds):
        for name in given.cells:
            found[name].append(await cell(services[name], made, given.seconds, pace, None if name == "relay" else tokens))
    middle = {
        name: {key: round(statistics.median(each[key] for each in cells), 2) for key in cells[0]}
        for name, cells in found.items()
    }
    load = "saturated" if pace is None else f"{given.rate:.0f}/s"
    say(f"\n{connections} connections, {load}: {'per s':>8} {'p50 ms':>8} {'p99 ms':>8} {'cpu µs':>7} {'KB/conn':>8} {'of relay':>9}")
    for name in given.cells:
        one = middle[name]
        share = one["per_s"] / middle["relay"]["per_s"] if "relay" in middle else float("nan")
        figures = f"{one['per_s']:12.0f} {one['p50_ms']:8} {one['p99_ms']:8} {one['cpu_us']:7.0f} {one['kb_per_connection']:8}"
        say(f"  {name:22} {figures} {share:9.2f}")
        tell("messages", f"{name} {connections} {load}", **one)
    for name, other, words in (
        ("grouped", "each", "one transaction each"), ("two", "grouped", "one process"), ("grouped", "before", "before"),
    ):  # fmt: skip
        if {name, other} <= middle.keys():
            say(f"  {name} is {middle[name]['per_s'] / middle[other]['per_s']:.2f} × {words}")


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--quick", action="store_true")
    told.add_argument("--connections", type=int, nargs="+", default=[100, 1000])
    told.add_argument("--seconds", type=float, default=8)
    told.add_argument("--rounds", type=int, default=3)
    told.add_argument("--rate", type=float, default=1000)
    told.add_argument("--cells", nargs="+", choices=(*CELLS, "before"), default=CELLS)
    told.add_argument("--beside", type=Path, help="a `src` folder, of another state of the service: the cell `before`")
    given = told.parse_args()
    if ("before" in given.cells) is not (given.beside is not None):
        told.error("the cell `before` needs --beside, and the other way round")
    if given.quick:
        given.connections, given.seconds, given.rounds = [20], 2, 1
        given.rate = 100
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # ours, and the servers' we start
    uvloop.run(run(given))


if __name__ == "__main__":
    main()
