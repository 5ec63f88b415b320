"""The sandbox as one ASGI program: every provider on one loopback port, with a page to look at what happened.

Started by `python -m yiyuebao_api sandbox --port 8100 --home .data/sandbox`.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from yiyuebao_api.sandbox import amap, baidu, keys, mini_program, sms, wechat_pay
from yiyuebao_api.sandbox.wechat_pay_wire import Behaviour

_PAGE = Path(__file__).with_name("console.html")
_NO_OTHER_ORIGIN = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"


@dataclass(frozen=True, slots=True)
class Options:
    """How this sandbox behaves from its start; `POST /_sandbox/behaviour` changes it while it runs."""

    notify_scale: float = 1.0  # times WeChat's retry schedule: 0.01 makes 15 s out of 25 min
    refund_delay_s: float = 0.5
    split_wait_s: float = 0.0
    durable: bool = True  # False, for load tests: state is saved by a clean stop only


def create_sandbox(home: Path, *, options: Options | None = None) -> Starlette:
    """All providers, with their keys and their state in `home` (made when it is missing)."""
    chosen = options or Options()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with wechat_pay.running(app):
            yield

    app = Starlette(
        routes=[
            Route("/healthz", _healthz, methods=["GET"]),
            Route("/_sandbox/", _console, methods=["GET"]),
            *wechat_pay.routes(),
            *mini_program.routes(),
            *amap.routes(),
            *baidu.routes(),
            *sms.routes(),
        ],
        middleware=[Middleware(LoopbackOnly)],
        lifespan=lifespan,
    )
    behaviour = Behaviour(
        notify_scale=chosen.notify_scale, refund_delay_s=chosen.refund_delay_s, split_wait_s=chosen.split_wait_s
    )
    wechat_pay.start(app, home, behaviour, durable=chosen.durable)
    for provider in (mini_program, amap, baidu, sms):
        provider.start(app, home)
    return app


class LoopbackOnly:
    """Nobody but this machine: neither a stranger's address, nor a stranger's page in a browser of this machine."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _trusted(Request(scope)):
            await JSONResponse({"error": "the sandbox answers this machine only"}, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _trusted(request: Request) -> bool:
    if request.client is None or not _is_loopback(request.client.host):
        return False
    if not _is_loopback(request.url.hostname or ""):  # a name of somebody else's that resolves to this machine
        return False
    if request.method in ("GET", "HEAD"):  # a link from elsewhere may lead here; its page cannot read the answer
        return True
    return request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


async def _healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _console(request: Request) -> Response:
    return HTMLResponse(_PAGE.read_text(encoding="utf-8"), headers={"Content-Security-Policy": _NO_OTHER_ORIGIN})


def server(app: Starlette) -> uvicorn.Server:
    """A uvicorn that believes no proxy and binds nothing by itself."""
    settings: dict[str, Any] = {"proxy_headers": False, "log_level": "warning", "timeout_graceful_shutdown": 2}
    return uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", **settings))


def listen(port: int) -> socket.socket:
    """A listening socket of 127.0.0.1; port 0 takes a free one."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(256)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; writes `HOME/sandbox.env` first."""
    parser = argparse.ArgumentParser(prog="yiyuebao_api sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--home", type=Path, default=Path(".data/sandbox"))
    parser.add_argument("--notify-scale", type=float, default=1.0)
    parser.add_argument("--refund-delay", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument("--split-wait", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--volatile", action="store_true", help="save the state when stopped, not after every call")
    chosen = parser.parse_args(arguments)
    options = Options(
        notify_scale=chosen.notify_scale,
        refund_delay_s=chosen.refund_delay,
        split_wait_s=chosen.split_wait,
        durable=not chosen.volatile,
    )
    serve(chosen.port, chosen.home, options)


def serve(port: int, home: Path, options: Options | None = None) -> None:
    """The sandbox on 127.0.0.1:`port`, in the foreground."""
    base_url = f"http://127.0.0.1:{port}"
    keys.prepare(home, base_url)  # before the port answers: who waits for the port reads the environment next
    listening = listen(port)
    print(f"sandbox: {base_url}/_sandbox/  (home: {home})", flush=True)
    server(create_sandbox(home, options=options)).run(sockets=[listening])
