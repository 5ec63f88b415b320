"""Money that comes when nobody waits for it any more: it is used once, or goes back, and never counts for another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import select

from tests.client import Api
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import (
    Customer,
    eventually,
    hold,
    make_customer,
    make_offer,
    pay,
    prepay,
    row_of,
    tap_pay,
    until,
)
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.queries import lock_booking
from yiyuebao_api.domains.bookings.rules import ActorKind, VisitStage
from yiyuebao_api.domains.bookings.service import accept_booking, note_visit_stage
from yiyuebao_api.domains.payments import service as payments
from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.payments.rules import PaymentState
from yiyuebao_api.domains.settlements.models import Accrual
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import BookingId, PaymentId
from yiyuebao_api.kernel.outbox import Worker


async def ask(context: Context, prepaid: dict[str, Any]) -> PaymentState:
    """What the query job does for one payment."""
    payment_id = PaymentId.parse(prepaid["payment_id"])
    return await payments.query_payment(context.begin, context.gateways.payment, payment_id, now=clock.now())


async def rows(context: Context, model: type[Any]) -> Sequence[Any]:
    async with context.begin() as tx:
        return (await tx.scalars(select(model).order_by(model.id))).all()


async def again(api: Api, context: Context, customer: Customer) -> Customer:
    """The same person, signed in after the clock was moved."""
    token = (await sign_in(context.database, context.tokens, customer.account_id)).access_token
    return Customer(customer.account_id, api.signed_in(token), customer.patient, customer.address, customer.openid)


async def test_late_money_does_not_put_the_patient_in_two_visits_at_once(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    """B18: the hold lapsed, the same visit was booked anew and paid; then WeChat tells of the first payment."""
    offered, customer = await make_offer(api, context, capacity=3), await make_customer(api, context)
    first = await hold(customer, offered)
    prepaid = await prepay(customer, first["id"])
    await control.post("/faults/notifications", json={"drop": True, "times": 1})
    await tap_pay(context, prepaid)
    clock.move(timedelta(minutes=16))
    customer = await again(api, context, customer)
    second = await pay(context, customer, (await hold(customer, offered))["id"])
    assert second["state"] == "paid"
    assert await ask(context, prepaid) is PaymentState.SUCCEEDED
    row = await row_of(context.database, first["id"])
    assert (row.paid_at, row.refund_due_fen) == (None, first["total_fen"])
    assert (await row_of(context.database, second["id"])).refund_due_fen == 0


async def test_a_refund_of_one_payment_is_not_taken_from_the_next_ones_shares(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    """Both channels paid late: the first goes back for want of a place, the second finds it free again and is kept."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await hold(customer, offered)
    mini, app = await prepay(customer, booking["id"], "mini"), await prepay(customer, booking["id"], "app")
    await control.post("/faults/notifications", json={"drop": True, "times": 2})
    await tap_pay(context, mini)
    await tap_pay(context, app)
    clock.move(timedelta(minutes=16))
    other = await make_customer(api, context)
    taken = await hold(other, offered)
    await ask(context, mini)
    assert (await row_of(context.database, booking["id"])).refund_due_fen == booking["total_fen"]
    assert (await other.api.post(f"/v1/bookings/{taken['id']}/cancel", json={"reason": "x"})).status_code == 200
    await ask(context, app)
    row = await row_of(context.database, booking["id"])
    assert (row.state.value, str(row.payment_id), row.refund_due_fen) == ("paid", app["payment_id"], 0)

    async def returned() -> bool:
        await worker.drain("payments.refund", early=True)
        return [each.state.value for each in await rows(context, Refund)] == ["succeeded"]

    await until(returned)
    row = await row_of(context.database, booking["id"])
    assert (row.refund_due_fen, row.refunded_fen) == (0, 0)
    async with context.begin() as tx:
        await accept_booking(tx, BookingId.parse(booking["id"]), account_id=customer.account_id, now=clock.now())
        for stage in VisitStage:
            locked = await lock_booking(tx, BookingId.parse(booking["id"]))
            await note_visit_stage(tx, locked, stage, actor=ActorKind.CLINICIAN, actor_id=None, now=clock.now())
    (accrual,) = await rows(context, Accrual)
    assert (accrual.net_fen, str(accrual.payment_id)) == (booking["total_fen"], app["payment_id"])


async def test_a_failed_attempt_on_the_phone_can_be_repeated_and_is_found(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    """PAYERROR is one try of the payer's: the order can still be paid, so it is still asked about."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await hold(customer, offered)
    prepaid = await prepay(customer, booking["id"])
    (payment,) = await rows(context, Payment)
    await control.post(f"/orders/{payment.out_trade_no}", json={"state": "PAYERROR"})
    assert await ask(context, prepaid) is PaymentState.PREPAID
    await control.post(f"/orders/{payment.out_trade_no}", json={"state": "NOTPAY"})
    await control.post("/faults/notifications", json={"drop": True, "times": 1})
    await tap_pay(context, prepaid)
    assert await ask(context, prepaid) is PaymentState.SUCCEEDED
    await eventually(customer, booking["id"], lambda each: each["state"] == "paid")


async def test_a_success_after_the_order_was_closed_counts(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    """WeChat said closed, then sends a signed success: the money moved, so it is booked and goes back or is used."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await hold(customer, offered)
    prepaid = await prepay(customer, booking["id"])
    (payment,) = await rows(context, Payment)
    await control.post(f"/orders/{payment.out_trade_no}", json={"state": "CLOSED"})
    assert await ask(context, prepaid) is PaymentState.CLOSED
    await control.post(f"/orders/{payment.out_trade_no}", json={"state": "NOTPAY"})
    await tap_pay(context, prepaid)
    await eventually(customer, booking["id"], lambda each: each["state"] == "paid")
    (payment,) = await rows(context, Payment)
    assert payment.state is PaymentState.SUCCEEDED
