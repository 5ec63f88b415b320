"""Baidu from the sandbox, and a gateway that speaks to it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.gateways.sandboxes import Sandboxed, serving
from yiyuebao_api.gateways.identity_ocr.baidu import BaiduIdentity
from yiyuebao_api.sandbox import baidu as provider
from yiyuebao_api.settings import BaiduOcr


@pytest.fixture(scope="session")
def baidu_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxed]:
    with serving(provider, "baidu", tmp_path_factory.mktemp("baidu")) as running:
        yield running


@pytest.fixture
def baidu(baidu_server: Sandboxed) -> Sandboxed:
    """A provider that remembers nothing of other tests."""
    baidu_server.forget()
    return baidu_server


@pytest.fixture
def given(baidu: Sandboxed) -> BaiduOcr:
    """The settings of development, on this port and impatient."""
    return BaiduOcr(base_url=baidu.base_url, timeout_s=1)


@pytest.fixture
async def reader(given: BaiduOcr) -> AsyncIterator[BaiduIdentity]:
    async with BaiduIdentity(given) as opened:
        yield opened
