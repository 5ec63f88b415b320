"""Editing an address: no lost edits, and the map is not asked for what will be refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.client import Api, refused
from tests.domains.patients.conftest import Person
from tests.sandbox_server import SandboxServer
from tests.scenes.accounts import plan_fault
from tests.scenes.patients import make_address
from yiyuebao_api.domains.patients.models import Address
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AddressId

URL = "/v1/patients/addresses"


def given(**changes: Any) -> dict[str, Any]:
    return {
        "recipient": "王五", "phone": "13900139000", "adcode": "460108", "district": "海南省海口市美兰区",
        "detail": "人民大道58号", "lat": 20.0587, "lng": 110.3281,
    } | changes  # fmt: skip


def without_place(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in given(**changes).items() if name not in ("lat", "lng")}


async def stored(database: Database, address_id: AddressId) -> Address:
    async with database.begin() as tx:
        return await tx.get_one(Address, address_id)


async def test_everything_is_replaced(me: Person, database: Database) -> None:
    address = await make_address(database, me.account_id)
    answer = await me.api.put(f"{URL}/{address.id}", version=1, json=given())
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert (await me.api.get(f"{URL}/{address.id}")).json() == answer.json()
    assert (answer.json()["recipient"], answer.json()["lat"]) == ("王五", 20.0587)
    mapped = await me.api.put(f"{URL}/{address.id}", version=2, json=without_place())
    assert mapped.json()["lat"] != 20.0587


async def test_of_parallel_edits_one_is_kept(me: Person, database: Database) -> None:
    address = await make_address(database, me.account_id)
    bodies = [given(), without_place()] * 3
    answers = await asyncio.gather(*(me.api.put(f"{URL}/{address.id}", version=1, json=body) for body in bodies))
    assert sorted(each.status_code for each in answers) == [200] + [412] * 5
    assert (await stored(database, address.id)).version == 2


@pytest.mark.parametrize("body", [given(), without_place()])
async def test_versions(me: Person, database: Database, body: dict[str, Any]) -> None:
    address = await make_address(database, me.account_id)
    refused(await me.api.put(f"{URL}/{address.id}", json=body), 428, "precondition-required")
    refused(await me.api.put(f"{URL}/{address.id}", version=2, json=body), 412, "precondition-failed")
    assert (await stored(database, address.id)).recipient == "陈秀英"


async def test_places(me: Person, database: Database, sandbox: SandboxServer) -> None:
    address = await make_address(database, me.account_id)
    url = f"{URL}/{address.id}"
    refused(await me.api.put(url, version=1, json=given(lat=110.3, lng=20.0)), 422, "place-outside-china")
    nowhere = without_place(district="某省某市某区", detail="不存在")
    refused(await me.api.put(url, version=1, json=nowhere), 422, "address-not-found")
    await plan_fault(sandbox.base_url, "amap", kind="status", status=502)
    refused(await me.api.put(url, version=1, json=without_place()), 503, "provider-unavailable")
    assert (await stored(database, address.id)).version == 1


async def test_strangers_and_wrong_callers(
    api: Api, me: Person, stranger: Person, others: list[Api], database: Database
) -> None:
    address = await make_address(database, me.account_id)
    url = f"{URL}/{address.id}"
    for body in (given(), without_place()):
        refused(await stranger.api.put(url, version=1, json=body), 404, "not-found")
        refused(await api.put(url, version=1, json=body), 401, "unauthenticated")
        for other in others:
            refused(await other.put(url, version=1, json=body), 403, "not-allowed")
    assert (await stored(database, address.id)).version == 1
