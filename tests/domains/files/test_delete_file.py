"""Deleting an own file, as long as nothing holds on to it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.client import Api, refused
from tests.domains.files.conftest import Person, objects, rows
from tests.scenes.files import uploaded
from yiyuebao_api.context import Context
from yiyuebao_api.domains.files import service
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.kernel.database import Database


async def test_row_and_objects_go(me: Person, context: Context, folder: Path, database: Database) -> None:
    file = await uploaded(context, me.account_id, Purpose.RECORD)
    answers = await asyncio.gather(*(me.api.delete(f"/v1/files/{file.id}") for _ in range(3)))
    assert sorted(each.status_code for each in answers) == [204, 404, 404]
    assert (objects(folder), await rows(database)) == ([], [])


async def test_what_is_kept_stays(me: Person, context: Context, folder: Path, database: Database) -> None:
    file = await uploaded(context, me.account_id, Purpose.ID_CARD)
    async with database.begin() as tx:
        await service.keep(tx, file)
    refused(await me.api.delete(f"/v1/files/{file.id}"), 409, "file-in-use")
    assert (await me.api.get(f"/v1/files/{file.id}")).json()["kept"] is True
    assert len(objects(folder)) == 2


async def test_wrong_callers(me: Person, stranger: Person, api: Api, context: Context, folder: Path) -> None:
    file = await uploaded(context, me.account_id, Purpose.ID_CARD)
    refused(await api.delete(f"/v1/files/{file.id}"), 401, "unauthenticated")
    refused(await stranger.api.delete(f"/v1/files/{file.id}"), 404, "not-found")
    assert len(objects(folder)) == 2
