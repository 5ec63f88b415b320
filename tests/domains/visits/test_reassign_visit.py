"""The desk sends somebody else while nobody has set out."""

from __future__ import annotations

import asyncio

from tests.client import Api, refused
from tests.scenes.visits import Cast, make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import BookingState
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.kernel.ids import ClinicianId, VisitId
from yiyuebao_api.kernel.tokens import Mode


def url(visit_id: VisitId) -> str:
    return f"/v1/hospital/visits/{visit_id}/reassign"


def to(clinician_id: ClinicianId) -> dict[str, str]:
    return {"clinician_id": str(clinician_id), "reason": "原人员临时请假"}


async def test_somebody_else_comes(cast: Cast) -> None:
    visit_id = await cast.assign()
    other = await cast.another_nurse(name="林晓")
    answer = await cast.as_desk.post(url(visit_id), json=to(other.id))
    assert answer.status_code == 200
    assert answer.json()["clinician"]["name"] == "林晓"
    assert answer.json()["stage"] == "assigned"
    visit, steps = await cast.row(visit_id), await cast.steps(visit_id)
    assert visit.clinician_account_id == other.account_id
    assert [step.clinician_id for step in steps] == [cast.nurse.id, other.id]
    assert steps[-1].reason == "原人员临时请假"
    assert (await cast.booking_row()).state is BookingState.ASSIGNED


async def test_everybody_concerned_is_told(cast: Cast) -> None:
    visit_id = await cast.assign()
    other = await cast.another_nurse(name="林晓")
    await cast.as_desk.post(url(visit_id), json=to(other.id))
    as_other = await cast.signed_in(Mode.CLINICIAN, other.account_id)

    async def kinds(client: Api) -> list[str]:
        return [each["kind"] for each in (await client.get("/v1/notices")).json()["items"]]

    assert await kinds(cast.as_nurse) == ["visit.taken_back", "visit.assigned"]
    assert await kinds(as_other) == ["visit.assigned"]
    assert await kinds(cast.as_patient) == ["visit.reassigned", "visit.assigned"]


async def test_the_visit_is_gone_for_the_first_one(cast: Cast) -> None:
    visit_id = await cast.assign()
    other = await cast.another_nurse()
    await cast.as_desk.post(url(visit_id), json=to(other.id))
    refused(await cast.as_nurse.get(f"/v1/visits/{visit_id}"), 404, "not-found")
    refused(await cast.as_nurse.post(f"/v1/visits/{visit_id}/depart"), 404, "not-found")
    as_other = await cast.signed_in(Mode.CLINICIAN, other.account_id)
    assert (await as_other.post(f"/v1/visits/{visit_id}/depart")).status_code == 200


async def test_the_first_one_is_free_again(cast: Cast) -> None:
    visit_id = await cast.assign()
    other = await cast.another_nurse()
    await cast.as_desk.post(url(visit_id), json=to(other.id))
    at_the_same_time = await cast.another_booking()
    await cast.assign(at_the_same_time)


async def test_the_same_person_changes_nothing(cast: Cast) -> None:
    visit_id = await cast.assign()
    answer = await cast.as_desk.post(url(visit_id), json=to(cast.nurse.id))
    assert answer.status_code == 200
    assert len(await cast.steps(visit_id)) == 1


async def test_who_cannot_be_sent_is_refused_and_nothing_changes(cast: Cast) -> None:
    visit_id = await cast.assign()
    novice = await cast.another_nurse(clinical_years=1)
    body = refused(await cast.as_desk.post(url(visit_id), json=to(novice.id)), 409, "clinician-unqualified")
    assert body["clauses"] == ["too_few_years"]
    busy = await cast.another_nurse()
    await cast.assign(await cast.another_booking(), busy.id)
    refused(await cast.as_desk.post(url(visit_id), json=to(busy.id)), 409, "clinician-busy")
    assert (await cast.row(visit_id)).clinician_id == cast.nurse.id
    assert len(await cast.steps(visit_id)) == 1


async def test_not_after_departure(cast: Cast) -> None:
    visit_id = await cast.assign()
    other = await cast.another_nurse()
    await cast.step(visit_id, "depart")
    body = refused(await cast.as_desk.post(url(visit_id), json=to(other.id)), 409, "visit-step-out-of-order")
    assert body["stage"] == "departed"


async def test_departing_and_reassigning_at_once_ends_one_way(cast: Cast) -> None:
    visit_id = await cast.assign()
    other = await cast.another_nurse()
    departed, replaced = await asyncio.gather(
        cast.as_nurse.post(f"/v1/visits/{visit_id}/depart"), cast.as_desk.post(url(visit_id), json=to(other.id))
    )
    visit = await cast.row(visit_id)
    if replaced.status_code == 200:
        assert departed.status_code == 404
        assert (visit.stage, visit.clinician_id) == (Stage.ASSIGNED, other.id)
    else:
        assert (departed.status_code, replaced.status_code) == (200, 409)
        assert (visit.stage, visit.clinician_id) == (Stage.DEPARTED, cast.nurse.id)


async def test_strangers_find_nothing(cast: Cast, context: Context, api: Api) -> None:
    visit_id = await cast.assign()
    elsewhere = await make_cast(context, api)
    refused(await elsewhere.as_desk.post(url(visit_id), json=to(elsewhere.nurse.id)), 404, "not-found")
    refused(await cast.as_desk.post(url(visit_id), json=to(elsewhere.nurse.id)), 404, "not-found")
    refused(await cast.as_nurse.post(url(visit_id), json=to(cast.nurse.id)), 403, "not-allowed")
    refused(await api.post(url(visit_id), json=to(cast.nurse.id)), 401, "unauthenticated")
