"""Two hospitals' desks, signed in."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.client import Api
from tests.scenes.accounts import sign_in
from tests.scenes.hospitals import make_site
from yiyuebao_api.context import Context
from yiyuebao_api.domains.hospitals.models import Site
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.tokens import Mode


@dataclass(frozen=True, slots=True)
class Desk:
    """A signed-in desk and a site of its hospital."""

    api: Api
    site: Site


async def _desk(api: Api, database: Database, context: Context) -> Desk:
    site = await make_site(database)
    signed_in = await sign_in(database, context.tokens, mode=Mode.DESK, hospital_id=site.hospital_id)
    return Desk(api.signed_in(signed_in.access_token), site)


@pytest.fixture
async def desk(api: Api, database: Database, context: Context) -> Desk:
    return await _desk(api, database, context)


@pytest.fixture
async def stranger(api: Api, database: Database, context: Context) -> Desk:
    """The desk of another hospital."""
    return await _desk(api, database, context)
