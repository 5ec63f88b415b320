"""Deliveries to real receivers that fail, hang, redirect, vanish and come back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.gateways.webhooks.receiver import Receiver, Reply
from tests.scenes.partners import deliveries_of, make_endpoint, publish_booking
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.partners.models import Delivery, WebhookEndpoint
from yiyuebao_api.domains.partners.rules import DeliveryState, EndpointState
from yiyuebao_api.domains.partners.service import DELIVER, deliver, rotate_secret
from yiyuebao_api.gateways.webhooks import Letter
from yiyuebao_api.gateways.webhooks.http import HttpWebhookPoster
from yiyuebao_api.gateways.webhooks.signing import new_secret
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Begin, Database
from yiyuebao_api.kernel.ids import DeliveryId, EndpointId, HospitalId
from yiyuebao_api.kernel.outbox import Again, Job, OutboxJob, Work, Worker

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture
async def poster() -> AsyncIterator[HttpWebhookPoster]:
    async with HttpWebhookPoster(allow_loopback=True) as made:
        yield made


@pytest.fixture
async def hospital() -> AsyncIterator[Receiver]:
    async with Receiver() as made:
        yield made


async def _one(database: Database, receiver: Receiver, **changes: object) -> tuple[WebhookEndpoint, DeliveryId]:
    """An endpoint at `receiver` with one event on its way."""
    hospital_id = HospitalId.new()
    endpoint = await make_endpoint(database, hospital_id, receiver.url, **changes)
    await publish_booking(database, hospital_id, now=NOW)
    [delivery] = await deliveries_of(database, endpoint_id=endpoint.id)
    return endpoint, delivery.id


async def _delivery(database: Database, delivery_id: DeliveryId) -> Delivery:
    async with database.begin() as tx:
        return await tx.get_one(Delivery, delivery_id)


async def _endpoint(database: Database, endpoint_id: EndpointId) -> WebhookEndpoint:
    async with database.begin() as tx:
        return await tx.get_one(WebhookEndpoint, endpoint_id)


async def _notices(database: Database) -> list[Notice]:
    async with database.begin() as tx:
        return list((await tx.scalars(select(Notice))).all())


async def _try(
    database: Database, poster: HttpWebhookPoster, delivery_id: DeliveryId, now: datetime
) -> timedelta | None:
    """One run of the job; how long it wants to wait, None when it is over."""
    try:
        await deliver(database.begin, poster, delivery_id, now=now)
    except Again as again:
        return again.wait
    return None


async def test_a_message_is_verified_by_the_receiver_s_library(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    endpoint, delivery_id = await _one(database, hospital)
    assert await _try(database, poster, delivery_id, NOW) is None
    delivery = await _delivery(database, delivery_id)
    message = hospital.got[0].verify(endpoint.secret)
    assert (message["type"], message["timestamp"]) == ("booking.paid", "2026-11-23T09:00:00+08:00")
    assert message["data"]["total_fen"] == 24500
    assert hospital.got[0].id == str(delivery.event_id)
    assert (delivery.state, delivery.attempts, delivery.last_status) == (DeliveryState.SUCCEEDED, 1, 200)
    assert (delivery.last_error, delivery.next_attempt_at, delivery.response_excerpt) == (None, None, "ok")


async def test_failures_are_repeated_on_schedule_under_one_webhook_id(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    hospital.replies.extend([Reply(500), Reply(404), Reply(302, {"location": hospital.url}), Reply(200)])
    endpoint, delivery_id = await _one(database, hospital)
    now, waits = NOW, []
    while (wait := await _try(database, poster, delivery_id, now)) is not None:
        waits.append(wait)
        failing = await _endpoint(database, endpoint.id)
        assert failing.failing_since == NOW
        assert (await _delivery(database, delivery_id)).next_attempt_at == now + wait
        now += wait
    assert [round(wait.total_seconds() / base, 1) for wait, base in zip(waits, (5, 300, 1800), strict=True)] == [
        pytest.approx(1, abs=0.11)
    ] * 3
    assert len({got.id for got in hospital.got}) == 1
    assert len({got.body for got in hospital.got}) == 1
    assert len(hospital.got) == 4
    for got in hospital.got:
        got.verify(endpoint.secret)
    delivery = await _delivery(database, delivery_id)
    assert (delivery.state, delivery.attempts) == (DeliveryState.SUCCEEDED, 4)
    assert (await _endpoint(database, endpoint.id)).failing_since is None


async def test_a_job_that_is_woken_early_does_not_knock(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    hospital.always = Reply(500)
    _, delivery_id = await _one(database, hospital)
    wait = await _try(database, poster, delivery_id, NOW)
    assert wait is not None
    assert await _try(database, poster, delivery_id, NOW + timedelta(seconds=1)) == wait - timedelta(seconds=1)
    assert len(hospital.got) == 1


async def test_after_ten_attempts_it_has_failed_and_the_endpoint_is_paused_with_a_notice(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    hospital.always = Reply(500, body="维护中".encode())
    endpoint, delivery_id = await _one(database, hospital)
    now = NOW
    while (wait := await _try(database, poster, delivery_id, now)) is not None:
        now += wait
    delivery, paused = await _delivery(database, delivery_id), await _endpoint(database, endpoint.id)
    assert (delivery.state, delivery.last_status, delivery.response_excerpt) == (DeliveryState.FAILED, 500, "维护中")
    assert timedelta(hours=68) < now - NOW < timedelta(hours=84)
    assert delivery.attempts == len(hospital.got)
    assert delivery.attempts == 10 or now - NOW >= timedelta(days=3)
    if now - NOW >= timedelta(days=3):
        assert (paused.state, paused.version) == (EndpointState.PAUSED, 2)
        [notice] = await _notices(database)
        assert (notice.hospital_id, notice.kind) == (endpoint.hospital_id, "endpoint.paused")
        assert notice.subject_id == str(endpoint.id)


async def test_three_days_of_failing_pause_the_endpoint_once_and_drop_what_waits(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    hospital.always = Reply(500)
    endpoint, _ = await _one(database, hospital, failing_since=NOW - timedelta(days=3, minutes=1))
    await publish_booking(database, endpoint.hospital_id, now=NOW)
    [first, second] = await deliveries_of(database, endpoint_id=endpoint.id)
    assert await _try(database, poster, first.id, NOW) is None
    assert await _try(database, poster, second.id, NOW) is None
    assert (await _endpoint(database, endpoint.id)).state is EndpointState.PAUSED
    assert len(hospital.got) == 1
    assert len(await _notices(database)) == 1
    assert (await _delivery(database, second.id)).last_error == "endpoint-not-active"


async def test_410_disables_the_endpoint_and_tells_the_desk(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    hospital.always = Reply(410)
    endpoint, delivery_id = await _one(database, hospital)
    assert await _try(database, poster, delivery_id, NOW) is None
    assert (await _endpoint(database, endpoint.id)).state is EndpointState.DISABLED
    assert (await _delivery(database, delivery_id)).state is DeliveryState.FAILED
    [notice] = await _notices(database)
    assert notice.kind == "endpoint.disabled"
    await publish_booking(database, endpoint.hospital_id, now=NOW)
    assert len(await deliveries_of(database, endpoint_id=endpoint.id)) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver, status: int
) -> None:
    hospital.always = Reply(status, {"retry-after": "120"})
    _, delivery_id = await _one(database, hospital)
    assert await _try(database, poster, delivery_id, NOW) == timedelta(seconds=120)


async def test_a_receiver_that_hangs_is_a_timeout_and_is_asked_again(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    never = asyncio.Event()
    hospital.replies.append(Reply(until=never))
    _, delivery_id = await _one(database, hospital)
    async with HttpWebhookPoster(allow_loopback=True, total_s=0.5) as hasty:
        wait = await _try(database, hasty, delivery_id, NOW)
    never.set()
    assert wait is not None
    delivery = await _delivery(database, delivery_id)
    assert (delivery.last_status, delivery.last_error, delivery.attempts) == (None, "timeout", 1)
    assert await _try(database, poster, delivery_id, NOW + wait) is None
    assert len({got.id for got in hospital.got}) == 1


async def test_a_receiver_that_was_away_gets_it_when_it_is_back(database: Database, poster: HttpWebhookPoster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    hospital_id = HospitalId.new()
    endpoint = await make_endpoint(database, hospital_id, f"http://127.0.0.1:{port}/")
    await publish_booking(database, hospital_id, now=NOW)
    [delivery] = await deliveries_of(database)
    wait = await _try(database, poster, delivery.id, NOW)
    assert wait is not None
    assert (await _delivery(database, delivery.id)).last_error == "connection-failed"
    async with Receiver(port=port) as back:
        assert await _try(database, poster, delivery.id, NOW + wait) is None
        back.got[0].verify(endpoint.secret)


async def test_an_address_that_became_private_is_not_called(database: Database, hospital: Receiver) -> None:
    _, delivery_id = await _one(database, hospital)
    async with HttpWebhookPoster(allow_loopback=False) as strict:
        assert await _try(database, strict, delivery_id, NOW) is not None
    assert (await _delivery(database, delivery_id)).last_error == "address-not-allowed"
    assert hospital.got == []


async def test_both_secrets_sign_until_the_overlap_ends(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    endpoint, delivery_id = await _one(database, hospital)
    old = endpoint.secret
    async with database.begin() as tx:
        rotated = await rotate_secret(tx, endpoint, overlap=timedelta(hours=24), now=NOW)
    assert await _try(database, poster, delivery_id, NOW + timedelta(hours=23)) is None
    hospital.got[0].verify(old)
    hospital.got[0].verify(rotated.secret)
    await publish_booking(database, endpoint.hospital_id, now=NOW)
    [_, later] = await deliveries_of(database)
    assert await _try(database, poster, later.id, NOW + timedelta(hours=24)) is None
    hospital.got[1].verify(rotated.secret)
    assert " " not in hospital.got[1].headers["webhook-signature"]


async def test_a_worker_that_dies_after_sending_sends_the_same_again(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    hospital.replies.append(Reply(delay_s=0.3))
    _, delivery_id = await _one(database, hospital)
    run = asyncio.create_task(_try(database, poster, delivery_id, NOW))
    while not hospital.got:
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert (await _delivery(database, delivery_id)).attempts == 0
    assert await _try(database, poster, delivery_id, NOW) is None
    assert len(hospital.got) == 2
    assert hospital.got[0].id == hospital.got[1].id
    assert hospital.got[0].body == hospital.got[1].body
    # and one that dies after the outcome was written, before its job was: nothing is sent a third time
    assert await _try(database, poster, delivery_id, NOW) is None
    assert len(hospital.got) == 2


async def test_two_workers_at_once_record_one_outcome(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    hospital.always = Reply(delay_s=0.1)
    _, delivery_id = await _one(database, hospital)
    await asyncio.gather(*(_try(database, poster, delivery_id, NOW) for _ in range(2)))
    delivery = await _delivery(database, delivery_id)
    assert (delivery.state, delivery.attempts) == (DeliveryState.SUCCEEDED, 1)
    assert len({got.id for got in hospital.got}) == 1


async def test_a_success_that_arrives_beside_failures_does_not_lose_them(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    """Twenty outcomes of one endpoint written at once: every row is right, none is lost to a lock."""
    hospital_id = HospitalId.new()
    endpoint = await make_endpoint(database, hospital_id, hospital.url)
    for _ in range(20):
        await publish_booking(database, hospital_id, now=NOW)
    hospital.replies.extend([Reply(500), Reply(200)] * 10)
    async with HttpWebhookPoster(allow_loopback=True) as wide:

        async def until_done(delivery_id: DeliveryId) -> None:
            now = NOW
            while (wait := await _try(database, wide, delivery_id, now)) is not None:
                now += wait
                await asyncio.sleep(0.01)

        await asyncio.gather(*(until_done(each.id) for each in await deliveries_of(database)))
    log = await deliveries_of(database)
    assert {each.state for each in log} == {DeliveryState.SUCCEEDED}
    assert sum(each.attempts for each in log) == 30
    assert (await _endpoint(database, endpoint.id)).state is EndpointState.ACTIVE


def _jobs(begin: Begin, poster: HttpWebhookPoster) -> dict[str, Job[None]]:
    async def run(_: None, work: Work) -> None:
        await deliver(begin, poster, DeliveryId.parse(work.payload["id"]), now=clock.now())

    return {DELIVER: Job(run)}


async def test_a_dead_endpoint_does_not_delay_the_others(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    async with Receiver() as dead:
        dead.always = Reply(500, until=(end := asyncio.Event()))
        hospital_id, lively = HospitalId.new(), HospitalId.new()
        silent = await make_endpoint(database, hospital_id, dead.url)
        for _ in range(12):
            await publish_booking(database, hospital_id)
        await make_endpoint(database, lively, hospital.url)
        for _ in range(3):
            await publish_booking(database, lively)
        batch = asyncio.create_task(Worker(database.begin, None, _jobs(database.begin, poster)).once())
        try:
            while len(hospital.got) < 3:
                await asyncio.sleep(0.01)
            assert {each.attempts for each in await deliveries_of(database, endpoint_id=silent.id)} == {0}
            assert len(dead.got) <= 4, "the dead one holds its own lanes and no more"
        finally:
            end.set()
            await batch
    assert (await _endpoint(database, silent.id)).failing_since is not None
    async with database.begin() as tx:
        waiting = (await tx.scalars(select(OutboxJob))).all()
    assert len(waiting) == 12
    assert all(job.attempts == 0 for job in waiting), "waiting for a lane or for the schedule is no failed attempt"


async def test_a_failing_endpoint_is_tried_by_one_call_at_a_time(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    hospital.always = Reply(500, delay_s=0.2)
    endpoint, _ = await _one(database, hospital, failing_since=NOW - timedelta(hours=1))
    for _ in range(4):
        await publish_booking(database, endpoint.hospital_id, now=NOW)
    log = await deliveries_of(database)
    waits = await asyncio.gather(*(_try(database, poster, each.id, NOW) for each in log))
    assert len(hospital.got) == 1
    assert all(wait is not None for wait in waits)
    assert sum(each.attempts for each in await deliveries_of(database)) == 1


async def test_nobody_is_called_inside_a_transaction(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    with pytest.raises(AssertionError):
        async with database.begin():
            await poster.post(Letter("evt_1", hospital.url, b"{}", [new_secret()]))
    assert hospital.got == []


async def test_what_was_deleted_meanwhile_is_dropped(
    database: Database, poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    endpoint, delivery_id = await _one(database, hospital)
    async with database.begin() as tx:
        (await tx.get_one(WebhookEndpoint, endpoint.id)).deleted_at = NOW
    assert await _try(database, poster, delivery_id, NOW) is None
    assert (await _delivery(database, delivery_id)).state is DeliveryState.FAILED
    assert await _try(database, poster, DeliveryId.new(), NOW) is None
    assert hospital.got == []
