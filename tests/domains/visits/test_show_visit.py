"""One visit through the eyes of the patient, the clinician and the desk."""

from __future__ import annotations

from datetime import timedelta

from tests.client import Api, refused
from tests.scenes.visits import Cast, make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import BookingId, VisitId
from yiyuebao_api.kernel.tokens import Mode


async def test_the_patient_may_check_who_comes(cast: Cast) -> None:
    visit_id = await cast.assign()
    seen = (await cast.as_patient.get(f"/v1/visits/{visit_id}")).json()
    assert seen["clinician"]["name"] == "王海燕"
    assert seen["clinician"]["title"] == "supervisor_nurse"
    assert seen["clinician"]["licence_last4"] == "0023"
    assert seen["patient"]["phone"] == "+8613800138000"
    assert seen["address"]["detail"] == "滨海大道 1 号 2 栋 301"
    assert seen["note"] == "请先打电话"
    assert (seen["record"], seen["stage"]) == (None, "assigned")


async def test_the_clinician_sees_where_to_go(cast: Cast) -> None:
    visit_id = await cast.assign()
    seen = (await cast.as_nurse.get(f"/v1/visits/{visit_id}")).json()
    assert seen["address"]["detail"] == "滨海大道 1 号 2 栋 301"
    assert seen["address"]["lat"] is not None
    assert seen["patient"] == {
        "id": str(cast.booking.patient_id), "name": "陈秀英", "phone": "+8613800138000",
    }  # fmt: skip


async def test_a_day_after_the_end_only_the_district_is_left(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive", "start", "finish")
    clock.move(timedelta(hours=24, minutes=1))
    as_nurse = await cast.signed_in(Mode.CLINICIAN, cast.nurse.account_id)
    seen = (await as_nurse.get(f"/v1/visits/{visit_id}")).json()
    assert seen["address"] == {
        "adcode": "460106", "district": "海南省海口市龙华区", "detail": None, "recipient": None, "phone": None,
        "lat": None, "lng": None,
    }  # fmt: skip
    assert (seen["patient"]["name"], seen["patient"]["phone"], seen["note"]) == ("陈**", "138****8000", None)
    as_patient = await cast.signed_in(Mode.PATIENT, cast.booking.account_id)
    assert (await as_patient.get(f"/v1/visits/{visit_id}")).json()["address"]["detail"] is not None


async def test_what_happened_where_when_by_whom_is_always_there(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive", "start", "finish")
    seen = (await cast.as_desk.get(f"/v1/hospital/visits/{visit_id}")).json()
    for fact in (
        "service_code",
        "service_name",
        "patient",
        "starts_at",
        "address",
        "clinician",
        "started_at",
        "finished_at",
    ):
        assert seen[fact] is not None
    assert [step["stage"] for step in seen["steps"]] == ["assigned", "departed", "arrived", "started", "finished"]
    assert seen["record"]["advice"] == "保持干燥，三天后复查。"
    assert (seen["address"]["detail"], seen["patient"]["name"]) == (None, "陈**")


async def test_at_the_hospital_there_is_no_address(at_hospital: Cast) -> None:
    visit_id = await at_hospital.assign()
    assert (await at_hospital.as_patient.get(f"/v1/visits/{visit_id}")).json()["address"] is None


async def test_strangers_find_nothing(cast: Cast, context: Context, api: Api) -> None:
    visit_id = await cast.assign()
    elsewhere = await make_cast(context, api)
    url = f"/v1/visits/{visit_id}"
    as_itself_elsewhere = await cast.signed_in(Mode.CLINICIAN, cast.nurse.account_id, elsewhere=True)
    for stranger in (cast.as_stranger, elsewhere.as_nurse, elsewhere.as_patient, as_itself_elsewhere, cast.as_desk,
                     await cast.signed_in(Mode.OPERATOR)):  # fmt: skip
        refused(await stranger.get(url), 404, "not-found")
    refused(await cast.as_patient.get(f"/v1/visits/{VisitId.new()}"), 404, "not-found")
    refused(await cast.as_patient.get(f"/v1/visits/{BookingId.new()}"), 422, "invalid-input")
    refused(await api.get(url), 401, "unauthenticated")


async def test_the_person_in_the_other_mode_is_a_stranger(cast: Cast) -> None:
    visit_id = await cast.assign()
    nurse_as_patient = await cast.signed_in(Mode.PATIENT, cast.nurse.account_id)
    patient_as_nurse = await cast.signed_in(Mode.CLINICIAN, cast.booking.account_id)
    refused(await nurse_as_patient.get(f"/v1/visits/{visit_id}"), 404, "not-found")
    refused(await patient_as_nurse.get(f"/v1/visits/{visit_id}"), 404, "not-found")


async def test_another_desk_finds_nothing(cast: Cast, context: Context, api: Api) -> None:
    visit_id = await cast.assign()
    elsewhere = await make_cast(context, api)
    url = f"/v1/hospital/visits/{visit_id}"
    refused(await elsewhere.as_desk.get(url), 404, "not-found")
    refused(await cast.as_patient.get(url), 403, "not-allowed")
    refused(await api.get(url), 401, "unauthenticated")
