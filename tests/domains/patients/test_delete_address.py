"""Removing an address hides the row and nothing else."""

from __future__ import annotations

from tests.client import Api, refused
from tests.domains.patients.conftest import Person
from tests.scenes.patients import make_address
from yiyuebao_api.domains.patients.models import Address
from yiyuebao_api.kernel.database import Database

URL = "/v1/patients/addresses"


async def test_the_row_stays(me: Person, database: Database) -> None:
    address = await make_address(database, me.account_id)
    assert (await me.api.delete(f"{URL}/{address.id}")).status_code == 204
    refused(await me.api.delete(f"{URL}/{address.id}"), 404, "not-found")
    refused(await me.api.get(f"{URL}/{address.id}"), 404, "not-found")
    async with database.begin() as tx:
        assert (await tx.get_one(Address, address.id)).deleted_at is not None


async def test_strangers_and_wrong_callers(
    api: Api, me: Person, stranger: Person, others: list[Api], database: Database
) -> None:
    address = await make_address(database, me.account_id)
    refused(await stranger.api.delete(f"{URL}/{address.id}"), 404, "not-found")
    refused(await api.delete(f"{URL}/{address.id}"), 401, "unauthenticated")
    for other in others:
        refused(await other.delete(f"{URL}/{address.id}"), 403, "not-allowed")
    assert (await me.api.get(f"{URL}/{address.id}")).status_code == 200
