"""术后: a PICC line is to be flushed at home; the nurse is on her way when the patient must go to hospital."""

from __future__ import annotations

from datetime import timedelta

from tests.client import Api
from tests.journeys.actors import at, make_town
from yiyuebao_api.context import Context
from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.outbox import Worker


async def test_cancelled_on_the_way_the_call_out_is_kept(api: Api, context: Context, worker: Worker[Context]) -> None:
    town = await make_town(
        api, context, worker, code="N05", category_code="postop", name="PICC/输液港维护", place=Place.BOTH,
        visit_fee_fen=Fen(8000), item_fee_fen=Fen(9000), material_fee_fen=Fen(4500), travel_fee_fen=Fen(3000),
    )  # fmt: skip
    starts_at = town.offered.starts_at(days=2, hour=10)
    quote = await town.family.post("/v1/bookings/quote", town.customer.wish(town.offered, starts_at))
    assert quote["total_fen"] == 24500
    assert "出发后取消，保留上门费与交通费" in quote["policy"]["words"], "said before any money"
    booking = await town.pay(await town.book(starts_at))
    visit = await town.accept_and_send(booking)
    path = f"/v1/bookings/{booking['id']}"

    before = await town.family.get(f"{path}/cancellation")
    assert (before["refund_fen"], before["because"]) == (24500, "in_time")
    await at(starts_at - timedelta(minutes=40))
    await town.step(visit, "depart")
    on_the_way = await town.family.get(f"{path}/cancellation")
    assert on_the_way == {"refund_fen": 13500, "kept_fen": 11000, "because": "departed"}

    ended = await town.family.post(f"{path}/cancel", {"reason": "导管堵塞，先去急诊"})
    assert (ended["state"], ended["refund_due_fen"]) == ("cancelled", 13500)
    ended = await town.booking_when(booking["id"], lambda found: found["refunded_fen"] == 13500)
    assert ended["state"] == "cancelled"
    payment = await town.family.get(f"/v1/payments/{booking['payment_id']}")
    assert [(each["amount_fen"], each["state"]) for each in payment["refunds"]] == [(13500, "succeeded")]

    called_off = await town.desk.get(f"/v1/hospital/visits/{visit['id']}")
    assert called_off["stage"] == "cancelled"
    assert (await town.nurse.get("/v1/notices"))["items"][0]["kind"] == "visit.taken_back"
    await town.nurse.refused(f"/v1/visits/{visit['id']}/start", {}, 409, "visit-step-out-of-order")
    assert (await town.notices(booking))[-2:] == ["booking.cancelled", "refund.succeeded"]
    postings = await town.books(booking)
    assert sum(entries.get("clearing", 0) for _, entries in postings) == 11000, "what the hospital's merchant holds"


async def test_at_the_door_it_is_nobodys_button_any_more(api: Api, context: Context, worker: Worker[Context]) -> None:
    town = await make_town(api, context, worker, code="N07", category_code="postop", name="伤口换药/拆线")
    starts_at = town.offered.starts_at(days=2, hour=10)
    booking = await town.pay(await town.book(starts_at))
    visit = await town.accept_and_send(booking)
    await at(starts_at - timedelta(minutes=10))
    await town.step(visit, "depart", "arrive")
    body = {"reason": "不想做了"}
    refusal = await town.family.refused(f"/v1/bookings/{booking['id']}/cancel", body, 409, "visit-already-arrived")
    assert "联系医院" in refusal["detail"]
    assert (await town.family.get(f"/v1/bookings/{booking['id']}"))["refund_due_fen"] == 0
