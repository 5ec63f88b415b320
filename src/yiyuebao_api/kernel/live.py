"""Who is connected where in this process, and how a frame finds somebody's devices in every process.

The database is the log, this is only the wake-up: `tell` says a frame after the commit to the devices of some accounts, at
once in this process and through Redis in all others; what is lost on the way is read again from the log. So a frame of an
ordered stream carries the stream's name and its number, and a device that sees a number missing asks the log. Whenever
this process may have missed something (Redis was away), every device it may concern hears a `RESYNC`.

One subscription per process; an account's channel is joined before the account's log is read, so that there is no hole
between the two. Frames travel sealed: nobody reads or forges them in Redis. Without Redis the same code runs inside one
process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import partial
from typing import Any, NamedTuple, Protocol

import structlog
from pydantic import SecretStr
from pydantic_core import from_json, to_json
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.kernel import secrets
from yiyuebao_api.kernel.events import Transaction, after_commit
from yiyuebao_api.kernel.ids import AccountId, RowId, SessionId

CHANNEL = b"yiyuebao:live:"
#: Bytes that may wait for one slow socket.
QUEUE_BYTES = 1024 * 1024
#: How long a socket may take to read our goodbye before it is cut off.
GOODBYE_S = 3.0
_JOIN_S = 1.0
_LABEL = "live.wake"
_OWN = 16  # bytes of a process's id
log = structlog.get_logger("yiyuebao.live")


class Close(IntEnum):
    """Why we closed a socket; the client acts by the number."""

    POLICY = 1008
    TRY_AGAIN = 1013
    UNAUTHENTICATED = 4401
    SILENT = 4408
    REPLACED = 4409
    TOO_MANY = 4429


class Verb(StrEnum):
    """What a wake-up asks of the devices that hear it."""

    FRAME = "frame"
    RESYNC = "resync"
    END = "end"  # of the session `about`, or of all sessions of the account
    TAKE_OVER = "take_over"  # the device and socket `about`: connected anew, the one before is over


class Wake(NamedTuple):
    """Said to every device of one account."""

    verb: Verb
    frame: str = ""
    stream: str = ""
    seq: int = 0
    about: str = ""


class Listener(Protocol):
    """A device. Hears at once or queues: it never waits and never fails."""

    @property
    def account_id(self) -> AccountId: ...

    def hear(self, wake: Wake) -> None: ...


@dataclass(slots=True)
class _Line:
    """An account with devices here."""

    devices: list[Listener] = field(default_factory=list)
    joined: asyncio.Future[None] | None = None  # done once Redis has confirmed; None without Redis
    late: bool = False  # somebody did not wait for the confirmation


def tell(
    tx: Transaction, accounts: Iterable[AccountId], frame: Mapping[str, Any], *, stream: str = "", seq: int = 0,
    about: str = "",
) -> None:  # fmt: skip
    """Say a frame to the devices of `accounts` once this transaction has been committed; never fails.

    `stream` and `seq` place it in an ordered log (a consultation's messages); by `about` the socket that caused it knows
    that it was answered already.
    """
    told: list[tuple[tuple[AccountId, ...], Wake]] | None = tx.info.get("told")
    if told is None:
        tx.info["told"] = told = []
        after_commit(tx, partial(_say_all, tx.info["live"], told))
    told.append((tuple(accounts), Wake(Verb.FRAME, encoded(frame), stream, seq, about)))


async def _say_all(live: Live, told: list[tuple[tuple[AccountId, ...], Wake]]) -> None:
    for accounts, wake in told:
        live.say(accounts, wake)


def end_sessions(tx: AsyncSession, account_id: AccountId, session_id: SessionId | None = None) -> None:
    """Close the sockets of one session, or of all sessions of the account, once this transaction has been committed."""
    live: Live = tx.info["live"]
    wake = Wake(Verb.END, about="" if session_id is None else str(session_id))

    async def follow() -> None:
        live.say((account_id,), wake)

    after_commit(tx, follow)


def encoded(frame: Mapping[str, Any]) -> str:
    """A frame as it goes over the wire."""
    return to_json(frame).decode()


class Live:
    """The devices connected to this process and the line to all others."""

    def __init__(self, url: SecretStr | None = None) -> None:
        self._redis: Redis | None = (
            Redis.from_url(url.get_secret_value(), socket_timeout=2, socket_connect_timeout=2) if url is not None else None
        )
        self.process_id = RowId.new()
        self._lines: dict[AccountId, _Line] = {}
        self._subscription: PubSub | None = None
        self._order = asyncio.Lock()  # of what is sent on the subscription
        self._outgoing: list[tuple[bytes, Wake]] = []
        self._unsaid: set[bytes] = set()
        self._publishing: asyncio.Task[None] | None = None
        self._running = 0
        self._listening: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    # ── devices ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def devices(self) -> list[Listener]:
        """Everybody connected to this process."""
        return [device for line in self._lines.values() for device in line.devices]

    async def join(self, device: Listener) -> None:
        """From the return on, the device hears what is told to its account; whoever reads the log afterwards misses nothing.

        A Redis that is away holds nobody up: the device hears a RESYNC once it is back.
        """
        line = self._lines.get(device.account_id)
        if line is None:
            line = self._lines[device.account_id] = _Line()
            if self._redis is not None:
                line.joined = asyncio.get_running_loop().create_future()
        line.devices.append(device)
        if line.joined is None or line.joined.done():
            return
        if len(line.devices) == 1:
            await self._command("subscribe", device.account_id)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_JOIN_S):
                await asyncio.shield(line.joined)
            return
        line.late = True

    def leave(self, device: Listener) -> None:
        """The device hears nothing any more. Leaving twice is leaving once."""
        line = self._lines.get(device.account_id)
        if line is None or device not in line.devices:
            return
        line.devices.remove(device)
        if not line.devices:
            del self._lines[device.account_id]
            if self._redis is not None and self._listening is not None:
                task = asyncio.create_task(self._command("unsubscribe", device.account_id))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)

    # ── saying ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def say(self, accounts: Iterable[AccountId], wake: Wake) -> None:
        """To every device of these accounts, here at once and elsewhere through Redis. Waits for nothing, never fails."""
        for account_id in accounts:
            self._hear(account_id, wake)
            if self._redis is not None:
                self._outgoing.append((_channel(account_id), wake))
        if self._outgoing and self._publishing is None:
            self._publishing = asyncio.create_task(self._publish())

    def _hear(self, account_id: AccountId, wake: Wake) -> None:
        line = self._lines.get(account_id)
        if line is not None:
            for device in tuple(line.devices):
                device.hear(wake)

    async def _publish(self) -> None:
        """Everything that waits in one round trip. What Redis did not take becomes a RESYNC when it is back."""
        assert self._redis is not None
        try:
            while self._outgoing or self._unsaid:
                batch, self._outgoing = self._outgoing[:1000], self._outgoing[1000:]
                again = {channel: Wake(Verb.RESYNC) for channel in self._unsaid}
                try:
                    pipe = self._redis.pipeline(transaction=False)
                    said: tuple[Wake, bytes] | None = None  # a message goes to both accounts: it is sealed once
                    for channel, wake in [*batch, *again.items()]:
                        if said is None or said[0] is not wake:
                            said = wake, self._sealed(wake)
                        pipe.publish(channel, said[1])
                    await pipe.execute()
                    self._unsaid -= again.keys()
                except (RedisError, OSError):
                    self._unsaid |= {channel for channel, _ in batch}
                    await asyncio.sleep(0.3)
        finally:
            self._publishing = None

    def _sealed(self, wake: Wake) -> bytes:
        """Who says it, in clear, so that nobody opens what they said themselves; and what, sealed."""
        return self.process_id.bytes + secrets.ring().seal(_LABEL, to_json(wake))

    # ── hearing from other processes ─────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hear the other processes until the block ends."""
        self._running += 1
        if self._redis is not None and self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            self._running -= 1
            if self._running == 0 and self._listening is not None:
                task, self._listening = self._listening, None
                task.cancel()
                await asyncio.wait([task])

    async def _listen(self) -> None:
        assert self._redis is not None
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    async with self._order:
                        await subscription.subscribe(CHANNEL, *map(_channel, self._lines))
                        self._subscription = subscription
                    while True:
                        message = await subscription.get_message(timeout=1.0)
                        if message is not None:
                            self._take(message)
            except (RedisError, OSError):
                log.warning("redis is away: devices of other processes are not told")
            finally:
                self._subscription = None
            for line in self._lines.values():
                line.late = True
            await asyncio.sleep(0.3)

    def _take(self, message: Mapping[str, Any]) -> None:
        channel: bytes = message["channel"]
        if channel == CHANNEL:
            return
        account_id = AccountId(bytes=channel[len(CHANNEL) :])
        if message["type"] == "subscribe":
            self._confirm(account_id)
        elif message["type"] == "message":
            data: bytes = message["data"]
            if data[:_OWN] == self.process_id.bytes:  # said here at once, long ago
                return
            try:
                verb, *rest = from_json(secrets.ring().open(_LABEL, data[_OWN:]))
                wake = Wake(Verb(verb), *rest)
            except (secrets.Unreadable, ValueError, TypeError):
                log.error("a wake-up that is not ours", account_id=str(account_id))
                return
            self._hear(account_id, wake)

    def _confirm(self, account_id: AccountId) -> None:
        """Joined; and whoever believed to be joined before has missed what was said in between."""
        line = self._lines.get(account_id)
        if line is None or line.joined is None:
            return
        again = line.late or line.joined.done()
        line.late = False
        if not line.joined.done():
            line.joined.set_result(None)
        if again:
            self._hear(account_id, Wake(Verb.RESYNC))

    async def _command(self, name: str, account_id: AccountId) -> None:
        async with self._order:
            subscription = self._subscription
            if subscription is None or (name == "unsubscribe") is (account_id in self._lines):
                return  # the listener takes every line along when it is back; or the account came back
            with contextlib.suppress(RedisError, OSError):  # the listener notices
                await getattr(subscription, name)(_channel(account_id))

    async def aclose(self) -> None:
        """Let the last words out."""
        if self._publishing is not None:
            await asyncio.wait([self._publishing], timeout=2)
            if self._publishing is not None:
                self._publishing.cancel()
        for task in self._leaving:
            task.cancel()
        if self._redis is not None:
            await self._redis.aclose()


def _channel(account_id: AccountId) -> bytes:
    return CHANNEL + account_id.bytes


class Outlet:
    """Frames on their way to one socket, in order. More than `limit` bytes waiting close it with TRY_AGAIN.

    `send` waits for the socket, `close` says goodbye, `cut` ends a connection that no longer reads. `write` is the short
    way, where there is one: it says False when the connection has no room just now.
    """

    def __init__(
        self, send: Callable[[str], Awaitable[None]], close: Callable[[int, str], Awaitable[None]], cut: Callable[[], None],
        *, limit: int | None = None, write: Callable[[str], bool] = lambda _: False,
    ) -> None:  # fmt: skip
        self._send, self._close, self._cut, self._write_now = send, close, cut, write
        self._limit = QUEUE_BYTES if limit is None else limit
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        self.closing: tuple[int, str] | None = None

    def put(self, frame: str) -> None:
        """Send a frame as soon as the socket takes it."""
        if self.closing is not None:
            return
        if self._writing is None and self._write_now(frame):
            return
        self._bytes += _size(frame)
        if self._bytes > self._limit:
            self._waiting.clear()
            self.close(Close.TRY_AGAIN, "slow")
            return
        self._waiting.append(frame)
        self._write_on()

    async def room(self) -> None:
        """Returns when little waits: whoever sends a long log goes at the socket's own pace."""
        while self._bytes > self._limit // 4 and self.closing is None:
            self._room = self._room or asyncio.Event()
            await self._room.wait()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye after what is waiting; a socket that does not read it is cut off. The first reason counts."""
        if self.closing is None:
            self.closing = (int(code), reason)
            asyncio.get_running_loop().call_later(GOODBYE_S, self._cut)
            self._write_on()
            if self._room is not None:
                self._room.set()

    async def flushed(self) -> None:
        """Returns when the goodbye is out, or the socket was cut off; nothing is written afterwards."""
        self.closing = self.closing or (1000, "")
        if self._room is not None:
            self._room.set()
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=GOODBYE_S)
            if self._writing is not None:
                self._writing.cancel()
                await asyncio.wait([self._writing])

    def _write_on(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._waiting:
                frame = self._waiting.popleft()
                await self._send(frame)
                self._bytes -= _size(frame)
                if self._room is not None and self._bytes <= self._limit // 4:
                    self._room.set()
                    self._room = None
            if self.closing is not None:
                await self._close(*self.closing)
        except Exception:  # the socket is gone: its reader has noticed, or is about to
            self._waiting.clear()
            self.closing = self.closing or (1006, "gone")
        finally:
            self._writing = None


def framed(text: str) -> bytes:
    """A text frame as a server writes it (RFC 6455, 5.2): in one piece, neither masked nor compressed."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


def _size(frame: str) -> int:
    return len(frame) if frame.isascii() else len(frame.encode())
