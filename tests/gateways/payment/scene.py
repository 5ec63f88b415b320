"""Orders for the payment tests, and a small server that hears WeChat's notifications."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from yiyuebao_api.gateways.payment import Channel, Merchant, Notification, Prepay
from yiyuebao_api.gateways.payment.wechat import NOTIFY_PATH, WeChatPayGateway
from yiyuebao_api.kernel import clock
from yiyuebao_api.sandbox.app import listen

HOSPITAL = Merchant(sub_mchid="1900000109")
OTHER_HOSPITAL = Merchant(sub_mchid="1900000208")
ALONE = Merchant()


def number(prefix: str = "P") -> str:
    return prefix + secrets.token_hex(10)


def order(**changes: object) -> Prepay:
    given: dict[str, object] = {
        "out_trade_no": number(), "description": "上门静脉采血", "amount_fen": 10_001, "payer_openid": "oPatient1",
        "channel": Channel.MINI, "merchant": HOSPITAL, "expires_at": clock.now() + timedelta(minutes=15),
        "profit_sharing": True,
    }  # fmt: skip
    return Prepay(**{**given, **changes})  # type: ignore[arg-type]


@dataclass
class Ear:
    """Where WeChat posts; verifies with the gateway and answers as the service does."""

    base_url: str
    gateway: WeChatPayGateway | None = None
    heard: asyncio.Queue[Notification | None] = field(default_factory=asyncio.Queue)
    deaf: int = 0  # so many notifications are answered with 500 first

    async def hear(self, request: Request) -> Response:
        assert self.gateway is not None
        body = await request.body()
        if self.deaf:
            self.deaf -= 1
            return JSONResponse({"code": "FAIL", "message": "busy"}, 500)
        notification = self.gateway.read_notification(request.headers, body)
        self.heard.put_nowait(notification)
        return Response(status_code=204 if notification else 401)

    async def next(self) -> Notification:
        """The next one that was believed."""
        async with asyncio.timeout(5):
            while (notification := await self.heard.get()) is None:
                pass
            return notification


@asynccontextmanager
async def listening_ear() -> AsyncIterator[Ear]:
    socket = listen(0)
    ear = Ear(f"http://127.0.0.1:{socket.getsockname()[1]}")
    app = Starlette(routes=[Route(NOTIFY_PATH, ear.hear, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[socket]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield ear
    finally:
        server.should_exit = True
        await task
