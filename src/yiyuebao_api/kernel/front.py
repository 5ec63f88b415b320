"""The front door, outside everything else: request id, size limits, the last handler of errors, the access log.

An unknown exception is logged once with the request's id and answered as a 500 problem without a word of it; it is not
raised further, because uvicorn would then close the connection under the client's next request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import structlog
from fastapi.exceptions import HTTPException
from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yiyuebao_api.kernel.ids import Id
from yiyuebao_api.kernel.log import answered
from yiyuebao_api.kernel.problems import BodyTooLarge, InternalError, Problem, respond

log = structlog.get_logger("yiyuebao.http")
SECONDS = Histogram("yiyuebao_request_seconds", "Time to answer", ["route", "method", "status"])


class RequestId(Id, prefix="req"):
    """Quoted in every answer and every log line."""


_SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class FrontDoor:
    """Middleware. `limits` maps path prefixes to bytes; `limit` holds elsewhere."""

    def __init__(self, app: ASGIApp, *, limit: int, limits: Mapping[str, int] | None = None) -> None:
        self.app, self.limit, self.limits = app, limit, dict(limits or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # the server's own connection, to cut off whoever reads nothing any more
            transport = getattr(getattr(send, "__self__", None), "transport", None)
            scope["state"] = {**scope.get("state", {}), "transport": transport}
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request_id, began = str(RequestId.new()), time.perf_counter()
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        status, started = 0, False

        async def named(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _SAFETY.items():
                    headers.setdefault(name, value)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._bounded(scope, receive, named)
            except Exception:
                log.exception("unhandled")
                if not started:
                    await respond(scope, InternalError())(scope, receive, named)
            finally:
                seconds = time.perf_counter() - began
                route = getattr(scope.get("route"), "path", "-")
                SECONDS.labels(route, scope["method"], str(status)).observe(seconds)
                answered(
                    request_id=request_id, method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1)
                )  # fmt: skip

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = next((size for start, size in self.limits.items() if scope["path"].startswith(start)), self.limit)
        scope["state"]["limit_bytes"] = limit  # for the answer to HTTPException(413)
        told = Headers(scope=scope).get("content-length", "0")
        if not told.isdecimal() or int(told) > limit:
            return await respond(scope, BodyTooLarge(limit_bytes=limit))(scope, receive, send)
        left = limit

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:  # a chunked body did not say how long it is; FastAPI passes this exception on
                raise HTTPException(413)
            return message

        try:
            await self.app(scope, counted, send)
        except Problem as problem:  # raised outside of FastAPI's own handlers
            await respond(scope, problem)(scope, receive, send)
        return None
