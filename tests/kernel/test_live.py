"""Who hears what is told: the devices of the named accounts, in this process and in others, and after a gap all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from tests.servers import Redis
from yiyuebao_api.context import Context
from yiyuebao_api.kernel import live, secrets
from yiyuebao_api.kernel.ids import AccountId, SessionId
from yiyuebao_api.kernel.live import Close, Live, Outlet, Verb, Wake, framed
from yiyuebao_api.settings import Secrets


class Ear:
    """A device that writes down what it hears."""

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self.heard: list[Wake] = []

    def hear(self, wake: Wake) -> None:
        self.heard.append(wake)

    @property
    def frames(self) -> list[str]:
        return [each.frame for each in self.heard if each.verb is Verb.FRAME]

    @property
    def resyncs(self) -> int:
        return sum(each.verb is Verb.RESYNC for each in self.heard)


async def soon(condition: Callable[[], object], within: float = 8) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def _keys(settings: object) -> None:
    if secrets._ring is None:
        secrets.install(Secrets())


@asynccontextmanager
async def process(url: str | None) -> AsyncIterator[Live]:
    """What one process holds."""
    held = Live(SecretStr(url) if url else None)
    async with held.running():
        yield held
    await held.aclose()


async def test_the_devices_of_the_named_accounts_hear_it_and_nobody_else() -> None:
    two, other = AccountId.new(), AccountId.new()
    async with process(None) as here:
        phone, tablet, stranger = Ear(two), Ear(two), Ear(other)
        for each in (phone, tablet, stranger):
            await here.join(each)
        here.say([two], Wake(Verb.FRAME, "{}"))
        assert (phone.frames, tablet.frames, stranger.heard) == (["{}"], ["{}"], [])
        here.leave(phone)
        here.leave(phone)
        here.say([two], Wake(Verb.FRAME, "[]"))
        assert (phone.frames, tablet.frames) == (["{}"], ["{}", "[]"])
        assert here.devices() == [tablet, stranger]


async def test_nothing_is_told_before_the_commit_and_nothing_at_all_of_what_was_rolled_back(context: Context) -> None:
    ear = Ear(AccountId.new())
    hub = context.database.live
    await hub.join(ear)
    async with context.begin() as tx:
        live.tell(tx, [ear.account_id], {"type": "pong"}, stream="s", seq=4, about="x")
        assert ear.heard == []
    assert ear.heard == [Wake(Verb.FRAME, '{"type":"pong"}', "s", 4, "x")]
    session = SessionId.new()
    with contextlib.suppress(LookupError):
        async with context.begin() as tx:
            live.tell(tx, [ear.account_id], {"type": "pong"})
            raise LookupError
    async with context.begin() as tx:
        live.end_sessions(tx, ear.account_id, session)
    assert ear.heard[1:] == [Wake(Verb.END, about=str(session))]
    hub.leave(ear)


async def test_two_processes_and_a_redis_that_goes_away() -> None:
    """T10: Redis subscribes anew by itself and says nothing of what was missed; whoever may have missed it is told."""
    account = AccountId.new()
    with Redis() as server:
        async with process(server.url) as here, process(server.url) as there:
            near, far = Ear(account), Ear(account)
            await soon(lambda: here._subscription and there._subscription)
            await asyncio.gather(here.join(near), there.join(far))
            here.say([account], Wake(Verb.FRAME, "床前明月光", "con", 1))
            await soon(lambda: far.frames)
            assert (near.frames, far.frames) == (["床前明月光"], ["床前明月光"]), "once each, although both are subscribed"
            assert (near.resyncs, far.resyncs) == (0, 0)
            server.kill()
            here.say([account], Wake(Verb.FRAME, "lost", "con", 2))
            assert near.frames[-1] == "lost", "the own process needs no Redis"
            late = Ear(AccountId.new())
            await there.join(late)
            server.start()
            await soon(lambda: near.resyncs and far.resyncs and late.resyncs)
            here.say([account, late.account_id], Wake(Verb.FRAME, "again", "con", 3))
            await soon(lambda: far.frames[-1:] == ["again"] == late.frames)
            assert "lost" not in far.frames


async def test_what_travels_through_redis_is_sealed_and_what_is_not_ours_is_not_heard() -> None:
    account = AccountId.new()
    with Redis() as server:
        async with process(server.url) as here:
            ear = Ear(account)
            await soon(lambda: here._subscription)
            await here.join(ear)
            assert here._redis is not None
            assert b"secret word" not in here._sealed(Wake(Verb.FRAME, "secret word"))
            for junk in (b"", b"{}", b"\xff\x00", b'["x","frame","{}","",0,""]'):
                await here._redis.publish(live._channel(account), junk)
            await asyncio.sleep(0.3)
            assert ear.heard == []


async def test_who_leaves_and_comes_back_hears_again() -> None:
    account = AccountId.new()
    with Redis() as server:
        async with process(server.url) as here, process(server.url) as there:
            await soon(lambda: here._subscription and there._subscription)
            for _ in range(5):
                ear = Ear(account)
                await here.join(ear)
                here.leave(ear)
            await here.join(ear)
            there.say([account], Wake(Verb.FRAME, "{}"))
            await soon(lambda: ear.frames)


class Wire:
    """A socket whose reader stops and goes on."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed: tuple[int, str] | None = None
        self.was_cut = False
        self.reading = asyncio.Event()
        self.reading.set()

    async def send(self, frame: str) -> None:
        await self.reading.wait()
        self.sent.append(frame)

    async def close(self, code: int, reason: str) -> None:
        await self.reading.wait()
        self.closed = (code, reason)

    def cut(self) -> None:
        self.was_cut = True


async def test_frames_keep_their_order_and_goodbye_is_the_last_word() -> None:
    wire = Wire()
    outlet = Outlet(wire.send, wire.close, wire.cut)
    for number in range(50):
        outlet.put(str(number))
    outlet.close(Close.SILENT, "silent")
    outlet.close(Close.POLICY, "the first reason counts")
    outlet.put("nothing after it")
    await soon(lambda: wire.closed)
    assert wire.sent == [str(number) for number in range(50)]
    assert wire.closed == (4408, "silent")


async def test_frames_keep_their_order_whichever_way_they_go() -> None:
    """The short way is taken where there is room and nothing waits; what waits is never overtaken."""
    wire, rooms = Wire(), iter([True, False, *[True] * 50])

    def write(frame: str) -> bool:
        if room := next(rooms):
            wire.sent.append(frame)
        return room

    outlet = Outlet(wire.send, wire.close, wire.cut, write=write)
    for number in range(6):
        outlet.put(str(number))
        if number == 3:
            await soon(lambda: outlet._writing is None)
    outlet.close(Close.SILENT, "silent")
    outlet.put("nothing after it")
    await soon(lambda: wire.closed)
    assert wire.sent == [str(number) for number in range(6)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_frame_is_written_as_a_client_reads_it(size: int) -> None:
    reader = StreamReader()
    reader.feed_data(framed("好" + "x" * size))
    parsing = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as parsed:
        next(parsing)
    frame = parsed.value.value
    assert (frame.opcode, frame.fin, bytes(frame.data).decode()) == (Opcode.TEXT, True, "好" + "x" * size)


async def test_a_slow_reader_is_let_go_and_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """T11."""
    monkeypatch.setattr(live, "GOODBYE_S", 0.2)
    wire = Wire()
    wire.reading.clear()
    outlet = Outlet(wire.send, wire.close, wire.cut, limit=1000)
    for _ in range(5000):
        outlet.put("x" * 100)
    assert outlet.closing == (1013, "slow")
    assert len(outlet._waiting) == 0
    await soon(lambda: wire.was_cut)
    wire.reading.set()
    await soon(lambda: wire.closed)
    assert len(wire.sent) <= 1


async def test_a_long_log_is_sent_at_the_pace_of_the_socket() -> None:
    wire = Wire()
    wire.reading.clear()
    outlet = Outlet(wire.send, wire.close, wire.cut, limit=1000)
    put = 0

    async def log() -> None:
        nonlocal put
        for _ in range(30):
            await outlet.room()
            outlet.put("x" * 100)
            put += 1

    task = asyncio.create_task(log())
    await asyncio.sleep(0.05)
    assert put < 6
    wire.reading.set()
    await asyncio.wait_for(task, 5)
    await soon(lambda: len(wire.sent) == 30)
    assert outlet.closing is None
