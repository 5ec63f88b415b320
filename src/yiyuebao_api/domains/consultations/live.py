"""The consultation socket: one per device, for all consultations of its account and for live notices.

A device is what a ticket says, never what a frame says. Every frame gets a short transaction of its own. What is told to
the account passes through `Device.hear`, which keeps each consultation in order: the next number is sent, an older one was
sent already, and where one is missing the log is read. So nothing depends on a wake-up having arrived, and catching up
after a hello is the same thing as closing a gap. The device joins its account's line before it reads the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter
from prometheus_client import Counter, Gauge
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.websockets import WebSocket

from yiyuebao_api.domains.accounts import queries as accounts
from yiyuebao_api.domains.accounts.service import check_session
from yiyuebao_api.domains.consultations import frames, queries, service
from yiyuebao_api.domains.consultations.events import ConsultationMoved, MarksMoved, MessageRecalled, MessagesSent
from yiyuebao_api.domains.consultations.problems import TooManySockets
from yiyuebao_api.domains.consultations.rules import MAX_TEXT, MessageKind, SenderRole
from yiyuebao_api.domains.consultations.service import Sending, SentMessage
from yiyuebao_api.kernel import clock, live, presence, tickets
from yiyuebao_api.kernel.database import Database, is_away, is_contention, is_outage
from yiyuebao_api.kernel.grouped import Grouped
from yiyuebao_api.kernel.ids import AccountId, ConsultationId, RowId
from yiyuebao_api.kernel.live import Close, Live, Outlet, Verb, Wake
from yiyuebao_api.kernel.problems import (
    InternalError,
    InvalidInput,
    MalformedRequest,
    NotFound,
    Problem,
    ServiceUnavailable,
    TooManyRequests,
    Unauthenticated,
    language_of,
)
from yiyuebao_api.kernel.secrets import token_hash
from yiyuebao_api.kernel.tokens import Claims, claims_of
from yiyuebao_api.settings import Live as Limits
from yiyuebao_api.settings import Settings

FRAME_BYTES = 64 * 1024
HELLO_S = 5.0
SILENCE_S = 2.0 * frames.HEARTBEAT_S
SOCKETS_PER_ACCOUNT = 5
#: Pings, marks, typing and cursors together.
OTHERS_PER_S, OTHERS_BURST = 20.0, 100.0
TYPING_EVERY_S = 2.0
#: So many refusals of the protocol within a minute end the socket with 1008.
STRIKES, STRIKES_WITHIN_S = 10, 60.0
BATCH = 100
#: Bytes that may wait in the connection itself before frames are queued.
WRITTEN_AHEAD = 16 * 1024
#: Consultations one socket follows in order; of others it hears without a cursor.
MAX_PLACES = 1000
EXPIRING = timedelta(seconds=60)
_CHECK_S = 20.0
_RESYNC = live.encoded(frames.RESYNC)
_PONG = live.encoded(frames.PONG)
log = structlog.get_logger("yiyuebao.live")

CONNECTED = Gauge("yiyuebao_live_sockets", "Live sockets that said hello")
STORED = Counter("yiyuebao_live_messages", "Messages of live sockets", ["outcome"])

sockets = APIRouter()


@sockets.websocket("/v1/consultations/live")
async def open_live_socket(socket: WebSocket) -> None:
    """The protocol is published in openapi/live.json. A browser's page of another origin is refused before it is opened."""
    if not _is_welcome(socket.headers.get("origin"), socket.app.state.settings):
        await socket.close()  # 403
        return
    await socket.accept()
    await Device(socket, socket.app.state.live_desk).serve()


def _is_welcome(origin: str | None, settings: Settings) -> bool:
    """Only browsers send an Origin; apps and mini-programs need not."""
    own = urlsplit(settings.http.public_url)
    return origin is None or origin == f"{own.scheme}://{own.netloc}" or origin in settings.http.allowed_origins


# ── what this process does for all its devices ───────────────────────────────────────────────────────────────────────


class LiveDesk:
    """Stores what is said, messages of one turn of the loop in one transaction; renews leases, looks for sessions that
    ended, closes the silent: one task for all sockets of the process."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self.database, self.limits = database, limits
        self.store: Grouped[Sending, SentMessage] = Grouped(self._store, hopeless=is_away, most=limits.group)
        self.hub: Live = database.live
        self.reading = asyncio.Semaphore(4)  # of the log: a thousand devices that come back leave room for requests
        self.left: list[Device] = []
        self._renewed = self._checked = 0.0
        self._lapsed_until: datetime | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """At work until the block ends; whoever is connected then is offline at once."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            with contextlib.suppress(Exception):  # leases end by themselves
                await self._release(self.left)

    async def _store(self, sendings: Sequence[Sending]) -> Sequence[SentMessage | Exception]:
        """Most need no session; the few that do get one. Whatever fails in between finds what was stored when it is run again."""
        async with self.database.begin_wire() as wire:
            outcomes = await service.send_plain_messages(wire, sendings, now=clock.now())
        aside = [number for number, outcome in enumerate(outcomes) if outcome is None]
        if aside:
            async with self.database.begin_for_request() as tx:
                later = await service.send_messages(tx, [sendings[number] for number in aside], now=clock.now())
            for number, outcome in zip(aside, later, strict=True):
                outcomes[number] = outcome
        done = [outcome for outcome in outcomes if outcome is not None]
        refused = sum(isinstance(each, Problem) for each in done)
        STORED.labels("stored").inc(len(done) - refused)
        STORED.labels("refused").inc(refused)
        return done

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(1)
            try:
                await self._tick()
            except Exception as error:
                if not is_outage(error):
                    log.exception("live desk")

    async def _tick(self) -> None:
        devices = [each for each in self.hub.devices() if isinstance(each, Device)]
        CONNECTED.set(len(devices))
        now, moment = time.monotonic(), clock.now()
        for device in devices:
            device.look(now, moment)
        if self.left:
            await self._say_goodbye()
        if now - self._renewed >= presence.RENEW_S:
            await self._renew([each.id for each in devices])
            self._renewed = now
        if devices and now - self._checked >= _CHECK_S:
            await self.check(devices, moment)
            self._checked = now

    async def _renew(self, sockets: list[RowId]) -> None:
        """Prolong our leases; and say who is gone with a process that died."""
        now = clock.system_now()
        async with self.database.begin() as tx:
            await presence.renew(tx, self.hub.process_id, sockets, now=now)
            lapsed = await presence.list_lapsed(tx, self._lapsed_until or now, now)
        self._lapsed_until = now
        await self.tell_presence(lapsed)

    async def _say_goodbye(self) -> None:
        left, self.left = self.left, []
        try:
            await self._release(left)
        except Exception:
            self.left += left
            raise
        await self.tell_presence({each.account_id for each in left})

    async def _release(self, left: list[Device]) -> None:
        async with self.database.begin() as tx:
            await presence.release(tx, self.hub.process_id, [each.id for each in left], now=clock.system_now())

    async def tell_presence(self, account_ids: Collection[AccountId]) -> None:
        """The other one of every consultation that is open hears whether these are there; thousands may leave at once."""
        waiting = [*account_ids]
        while waiting:
            some, waiting = waiting[:BATCH], waiting[BATCH:]
            async with self.database.begin() as tx:
                talking = await queries.list_talking(tx, some)
                seen = await presence.seen(tx, some, now=clock.system_now())
            for talk in talking:
                for role, who, other in (
                    (SenderRole.PATIENT, talk.patient, talk.clinician), (SenderRole.CLINICIAN, talk.clinician, talk.patient),
                ):  # fmt: skip
                    if who in seen:
                        told = frames.presence_frame(talk.id, role, seen[who].presence, seen[who].last_seen_at)
                        self.hub.say((other,), Wake(Verb.FRAME, live.encoded(told)))

    async def check(self, devices: list[Device], now: datetime) -> None:
        """Close whoever signed out while the wake-up got lost."""
        asked = {each.claims.session_id for each in devices}
        async with self.database.begin() as tx:
            alive = await accounts.list_alive(tx, asked, now=now)
        for device in devices:
            if device.claims.session_id not in alive:
                device.outlet.close(Close.UNAUTHENTICATED, "session-ended")


# ── one device ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Bucket:
    """So many a second, and some at once."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst, self._left, self._at = rate, burst, burst, time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(slots=True)
class Place:
    """How far a device is in one consultation's log. `own` are seqs it was acknowledged ahead of it."""

    seq: int
    wanted: int = 0
    behind: bool = False
    told: bool = True  # false: the end of catching up is still to be told
    own: set[int] = field(default_factory=set)

    def advance(self, seq: int) -> None:
        self.seq = seq
        self.own.discard(seq)
        while self.seq + 1 in self.own:
            self.seq += 1
            self.own.discard(self.seq)


class Device:
    """A connected device: who it is, how far it is in every log, and what it may still send."""

    claims: Claims
    until: datetime

    def __init__(self, socket: WebSocket, desk: LiveDesk) -> None:
        self.socket, self.desk = socket, desk
        self.id = RowId.new()
        self.origin = str(self.id)  # of what it says
        self.name = self.device_id = ""
        self.transport: asyncio.Transport | None = socket.scope.get("state", {}).get("transport")
        self.outlet = Outlet(self._send, self._close, self._cut, write=self._write)
        self.heard_at = time.monotonic()
        self.places: dict[str, Place] = {}
        self._language = language_of(socket.scope)
        self._reading: asyncio.Task[None] | None = None
        self._messages = Bucket(desk.limits.messages_per_s, desk.limits.burst)
        self._others = Bucket(OTHERS_PER_S, OTHERS_BURST)
        self._strikes: list[float] = []
        self._typed: dict[ConsultationId, float] = {}
        self._warned = False

    @property
    def account_id(self) -> AccountId:
        return self.claims.account_id

    async def serve(self) -> None:
        """From the first frame to the last."""
        joined = False
        try:
            hello = await self._hello()
            if hello is not None:
                joined = True
                await self.desk.hub.join(self)
                self._say(self._welcome())
                self._follow(hello.cursors)
                await self._tell_presence()
                await self._receive()
        finally:
            if joined:
                self.desk.hub.leave(self)
                self.desk.left.append(self)
            if self._reading is not None:
                self._reading.cancel()
            await self.outlet.flushed()

    # ── the wire ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send(self, frame: str) -> None:
        await self.socket.send({"type": "websocket.send", "text": frame})

    async def _close(self, code: int, reason: str) -> None:
        await self.socket.close(code, reason)

    def _cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _write(self, frame: str) -> bool:
        """Past five layers that would each look at the frame again. What has piled up goes the long way, at the socket's pace."""
        transport = self.transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > WRITTEN_AHEAD:
            return False
        transport.write(live.framed(frame))
        return True

    def _say(self, frame: Mapping[str, Any]) -> None:
        self.outlet.put(live.encoded(frame))

    async def _next(self) -> str | None:
        """The next text frame; None once the socket is gone. Binary frames are refused."""
        while True:
            message = await self.socket.receive()
            if message["type"] == "websocket.disconnect":
                return None
            self.heard_at = time.monotonic()
            if (text := message.get("text")) is not None:
                return cast("str", text)
            self._refuse(MalformedRequest())

    # ── hello ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _hello(self) -> frames.Hello | None:
        """Who this is, within five seconds; None after a goodbye."""
        try:
            async with asyncio.timeout(HELLO_S):
                text = await self._next()
        except TimeoutError:
            self.outlet.close(Close.UNAUTHENTICATED, "no-hello")
            return None
        if text is None:
            return None
        try:
            hello = frames.HELLO.validate_json(text)
            await self._authenticate(hello)
        except ValidationError:
            self._refuse(InvalidInput(), about="hello")
            self.outlet.close(Close.UNAUTHENTICATED, "no-hello")
        except Unauthenticated as problem:
            self._refuse(problem, about="hello")
            self.outlet.close(Close.UNAUTHENTICATED, "unauthenticated")
        except TooManySockets as problem:
            self._refuse(problem, about="hello")
            self.outlet.close(Close.TOO_MANY, "too-many-sockets")
        except Exception as error:
            self._refuse(_problem_of(error), about="hello")
            self.outlet.close(Close.TRY_AGAIN, "try-again")
        else:
            return hello
        return None

    async def _authenticate(self, hello: frames.Hello) -> None:
        """The ticket's use, the look at the session and the device's lease, in one transaction."""
        now, device = clock.now(), token_hash(hello.device_id)
        hub = self.desk.hub
        async with self.desk.database.begin_for_request() as tx:
            self.claims, self.until = await self._shown(tx, hello.ticket, now)
            await accounts.lock_account(tx, self.account_id)
            self.id, self.name, self.device_id = RowId.new(), device.hex(), hello.device_id  # the later one of a device has the greater id
            taken = await presence.take(
                tx, self.account_id, device, socket_id=self.id, process_id=hub.process_id, most=SOCKETS_PER_ACCOUNT,
                now=clock.system_now(),
            )  # fmt: skip
            if not taken:
                raise TooManySockets(most=SOCKETS_PER_ACCOUNT)
        hub.say((self.account_id,), Wake(Verb.TAKE_OVER, about=f"{self.name}:{self.id}"))

    async def _shown(self, tx: AsyncSession, ticket: str | None, now: datetime) -> tuple[Claims, datetime]:
        if ticket is not None:
            shown = await tickets.redeem(tx, ticket, now=now)
        else:
            claims = claims_of(self.socket)
            shown = (claims, claims.expires_at) if claims is not None and claims.expires_at is not None else None
        if shown is None:
            raise Unauthenticated
        await check_session(tx, shown[0], now=now)
        return shown

    def _welcome(self) -> frames.Frame:
        limits = frames.Limits(
            frame_bytes=FRAME_BYTES, text_characters=MAX_TEXT, messages_per_s=int(self.desk.limits.messages_per_s),
            burst=int(self.desk.limits.burst), sockets_per_account=SOCKETS_PER_ACCOUNT,
        )  # fmt: skip
        welcome = frames.WelcomeFrame(
            type="welcome", session_id=self.id, heartbeat_s=frames.HEARTBEAT_S, server_time=clock.now(),
            expires_at=self.until, limits=limits,
        )  # fmt: skip
        return welcome.model_dump(mode="json")

    # ── what the account is told ─────────────────────────────────────────────────────────────────────────────────────

    def hear(self, wake: Wake) -> None:
        """Everything told to the account comes by here, from any process; never waits, never fails."""
        match wake.verb:
            case Verb.FRAME if wake.about == self.origin:
                if wake.stream:  # its own message: it is answered by an acknowledgement
                    self._acknowledged(wake.stream, wake.seq)
            case Verb.FRAME if wake.stream:
                self._in_order(wake.stream, wake.seq, wake.frame)
            case Verb.FRAME:
                self.outlet.put(wake.frame)
            case Verb.RESYNC:
                self.outlet.put(_RESYNC)
            case Verb.END if wake.about in ("", str(self.claims.session_id)):
                self.outlet.close(Close.UNAUTHENTICATED, "session-ended")
            case Verb.TAKE_OVER:
                name, _, other = wake.about.partition(":")
                if name == self.name and other > self.origin:
                    self.outlet.close(Close.REPLACED, "replaced")

    def look(self, now: float, moment: datetime) -> None:
        """Once a second: silence and the end of the token."""
        if now - self.heard_at > SILENCE_S:
            self.outlet.close(Close.SILENT, "silent")
        elif self.until <= moment:
            self.outlet.close(Close.UNAUTHENTICATED, "token-expired")
        elif not self._warned and self.until - moment <= EXPIRING:
            self._warned = True
            self._say(frames.ExpiringFrame(type="expiring", expires_at=self.until).model_dump(mode="json"))

    def _in_order(self, stream: str, seq: int, frame: str) -> None:
        place = self._place(stream, seq - 1)
        if place is None or (not place.behind and seq == place.seq + 1):
            self.outlet.put(frame)
            if place is not None:
                place.advance(seq)
        elif seq > place.seq:
            place.wanted = max(place.wanted, seq)
            self._read_on(place)

    def _acknowledged(self, stream: str, seq: int) -> None:
        """The device knows its own message from the acknowledgement."""
        place = self._place(stream, seq - 1)
        if place is None or seq <= place.seq:
            return
        if not place.behind and seq == place.seq + 1:
            place.advance(seq)
            return
        place.own.add(seq)
        place.wanted = max(place.wanted, seq)
        self._read_on(place)

    def _place(self, stream: str, seq: int) -> Place | None:
        """Where the device is in that log; at `seq` if nobody said. None when it follows too many already."""
        place = self.places.get(stream)
        if place is None and len(self.places) < MAX_PLACES:
            place = self.places[stream] = Place(seq)
        return place

    def _follow(self, cursors: Mapping[ConsultationId, int]) -> None:
        for consultation_id, seq in cursors.items():
            place = self._place(str(consultation_id), seq)
            if place is None:
                self._say({"type": "reset", "consultation_id": str(consultation_id)})
                continue
            place.seq, place.told = seq, False
            place.own.clear()
            self._read_on(place)

    def _read_on(self, place: Place) -> None:
        place.behind = True
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """Send what is missing, consultation by consultation, at the pace of the socket."""
        try:
            while self.outlet.closing is None:
                found = next((each for each in self.places.items() if each[1].behind), None)
                if found is None:
                    return
                await self._catch_up(ConsultationId.parse(found[0]), found[1])
        finally:
            self._reading = None

    async def _catch_up(self, consultation_id: ConsultationId, place: Place) -> None:
        for pause in (0.1, 0.3, 1.0, 3.0, 5.0, 5.0, None):
            try:
                if await self._read_log(consultation_id, place):
                    place.behind = False
                    if not place.told:
                        place.told = True
                        self._say({"type": "caught_up", "consultation_id": str(consultation_id), "seq": place.seq})
                    return
                break
            except NotFound:
                break
            except Exception as error:
                if not (is_outage(error) or is_contention(error)):
                    log.exception("reading the log")
                    break
                if pause is not None:
                    await asyncio.sleep(pause)
        del self.places[str(consultation_id)]
        self._say({"type": "reset", "consultation_id": str(consultation_id)})

    async def _read_log(self, consultation_id: ConsultationId, place: Place) -> bool:
        """False when the log does not hold what it should: the cursor is of another time."""
        while self.outlet.closing is None:
            await self.outlet.room()
            before = place.seq
            async with self.desk.reading, self.desk.database.begin_for_request() as tx:
                consultation = await queries.require_party(tx, self.account_id, consultation_id)
                last = consultation.last_seq
                rows = await queries.list_messages(tx, consultation_id, before, BATCH)
            if before != place.seq:
                continue  # the client has just told another cursor
            if last < before:
                return False
            for row in rows:
                if row.seq <= place.seq:
                    continue
                if row.seq not in place.own:
                    self._say(frames.message_frame(row))
                place.advance(row.seq)
            if len(rows) < BATCH and place.seq >= place.wanted:
                return True
            if not rows:
                return False
        return True

    # ── what the device says ─────────────────────────────────────────────────────────────────────────────────────────

    async def _receive(self) -> None:
        while self.outlet.closing is None:
            text = await self._next()
            if text is None:
                return
            try:
                frame = frames.CLIENT.validate_json(text)
            except ValidationError:
                self._refuse(InvalidInput(), *_named(text))
                continue
            await self._take(frame)

    async def _take(self, frame: Any) -> None:
        bucket = self._messages if isinstance(frame, (frames.MessageSend, frames.MessageRecall)) else self._others
        client_msg_id: str | None = getattr(frame, "client_msg_id", None)
        if not bucket.take():
            self._refuse(TooManyRequests(retry_after=1), frame.type, client_msg_id)
            return
        try:
            await _DOES[type(frame)](self, frame)
        except Exception as error:
            problem = _problem_of(error)
            self._say(frames.error_frame(problem, self._language, about=frame.type, client_msg_id=client_msg_id))

    def _refuse(self, problem: Problem, about: str | None = None, client_msg_id: str | None = None) -> None:
        """A frame that breaks the protocol: said, and counted."""
        self._say(frames.error_frame(problem, self._language, about=about, client_msg_id=client_msg_id))
        now = time.monotonic()
        self._strikes = [each for each in self._strikes if now - each < STRIKES_WITHIN_S]
        self._strikes.append(now)
        if len(self._strikes) >= STRIKES:
            self.outlet.close(Close.POLICY, problem.code)

    async def do_ping(self, _frame: frames.Ping) -> None:
        self.outlet.put(_PONG)

    async def do_resume(self, frame: frames.Resume) -> None:
        self._follow(frame.cursors)

    async def do_renew(self, frame: frames.Renew) -> None:
        async with self.desk.database.begin_for_request() as tx:
            claims, until = await self._shown(tx, frame.ticket, clock.now())
            if claims != self.claims:
                raise Unauthenticated
        self.until, self._warned = until, False
        self._say(frames.RenewedFrame(type="renewed", expires_at=until).model_dump(mode="json"))

    async def do_send(self, frame: frames.MessageSend) -> None:
        sent = await self.desk.store(Sending(
            frame.consultation_id, self.account_id, frame.client_msg_id, MessageKind(frame.kind), frame.body, self.origin
        ))  # fmt: skip
        self._say(frames.ack_frame(sent.consultation_id, sent.client_msg_id, sent.message_id, sent.seq, sent.sent_at))
        self._acknowledged(str(sent.consultation_id), sent.seq)

    async def do_recall(self, frame: frames.MessageRecall) -> None:
        async with self.desk.database.begin_for_request() as tx:
            await service.recall_message(
                tx, consultation_id=frame.consultation_id, sender=self.account_id, message_id=frame.message_id,
                now=clock.now(),
            )  # fmt: skip

    async def do_mark(self, frame: frames.MarkSet) -> None:
        async with self.desk.database.begin_for_request() as tx:
            await service.mark(
                tx, frame.consultation_id, self.account_id, self.device_id, delivered=frame.delivered, read=frame.read,
                now=clock.now(),
            )  # fmt: skip

    async def do_typing(self, frame: frames.TypingNote) -> None:
        now = time.monotonic()
        if now - self._typed.get(frame.consultation_id, 0.0) < TYPING_EVERY_S:
            return
        if len(self._typed) >= MAX_PLACES:
            self._typed.clear()
        self._typed[frame.consultation_id] = now
        async with self.desk.database.begin_for_request() as tx:
            pair = await service.participants_of(tx, frame.consultation_id, self.account_id)
        role = SenderRole.PATIENT if pair.patient == self.account_id else SenderRole.CLINICIAN
        other = pair.clinician if role is SenderRole.PATIENT else pair.patient
        self.desk.hub.say((other,), Wake(Verb.FRAME, live.encoded(frames.typing_frame(frame.consultation_id, role))))

    async def do_presence(self, frame: frames.PresenceSet) -> None:
        async with self.desk.database.begin_for_request() as tx:
            await presence.set_busy(tx, self.account_id, busy=frame.busy)
        await self._tell_presence()

    async def _tell_presence(self) -> None:
        """A failure tells nobody: presence is a courtesy."""
        try:
            await self.desk.tell_presence([self.account_id])
        except Exception as error:
            if not is_outage(error):
                log.exception("telling presence")


_DOES: Mapping[type, Callable[[Device, Any], Any]] = {
    frames.Ping: Device.do_ping,
    frames.Resume: Device.do_resume,
    frames.Renew: Device.do_renew,
    frames.MessageSend: Device.do_send,
    frames.MessageRecall: Device.do_recall,
    frames.MarkSet: Device.do_mark,
    frames.TypingNote: Device.do_typing,
    frames.PresenceSet: Device.do_presence,
}  # fmt: skip


def _problem_of(error: Exception) -> Problem:
    """What the device is told of a failure. A socket runs nothing again by itself: the client sends the same once more."""
    if isinstance(error, Problem):
        return error
    if is_outage(error) or is_contention(error):
        return ServiceUnavailable(retry_after=1)
    log.error("a frame failed", exc_info=error)
    return InternalError()


def _named(text: str) -> tuple[str | None, str | None]:
    """Type and number of a frame that was refused, so that its sender knows which one; nothing else of it is repeated."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(found, dict):
        return None, None
    kind, number = found.get("type"), found.get("client_msg_id")
    known = isinstance(kind, str) and kind in frames.CLIENT_TYPES
    short = isinstance(number, str) and len(number) <= 64 and number.isascii()
    return (kind if known else None), (number if short else None)


# ── what the domain announces ────────────────────────────────────────────────────────────────────────────────────────


async def note_messages_sent(tx: AsyncSession, event: MessagesSent) -> None:
    """To every other device of the two, and to nobody else (RULE-84)."""
    for each in event.said:
        live.tell(
            tx, each.accounts, frames.sent_frame(each), stream=str(each.consultation_id), seq=each.seq, about=each.origin
        )


async def note_message_recalled(tx: AsyncSession, event: MessageRecalled) -> None:
    """Devices that show it hide it."""
    live.tell(tx, event.accounts, frames.recalled_frame(event))


async def note_marks_moved(tx: AsyncSession, event: MarksMoved) -> None:
    """Both see how far that device is."""
    live.tell(tx, event.accounts, frames.mark_frame(event))


async def note_consultation_moved(tx: AsyncSession, event: ConsultationMoved) -> None:
    """The devices of both read it again."""
    live.tell(tx, event.accounts, frames.moved_frame(event))
