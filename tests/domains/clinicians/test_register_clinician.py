"""A desk registers its staff, the operator verifies them, either takes them out of service."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.clinicians import make_clinician, prove
from tests.scenes.hospitals import as_desk, as_operator, as_patient, make_hospital
from yiyuebao_api.domains.accounts.queries import list_roles, phone_of
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind, ClinicianState, Title
from yiyuebao_api.domains.clinicians.queries import clinician_of_account
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalState
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import ClinicianId, HospitalId
from yiyuebao_api.kernel.tokens import Mode

DESK, OPERATOR = "/v1/hospital/clinicians", "/v1/operator/clinicians"
FILE: dict[str, Any] = {
    "kind": "nurse", "name": "王海燕", "sex": "female", "title": "supervisor_nurse", "specialty": "伤口造口护理",
    "intro": "从业八年。", "licence_no": "201846010023", "licence_valid_until": "2030-06-30", "clinical_years": 8,
}  # fmt: skip
NEW = {"phone": "13900139001", **FILE}


@pytest.fixture
async def hospital(database: Database) -> Hospital:
    return await make_hospital(database)


@pytest.fixture
async def desk(api: Api, database: Database, hospital: Hospital) -> Api:
    return await as_desk(api, database, hospital.id)


async def _stored(database: Database, clinician_id: str) -> Clinician:
    async with database.begin() as tx:
        return await tx.get_one(Clinician, ClinicianId.parse(clinician_id))


async def _modes(database: Database, clinician: Clinician) -> list[tuple[Mode, HospitalId | None]]:
    async with database.begin() as tx:
        return [(role.mode, role.hospital_id) for role in await list_roles(tx, clinician.account_id)]


async def test_from_registration_to_the_first_sign_in(
    api: Api, database: Database, desk: Api, hospital: Hospital
) -> None:
    made = await desk.post(DESK, json=NEW, key="k")
    body = made.json()
    assert (made.status_code, body["state"]) == (201, "draft")
    assert body["clauses"] == [
        "not_verified", "identity_not_verified", "licence_not_approved", "not_registered_here", "not_in_register", "title_not_approved",
        "not_trained", "liability_uninsured", "malpractice_uninsured", "accident_uninsured",
    ]  # fmt: skip
    assert body["licence_no"] == "20********23"
    clinician = await _stored(database, body["id"])
    async with database.begin() as tx:
        assert await phone_of(tx, clinician.account_id) == "+8613900139001"
    assert await _modes(database, clinician) == []
    refused(await api.get(f"/v1/clinicians/{body['id']}"), 404, "not-found")

    assert (await desk.post(f"{DESK}/{body['id']}/submit")).json()["state"] == "submitted"
    operator = await as_operator(api, database)
    assert [each["id"] for each in (await operator.get(OPERATOR)).json()["items"]] == [body["id"]]
    refused(await operator.post(f"{OPERATOR}/{body['id']}/verify"), 409, "clinician-unqualified")
    await prove(database, clinician)
    verified = (await operator.post(f"{OPERATOR}/{body['id']}/verify")).json()
    assert (verified["state"], verified["clauses"]) == ("verified", [])
    assert verified["verified_at"] is not None
    assert await _modes(database, clinician) == [(Mode.CLINICIAN, hospital.id)]

    signed = await sign_in(
        database, api.app.state.tokens, clinician.account_id, mode=Mode.CLINICIAN, hospital_id=hospital.id
    )
    me = api.signed_in(signed.access_token)
    assert (await me.get("/v1/clinicians/me")).json() == verified
    page = (await api.get(f"/v1/clinicians/{body['id']}")).json()
    assert (page["name"], page["title_name"]) == ("王海燕", "主管护师")
    assert not {"licence_no", "phone", "sex", "state"} & set(page)

    assert (await desk.post(f"{DESK}/{body['id']}/suspend", json={"reason": "休产假"})).json()["reason"] == "休产假"
    refused(await me.get("/v1/clinicians/me"), 401, "unauthenticated")
    assert await _modes(database, clinician) == []
    refused(await api.get(f"/v1/clinicians/{body['id']}"), 404, "not-found")
    back = (await operator.post(f"{OPERATOR}/{body['id']}/verify")).json()
    assert (back["state"], back["reason"]) == ("verified", None)
    assert await _modes(database, clinician) == [(Mode.CLINICIAN, hospital.id)]


async def test_a_rejected_file_is_corrected_and_submitted_again(api: Api, database: Database, desk: Api) -> None:
    made = (await desk.post(DESK, json=NEW)).json()
    path, operator = f"{OPERATOR}/{made['id']}", await as_operator(api, database)
    refused(await operator.post(f"{path}/reject", json={"reason": "还未提交"}), 409, "clinician-state-refused")
    await desk.post(f"{DESK}/{made['id']}/submit")
    refused(await desk.post(f"{DESK}/{made['id']}/submit"), 409, "clinician-state-refused")
    rejected = (await operator.post(f"{path}/reject", json={"reason": "照片不清晰"})).json()
    assert (rejected["state"], rejected["reason"]) == ("rejected", "照片不清晰")
    refused(await operator.post(f"{path}/verify"), 409, "clinician-state-refused")
    edited = (await desk.put(f"{DESK}/{made['id']}", json=FILE, version=rejected["version"])).json()
    assert (edited["state"], edited["reason"]) == ("draft", None)
    assert (await desk.post(f"{DESK}/{made['id']}/submit")).json()["state"] == "submitted"


async def test_an_edit_of_what_was_verified_must_be_verified_again(
    api: Api, database: Database, desk: Api, hospital: Hospital
) -> None:
    nurse = await make_clinician(database, hospital.id)
    path = f"{DESK}/{nurse.id}"
    refused(await desk.put(path, json=FILE), 428, "precondition-required")
    refused(await desk.put(path, json=FILE, version=5), 412, "precondition-failed")
    assert await _modes(database, nurse) == [(Mode.CLINICIAN, hospital.id)]
    edited = await desk.put(path, json={**FILE, "title": "chief_nurse"}, version=1)
    assert (edited.json()["state"], edited.headers["ETag"]) == ("draft", '"2"')
    assert await _modes(database, nurse) == []
    assert (await _stored(database, str(nurse.id))).title is Title.CHIEF_NURSE


async def test_a_suspended_file_is_not_edited(database: Database, desk: Api, hospital: Hospital) -> None:
    nurse = await make_clinician(database, hospital.id, state=ClinicianState.SUSPENDED)
    refused(await desk.put(f"{DESK}/{nurse.id}", json=FILE, version=1), 409, "clinician-state-refused")
    refused(await desk.post(f"{DESK}/{nurse.id}/suspend", json={"reason": "再次"}), 409, "clinician-state-refused")


@pytest.mark.parametrize(
    ("changes", "clauses"),
    [
        ({"clinical_years": 4}, ["too_few_years"]),
        ({"title": "nurse"}, ["title_too_low"]),
        ({"licence_valid_until": "2021-01-01"}, ["licence_expired"]),
        ({"kind": "doctor", "title": "attending_doctor", "clinical_years": 2}, ["too_few_years"]),
    ],
)
async def test_the_unqualified_are_not_verified(
    api: Api, database: Database, desk: Api, changes: dict[str, Any], clauses: list[str]
) -> None:
    made = (await desk.post(DESK, json={**NEW, **changes})).json()
    await prove(database, await _stored(database, made["id"]))
    operator = await as_operator(api, database)
    problem = refused(await operator.post(f"{OPERATOR}/{made['id']}/verify"), 409, "clinician-unqualified")
    assert problem["clauses"] == clauses
    stored = await _stored(database, made["id"])
    assert (stored.state, await _modes(database, stored)) == (ClinicianState.DRAFT, [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"phone": "12345"}, {"name": "王"}, {"name": "王1"}, {"clinical_years": -1}, {"clinical_years": 81},
        {"clinical_years": "8"}, {"kind": "wizard"}, {"title": "护师"}, {"licence_no": "1"}, {"sex": "x"},
        {"intro": ""}, {"state": "verified"},
    ],
)  # fmt: skip
async def test_a_registration_that_cannot_be(desk: Api, wrong: dict[str, Any]) -> None:
    refused(await desk.post(DESK, json={**NEW, **wrong}), 422, "invalid-input")
    assert (await desk.get(DESK)).json()["items"] == []


async def test_a_nurse_has_a_nurses_title(database: Database, desk: Api, hospital: Hospital) -> None:
    refused(await desk.post(DESK, json={**NEW, "title": "chief_doctor"}), 422, "title-of-other-kind")
    refused(await desk.post(DESK, json={**NEW, "kind": "doctor"}), 422, "title-of-other-kind")
    nurse = await make_clinician(database, hospital.id)
    wrong = {**FILE, "title": "resident_doctor"}
    refused(await desk.put(f"{DESK}/{nurse.id}", json=wrong, version=1), 422, "title-of-other-kind")
    assert (await _stored(database, str(nurse.id))).state is ClinicianState.VERIFIED


async def test_a_person_is_registered_once_per_hospital(api: Api, database: Database, desk: Api) -> None:
    answers = await asyncio.gather(*(desk.post(DESK, json=NEW) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]
    assert {each.json()["code"] for each in answers if each.status_code == 409} == {"clinician-already-registered"}
    other = await as_desk(api, database, (await make_hospital(database)).id)
    assert (await other.post(DESK, json=NEW)).status_code == 201
    async with database.begin() as tx:
        rows = (await tx.scalars(select(Clinician))).all()
        assert len({row.account_id for row in rows}) == 1
        assert await tx.scalar(select(func.count()).select_from(Clinician)) == 2


async def test_names_are_sealed_in_the_table(database: Database, hospital: Hospital) -> None:
    nurse = await make_clinician(database, hospital.id, name="王海燕", licence_no="201846010023")
    async with database.engine.connect() as connection:
        raw = (await connection.exec_driver_sql("SELECT name, licence_no FROM clinician")).mappings().one()
    assert "王海燕".encode() not in raw["name"]
    assert b"201846010023" not in raw["licence_no"]
    async with database.begin() as tx:
        found = await clinician_of_account(tx, nurse.account_id, hospital.id)
    assert found is not None
    assert found.name == "王海燕"


# ── who sees whom ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_patients_see_verified_staff_of_open_hospitals(api: Api, database: Database, hospital: Hospital) -> None:
    nurse = await make_clinician(database, hospital.id)
    doctor = await make_clinician(database, hospital.id, kind=ClinicianKind.DOCTOR)
    for state in (ClinicianState.DRAFT, ClinicianState.SUSPENDED):
        await make_clinician(database, hospital.id, state=state)
    await make_clinician(database, (await make_hospital(database)).id)
    params = {"hospital_id": str(hospital.id)}
    body = (await api.get("/v1/clinicians", params={**params, "limit": "1"})).json()
    assert [each["id"] for each in body["items"]] == [str(doctor.id)]
    rest = (await api.get("/v1/clinicians", params={**params, "cursor": body["next_cursor"]})).json()
    assert ([each["id"] for each in rest["items"]], rest["next_cursor"]) == ([str(nurse.id)], None)
    only = (await api.get("/v1/clinicians", params={**params, "kind": "nurse"})).json()
    assert [each["id"] for each in only["items"]] == [str(nurse.id)]

    closed = await make_hospital(database, state=HospitalState.SUSPENDED)
    hidden = await make_clinician(database, closed.id)
    refused(await api.get("/v1/clinicians", params={"hospital_id": str(closed.id)}), 404, "not-found")
    refused(await api.get(f"/v1/clinicians/{hidden.id}"), 404, "not-found")
    refused(await api.get("/v1/clinicians"), 422, "invalid-input")
    refused(await api.get("/v1/clinicians", params={**params, "cursor": "x"}), 422, "invalid-cursor")


async def test_a_desk_lists_only_its_own_staff(database: Database, desk: Api, hospital: Hospital) -> None:
    ours = await make_clinician(database, hospital.id)
    draft = await make_clinician(database, hospital.id, state=ClinicianState.DRAFT)
    theirs = await make_clinician(database, (await make_hospital(database)).id)
    assert [each["id"] for each in (await desk.get(DESK)).json()["items"]] == [str(draft.id), str(ours.id)]
    found = (await desk.get(DESK, params={"state": "draft", "kind": "nurse"})).json()["items"]
    assert [each["id"] for each in found] == [str(draft.id)]
    path = f"{DESK}/{theirs.id}"
    refused(await desk.get(path), 404, "not-found")
    refused(await desk.put(path, json=FILE, version=1), 404, "not-found")
    refused(await desk.post(f"{path}/submit"), 404, "not-found")
    refused(await desk.post(f"{path}/suspend", json={"reason": "不是我的"}), 404, "not-found")
    refused(await desk.get(DESK, params={"cursor": "x"}), 422, "invalid-cursor")
    assert (await _stored(database, str(theirs.id))).version == 1


async def test_the_operator_suspends_anybody(api: Api, database: Database, hospital: Hospital) -> None:
    nurse = await make_clinician(database, hospital.id)
    operator = await as_operator(api, database)
    path = f"{OPERATOR}/{nurse.id}"
    assert (await operator.get(path)).json()["state"] == "verified"
    suspended = (await operator.post(f"{path}/suspend", json={"reason": "不良执业记录"})).json()
    assert (suspended["state"], suspended["reason"]) == ("suspended", "不良执业记录")
    listed = (await operator.get(OPERATOR, params={"state": "suspended"})).json()["items"]
    assert [each["id"] for each in listed] == [str(nurse.id)]
    refused(await operator.get(OPERATOR, params={"cursor": "x"}), 422, "invalid-cursor")
    ghost = f"{OPERATOR}/{ClinicianId.new()}"
    refused(await operator.get(ghost), 404, "not-found")
    refused(await operator.post(f"{ghost}/verify"), 404, "not-found")
    for verb in ("reject", "suspend"):
        refused(await operator.post(f"{ghost}/{verb}", json={"reason": "没有"}), 404, "not-found")


async def test_each_door_has_its_caller(api: Api, database: Database, desk: Api, hospital: Hospital) -> None:
    nurse = await make_clinician(database, hospital.id)
    patient, operator = await as_patient(api, database), await as_operator(api, database)
    for path in (DESK, OPERATOR, "/v1/clinicians/me"):
        refused(await api.get(path), 401, "unauthenticated")
        refused(await patient.get(path), 403, "not-allowed")
    refused(await operator.get(DESK), 403, "not-allowed")
    refused(await desk.get(OPERATOR), 403, "not-allowed")
    for verb in ("verify", "suspend", "reject"):
        body = None if verb == "verify" else {"reason": "越权"}
        refused(await desk.post(f"{OPERATOR}/{nurse.id}/{verb}", json=body), 403, "not-allowed")
    stranger = await sign_in(database, api.app.state.tokens, mode=Mode.CLINICIAN, hospital_id=hospital.id)
    refused(await api.signed_in(stranger.access_token).get("/v1/clinicians/me"), 404, "not-found")
    assert (await _stored(database, str(nurse.id))).state is ClinicianState.VERIFIED
