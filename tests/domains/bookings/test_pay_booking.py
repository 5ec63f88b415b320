"""Money: in time, late, twice, forged, lost, and back."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import (
    Customer,
    Offered,
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
from yiyuebao_api.domains.accounts.models import WeChatIdentity
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.hospitals.models import Hospital
from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.payments.rules import PaymentState, RefundState
from yiyuebao_api.domains.settlements import queries as books
from yiyuebao_api.domains.settlements.models import Posting
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.inbox import InboxMessage
from yiyuebao_api.kernel.outbox import JobState, OutboxJob, Worker


async def scene(api: Api, context: Context, **options: Any) -> tuple[Offered, Customer, dict[str, Any]]:
    offered, customer = await make_offer(api, context, **options), await make_customer(api, context)
    return offered, customer, await hold(customer, offered)


async def payments(context: Context) -> list[Payment]:
    async with context.begin() as tx:
        return list((await tx.scalars(select(Payment).order_by(Payment.id))).all())


async def rows(context: Context, model: type[Any]) -> list[Any]:
    async with context.begin() as tx:
        return list((await tx.scalars(select(model))).all())


async def test_paying_makes_the_booking_paid_and_tells_the_hospital(api: Api, context: Context) -> None:
    offered, customer, booking = await scene(api, context)
    prepaid = await prepay(customer, booking["id"])
    assert prepaid["amount_fen"] == booking["total_fen"]
    assert set(prepaid["parameters"]) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    await tap_pay(context, prepaid)
    paid = await eventually(customer, booking["id"], lambda each: each["state"] == "paid")
    assert paid["payment_id"] == prepaid["payment_id"]
    (payment,) = await payments(context)
    assert (payment.state, payment.amount_fen) == (PaymentState.SUCCEEDED, booking["total_fen"])
    assert (payment.sub_mchid, payment.profit_sharing) == (offered.hospital.sub_mchid, True)
    assert payment.payer_openid == customer.openid
    notices = (await offered.desk.get("/v1/hospital/notices")).json()["items"]
    assert [each["kind"] for each in notices] == ["booking.paid"]
    seen = (await offered.desk.get(f"/v1/hospital/bookings/{booking['id']}")).json()
    assert seen["contact_phone"] == customer.patient.phone
    masked = (await offered.desk.get("/v1/hospital/bookings")).json()["items"][0]
    assert masked["contact_phone"] == "138****8000"
    assert masked["address"]["detail"] is None
    mine = (await customer.api.get(f"/v1/payments/{prepaid['payment_id']}")).json()
    assert (mine["state"], mine["refunds"]) == ("succeeded", [])


async def test_the_app_pays_without_an_openid(api: Api, context: Context) -> None:
    _, customer, booking = await scene(api, context)
    prepaid = await prepay(customer, booking["id"], "app")
    assert set(prepaid["parameters"]) == {
        "appid", "partnerid", "prepayid", "package", "noncestr", "timestamp", "sign",
    }  # fmt: skip
    await tap_pay(context, prepaid)
    await eventually(customer, booking["id"], lambda each: each["state"] == "paid")


async def test_asking_again_gives_the_same_order_with_fresh_parameters(api: Api, context: Context) -> None:
    _, customer, booking = await scene(api, context)
    first, second = await prepay(customer, booking["id"]), await prepay(customer, booking["id"])
    assert first["payment_id"] == second["payment_id"]
    assert first["parameters"]["nonceStr"] != second["parameters"]["nonceStr"]
    assert len(await payments(context)) == 1


async def test_fifty_with_one_key_ask_wechat_for_one_order(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    _, customer, booking = await scene(api, context)
    path = f"/v1/bookings/{booking['id']}/payment"
    answers = await asyncio.gather(
        *(customer.api.post(path, key="pay-once", json={"channel": "mini"}) for _ in range(50))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
    assert len((await control.get("/orders")).json()) == len(await payments(context)) == 1


async def test_a_lost_answer_of_wechat_is_asked_for_again_under_the_same_number(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    _, customer, booking = await scene(api, context)
    await control.post("/faults/calls", json={"operation": "prepay", "status": 500, "after": True})
    path = f"/v1/bookings/{booking['id']}/payment"
    down = await customer.api.post(path, key="k", json={"channel": "mini"})
    assert refused(down, 503, "provider-unavailable")
    assert down.headers["Retry-After"]
    again = await customer.api.post(path, key="k", json={"channel": "mini"})
    assert again.status_code == 201, again.text
    assert len((await control.get("/orders")).json()) == len(await payments(context)) == 1


async def test_what_keeps_somebody_from_paying(api: Api, context: Context) -> None:
    offered, customer, booking = await scene(api, context)
    path = f"/v1/bookings/{booking['id']}/payment"
    refused(await customer.api.post(path, json={"channel": "mini"}), 400, "idempotency-key-missing")
    refused(await customer.api.post(path, key="1", json={"channel": "mini", "openid": "o"}), 422, "invalid-input")
    refused(await customer.api.post(path, key="1", json={"channel": "mini", "amount_fen": 1}), 422, "invalid-input")
    async with context.begin() as tx:
        identity = (
            await tx.scalars(select(WeChatIdentity).where(WeChatIdentity.account_id == customer.account_id))
        ).one()
        await tx.delete(identity)
    refused(await customer.api.post(path, key="2", json={"channel": "mini"}), 409, "wechat-not-bound")
    async with context.begin() as tx:
        (await tx.get_one(Hospital, offered.hospital.id)).sub_mchid = None
    refused(await customer.api.post(path, key="3", json={"channel": "app"}), 409, "merchant-missing")
    clock.move(timedelta(minutes=14, seconds=59))
    assert await payments(context) == []


async def test_a_lapsed_hold_cannot_be_paid(api: Api, context: Context) -> None:
    _, customer, booking = await scene(api, context)
    clock.move(timedelta(minutes=16))
    signed = await sign_in(context.database, context.tokens, customer.account_id)
    path = f"/v1/bookings/{booking['id']}/payment"
    late = await api.signed_in(signed.access_token).post(path, key="1", json={"channel": "mini"})
    refused(late, 409, "booking-expired")


async def test_duplicates_in_any_order_and_parallel_are_applied_once(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    _, customer, booking = await scene(api, context)
    await control.post("/faults/notifications", json={"duplicate": 20})
    await pay(context, customer, booking["id"])
    (payment,) = await payments(context)
    for _ in range(3):
        await control.post(f"/orders/{payment.out_trade_no}/notify", json={})
    await asyncio.sleep(0.5)
    assert len(await rows(context, Posting)) == 1
    async with context.begin() as tx:
        balances = await books.balances(tx, None)
    assert sum(balances.values()) == 0
    assert balances["clearing"] == booking["total_fen"]  # type: ignore[index]


async def test_forged_notifications_change_nothing(api: Api, context: Context, control: httpx.AsyncClient) -> None:
    """Wrong signatures, old ones, other keys: 401. Truly signed lies about merchant, amount or payer: never applied."""
    _, customer, booking = await scene(api, context)
    await prepay(customer, booking["id"])
    (payment,) = await payments(context)
    forgeries = [each["name"] if isinstance(each, dict) else each for each in await _forgeries(control)]
    assert len(forgeries) >= 15
    for forge in forgeries:
        told = await control.post(f"/orders/{payment.out_trade_no}/notify", json={"forge": forge})
        assert told.status_code == 200, told.text
    await asyncio.sleep(1.0)
    assert (await row_of(context.database, booking["id"])).state.value == "held"
    assert [each.state for each in await payments(context)] == [PaymentState.PREPAID]
    assert await rows(context, Posting) == []
    assert all(message.applied_at is None or message.source == "wechat.transaction" for message in await rows(context, InboxMessage))


async def _forgeries(control: httpx.AsyncClient) -> list[Any]:
    told = (await control.get("/forgeries")).json()
    found: list[Any] = told["forgeries"] if isinstance(told, dict) else told
    return found


async def test_unsigned_posts_are_refused_and_never_500(api: Api) -> None:
    for body in (b"", b"{}", b"[" * 2000, b"\xff\xfe", b'{"id": 1}'):
        answer = await api.post("/v1/payments/notifications/wechat", content=body, headers={"content-type": "application/json"})
        refused(answer, 401, "notification-not-authentic")
    answer = await api.post("/v1/payments/notifications/wechat", content=b"x" * 70_000)
    refused(answer, 413, "body-too-large")


async def test_a_lost_notification_is_found_by_asking(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    """P12: WeChat never tells; the query job finds the success."""
    _, customer, booking = await scene(api, context)
    await control.post("/faults/notifications", json={"drop": True, "times": 50})
    prepaid = await prepay(customer, booking["id"])
    await tap_pay(context, prepaid)
    await worker.drain("payments.query", early=True)
    assert (await customer.api.get(f"/v1/bookings/{booking['id']}")).json()["state"] == "paid"
    async with context.begin() as tx:
        left = (await tx.scalars(select(OutboxJob).where(OutboxJob.type == "payments.query"))).all()
    assert left == []


async def test_an_unpaid_order_is_closed_at_wechat_and_no_place_waits_for_it(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    offered, customer, booking = await scene(api, context)
    await prepay(customer, booking["id"])
    clock.move(timedelta(minutes=15, seconds=5))
    other = await make_customer(api, context)
    assert (await hold(other, offered))["state"] == "held", "the place is free before anything was closed"
    clock.move(timedelta(minutes=2))
    await worker.drain()
    (payment,) = await payments(context)
    assert payment.state is PaymentState.CLOSED
    order = (await control.get(f"/orders/{payment.out_trade_no}")).json()
    assert order["state"] == "CLOSED"
    assert (await row_of(context.database, booking["id"])).state.value == "expired"


async def late_payment(context: Context, customer: Customer, booking: dict[str, Any], control: httpx.AsyncClient) -> None:
    """The phone pays in time, but WeChat's word comes after the hold has lapsed."""
    prepaid = await prepay(customer, booking["id"])
    await control.post("/faults/notifications", json={"drop": True, "times": 50})
    await tap_pay(context, prepaid)
    clock.move(timedelta(minutes=20))


async def test_money_that_comes_late_is_seated_again_when_the_place_is_free(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    """B05."""
    _, customer, booking = await scene(api, context)
    await late_payment(context, customer, booking, control)
    await worker.drain("payments.query")
    row = await row_of(context.database, booking["id"])
    assert (row.state.value, row.refund_due_fen) == ("paid", 0)


async def test_money_that_comes_too_late_goes_back_in_full(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    """B05: somebody else has the place by then; a paid booking without a place never exists."""
    offered, customer, booking = await scene(api, context)
    await late_payment(context, customer, booking, control)
    other = await make_customer(api, context)
    await hold(other, offered)
    await control.delete("/faults")
    await worker.drain()
    row = await row_of(context.database, booking["id"])
    assert (row.state.value, row.paid_at, row.refund_due_fen) == ("expired", None, booking["total_fen"])

    async def refunded() -> bool:
        await worker.drain("payments.refund", early=True)
        return bool((await row_of(context.database, booking["id"])).refunded_fen == booking["total_fen"])

    await until(refunded)
    async with context.begin() as tx:
        balances = await books.balances(tx, offered.hospital.id)
    assert set(balances.values()) == {0}


async def test_a_second_payment_for_one_booking_goes_back(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    """P11: two channels opened, both paid."""
    _, customer, booking = await scene(api, context)
    mini, app = await prepay(customer, booking["id"], "mini"), await prepay(customer, booking["id"], "app")
    assert mini["payment_id"] != app["payment_id"]
    await tap_pay(context, mini)
    await eventually(customer, booking["id"], lambda each: each["state"] == "paid")
    await tap_pay(context, app)

    async def returned() -> bool:
        await worker.drain("payments.refund", early=True)
        return {each.state for each in await rows(context, Refund)} == {RefundState.SUCCEEDED}

    await until(returned)
    row: Booking = await row_of(context.database, booking["id"])
    assert (str(row.payment_id), row.refund_due_fen, row.refunded_fen) == (mini["payment_id"], 0, 0)
    (refund,) = await rows(context, Refund)
    assert (str(refund.payment_id), refund.cause) == (app["payment_id"], "paid-twice")


async def test_a_payment_that_races_a_cancellation_is_refunded(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    _, customer, booking = await scene(api, context)
    prepaid = await prepay(customer, booking["id"])
    cancelled = await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "不需要了"})
    assert cancelled.json()["state"] == "cancelled"
    await tap_pay(context, prepaid)

    async def refunded() -> bool:
        await worker.drain("payments.refund", early=True)
        row = await row_of(context.database, booking["id"])
        return row.state.value == "cancelled" and row.refunded_fen == booking["total_fen"]

    await until(refunded)


async def test_a_notification_nobody_can_place_ends_among_the_dead_letters(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    _, customer, booking = await scene(api, context)
    await prepay(customer, booking["id"])
    (payment,) = await payments(context)
    await control.post(f"/orders/{payment.out_trade_no}/notify", json={"forge": "other_order"})

    async def taken() -> bool:
        return len(await rows(context, InboxMessage)) == 1

    await until(taken)
    await worker.drain("inbox.apply", early=True)
    (job,) = [each for each in await rows(context, OutboxJob) if each.type == "inbox.apply"]
    assert job.state is JobState.DEAD
    assert "no payment has this number" in job.last_error


async def test_keys_belong_to_their_caller(api: Api, context: Context) -> None:
    offered, one, two = (
        await make_offer(api, context, capacity=2), await make_customer(api, context), await make_customer(api, context)
    )  # fmt: skip
    key = secrets.token_hex(4)
    first = await one.api.post("/v1/bookings", key=key, json=one.wish(offered))
    second = await two.api.post("/v1/bookings", key=key, json=two.wish(offered))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
