"""The patient's check-in code."""

from __future__ import annotations

from datetime import timedelta

from tests.client import Api, refused
from tests.scenes.visits import Cast
from yiyuebao_api.domains.schedules.rules import day_of, moment_of
from yiyuebao_api.domains.visits.service.codes import code_of, is_code
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import VisitId
from yiyuebao_api.kernel.schema import wire_time


def url(visit_id: VisitId) -> str:
    return f"/v1/visits/{visit_id}/code"


async def test_six_digits_until_midnight(cast: Cast) -> None:
    visit_id = await cast.assign()
    told = (await cast.as_patient.get(url(visit_id))).json()
    assert len(told["code"]) == 6
    assert told["code"].isdecimal()
    assert told["valid_until"] == wire_time(moment_of(day_of(clock.now()), 1440))
    assert (await cast.as_patient.get(url(visit_id))).json() == told


async def test_codes_differ_by_visit_and_by_day(api: Api) -> None:
    day = day_of(clock.now())
    visits = [VisitId.new() for _ in range(200)]
    assert len({code_of(visit_id, day) for visit_id in visits}) > 190
    assert len({code_of(visits[0], day + timedelta(days=n)) for n in range(200)}) > 190


async def test_a_code_outlives_midnight_by_ten_minutes(api: Api) -> None:
    visit_id, day = VisitId.new(), day_of(clock.now())
    code, midnight = code_of(visit_id, day), moment_of(day, 1440)
    assert is_code(visit_id, code, midnight - timedelta(seconds=1))
    assert is_code(visit_id, code, midnight + timedelta(minutes=9))
    assert not is_code(visit_id, code, midnight + timedelta(minutes=10))
    assert not is_code(visit_id, code, midnight - timedelta(days=1, seconds=1))


async def test_not_once_it_has_begun(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive")
    assert (await cast.as_patient.get(url(visit_id))).status_code == 200
    await cast.step(visit_id, "start")
    refused(await cast.as_patient.get(url(visit_id)), 409, "visit-step-out-of-order")


async def test_only_who_booked(cast: Cast, api: Api) -> None:
    visit_id = await cast.assign()
    refused(await cast.as_stranger.get(url(visit_id)), 404, "not-found")
    refused(await cast.as_nurse.get(url(visit_id)), 403, "not-allowed")
    refused(await cast.as_desk.get(url(visit_id)), 403, "not-allowed")
    refused(await api.get(url(visit_id)), 401, "unauthenticated")
