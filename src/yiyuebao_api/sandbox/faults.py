"""Faults on demand: the next calls of a provider fail, hang or break off, before or after they took effect.

`POST /_sandbox/<provider>/faults` plans one, `GET` lists what is planned, `DELETE` forgets all. The body:

    {"kind": "status", "status": 503}             an HTML page with that status, as a proxy would send
    {"kind": "code", "code": "isp.SYSTEM_ERROR"}  the provider's own error in the provider's own shape
    {"kind": "hang", "seconds": 30}               silence; ends early when the caller hangs up
    {"kind": "slow", "seconds": 2}                the true answer, late
    {"kind": "drop"}                              the connection breaks in the middle of the answer

with `"times": N` (default 1), `"path": "/prefix"` to hit only some calls, and `"after": true` to let the call
take effect first: the message is sent, the code is used up, and only the answer is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[Response]]

KINDS = ("status", "code", "hang", "slow", "drop")


@dataclass(slots=True)
class Fault:
    """One planned misfortune."""

    kind: str
    times: int = 1
    status: int = 503
    code: str = ""
    seconds: float = 30.0
    path: str = "/"
    after: bool = False


class Breakable(Protocol):
    """State of a provider that can be told to fail."""

    faults: list[Fault]


def routes(provider: str) -> list[BaseRoute]:
    """The control routes of one provider; `app.state.<provider>` (`-` written `_`) holds its `faults`."""

    async def plan(request: Request) -> Response:
        try:
            fault = Fault(**await request.json())
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 422)
        if fault.kind not in KINDS or fault.times < 1 or not 0 < fault.seconds <= 120:
            return JSONResponse({"error": f"kind is one of {KINDS}, times >= 1, seconds in (0, 120]"}, 422)
        state(request.app, provider).faults.append(fault)
        return JSONResponse(asdict(fault), 201)

    async def planned(request: Request) -> Response:
        return JSONResponse([asdict(fault) for fault in state(request.app, provider).faults])

    async def forget(request: Request) -> Response:
        state(request.app, provider).faults.clear()
        return Response(status_code=204)

    path = f"/_sandbox/{provider}/faults"
    return [
        Route(path, plan, methods=["POST"]),
        Route(path, planned, methods=["GET"]),
        Route(path, forget, methods=["DELETE"]),
    ]


def state(app: Starlette, provider: str) -> Breakable:
    return cast("Breakable", getattr(app.state, provider.replace("-", "_")))


def breakable(provider: str, serve: Endpoint, refuse: Callable[[str], Response]) -> Endpoint:
    """`serve`, unless a fault is planned; `refuse` shapes the provider's own error for a code."""

    async def endpoint(request: Request) -> Response:
        fault = _take(state(request.app, provider).faults, request.url.path)
        if fault is None:
            return await serve(request)
        if fault.after and fault.kind != "slow":
            await serve(request)
        match fault.kind:
            case "slow":
                await asyncio.sleep(fault.seconds)
                return await serve(request)
            case "code":
                return refuse(fault.code)
            case "hang":
                await _silence(request, fault.seconds)
                return HTMLResponse("<h1>504 Gateway Time-out</h1>", 504)
            case "drop":
                return _BrokenOff()
        page = "" if fault.status in (204, 304) else f"<html><body><h1>{fault.status}</h1></body></html>"
        return HTMLResponse(page, fault.status)

    return endpoint


def _take(faults: list[Fault], path: str) -> Fault | None:
    for fault in faults:
        if path.startswith(fault.path):
            fault.times -= 1
            if fault.times == 0:
                faults.remove(fault)
            return fault
    return None


async def _silence(request: Request, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not await request.is_disconnected():  # noqa: ASYNC110 nobody signals it
        await asyncio.sleep(0.05)


class _BrokenOff(Response):
    """Promises more bytes than it sends; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: list[Any] = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"', "more_body": True})
