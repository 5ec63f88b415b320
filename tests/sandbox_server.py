"""The provider sandbox under a real server in a thread of its own, as the tests' outside world."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Self

import uvicorn
from pydantic import SecretStr

from scripts.servers import free_port
from yiyuebao_api.sandbox import keys
from yiyuebao_api.sandbox.app import create_sandbox
from yiyuebao_api.settings import Settings


class SandboxServer:
    """Started on entry, stopped on exit."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.environment = keys.prepare(home, self.base_url)
        config = uvicorn.Config(create_sandbox(home), host="127.0.0.1", port=self.port, log_level="warning", lifespan="on")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=5)

    def settings(self, *, database_url: SecretStr, clock_file: Path, notify_base_url: str) -> Settings:
        """Settings that speak to this sandbox, built the way the environment would build them."""
        nested: dict[str, dict[str, object]] = {}
        for name, value in self.environment.items():
            concern, _, field = name.removeprefix("YIYUEBAO_").lower().partition("__")
            nested.setdefault(concern, {})[field] = value
        nested.setdefault("database", {})["url"] = database_url
        nested.setdefault("wechat_pay", {})["notify_base_url"] = notify_base_url
        nested.setdefault("files", {})["folder"] = self.home / "files"
        return Settings(**{"clock_file": clock_file, "_env_file": None, **nested})  # type: ignore[arg-type]
