"""The log, replaying one delivery and recovering a range of time, over HTTP and with a real receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from tests.client import Api, refused
from tests.gateways.webhooks.receiver import Receiver, Reply
from tests.scenes.accounts import sign_in
from tests.scenes.partners import deliveries_of, make_endpoint, publish_booking
from yiyuebao_api.domains.partners.models import Delivery, WebhookEndpoint
from yiyuebao_api.domains.partners.rules import DeliveryState, EndpointState
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import DeliveryId, HospitalId
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.schema import wire_time
from yiyuebao_api.kernel.tokens import Mode

BASE = "/v1/hospital/partners/deliveries"


@pytest.fixture
def hospital_id() -> HospitalId:
    return HospitalId.new()


@pytest.fixture
async def desk(api: Api, database: Database, hospital_id: HospitalId) -> Api:
    signed = await sign_in(database, api.app.state.tokens, mode=Mode.DESK, hospital_id=hospital_id)
    return api.signed_in(signed.access_token)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as made:
        yield made


async def _set(database: Database, delivery_id: DeliveryId, state: DeliveryState) -> None:
    async with database.begin() as tx:
        (await tx.get_one(Delivery, delivery_id)).state = state


async def test_the_worker_delivers_and_the_log_shows_request_and_answer(
    desk: Api, database: Database, hospital_id: HospitalId, receiver: Receiver, worker: Worker[Any]
) -> None:
    endpoint = await make_endpoint(database, hospital_id, receiver.url)
    event_id = await publish_booking(database, hospital_id)
    receiver.always = Reply(202, body="已收到".encode())
    assert await worker.drain() >= 1
    receiver.got[0].verify(endpoint.secret)
    [shown] = (await desk.get(BASE)).json()["items"]
    assert shown["event_id"] == str(event_id)
    assert (shown["state"], shown["attempts"], shown["last_status"]) == ("succeeded", 1, 202)
    detail = (await desk.get(f"{BASE}/{shown['id']}")).json()
    assert detail["request_body"] == receiver.got[0].message
    assert detail["response_excerpt"] == "已收到"
    [event] = (await desk.get("/v1/hospital/partners/events")).json()["items"]
    assert (event["id"], event["data"]) == (str(event_id), receiver.got[0].message["data"])


async def test_the_log_is_filtered_and_paged(desk: Api, database: Database, hospital_id: HospitalId) -> None:
    first = await make_endpoint(database, hospital_id, "https://his.example.com/1")
    second = await make_endpoint(database, hospital_id, "https://his.example.com/2")
    for _ in range(3):
        await publish_booking(database, hospital_id)
    await make_endpoint(database, other := HospitalId.new(), "https://other.example.com/")
    await publish_booking(database, other)
    log = await deliveries_of(database)
    await _set(database, log[0].id, DeliveryState.FAILED)
    assert len((await desk.get(BASE)).json()["items"]) == 6
    assert len((await desk.get(BASE, params={"endpoint_id": str(second.id)})).json()["items"]) == 3
    failed = (await desk.get(BASE, params={"state": "failed"})).json()["items"]
    assert [each["id"] for each in failed] == [str(log[0].id)]
    both = {"state": "pending", "endpoint_id": str(first.id)}
    assert all(each["endpoint_id"] == str(first.id) for each in (await desk.get(BASE, params=both)).json()["items"])
    read: list[str] = []
    cursor: str | None = None
    while True:
        paged = (await desk.get(BASE, params={"limit": 4} | ({"cursor": cursor} if cursor else {}))).json()
        read += [each["id"] for each in paged["items"]]
        cursor = paged["next_cursor"]
        if cursor is None:
            break
    assert read == [str(each.id) for each in reversed(log) if each.hospital_id == hospital_id]
    refused(await desk.get(BASE, params={"cursor": "bm9uc2Vuc2U"}), 422, "invalid-cursor")
    refused(await desk.get(BASE, params={"state": "lost"}), 422, "invalid-input")


async def test_a_failed_delivery_is_replayed_under_the_same_webhook_id(
    desk: Api, database: Database, hospital_id: HospitalId, receiver: Receiver, worker: Worker[Any]
) -> None:
    await make_endpoint(database, hospital_id, receiver.url)
    await publish_booking(database, hospital_id)
    await worker.drain()
    [done] = await deliveries_of(database)
    again = await desk.post(f"{BASE}/{done.id}/replay")
    assert again.status_code == 201
    assert again.json()["id"] != str(done.id)
    assert again.json()["event_id"] == str(done.event_id)
    await worker.drain()
    assert len({got.id for got in receiver.got}) == 1
    assert len(receiver.got) == 2
    assert [each.state for each in await deliveries_of(database)] == [DeliveryState.SUCCEEDED] * 2


async def test_replaying_one_that_waits_replaces_it(
    desk: Api, database: Database, hospital_id: HospitalId, receiver: Receiver, worker: Worker[Any]
) -> None:
    receiver.replies.append(Reply(503, {"retry-after": "3600"}))
    await make_endpoint(database, hospital_id, receiver.url)
    await publish_booking(database, hospital_id)
    await worker.drain()
    [waiting] = await deliveries_of(database)
    assert (await desk.post(f"{BASE}/{waiting.id}/replay")).status_code == 201
    await worker.drain()
    assert [each.state for each in await deliveries_of(database)] == [DeliveryState.REPLACED, DeliveryState.SUCCEEDED]
    await worker.drain(early=True)
    assert len(receiver.got) == 2


async def test_replay_needs_an_active_endpoint_of_one_s_own(
    desk: Api, database: Database, hospital_id: HospitalId
) -> None:
    endpoint = await make_endpoint(database, hospital_id, "https://his.example.com/")
    await publish_booking(database, hospital_id)
    await make_endpoint(database, other := HospitalId.new(), "https://other.example.com/")
    await publish_booking(database, other)
    [mine, others] = await deliveries_of(database)
    for delivery_id in (others.id, DeliveryId.new()):
        refused(await desk.get(f"{BASE}/{delivery_id}"), 404, "not-found")
        refused(await desk.post(f"{BASE}/{delivery_id}/replay"), 404, "not-found")
    async with database.begin() as tx:
        (await tx.get_one(WebhookEndpoint, endpoint.id)).state = EndpointState.PAUSED
    refused(await desk.post(f"{BASE}/{mine.id}/replay"), 409, "endpoint-not-active")
    assert len(await deliveries_of(database)) == 2


async def test_a_range_of_time_is_recovered_without_what_arrived(
    desk: Api, database: Database, hospital_id: HospitalId
) -> None:
    now = clock.now()
    await publish_booking(database, hospital_id, now=now - timedelta(hours=9))  # before there was an endpoint
    endpoint = await make_endpoint(
        database, hospital_id, "https://his.example.com/", event_types=["booking.paid", "booking.cancelled"]
    )
    for hours in (8, 6, 4):
        await publish_booking(database, hospital_id, now=now - timedelta(hours=hours))
    await publish_booking(database, hospital_id, "booking.rescheduled", now=now - timedelta(hours=4))
    arrived, failed, _waiting = await deliveries_of(database)
    await _set(database, arrived.id, DeliveryState.SUCCEEDED)
    await _set(database, failed.id, DeliveryState.FAILED)
    path = f"/v1/hospital/partners/endpoints/{endpoint.id}/recover"
    late = await desk.post(path, json={"since": wire_time(now - timedelta(hours=7))})
    assert late.json() == {"sent": 1, "more": False}
    early = {"since": wire_time(now - timedelta(hours=10)), "until": wire_time(now - timedelta(hours=5))}
    assert (await desk.post(path, json=early)).json() == {"sent": 1, "more": False}
    assert (await desk.post(path, json=early)).json() == {"sent": 0, "more": False}
    async with database.begin() as tx:
        (await tx.get_one(WebhookEndpoint, endpoint.id)).state = EndpointState.DISABLED
    refused(await desk.post(path, json=early), 409, "endpoint-not-active")


async def test_a_failed_test_is_not_repeated_and_does_not_count_against_the_endpoint(
    desk: Api, database: Database, hospital_id: HospitalId, receiver: Receiver, worker: Worker[Any]
) -> None:
    receiver.always = Reply(500)
    endpoint = await make_endpoint(database, hospital_id, receiver.url)
    sent = (await desk.post(f"/v1/hospital/partners/endpoints/{endpoint.id}/test")).json()
    await worker.drain()
    shown = (await desk.get(f"{BASE}/{sent['id']}")).json()["delivery"]
    assert (shown["state"], shown["attempts"], shown["last_status"]) == ("failed", 1, 500)
    assert (await desk.get(f"/v1/hospital/partners/endpoints/{endpoint.id}")).json()["failing_since"] is None
