"""A person fills in certificates of their own file, the operator decides, and only that proves anything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.sandbox_server import SandboxServer
from tests.scenes.accounts import plan_fault, sign_in
from tests.scenes.clinicians import make_clinician
from tests.scenes.files import picture, send
from tests.scenes.hospitals import as_desk, as_operator, as_patient, make_hospital
from tests.scenes.patients import make_patient
from yiyuebao_api import wiring
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind, ClinicianState, Qualification, Title
from yiyuebao_api.domains.clinicians.rules import Practice, QualificationState
from yiyuebao_api.domains.hospitals.models import Hospital
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.patients.rules import Relation
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import ClinicianId, FileId, QualificationId
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.seed.cards import draw_paper

MINE, QUEUE = "/v1/clinicians/qualifications", "/v1/operator/clinicians/qualifications"
LICENCE: dict[str, Any] = {
    "holder_name": "王海燕", "number": "201846010023", "issued_on": "2018-05-04", "valid_until": "2031-06-30",
    "practice_place": "海口市人民医院",
}  # fmt: skip
PRINTED = ["中华人民共和国护士执业证书", "姓名：王海燕", "护士执业证书编号：201846010023", "有效期至2031年6月30日"]
CHECKED = {"practice": "registered", "e_reg_checked_on": "2026-11-20", "e_reg_source": "全国护士电子注册系统"}
UNPROVEN: dict[str, Any] = {
    "state": ClinicianState.SUBMITTED, "verified_at": None, "identity_checked_at": None, "licence_checked_at": None, "practice": None,
    "e_reg_checked_on": None, "e_reg_source": None, "title_checked_at": None,
}  # fmt: skip


@pytest.fixture
async def hospital(database: Database) -> Hospital:
    return await make_hospital(database)


@pytest.fixture
async def nurse(database: Database, hospital: Hospital) -> Clinician:
    return await make_clinician(database, hospital.id, **UNPROVEN)


@pytest.fixture
async def person(api: Api, database: Database, nurse: Clinician) -> Api:
    """The nurse in patient mode, before anybody has verified her."""
    signed = await sign_in(database, api.app.state.tokens, nurse.account_id)
    return api.signed_in(signed.access_token)


@pytest.fixture
async def operator(api: Api, database: Database) -> Api:
    return await as_operator(api, database)


def _seen(version: int) -> dict[str, str]:
    return {"If-Match": f'"{version}"'}


def _new(nurse: Clinician, **changes: Any) -> dict[str, Any]:
    return {"clinician_id": str(nurse.id), "kind": "nurse_licence", **LICENCE, **changes}


async def _photo(person: Api, content: bytes | None = None, purpose: str = "licence") -> str:
    answer = await send(person, content or draw_paper(PRINTED), purpose)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _begun(person: Api, nurse: Clinician, **changes: Any) -> dict[str, Any]:
    if "photo_ids" not in changes:
        changes["photo_ids"] = [await _photo(person)]
    answer = await person.post(MINE, json=_new(nurse, **changes))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def _submitted(person: Api, nurse: Clinician, **changes: Any) -> dict[str, Any]:
    made = await _begun(person, nurse, **changes)
    answer = await person.post(f"{MINE}/{made['id']}/submit")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def _file(database: Database, nurse: Clinician) -> Clinician:
    async with database.begin() as tx:
        return await tx.get_one(Clinician, nurse.id)


async def _paper(database: Database, paper_id: str) -> Qualification:
    async with database.begin() as tx:
        return await tx.get_one(Qualification, QualificationId.parse(paper_id))


async def test_from_recognised_lines_to_the_verified_nurse(
    database: Database, person: Api, operator: Api, nurse: Clinician
) -> None:
    lines = ["姓名：王海燕", "护士执业证书编号：201846010023", "有效期至2031年6月30日"]
    read = (await person.post(f"{MINE}/reading", json={"kind": "nurse_licence", "lines": lines})).json()
    assert (read["holder_name"], read["number"], read["valid_until"]) == ("王海燕", "201846010023", "2031-06-30")
    licence = await _submitted(person, nurse)
    title = await _submitted(person, nurse, kind="title", number="B20461234", title="supervisor_nurse")
    assert (licence["state"], licence["version"]) == ("submitted", 2)
    assert [each["id"] for each in (await operator.get(QUEUE)).json()["items"]] == [title["id"], licence["id"]]

    verify = f"/v1/operator/clinicians/{nurse.id}/verify"
    missing = refused(await operator.post(verify), 409, "clinician-unqualified")["clauses"]
    assert missing.pop(0) == "identity_not_verified"
    await make_patient(database, nurse.account_id, name="王海艳", relation=Relation.PARENT)  # another's card is not hers
    await make_patient(database, nurse.account_id, name="王 海燕", relation=Relation.SELF)
    assert missing == ["licence_not_approved", "not_registered_here", "not_in_register", "title_not_approved"]
    done = await operator.post(f"{QUEUE}/{licence['id']}/approve", json=CHECKED, headers=_seen(2))
    assert (done.json()["state"], done.headers["ETag"]) == ("approved", '"3"')
    assert (await operator.post(f"{QUEUE}/{title['id']}/approve", json={}, headers=_seen(2))).json()["state"] == "approved"
    assert (await operator.post(verify)).json()["state"] == "verified"

    file = await _file(database, nurse)
    assert (file.practice, file.e_reg_source, str(file.licence_valid_until)) == (
        Practice.REGISTERED, "全国护士电子注册系统", "2031-06-30",
    )  # fmt: skip
    mine = (await person.get("/v1/clinicians/mine")).json()
    assert [(each["id"], each["clauses"]) for each in mine] == [(str(nurse.id), [])]
    async with database.begin() as tx:
        told = (await tx.scalars(select(Notice.kind).where(Notice.account_id == nurse.account_id))).all()
    assert list(told) == ["qualification.approved"] * 2


async def test_a_submitted_certificate_waits_in_the_operators_queue(person: Api, operator: Api, nurse: Clinician) -> None:
    made = await _submitted(person, nurse)
    path = "/v1/operator/operations/queues/items"
    (item,) = (await operator.get(path, params={"kind": "qualification"})).json()["items"]
    assert (item["subject"], item["decided_at"]) == (made["id"], f"{QUEUE}/{made['id']}")
    assert (await operator.post(f"{path}/{made['id']}/claim")).status_code == 200
    await operator.post(f"{QUEUE}/{made['id']}/approve", json=CHECKED, headers=_seen(2))
    assert (await operator.get(path, params={"kind": "qualification"})).json()["items"] == []


async def test_a_rejected_certificate_is_corrected(
    database: Database, person: Api, operator: Api, nurse: Clinician
) -> None:
    made = await _submitted(person, nurse)
    path = f"{MINE}/{made['id']}"
    why = {"fault": "unreadable", "reason": "照片反光，编号看不清。"}
    sent_back = (await operator.post(f"{QUEUE}/{made['id']}/reject", json=why)).json()
    assert (sent_back["state"], sent_back["fault"], sent_back["reason"]) == ("rejected", "unreadable", why["reason"])
    refused(await operator.post(f"{QUEUE}/{made['id']}/reject", json=why), 409, "qualification-state-refused")
    refused(await person.post(MINE, json=_new(nurse)), 409, "qualification-already-open")
    refused(await person.put(path, json=LICENCE), 428, "precondition-required")
    refused(await person.put(path, json=LICENCE, version=1), 412, "precondition-failed")
    kept = {"photo_ids": made["photo_ids"]}
    edited = await person.put(path, json={**LICENCE, **kept, "number": "201846010024"}, version=3)
    assert (edited.json()["state"], edited.json()["number"]) == ("draft", "201846010024")
    assert (await person.post(f"{path}/submit")).json()["state"] == "submitted"
    refused(await person.put(path, json=LICENCE, version=5), 409, "qualification-state-refused")
    assert (await person.post(f"{path}/withdraw")).json()["state"] == "draft"
    refused(await person.post(f"{path}/withdraw"), 409, "qualification-state-refused")
    assert (await _file(database, nurse)).licence_checked_at is None


async def test_what_a_machine_can_refuse_never_reaches_the_queue(
    database: Database, person: Api, operator: Api, nurse: Clinician
) -> None:
    made = await _begun(person, nurse, holder_name="李小红", valid_until="2020-01-01", number="12345678")
    problem = refused(await person.post(f"{MINE}/{made['id']}/submit"), 409, "qualification-not-acceptable")
    assert problem["faults"] == ["name_differs", "number_malformed", "past_last_day"]
    assert (await _paper(database, made["id"])).state is QualificationState.DRAFT
    assert (await operator.get(QUEUE)).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, ["not_registered_here", "not_in_register"]),
        ({**CHECKED, "practice": None}, ["not_registered_here"]),
        ({**CHECKED, "e_reg_source": None}, ["not_in_register"]),
        ({**CHECKED, "e_reg_checked_on": "2199-01-01"}, ["not_in_register"]),
    ],
)
async def test_a_licence_is_compared_with_its_register(
    database: Database, person: Api, operator: Api, nurse: Clinician, body: dict[str, Any], faults: list[str]
) -> None:
    made = await _submitted(person, nurse)
    answer = await operator.post(f"{QUEUE}/{made['id']}/approve", json=body, headers=_seen(2))
    assert refused(answer, 409, "qualification-not-acceptable")["faults"] == faults
    assert (await _paper(database, made["id"])).state is QualificationState.SUBMITTED
    assert (await _file(database, nurse)).licence_checked_at is None


async def test_a_number_belongs_to_one_person(
    api: Api, database: Database, person: Api, operator: Api, nurse: Clinician, hospital: Hospital
) -> None:
    first = await _submitted(person, nurse)
    await operator.post(f"{QUEUE}/{first['id']}/approve", json=CHECKED, headers=_seen(2))
    twin = await make_clinician(database, hospital.id, **UNPROVEN)
    signed = await sign_in(database, api.app.state.tokens, twin.account_id)
    other = await _submitted(api.signed_in(signed.access_token), twin)
    answer = await operator.post(f"{QUEUE}/{other['id']}/approve", json=CHECKED, headers=_seen(2))
    assert refused(answer, 409, "qualification-not-acceptable")["faults"] == ["number_taken"]


async def test_one_number_approved_for_two_at_once_is_approved_for_one(
    api: Api, database: Database, person: Api, operator: Api, nurse: Clinician, hospital: Hospital
) -> None:
    twin = await make_clinician(database, hospital.id, **UNPROVEN)
    signed = await sign_in(database, api.app.state.tokens, twin.account_id)
    papers = [await _submitted(person, nurse), await _submitted(api.signed_in(signed.access_token), twin)]
    answers = await asyncio.gather(
        *(operator.post(f"{QUEUE}/{each['id']}/approve", json=CHECKED, headers=_seen(2)) for each in papers)
    )
    assert sorted(each.status_code for each in answers) == [200, 409]
    states = sorted([(await _paper(database, each["id"])).state.value for each in papers])
    assert states == ["approved", "submitted"]


async def test_a_renewal_replaces_what_it_renews(
    database: Database, person: Api, operator: Api, nurse: Clinician
) -> None:
    old = await _submitted(person, nurse)
    await operator.post(f"{QUEUE}/{old['id']}/approve", json=CHECKED, headers=_seen(2))
    new = await _submitted(person, nurse, valid_until="2036-06-30")
    await operator.post(f"{QUEUE}/{new['id']}/approve", json={**CHECKED, "practice": "filed"}, headers=_seen(2))
    states = {each["id"]: each["state"] for each in (await person.get(MINE)).json()["items"]}
    assert states == {old["id"]: "expired", new["id"]: "approved"}
    file = await _file(database, nurse)
    assert (str(file.licence_valid_until), file.practice) == ("2036-06-30", Practice.FILED)


async def test_a_doctor_shows_a_doctors_licence(api: Api, database: Database, hospital: Hospital) -> None:
    doctor = await make_clinician(database, hospital.id, kind=ClinicianKind.DOCTOR, **UNPROVEN)
    signed = await sign_in(database, api.app.state.tokens, doctor.account_id)
    person = api.signed_in(signed.access_token)
    refused(await person.post(MINE, json=_new(doctor)), 422, "qualification-of-other-kind")
    number = {"kind": "doctor_licence", "holder_name": "陈明", "number": "110460100000123", "valid_until": None}
    assert (await _begun(person, doctor, **number))["kind"] == "doctor_licence"


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": "1"}, {"holder_name": "王1"}, {"kind": "passport"}, {"valid_until": "2026-13-01"}, {"lines": ["x"]},
        {"photo_ids": ["fil_1"]}, {"photo_ids": [str(FileId.new()) for _ in range(5)]},
        {"state": "approved"}, {"title": "护师"}, {"practice": "registered"},
    ],
)  # fmt: skip
async def test_a_certificate_that_cannot_be(person: Api, nurse: Clinician, wrong: dict[str, Any]) -> None:
    refused(await person.post(MINE, json=_new(nurse, **wrong)), 422, "invalid-input")
    assert (await person.get(MINE)).json()["items"] == []


async def test_somebody_elses_is_not_there(
    api: Api, database: Database, person: Api, operator: Api, nurse: Clinician, hospital: Hospital
) -> None:
    made = await _begun(person, nurse)
    stranger = await as_patient(api, database)
    refused(await stranger.post(MINE, json=_new(nurse)), 404, "not-found")
    for door in (made["id"], str(QualificationId.new())):
        refused(await stranger.get(f"{MINE}/{door}"), 404, "not-found")
        refused(await stranger.put(f"{MINE}/{door}", json=LICENCE, version=1), 404, "not-found")
        for verb in ("submit", "withdraw"):
            refused(await stranger.post(f"{MINE}/{door}/{verb}"), 404, "not-found")
    assert (await stranger.get(MINE)).json()["items"] == (await stranger.get("/v1/clinicians/mine")).json() == []
    ghost = f"{QUEUE}/{QualificationId.new()}"
    refused(await operator.get(ghost), 404, "not-found")
    refused(await operator.post(f"{ghost}/approve", json=CHECKED, headers=_seen(1)), 404, "not-found")
    refused(await operator.post(f"{ghost}/reject", json={"fault": "altered", "reason": "没有"}), 404, "not-found")
    refused(await operator.get(QUEUE, params={"cursor": "x"}), 422, "invalid-cursor")
    refused(await person.get(MINE, params={"cursor": "x"}), 422, "invalid-cursor")
    desk = await as_desk(api, database, hospital.id)
    for caller in (person, desk):
        refused(await caller.get(QUEUE), 403, "not-allowed")
        refused(await caller.post(f"{QUEUE}/{made['id']}/approve", json=CHECKED, headers=_seen(1)), 403, "not-allowed")
    refused(await api.get(MINE), 401, "unauthenticated")
    assert (await _paper(database, made["id"])).version == 1


async def test_certificates_are_sealed_in_the_table(database: Database, person: Api, nurse: Clinician) -> None:
    await _begun(person, nurse)
    async with database.engine.connect() as connection:
        raw = (await connection.exec_driver_sql("SELECT holder_name, number FROM qualification")).one()
    assert all("王海燕".encode() not in each and b"201846010023" not in each for each in raw)


# ── photographs ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def _read(context: Context) -> None:
    """What the worker does after a submission."""
    await Worker(context.begin, context, wiring.JOBS, {}).drain("clinicians.read_photos")


async def test_a_photograph_fills_in_a_certificate(person: Api) -> None:
    photo = {"kind": "nurse_licence", "file_id": await _photo(person)}
    read = (await person.post(f"{MINE}/photo-reading", json=photo)).json()
    assert (read["holder_name"], read["number"], read["valid_until"]) == ("王海燕", "201846010023", "2031-06-30")
    blank = {"kind": "nurse_licence", "file_id": await _photo(person, picture())}
    assert set((await person.post(f"{MINE}/photo-reading", json=blank)).json().values()) == {None}


@pytest.mark.parametrize("code", ["282000", "17"])  # down, over quota
async def test_a_reader_that_is_away_leaves_the_typing(
    person: Api, nurse: Clinician, sandbox: SandboxServer, code: str
) -> None:
    photo = {"kind": "nurse_licence", "file_id": await _photo(person)}
    await plan_fault(sandbox.base_url, "baidu", kind="code", code=code, path="/rest")
    refused(await person.post(f"{MINE}/photo-reading", json=photo), 503, "certificate-not-readable")
    assert (await _submitted(person, nurse))["state"] == "submitted"


async def test_the_reviewer_sees_the_photograph_and_where_it_differs(
    api: Api, database: Database, context: Context, person: Api, operator: Api, nurse: Clinician
) -> None:
    made = await _submitted(person, nurse, number="201846010099")
    before = (await operator.get(f"{QUEUE}/{made['id']}")).json()
    assert (before["read"], before["differences"]) == (None, [])
    await _read(context)
    shown = (await operator.get(f"{QUEUE}/{made['id']}")).json()
    assert (shown["version"], shown["differences"], shown["read"]["number"]) == (2, ["number"], "201846010023")
    (link,) = shown["photos"]
    assert (await api.get(link["url"])).headers["content-type"] == "image/jpeg"
    assert (await person.get(f"{MINE}/{made['id']}")).json()["photos"][0]["url"].partition("?")[0] == link["url"].partition("?")[0]
    async with database.begin() as tx:
        looked = await tx.scalars(select(AuditEntry.action).where(AuditEntry.subject == made["id"]))
        assert set(looked) == {"clinicians.show_qualification"}


async def test_without_a_photograph_nothing_is_submitted(
    api: Api, database: Database, context: Context, person: Api, nurse: Clinician
) -> None:
    made = await _begun(person, nurse, photo_ids=[])
    problem = refused(await person.post(f"{MINE}/{made['id']}/submit"), 409, "qualification-not-acceptable")
    assert problem["faults"] == ["no_photo"]
    stranger = await as_patient(api, database)
    theirs, card = await _photo(stranger), await _photo(person, purpose="portrait")
    for wrong in (theirs, card, str(FileId.new())):
        refused(await person.put(f"{MINE}/{made['id']}", json={**LICENCE, "photo_ids": [wrong]}, version=1), 422, "file-not-found")
        read = {"kind": "nurse_licence", "file_id": wrong}
        refused(await person.post(f"{MINE}/photo-reading", json=read), 422, "file-not-found")
    refused(await person.post(MINE, json=_new(nurse, kind="title", photo_ids=[theirs])), 422, "file-not-found")
    assert (await _paper(database, made["id"])).version == 1


async def test_a_reading_that_comes_late_is_of_the_version_it_read(
    context: Context, database: Database, person: Api, nurse: Clinician
) -> None:
    made = await _submitted(person, nurse)
    await person.post(f"{MINE}/{made['id']}/withdraw")
    await _read(context)
    assert (await _paper(database, made["id"])).recognised is None


# ── at once ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_begun_and_submitted_by_many_fingers_it_is_one(database: Database, person: Api, nurse: Clinician) -> None:
    new = _new(nurse, photo_ids=[await _photo(person)])
    answers = await asyncio.gather(*(person.post(MINE, json=new) for _ in range(6)))
    assert sorted(each.status_code for each in answers) == [201] + [409] * 5
    made = next(each.json() for each in answers if each.status_code == 201)
    taps = await asyncio.gather(*(person.post(f"{MINE}/{made['id']}/submit") for _ in range(6)))
    assert sorted(each.status_code for each in taps) == [200] + [409] * 5
    assert (await _paper(database, made["id"])).version == 2
    async with database.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(Qualification)) == 1


async def test_what_is_approved_is_what_was_looked_at(
    database: Database, person: Api, operator: Api, nurse: Clinician
) -> None:
    """Withdrawn, changed and submitted again while the reviewer was looking: the old look approves nothing."""
    made = await _submitted(person, nurse)
    path = f"{MINE}/{made['id']}"
    refused(await operator.post(f"{QUEUE}/{made['id']}/approve", json=CHECKED), 428, "precondition-required")
    await person.post(f"{path}/withdraw")
    changed = {**LICENCE, "number": "201846010099", "photo_ids": made["photo_ids"]}
    await person.put(path, json=changed, version=3)
    await person.post(f"{path}/submit")
    answer = await operator.post(f"{QUEUE}/{made['id']}/approve", json=CHECKED, headers=_seen(2))
    refused(answer, 412, "precondition-failed")
    assert (await _file(database, nurse)).licence_checked_at is None


async def test_approval_and_withdrawal_at_once_are_one_of_both(
    database: Database, person: Api, operator: Api, nurse: Clinician
) -> None:
    made = await _submitted(person, nurse)
    approve = operator.post(f"{QUEUE}/{made['id']}/approve", json=CHECKED, headers=_seen(2))
    answers = await asyncio.gather(approve, person.post(f"{MINE}/{made['id']}/withdraw"))
    assert sorted(each.status_code for each in answers) in ([200, 409], [200, 412])
    paper, file = await _paper(database, made["id"]), await _file(database, nurse)
    assert (paper.state is QualificationState.APPROVED) == (file.licence_checked_at is not None)


# ── readiness, adverse records ───────────────────────────────────────────────────────────────────────────────────────

READY = {
    "training_passed_on": "2026-03-01", "liability_until": "2030-12-31", "malpractice_until": "2030-12-31",
    "accident_until": None,
}  # fmt: skip


async def test_the_desk_says_what_it_trained_and_insured(
    api: Api, database: Database, operator: Api, hospital: Hospital
) -> None:
    nurse = await make_clinician(database, hospital.id)
    desk = await as_desk(api, database, hospital.id)
    path = f"/v1/hospital/clinicians/{nurse.id}/readiness"
    refused(await desk.put(path, json=READY), 428, "precondition-required")
    refused(await desk.put(path, json=READY, version=9), 412, "precondition-failed")
    refused(await desk.put(path, json={"training_passed_on": None}, version=1), 422, "invalid-input")
    done = (await desk.put(path, json=READY, version=1)).json()
    assert (done["state"], done["clauses"], done["version"]) == ("verified", ["accident_uninsured"], 2)
    other = await as_desk(api, database, (await make_hospital(database)).id)
    refused(await other.put(path, json=READY, version=2), 404, "not-found")
    refused(await operator.put(path, json=READY, version=2), 403, "not-allowed")


async def test_the_desk_says_what_they_are_able_to_do(
    api: Api, database: Database, operator: Api, hospital: Hospital
) -> None:
    nurse, desk = await make_clinician(database, hospital.id, item_codes=[]), await as_desk(api, database, hospital.id)
    path, body = f"/v1/hospital/clinicians/{nurse.id}/items", {"item_codes": ["N05"]}
    refused(await desk.put(path, json=body), 428, "precondition-required")
    refused(await desk.put(path, json=body, version=9), 412, "precondition-failed")
    for wrong in ({}, {"item_codes": ["换药"]}, {"item_codes": ["N05"] * 201}):
        refused(await desk.put(path, json=wrong, version=1), 422, "invalid-input")
    done = (await desk.put(path, json=body, version=1)).json()
    assert (done["item_codes"], done["state"], done["version"]) == (["N05"], "verified", 2)
    other = await as_desk(api, database, (await make_hospital(database)).id)
    refused(await other.put(path, json=body, version=2), 404, "not-found")
    refused(await operator.put(path, json=body, version=2), 403, "not-allowed")
    gone = await make_clinician(database, hospital.id, state=ClinicianState.EXITED)
    left = f"/v1/hospital/clinicians/{gone.id}/items"
    refused(await desk.put(left, json=body, version=1), 409, "clinician-state-refused")


async def test_an_adverse_record_ends_the_work_at_every_hospital(
    api: Api, database: Database, operator: Api, hospital: Hospital
) -> None:
    phone = "+8613900139777"
    here = await make_clinician(database, hospital.id, phone=phone)
    elsewhere = await make_hospital(database)
    there = await make_clinician(database, elsewhere.id, phone=phone)
    path = f"/v1/operator/clinicians/{here.id}/adverse-records"
    record = {"kind": "licence_revoked", "reason": "吊销护士执业证书。", "happened_on": "2026-11-01"}
    done = (await operator.post(path, json=record)).json()
    assert (done["state"], done["clauses"]) == ("exited", ["not_verified", "adverse_record"])
    assert (await _file(database, there)).state is ClinicianState.EXITED
    refused(await operator.post(f"/v1/operator/clinicians/{here.id}/verify"), 409, "clinician-state-refused")
    refused(await api.get(f"/v1/clinicians/{here.id}"), 404, "not-found")

    desk = await as_desk(api, database, hospital.id)
    refused(
        await desk.put(f"/v1/hospital/clinicians/{here.id}/readiness", json=READY, version=2),
        409, "clinician-state-refused",
    )  # fmt: skip
    signed = await sign_in(database, api.app.state.tokens, here.account_id)
    refused(await api.signed_in(signed.access_token).post(MINE, json=_new(here)), 409, "clinician-state-refused")
    third = await as_desk(api, database, (await make_hospital(database)).id)
    again = {
        "phone": "13900139777", "kind": "nurse", "name": "王海燕", "sex": "female", "title": "supervisor_nurse",
        "specialty": "护理", "intro": "从业八年。", "licence_no": "201846010023", "licence_valid_until": "2030-06-30",
        "clinical_years": 8,
    }  # fmt: skip
    barred = refused(await third.post("/v1/hospital/clinicians", json=again), 409, "clinician-barred")
    assert "2028-11-01" in barred["detail"]
    ghost = f"/v1/operator/clinicians/{ClinicianId.new()}/adverse-records"
    refused(await operator.post(ghost, json=record), 404, "not-found")
    refused(await desk.post(path, json=record), 403, "not-allowed")


async def test_an_edit_undoes_what_no_longer_fits(api: Api, database: Database, hospital: Hospital) -> None:
    nurse = await make_clinician(database, hospital.id)
    desk = await as_desk(api, database, hospital.id)
    file = {
        "kind": "nurse", "name": "王海燕", "sex": "female", "title": "chief_nurse", "specialty": "护理",
        "intro": "从业八年。", "licence_no": "201846010023", "licence_valid_until": "2030-12-31", "clinical_years": 8,
    }  # fmt: skip
    path = f"/v1/hospital/clinicians/{nurse.id}"
    assert (await desk.put(path, json=file, version=1)).json()["clauses"] == ["not_verified", "title_not_approved"]
    again = (await desk.put(path, json={**file, "licence_no": "201846010024"}, version=2)).json()
    assert again["clauses"][1:] == ["licence_not_approved", "not_registered_here", "not_in_register", "title_not_approved"]
    assert (await _file(database, nurse)).title is Title.CHIEF_NURSE
