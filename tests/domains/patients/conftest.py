"""Somebody signed in as a patient, and somebody else."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.client import Api
from tests.scenes.accounts import sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId
from yiyuebao_api.kernel.tokens import Mode


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
async def others(api: Api, database: Database, context: Context) -> list[Api]:
    """Everybody signed in who is no patient."""
    modes = [mode for mode in Mode if mode is not Mode.PATIENT]
    return [api.signed_in((await sign_in(database, context.tokens, mode=mode)).access_token) for mode in modes]
