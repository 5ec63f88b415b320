"""The desk takes an assignment back; another one revives the visit."""

from __future__ import annotations

from tests.client import Api, refused
from tests.scenes.schedules import at
from tests.scenes.visits import Cast, make_cast, tomorrow
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import BookingState
from yiyuebao_api.domains.visits.rules import Stage

WHY = {"reason": "暂无可派人员，与患者另约时间"}


async def test_the_booking_waits_again(cast: Cast) -> None:
    visit_id = await cast.assign()
    answer = await cast.as_desk.post(f"/v1/hospital/visits/{visit_id}/unassign", json=WHY)
    assert answer.status_code == 200
    assert answer.json()["stage"] == "cancelled"
    booking = await cast.booking_row()
    assert (booking.state, booking.visit_stage) == (BookingState.ACCEPTED, None)
    await cast.assign(await cast.another_booking())  # the nurse is free again


async def test_the_next_assignment_revives_it_at_the_bookings_new_time(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cast.as_desk.post(f"/v1/hospital/visits/{visit_id}/unassign", json=WHY)
    async with cast.database.begin() as tx:
        booking = await tx.get_one(Booking, cast.booking.id)
        booking.starts_at, booking.ends_at = at(tomorrow(), "15:00"), at(tomorrow(), "16:00")
    assert await cast.assign() == visit_id
    visit = await cast.row(visit_id)
    assert (visit.stage, visit.cancelled_at, visit.starts_at) == (Stage.ASSIGNED, None, at(tomorrow(), "15:00"))
    assert visit.busy_from == at(tomorrow(), "14:30")
    assert [step.stage for step in await cast.steps(visit_id)] == [Stage.ASSIGNED, Stage.CANCELLED, Stage.ASSIGNED]


async def test_not_after_departure(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart")
    answer = await cast.as_desk.post(f"/v1/hospital/visits/{visit_id}/unassign", json=WHY)
    refused(answer, 409, "visit-step-out-of-order")
    assert (await cast.row(visit_id)).stage is Stage.DEPARTED


async def test_strangers_find_nothing(cast: Cast, context: Context, api: Api) -> None:
    visit_id = await cast.assign()
    elsewhere = await make_cast(context, api)
    url = f"/v1/hospital/visits/{visit_id}/unassign"
    refused(await elsewhere.as_desk.post(url, json=WHY), 404, "not-found")
    refused(await cast.as_patient.post(url, json=WHY), 403, "not-allowed")
    refused(await api.post(url, json=WHY), 401, "unauthenticated")
    assert (await cast.row(visit_id)).stage is Stage.ASSIGNED
