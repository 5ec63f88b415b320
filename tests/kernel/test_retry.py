"""Whole-request retry: nobody sees a deadlock, nothing is done twice, nothing is half done."""

from __future__ import annotations

import asyncio
import random

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, func, select
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from tests.kernel.bank import Account, Scene, chunks, count, deadlock, make_app, striking
from tests.kernel.conftest import SIGNED_IN, MakeStore, somebody
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.retry import RUNS, WholeRequestRetry

BODY = {"source": 1, "target": 2, "fen": 5}


async def balances(store: Database) -> list[int]:
    async with store.begin() as tx:
        return [row.fen for row in (await tx.scalars(select(Account).order_by(Account.number))).all()]


@pytest.mark.parametrize(("number", "where"), [(1213, "endpoint"), (1205, "flush"), (1213, "commit"), (1205, "commit")])
async def test_contention_anywhere_runs_the_request_again(
    client: httpx.AsyncClient, scene: Scene, store: Database, number: int, where: str
) -> None:
    """A patient must not see "deadlock found" because two people booked at once; FastAPI commits after the route class."""
    scene.strike = striking(number, where, times=3)
    answer = await client.post("/v1/bank/transfers", json=BODY)
    assert answer.status_code == 201
    assert scene.seen == ["run", "run", "run", "run", "background"], "background work once, for the run that counted"
    assert len(set(scene.bodies)) == 1, "the same body in every run"
    assert (await balances(store))[:2] == [995, 1005], "one effect"
    assert await count(store, "transfer") == 1


async def test_a_storm_that_does_not_end_is_a_503(client: httpx.AsyncClient, scene: Scene, store: Database) -> None:
    """Running again for ever would hold the phone, and the rows, for ever."""
    gave_up = RUNS.labels("gave up")._value.get()
    scene.strike = striking(1213, "commit", times=100)
    answer = await client.post("/v1/bank/transfers", json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (503, "service-unavailable")
    assert answer.headers["retry-after"] == "1"
    assert scene.seen == ["run"] * 4
    assert RUNS.labels("gave up")._value.get() == gave_up + 1
    assert await balances(store) == [1000] * 8


async def test_crossed_locks_of_many_clients_all_succeed_and_the_sum_is_right(store: Database) -> None:
    """F3: opposite lock orders under load. Every transfer happens once; jitter alone loses some of them."""
    app = make_app(store, SIGNED_IN)
    again = RUNS.labels("again")._value.get()
    dice = random.Random(7)
    moved: list[tuple[int, int, int]] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", timeout=60) as client:

        async def one_client(number: int) -> None:
            headers = somebody()
            for turn in range(8):
                source, target = dice.sample(range(1, 9), 2)
                fen = dice.randrange(1, 9)
                if turn % 3 == 0:
                    answer = await client.post(
                        f"/v1/bank/uploads?source={source}&target={target}", files={"file": b"x" * fen}, headers=headers
                    )
                else:
                    body = {"source": source, "target": target, "fen": fen}
                    answer = await client.post("/v1/bank/transfers", json=body, headers=headers)
                assert answer.status_code in (200, 201), (number, turn, answer.text)
                moved.append((source, target, fen))

        await asyncio.gather(*(one_client(number) for number in range(16)))
    expected = [1000] * 8
    for source, target, fen in moved:
        expected[source - 1] -= fen
        expected[target - 1] += fen
    assert await balances(store) == expected
    assert RUNS.labels("again")._value.get() > again, "the storm was one"


async def test_a_foreign_lock_that_outlives_the_wait_leaves_nothing_half_done(make_store: MakeStore, store: Database) -> None:
    """F4, T18: 1205 rolls back one statement only; going on would commit half a transfer."""
    impatient = make_store(pool_size=4, lock_wait_s=1)
    app = make_app(impatient, SIGNED_IN, again=0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        async with store.engine.begin() as foreign:
            await foreign.execute(select(Account).where(Account.number == 2).with_for_update())
            answer = await client.post("/v1/bank/transfers", json=BODY, headers=somebody())
        assert answer.status_code == 503
        assert await balances(store) == [1000] * 8
        assert (await client.post("/v1/bank/transfers", json=BODY, headers=somebody())).status_code == 201


async def test_a_request_that_has_committed_is_never_run_again(client: httpx.AsyncClient, scene: Scene, store: Database) -> None:
    """After the provider was called, a second run would call it a second time: the patient would pay twice."""
    scene.strike = striking(1213, "commit", times=1)
    answer = await client.post("/v1/bank/payments", json={"text": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert scene.seen == ["run"]
    assert len(scene.provider) == 1
    assert await count(store, "x") == 1, "the intent stays: the key carries on with it"


async def test_a_lost_connection_is_a_503_and_not_run_again(client: httpx.AsyncClient, scene: Scene) -> None:
    """Nobody knows whether a COMMIT whose answer was lost happened; only the idempotency key can tell."""
    scene.strike = striking(2013, "endpoint", times=1)
    answer = await client.post("/v1/bank/transfers", json=BODY)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["content-type"] == "application/problem+json"
    assert scene.seen == ["run"]


async def test_a_body_in_pieces_is_played_again_whole(client: httpx.AsyncClient, scene: Scene) -> None:
    """The second run of a chunked request must not see an empty or a shorter body."""
    scene.strike = striking(1213, "commit", times=2)
    pieces = chunks(b'{"source": 1, ', b'"target": 2, ', b'"fen": 5, "note": "', b"a" * 90, b'"}')
    answer = await client.post("/v1/bank/transfers", content=pieces, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    assert len(scene.bodies) == 3
    assert len(set(scene.bodies)) == 1


async def test_a_body_too_large_to_keep_is_not_run_again(bank: FastAPI, store: Database) -> None:
    """A second run without its body would do something else; the memory of a process has an end."""
    app = make_app(store, SIGNED_IN, limit=10)
    app.state.scene.strike = striking(1213, "commit", times=1)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.post("/v1/bank/transfers", json=BODY, headers=somebody())
    assert answer.status_code == 503
    assert app.state.scene.seen == ["run"]


async def test_what_one_run_left_in_the_request_is_not_seen_by_the_next() -> None:
    """A transaction or a claim of the failed run would be used after its end."""
    seen: list[dict[str, object]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope["state"]))
        scope["state"]["tx"] = "dead"
        if len(seen) < 3:
            raise deadlock()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        return None

    await WholeRequestRetry(app)({"type": "http", "state": {"request_id": "r"}, "headers": []}, receive, send)
    assert seen == [{"request_id": "r"}] * 3


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    """Two status lines in one response break the connection of the next request, too."""
    sent: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise deadlock()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    with pytest.raises(Exception, match="injected"):
        await WholeRequestRetry(app)({"type": "http", "state": {}, "headers": []}, receive, send)
    assert sent == ["http.response.start"]


def test_a_socket_is_never_run_again(store: Database) -> None:
    """What was said on a socket before the deadlock has been heard."""
    app = make_app(store, SIGNED_IN)
    with pytest.raises(Exception, match="injected"), TestClient(app) as client, client.websocket_connect("/v1/bank/live") as ws:
        ws.receive_text()
    assert app.state.scene.seen == ["socket"]


async def test_a_key_and_a_storm_together_are_one_effect(client: httpx.AsyncClient, scene: Scene, store: Database) -> None:
    """The claim of the key is rolled back with the failed run; neither lost nor doubled."""
    scene.strike = striking(1213, "commit", times=2)
    answer = await client.post("/v1/bank/entries", json={"text": "x"}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201
    assert "idempotent-replayed" not in answer.headers
    replay = await client.post("/v1/bank/entries", json={"text": "x"}, headers={"Idempotency-Key": "k"})
    assert replay.json() == answer.json()
    assert replay.headers["idempotent-replayed"] == "true"
    assert await count(store) == 1


async def test_the_pool_is_whole_after_a_storm(client: httpx.AsyncClient, scene: Scene, store: Database) -> None:
    """A run that failed must give its connection back."""
    checked_out: list[int] = []
    event.listen(store.engine.sync_engine, "checkout", lambda *_: checked_out.append(1))
    event.listen(store.engine.sync_engine, "checkin", lambda *_: checked_out.append(-1))
    for _ in range(3):
        scene.strike = striking(1213, "commit", times=2)
        await client.post("/v1/bank/transfers", json=BODY)
    async with store.begin() as tx:
        assert (await tx.scalar(select(func.count()).select_from(Account))) == 8
    assert sum(checked_out) == 0
