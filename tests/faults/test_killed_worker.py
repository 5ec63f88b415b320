"""A worker killed (-9) between any two steps of its work loses nothing and repeats nothing that anybody could see.

Each story is told twice: once by a worker that lives, once by workers that are killed at their first step, their second,
their third, … until the job is done. Afterwards every table has grown by the same rows, and the world outside agrees.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import select, text, update

from tests.client import Api
from tests.faults.processes import DyingWorker
from tests.gateways.webhooks.receiver import Receiver
from tests.scenes.bookings import hold, make_customer, make_offer, pay, prepay, row_of, tap_pay
from tests.scenes.partners import make_endpoint, publish_booking
from yiyuebao_api import tables
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import BookingState
from yiyuebao_api.domains.settlements import queries as books
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import HospitalId
from yiyuebao_api.kernel.outbox import JobState, OutboxJob, Worker

Growth = dict[str, int]
MOST = 120
#: Steps until a worker holds a job: look for abandoned ones, claim. The same for every job, so one story dies there.
CLAIMED = 7


@asynccontextmanager
async def grown(context: Context) -> AsyncIterator[Growth]:
    """By how many rows each table grew meanwhile."""

    async def census() -> Growth:
        async with context.begin() as tx:
            names = [each.name for each in tables.metadata.sorted_tables if each.name != "outbox"]
            return {each: (await tx.execute(text(f"SELECT COUNT(*) FROM `{each}`"))).scalar_one() for each in names}

    before, growth = await census(), Growth()
    yield growth
    growth.update({name: count - before[name] for name, count in (await census()).items() if count != before[name]})


async def waiting(context: Context, job: str) -> list[OutboxJob]:
    async with context.begin() as tx:
        return list((await tx.scalars(select(OutboxJob).where(OutboxJob.type == job))).all())


async def die_until_done(context: Context, dying: DyingWorker, job: str, first: int) -> int:
    """Workers die one step later each, until the job's row is gone; returns how many died."""
    deaths = 0
    for at in range(first, MOST):
        deaths += await dying.work(job, at=at)
        left = await waiting(context, job)
        if not left:
            return deaths
        assert all(each.state is not JobState.DEAD for each in left), left[0].last_error
        async with context.begin() as tx:  # as if the minute of the lease had passed, and nobody counts the deaths
            await tx.execute(
                update(OutboxJob).where(OutboxJob.type == job)
                .values(lease_until=clock.system_now() - timedelta(seconds=1), attempts=1)
            )  # fmt: skip
    raise AssertionError(f"{job} did not end")


Scene = Callable[[], Awaitable[Any]]


async def told_twice(
    context: Context, worker: Worker[Context], dying: DyingWorker, job: str, scene: Scene, *, first: int = CLAIMED
) -> Growth:
    """What the undisturbed worker added, after it was seen that the killed ones added the same."""
    await scene()
    assert await waiting(context, job)
    async with grown(context) as expected:
        for _ in range(MOST):
            if await waiting(context, job):
                await worker.drain(job, early=True)
    assert await waiting(context, job) == []
    await scene()
    async with grown(context) as found:
        deaths = await die_until_done(context, dying, job, first)
    assert deaths >= 8, f"{deaths} steps are too few to be all"
    assert found == expected
    return expected


async def assert_the_books_add_up(context: Context) -> None:
    async with context.begin() as tx:
        assert await books.unbalanced(tx) == []


async def test_a_refund(
    api: Api, context: Context, worker: Worker[Context], dying: DyingWorker, control: httpx.AsyncClient
) -> None:
    """The money goes back once, is written once, and is told once."""
    await control.post("/behaviour", json={"refund_delay_s": 0})
    paid: list[tuple[Any, dict[str, Any]]] = []

    async def cancelled() -> None:
        await control.delete("/faults")
        offered, customer = await make_offer(api, context), await make_customer(api, context)
        booking = await pay(context, customer, (await hold(customer, offered))["id"])
        await control.post("/faults/notifications", json={"drop": True, "times": 500})
        answer = await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "x"})
        assert answer.status_code == 200
        paid.append((customer, booking))

    growth = await told_twice(context, worker, dying, "payments.refund", cancelled)
    assert growth, "a refund is written down"
    refunds = (await control.get("/refunds")).json()
    assert sorted(each["refund"] for each in refunds) == sorted(booking["total_fen"] for _, booking in paid)
    for customer, booking in paid:
        payment = (await customer.api.get(f"/v1/payments/{booking['payment_id']}")).json()
        assert [each["state"] for each in payment["refunds"]] == ["succeeded"]
    await assert_the_books_add_up(context)


async def test_a_payment_whose_notification_was_lost(
    api: Api, context: Context, worker: Worker[Context], dying: DyingWorker, control: httpx.AsyncClient
) -> None:
    """P12: found by asking; the booking is paid once, the ledger has it once, the hospital hears of it once."""
    await control.post("/faults/notifications", json={"drop": True, "times": 500})
    held: list[tuple[Any, str]] = []

    async def paid_in_silence() -> None:
        offered, customer = await make_offer(api, context), await make_customer(api, context)
        booking = await hold(customer, offered)
        await tap_pay(context, await prepay(customer, booking["id"]))
        held.append((customer, booking["id"]))

    growth = await told_twice(context, worker, dying, "payments.query", paid_in_silence)
    assert growth["posting"] == 1
    for customer, booking_id in held:
        assert (await customer.api.get(f"/v1/bookings/{booking_id}")).json()["state"] == "paid"
    await assert_the_books_add_up(context)


async def test_a_hold_that_ends(api: Api, context: Context, worker: Worker[Context], dying: DyingWorker) -> None:
    """The place is free again, once, and the patient is told once."""
    held: list[str] = []

    async def forgotten() -> None:
        offered, customer = await make_offer(api, context), await make_customer(api, context)
        held.append((await hold(customer, offered))["id"])
        clock.move(timedelta(minutes=16))

    await told_twice(context, worker, dying, "bookings.expire", forgotten, first=1)
    assert [(await row_of(context.database, each)).state for each in held] == [BookingState.EXPIRED] * 2


async def test_a_webhook(context: Context, worker: Worker[Context], dying: DyingWorker) -> None:
    """The hospital's system may hear it again, but always under the same id and in the same words."""
    async with Receiver() as hospital:
        hospital_id = HospitalId.new()
        endpoint = await make_endpoint(context.database, hospital_id, hospital.url)

        async def published() -> None:
            hospital.got.clear()
            await publish_booking(context.database, hospital_id)

        await told_twice(context, worker, dying, "partners.deliver", published)
        assert len({(each.id, each.body) for each in hospital.got}) == 1
        for each in hospital.got:
            each.verify(endpoint.secret)
