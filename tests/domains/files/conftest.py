"""Somebody who uploads, somebody else, and what the store and the table hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.client import Api
from tests.scenes.accounts import sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId


@dataclass(frozen=True, slots=True)
class Person:
    """A caller and their client."""

    account_id: AccountId
    api: Api


@pytest.fixture
async def me(api: Api, database: Database, context: Context) -> Person:
    held = await sign_in(database, context.tokens)
    return Person(held.account_id, api.signed_in(held.access_token))


@pytest.fixture
async def stranger(api: Api, database: Database, context: Context) -> Person:
    held = await sign_in(database, context.tokens)
    return Person(held.account_id, api.signed_in(held.access_token))


@pytest.fixture
def folder(context: Context) -> Path:
    """Where this run's objects lie; emptied before the test."""
    where = context.settings.files.folder
    for each in objects(where):
        (where / each).unlink()
    return where


def objects(folder: Path) -> list[str]:
    """Every file below the store's folder, half-written ones too."""
    return sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())


async def rows(database: Database) -> list[File]:
    async with database.begin() as tx:
        return list((await tx.scalars(select(File))).all())
