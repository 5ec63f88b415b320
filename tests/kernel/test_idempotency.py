"""Idempotency-Key: one effect and one answer per caller and key, in parallel, after a crash, after a refusal."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select, text, update

from tests.kernel.bank import AccountEmpty, Scene, count, striking
from tests.kernel.conftest import bearer, somebody
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.idempotency import KEPT, LEASE, Once, purge
from yiyuebao_api.kernel.ids import AccountId, RowId, SessionId
from yiyuebao_api.kernel.tokens import Claims, Mode

KEY = {"Idempotency-Key": "k-1"}


async def keys(store: Database) -> list[Once]:
    async with store.begin() as tx:
        return list((await tx.scalars(select(Once))).all())


async def end_leases(store: Database) -> None:
    """As if the lease's seconds had passed."""
    async with store.begin() as tx:
        await tx.execute(update(Once).values(busy_until=clock.system_now() - timedelta(seconds=1)))


@pytest.mark.parametrize("path", ["/v1/bank/entries", "/v1/bank/payments"])
async def test_fifty_at_once_have_one_effect_and_one_answer(client: httpx.AsyncClient, store: Database, path: str) -> None:
    """A nervous thumb, or a phone that sends again on a bad line, must not book and pay twice."""
    answers = await asyncio.gather(*(client.post(path, json={"text": "x"}, headers=KEY) for _ in range(50)))
    statuses = [each.status_code for each in answers]
    assert set(statuses) <= {201, 409}, statuses
    assert 201 in statuses
    assert {each.json()["code"] for each in answers if each.status_code == 409} <= {"request-in-progress"}
    assert all(int(each.headers["retry-after"]) >= 1 for each in answers if each.status_code == 409)
    assert len({each.content for each in answers if each.status_code == 201}) == 1
    later = await client.post(path, json={"text": "x"}, headers=KEY)
    assert later.content == next(each.content for each in answers if each.status_code == 201)
    assert await count(store) == 1


async def test_the_same_key_again_gives_the_same_answer_and_says_so(client: httpx.AsyncClient, scene: Scene) -> None:
    """The phone that lost the first answer must get exactly that answer."""
    first = await client.post("/v1/bank/entries", json={"text": "x"}, headers=KEY)
    again = await client.post("/v1/bank/entries", json={"text": "x"}, headers=KEY)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert scene.seen == ["run"]


async def test_the_etag_of_the_first_answer_is_given_again(client: httpx.AsyncClient) -> None:
    """Without it the phone that got the replay cannot edit what it made: 428."""
    first = await client.post("/v1/bank/entries/tagged", json={"text": "x"}, headers=KEY)
    again = await client.post("/v1/bank/entries/tagged", json={"text": "x"}, headers=KEY)
    assert first.headers["etag"] == '"7"'
    assert again.headers["etag"] == '"7"'
    assert again.headers["idempotent-replayed"] == "true"


async def test_an_answer_without_a_body_is_replayed_without_one(client: httpx.AsyncClient, store: Database) -> None:
    """204 with a body breaks the connection of the next request."""
    for _ in range(2):
        answer = await client.post("/v1/bank/entries/none", headers=KEY)
        assert (answer.status_code, answer.content) == (204, b"")
    assert await count(store) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/bank/entries", {"text": "other"}),
        ("/v1/bank/entries/elsewhere", {"text": "x"}),
        ("/v1/bank/entries?dry_run=true", {"text": "x"}),
    ],
)
async def test_a_key_used_for_something_else_is_refused(
    client: httpx.AsyncClient, store: Database, path: str, body: dict[str, str]
) -> None:
    """A key taken over from an earlier form would answer "booked" for something that was never booked."""
    await client.post("/v1/bank/entries", json={"text": "x"}, headers=KEY)
    answer = await client.post(path, json=body, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert await count(store) == 1


async def test_keys_belong_to_one_caller_in_one_mode(client: httpx.AsyncClient, store: Database) -> None:
    """Two phones that both count 1, 2, 3 must not see each other's bookings; case matters, too."""
    account = AccountId.new()
    callers = [bearer(Claims(account, SessionId.new(), mode, None)) for mode in (Mode.PATIENT, Mode.OPERATOR)]
    for headers in [somebody(), *callers]:
        for key in ("abc", "ABC"):
            answer = await client.post("/v1/bank/entries", json={"text": "x"}, headers={**headers, "Idempotency-Key": key})
            assert answer.status_code == 201
            assert "idempotent-replayed" not in answer.headers
    assert await count(store) == 6


async def test_a_refusal_stores_nothing(client: httpx.AsyncClient, store: Database) -> None:
    """A full slot may have a place again in a minute: the same key must then succeed."""
    refused = await client.post("/v1/bank/entries/refused", json={"text": "x"}, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (409, AccountEmpty.code)
    assert await keys(store) == []
    assert (await client.post("/v1/bank/entries/refused", json={"text": "x"}, headers=KEY)).status_code == 201


async def test_a_failure_stores_nothing(client: httpx.AsyncClient, store: Database, scene: Scene) -> None:
    """A 503 that was kept would be given again for two days."""
    scene.strike = striking(2013, "commit", 1)
    assert (await client.post("/v1/bank/entries", json={"text": "x"}, headers=KEY)).status_code == 503
    assert await keys(store) == []
    assert (await client.post("/v1/bank/entries", json={"text": "x"}, headers=KEY)).status_code == 201
    assert await count(store) == 1


async def test_without_a_key_where_one_is_required(client: httpx.AsyncClient, store: Database) -> None:
    """A booking or payment made without a key cannot be sent again safely."""
    answer = await client.post("/v1/bank/entries", json={"text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-missing")
    assert await count(store) == 0


async def test_without_a_key_where_none_is_required(client: httpx.AsyncClient, store: Database) -> None:
    """Everything else stays as easy as it was."""
    for _ in range(2):
        assert (await client.post("/v1/bank/payments", json={"text": "x"})).status_code == 201
    assert await count(store) == 2
    assert await keys(store) == []


@pytest.mark.parametrize("key", ["x" * 256, "with blank", "\xe4"])
@pytest.mark.parametrize("path", ["/v1/bank/entries", "/v1/bank/payments", "/v1/bank/entries/none"])
async def test_a_key_that_cannot_be_kept_is_refused(
    client: httpx.AsyncClient, store: Database, path: str, key: str
) -> None:
    """Ignored in silence, it leaves a client who believes to be safe to pay twice."""
    answer = await client.post(path, json={"text": "x"}, headers=[(b"Idempotency-Key", key.encode("latin-1"))])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-input")
    assert answer.json()["errors"][0]["pointer"] == "/header/idempotency-key"
    assert await count(store) == 0


@pytest.mark.parametrize("media", ["Application/JSON", "application/json; charset=UTF-8"])
async def test_the_key_counts_however_json_is_spelled(client: httpx.AsyncClient, store: Database, media: str) -> None:
    """Media types are case-insensitive: a client's library must not decide whether somebody pays twice."""
    for _ in range(2):
        answer = await client.post("/v1/bank/payments", content=b'{"text": "x"}', headers={**KEY, "Content-Type": media})
        assert answer.status_code == 201
    assert await count(store) == 1


async def test_a_crash_between_intent_and_outcome_is_carried_on_with_the_same_number(
    client: httpx.AsyncClient, store: Database, scene: Scene
) -> None:
    """The provider knows a payment by our number: a second number is a second payment."""

    def crash() -> None:
        raise RuntimeError("power cut")

    scene.after_call = crash
    assert (await client.post("/v1/bank/payments", json={"text": "x"}, headers=KEY)).status_code == 500
    scene.after_call = lambda: None
    waiting = await client.post("/v1/bank/payments", json={"text": "x"}, headers=KEY)
    assert (waiting.status_code, waiting.json()["code"]) == (409, "request-in-progress")
    assert 1 <= int(waiting.headers["retry-after"]) <= LEASE.total_seconds() + 1
    await end_leases(store)
    assert (await client.post("/v1/bank/payments", json={"text": "x"}, headers=KEY)).status_code == 201
    assert len(scene.provider) == 2
    assert len(set(scene.provider)) == 1
    assert await count(store) == 1


async def test_a_run_that_was_taken_over_gives_the_same_answer(client: httpx.AsyncClient, store: Database, scene: Scene) -> None:
    """A first run that was only slow must neither overwrite the answer nor make a second effect."""
    slow = asyncio.create_task(client.post("/v1/bank/payments", json={"text": "x"}, headers=KEY))
    while not scene.provider:
        await asyncio.sleep(0.001)
    await end_leases(store)
    over = await client.post("/v1/bank/payments", json={"text": "x"}, headers=KEY)
    answers = [over, await slow, await client.post("/v1/bank/payments", json={"text": "x"}, headers=KEY)]
    assert [each.status_code for each in answers] == [201] * 3
    assert len({each.content for each in answers}) == 1
    assert await count(store) == 1
    assert [row.runs for row in await keys(store)] == [2]


async def test_a_provider_s_refusal_frees_the_key_at_once(client: httpx.AsyncClient, store: Database, scene: Scene) -> None:
    """The patient corrects nothing by waiting ten seconds."""

    def refuse() -> None:
        raise AccountEmpty(left_fen=1)

    scene.after_call = refuse
    assert (await client.post("/v1/bank/payments", json={"text": "x"}, headers=KEY)).status_code == 409
    scene.after_call = lambda: None
    assert (await client.post("/v1/bank/payments", json={"text": "x"}, headers=KEY)).status_code == 201
    assert await count(store) == 1


async def test_the_kept_answer_cannot_be_read_in_the_database(client: httpx.AsyncClient, store: Database) -> None:
    """Answers hold names and addresses; two days of them would be a treasure."""
    await client.post("/v1/bank/entries", json={"text": "张三丰-ABCDEFG"}, headers=KEY)
    async with store.begin() as tx:
        raw = (await tx.execute(text("SELECT answer FROM idempotency_key"))).scalar_one()
    assert b"ABCDEFG" not in raw


async def test_an_unknown_caller_s_key_is_not_kept(client: httpx.AsyncClient, store: Database) -> None:
    """Anybody could fill the table, or guess somebody's key."""
    answer = await client.post("/v1/bank/payments", json={"text": "x"}, headers={**KEY, "Authorization": "Bearer nonsense"})
    assert answer.status_code == 201
    assert await keys(store) == []


async def test_keys_are_forgotten_after_two_days_and_not_before(client: httpx.AsyncClient, store: Database) -> None:
    """A phone that was off for a day must still get its answer; a table that only grows ends the service."""
    await client.post("/v1/bank/entries", json={"text": "x"}, headers=KEY)
    async with store.begin() as tx:
        assert await purge(tx, now=clock.system_now() + KEPT - timedelta(minutes=1), at_most=9) == 0
    async with store.begin() as tx:
        assert await purge(tx, now=clock.system_now() + KEPT + timedelta(minutes=1), at_most=9) == 1


async def test_the_purge_is_done_in_pieces(store: Database) -> None:
    """A delete of millions of rows passes the statement's limit, fails, and is larger the next time."""
    old = clock.system_now() - KEPT - timedelta(days=1)
    async with store.begin() as tx:
        tx.add_all(
            Once(
                caller="patient:x", key=str(number), asked=b"x" * 32, subject=RowId.new(), runs=1,
                busy_until=old, status=None, answer=None, created_at=old,
            )
            for number in range(30)
        )  # fmt: skip
    async with store.begin() as tx:
        assert await purge(tx, now=clock.system_now(), at_most=20) == 20
    assert len(await keys(store)) == 10
