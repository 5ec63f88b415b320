"""Two at once at every write: each pair waits for the other, one word counts, and no answer is a 5xx."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter
from sqlalchemy import select

from tests.client import Api
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import (
    Customer,
    Offered,
    accepted,
    hold,
    make_customer,
    make_offer,
    prepay,
    row_of,
    tap_pay,
    until,
)
from tests.scenes.clinicians import make_clinician
from tests.scenes.visits import DOOR, RECORD, sign
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.payments import service as payment_service
from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.payments.rules import RefundState
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.domains.settlements import queries as books
from yiyuebao_api.domains.settlements.models import Accrual, Posting
from yiyuebao_api.gateways.payment import Transaction
from yiyuebao_api.kernel import clock, inbox
from yiyuebao_api.kernel.ids import PaymentId
from yiyuebao_api.kernel.outbox import JobState, OutboxJob, Worker
from yiyuebao_api.kernel.tokens import Mode

ROUNDS = 5


async def rows(context: Context, model: type[Any]) -> list[Any]:
    async with context.begin() as tx:
        return list((await tx.scalars(select(model).order_by(model.id))).all())


async def claim_of(context: Context, booking: Booking) -> Claim:
    async with context.begin() as tx:
        return await tx.get_one(Claim, booking.claim_id)


async def no_money_is_lost(context: Context, offered: Offered) -> None:
    """Every fen is at the hospital for a live booking, or promised back."""
    payments, bookings = await rows(context, Payment), await rows(context, Booking)
    alive = {each.payment_id for each in bookings if each.state.value in ("paid", "accepted", "assigned")}
    for payment in payments:
        if payment.state.value == "succeeded":
            assert payment.refunded_fen == (0 if payment.id in alive else payment.amount_fen)
    async with context.begin() as tx:
        assert sum((await books.balances(tx, offered.hospital.id)).values()) == 0


async def test_ten_holds_of_one_account_at_once_and_three_are_made(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context, capacity=9), await make_customer(api, context)
    await customer.api.get("/v1/bookings")  # the first answer of a run builds the contract, and holds the loop up for it
    answers = await asyncio.gather(*(
        customer.api.post(
            "/v1/bookings", key=secrets.token_hex(8), json=customer.wish(offered, offered.starts_at(hour=8 + hour))
        )
        for hour in range(10)
    ))  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too-many-holds"}


async def test_payment_and_cancellation_at_once(api: Api, context: Context, control: httpx.AsyncClient) -> None:
    """Either it was paid first and the refund is promised, or it was cancelled first and the money goes back."""
    for _ in range(ROUNDS):
        offered, customer = await make_offer(api, context), await make_customer(api, context)
        booking = await hold(customer, offered)
        prepaid = await prepay(customer, booking["id"])
        cancel = customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "x"})
        answer, _ = await asyncio.gather(cancel, tap_pay(context, prepaid))
        assert answer.status_code == 200, answer.text

        async def told(prepaid: dict[str, Any] = prepaid) -> bool:
            async with context.begin() as tx:
                payment = await tx.get_one(Payment, PaymentId.parse(prepaid["payment_id"]))
                return payment.state.value == "succeeded"

        await until(told)
        row = await row_of(context.database, booking["id"])
        assert (row.state.value, row.refund_due_fen) == ("cancelled", booking["total_fen"])
        assert (await claim_of(context, row)).released_at is not None
        await no_money_is_lost(context, offered)


async def test_payment_and_reschedule_at_once(api: Api, context: Context) -> None:
    """The place that is kept is the one the booking has."""
    for _ in range(ROUNDS):
        offered, customer = await make_offer(api, context), await make_customer(api, context)
        booking = await hold(customer, offered)
        prepaid = await prepay(customer, booking["id"])
        body = {"starts_at": offered.starts_at(hour=16).isoformat()}
        answers = await asyncio.gather(
            tap_pay(context, prepaid),
            *(customer.api.post(f"/v1/bookings/{booking['id']}/reschedule", json=body) for _ in range(2)),
        )
        assert {answer.status_code for answer in answers[1:] if answer is not None} == {200}

        async def paid(booking_id: str = booking["id"]) -> bool:
            return (await row_of(context.database, booking_id)).state.value == "paid"

        await until(paid)
        row = await row_of(context.database, booking["id"])
        claim = await claim_of(context, row)
        assert (claim.starts_at, claim.released_at) == (offered.starts_at(hour=16), None)
        assert claim.kept_at is not None
        async with context.begin() as tx:
            live = await tx.scalars(select(Claim).where(Claim.pool_id == claim.pool_id, Claim.released_at.is_(None)))
            assert len(live.all()) == 1


async def test_two_channels_paid_at_once_and_one_goes_back(api: Api, context: Context) -> None:
    for _ in range(ROUNDS):
        offered, customer = await make_offer(api, context), await make_customer(api, context)
        booking = await hold(customer, offered)
        both = [await prepay(customer, booking["id"], channel) for channel in ("mini", "app")]
        await asyncio.gather(*(tap_pay(context, each) for each in both))
        gateway = context.gateways.payment
        await asyncio.gather(*(
            payment_service.query_payment(
                context.begin, gateway, PaymentId.parse(each["payment_id"]), now=clock.now()
            )
            for each in both for _ in range(3)
        ))  # fmt: skip
        row = await row_of(context.database, booking["id"])
        assert (row.state.value, row.refund_due_fen) == ("paid", 0)
        await no_money_is_lost(context, offered)


async def test_the_end_of_the_hold_and_the_payment_at_once(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    """Expiry, closing, asking and somebody who wants the place: paid with a place, or back."""
    for _ in range(ROUNDS):
        offered, customer = await make_offer(api, context), await make_customer(api, context)
        starts_at = offered.starts_at()  # before the clock is moved, perhaps past midnight
        booking, other = await hold(customer, offered, starts_at), await make_customer(api, context)
        prepaid = await prepay(customer, booking["id"])
        await control.post("/faults/notifications", json={"drop": True, "times": 1})
        await tap_pay(context, prepaid)
        clock.move(timedelta(minutes=17))
        signed = await sign_in(context.database, context.tokens, other.account_id)
        later = Customer(other.account_id, api.signed_in(signed.access_token), other.patient, other.address, other.openid)
        (order,) = [each for each in (await control.get("/orders")).json() if not each.get("told")][:1]
        answers = await asyncio.gather(
            later.api.post("/v1/bookings", key=secrets.token_hex(8), json=later.wish(offered, starts_at)),
            worker.drain(),
            control.post(f"/orders/{order['out_trade_no']}/notify", json={"copies": 3}),
        )
        assert answers[0].status_code in (201, 409), answers[0].text
        row = await row_of(context.database, booking["id"])
        assert (row.state.value, answers[0].status_code) in {("paid", 409), ("expired", 201), ("held", 201)}
        await no_money_is_lost(context, offered)


async def test_the_patient_cancels_while_the_desk_refuses_accepts_and_assigns(api: Api, context: Context) -> None:
    for _ in range(ROUNDS):
        offered, customer, booking = await accepted(api, context)
        nurse = await make_clinician(context.database, offered.hospital.id)
        path = f"/v1/hospital/bookings/{booking['id']}"
        send = {"booking_id": booking["id"], "clinician_id": str(nurse.id)}
        answers = await asyncio.gather(
            customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "x"}),
            offered.desk.post(f"{path}/refuse", json={"reason": "x"}),
            offered.desk.post("/v1/hospital/visits", json=send),
            offered.desk.post(f"{path}/accept"),
            customer.api.post(
                f"/v1/bookings/{booking['id']}/reschedule", json={"starts_at": offered.starts_at(hour=15).isoformat()}
            ),
        )  # fmt: skip
        assert {answer.status_code for answer in answers} <= {200, 201, 409}, [answer.text for answer in answers]
        row = await row_of(context.database, booking["id"])
        assert row.state.value in ("cancelled", "refused")
        assert row.refund_due_fen == booking["total_fen"]
        assert (await claim_of(context, row)).released_at is not None
        refunds = [each for each in await rows(context, Refund) if each.payment_id == row.payment_id]
        assert len(refunds) == 1, "cancelled and refused are two causes, but one end"


async def test_every_worker_refunds_at_once_and_wechat_hears_it_once(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    """A worker whose lease ended still runs beside the one that took over."""
    _, customer, booking = await accepted(api, context)
    await control.post("/behaviour", json={"refund_delay_s": 0})
    await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "x"})
    (refund,) = await rows(context, Refund)
    runs = (
        payment_service.carry_out_refund(context.begin, context.gateways.payment, refund.id, now=clock.now())
        for _ in range(10)
    )
    await asyncio.gather(*runs, return_exceptions=True)

    async def arrived() -> bool:
        await worker.drain("payments.refund", early=True)
        return [each.state for each in await rows(context, Refund)] == [RefundState.SUCCEEDED]

    await until(arrived)
    assert len((await control.get("/refunds")).json()) == 1
    assert [each.kind.value for each in await rows(context, Posting)] == ["payment", "refund"]
    assert (await row_of(context.database, booking["id"])).refunded_fen == booking["total_fen"]


@pytest.mark.parametrize("killed_after", ["intent", "wechat", "inbox"])
async def test_a_process_killed_between_two_steps_loses_no_payment(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context], killed_after: str
) -> None:
    """Only rows survive a kill: what they say is enough to carry on, without the client coming back."""
    _, customer, booking = await held(api, context)
    path = f"/v1/bookings/{booking['id']}/payment"
    if killed_after == "intent":  # the order never reached WeChat
        await control.post("/faults/calls", json={"operation": "prepay", "status": 500, "times": 1})
        assert (await customer.api.post(path, key="k", json={"channel": "mini"})).status_code == 503
        clock.move(timedelta(minutes=17))
        await worker.drain()
        (payment,) = await rows(context, Payment)
        assert (payment.state.value, (await control.get("/orders")).json()) == ("closed", [])
        return
    if killed_after == "wechat":  # the answer was lost; the phone pays through an earlier screen
        await control.post("/faults/calls", json={"operation": "prepay", "status": 500, "after": True, "times": 1})
        assert (await customer.api.post(path, key="k", json={"channel": "mini"})).status_code == 503
        (payment,) = await rows(context, Payment)
        assert payment.state.value == "created"
        await control.post("/faults/notifications", json={"drop": True, "times": 1})
        await control.post(f"/orders/{payment.out_trade_no}/pay")
        clock.move(timedelta(seconds=16))
        await worker.drain()
    else:  # the notification was committed, and its process died before it was applied
        prepaid = await prepay(customer, booking["id"])
        await control.post("/faults/notifications", json={"drop": True, "times": 1})
        await tap_pay(context, prepaid)
        (order,) = (await control.get("/orders")).json()
        made = (await control.post(f"/orders/{order['out_trade_no']}/notify", json={"send": False})).json()[0]
        said = context.gateways.payment.read_notification(made["headers"], made["body"].encode())
        assert said is not None
        assert said.transaction is not None
        content = TypeAdapter(Transaction).dump_python(said.transaction, mode="json")
        await inbox.receive(context.begin, "wechat.transaction", said.id, content, now=clock.now())
        clock.move(timedelta(seconds=6))
        await worker.drain("inbox.apply")
    assert (await row_of(context.database, booking["id"])).state.value == "paid"
    assert len([each for each in await rows(context, Posting) if each.kind.value == "payment"]) == 1
    dead = [each for each in await rows(context, OutboxJob) if each.state is JobState.DEAD]
    assert dead == []


async def held(api: Api, context: Context) -> tuple[Offered, Customer, dict[str, Any]]:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    return offered, customer, await hold(customer, offered)


async def test_confirmed_by_everybody_at_once_accrues_once(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    offered, customer, booking = await accepted(api, context)
    nurse = await make_clinician(context.database, offered.hospital.id)
    signed = await sign_in(
        context.database, context.tokens, nurse.account_id, mode=Mode.CLINICIAN, hospital_id=offered.hospital.id
    )
    as_nurse = api.signed_in(signed.access_token)
    sent = await offered.desk.post(
        "/v1/hospital/visits", json={"booking_id": booking["id"], "clinician_id": str(nurse.id)}
    )
    visit = sent.json()["id"]
    await sign(customer.api, visit)
    for name, body in (("depart", {}), ("arrive", DOOR), ("start", {}), ("finish", {"record": RECORD})):
        done = await as_nurse.post(f"/v1/visits/{visit}/{name}", json=body)
        assert done.status_code == 200, done.text
    answers = await asyncio.gather(
        *(customer.api.post(f"/v1/visits/{visit}/confirm") for _ in range(10)),
        worker.drain("visits.confirm_silent", early=True),
    )
    assert {answer.status_code for answer in answers[:-1] if isinstance(answer, httpx.Response)} == {200}
    (accrual,) = await rows(context, Accrual)
    assert accrual.net_fen == booking["total_fen"]
    clock.move(timedelta(days=7, minutes=1))
    await asyncio.gather(*(worker.drain("settlements.release") for _ in range(2)))
    assert [each.kind.value for each in await rows(context, Posting)] == ["payment", "accrual", "release"]
