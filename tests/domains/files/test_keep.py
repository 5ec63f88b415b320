"""Making use of a file: whose it is, what it is for, and the race with those who remove it."""

from __future__ import annotations

import asyncio

import pytest

from tests.domains.files.conftest import Person, rows
from tests.scenes.files import uploaded
from yiyuebao_api.context import Context
from yiyuebao_api.domains.files import queries, service
from yiyuebao_api.domains.files.problems import FileInUse, FileNotFound
from yiyuebao_api.domains.files.rules import FileState, Purpose
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import FileId


async def test_owner_and_purpose_are_asked_every_time(me: Person, stranger: Person, context: Context) -> None:
    file = await uploaded(context, me.account_id, Purpose.ID_CARD)
    async with context.begin() as tx:
        found = await queries.require_file(tx, file.id, owner=me.account_id, purpose=Purpose.ID_CARD)
        assert found.sha256 == file.sha256
        for file_id, owner, purpose in (
            (file.id, stranger.account_id, Purpose.ID_CARD),
            (file.id, me.account_id, Purpose.LICENCE),
            (FileId.new(), me.account_id, Purpose.ID_CARD),
        ):
            with pytest.raises(FileNotFound):
                await queries.require_file(tx, file_id, owner=owner, purpose=purpose)


async def test_what_is_not_ready_is_nobodys(me: Person, context: Context) -> None:
    file = await uploaded(context, me.account_id, Purpose.ID_CARD)
    for state in (FileState.UPLOADING, FileState.DELETING):
        async with context.begin() as tx:
            row = await tx.get_one(type(file), file.id)
            row.state = state
        async with context.begin() as tx:
            with pytest.raises(FileNotFound):
                await queries.require_file(tx, file.id, owner=me.account_id, purpose=Purpose.ID_CARD)
            with pytest.raises(FileNotFound):
                await service.keep(tx, file)


async def test_kept_or_deleted_but_never_both(me: Person, context: Context, database: Database) -> None:
    store = context.gateways.store
    for _ in range(5):
        file = await uploaded(context, me.account_id, Purpose.ID_CARD)

        async def use(file_id: FileId = file.id) -> None:
            async with database.begin() as tx:
                mine = await queries.require_file(tx, file_id, owner=me.account_id, purpose=Purpose.ID_CARD)
                await asyncio.sleep(0)
                await service.keep(tx, mine)

        used, deleted = await asyncio.gather(
            use(), service.delete_file(database.begin, store, file.id, owner=me.account_id), return_exceptions=True
        )
        left = [row.id for row in await rows(database)]
        if used is None:
            assert isinstance(deleted, FileInUse)
            assert file.id in left
            assert await service.read_file(database.begin, store, file.id)
        else:
            assert isinstance(used, FileNotFound)
            assert deleted is None
            assert file.id not in left
