"""The patient confirms a finished visit."""

from __future__ import annotations

import asyncio

import pytest

from tests.client import Api, refused
from tests.scenes.visits import Cast
from yiyuebao_api.domains.bookings.rules import BookingState, VisitStage
from yiyuebao_api.domains.visits.rules import Confirmer, Stage
from yiyuebao_api.kernel.ids import VisitId


def url(visit_id: VisitId) -> str:
    return f"/v1/visits/{visit_id}/confirm"


@pytest.fixture
async def finished(cast: Cast) -> VisitId:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive", "start", "finish")
    return visit_id


async def test_the_booking_is_closed(cast: Cast, finished: VisitId) -> None:
    answer = await cast.as_patient.post(url(finished))
    assert answer.status_code == 200
    told = answer.json()
    assert (told["stage"], told["confirmed_by"]) == ("confirmed", "patient")
    assert told["address"]["detail"] is not None
    booking = await cast.booking_row()
    assert (booking.state, booking.visit_stage) == (BookingState.CLOSED, VisitStage.CONFIRMED)
    step = (await cast.steps(finished))[-1]
    assert (step.stage, step.actor_id) == (Stage.CONFIRMED, cast.booking.account_id)


async def test_once_more_is_the_same_visit(cast: Cast, finished: VisitId) -> None:
    answers = await asyncio.gather(*(cast.as_patient.post(url(finished)) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(await cast.steps(finished)) == 6


async def test_not_before_the_end(cast: Cast) -> None:
    visit_id = await cast.assign()
    body = refused(await cast.as_patient.post(url(visit_id)), 409, "visit-step-out-of-order")
    assert body["stage"] == "assigned"


async def test_only_who_booked(cast: Cast, finished: VisitId, api: Api) -> None:
    refused(await cast.as_stranger.post(url(finished)), 404, "not-found")
    refused(await cast.as_patient.post(url(VisitId.new())), 404, "not-found")
    refused(await cast.as_nurse.post(url(finished)), 403, "not-allowed")
    refused(await cast.as_desk.post(url(finished)), 403, "not-allowed")
    refused(await api.post(url(finished)), 401, "unauthenticated")
    visit = await cast.row(finished)
    assert (visit.stage, visit.confirmed_by) == (Stage.FINISHED, None)
    assert Confirmer.PATIENT.value == "patient"
