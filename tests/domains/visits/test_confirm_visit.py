"""The patient confirms a finished visit."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.payments import make_payment
from tests.scenes.schedules import at
from tests.scenes.visits import Cast, tomorrow
from yiyuebao_api.domains.bookings.rules import BookingState, VisitStage
from yiyuebao_api.domains.partners.models import PartnerEvent
from yiyuebao_api.domains.settlements.models import Accrual
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.kernel.ids import PaymentId, VisitId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.tokens import Mode


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


async def test_the_shares_are_fixed_once(cast: Cast) -> None:
    booking = await cast.another_booking(
        payment_id=PaymentId.new(), total_fen=Fen(10001), starts_at=at(tomorrow(), "15:00")
    )
    await make_payment(cast.database, booking)
    visit_id = await cast.assign(booking)
    await cast.step(visit_id, "depart", "arrive", "start", "finish")
    as_payer = await cast.signed_in(Mode.PATIENT, booking.account_id)
    for _ in range(2):
        assert (await as_payer.post(url(visit_id))).status_code == 200
    async with cast.database.begin() as tx:
        accrual = (await tx.scalars(select(Accrual).where(Accrual.subject_id == str(booking.id)))).one()
    assert (accrual.net_fen, accrual.platform_fen, accrual.hospital_fen) == (10001, 500, 9501)


async def test_the_hospitals_systems_hear_of_every_stage(cast: Cast, finished: VisitId) -> None:
    await cast.as_patient.post(url(finished))
    async with cast.database.begin() as tx:
        told = list(await tx.scalars(select(PartnerEvent).order_by(PartnerEvent.id)))
    stages = ["departed", "arrived", "started", "finished", "confirmed"]
    assert [each.type.value for each in told] == ["booking.assigned", *(f"visit.{stage}" for stage in stages)]
    assert all(each.data["clinician_id"] == str(cast.nurse.id) for each in told)
    assert {each.data["visit_id"] for each in told[1:]} == {str(finished)}
    assert [each.data["state"] for each in told[1:]] == stages


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
