"""The sweep: what it removes, what it leaves, and that nothing escapes it whatever died half-way."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, update

from tests.domains.files.conftest import Person, objects, rows
from tests.scenes.files import uploaded
from yiyuebao_api.context import Context
from yiyuebao_api.domains.files import service
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import UNUSED_LIFE, UPLOAD_LIFE, FileState, Purpose
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import FileId
from yiyuebao_api.kernel.outbox import Worker

SECOND = timedelta(seconds=1)


async def sweep(context: Context, *, after: timedelta = timedelta(), objects_after: timedelta = timedelta()) -> int:
    return await service.sweep(
        context.begin, context.gateways.store, now=clock.now() + after, system_now=clock.system_now() + objects_after
    )


async def in_state(database: Database, file: File, state: FileState) -> None:
    async with database.begin() as tx:
        await tx.execute(update(File).where(File.id == file.id).values(state=state))


async def test_unused_files_go_after_a_day(me: Person, context: Context, folder: Path, database: Database) -> None:
    used, unused = [await uploaded(context, me.account_id, Purpose.ID_CARD) for _ in range(2)]
    async with database.begin() as tx:
        await service.keep(tx, used)
    assert await sweep(context, after=UNUSED_LIFE - SECOND * 60) == 0
    assert len(await rows(database)) == 2
    assert await sweep(context, after=UNUSED_LIFE + SECOND) == 1
    assert [row.id for row in await rows(database)] == [used.id]
    assert objects(folder) == sorted(used.object_names())
    assert unused.id != used.id


async def test_half_finished_uploads_go_after_an_hour(
    me: Person, context: Context, folder: Path, database: Database
) -> None:
    for gone in ((), (0,), (0, 1)):  # killed after both objects, after one, before the first
        file = await uploaded(context, me.account_id, Purpose.ID_CARD)
        await in_state(database, file, FileState.UPLOADING)
        for each in gone:
            (folder / file.object_names()[each]).unlink()
    assert await sweep(context, after=UPLOAD_LIFE - SECOND * 60) == 0
    assert await sweep(context, after=UPLOAD_LIFE + SECOND) == 3
    assert (await rows(database), objects(folder)) == ([], [])


async def test_half_finished_deletions_are_finished(
    me: Person, context: Context, folder: Path, database: Database
) -> None:
    file = await uploaded(context, me.account_id, Purpose.RECORD)
    await in_state(database, file, FileState.DELETING)
    (folder / file.object_names()[0]).unlink()
    assert await sweep(context) == 1
    assert (await rows(database), objects(folder)) == ([], [])


async def test_objects_without_a_row_go(me: Person, context: Context, folder: Path, database: Database) -> None:
    kept, lost = [await uploaded(context, me.account_id, Purpose.RECORD) for _ in range(2)]
    async with database.begin() as tx:
        await service.keep(tx, kept)
        await tx.execute(delete(File).where(File.id == lost.id))
    assert await sweep(context, objects_after=UPLOAD_LIFE - SECOND * 60) == 0
    assert len(objects(folder)) == 6
    assert await sweep(context, objects_after=UPLOAD_LIFE + SECOND) == 3
    assert objects(folder) == sorted(kept.object_names())


async def test_half_written_objects_go(context: Context, folder: Path, database: Database) -> None:
    half = folder / f"files/2026-11-25/{FileId.new()}/main#1"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    assert await sweep(context) == 0
    long_ago = (clock.system_now() - UPLOAD_LIFE * 2).timestamp()
    os.utime(half, (long_ago, long_ago))
    assert await sweep(context) == 1
    assert objects(folder) == []


async def test_the_worker_sweeps(me: Person, context: Context, database: Database, worker: Worker[Context]) -> None:
    await uploaded(context, me.account_id, Purpose.ID_CARD)
    clock.move(UNUSED_LIFE + SECOND)
    await worker.drain("files.sweep", early=True)
    assert await rows(database) == []
