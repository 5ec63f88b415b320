"""What uvicorn loads: the application, with the start-up's garbage frozen out of every later collection."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from yiyuebao_api.app import create_app
from yiyuebao_api.settings import Settings

#: How uvicorn serves sockets. Its own pings are off: a phone whose screen is dark answers them, and nobody is there.
SOCKETS: Mapping[str, Any] = {
    "ws": "websockets-sansio", "ws_max_size": 65_536, "ws_per_message_deflate": False, "ws_ping_interval": None,
    "ws_ping_timeout": None,
}  # fmt: skip


def app() -> FastAPI:
    """The API alone."""
    return _frozen(create_app(Settings()))


def app_with_worker() -> FastAPI:
    """The API and the worker in one process."""
    return _frozen(create_app(Settings(), with_worker=True))


def _frozen(made: FastAPI) -> FastAPI:
    made.openapi()
    gc.collect()
    gc.freeze()
    return made
