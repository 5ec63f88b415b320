"""Amap from the sandbox, and a gateway that speaks to it."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from pydantic import SecretStr

from tests.gateways.sandboxes import Sandboxed, serving
from yiyuebao_api.gateways.http import open_client
from yiyuebao_api.gateways.maps.amap import AmapMaps
from yiyuebao_api.sandbox import amap


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
async def client(amap_here: Sandboxed) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(amap_here.base_url, timeout_s=0.5) as opened:
        yield opened


@pytest.fixture
def maps_with(client: httpx.AsyncClient) -> Callable[..., AmapMaps]:
    """A gateway with some of its settings wrong."""

    def build(key: str = amap.KEY, private_key: str = amap.PRIVATE_KEY) -> AmapMaps:
        return AmapMaps(client, key=SecretStr(key), private_key=SecretStr(private_key))

    return build


@pytest.fixture
def maps(maps_with: Callable[..., AmapMaps]) -> AmapMaps:
    return maps_with()
