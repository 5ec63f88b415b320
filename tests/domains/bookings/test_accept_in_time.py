"""A paid booking that no hospital accepts: the desk is reminded, then everything goes back and the place is free."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.domains.bookings.test_end_booking import refunds_arrive, signed_again
from tests.scenes.accounts import make_staff, sign_in
from tests.scenes.bookings import Customer, Offered, hold, make_customer, make_offer, pay, row_of
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import BookingState, Policy, due
from yiyuebao_api.domains.payments.models import Refund
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.outbox import OutboxJob, Worker
from yiyuebao_api.kernel.tokens import Mode

PAID = datetime(2026, 11, 25, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lead", "by", "remind"),
    [
        (timedelta(days=5), timedelta(hours=24), timedelta(hours=23)),
        (timedelta(hours=26), timedelta(hours=24), timedelta(hours=23)),
        (timedelta(hours=10), timedelta(hours=8), timedelta(hours=7)),
        (timedelta(hours=3), timedelta(hours=1), timedelta(minutes=30)),
        (timedelta(hours=2), timedelta(minutes=10), timedelta(minutes=5)),
        (timedelta(minutes=4), timedelta(minutes=4), timedelta(minutes=2)),
        (timedelta(minutes=-1), timedelta(), timedelta()),
    ],
)
def test_how_long_a_desk_has(lead: timedelta, by: timedelta, remind: timedelta) -> None:
    """A day, at the latest two hours before the start; never after it, never before it was asked."""
    assert due(Policy(), BookingState.PAID, PAID, PAID + lead) == (PAID + by, PAID + remind)


async def paid(api: Api, context: Context, **content: Any) -> tuple[Offered, Customer, dict[str, Any]]:
    offered, customer = await make_offer(api, context, **content), await make_customer(api, context)
    return offered, customer, await pay(context, customer, (await hold(customer, offered))["id"])


async def desk_again(api: Api, context: Context, offered: Offered) -> Api:
    """Somebody at the desk who signs in now."""
    staff = await make_staff(context.database, f"desk-{clock.now().timestamp()}", hospital_id=offered.hospital.id)
    signed = await sign_in(context.database, context.tokens, staff.id, mode=Mode.DESK, hospital_id=offered.hospital.id)
    return api.signed_in(signed.access_token)


async def watched(context: Context) -> list[str]:
    async with context.begin() as tx:
        kinds = await tx.scalars(select(OutboxJob.type).where(OutboxJob.type.in_(WATCHES)).order_by(OutboxJob.type))
        return list(kinds.all())


WATCHES = ("bookings.end_in_silence", "bookings.remind")


async def test_the_desk_is_reminded_and_then_everything_goes_back(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    offered, customer, booking = await paid(api, context)
    by = datetime.fromisoformat(booking["act_by"])
    assert by - datetime.fromisoformat(booking["paid_at"]) == timedelta(hours=24)
    assert booking["policy"]["accept_within_minutes"] == 1440
    await worker.drain()
    assert await watched(context) == list(WATCHES), "not yet"
    clock.move(timedelta(hours=23, minutes=1))
    await worker.drain()
    desk = await desk_again(api, context, offered)
    notices = (await desk.get("/v1/hospital/notices")).json()["items"]
    assert [each["kind"] for each in notices] == ["booking.accept_soon", "booking.paid"]
    assert by.strftime("%H:%M") in notices[0]["body"]
    assert (await desk.get(f"/v1/hospital/bookings/{booking['id']}")).json()["state"] == "paid"
    clock.move(timedelta(hours=1))
    await worker.drain()
    patient = await signed_again(api, context, customer)
    ended = (await patient.get(f"/v1/bookings/{booking['id']}")).json()
    assert (ended["state"], ended["refund_due_fen"], ended["act_by"]) == ("refused", booking["total_fen"], None)
    last = (await patient.get(f"/v1/bookings/{booking['id']}/timeline")).json()[-1]
    assert (last["to_state"], last["actor"], last["reason"]) == ("refused", "system", "医院超时未接单")
    await refunds_arrive(context, worker, booking["id"], booking["total_fen"])
    told = (await patient.get("/v1/notices")).json()["items"]
    assert [each["kind"] for each in told] == ["refund.succeeded", "booking.unanswered", "booking.paid"]
    assert all(each["title_en"] != "News for you" for each in told)
    desk = await desk_again(api, context, offered)
    kinds = [each["kind"] for each in (await desk.get("/v1/hospital/notices")).json()["items"]]
    assert kinds == ["refund.succeeded", "booking.cancelled", "booking.accept_soon", "booking.paid"]
    refused(await desk.post(f"/v1/hospital/bookings/{booking['id']}/accept"), 409, "booking-state-refused")
    assert (await hold(await make_customer(api, context), offered))["state"] == "held", "the place is free"
    assert await watched(context) == []


async def test_who_accepts_in_time_hears_nothing_more(api: Api, context: Context, worker: Worker[Context]) -> None:
    offered, _, booking = await paid(api, context)
    accepted = await offered.desk.post(f"/v1/hospital/bookings/{booking['id']}/accept")
    assert accepted.json()["act_by"] != booking["act_by"], "now somebody is to be assigned"
    clock.move(timedelta(hours=25))
    await worker.drain()
    assert (await row_of(context.database, booking["id"])).state.value == "accepted"
    desk = await desk_again(api, context, offered)
    kinds = [each["kind"] for each in (await desk.get("/v1/hospital/notices")).json()["items"]]
    assert kinds == ["booking.accepted", "booking.paid"]
    assert await watched(context) == list(WATCHES), "those of the assignment"


async def test_a_new_time_is_a_new_deadline(api: Api, context: Context, worker: Worker[Context]) -> None:
    """The watch of the old time ends without a word, though its hour comes first."""
    offered, customer, booking = await paid(api, context)
    clock.move(timedelta(hours=5))
    patient = await signed_again(api, context, customer)
    body = {"starts_at": offered.starts_at(days=4, hour=15).isoformat()}
    moved = (await patient.post(f"/v1/bookings/{booking['id']}/reschedule", json=body)).json()
    later = datetime.fromisoformat(moved["act_by"]) - datetime.fromisoformat(booking["act_by"])
    assert timedelta(hours=5) <= later < timedelta(hours=5, minutes=1)
    clock.move(timedelta(hours=20))
    await worker.drain()
    assert (await row_of(context.database, booking["id"])).state.value == "paid"
    clock.move(timedelta(hours=3, minutes=30))
    await worker.drain("bookings.remind", early=True)
    clock.move(timedelta(hours=2))
    await worker.drain("bookings.end_in_silence")
    assert (await row_of(context.database, booking["id"])).state.value == "refused"
    desk = await desk_again(api, context, offered)
    kinds = [each["kind"] for each in (await desk.get("/v1/hospital/notices")).json()["items"]]
    assert kinds == ["booking.cancelled", "booking.accept_soon", "booking.rescheduled", "booking.paid"]


async def test_run_early_nothing_ends(api: Api, context: Context, worker: Worker[Context]) -> None:
    _, _, booking = await paid(api, context)
    await worker.drain("bookings.end_in_silence", early=True)
    assert (await row_of(context.database, booking["id"])).state.value == "paid"
    assert await watched(context) == list(WATCHES)


async def test_the_desk_accepts_at_the_same_moment(api: Api, context: Context, worker: Worker[Context]) -> None:
    """One of both: accepted and nothing promised back, or ended with one refund and the place free."""
    for number in range(6):
        offered, _, booking = await paid(api, context)
        clock.move(timedelta(hours=24, seconds=1))
        desk = await desk_again(api, context, offered)
        path = f"/v1/hospital/bookings/{booking['id']}/accept"

        async def accept(path: str = path, desk: Api = desk, wait: float = number % 3 * 0.004) -> int:
            await asyncio.sleep(wait)
            return (await desk.post(path)).status_code

        answers = await asyncio.gather(accept(), *(worker.drain("bookings.end_in_silence") for _ in range(3)), accept())
        row = await row_of(context.database, booking["id"])
        async with context.begin() as tx:
            refunds = (await tx.scalars(select(Refund).where(Refund.payment_id == row.payment_id))).all()
            claim = await tx.get_one(Claim, row.claim_id)
        seen = (row.state.value, row.refund_due_fen, len(refunds), claim.released_at is None)
        if 200 in (answers[0], answers[-1]):
            assert seen == ("accepted", 0, 0, True)
        else:
            assert seen == ("refused", booking["total_fen"], 1, False)
            assert answers[0] == answers[-1] == 409
        await worker.drain()
        assert (await row_of(context.database, booking["id"])).state is row.state
