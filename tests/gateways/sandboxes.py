"""One provider of the sandbox alone, under a real server on a free port."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute


class Provider(Protocol):
    """What every module of the sandbox that plays a provider offers."""

    def routes(self) -> list[BaseRoute]: ...

    def start(self, app: Starlette, home: Path) -> None: ...


class Sandboxed:
    """A running provider: where it listens, and the hand behind its curtain."""

    def __init__(self, provider: Provider, name: str, home: Path, base_url: str) -> None:
        self.app = Starlette(routes=provider.routes())
        self.base_url = base_url
        self._provider, self._name, self._home = provider, name, home
        self.forget()

    def forget(self) -> None:
        """Begin anew: no codes, no messages, no faults."""
        self._provider.start(self.app, self._home)

    def plan(self, kind: str, **fault: Any) -> None:
        """Plan a fault; see `yiyuebao_api.sandbox.faults`."""
        self.control("POST", "faults", {"kind": kind} | fault)

    def control(self, method: str, path: str = "", body: Any = None) -> Any:
        """One call of a control route; the decoded answer, None when it is empty."""
        url = f"{self.base_url}/_sandbox/{self._name}" + (path if path.startswith("?") else f"/{path}" if path else "")
        answer = httpx.request(method, url, json=body, trust_env=False)
        answer.raise_for_status()
        return answer.json() if answer.content else None


@contextmanager
def serving(provider: Provider, name: str, home: Path, certificate: Path | None = None) -> Iterator[Sandboxed]:
    """Serve `provider` until the block ends; over TLS with a `certificate` (PEM with its key)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scheme = "https" if certificate else "http"
        running = Sandboxed(provider, name, home, f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        # A provoked drop is an error in the server's eyes; nobody needs to read of it.
        config = uvicorn.Config(running.app, ws="none", lifespan="off", log_level="critical", ssl_certfile=certificate)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the sandbox did not start"
            time.sleep(0.005)
        try:
            yield running
        finally:
            server.should_exit = True
            thread.join(timeout=5)
