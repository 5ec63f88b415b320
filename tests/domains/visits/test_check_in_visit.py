"""The patient's code: at the hospital the arrival, at a door a proof; guessing stops after five."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.client import Api, refused
from tests.scenes.visits import Cast, make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import BookingState
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.rules import ClinicianState
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import VisitId
from yiyuebao_api.kernel.tokens import Mode


def url(visit_id: VisitId) -> str:
    return f"/v1/visits/{visit_id}/check-in"


async def code_of(cast: Cast, visit_id: VisitId) -> str:
    code: str = (await cast.as_patient.get(f"/v1/visits/{visit_id}/code")).json()["code"]
    return code


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def test_at_the_hospital_it_is_the_arrival(at_hospital: Cast) -> None:
    visit_id = await at_hospital.assign()
    answer = await at_hospital.as_nurse.post(url(visit_id), json={"code": await code_of(at_hospital, visit_id)})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["stage"], told["departed_at"], told["distance_m"]) == ("arrived", None, None)
    assert told["checked_in_at"] == told["arrived_at"]
    assert (await at_hospital.booking_row()).state is BookingState.UNDER_WAY
    await at_hospital.step(visit_id, "start", "finish")


async def test_at_a_door_it_may_be_the_arrival(cast: Cast) -> None:
    visit_id = await cast.assign()
    told = await cast.step(visit_id, "depart", "check-in")
    assert (told["stage"], told["distance_m"]) == ("arrived", None)


async def test_after_an_arrival_by_position_it_is_a_proof(cast: Cast) -> None:
    visit_id = await cast.assign()
    told = await cast.step(visit_id, "depart", "arrive")
    assert told["checked_in_at"] is None
    told = await cast.step(visit_id, "check-in")
    assert (told["stage"], told["distance_m"]) == ("arrived", 0)
    assert told["checked_in_at"] is not None
    assert [step.reason for step in await cast.steps(visit_id)] == [None, None, None, "check_in_code"]


async def test_once_more_is_the_same_visit(at_hospital: Cast) -> None:
    visit_id = await at_hospital.assign()
    first = await at_hospital.step(visit_id, "check-in")
    assert await at_hospital.step(visit_id, "check-in") == first
    assert len(await at_hospital.steps(visit_id)) == 2


async def test_a_wrong_code_is_refused_and_counted(at_hospital: Cast) -> None:
    visit_id = await at_hospital.assign()
    wrong = another(await code_of(at_hospital, visit_id))
    refused(await at_hospital.as_nurse.post(url(visit_id), json={"code": wrong}), 409, "check-in-code-wrong")
    visit = await at_hospital.row(visit_id)
    assert (visit.stage, visit.code_failures, visit.checked_in_at) == (Stage.ASSIGNED, 1, None)
    await at_hospital.step(visit_id, "check-in")
    assert (await at_hospital.row(visit_id)).code_failures == 0


async def test_five_wrong_codes_are_enough_even_all_at_once(at_hospital: Cast) -> None:
    visit_id = await at_hospital.assign()
    right = await code_of(at_hospital, visit_id)
    guesses = [at_hospital.as_nurse.post(url(visit_id), json={"code": another(right)}) for _ in range(12)]
    codes = [answer.json()["code"] for answer in await asyncio.gather(*guesses)]
    assert sorted(codes) == ["check-in-code-blocked"] * 7 + ["check-in-code-wrong"] * 5
    answer = await at_hospital.as_nurse.post(url(visit_id), json={"code": right})
    refused(answer, 429, "check-in-code-blocked")
    assert 890 <= int(answer.headers["Retry-After"]) <= 901
    clock.move(timedelta(minutes=15, seconds=1))
    as_nurse = await at_hospital.signed_in(Mode.CLINICIAN, at_hospital.nurse.account_id)
    still_today = await code_of_later(at_hospital, visit_id)
    assert (await as_nurse.post(url(visit_id), json={"code": still_today})).status_code == 200


async def code_of_later(cast: Cast, visit_id: VisitId) -> str:
    as_patient = await cast.signed_in(Mode.PATIENT, cast.booking.account_id)
    code: str = (await as_patient.get(f"/v1/visits/{visit_id}/code")).json()["code"]
    return code


async def test_yesterdays_code_is_wrong(at_hospital: Cast) -> None:
    visit_id = await at_hospital.assign()
    old = await code_of(at_hospital, visit_id)
    clock.move(timedelta(days=1, minutes=11))
    assert await code_of_later(at_hospital, visit_id) != old
    as_nurse = await at_hospital.signed_in(Mode.CLINICIAN, at_hospital.nurse.account_id)
    refused(await as_nurse.post(url(visit_id), json={"code": old}), 409, "check-in-code-wrong")


async def test_whether_they_may_serve_is_asked_again_at_the_hospital(at_hospital: Cast) -> None:
    visit_id = await at_hospital.assign()
    async with at_hospital.database.begin() as tx:
        (await tx.get_one(Clinician, at_hospital.nurse.id)).state = ClinicianState.SUSPENDED
    answer = await at_hospital.as_nurse.post(url(visit_id), json={"code": await code_of(at_hospital, visit_id)})
    refused(answer, 409, "clinician-unqualified")
    assert (await at_hospital.row(visit_id)).stage is Stage.ASSIGNED


async def test_at_home_somebody_departs_first(cast: Cast) -> None:
    visit_id = await cast.assign()
    answer = await cast.as_nurse.post(url(visit_id), json={"code": await code_of(cast, visit_id)})
    refused(answer, 409, "visit-step-out-of-order")


async def test_not_once_it_has_begun(cast: Cast) -> None:
    visit_id = await cast.assign()
    code = await code_of(cast, visit_id)
    await cast.step(visit_id, "depart", "arrive", "start")
    refused(await cast.as_nurse.post(url(visit_id), json={"code": code}), 409, "visit-step-out-of-order")


async def test_six_digits(at_hospital: Cast) -> None:
    visit_id = await at_hospital.assign()
    for code in ("12345", "1234567", "12345a", "１２３４５６"):
        refused(await at_hospital.as_nurse.post(url(visit_id), json={"code": code}), 422, "invalid-input")
    assert (await at_hospital.row(visit_id)).code_failures == 0


async def test_only_who_is_sent(at_hospital: Cast, context: Context, api: Api) -> None:
    visit_id = await at_hospital.assign()
    body = {"code": await code_of(at_hospital, visit_id)}
    elsewhere = await make_cast(context, api)
    refused(await elsewhere.as_nurse.post(url(visit_id), json=body), 404, "not-found")
    refused(await at_hospital.as_nurse.post(url(VisitId.new()), json=body), 404, "not-found")
    refused(await at_hospital.as_patient.post(url(visit_id), json=body), 403, "not-allowed")
    refused(await api.post(url(visit_id), json=body), 401, "unauthenticated")
    assert (await at_hospital.row(visit_id)).stage is Stage.ASSIGNED
