"""Payment gateways in both modes that speak to the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.sandbox_server import SandboxServer
from yiyuebao_api.gateways.payment.wechat import WeChatPayGateway
from yiyuebao_api.settings import PaymentMode, WeChatPay

Opened = Callable[..., WeChatPay]


@pytest.fixture
def pay_settings(sandbox: SandboxServer) -> Opened:
    """Settings of WeChat Pay as the environment would give them, with changes."""

    def made(**changes: object) -> WeChatPay:
        start = "YIYUEBAO_WECHAT_PAY__"
        given = {
            name.removeprefix(start).lower(): value
            for name, value in sandbox.environment.items()
            if name.startswith(start)
        }
        return WeChatPay.model_validate({**given, **changes})

    return made


@pytest.fixture
async def partner(pay_settings: Opened) -> AsyncIterator[WeChatPayGateway]:
    """A service provider's gateway."""
    async with WeChatPayGateway(pay_settings()) as gateway:
        yield gateway


@pytest.fixture
async def direct(pay_settings: Opened) -> AsyncIterator[WeChatPayGateway]:
    """The gateway of one hospital that runs its own installation."""
    async with WeChatPayGateway(pay_settings(mode=PaymentMode.DIRECT)) as gateway:
        yield gateway


@pytest.fixture
async def open_gateway(pay_settings: Opened) -> AsyncIterator[Callable[..., object]]:
    """Gateways with other settings, closed after the test."""
    async with AsyncExitStack() as stack:

        async def opened(*, transport: httpx.AsyncBaseTransport | None = None, **changes: object) -> WeChatPayGateway:
            gateway = WeChatPayGateway(pay_settings(**changes), transport=transport)
            return await stack.enter_async_context(gateway)

        yield opened
