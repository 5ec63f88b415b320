"""WeChat Pay v3 as one room of the sandbox: its state, its routes, and what goes on after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from yiyuebao_api.sandbox import (
    phone,
    wechat_pay_control,
    wechat_pay_notifications,
    wechat_pay_sharing,
    wechat_pay_transactions,
)
from yiyuebao_api.sandbox.keys import load
from yiyuebao_api.sandbox.wechat_pay_book import Book
from yiyuebao_api.sandbox.wechat_pay_wire import Behaviour, World


def start(app: Starlette, home: Path, behaviour: Behaviour | None = None, *, durable: bool = True) -> None:
    """Read keys and book from `home`; `behaviour` is copied, so that one value may serve several sandboxes."""
    chosen = behaviour or Behaviour()
    app.state.wechat_pay = World(
        keys=load(home),
        book=Book(home / "state.json", durable=durable),
        behaviour=replace(chosen, call_faults=[], notification_faults=[]),
        client=httpx.AsyncClient(timeout=wechat_pay_notifications.PATIENCE_S, trust_env=False),
    )


def routes() -> list[BaseRoute]:
    return [
        *wechat_pay_transactions.routes(),
        *wechat_pay_sharing.routes(),
        *phone.routes(),
        *wechat_pay_control.routes(),
    ]


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[None]:
    """Deliver what was on its way, until the sandbox stops."""
    world: World = app.state.wechat_pay
    wechat_pay_notifications.resume(world)
    try:
        yield
    finally:
        for task in tuple(world.tasks):
            task.cancel()
        await asyncio.gather(*world.tasks, return_exceptions=True)
        world.book.save()
        await world.client.aclose()
