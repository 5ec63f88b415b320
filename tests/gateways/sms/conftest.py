"""Aliyun's Dysms from the sandbox, and a sender that speaks to it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.gateways.sandboxes import Sandboxed, serving
from yiyuebao_api.gateways.sms.aliyun import AliyunSms
from yiyuebao_api.sandbox import sms
from yiyuebao_api.settings import Sms


@pytest.fixture(scope="session")
def dysms_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxed]:
    with serving(sms, "sms", tmp_path_factory.mktemp("sms")) as running:
        yield running


@pytest.fixture
def dysms(dysms_server: Sandboxed) -> Sandboxed:
    """A provider that remembers nothing of other tests."""
    dysms_server.forget()
    return dysms_server


@pytest.fixture
def given(dysms: Sandboxed) -> Sms:
    """The settings of development, on this port and impatient."""
    return Sms(base_url=dysms.base_url, timeout_s=0.5)


@pytest.fixture
async def sender(given: Sms) -> AsyncIterator[AliyunSms]:
    async with AliyunSms(given) as opened:
        yield opened
