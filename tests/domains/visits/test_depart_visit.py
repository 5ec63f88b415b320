"""The nurse sets out."""

from __future__ import annotations

import asyncio
from datetime import date

from tests.client import Api, refused
from tests.scenes.visits import Cast, make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import BookingState, VisitStage
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.rules import ClinicianState
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.kernel.ids import VisitId


def url(visit_id: VisitId) -> str:
    return f"/v1/visits/{visit_id}/depart"


async def test_the_patient_sees_it_at_once(cast: Cast) -> None:
    visit_id = await cast.assign()
    answer = await cast.as_nurse.post(url(visit_id), json={"client_time": "2026-11-23T08:31:07+08:00"})
    assert answer.status_code == 200
    assert answer.json()["stage"] == "departed"
    seen = (await cast.as_patient.get(f"/v1/visits/{visit_id}")).json()
    assert seen["stage"] == "departed"
    assert seen["departed_at"] is not None
    assert [step["stage"] for step in seen["steps"]] == ["assigned", "departed"]
    assert seen["steps"][1]["client_time"] == "2026-11-23T08:31:07+08:00"
    booking = await cast.booking_row()
    assert (booking.state, booking.visit_stage) == (BookingState.UNDER_WAY, VisitStage.DEPARTED)


async def test_a_body_is_not_needed(cast: Cast) -> None:
    assert (await cast.as_nurse.post(url(await cast.assign()))).status_code == 200


async def test_a_double_tap_is_one_departure(cast: Cast) -> None:
    visit_id = await cast.assign()
    answers = await asyncio.gather(*(cast.as_nurse.post(url(visit_id)) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert [step.stage for step in await cast.steps(visit_id)] == [Stage.ASSIGNED, Stage.DEPARTED]


async def test_the_same_key_replays_the_answer(cast: Cast) -> None:
    visit_id = await cast.assign()
    first = await cast.as_nurse.post(url(visit_id), key="tap-1", json={})
    second = await cast.as_nurse.post(url(visit_id), key="tap-1", json={})
    assert first.text == second.text
    assert second.headers["Idempotent-Replayed"] == "true"


async def test_whether_they_may_be_sent_is_asked_again(cast: Cast) -> None:
    visit_id = await cast.assign()
    async with cast.database.begin() as tx:
        nurse = await tx.get_one(Clinician, cast.nurse.id)
        nurse.state, nurse.licence_valid_until = ClinicianState.SUSPENDED, date(2026, 1, 1)
    body = refused(await cast.as_nurse.post(url(visit_id)), 409, "clinician-unqualified")
    assert body["clauses"] == ["not_verified", "licence_expired"]
    assert (await cast.row(visit_id)).stage is Stage.ASSIGNED
    assert (await cast.booking_row()).state is BookingState.ASSIGNED


async def test_not_twice_on_the_way(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive")
    body = refused(await cast.as_nurse.post(url(visit_id)), 409, "visit-step-out-of-order")
    assert body["stage"] == "arrived"


async def test_nobody_departs_to_the_hospital(at_hospital: Cast) -> None:
    visit_id = await at_hospital.assign()
    refused(await at_hospital.as_nurse.post(url(visit_id)), 409, "visit-step-out-of-order")


async def test_only_who_is_sent(cast: Cast, context: Context, api: Api) -> None:
    visit_id = await cast.assign()
    elsewhere = await make_cast(context, api)
    refused(await elsewhere.as_nurse.post(url(visit_id)), 404, "not-found")
    refused(await cast.as_nurse.post(url(VisitId.new())), 404, "not-found")
    refused(await cast.as_patient.post(url(visit_id)), 403, "not-allowed")
    refused(await cast.as_desk.post(url(visit_id)), 403, "not-allowed")
    refused(await api.post(url(visit_id)), 401, "unauthenticated")
    assert (await cast.row(visit_id)).stage is Stage.ASSIGNED
