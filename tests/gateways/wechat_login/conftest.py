"""The mini-program's server API from the sandbox, and a gateway that speaks to it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.gateways.sandboxes import Sandboxed, serving
from yiyuebao_api.gateways.wechat_login.mini_program import MiniProgramLogin
from yiyuebao_api.sandbox import mini_program
from yiyuebao_api.settings import MiniProgram


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
def given(wechat: Sandboxed) -> MiniProgram:
    """The settings of development, on this port and impatient."""
    return MiniProgram(base_url=wechat.base_url, timeout_s=0.5)


@pytest.fixture
async def login(given: MiniProgram) -> AsyncIterator[MiniProgramLogin]:
    async with MiniProgramLogin(given) as opened:
        yield opened
