"""The auditor searches, exports and verifies the audit; an operator does not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from yiyuebao_api.domains.operations.service import looking
from yiyuebao_api.kernel import audit, clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId, AuditId, BookingId, HospitalId, PatientId
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.schema import wire_time
from yiyuebao_api.kernel.tokens import Mode

URL = "/v1/operator/operations/audit"
NURSE, DESK, HOSPITAL = AccountId.new(), AccountId.new(), HospitalId.new()
ANNA, BEN = PatientId.new(), PatientId.new()


@pytest.fixture
async def auditor(api: Api, database: Database) -> Api:
    return api.signed_in((await sign_in(database, api.app.state.tokens, mode=Mode.AUDITOR)).access_token)


@pytest.fixture
async def noted(database: Database, api: Api) -> list[AuditId]:
    """Four looks: the nurse at both, the desk at both, a day between the two patients."""
    made = []
    for days, patient in ((2, ANNA), (1, BEN)):
        for actor, mode, action in ((NURSE, Mode.CLINICIAN, "visits.read"), (DESK, Mode.DESK, "bookings.read")):
            async with database.begin() as tx:
                found = audit.note(
                    tx, actor=actor, mode=mode, action=action, subject_patient=patient, subject=BookingId.new(),
                    basis="booking", hospital=HOSPITAL, now=clock.now() - timedelta(days=days),
                )  # fmt: skip
            assert found is not None
            made.append(found)
    return made


async def found(auditor: Api, **wanted: Any) -> list[str]:
    items = (await auditor.get(URL, params=wanted)).json()["items"]
    return [each["id"] for each in items if each["mode"] != "auditor"]


async def test_it_is_searched_by_person_actor_action_and_period(auditor: Api, noted: list[AuditId]) -> None:
    first, second, third, fourth = (str(each) for each in noted)
    assert await found(auditor) == [fourth, third, second, first]
    assert await found(auditor, patient_id=str(ANNA)) == [second, first]
    assert await found(auditor, actor_id=str(NURSE)) == [third, first]
    assert await found(auditor, action="bookings.read") == [fourth, second]
    assert await found(auditor, hospital_id=str(HospitalId.new())) == []
    middle = wire_time(clock.now() - timedelta(hours=36))
    assert await found(auditor, since=middle) == [fourth, third]
    assert await found(auditor, until=middle) == [second, first]
    assert await found(auditor, actor_id=str(DESK), patient_id=str(BEN), hospital_id=str(HOSPITAL)) == [fourth]
    one = (await auditor.get(URL, params={"actor_id": str(NURSE)})).json()["items"][-1]
    assert (one["mode"], one["action"], one["patient_id"], one["basis"]) == ("clinician", "visits.read", str(ANNA), "booking")
    refused(await auditor.get(URL, params={"action": "x'; --"}), 422, "invalid-input")
    refused(await auditor.get(URL, params={"since": "2026-11-01"}), 422, "invalid-input")
    refused(await auditor.get(URL, params={"cursor": "bm9u"}), 422, "invalid-cursor")


async def test_pages_are_stable_while_looks_arrive(auditor: Api, noted: list[AuditId]) -> None:
    wanted = {"hospital_id": str(HOSPITAL), "limit": 3}
    first = (await auditor.get(URL, params=wanted)).json()
    rest = (await auditor.get(URL, params={**wanted, "cursor": first["next_cursor"]})).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == [str(each) for each in reversed(noted)]
    assert rest["next_cursor"] is None


async def test_the_auditor_s_own_look_is_noted(auditor: Api, noted: list[AuditId]) -> None:
    await auditor.get(URL, params={"patient_id": str(ANNA)})
    (look,) = (await auditor.get(URL, params={"action": "operations.list_audit"})).json()["items"]
    assert (look["mode"], look["patient_id"], look["basis"]) == ("auditor", str(ANNA), "duty")


async def test_an_export_is_one_object_a_line_oldest_first(
    auditor: Api, noted: list[AuditId], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "AT_ONCE", 3)
    answer = await auditor.get(f"{URL}/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["id"] for each in lines] == [str(each) for each in noted]
    one = await auditor.get(f"{URL}/export", params={"actor_id": str(DESK), "patient_id": str(BEN)})
    assert [json.loads(line)["id"] for line in one.text.splitlines()] == [str(noted[3])]
    assert (await auditor.get(f"{URL}/export", params={"patient_id": str(PatientId.new())})).text == ""
    looks = (await auditor.get(URL, params={"action": "operations.export_audit"})).json()["items"]
    assert len(looks) == 3


async def test_it_is_verified(auditor: Api, noted: list[AuditId], database: Database, worker: Worker[Any]) -> None:
    before = (await auditor.get(f"{URL}/verification")).json()
    assert (before["sound"], before["seals"], before["head_number"], before["unsealed"]) == (True, 0, None, 4)
    await worker.drain("audit.seal")
    after = (await auditor.get(f"{URL}/verification", params={"seals": 1})).json()
    assert (after["sound"], after["entries"], after["head_number"], after["unsealed"]) == (True, 4, 1, 0)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE audit_entry SET actor_id = NULL WHERE id = :id"), {"id": noted[1].bytes})
    spoiled = (await auditor.get(f"{URL}/verification")).json()
    assert (spoiled["sound"], spoiled["changed"]) == (False, [str(noted[1])])


@pytest.mark.parametrize("mode", [Mode.OPERATOR, Mode.DESK, Mode.CLINICIAN, Mode.PATIENT])
async def test_nobody_but_an_auditor(api: Api, database: Database, noted: list[AuditId], mode: Mode) -> None:
    somebody = api.signed_in((await sign_in(database, api.app.state.tokens, mode=mode)).access_token)
    for path in (URL, f"{URL}/export", f"{URL}/verification"):
        refused(await somebody.get(path), 403, "not-allowed")
        refused(await api.get(path), 401, "unauthenticated")


async def test_an_auditor_moves_nothing(auditor: Api) -> None:
    refused(await auditor.get("/v1/operator/operations/jobs"), 403, "not-allowed")
