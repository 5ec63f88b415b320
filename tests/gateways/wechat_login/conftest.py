"""The mini-program's server API from the sandbox, and a gateway that speaks to it."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from pydantic import SecretStr

from tests.gateways.sandboxes import Sandboxed, serving
from yiyuebao_api.gateways.http import open_client
from yiyuebao_api.gateways.wechat_login.mini_program import MiniProgramLogin
from yiyuebao_api.sandbox import mini_program


@pytest.fixture(scope="session")
def wechat_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxed]:
    with serving(mini_program, "mini-program", tmp_path_factory.mktemp("mini_program")) as running:
        yield running


@pytest.fixture
def wechat(wechat_server: Sandboxed) -> Sandboxed:
    """A provider that remembers nothing of other tests."""
    wechat_server.forget()
    return wechat_server


@pytest.fixture
async def client(wechat: Sandboxed) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(wechat.base_url, timeout_s=0.5) as opened:
        yield opened


@pytest.fixture
def login_with(client: httpx.AsyncClient) -> Callable[..., MiniProgramLogin]:
    """A gateway with some of its settings wrong."""

    def build(appid: str = mini_program.APPID, secret: str = mini_program.SECRET) -> MiniProgramLogin:
        return MiniProgramLogin(client, appid=appid, secret=SecretStr(secret))

    return build


@pytest.fixture
def login(login_with: Callable[..., MiniProgramLogin]) -> MiniProgramLogin:
    return login_with()
