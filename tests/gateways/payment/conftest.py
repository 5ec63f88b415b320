"""A place where WeChat's notifications arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from tests.gateways.payment.scene import Ear, listening_ear
from yiyuebao_api.gateways.payment.wechat import WeChatPayGateway
from yiyuebao_api.settings import PaymentMode, WeChatPay


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    async with listening_ear() as heard:
        yield heard


@pytest.fixture(params=[PaymentMode.PARTNER, PaymentMode.DIRECT])
async def gateway(
    request: pytest.FixtureRequest, ear: Ear, pay_settings: Callable[..., WeChatPay]
) -> AsyncIterator[WeChatPayGateway]:
    """The gateway in both modes, notified at `ear`."""
    async with WeChatPayGateway(pay_settings(mode=request.param, notify_base_url=ear.base_url)) as opened:
        ear.gateway = opened
        yield opened


@pytest.fixture
async def hospital_gateway(ear: Ear, pay_settings: Callable[..., WeChatPay]) -> AsyncIterator[WeChatPayGateway]:
    """A service provider's gateway, notified at `ear`."""
    async with WeChatPayGateway(pay_settings(notify_base_url=ear.base_url)) as opened:
        ear.gateway = opened
        yield opened
