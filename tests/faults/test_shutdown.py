"""SIGTERM: what runs is finished, nothing new is taken, and the process ends in time."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from tests.client import Api
from tests.faults.locking import held_up, locked
from tests.faults.processes import Process, Service
from tests.gateways.webhooks.receiver import Receiver, Reply
from tests.scenes.bookings import make_customer, make_offer
from tests.scenes.partners import make_endpoint, publish_booking
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.kernel.ids import HospitalId
from yiyuebao_api.kernel.outbox import OutboxJob


async def ended(process: Process, *, within: float) -> int:
    return await asyncio.to_thread(process.ended, within=within)


async def test_requests_in_flight_are_finished(
    api: Api, context: Context, env: Mapping[str, str], tmp_path: Path
) -> None:
    """F14: a deployment in the middle of the day must not fail the patients who are booking.

    On two days one patient each stands in the database; the others wait for them without a connection, to be served
    together (`kernel/grouped`). All of them were let in before the signal, so all of them are served.
    """
    offered = await make_offer(api, context, capacity=50)
    slots = [offered.starts_at(days=2 + place % 2, hour=9 + place % 4) for place in range(10)]
    customers = [await make_customer(api, context) for _ in slots]
    with Service(tmp_path, env) as service:
        await service.answers()
        async with httpx.AsyncClient(base_url=service.url, timeout=30, trust_env=False) as client:
            await asyncio.gather(*(client.get("/healthz") for _ in range(5)))  # connections that rest

            async def book(number: int) -> httpx.Response:
                who = customers[number]
                headers = {"Authorization": f"Bearer {who.api.token}", "Idempotency-Key": secrets.token_hex(8)}
                return await client.post("/v1/bookings", json=who.wish(offered, slots[number]), headers=headers)

            async with locked(context, "booking"):
                booking = [asyncio.create_task(book(number)) for number in range(10)]
                async with asyncio.timeout(20):
                    while await held_up(context, 2) < 2:
                        await asyncio.sleep(0.02)
                await asyncio.sleep(1)  # all have been let in: each is answered within milliseconds, or waits
                assert service.process is not None
                service.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.5)
                assert service.running, "it waits for those it has begun to serve"
                with pytest.raises(httpx.ConnectError):
                    await asyncio.to_thread(httpx.get, f"{service.url}/healthz", trust_env=False)
            answers = await asyncio.gather(*booking)
        assert [each.status_code for each in answers] == [201] * 10
        assert await ended(service, within=5) in (0, -signal.SIGTERM)
    async with context.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(Booking)) == 10


async def test_a_request_that_does_not_end_keeps_nobody_waiting(
    api: Api, context: Context, env: Mapping[str, str], tmp_path: Path
) -> None:
    """Whoever restarts the service loses patience after a while and kills it: then it is the worst moment."""
    offered, who = await make_offer(api, context), await make_customer(api, context)
    with Service(tmp_path, {**env, "YIYUEBAO_HTTP__SHUTDOWN_S": "1"}) as service:
        await service.answers()
        headers = {"Authorization": f"Bearer {who.api.token}", "Idempotency-Key": "k"}
        async with locked(context, "booking"), httpx.AsyncClient(base_url=service.url, timeout=30, trust_env=False) as client:
            booking = asyncio.create_task(client.post("/v1/bookings", json=who.wish(offered), headers=headers))
            async with asyncio.timeout(20):
                while not await held_up(context, 1):
                    await asyncio.sleep(0.02)
            assert service.process is not None
            service.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert await ended(service, within=10) in (0, -signal.SIGTERM)
            assert time.monotonic() - began < 1 + 4
            await asyncio.gather(booking, return_exceptions=True)
    again = await who.api.post("/v1/bookings", key="k", json=who.wish(offered))
    assert again.status_code == 201, "the same key afterwards: nothing was half done"


async def test_the_worker_finishes_its_job(context: Context, env: Mapping[str, str], tmp_path: Path) -> None:
    """The hospital's answer is waited for, so that it need not be told twice; what is new waits for the next worker."""
    go_on = asyncio.Event()
    async with Receiver() as hospital:
        hospital.always = Reply(until=go_on)
        hospital_id = HospitalId.new()
        await make_endpoint(context.database, hospital_id, hospital.url)
        with Process(tmp_path, env, "worker") as worker:
            await publish_booking(context.database, hospital_id)
            async with asyncio.timeout(90):
                while not hospital.got:
                    assert worker.running, worker.obituary()
                    await asyncio.sleep(0.05)
            assert worker.process is not None
            worker.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
            await publish_booking(context.database, hospital_id)
            assert worker.running
            go_on.set()
            assert await ended(worker, within=5) == 0
        assert len(hospital.got) == 1
    async with context.begin() as tx:
        (left,) = (await tx.scalars(select(OutboxJob))).all()
    assert (left.attempts, left.worker) == (0, None)
