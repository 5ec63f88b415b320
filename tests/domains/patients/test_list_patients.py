"""The people an account cares for, page by page."""

from __future__ import annotations

from tests.client import Api, refused
from tests.domains.patients.conftest import Person
from tests.scenes.patients import make_patient
from yiyuebao_api.kernel.database import Database

URL = "/v1/patients"


async def test_ones_own_newest_first(me: Person, stranger: Person, database: Database) -> None:
    made = [await make_patient(database, me.account_id, name=f"甲{n}") for n in range(5)]
    await make_patient(database, stranger.account_id)
    await me.api.delete(f"{URL}/{made.pop(2).id}")
    first = (await me.api.get(URL, params={"limit": 3})).json()
    rest = (await me.api.get(URL, params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == [str(each.id) for each in reversed(made)]
    assert rest["next_cursor"] is None
    assert (await stranger.api.get(URL)).json()["items"][0]["name"] == "陈秀英"


async def test_wrong_callers_and_cursors(api: Api, me: Person, others: list[Api]) -> None:
    refused(await api.get(URL), 401, "unauthenticated")
    for other in others:
        refused(await other.get(URL), 403, "not-allowed")
    refused(await me.api.get(URL, params={"cursor": "AAAA"}), 422, "invalid-cursor")
