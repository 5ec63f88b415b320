"""The service begins."""

from __future__ import annotations

from tests.client import Api, refused
from tests.scenes.visits import Cast, make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import VisitStage
from yiyuebao_api.domains.visits.rules import Stage


async def test_it_begins_after_the_arrival(cast: Cast) -> None:
    visit_id = await cast.assign()
    refused(await cast.as_nurse.post(f"/v1/visits/{visit_id}/start"), 409, "visit-step-out-of-order")
    told = await cast.step(visit_id, "depart", "arrive", "start")
    assert told["stage"] == "started"
    assert (await cast.booking_row()).visit_stage is VisitStage.STARTED


async def test_once_more_is_the_same_visit(cast: Cast) -> None:
    visit_id = await cast.assign()
    first = await cast.step(visit_id, "depart", "arrive", "start")
    assert await cast.step(visit_id, "start") == first
    assert len(await cast.steps(visit_id)) == 4


async def test_only_who_is_sent(cast: Cast, context: Context, api: Api) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive")
    elsewhere = await make_cast(context, api)
    url = f"/v1/visits/{visit_id}/start"
    refused(await elsewhere.as_nurse.post(url), 404, "not-found")
    refused(await cast.as_patient.post(url), 403, "not-allowed")
    refused(await api.post(url), 401, "unauthenticated")
    assert (await cast.row(visit_id)).stage is Stage.ARRIVED
