"""What every gateway without an SDK owes to its client: TLS really verified, no proxy, no endless answer."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from tests.gateways.sandboxes import Sandboxed, serving
from yiyuebao_api.gateways import ProviderUnavailable
from yiyuebao_api.gateways.http import MAX_ANSWER_BYTES, ask, open_client
from yiyuebao_api.gateways.sms.aliyun import AliyunSms
from yiyuebao_api.sandbox import sms
from yiyuebao_api.settings import Sms


class Endless:
    """A server that answers with bytes, and more bytes."""

    def routes(self) -> list[BaseRoute]:
        async def stream(request: Request) -> Response:
            async def body() -> AsyncIterator[bytes]:
                for _ in range(MAX_ANSWER_BYTES // 65536 + 2):
                    yield b"x" * 65536

            return StreamingResponse(body())

        return [Route("/", stream)]

    def start(self, app: Starlette, home: Path) -> None: ...


@pytest.fixture
def secure(certificate: Path, tmp_path: Path) -> Iterator[Sandboxed]:
    with serving(sms, "sms", tmp_path, certificate) as running:
        yield running


async def test_a_certificate_that_nobody_vouches_for_ends_the_call(secure: Sandboxed) -> None:
    async with AliyunSms(Sms(base_url=secure.base_url)) as sender:
        with pytest.raises(ProviderUnavailable, match="ConnectError"):
            await sender.send_code("+8613800138000", "123456", "SMS_LOGIN")
    assert not secure.app.state.sms.inbox


async def test_a_bundle_of_our_own_vouches(secure: Sandboxed, certificate: Path) -> None:
    async with AliyunSms(Sms(base_url=secure.base_url, ca_bundle=certificate)) as sender:
        await sender.send_code("+8613800138000", "123456", "SMS_LOGIN")
    assert len(secure.app.state.sms.inbox) == 1


async def test_the_environment_names_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving(sms, "sms", tmp_path) as running:
        async with AliyunSms(Sms(base_url=running.base_url)) as sender:
            await sender.send_code("+8613800138000", "123456", "SMS_LOGIN")
        assert len(running.app.state.sms.inbox) == 1


async def test_an_endless_answer_is_cut_off(tmp_path: Path) -> None:
    with serving(Endless(), "endless", tmp_path) as running:
        async with open_client(running.base_url, timeout_s=5) as client:
            with pytest.raises(ProviderUnavailable, match="more than"):
                await ask("endless", client, client.build_request("GET", "/"))


async def test_an_address_that_is_none() -> None:
    async with open_client("http://127.0.0.1:9", timeout_s=1) as client:
        with pytest.raises(ProviderUnavailable):
            await ask("nobody", client, httpx.Request("GET", "ftp://127.0.0.1/"))
