"""One address of one's own; everybody else's is not there."""

from __future__ import annotations

from tests.client import Api, refused
from tests.domains.patients.conftest import Person
from tests.scenes.patients import make_address
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AddressId

URL = "/v1/patients/addresses"


async def test_with_its_version(me: Person, database: Database) -> None:
    address = await make_address(database, me.account_id)
    answer = await me.api.get(f"{URL}/{address.id}")
    assert (answer.headers["etag"], answer.json()["detail"]) == ('"1"', "滨海大道 1 号 2 栋 301")


async def test_strangers_and_wrong_callers(
    api: Api, me: Person, stranger: Person, others: list[Api], database: Database
) -> None:
    address = await make_address(database, me.account_id)
    refused(await stranger.api.get(f"{URL}/{address.id}"), 404, "not-found")
    refused(await me.api.get(f"{URL}/{AddressId.new()}"), 404, "not-found")
    refused(await me.api.get(f"{URL}/pat_x"), 422, "invalid-input")
    refused(await api.get(f"{URL}/{address.id}"), 401, "unauthenticated")
    for other in others:
        refused(await other.get(f"{URL}/{address.id}"), 403, "not-allowed")
