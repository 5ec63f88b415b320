"""Adding somebody to the people an account cares for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tests.client import Api, refused
from tests.domains.patients.conftest import Person
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.kernel.database import Database

URL = "/v1/patients"
ID_NO = "11010519491231002X"  # female, 1949-12-31


def given(**changes: Any) -> dict[str, Any]:
    return {
        "relation": "parent", "name": "陈秀英", "phone": "13800138000", "sex": "female", "birth_date": "1958-03-02",
    } | changes  # fmt: skip


async def count(database: Database) -> int:
    async with database.begin() as tx:
        return (await tx.scalars(select(func.count()).select_from(Patient))).one()


async def test_it_is_there_and_unmasked_for_its_owner(me: Person) -> None:
    sent = given(relation="self", birth_date="1949-12-31", id_no=ID_NO.lower())
    made = await me.api.post(URL, json=sent)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    body = made.json()
    assert body["id_no"] == ID_NO
    assert (body["name"], body["phone"], body["real_name"]) == ("陈秀英", "+8613800138000", "unverified")
    assert (await me.api.get(f"{URL}/{body['id']}")).json() == body


async def test_nothing_of_the_person_is_readable_in_the_table(me: Person, database: Database) -> None:
    await me.api.post(URL, json=given(birth_date="1949-12-31", id_no=ID_NO))
    async with database.begin() as tx:
        row = (await tx.execute(text("SELECT * FROM patient"))).one()
    stored = b"|".join(each if isinstance(each, bytes) else str(each).encode() for each in row)
    for secret in ("陈秀英", "13800138000", ID_NO):
        assert secret.encode() not in stored


async def test_eight_and_no_more_even_at_once(me: Person, database: Database) -> None:
    answers = await asyncio.gather(*(me.api.post(URL, json=given(name=f"甲{n}")) for n in range(12)))
    assert sorted(each.status_code for each in answers) == [201] * 8 + [409] * 4
    body = refused(next(each for each in answers if each.status_code == 409), 409, "too-many-patients")
    assert body["most"] == 8
    assert await count(database) == 8
    gone = next(each.json()["id"] for each in answers if each.status_code == 201)
    await me.api.delete(f"{URL}/{gone}")
    assert (await me.api.post(URL, json=given())).status_code == 201


async def test_one_self_even_at_once(me: Person, database: Database) -> None:
    answers = await asyncio.gather(*(me.api.post(URL, json=given(relation="self")) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [201] + [409] * 4
    refused(await me.api.post(URL, json=given(relation="self")), 409, "self-already-listed")
    assert await count(database) == 1


async def test_one_number_appears_once_per_account(me: Person, stranger: Person, database: Database) -> None:
    sent = given(birth_date="1949-12-31", id_no=ID_NO)
    first = (await me.api.post(URL, json=sent)).json()
    refused(await me.api.post(URL, json=sent | {"relation": "other_guardian"}), 409, "patient-already-listed")
    assert (await stranger.api.post(URL, json=sent)).status_code == 201  # brothers and sisters share a mother
    await me.api.delete(f"{URL}/{first['id']}")
    assert (await me.api.post(URL, json=sent)).status_code == 201


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id_no": "110105194912310021"}, "id-number-invalid"),
        ({"id_no": "110105190002300019"}, "id-number-invalid"),
        ({"id_no": "110105491231002"}, "id-obsolete"),
        ({"id_no": ID_NO}, "id-number-mismatch"),  # another birth date
        ({"id_no": ID_NO, "birth_date": "1949-12-31", "sex": "male"}, "id-number-mismatch"),
        ({"birth_date": "2199-01-01"}, "birth-date-in-future"),
    ],
)
async def test_what_cannot_be(me: Person, database: Database, changes: dict[str, Any], code: str) -> None:
    refused(await me.api.post(URL, json=given(**changes)), 422, code)
    assert await count(database) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"relation": "friend"}, {"relation": None}, {"name": ""}, {"name": "  "}, {"name": "x" * 51}, {"name": "a\x00"},
        {"phone": "0898-66668888"}, {"sex": "unknown"}, {"birth_date": "1958-02-30"}, {"birth_date": 0},
        {"birth_date": "1899-12-31"}, {"birth_date": "1958-03-02T00:00:00"}, {"birth_date": "58-03-02"},
        {"birth_date": "１９５８-03-02"}, {"id_no": "short"}, {"id_no": 11010519491231002}, {"real_name": "verified"},
        {"version": 7}, {"account_id": "acc_1"},
    ],
)  # fmt: skip
async def test_shapes_that_are_refused(me: Person, database: Database, changes: dict[str, Any]) -> None:
    refused(await me.api.post(URL, json=given(**changes)), 422, "invalid-input")
    assert await count(database) == 0


async def test_a_key_adds_somebody_once(me: Person, database: Database) -> None:
    first, again = [await me.api.post(URL, key="k1", json=given()) for _ in range(2)]
    assert first.json() == again.json()
    assert await count(database) == 1


async def test_wrong_callers(api: Api, others: list[Api], database: Database) -> None:
    refused(await api.post(URL, json=given()), 401, "unauthenticated")
    for other in others:
        refused(await other.post(URL, json=given()), 403, "not-allowed")
    assert await count(database) == 0
