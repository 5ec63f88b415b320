"""The operator keeps the regional policy."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.client import Api, refused
from tests.scenes.catalogue import make_categories
from tests.scenes.hospitals import LONG_AGO, as_desk, as_operator, as_patient, make_hospital
from yiyuebao_api.domains.catalogue import queries
from yiyuebao_api.domains.catalogue.problems import ItemNotPermitted
from yiyuebao_api.domains.catalogue.rules import FORBIDDEN_AT_HOME, LISTED_AT_HOME
from yiyuebao_api.domains.catalogue.service import ensure_reference
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import HospitalId, RegionalPolicyId

POLICIES = "/v1/operator/catalogue/policies"
ENTRY: dict[str, Any] = {
    "adcode_prefix": "460000", "item_code": "N05", "listing": "negative", "reason": "本省暂不开展。",
    "effective_from": "2026-01-01",
}  # fmt: skip


async def _permitted(database: Database, item: str, adcode: str = "460106", on: date = date(2026, 11, 23)) -> bool:
    async with database.begin() as tx:
        try:
            await queries.require_permitted(tx, item_code=item, adcode=adcode, hospital_id=HospitalId.new(), on=on)
        except ItemNotPermitted:
            return False
    return True


async def test_the_countrys_lists_are_there_once(database: Database) -> None:
    async with database.begin() as tx:
        assert await ensure_reference(tx, now=LONG_AGO) == len(LISTED_AT_HOME) + len(FORBIDDEN_AT_HOME) + 5
    async with database.begin() as tx:
        assert await ensure_reference(tx, now=LONG_AGO) == 0
    assert [await _permitted(database, code) for code in ("N05", "D01", "X01", "Q77")] == [True, True, False, False]


async def test_a_province_bans_and_a_later_day_ends_it(api: Api, database: Database) -> None:
    await make_categories(database)
    operator = await as_operator(api, database)
    made = await operator.post(POLICIES, json=ENTRY, key="k")
    assert (made.status_code, made.json()["adcode_prefix"], made.json()["effective_until"]) == (201, "46", None)
    assert [await _permitted(database, "N05", adcode) for adcode in ("460106", "469005", "110105")] == [
        False,
        False,
        True,
    ]
    path = f"{POLICIES}/{made.json()['id']}/end"
    refused(await operator.post(path, json={"effective_until": "2025-12-31"}), 422, "policy-ends-too-early")
    assert (await operator.post(path, json={"effective_until": "2026-11-22"})).json()["effective_until"] == "2026-11-22"
    assert await _permitted(database, "N05")
    assert not await _permitted(database, "N05", on=date(2026, 11, 22))


async def test_entries_are_found_by_district_and_item(api: Api, database: Database) -> None:
    operator = await as_operator(api, database)
    made = {}
    for prefix, item in (("", "N01"), ("46", "N01"), ("4601", "N02"), ("11", "N01")):
        made[prefix] = (
            await operator.post(POLICIES, json={**ENTRY, "adcode_prefix": prefix, "item_code": item})
        ).json()["id"]

    async def found(**params: str) -> list[str]:
        return [each["id"] for each in (await operator.get(POLICIES, params=params)).json()["items"]]

    assert await found() == [made["11"], made["4601"], made["46"], made[""]]
    assert await found(adcode="460106") == [made["4601"], made["46"], made[""]]
    assert await found(adcode="460106", item_code="N01") == [made["46"], made[""]]
    assert await found(adcode="330106") == [made[""]]
    refused(await operator.get(POLICIES, params={"cursor": "x"}), 422, "invalid-cursor")


@pytest.mark.parametrize(
    "wrong",
    [
        {"adcode_prefix": "4"}, {"adcode_prefix": "%"}, {"listing": "maybe"}, {"item_code": ""}, {"reason": ""},
        {"effective_from": "2026-02-30"}, {"effective_until": "2025-12-31"}, {"allowed": True},
    ],
)  # fmt: skip
async def test_an_entry_that_cannot_be(api: Api, database: Database, wrong: dict[str, Any]) -> None:
    operator = await as_operator(api, database)
    refused(await operator.post(POLICIES, json={**ENTRY, **wrong}), 422, "invalid-input")
    assert (await operator.get(POLICIES)).json()["items"] == []


async def test_only_the_operator_writes_it(api: Api, database: Database) -> None:
    refused(await api.get(POLICIES), 401, "unauthenticated")
    hospital = await make_hospital(database)
    for stranger in (await as_patient(api, database), await as_desk(api, database, hospital.id)):
        refused(await stranger.get(POLICIES), 403, "not-allowed")
        refused(await stranger.post(POLICIES, json=ENTRY), 403, "not-allowed")
    operator = await as_operator(api, database)
    refused(await operator.post(POLICIES, json={**ENTRY, "hospital_id": str(HospitalId.new())}), 404, "not-found")
    ghost = f"{POLICIES}/{RegionalPolicyId.new()}/end"
    refused(await operator.post(ghost, json={"effective_until": "2026-12-31"}), 404, "not-found")
