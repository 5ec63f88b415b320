"""Everybody who takes part in a visit."""

from __future__ import annotations

import pytest

from tests.client import Api
from tests.scenes.visits import Cast, make_cast
from yiyuebao_api.context import Context


@pytest.fixture
async def cast(context: Context, api: Api) -> Cast:
    """An accepted booking at home."""
    return await make_cast(context, api)
