"""A booking that was accepted and then forgotten: nobody waits at home for somebody who was never sent, or never set out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.domains.bookings.test_accept_in_time import desk_again, watched
from tests.domains.bookings.test_end_booking import refunds_arrive, signed_again
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import Customer, Offered, accepted, hold, make_customer, make_offer, pay, row_of
from tests.scenes.clinicians import make_clinician
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import BookingState, Policy, due
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.partners.models import PartnerEvent
from yiyuebao_api.domains.payments.models import Refund
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.domains.settlements import queries as books
from yiyuebao_api.domains.visits.models import Visit
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.tokens import Mode

START = datetime(2026, 11, 25, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("state", "since", "remind", "by"),
    [
        (BookingState.ACCEPTED, -2000, -90, -30),
        (BookingState.ACCEPTED, -70, -50, -30),
        (BookingState.ACCEPTED, -35, -30, -25),
        (BookingState.ACCEPTED, 45, 50, 55),
        (BookingState.ACCEPTED, 115, 117.5, 120),
        (BookingState.ACCEPTED, 300, 300, 300),
        (BookingState.ASSIGNED, -2000, 30, 120),
        (BookingState.ASSIGNED, 25, 35, 120),
        (BookingState.ASSIGNED, 119, 129, 129),
    ],
)
def test_how_long_a_hospital_has(state: BookingState, since: float, remind: float, by: float) -> None:
    """Minutes from the start: assigned half an hour before it, set out two hours after it; ten minutes at least."""
    found = due(Policy(), state, START + since * MINUTE, START)
    assert found == (START + by * MINUTE, START + remind * MINUTE)


async def until_start(booking: dict[str, Any], minutes: float) -> None:
    clock.move(datetime.fromisoformat(booking["starts_at"]) - clock.now() + minutes * MINUTE)


async def send(desk: Api, booking: dict[str, Any], nurse: Clinician) -> httpx.Response:
    return await desk.post("/v1/hospital/visits", json={"booking_id": booking["id"], "clinician_id": str(nurse.id)})


async def assigned(api: Api, context: Context) -> tuple[Offered, Customer, dict[str, Any], Clinician, str]:
    offered, customer, booking = await accepted(api, context)
    nurse = await make_clinician(context.database, offered.hospital.id)
    made = await send(offered.desk, booking, nurse)
    assert made.status_code == 201, made.text
    return offered, customer, booking, nurse, made.json()["id"]


async def nurse_again(api: Api, context: Context, nurse: Clinician) -> Api:
    signed = await sign_in(
        context.database, context.tokens, nurse.account_id, mode=Mode.CLINICIAN, hospital_id=nurse.hospital_id
    )
    return api.signed_in(signed.access_token)


async def told(context: Context, chosen: Callable[[Notice], bool]) -> list[str]:
    async with context.begin() as tx:
        return [each.kind for each in await tx.scalars(select(Notice).order_by(Notice.id)) if chosen(each)]


async def why_cancelled(context: Context) -> list[str]:
    async with context.begin() as tx:
        events = await tx.scalars(select(PartnerEvent).order_by(PartnerEvent.number))
        return [each.data["reason"] for each in events if each.type.value == "booking.cancelled"]


async def test_nobody_is_assigned(api: Api, context: Context, worker: Worker[Context]) -> None:
    offered, customer, booking = await accepted(api, context)
    starts_at, by = datetime.fromisoformat(booking["starts_at"]), datetime.fromisoformat(booking["act_by"])
    assert starts_at - by == timedelta(minutes=30)
    assert booking["policy"]["assign_before_start_minutes"] == 30
    await until_start(booking, -91)
    await worker.drain()
    assert "booking.assign_soon" not in await told(context, lambda each: True)
    await until_start(booking, -89)
    await worker.drain()
    desk = await desk_again(api, context, offered)
    notice = (await desk.get("/v1/hospital/notices")).json()["items"][0]
    assert (notice["kind"], by.strftime("%H:%M") in notice["body"]) == ("booking.assign_soon", True)
    assert (await row_of(context.database, booking["id"])).state is BookingState.ACCEPTED
    await until_start(booking, -29)
    await worker.drain()
    patient = await signed_again(api, context, customer)
    ended = (await patient.get(f"/v1/bookings/{booking['id']}")).json()
    assert (ended["state"], ended["refund_due_fen"], ended["act_by"]) == ("refused", booking["total_fen"], None)
    last = (await patient.get(f"/v1/bookings/{booking['id']}/timeline")).json()[-1]
    assert (last["from_state"], last["actor"], last["reason"]) == ("accepted", "system", "医院超时未派人")
    await refunds_arrive(context, worker, booking["id"], booking["total_fen"])
    notices = (await patient.get("/v1/notices")).json()["items"]
    assert [each["kind"] for each in notices][:2] == ["refund.succeeded", "booking.unassigned"]
    assert notices[1]["title_en"] == "Nobody could be sent"
    desk = await desk_again(api, context, offered)
    kinds = [each["kind"] for each in (await desk.get("/v1/hospital/notices")).json()["items"]]
    assert kinds == ["refund.succeeded", "booking.cancelled", "booking.assign_soon", "booking.accepted", "booking.paid"]
    nurse = await make_clinician(context.database, offered.hospital.id)
    refused(await send(desk, booking, nurse), 409, "booking-not-assignable")
    assert await watched(context) == []
    async with context.begin() as tx:
        assert await books.unbalanced(tx) == []


async def test_nobody_sets_out(api: Api, context: Context, worker: Worker[Context]) -> None:
    """After half an hour everybody is told and the patient may cancel for nothing; after two it ends by itself."""
    offered, customer, booking, nurse, visit_id = await assigned(api, context)
    await until_start(booking, 29)
    await worker.drain()
    assert "visit.late" not in await told(context, lambda each: True)
    await until_start(booking, 31)
    await worker.drain()
    await worker.drain("bookings.remind")
    patient = await signed_again(api, context, customer)
    late = (await patient.get("/v1/notices")).json()["items"][0]
    until = (datetime.fromisoformat(booking["starts_at"]) + timedelta(hours=2)).strftime("%H:%M")
    assert (late["kind"], until in late["body"], until in late["body_en"]) == ("visit.late", True, True)
    assert await told(context, lambda each: each.kind == "visit.late") == ["visit.late"] * 3
    assert "visit.late" in await told(context, lambda each: each.account_id == nurse.account_id)
    assert "visit.late" in await told(context, lambda each: each.hospital_id == offered.hospital.id)
    quote = (await patient.get(f"/v1/bookings/{booking['id']}/cancellation")).json()
    assert (quote["refund_fen"], quote["kept_fen"], quote["because"]) == (booking["total_fen"], 0, "clinician_late")
    await until_start(booking, 121)
    await worker.drain()
    patient = await signed_again(api, context, customer)
    ended = (await patient.get(f"/v1/bookings/{booking['id']}")).json()
    assert (ended["state"], ended["refund_due_fen"]) == ("refused", booking["total_fen"])
    last = (await patient.get(f"/v1/bookings/{booking['id']}/timeline")).json()[-1]
    assert (last["from_state"], last["actor"], last["reason"]) == ("assigned", "system", "服务人员未上门")
    await refunds_arrive(context, worker, booking["id"], booking["total_fen"])
    assert (await told(context, lambda each: each.account_id == customer.account_id))[-2:] == [
        "booking.nobody_came", "refund.succeeded",
    ]  # fmt: skip
    assert (await told(context, lambda each: each.account_id == nurse.account_id))[-1] == "visit.taken_back"
    assert await why_cancelled(context) == ["nobody-came"]
    as_nurse = await nurse_again(api, context, nurse)
    refused(await as_nurse.post(f"/v1/visits/{visit_id}/depart", json={}), 409, "visit-step-out-of-order")
    assert await watched(context) == []


async def test_who_waited_long_enough_cancels_for_nothing(api: Api, context: Context, worker: Worker[Context]) -> None:
    """Though the nurse has set out by then; and nothing more happens afterwards."""
    _, customer, booking, nurse, visit_id = await assigned(api, context)
    await until_start(booking, 20)
    as_nurse = await nurse_again(api, context, nurse)
    assert (await as_nurse.post(f"/v1/visits/{visit_id}/depart", json={})).status_code == 200
    await until_start(booking, 31)
    await worker.drain()
    patient = await signed_again(api, context, customer)
    late = (await patient.get("/v1/notices")).json()["items"][0]
    assert (late["kind"], "自动取消" in late["body"]) == ("visit.late", False), "no end is announced: somebody is on the way"
    ended = await patient.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "等太久"})
    assert (ended.json()["state"], ended.json()["refund_due_fen"]) == ("cancelled", booking["total_fen"])
    await until_start(booking, 121)
    await worker.drain()
    assert (await row_of(context.database, booking["id"])).state is BookingState.CANCELLED
    async with context.begin() as tx:
        assert len((await tx.scalars(select(Refund))).all()) == 1


async def test_who_set_out_is_not_called_back(api: Api, context: Context, worker: Worker[Context]) -> None:
    _, _, booking, nurse, visit_id = await assigned(api, context)
    await until_start(booking, 5)
    as_nurse = await nurse_again(api, context, nurse)
    assert (await as_nurse.post(f"/v1/visits/{visit_id}/depart", json={})).status_code == 200
    await until_start(booking, 200)
    await worker.drain()
    row = await row_of(context.database, booking["id"])
    assert (row.state, row.refund_due_fen) == (BookingState.UNDER_WAY, 0)


async def test_at_the_hospital_nobody_checks_in(api: Api, context: Context, worker: Worker[Context]) -> None:
    """Nobody knows whose fault it is; nothing of what is charged there can be kept anyway."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await pay(context, customer, (await hold(customer, offered, place="hospital"))["id"])
    assert (await offered.desk.post(f"/v1/hospital/bookings/{booking['id']}/accept")).status_code == 200
    nurse = await make_clinician(context.database, offered.hospital.id)
    assert (await send(offered.desk, booking, nurse)).status_code == 201
    await until_start(booking, 31)
    await worker.drain()
    late = await told(context, lambda each: each.kind == "visit.late" and each.title == "尚未签到")
    assert len(late) == 2, "the nurse has nowhere to go"
    await until_start(booking, 121)
    await worker.drain()
    row = await row_of(context.database, booking["id"])
    assert (row.state, row.refund_due_fen) == (BookingState.REFUSED, row.total_fen)
    assert await why_cancelled(context) == ["not-checked-in"]


async def test_a_new_step_is_a_new_deadline(api: Api, context: Context, worker: Worker[Context]) -> None:
    """Moved to another day, assigned, taken off: each time somebody watches anew, and the old watch has nothing to do."""
    offered, customer, booking = await accepted(api, context)
    to = offered.starts_at(days=4, hour=15)
    moved = await customer.api.post(f"/v1/bookings/{booking['id']}/reschedule", json={"starts_at": to.isoformat()})
    assert datetime.fromisoformat(moved.json()["act_by"]) == to - timedelta(minutes=30)
    await until_start(booking, 0)
    await worker.drain()
    assert (await row_of(context.database, booking["id"])).state is BookingState.ACCEPTED
    nurse, desk = await make_clinician(context.database, offered.hospital.id), await desk_again(api, context, offered)
    visit_id = (await send(desk, booking, nurse)).json()["id"]
    assert (await row_of(context.database, booking["id"])).act_by == to + timedelta(hours=2)
    await until_start(moved.json(), 20)
    await worker.drain()
    desk = await desk_again(api, context, offered)
    assert (await desk.post(f"/v1/hospital/visits/{visit_id}/unassign", json={"reason": "发烧"})).status_code == 200
    row = await row_of(context.database, booking["id"])
    assert row.act_by is not None
    assert timedelta(minutes=29) < row.act_by - to < timedelta(minutes=31), "ten minutes to find somebody else"
    other = await make_clinician(context.database, offered.hospital.id)
    assert (await send(desk, booking, other)).status_code == 201
    await until_start(moved.json(), 119)
    await worker.drain()
    assert (await row_of(context.database, booking["id"])).state is BookingState.ASSIGNED
    await until_start(moved.json(), 121)
    await worker.drain()
    assert (await row_of(context.database, booking["id"])).state is BookingState.REFUSED


async def test_run_early_nothing_ends(api: Api, context: Context, worker: Worker[Context]) -> None:
    _, _, booking, _, _ = await assigned(api, context)
    await worker.drain("bookings.end_in_silence", early=True)
    assert (await row_of(context.database, booking["id"])).state is BookingState.ASSIGNED
    assert "bookings.end_in_silence" in await watched(context)


async def test_the_desk_assigns_at_the_same_moment(api: Api, context: Context, worker: Worker[Context]) -> None:
    """One of both: somebody is sent and nothing is promised back, or it has ended with one refund and the place free."""
    for number in range(6):
        offered, _, booking = await accepted(api, context)
        nurse = await make_clinician(context.database, offered.hospital.id)
        await until_start(booking, -29)
        desk = await desk_again(api, context, offered)

        async def assign(
            wait: float = number % 3 * 0.004, desk: Api = desk, booking: dict[str, Any] = booking, nurse: Clinician = nurse
        ) -> int:
            await asyncio.sleep(wait)
            return (await send(desk, booking, nurse)).status_code

        answers = await asyncio.gather(assign(), *(worker.drain("bookings.end_in_silence") for _ in range(3)), assign())
        await _either(context, booking, stays=201 in (answers[0], answers[-1]), state=BookingState.ASSIGNED)
        await worker.drain()
        assert (await row_of(context.database, booking["id"])).state in (BookingState.ASSIGNED, BookingState.REFUSED)


async def test_the_nurse_sets_out_at_the_same_moment(api: Api, context: Context, worker: Worker[Context]) -> None:
    for number in range(6):
        _, _, booking, nurse, visit_id = await assigned(api, context)
        await until_start(booking, 121)
        as_nurse = await nurse_again(api, context, nurse)

        async def depart(wait: float = number % 3 * 0.004, nurse: Api = as_nurse, path: str = f"/v1/visits/{visit_id}") -> int:
            await asyncio.sleep(wait)
            return (await nurse.post(f"{path}/depart", json={})).status_code

        answers = await asyncio.gather(depart(), *(worker.drain("bookings.end_in_silence") for _ in range(3)), depart())
        went = 200 in (answers[0], answers[-1])
        assert set(answers[:1] + answers[-1:]) <= ({200} if went else {409})
        await _either(context, booking, stays=went, state=BookingState.UNDER_WAY)
        async with context.begin() as tx:
            visit = (await tx.scalars(select(Visit).where(Visit.order_no == booking["order_no"]))).one()
        assert visit.stage.value == ("departed" if went else "cancelled")


async def _either(context: Context, booking: dict[str, Any], *, stays: bool, state: BookingState) -> None:
    row = await row_of(context.database, booking["id"])
    async with context.begin() as tx:
        refunds = (await tx.scalars(select(Refund).where(Refund.payment_id == row.payment_id))).all()
        claim = await tx.get_one(Claim, row.claim_id)
        ended = await tx.scalars(select(Notice.kind).where(Notice.subject_id == booking["id"]))
    seen = (row.state, row.refund_due_fen, len(refunds), claim.released_at is None)
    if stays:
        assert seen == (state, 0, 0, True)
    else:
        assert seen == (BookingState.REFUSED, booking["total_fen"], 1, False)
        assert list(ended).count("booking.cancelled") == 1
