"""The addresses of an account."""

from __future__ import annotations

from tests.client import Api, refused
from tests.domains.patients.conftest import Person
from tests.scenes.patients import make_address
from yiyuebao_api.kernel.database import Database

URL = "/v1/patients/addresses"


async def test_ones_own_newest_first(me: Person, stranger: Person, database: Database) -> None:
    made = [await make_address(database, me.account_id) for _ in range(4)]
    await make_address(database, stranger.account_id)
    await me.api.delete(f"{URL}/{made.pop(1).id}")
    first = (await me.api.get(URL, params={"limit": 2})).json()
    rest = (await me.api.get(URL, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == [str(each.id) for each in reversed(made)]


async def test_wrong_callers_and_cursors(api: Api, me: Person, others: list[Api]) -> None:
    refused(await api.get(URL), 401, "unauthenticated")
    for other in others:
        refused(await other.get(URL), 403, "not-allowed")
    refused(await me.api.get(URL, params={"cursor": "AAAA"}), 422, "invalid-cursor")
