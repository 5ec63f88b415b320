"""Editing a patient: no lost edits, and a verified identity is fixed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.client import Api, refused
from tests.domains.patients.conftest import Person
from tests.scenes.patients import make_patient
from yiyuebao_api.domains.patients import service
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.patients.rules import RealName, Relation
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import PatientId

URL = "/v1/patients"
ID_NO = "11010519491231002X"


def given(**changes: Any) -> dict[str, Any]:
    return {
        "relation": "parent", "name": "陈秀英", "phone": "13800138000", "sex": "female", "birth_date": "1958-03-02",
    } | changes  # fmt: skip


async def stored(database: Database, patient_id: PatientId) -> Patient:
    async with database.begin() as tx:
        return await tx.get_one(Patient, patient_id)


async def test_everything_can_be_replaced(me: Person, database: Database) -> None:
    patient = await make_patient(database, me.account_id, verified=False)
    sent = given(relation="self", name="陈秀", phone="13900139000", birth_date="1949-12-31", id_no=ID_NO)
    answer = await me.api.put(f"{URL}/{patient.id}", version=1, json=sent)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    read = (await me.api.get(f"{URL}/{patient.id}")).json()
    assert read == answer.json()
    assert (read["name"], read["phone"], read["id_no"], read["version"]) == ("陈秀", "+8613900139000", ID_NO, 2)
    # a second time, as oneself: neither the relation nor the number stands in one's own way
    assert (await me.api.put(f"{URL}/{patient.id}", version=2, json=sent)).status_code == 200
    without = await me.api.put(f"{URL}/{patient.id}", version=3, json=sent | {"id_no": None})
    assert without.json()["id_no"] is None


async def test_without_a_version(me: Person, database: Database) -> None:
    patient = await make_patient(database, me.account_id)
    refused(await me.api.put(f"{URL}/{patient.id}", json=given()), 428, "precondition-required")


@pytest.mark.parametrize("tag", ['"2"', '"0"', 'W/"1"', "1", "", '"1', "*,"])
async def test_with_another_version(me: Person, database: Database, tag: str) -> None:
    patient = await make_patient(database, me.account_id, verified=False)
    answer = await me.api.put(f"{URL}/{patient.id}", headers={"If-Match": tag}, json=given(name="别人"))
    refused(answer, 412, "precondition-failed")
    assert (await stored(database, patient.id)).version == 1


@pytest.mark.parametrize("tag", ['"1"', '"7", "1"', "*", ' "1" '])
async def test_with_the_right_version(me: Person, database: Database, tag: str) -> None:
    patient = await make_patient(database, me.account_id)
    answer = await me.api.put(f"{URL}/{patient.id}", headers={"If-Match": tag}, json=given())
    assert answer.status_code == 200


async def test_of_parallel_edits_one_is_kept(me: Person, database: Database) -> None:
    patient = await make_patient(database, me.account_id, verified=False)
    answers = await asyncio.gather(
        *(me.api.put(f"{URL}/{patient.id}", version=1, json=given(name=f"甲{n}")) for n in range(8))
    )
    assert sorted(each.status_code for each in answers) == [200] + [412] * 7
    assert (await stored(database, patient.id)).version == 2


@pytest.mark.parametrize(
    "changes", [{"name": "陈英"}, {"sex": "male"}, {"birth_date": "1958-03-03"}, {"id_no": "110105195803020028"}]
)
@pytest.mark.parametrize("state", [RealName.VERIFIED, RealName.PENDING])
async def test_a_proved_identity_is_fixed(
    me: Person, database: Database, changes: dict[str, str], state: RealName
) -> None:
    patient = await make_patient(database, me.account_id)
    async with database.begin() as tx:
        (await tx.get_one(Patient, patient.id)).real_name = state
    answer = await me.api.put(f"{URL}/{patient.id}", version=1, json=given(**changes))
    refused(answer, 409, "identity-locked")
    row = await stored(database, patient.id)
    assert (row.name, row.version, row.real_name) == ("陈秀英", 1, state)


async def test_phone_and_relation_of_a_verified_patient_may_change(me: Person, database: Database) -> None:
    patient = await make_patient(database, me.account_id)
    answer = await me.api.put(f"{URL}/{patient.id}", version=1, json=given(phone="13900139000", relation="authorised"))
    assert (answer.status_code, answer.json()["real_name"]) == (200, "verified")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"relation": "self"}, 409, "self-already-listed"),
        ({"birth_date": "1949-12-31", "id_no": ID_NO}, 409, "patient-already-listed"),
        ({"id_no": "110105194912310021"}, 422, "id-number-invalid"),
        ({"id_no": "110105491231002"}, 422, "id-obsolete"),
        ({"id_no": ID_NO}, 422, "id-number-mismatch"),
        ({"birth_date": "2199-01-01"}, 422, "birth-date-in-future"),
        ({"real_name": "verified"}, 422, "invalid-input"),
    ],
)
async def test_what_creating_refuses_editing_refuses(
    me: Person, database: Database, changes: dict[str, Any], status: int, code: str
) -> None:
    holder = await make_patient(database, me.account_id, relation=Relation.SELF, verified=False)
    sent = given(relation="self", birth_date="1949-12-31", id_no=ID_NO)
    assert (await me.api.put(f"{URL}/{holder.id}", version=1, json=sent)).status_code == 200
    patient = await make_patient(database, me.account_id, verified=False)
    refused(await me.api.put(f"{URL}/{patient.id}", version=1, json=given(**changes)), status, code)
    assert (await stored(database, patient.id)).version == 1


async def test_strangers_and_wrong_callers(
    api: Api, me: Person, stranger: Person, others: list[Api], database: Database
) -> None:
    patient = await make_patient(database, me.account_id, verified=False)
    url = f"{URL}/{patient.id}"
    refused(await stranger.api.put(url, version=1, json=given(name="坏人")), 404, "not-found")
    refused(await stranger.api.put(url, version=9, json=given(name="坏人")), 404, "not-found")
    refused(await api.put(url, version=1, json=given()), 401, "unauthenticated")
    for other in others:
        refused(await other.put(url, version=1, json=given()), 403, "not-allowed")
    row = await stored(database, patient.id)
    assert (row.name, row.version) == ("陈秀英", 1)


async def test_marking_verified_changes_the_version(me: Person, database: Database) -> None:
    patient = await make_patient(database, me.account_id, verified=False)
    async with database.begin() as tx:
        await service.mark_verified(tx, patient.id, clock.now())
    row = await stored(database, patient.id)
    assert (row.real_name, row.version) == (RealName.VERIFIED, 2)
    assert row.verified_at is not None
    refused(await me.api.put(f"{URL}/{patient.id}", version=1, json=given()), 412, "precondition-failed")
