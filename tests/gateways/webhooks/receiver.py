"""A hospital's system: a real HTTP server on a free port that notes what it is posted and answers as it is told."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import uvicorn
from standardwebhooks import Webhook
from starlette.types import Receive, Scope, Send


@dataclass(frozen=True)
class Reply:
    """How one request is answered: after `delay_s` and `until`, with so many `pieces` of body, `pause_s` between them."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    delay_s: float = 0.0
    until: asyncio.Event | None = None
    pieces: int = 1
    pause_s: float = 0.0


@dataclass(frozen=True)
class Got:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> Any:
        return json.loads(self.body)

    def verify(self, secret: str) -> Any:
        """The message, if its signature is right; raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver:
    """`async with Receiver() as hospital:`; answers 200 unless `replies` (in order) or `always` say otherwise."""

    def __init__(self, *, port: int = 0, certificate: tuple[Path, Path] | None = None) -> None:
        self.got: list[Got] = []
        self.replies: deque[Reply] = deque()
        self.always = Reply()
        self.sent_bytes = 0
        self._socket = socket.create_server(("127.0.0.1", port))
        chain, key = certificate or (None, None)
        self._scheme = "http" if certificate is None else "https"
        config = uvicorn.Config(
            self._answer, interface="asgi3", ws="none", http="h11", lifespan="off", log_level="critical",
            timeout_graceful_shutdown=0, ssl_certfile=chain, ssl_keyfile=key,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._running: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self.port}/yiyuebao"

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        assert self._running is not None
        await self._running

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.got.append(Got(scope["path"], headers, body, time.monotonic()))
        reply = self.replies.popleft() if self.replies else self.always
        await asyncio.sleep(reply.delay_s)
        if reply.until is not None:
            await reply.until.wait()
        head = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": head})
        for _ in range(reply.pieces):
            await send({"type": "http.response.body", "body": reply.body, "more_body": True})
            self.sent_bytes += len(reply.body)
            await asyncio.sleep(reply.pause_s)
        await send({"type": "http.response.body"})
