"""Removing a patient hides the row and nothing else."""

from __future__ import annotations

from tests.client import Api, refused
from tests.domains.patients.conftest import Person
from tests.scenes.patients import make_patient
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.kernel.database import Database

URL = "/v1/patients"


async def test_the_row_stays(me: Person, database: Database) -> None:
    patient = await make_patient(database, me.account_id)
    assert (await me.api.delete(f"{URL}/{patient.id}")).status_code == 204
    refused(await me.api.delete(f"{URL}/{patient.id}"), 404, "not-found")
    refused(await me.api.get(f"{URL}/{patient.id}"), 404, "not-found")
    async with database.begin() as tx:
        row = await tx.get_one(Patient, patient.id)
        assert row.deleted_at is not None
        assert row.name == "陈秀英"


async def test_strangers_and_wrong_callers(
    api: Api, me: Person, stranger: Person, others: list[Api], database: Database
) -> None:
    patient = await make_patient(database, me.account_id)
    refused(await stranger.api.delete(f"{URL}/{patient.id}"), 404, "not-found")
    refused(await api.delete(f"{URL}/{patient.id}"), 401, "unauthenticated")
    for other in others:
        refused(await other.delete(f"{URL}/{patient.id}"), 403, "not-allowed")
    assert (await me.api.get(f"{URL}/{patient.id}")).status_code == 200
