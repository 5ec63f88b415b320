"""Transactions: committed before the answer, never nested, never silently lost, never waited for without an end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest
import uvloop
from fastapi import FastAPI
from sqlalchemy import event, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from tests.kernel.bank import Account, Colour, Entry, Scene, count, make_app, striking
from tests.kernel.conftest import SIGNED_IN, MakeStore, somebody
from tests.servers import GivenServer, MariaDb
from yiyuebao_api import settings
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import (
    RESTED_S,
    Database,
    Model,
    after_commit,
    assert_no_transaction,
    error_number,
    is_contention,
    is_duplicate,
    is_outage,
)
from yiyuebao_api.kernel.ids import BookingId, PatientId
from yiyuebao_api.kernel.money import Fen

BODY = {"source": 1, "target": 2, "fen": 5}


async def test_the_commit_comes_before_the_first_byte_of_the_answer(bank: FastAPI, store: Database) -> None:
    """With FastAPI's default scope the client hears 201 and the commit fails afterwards: a booking that never was."""
    order: list[str] = []
    event.listen(store.engine.sync_engine, "commit", lambda _: order.append("commit"))

    async def outermost(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        async def told(message):  # type: ignore[no-untyped-def]
            order.append(message["type"])
            await send(message)

        await bank(scope, receive, told)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(outermost), base_url="http://test") as client:
        answer = await client.post("/v1/bank/transfers", json=BODY, headers=somebody())
    assert answer.status_code == 201
    assert order == ["commit", "http.response.start", "http.response.body"]
    assert bank.state.scene.seen == ["run", "background"], "background work starts after the commit"


async def test_a_commit_that_fails_is_not_a_success(client: httpx.AsyncClient, store: Database, scene: Scene) -> None:
    """A lost connection at COMMIT must not be told as 201, nor be run again: its outcome is unknown."""
    scene.strike = striking(2013, "commit", 1)
    answer = await client.post("/v1/bank/transfers", json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (503, "service-unavailable")
    assert answer.headers["retry-after"] == "1"
    assert scene.seen == ["run"], "neither run again nor followed by background work"
    assert await count(store) == 0


async def test_a_refusal_rolls_back(client: httpx.AsyncClient, store: Database) -> None:
    """What an endpoint wrote before it refused must not stay."""
    answer = await client.post("/v1/bank/entries/refused", json={"text": "x"}, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["left_fen"]) == (409, 7)
    assert await count(store) == 0


async def test_begin_inside_begin_is_refused(store: Database) -> None:
    """Two connections of one request deadlock the pool with itself, and half of a use case could commit alone."""
    async with store.begin():
        with pytest.raises(AssertionError, match="inside a transaction"):
            async with store.begin():
                pass
    async with store.begin() as tx:  # and the refusal did not leave the mark behind
        await tx.execute(select(1))


async def test_no_provider_is_awaited_under_a_transaction(store: Database) -> None:
    """A payment provider that takes 6 s would hold rows locked for 6 s."""
    assert_no_transaction()
    async with store.begin():
        with pytest.raises(AssertionError, match="open transaction"):
            assert_no_transaction()
    with pytest.raises(ZeroDivisionError):
        async with store.begin():
            raise ZeroDivisionError
    assert_no_transaction()


async def test_what_follows_a_commit_cannot_fail_the_request(client: httpx.AsyncClient, store: Database, scene: Scene) -> None:
    """A wake-up that fails after the commit must not turn a booking that exists into a 500."""
    answer = await client.get("/v1/bank/wake")
    assert answer.status_code == 200
    assert scene.seen == ["followed"]
    assert await count(store, "woken") == 1


async def test_what_follows_a_commit_does_not_follow_a_rollback(store: Database) -> None:
    """Others would be woken for something that never happened."""
    called: list[int] = []

    async def follow() -> None:
        called.append(1)

    async def use_case() -> None:
        async with store.begin() as tx:
            after_commit(tx, follow)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use_case()
    assert called == []


async def test_an_exhausted_pool_answers_503_in_time_and_recovers(make_store: MakeStore, store: Database) -> None:
    """F5: a queue without an end hangs every phone; afterwards the service must be well again at once."""
    narrow = make_store(pool_size=2, pool_timeout_s=0.3)
    app = make_app(narrow, SIGNED_IN)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", timeout=30) as client:
        held = [asyncio.create_task(client.get("/v1/bank/slow")) for _ in range(2)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        refused = await asyncio.gather(*(client.get("/v1/bank/entries") for _ in range(10)))
        assert {each.status_code for each in refused} == {503}
        assert {each.headers["retry-after"] for each in refused} == {"1"}
        assert time.monotonic() - began < 1.3
        app.state.scene.hold.set()
        assert [each.status_code for each in await asyncio.gather(*held)] == [200, 200]
        well = await asyncio.gather(*(client.get("/v1/bank/entries") for _ in range(10)))
        assert {each.status_code for each in well} == {200}


@pytest.mark.parametrize("where", ["connect", "statement", "between", "commit", "rollback"])
async def test_a_server_that_freezes_holds_nobody(
    make_store: MakeStore, store: Database, bank_server: MariaDb | GivenServer, where: str
) -> None:
    """F2: SQLAlchemy lets no COMMIT and no ROLLBACK be cancelled: only a closed socket ends the wait."""
    if isinstance(bank_server, GivenServer):
        pytest.skip("that server is not ours to freeze")
    impatient = make_store(pool_size=2, patience_s=0.3)
    async with impatient.begin() as tx:  # a connection that rests in the pool
        await tx.execute(select(1))

    async def request() -> None:
        if where == "connect":
            freeze(bank_server)
        async with impatient.begin_for_request() as tx:
            tx.add(Entry(id=BookingId.new(), what="frozen"))
            await tx.flush()
            freeze(bank_server)
            if where == "statement":
                await tx.execute(select(Entry))
            elif where == "between":
                await asyncio.sleep(30)
            elif where == "rollback":
                raise ZeroDivisionError

    try:
        async with asyncio.timeout(5):
            with pytest.raises(PoolExhausted):
                await request()
    finally:
        freeze(bank_server, signal.SIGCONT)
    for _ in range(4):
        async with impatient.begin_for_request() as tx:
            await tx.execute(select(1))
    assert impatient._turn._value == 2
    if where != "commit":  # nobody knows what became of that one
        assert await count(store, "frozen") == 0


def freeze(server: MariaDb, how: signal.Signals = signal.SIGSTOP) -> None:
    assert server.process is not None
    os.killpg(server.process.pid, how)


async def test_the_end_of_patience_cuts_no_connection_that_serves_another(make_store: MakeStore, store: Database) -> None:
    """What follows a commit may take long; its connection has long been somebody else's."""
    narrow = make_store(pool_size=1, patience_s=0.3)

    async def lingering() -> None:
        async def follow() -> None:
            await asyncio.sleep(30)

        async with narrow.begin_for_request() as tx:
            tx.add(Entry(id=BookingId.new(), what="done"))
            after_commit(tx, follow)

    task = asyncio.create_task(lingering())
    while not await count(store, "done"):
        await asyncio.sleep(0.01)
    async with narrow.begin() as tx:
        await tx.execute(text("SELECT SLEEP(0.6)"))
    with pytest.raises(PoolExhausted):
        await task


async def test_connections_are_given_first_come_first_served(make_store: MakeStore, store: Database) -> None:
    """SQLAlchemy's pool alone lets newcomers overtake, and the unlucky wait for their whole time-out."""
    narrow = make_store(pool_size=1)
    served: list[int] = []

    async def turn(number: int) -> None:
        async with narrow.begin() as tx:
            await tx.execute(text("SELECT SLEEP(0.01)"))
            served.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(turn(number))
            await asyncio.sleep(0)
    assert served == list(range(20))


async def test_a_cancelled_wait_gives_its_turn_back(make_store: MakeStore, store: Database) -> None:
    """A client that hangs up while it waits must not take a place of the pool with it for ever."""
    narrow = make_store(pool_size=2, pool_timeout_s=2)

    async def work() -> None:
        async with narrow.begin() as tx:
            await tx.execute(text("SELECT SLEEP(0.005)"))

    for _ in range(5):
        tasks = [asyncio.create_task(work()) for _ in range(12)]
        await asyncio.sleep(0.008)
        for each in tasks[::2]:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(2):
        await asyncio.gather(*(work() for _ in range(12)))
    assert narrow._turn._value == 2


async def test_a_cancelled_statement_ends_by_the_server_s_limit(make_store: MakeStore, store: Database) -> None:
    """T12: a cancelled request's statement goes on in the server and keeps its locks: the limit ends it."""
    if not getattr(store.engine.dialect, "is_mariadb", False):
        pytest.skip("MySQL's max_execution_time ends SELECTs only")
    short = make_store(pool_size=2, statement_timeout_s=0.3)
    with pytest.raises(OperationalError) as caught:
        async with short.begin() as tx:
            await tx.execute(text("UPDATE bank_account SET fen = fen + SLEEP(2)"))
    assert is_outage(caught.value), "asked in vain, not asked wrongly"
    async with store.begin() as tx:
        assert (await tx.get_one(Account, 1, with_for_update=True)).fen == 1000


async def test_a_killed_connection_is_a_503_and_the_next_request_works(client: httpx.AsyncClient) -> None:
    """A failover kills every connection; nobody may see a 500, and no dead connection may come out of the pool."""
    answer = await client.get("/v1/bank/killed")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    for _ in range(5):
        assert (await client.get("/v1/bank/entries")).status_code == 200


async def test_connections_killed_while_they_rest_are_not_noticed(store: Database, client: httpx.AsyncClient) -> None:
    """After a night without traffic, or a restart, the first patient of the morning must not see an error."""
    await asyncio.gather(*(client.get("/v1/bank/sleep/0.05") for _ in range(4)))
    async with store.begin() as tx:
        own = (await tx.execute(text("SELECT CONNECTION_ID()"))).scalar_one()
        rest = await tx.execute(
            text("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> :own"), {"own": own}
        )
        for (each,) in rest.all():
            await tx.execute(text(f"KILL {each}"))
    await asyncio.sleep(RESTED_S + 0.1)
    answers = await asyncio.gather(*(client.get("/v1/bank/entries") for _ in range(10)))
    assert {each.status_code for each in answers} == {200}


async def test_a_broken_rule_of_a_column_is_our_fault_and_no_outage(client: httpx.AsyncClient, store: Database) -> None:
    """T6: a CHECK is an OperationalError like a lost connection: as a 503 phones would send it again for ever."""
    answer = await client.post("/v1/bank/check")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    async with store.begin() as tx:
        assert (await tx.get_one(Account, 1)).fen == 1000


async def test_a_statement_that_is_wrong_is_no_outage(client: httpx.AsyncClient) -> None:
    """The driver calls an unknown column (a migration that did not run) operational: a 503 would hide it for ever."""
    answer = await client.get("/v1/bank/unknown-column")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")


@pytest.mark.parametrize(
    ("number", "outage"),
    [
        (1040, True), (1045, True), (1053, True), (1205, True), (1213, True), (1290, True), (1317, True), (1927, True),
        (1969, True), (2003, True), (2006, True), (2013, True), (3024, True), (0, True),
        (1054, False), (1292, False), (1366, False), (1690, False), (3140, False), (3819, False), (4025, False),
    ],
)  # fmt: skip
def test_which_numbers_are_an_outage(number: int, outage: bool) -> None:
    """Too wide, and bugs are told as "busy"; too narrow, and a restart of the database is told as a bug."""
    error = OperationalError("statement", {}, Exception(number, "words") if number else Exception("no number"))
    assert is_outage(error) is outage
    assert is_contention(error) is (number in (1205, 1213))


async def test_times_are_aware_in_python_and_utc_in_the_column(store: Database) -> None:
    """Eight hours of difference are a nurse at the door in the middle of the night."""
    shanghai = timezone(timedelta(hours=8))
    moment = datetime(2026, 11, 24, 1, 30, 0, 123456, tzinfo=shanghai)
    entry = Entry(id=BookingId.new(), what="time", at=moment)
    async with store.begin() as tx:
        tx.add(entry)
    async with store.begin() as tx:
        found = await tx.get_one(Entry, entry.id)
        assert found.at == moment
        assert found.at is not None
        assert found.at.tzinfo is UTC
        plain = (await tx.execute(text("SELECT CAST(at AS CHAR) FROM bank_entry"))).scalar_one()
        assert plain == "2026-11-23 17:30:00.123456"


async def test_a_naive_time_is_refused(store: Database) -> None:
    """Nobody knows which eight hours a naive time means."""
    with pytest.raises(StatementError, match="naive datetime"):
        async with store.begin() as tx:
            tx.add(Entry(id=BookingId.new(), what="naive", at=datetime(2026, 11, 23)))  # noqa: DTZ001
    with pytest.raises(StatementError, match="naive datetime"):
        async with store.begin() as tx:
            await tx.execute(select(Entry).where(Entry.at > datetime(2026, 11, 23)))  # noqa: DTZ001


async def test_ids_and_enums_come_back_as_what_they_were(store: Database) -> None:
    """An enum that comes back as a plain string fails every `is`: a payment was once confirmed twice that way."""
    entry = Entry(id=BookingId.new(), what="id", other=PatientId.new(), colour=Colour.BLUE)
    async with store.begin() as tx:
        tx.add(entry)
    async with store.begin() as tx:
        found = (await tx.scalars(select(Entry).where(Entry.id == entry.id, Entry.colour == Colour.BLUE))).one()
        assert type(found.id) is BookingId
        assert found.id == entry.id
        assert type(found.other) is PatientId
        assert found.colour is Colour.BLUE
        assert (await tx.execute(text("SELECT LENGTH(id) FROM bank_entry"))).scalar_one() == 16
        assert (await tx.execute(text("SELECT colour FROM bank_entry"))).scalar_one() == "blue"


async def test_codes_are_compared_byte_by_byte(store: Database) -> None:
    """With the default collation the token 'abc' opens the door of 'ABC', and 'x ' that of 'x'."""
    async with store.begin() as tx:
        tx.add_all(Entry(id=BookingId.new(), what=what, once=what) for what in ("abc", "ABC", "äbc"))
    async with store.begin() as tx:
        for asked, found in {"abc": 1, "ABC": 1, "Abc": 0, "abc ": 0}.items():
            rows = (await tx.scalars(select(Entry).where(Entry.what == asked))).all()
            assert len(rows) == found or asked == "abc ", asked  # trailing blanks: PAD SPACE of MariaDB


async def test_a_duplicate_is_recognised_by_the_key_that_refused_it(store: Database) -> None:
    """A client who writes the name of a key into a value must not choose which refusal the service believes in."""
    name = "uq_bank_entry_other"
    with pytest.raises(IntegrityError) as caught:
        async with store.begin() as tx:
            tx.add_all(Entry(id=BookingId.new(), what="x", once=name) for _ in range(2))
    assert error_number(caught.value) == 1062
    assert is_duplicate(caught.value)
    assert is_duplicate(caught.value, "uq_bank_entry_once")
    assert not is_duplicate(caught.value, name)


async def test_sessions_are_strict_and_read_committed(store: Database) -> None:
    """Without strict mode a name that is too long is cut off in silence; REPEATABLE READ deadlocks the outbox (T17)."""
    with pytest.raises(DBAPIError) as caught:
        async with store.begin() as tx:
            tx.add(Entry(id=BookingId.new(), what="x" * 101))
    assert not is_outage(caught.value)
    async with store.begin() as tx:
        level = await (await tx.connection()).get_isolation_level()
        waiting = (await tx.execute(text("SELECT @@innodb_lock_wait_timeout"))).scalar_one()
        zone = (await tx.execute(text("SELECT @@time_zone"))).scalar_one()
    assert (level, waiting, zone) == ("READ COMMITTED", 2, "+00:00")


async def test_an_error_s_words_carry_no_parameters(store: Database) -> None:
    """SQLAlchemy prints the parameters of a failed statement: names and phone numbers in the log."""
    with pytest.raises(DBAPIError) as caught:
        async with store.begin() as tx:
            await tx.execute(text("SELECT :phone FROM nowhere"), {"phone": "13800138000"})
    assert "13800138000" not in str(caught.value)


async def test_every_model_carries_its_docstring_and_charset_into_the_server(store: Database) -> None:
    """T7: a table without its collation takes another one than the tables it is joined with."""
    async with store.engine.connect() as connection:
        comment = await connection.run_sync(lambda c: inspect(c).get_table_comment("bank_account"))
        found = await connection.execute(
            text("SELECT table_collation FROM information_schema.tables WHERE table_name = 'bank_account'")
        )
        assert (comment["text"], found.scalar_one()) == ("Accounts.", "utf8mb4_unicode_ci")
    assert Model.metadata.tables.keys().isdisjoint({"bank_account", "bank_entry"}), "test tables stay out of migrations"


async def test_whether_the_database_answers(make_store: MakeStore, store: Database) -> None:
    """The readiness of a process must be a fact, and quick."""
    assert await store.answers()
    narrow = make_store(pool_size=1, pool_timeout_s=0.2)
    async with narrow.begin() as tx:
        await tx.execute(select(1))
        assert not await narrow.answers()
    assert await narrow.answers()


def test_the_exhausted_pool_is_an_outage() -> None:
    """It is no DBAPIError, and would be told as a bug."""
    assert is_outage(PoolExhausted("x"))
    assert not is_outage(ValueError("x"))
    assert not is_outage(IntegrityError("x", {}, Exception(1062, "Duplicate entry")))


async def test_now_is_taken_once_a_request(store: Database) -> None:
    """Two readings in one use case can lie on two sides of a deadline."""
    assert (await clock._request_now()).tzinfo is UTC


async def test_amounts_beyond_32_bits_are_kept(store: Database) -> None:
    """21 474 836.47 yuan is no upper limit of a hospital's books."""
    async with store.begin() as tx:
        (await tx.get_one(Account, 1)).fen = Fen(9_000_000_000)
    async with store.begin() as tx:
        assert (await tx.get_one(Account, 1)).fen == 9_000_000_000


async def test_a_request_whose_transaction_never_ends_is_told_503(make_store: MakeStore, store: Database) -> None:
    """F2: a database that froze says nothing, not even no; a phone must not wait for it for minutes."""
    app = make_app(make_store(pool_size=4, patience_s=0.8), SIGNED_IN)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        began = time.monotonic()
        answers = await asyncio.gather(*(client.get("/v1/bank/sleep/5") for _ in range(6)))
        assert {(each.status_code, each.headers["retry-after"]) for each in answers} == {(503, "1")}
        assert time.monotonic() - began < 3
        answers = [await client.get("/v1/bank/entries") for _ in range(12)]
        assert {each.status_code for each in answers} == {200}, "a connection in the middle of an answer is not used again"


def test_a_server_that_dies_while_it_greets_is_an_outage() -> None:
    """The accident: under uvloop the driver finds half a socket and says RuntimeError, and the patient was told 500."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    reset = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, with a reset

    def hang_up() -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                caller, _ = listening.accept()
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                caller.close()

    async def ask() -> list[BaseException | None]:
        url = f"mysql+asyncmy://a:b@127.0.0.1:{listening.getsockname()[1]}/c"
        dying = Database(settings.Database(), url=url, pool_size=10)

        async def begin() -> None:
            async with dying.begin() as tx:
                await tx.execute(text("SELECT 1"))

        both = [each for _ in range(150) for each in (begin(), dying.readers.fetch("SELECT 1", []))]
        found = await asyncio.gather(*both, return_exceptions=True)
        await dying.aclose()
        return [each for each in found if isinstance(each, BaseException)]

    thread = threading.Thread(target=hang_up, daemon=True)
    thread.start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(ask())
    listening.close()
    assert len(found) == 300
    assert {type(each) for each in found if each is None or not is_outage(each)} == set()
