"""Cancelling, refusing, rescheduling: what is given back, and who is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import Customer, accepted, hold, make_customer, make_offer, pay, row_of, until
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.queries import lock_booking
from yiyuebao_api.domains.bookings.rules import ActorKind, VisitStage
from yiyuebao_api.domains.bookings.service import note_visit_stage
from yiyuebao_api.domains.payments.models import Refund
from yiyuebao_api.domains.settlements import queries as books
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import BookingId
from yiyuebao_api.kernel.outbox import Worker


async def signed_again(api: Api, context: Context, customer: Customer) -> Api:
    """After the clock was moved, the old token has expired."""
    signed = await sign_in(context.database, context.tokens, customer.account_id)
    return api.signed_in(signed.access_token)


async def refunds_arrive(context: Context, worker: Worker[Context], booking_id: str, amount: int) -> None:
    async def arrived() -> bool:
        await worker.drain("payments.refund", early=True)
        return (await row_of(context.database, booking_id)).refunded_fen == amount

    await until(arrived)


async def test_an_unpaid_booking_is_cancelled_and_its_place_is_free(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await hold(customer, offered)
    ended = await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "时间不合适"})
    assert (ended.json()["state"], ended.json()["refund_due_fen"]) == ("cancelled", 0)
    assert (await hold(await make_customer(api, context), offered))["state"] == "held"
    again = await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "再点一次"})
    assert again.json()["state"] == "cancelled"
    moves = (await customer.api.get(f"/v1/bookings/{booking['id']}/timeline")).json()
    assert [(each["to_state"], each["actor"]) for each in moves] == [("held", "patient"), ("cancelled", "patient")]
    assert (await offered.desk.get("/v1/hospital/notices")).json()["items"] == []


async def test_cancelled_before_acceptance_everything_comes_back(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    """RULE-64."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await pay(context, customer, (await hold(customer, offered))["id"])
    quoted = (await customer.api.get(f"/v1/bookings/{booking['id']}/cancellation")).json()
    assert quoted == {"refund_fen": booking["total_fen"], "kept_fen": 0, "because": "not_accepted"}
    ended = (await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "住院了"})).json()
    assert (ended["state"], ended["refund_due_fen"], ended["refunded_fen"]) == ("cancelled", booking["total_fen"], 0)
    await refunds_arrive(context, worker, booking["id"], booking["total_fen"])
    kinds = [each["kind"] for each in (await offered.desk.get("/v1/hospital/notices")).json()["items"]]
    assert kinds == ["refund.succeeded", "booking.cancelled", "booking.paid"]
    async with context.begin() as tx:
        assert set((await books.balances(tx, offered.hospital.id)).values()) == {0}
    payment = (await customer.api.get(f"/v1/payments/{booking['payment_id']}")).json()
    assert payment["refunded_fen"] == booking["total_fen"]
    assert [each["state"] for each in payment["refunds"]] == ["succeeded"]


async def test_fifty_cancellations_at_once_refund_once(api: Api, context: Context, worker: Worker[Context]) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await pay(context, customer, (await hold(customer, offered))["id"])
    path = f"/v1/bookings/{booking['id']}/cancel"
    answers = await asyncio.gather(*(customer.api.post(path, json={"reason": "手抖"}) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    await refunds_arrive(context, worker, booking["id"], booking["total_fen"])
    async with context.begin() as tx:
        assert len((await tx.scalars(select(Refund))).all()) == 1


async def stage(context: Context, booking_id: str, *stages: VisitStage) -> None:
    async with context.begin() as tx:
        for each in stages:
            booking = await lock_booking(tx, BookingId.parse(booking_id))
            await note_visit_stage(tx, booking, each, actor=ActorKind.CLINICIAN, actor_id=None, now=clock.now())


async def test_after_departure_visit_and_travel_fee_are_kept(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    """RULE-65: the call-out is paid for, the item comes back."""
    offered, customer, booking = await accepted(api, context)
    await stage(context, booking["id"], VisitStage.ASSIGNED, VisitStage.DEPARTED)
    kept = offered.version.visit_fee_fen + offered.version.travel_fee_fen
    assert kept > 0
    quoted = (await customer.api.get(f"/v1/bookings/{booking['id']}/cancellation")).json()
    assert quoted == {"refund_fen": booking["total_fen"] - kept, "kept_fen": kept, "because": "departed"}
    ended = (await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "突发情况"})).json()
    assert ended["refund_due_fen"] == booking["total_fen"] - kept
    await refunds_arrive(context, worker, booking["id"], booking["total_fen"] - kept)


@pytest.mark.parametrize("last", [VisitStage.ARRIVED, VisitStage.STARTED, VisitStage.FINISHED])
async def test_after_arrival_nobody_cancels_by_a_button(api: Api, context: Context, last: VisitStage) -> None:
    offered, customer, booking = await accepted(api, context)
    order = [VisitStage.ASSIGNED, VisitStage.DEPARTED, VisitStage.ARRIVED, VisitStage.STARTED, VisitStage.FINISHED]
    await stage(context, booking["id"], *order[: order.index(last) + 1])
    path = f"/v1/bookings/{booking['id']}"
    refused(await customer.api.post(f"{path}/cancel", json={"reason": "x"}), 409, "visit-already-arrived")
    refused(await customer.api.get(f"{path}/cancellation"), 409, "visit-already-arrived")
    refuse = await offered.desk.post(f"/v1/hospital/bookings/{booking['id']}/refuse", json={"reason": "x"})
    refused(refuse, 409, "visit-already-arrived")
    assert (await row_of(context.database, booking["id"])).refund_due_fen == 0


async def test_nobody_came_for_half_an_hour(api: Api, context: Context, worker: Worker[Context]) -> None:
    """RULE-67: everything comes back, although somebody had departed."""
    offered, customer, booking = await accepted(api, context)
    await stage(context, booking["id"], VisitStage.ASSIGNED, VisitStage.DEPARTED)
    clock.move(offered.starts_at() + timedelta(minutes=31) - clock.now())
    later = await signed_again(api, context, customer)
    quoted = (await later.get(f"/v1/bookings/{booking['id']}/cancellation")).json()
    assert (quoted["kept_fen"], quoted["because"]) == (0, "clinician_late")


async def test_the_desk_accepts_once_and_refuses_with_a_full_refund(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    offered, customer, booking = await accepted(api, context)
    path = f"/v1/hospital/bookings/{booking['id']}"
    assert (await offered.desk.post(f"{path}/accept")).json()["state"] == "accepted", "a double tap"
    assert (await offered.desk.get(path)).json()["contact_phone"] == customer.patient.phone
    ended = await offered.desk.post(f"{path}/refuse", json={"reason": "护士临时生病"})
    after = (await offered.desk.get(path)).json()
    assert (after["contact_phone"], after["address"]["detail"]) == ("138****8000", None), "nobody needs it any more"
    assert (ended.json()["state"], ended.json()["refund_due_fen"]) == ("refused", booking["total_fen"])
    refused(await offered.desk.post(f"{path}/accept"), 409, "booking-state-refused")
    refused(await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "x"}), 409, "booking-state-refused")
    await refunds_arrive(context, worker, booking["id"], booking["total_fen"])
    told = (await customer.api.get("/v1/notices")).json()["items"]
    assert any("护士临时生病" in each["body"] for each in told)


async def test_another_hospitals_desk_sees_nothing(api: Api, context: Context) -> None:
    _, _, booking = await accepted(api, context)
    foreign = (await make_offer(api, context)).desk
    path = f"/v1/hospital/bookings/{booking['id']}"
    refused(await foreign.get(path), 404, "not-found")
    refused(await foreign.post(f"{path}/accept"), 404, "not-found")
    refused(await foreign.post(f"{path}/refuse", json={"reason": "x"}), 404, "not-found")
    assert (await foreign.get("/v1/hospital/bookings")).json()["items"] == []


async def test_a_new_time_frees_the_old_one(api: Api, context: Context) -> None:
    """B12: one step; content and price stay."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await pay(context, customer, (await hold(customer, offered))["id"])
    other = await make_customer(api, context)
    await hold(other, offered, offered.starts_at(hour=14))
    path = f"/v1/bookings/{booking['id']}/reschedule"
    taken = {"starts_at": offered.starts_at(hour=14).isoformat()}
    refused(await customer.api.post(path, json=taken), 409, "slot-taken")
    free = {"starts_at": offered.starts_at(hour=16).isoformat()}
    moved = (await customer.api.post(path, json=free)).json()
    assert (moved["state"], moved["total_fen"]) == ("paid", booking["total_fen"])
    third = await make_customer(api, context)
    assert (await hold(third, offered))["state"] == "held", "the old time is free again"
    refused(
        await third.api.post("/v1/bookings", key="x", json=third.wish(offered, offered.starts_at(hour=16))),
        409, "slot-taken",
    )  # fmt: skip
    kinds = [each["kind"] for each in (await offered.desk.get("/v1/hospital/notices")).json()["items"]]
    assert kinds[0] == "booking.rescheduled"
    once_more = {"starts_at": offered.starts_at(days=3).isoformat()}
    assert (await customer.api.post(path, json=once_more)).status_code == 200
    again = await customer.api.post(path, json=free)
    assert refused(again, 409, "rescheduled-too-often")["most"] == 2, "RULE-66"


async def test_a_refund_wechat_refuses_for_a_while_arrives_in_the_end(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking: dict[str, Any] = await pay(context, customer, (await hold(customer, offered))["id"])
    await control.post("/faults/calls", json={"operation": "refund", "status": 500, "after": True, "times": 2})
    await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "x"})
    await refunds_arrive(context, worker, booking["id"], booking["total_fen"])
    assert len((await control.get("/refunds")).json()) == 1, "never refunded twice under two numbers"


async def test_an_abnormal_refund_waits_for_a_person(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await pay(context, customer, (await hold(customer, offered))["id"])
    await control.post("/behaviour", json={"refund_outcome": "ABNORMAL", "refund_delay_s": 0})
    await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "x"})

    async def seen() -> bool:
        await worker.drain("payments.refund", early=True)
        async with context.begin() as tx:
            return [each.state.value for each in (await tx.scalars(select(Refund))).all()] == ["abnormal"]

    await until(seen)
    row = await row_of(context.database, booking["id"])
    assert (row.refund_due_fen, row.refunded_fen) == (booking["total_fen"], 0)
