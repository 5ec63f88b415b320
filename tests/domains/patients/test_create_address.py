"""Adding an address, with coordinates of any datum or by asking the map."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tests.client import Api, refused
from tests.domains.patients.conftest import Person
from tests.sandbox_server import SandboxServer
from tests.scenes.accounts import plan_fault
from tests.scenes.patients import make_address
from yiyuebao_api.domains.patients.models import Address
from yiyuebao_api.domains.patients.queries import require_address
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.geo import CoordType, Point, distance_m, to_gcj02
from yiyuebao_api.kernel.ids import AddressId

URL = "/v1/patients/addresses"


def given(**changes: Any) -> dict[str, Any]:
    return {
        "recipient": "陈秀英", "phone": "13800138000", "adcode": "460106", "district": "海南省海口市龙华区",
        "detail": "滨海大道1号2栋301", "lat": 20.0587, "lng": 110.3281,
    } | changes  # fmt: skip


def without_place(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in given(**changes).items() if name not in ("lat", "lng")}


async def count(database: Database) -> int:
    async with database.begin() as tx:
        return (await tx.scalars(select(func.count()).select_from(Address))).one()


async def test_with_coordinates(me: Person, database: Database) -> None:
    made = await me.api.post(URL, json=given())
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    body = made.json()
    assert (body["lat"], body["lng"], body["coord_type"], body["precise"]) == (20.0587, 110.3281, "gcj02", True)
    async with database.begin() as tx:
        row = await require_address(tx, me.account_id, AddressId.parse(body["id"]))
    assert row.point == Point(20.0587, 110.3281)


@pytest.mark.parametrize("datum", list(CoordType))
async def test_every_datum_becomes_gcj02(me: Person, datum: CoordType) -> None:
    body = (await me.api.post(URL, json=given(coord_type=datum))).json()
    expected = to_gcj02(20.0587, 110.3281, datum)
    assert distance_m(Point(body["lat"], body["lng"]), expected) < 0.02


async def test_nothing_of_the_place_is_readable_in_the_table(me: Person, database: Database) -> None:
    await me.api.post(URL, json=given())
    async with database.begin() as tx:
        row = (await tx.execute(text("SELECT * FROM address"))).one()
    stored = b"|".join(each if isinstance(each, bytes) else str(each).encode() for each in row)
    for secret in ("陈秀英", "13800138000", "滨海大道", "20.0587", "110.3281"):
        assert secret.encode() not in stored
    assert "海南省海口市龙华区".encode() in stored  # plain on purpose


async def test_without_coordinates_the_map_is_asked(me: Person) -> None:
    body = (await me.api.post(URL, json=without_place())).json()
    assert distance_m(Point(body["lat"], body["lng"]), Point(20.031007, 110.328492)) < 3000
    assert body["precise"] is True
    vague = (await me.api.post(URL, json=without_place(detail="滨海大道"))).json()
    assert vague["precise"] is False


@pytest.mark.parametrize(
    "changes",
    [
        {"district": "某省某市某区", "detail": "不存在的路1号"},
        {"adcode": "460203", "district": "海南省海口市龙华区"},  # the words lie elsewhere than the code
        {"adcode": "460105", "district": "海南省海口市龙华区"},
        {"district": "海南省海口市", "detail": "1号"},  # no more than the city: its middle is nobody's door
    ],
)
async def test_an_address_the_map_does_not_know_there(me: Person, database: Database, changes: dict[str, str]) -> None:
    refused(await me.api.post(URL, json=without_place(**changes)), 422, "address-not-found")
    assert await count(database) == 0


@pytest.mark.parametrize(("lat", "lng"), [(110.3281, 20.0587), (0, 0), (2.9, 110), (54.1, 110), (20, 72), (20, 137)])
async def test_a_place_outside_china(me: Person, database: Database, lat: float, lng: float) -> None:
    refused(await me.api.post(URL, json=given(lat=lat, lng=lng)), 422, "place-outside-china")
    assert await count(database) == 0


@pytest.mark.parametrize("infocode", ["10001", "10003", "20003"])
async def test_an_outage_of_the_map(me: Person, database: Database, sandbox: SandboxServer, infocode: str) -> None:
    await plan_fault(sandbox.base_url, "amap", kind="code", code=infocode)
    answer = await me.api.post(URL, key="k", json=without_place())
    refused(answer, 503, "provider-unavailable")
    assert "retry-after" in answer.headers
    assert await count(database) == 0
    assert (await me.api.post(URL, key="k", json=without_place())).status_code == 201  # the key is free again


async def test_twenty_and_no_more(me: Person, database: Database) -> None:
    for _ in range(18):
        await make_address(database, me.account_id)
    answers = await asyncio.gather(*(me.api.post(URL, json=given()) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [201] * 2 + [409] * 3
    assert refused(await me.api.post(URL, json=without_place()), 409, "too-many-addresses")["most"] == 20
    assert await count(database) == 20


async def test_a_key_adds_an_address_once(me: Person, database: Database) -> None:
    answers = [await me.api.post(URL, key="k", json=without_place()) for _ in range(3)]
    assert [each.json() for each in answers] == [answers[0].json()] * 3
    assert answers[2].headers["idempotent-replayed"] == "true"
    assert await count(database) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"lat": None}, {"lng": None}, {"lat": "20.0"}, {"lat": True}, {"lat": 181}, {"coord_type": "utm"},
        {"adcode": "46"}, {"adcode": "046010"}, {"adcode": 460106}, {"detail": ""}, {"detail": "x" * 201},
        {"district": ""}, {"recipient": ""}, {"phone": "123"}, {"precise": True}, {"version": 1},
    ],
)  # fmt: skip
async def test_shapes_that_are_refused(me: Person, database: Database, changes: dict[str, Any]) -> None:
    refused(await me.api.post(URL, json=given(**changes)), 422, "invalid-input")
    assert await count(database) == 0


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_numbers_that_are_none(me: Person, word: str) -> None:
    import json

    content = json.dumps(given(lat=0.125)).replace("0.125", word)
    answer = await me.api.post(URL, content=content, headers={"Content-Type": "application/json"})
    refused(answer, 422, "invalid-input")


async def test_wrong_callers(api: Api, others: list[Api], database: Database) -> None:
    refused(await api.post(URL, json=given()), 401, "unauthenticated")
    for other in others:
        refused(await other.post(URL, json=given()), 403, "not-allowed")
    assert await count(database) == 0
