"""Aliyun's Dysms from the sandbox, and a sender that speaks to it."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from pydantic import SecretStr

from tests.gateways.sandboxes import Sandboxed, serving
from yiyuebao_api.gateways.http import open_client
from yiyuebao_api.gateways.sms.aliyun import AliyunSms
from yiyuebao_api.sandbox import sms


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
async def client(dysms: Sandboxed) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(dysms.base_url, timeout_s=0.5) as opened:
        yield opened


@pytest.fixture
def sender_with(client: httpx.AsyncClient) -> Callable[..., AliyunSms]:
    """A sender with some of its settings wrong."""

    def build(
        key_id: str = sms.ACCESS_KEY_ID, secret: str = sms.ACCESS_KEY_SECRET, sign_name: str = sms.SIGN_NAME
    ) -> AliyunSms:
        return AliyunSms(client, access_key_id=key_id, access_key_secret=SecretStr(secret), sign_name=sign_name)

    return build


@pytest.fixture
def sender(sender_with: Callable[..., AliyunSms]) -> AliyunSms:
    return sender_with()
