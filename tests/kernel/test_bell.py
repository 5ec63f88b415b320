"""The wake-up between processes: heard at once, never needed, never in the way."""

from __future__ import annotations

import asyncio
import time

from pydantic import SecretStr

from tests.servers import Redis
from yiyuebao_api.context import Context
from yiyuebao_api.kernel import clock, outbox
from yiyuebao_api.kernel.bell import Bell
from yiyuebao_api.kernel.ids import RowId


async def soon(condition: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await condition.wait()


async def test_another_process_hears_it_through_redis_and_again_after_redis_came_back() -> None:
    with Redis() as server:
        here, there = Bell(SecretStr(server.url)), Bell(SecretStr(server.url))
        heard = asyncio.Event()
        async with there.heard(heard.set):
            await soon(heard)  # the ring of having begun to listen
            heard.clear()
            await here.ring()
            await soon(heard)
            server.kill()
            heard.clear()
            began = time.monotonic()
            await here.ring()
            assert time.monotonic() - began < 0.5, "a Redis that is away holds nobody up"
            server.start()
            async with asyncio.timeout(10):
                while not heard.is_set():
                    await here.ring()
                    await asyncio.sleep(0.1)
        await here.aclose()
        await there.aclose()


async def test_without_redis_the_own_process_hears_it_when_the_job_is_committed(context: Context) -> None:
    heard = asyncio.Event()
    async with context.database.bell.heard(heard.set):
        async with context.begin() as tx:
            await outbox.put(tx, "inbox.apply", RowId.new(), now=clock.now())
            await tx.flush()
            assert not heard.is_set(), "nothing is said before the commit"
        await soon(heard)
        heard.clear()
        try:
            async with context.begin() as tx:
                await outbox.put(tx, "inbox.apply", RowId.new(), now=clock.now())
                raise LookupError
        except LookupError:
            pass
        await asyncio.sleep(0.05)
        assert not heard.is_set(), "what was rolled back rings nobody"
