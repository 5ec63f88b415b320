"""慢病: a diabetic mother's foot care at home, moved to another day because her dialysis was."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.client import Api
from tests.journeys.actors import at, make_town
from tests.scenes.bookings import hold, make_customer
from yiyuebao_api.context import Context
from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.schema import wire_time


async def test_foot_care_is_moved_to_another_day(api: Api, context: Context, worker: Worker[Context]) -> None:
    town = await make_town(
        api, context, worker, code="N14", category_code="chronic", name="糖尿病足筛查与护理", place=Place.HOME,
        duration_min=60, visit_fee_fen=Fen(7000), item_fee_fen=Fen(8000), material_fee_fen=Fen(4001),
        travel_fee_fen=Fen(3000),
    )  # fmt: skip
    first, later = town.offered.starts_at(days=2, hour=9), town.offered.starts_at(days=3, hour=14)
    booking = await town.pay(await town.book(first))
    assert (booking["state"], booking["total_fen"]) == ("paid", 22001)
    await town.desk.act(f"/v1/hospital/bookings/{booking['id']}/accept")

    moved = await town.family.post(f"/v1/bookings/{booking['id']}/reschedule", {"starts_at": wire_time(later)})
    assert (moved["state"], moved["starts_at"], moved["total_fen"]) == ("accepted", wire_time(later), 22001)
    assert (await hold(await make_customer(api, context), town.offered, first))["state"] == "held", "free again"

    visit = await town.desk.post(
        "/v1/hospital/visits", {"booking_id": booking["id"], "clinician_id": str(town.clinician.id)}
    )
    assert visit["starts_at"] == wire_time(later)
    again = {"starts_at": wire_time(later + timedelta(hours=2))}
    await town.family.refused(f"/v1/bookings/{booking['id']}/reschedule", again, 409, "booking-state-refused")

    await at(later - timedelta(minutes=30))
    await town.step(visit, "depart", "arrive", "start", "finish")
    await town.family.act(f"/v1/visits/{visit['id']}/confirm")
    (accrual,) = (await town.desk.get("/v1/hospital/settlements/accruals"))["items"]
    assert (accrual["platform_fen"], accrual["hospital_fen"]) == (1100, 20901), "the odd fen is the hospital's"

    await at(datetime.fromisoformat(accrual["due_at"]) - timedelta(minutes=1))
    await worker.drain()
    assert (await town.desk.get("/v1/hospital/settlements/accruals"))["items"][0]["state"] == "pending"
    await at(datetime.fromisoformat(accrual["due_at"]) + timedelta(seconds=1))  # the wire has whole seconds
    await worker.drain()
    assert (await town.desk.get("/v1/hospital/settlements/accruals"))["items"][0]["state"] == "released"
    assert [kind for kind, _ in await town.books(booking)] == ["payment", "accrual", "release"]
    told = await town.notices(booking)
    assert told[:3] == ["booking.paid", "booking.accepted", "booking.rescheduled"]


async def test_a_new_date_is_asked_for_in_good_time(api: Api, context: Context, worker: Worker[Context]) -> None:
    """RULE-66: within six hours of the start it is too late, and the old date stands."""
    town = await make_town(api, context, worker, code="N13", category_code="chronic", name="血压血糖监测")
    first = town.offered.starts_at(days=2, hour=14)
    booking = await town.pay(await town.book(first))
    await at(first - timedelta(hours=5, minutes=59))
    body = {"starts_at": wire_time(first + timedelta(days=1))}
    await town.family.refused(f"/v1/bookings/{booking['id']}/reschedule", body, 409, "too-late-to-reschedule")
    assert (await town.family.get(f"/v1/bookings/{booking['id']}"))["starts_at"] == wire_time(first)


async def test_nobody_is_moved_into_their_own_other_visit(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    """B18 holds for a new date too: one person cannot be in two visits at once."""
    town = await make_town(api, context, worker, code="N13", category_code="chronic", name="血压血糖监测", capacity=2)
    first, other = town.offered.starts_at(days=2, hour=9), town.offered.starts_at(days=3, hour=9)
    booking, _ = await town.pay(await town.book(first)), await town.book(other)
    path = f"/v1/bookings/{booking['id']}/reschedule"
    await town.family.refused(path, {"starts_at": wire_time(other)}, 409, "patient-already-booked")
    moved = await town.family.post(path, {"starts_at": wire_time(other + timedelta(hours=3))})
    assert moved["starts_at"] == wire_time(other + timedelta(hours=3))
