"""A new key for every encrypted column, while people write: nothing is lost, nothing stays under the old one."""

from __future__ import annotations

import asyncio
import base64
import secrets as random
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import LargeBinary, func, select, type_coerce

from tests.client import Api
from tests.scenes.accounts import make_account
from tests.scenes.bookings import hold, make_customer, make_offer
from tests.scenes.patients import make_patient
from yiyuebao_api import tables
from yiyuebao_api.context import Context
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.patients.queries import lock_patient
from yiyuebao_api.kernel import secrets
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.rotation import Count, rotate, sealed_columns
from yiyuebao_api.kernel.secrets import KeyRing
from yiyuebao_api.settings import Secrets, Settings

NEW = SecretStr(base64.b64encode(random.token_bytes(32)).decode())


@pytest.fixture
def both(settings: Settings) -> Iterator[Secrets]:
    """The old key and a new one on the ring; the old one still writes. Afterwards the ring is as it was."""
    made = settings.secrets.model_copy(update={"keys": {**settings.secrets.keys, "k2": NEW}})
    secrets.install(made)
    yield made
    secrets.install(settings.secrets)


def _write_with(both: Secrets, key: str) -> KeyRing:
    secrets.install(both.model_copy(update={"current": key}))
    return secrets.ring()


async def _under(database: Database, prefix: bytes) -> tuple[int, int]:
    """How many sealed values of all tables begin with it, and how many do not."""
    inside = outside = 0
    async with database.begin() as tx:
        for table in tables.metadata.sorted_tables:
            for column in sealed_columns(table):
                raw = type_coerce(column, LargeBinary)
                head = func.left(raw, len(prefix), type_=LargeBinary)
                for value in await tx.scalars(select(head).where(raw.is_not(None))):
                    inside, outside = inside + (bytes(value) == prefix), outside + (bytes(value) != prefix)
    return inside, outside


def _of(counts: list[Count], column: str) -> Count:
    return next(each for each in counts if each.column == column)


async def test_every_sealed_column_of_a_journey_is_sealed_anew(
    api: Api, context: Context, database: Database, both: Secrets
) -> None:
    customer = await make_customer(api, context)
    made = await hold(customer, await make_offer(api, context))
    ring = _write_with(both, "k2")
    before = await _under(database, ring.prefix)
    counts = await rotate(database.begin, ring, tables.metadata)
    assert before[0] == 0
    assert await _under(database, ring.prefix) == (before[1], 0)
    assert sum(each.resealed for each in counts) == before[1]
    assert {each.column for each in counts} == {
        f"{table.name}.{column.name}" for table in tables.metadata.sorted_tables for column in sealed_columns(table)
    }
    only_new = both.model_copy(update={"keys": {"k2": NEW}, "current": "k2"})
    secrets.install(only_new)  # the old key is taken away: everything still opens
    assert (await customer.api.get(f"/v1/bookings/{made['id']}")).json() == made
    again = await rotate(database.begin, secrets.ring(), tables.metadata)
    assert [each for each in again if each.resealed or each.raced or each.unreadable] == []
    assert sum(each.current for each in again) == before[1], "a second run changes nothing"


async def test_a_writer_beside_is_never_undone(database: Database, both: Secrets) -> None:
    """Thirty patients are edited all the time: the last word each wrote stands, under the new key."""
    account = await make_account(database)
    patients = [await make_patient(database, account.id, name=f"甲{number}") for number in range(30)]
    ring = _write_with(both, "k2")
    said: dict[Any, str] = {}
    stop = asyncio.Event()

    async def writer() -> None:
        turn = 0
        while not stop.is_set():
            patient = patients[turn * 7 % 30]
            async with database.begin() as tx:
                row = await lock_patient(tx, account.id, patient.id)
                row.name = said[patient.id] = f"乙{turn}"
            turn += 1

    writing = [asyncio.create_task(writer())]
    await asyncio.sleep(0.05)
    counts = await rotate(database.begin, ring, tables.metadata, at_once=3)
    stop.set()
    await asyncio.gather(*writing)
    async with database.begin() as tx:
        names = {row.id: row.name for row in await tx.scalars(select(Patient))}
    assert names == {each.id: said.get(each.id, each.name) for each in patients}
    assert said
    assert _of(counts, "patient.phone").resealed == 30
    assert (await _under(database, ring.prefix))[1] == 0


async def test_a_process_that_still_writes_with_the_old_key_is_caught_up_with(database: Database, both: Secrets) -> None:
    """The accident: one process had not been restarted; its rows were unreadable the day the old key was taken away."""
    account = await make_account(database)
    ring = _write_with(both, "k2")
    _write_with(both, "k1")
    await make_patient(database, account.id)
    await rotate(database.begin, ring, tables.metadata)
    await make_patient(database, account.id)  # the old process again
    counts = await rotate(database.begin, ring, tables.metadata)
    assert (_of(counts, "patient.name").resealed, _of(counts, "patient.name").current) == (1, 2)
    assert (await _under(database, ring.prefix))[1] == 0


async def test_a_run_that_was_stopped_is_started_again(database: Database, both: Secrets) -> None:
    """What was done stays done; the next run does the rest."""
    account = await make_account(database)
    for number in range(8):
        await make_patient(database, account.id, name=f"甲{number}")
    ring = _write_with(both, "k2")
    turns = 0

    def dying() -> Any:
        nonlocal turns
        turns += 1
        if turns > 4:
            raise ConnectionError("killed")
        return database.begin()

    with pytest.raises(ConnectionError):
        await rotate(dying, ring, tables.metadata)
    await rotate(database.begin, ring, tables.metadata)
    assert (await _under(database, ring.prefix))[1] == 0


async def test_a_value_under_an_unknown_key_is_told_and_left_alone(database: Database, both: Secrets) -> None:
    account = await make_account(database)
    await make_patient(database, account.id)
    ring = _write_with(both, "k2")
    strange = b"\x02k9" + random.token_bytes(60)
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE patient SET name = %s", (strange,))
    counts = await rotate(database.begin, ring, tables.metadata)
    assert _of(counts, "patient.name").unreadable == 1
    assert _of(counts, "patient.phone").resealed == 1
    async with database.engine.begin() as connection:
        assert (await connection.exec_driver_sql("SELECT name FROM patient")).scalar() == strange
