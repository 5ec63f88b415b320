"""The nurse is there: within 500 metres of the address, or with a reason."""

from __future__ import annotations

import pytest

from tests.client import Api, refused
from tests.scenes.visits import DOOR, FAR_AWAY, Cast, make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import VisitStage
from yiyuebao_api.domains.visits.rules import ArrivalReason, Stage
from yiyuebao_api.kernel.geo import CoordType, Point, from_gcj02
from yiyuebao_api.kernel.ids import VisitId


def url(visit_id: VisitId) -> str:
    return f"/v1/visits/{visit_id}/arrive"


@pytest.fixture
async def on_the_way(cast: Cast) -> VisitId:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart")
    return visit_id


async def test_at_the_door(cast: Cast, on_the_way: VisitId) -> None:
    answer = await cast.as_nurse.post(url(on_the_way), json={**DOOR, "accuracy_m": 12.5})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["stage"], told["distance_m"], told["arrival_reason"]) == ("arrived", 0, None)
    assert (await cast.booking_row()).visit_stage is VisitStage.ARRIVED
    step = (await cast.steps(on_the_way))[-1]
    assert step.position == {"lat": DOOR["lat"], "lng": DOOR["lng"], "accuracy_m": 12.5}


async def test_coordinates_are_never_shown(cast: Cast, on_the_way: VisitId) -> None:
    await cast.as_nurse.post(url(on_the_way), json=DOOR)
    seen = (await cast.as_patient.get(f"/v1/visits/{on_the_way}")).json()
    assert all("position" not in step and "lat" not in step for step in seen["steps"])


async def test_wgs84_is_converted_first(cast: Cast, on_the_way: VisitId) -> None:
    lat, lng = from_gcj02(Point(**DOOR), CoordType.WGS84)
    answer = await cast.as_nurse.post(url(on_the_way), json={"lat": lat, "lng": lng, "coord_type": "wgs84"})
    assert answer.json()["distance_m"] == 0


async def test_wgs84_taken_for_gcj02_is_too_far(cast: Cast, on_the_way: VisitId) -> None:
    lat, lng = from_gcj02(Point(**DOOR), CoordType.WGS84)
    refused(await cast.as_nurse.post(url(on_the_way), json={"lat": lat, "lng": lng}), 409, "arrival-too-far")


async def test_too_far_needs_a_reason(cast: Cast, on_the_way: VisitId) -> None:
    body = refused(await cast.as_nurse.post(url(on_the_way), json=FAR_AWAY), 409, "arrival-too-far")
    assert (1990 <= body["distance_m"] <= 2010, body["most_m"]) == (True, 500)
    assert (await cast.row(on_the_way)).stage is Stage.DEPARTED
    assert len(await cast.steps(on_the_way)) == 2
    answer = await cast.as_nurse.post(
        url(on_the_way), json={**FAR_AWAY, "reason": "address_misplaced", "note": "地图标注在小区北门"}
    )
    assert answer.status_code == 200
    assert answer.json()["arrival_reason"] == "address_misplaced"
    visit, step = await cast.row(on_the_way), (await cast.steps(on_the_way))[-1]
    assert visit.arrival_reason is ArrivalReason.ADDRESS_MISPLACED
    assert step.reason == "address_misplaced 地图标注在小区北门"


async def test_a_reason_that_is_not_needed_is_not_kept(cast: Cast, on_the_way: VisitId) -> None:
    answer = await cast.as_nurse.post(url(on_the_way), json={**DOOR, "reason": "other"})
    assert answer.json()["arrival_reason"] is None


async def test_once_more_keeps_the_first_position(cast: Cast, on_the_way: VisitId) -> None:
    first = await cast.as_nurse.post(url(on_the_way), json=DOOR)
    second = await cast.as_nurse.post(url(on_the_way), json=FAR_AWAY)
    assert first.json() == second.json()
    assert len(await cast.steps(on_the_way)) == 3


async def test_not_before_departure(cast: Cast) -> None:
    visit_id = await cast.assign()
    refused(await cast.as_nurse.post(url(visit_id), json=DOOR), 409, "visit-step-out-of-order")


async def test_not_at_the_hospital(at_hospital: Cast) -> None:
    visit_id = await at_hospital.assign()
    refused(await at_hospital.as_nurse.post(url(visit_id), json=DOOR), 409, "visit-step-out-of-order")


@pytest.mark.parametrize(
    "body",
    [
        {"lat": 110.3, "lng": 20.0},
        {"lat": 48.85, "lng": 2.35},
        {"lat": "NaN", "lng": 110.3},
        {"lat": 20.0},
        {"lat": 20.0, "lng": 110.3, "coord_type": "mars"},
        {"lat": 20.0, "lng": 110.3, "accuracy_m": -1},
        {"lat": 20.0, "lng": 110.3, "reason": "just because"},
    ],
)
async def test_nonsense_is_refused(cast: Cast, on_the_way: VisitId, body: dict[str, object]) -> None:
    refused(await cast.as_nurse.post(url(on_the_way), json=body), 422, "invalid-input")


async def test_only_who_is_sent(cast: Cast, on_the_way: VisitId, context: Context, api: Api) -> None:
    elsewhere = await make_cast(context, api)
    refused(await elsewhere.as_nurse.post(url(on_the_way), json=DOOR), 404, "not-found")
    refused(await cast.as_patient.post(url(on_the_way), json=DOOR), 403, "not-allowed")
    refused(await api.post(url(on_the_way), json=DOOR), 401, "unauthenticated")
    assert (await cast.row(on_the_way)).stage is Stage.DEPARTED
