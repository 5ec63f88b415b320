"""Everybody who takes part in a visit, at home and at the hospital."""

from __future__ import annotations

import pytest

from tests.client import Api
from tests.scenes.visits import Cast, make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.catalogue.rules import Place


@pytest.fixture
async def cast(context: Context, api: Api) -> Cast:
    """An accepted booking at home."""
    return await make_cast(context, api)


@pytest.fixture
async def at_hospital(context: Context, api: Api) -> Cast:
    """An accepted booking at the hospital."""
    return await make_cast(context, api, place=Place.HOSPITAL)
