"""Amap from the sandbox, and a gateway that speaks to it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.gateways.sandboxes import Sandboxed, serving
from yiyuebao_api.gateways.maps.amap import AmapMaps
from yiyuebao_api.sandbox import amap
from yiyuebao_api.settings import Maps


@pytest.fixture(scope="session")
def amap_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxed]:
    with serving(amap, "amap", tmp_path_factory.mktemp("amap")) as running:
        yield running


@pytest.fixture
def amap_here(amap_server: Sandboxed) -> Sandboxed:
    """A provider that remembers nothing of other tests."""
    amap_server.forget()
    return amap_server


@pytest.fixture
def given(amap_here: Sandboxed) -> Maps:
    """The settings of development, on this port and impatient."""
    return Maps(base_url=amap_here.base_url, timeout_s=0.5)


@pytest.fixture
async def maps(given: Maps) -> AsyncIterator[AmapMaps]:
    async with AmapMaps(given) as opened:
        yield opened
