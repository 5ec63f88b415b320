"""A worker killed (-9) between any two steps of its work loses nothing and repeats nothing that anybody could see.

Each story is told twice: once by a worker that lives, once by workers that are killed at their first step, their second,
their third, … until the job is done. Afterwards every table has grown by the same rows, and the world outside agrees.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from tests.client import Api
from tests.faults.killing import assert_the_books_add_up, told_twice
from tests.faults.processes import DyingWorker
from tests.gateways.webhooks.receiver import Receiver
from tests.scenes.bookings import hold, make_customer, make_offer, pay, prepay, row_of, tap_pay
from tests.scenes.partners import make_endpoint, publish_booking
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import BookingState
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import HospitalId
from yiyuebao_api.kernel.outbox import Worker


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
