"""The book of who saw what: appended without waiting, sealed in batches, and every later change of it found."""

from __future__ import annotations

import asyncio
import os

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.conftest import DirtyTables
from tests.servers import GivenServer, MariaDb
from yiyuebao_api import migrate
from yiyuebao_api.kernel import audit, clock
from yiyuebao_api.kernel.audit import Anchor, AuditEntry, AuditPending, AuditSeal
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId, AuditId, BookingId, PatientId
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.tokens import Mode
from yiyuebao_api.settings import Settings


@pytest.fixture(autouse=True)
def _dirty(dirty: DirtyTables) -> None:
    """These tests write rows."""


async def write(database: Database, times: int = 1, *, patient: PatientId | None = None) -> list[AuditId]:
    """Some rows, each in a transaction of its own."""
    made = []
    for _ in range(times):
        async with database.begin() as tx:
            made.append(_note(tx, patient))
    return made


def _note(tx: object, patient: PatientId | None = None) -> AuditId:
    found = audit.note(
        tx, actor=AccountId.new(), mode=Mode.DESK, action="bookings.read", subject_patient=patient or PatientId.new(),  # type: ignore[arg-type]
        subject=BookingId.new(), basis="booking", now=clock.now(),
    )  # fmt: skip
    assert found is not None
    return found


async def spoil(database: Database, statement: str, **values: object) -> None:
    """Somebody who has the database, and not the key."""
    async with database.engine.begin() as connection:
        done = await connection.execute(text(statement), values)
        assert done.rowcount == 1


async def test_rows_are_sealed_in_one_chain(database: Database) -> None:
    await write(database, 5)
    report = await audit.verify(database.begin)
    assert (report.seals, len(report.unsealed), report.sound) == (0, 5, True)
    assert await audit.seal(database.begin, batch=2) == 5
    assert await audit.seal(database.begin) == 0
    tail = await write(database, 1)
    report = await audit.verify(database.begin)
    assert (report.entries, report.seals, report.unsealed, report.sound) == (5, 3, tail, True)
    assert report.head is not None
    assert report.head.number == 3
    newest = await audit.verify(database.begin, newest=1)
    assert (newest.seals, newest.entries, newest.sound) == (1, 1, True)


async def test_the_same_thing_twice_in_one_request_is_one_row(database: Database) -> None:
    actor, patient, booking = AccountId.new(), PatientId.new(), BookingId.new()
    async with database.begin() as tx:
        told = [
            audit.note(
                tx, actor=actor, mode=Mode.DESK, action="bookings.read", subject_patient=patient, subject=booking,
                basis="booking", now=clock.now(),
            )
            for _ in range(3)
        ]  # fmt: skip
    assert [each is None for each in told] == [False, True, True]
    assert len((await audit.verify(database.begin)).unsealed) == 1


async def test_what_is_rolled_back_was_never_seen(database: Database) -> None:
    async def refused() -> None:
        async with database.begin() as tx:
            _note(tx)
            await tx.flush()
            raise NotFound

    with pytest.raises(NotFound):
        await refused()
    assert (await audit.verify(database.begin)).unsealed == []


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        "action = 'bookings.reae'", "subject = concat(subject, ' ')", "basis = 'booking '", "hospital_id = patient_id",
        "mode = 'operator'", "actor_id = NULL", "patient_id = NULL", "request_id = ''", "at = at + INTERVAL 1 MICROSECOND",
        "proof = reverse(proof)",
    ],
)  # fmt: skip
async def test_a_changed_byte_is_found_and_named(database: Database, change: str, sealed: bool) -> None:
    _, victim, _ = await write(database, 3)
    if sealed:
        await audit.seal(database.begin)
    await spoil(database, f"UPDATE audit_entry SET {change} WHERE id = :id", id=victim.bytes)
    report = await audit.verify(database.begin)
    assert (report.sound, report.changed) == (False, [victim])


async def test_a_removed_row_is_found_sealed_or_not(database: Database) -> None:
    first, second = await write(database, 2)
    await audit.seal(database.begin, batch=1)
    third = (await write(database, 1))[0]
    for each in (first, third):
        await spoil(database, "DELETE FROM audit_entry WHERE id = :id", id=each.bytes)
    report = await audit.verify(database.begin)
    assert (report.sound, sorted(report.removed)) == (False, sorted([first, third]))
    await audit.seal(database.begin)  # does not forget the one that is gone
    assert sorted((await audit.verify(database.begin)).removed) == sorted([first, third])
    assert second not in report.removed


async def test_an_inserted_row_is_found(database: Database) -> None:
    (model,) = await write(database, 1)
    forged = AuditId.new()
    copy = (
        "INSERT INTO audit_entry SELECT :new, at, actor_id, mode, hospital_id, action, patient_id, subject, basis,"
        " request_id, proof FROM audit_entry WHERE id = :id"
    )
    await spoil(database, copy, new=forged.bytes, id=model.bytes)
    report = await audit.verify(database.begin)
    assert (report.sound, report.inserted) == (False, [forged])
    await spoil(database, "INSERT INTO audit_pending VALUES (:id)", id=forged.bytes)
    assert (await audit.verify(database.begin)).changed == [forged]


async def test_a_row_taken_off_the_list_is_found(database: Database) -> None:
    """Nobody keeps a row from being sealed unseen."""
    first, _ = await write(database, 2)
    await spoil(database, "DELETE FROM audit_pending WHERE entry_id = :id", id=first.bytes)
    await audit.seal(database.begin)
    report = await audit.verify(database.begin)
    assert (report.sound, report.inserted) == (False, [first])


@pytest.mark.parametrize(
    "change", ["digest = reverse(digest)", "entries = 2", "entry_ids = substr(entry_ids, 17)",
               "sealed_at = sealed_at + INTERVAL 1 MICROSECOND"],
)  # fmt: skip
async def test_a_changed_seal_is_found(database: Database, change: str) -> None:
    await write(database, 3)
    await audit.seal(database.begin, batch=1)
    await spoil(database, f"UPDATE audit_seal SET {change} WHERE number = 2")
    report = await audit.verify(database.begin)
    assert not report.sound
    assert report.broken_seals[0] == 2


async def test_a_removed_seal_breaks_the_chain_and_an_end_cut_off_fails_its_anchor(database: Database) -> None:
    ids = await write(database, 3)
    await audit.seal(database.begin, batch=1)
    head = (await audit.verify(database.begin)).head
    assert head is not None
    await spoil(database, "DELETE FROM audit_seal WHERE number = 3")
    await spoil(database, "DELETE FROM audit_entry WHERE id = :id", id=ids[2].bytes)
    assert (await audit.verify(database.begin)).sound  # from inside, nothing is missing
    assert not (await audit.verify(database.begin, anchor=head)).sound
    earlier = (await audit.verify(database.begin)).head
    assert (await audit.verify(database.begin, anchor=earlier)).sound
    assert not (await audit.verify(database.begin, anchor=Anchor(2, bytes(32)))).sound
    await spoil(database, "DELETE FROM audit_seal WHERE number = 1")
    assert (await audit.verify(database.begin)).broken_seals[0] == 1


async def test_a_late_commit_is_sealed_late_and_never_forgotten(database: Database) -> None:
    async with database.engine.connect() as other:
        transaction = await other.begin()
        late = AuditId.new()  # older than every row that is sealed before it
        (early,) = await write(database, 1)
        assert await audit.seal(database.begin) == 1
        model = "SELECT at, actor_id, mode, hospital_id, action, patient_id, subject, basis, request_id FROM audit_entry"
        row = (await other.execute(text(f"{model} WHERE id = :id"), {"id": early.bytes})).one()
        async with database.begin() as tx:
            copied = await tx.get_one(AuditEntry, early)
            entry = AuditEntry(
                id=late, at=copied.at, actor_id=copied.actor_id, mode=copied.mode, hospital_id=None,
                action=copied.action, patient_id=copied.patient_id, subject=copied.subject, basis=copied.basis,
                request_id=copied.request_id,
            )  # fmt: skip
            proof = audit.proof_of(entry)
        insert = "INSERT INTO audit_entry VALUES (:id, :a, :b, :c, :d, :e, :f, :g, :h, :i, :proof)"
        await other.execute(text(insert), {"id": late.bytes, "proof": proof, **dict(zip("abcdefghi", row, strict=True))})
        await other.execute(text("INSERT INTO audit_pending VALUES (:id)"), {"id": late.bytes})
        assert await audit.seal(database.begin) == 0
        await transaction.commit()
    assert await audit.seal(database.begin) == 1
    report = await audit.verify(database.begin)
    assert (report.entries, report.seals, report.unsealed, report.sound) == (2, 2, [], True)


async def test_writers_and_sealers_at_once_lose_nothing_and_seal_nothing_twice(database: Database) -> None:
    writing = True

    async def sealer() -> None:
        while writing:
            await audit.seal(database.begin, batch=7)

    sealers = [asyncio.create_task(sealer()) for _ in range(3)]
    await asyncio.gather(*(write(database, 20) for _ in range(6)))
    writing = False
    await asyncio.gather(*sealers)
    await audit.seal(database.begin)
    async with database.begin() as tx:
        sealed = await tx.scalar(select(func.sum(AuditSeal.entries)))
        waiting = await tx.scalar(select(func.count()).select_from(AuditPending))
    report = await audit.verify(database.begin)
    assert (int(sealed or 0), waiting, report.entries, report.sound) == (120, 0, 120, True)


async def test_the_tables_themselves_refuse_a_change(server: MariaDb | GivenServer, settings: Settings) -> None:
    name = f"yiyuebao_audit_{os.getpid()}"
    root = create_async_engine(server.url(), poolclass=NullPool)
    async with root.begin() as connection:
        await connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"))
    held = settings.model_copy(update={"database": settings.database.model_copy(update={"url": SecretStr(server.url(name))})})
    await migrate.upgrade(held, "head")
    migrated = Database(held.database)
    try:
        await write(migrated, 1)
        await audit.seal(migrated.begin)
        for statement in ("UPDATE audit_entry SET basis = 'x'", "DELETE FROM audit_entry", "DELETE FROM audit_seal",
                          "UPDATE audit_seal SET entries = 0"):  # fmt: skip
            with pytest.raises(DBAPIError, match="only ever appended"):
                await spoil(migrated, statement)
        assert (await audit.verify(migrated.begin)).entries == 1
    finally:
        await migrated.aclose()
        async with root.begin() as connection:
            await connection.execute(text(f"DROP DATABASE {name}"))
        await root.dispose()
