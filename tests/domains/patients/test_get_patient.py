"""One patient of one's own; everybody else's is not there."""

from __future__ import annotations

from tests.client import Api, refused
from tests.domains.patients.conftest import Person
from tests.scenes.patients import make_patient
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import PatientId

URL = "/v1/patients"


async def test_with_its_version(me: Person, database: Database) -> None:
    patient = await make_patient(database, me.account_id)
    answer = await me.api.get(f"{URL}/{patient.id}")
    assert (answer.status_code, answer.headers["etag"], answer.json()["real_name"]) == (200, '"1"', "verified")


async def test_foreign_missing_and_deleted_look_the_same(me: Person, stranger: Person, database: Database) -> None:
    foreign = await make_patient(database, stranger.account_id)
    gone = await make_patient(database, me.account_id)
    await me.api.delete(f"{URL}/{gone.id}")
    bodies = [
        refused(await me.api.get(f"{URL}/{each}"), 404, "not-found") | {"request_id": ""}
        for each in (foreign.id, gone.id, PatientId.new())
    ]
    assert bodies[0] == bodies[1] == bodies[2]


async def test_wrong_callers_and_ids(api: Api, me: Person, others: list[Api], database: Database) -> None:
    patient = await make_patient(database, me.account_id)
    refused(await api.get(f"{URL}/{patient.id}"), 401, "unauthenticated")
    for other in others:
        refused(await other.get(f"{URL}/{patient.id}"), 403, "not-allowed")
    for wrong in ("x", str(patient.id).replace("pat_", "adr_"), str(patient.id).upper()):
        refused(await me.api.get(f"{URL}/{wrong}"), 422, "invalid-input")
