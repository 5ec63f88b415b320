"""What uvicorn loads: the application, with the start-up's garbage frozen out of every later collection."""

from __future__ import annotations

import gc

from fastapi import FastAPI

from yiyuebao_api.app import create_app
from yiyuebao_api.settings import Settings


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
