"""A hospital's own system: it takes webhooks on a loopback port and believes only what its secret has signed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/yiyuebao"


@dataclass(frozen=True, slots=True)
class Heard:
    """One message whose signature was right."""

    webhook_id: str
    type: str
    timestamp: str
    data: dict[str, Any]


@dataclass(slots=True)
class HospitalSystem:
    """Standard Webhooks 1.0, from the receiver's side: verify, remember the id, answer 204."""

    secret: str = ""
    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    turned_away: int = 0

    def find(self, event_type: str, booking_id: str) -> Heard | None:
        """The first message of this type about this booking."""
        for each in self.heard:
            if each.type == event_type and each.data.get("booking_id") == booking_id:
                return each
        return None

    async def take(self, request: Request) -> Response:
        """The route."""
        body = (await request.body()).decode()
        headers = {name: request.headers.get(name, "") for name in _HEADERS}
        try:
            Webhook(self.secret).verify(body, headers)
        except (WebhookVerificationError, ValueError):
            self.turned_away += 1
            return Response(status_code=401)
        message, message_id = json.loads(body), headers["webhook-id"]
        if all(each.webhook_id != message_id for each in self.heard):  # at least once, they promise
            self.heard.append(Heard(message_id, message["type"], message["timestamp"], message["data"]))
        return Response(status_code=204)


_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


@asynccontextmanager
async def open_system() -> AsyncIterator[HospitalSystem]:
    """The system on a free port of the loopback interface, as long as the block lasts."""
    system = HospitalSystem()
    app = Starlette(routes=[Route(PATH, system.take, methods=["POST"])])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()  # not `serve`: that would take Ctrl-C for itself
    port = server.servers[0].sockets[0].getsockname()[1]
    system.url = f"http://127.0.0.1:{port}{PATH}"
    ticking = asyncio.create_task(server.main_loop())
    try:
        yield system
    finally:
        server.should_exit = True
        await ticking
        await server.shutdown()
