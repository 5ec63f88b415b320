"""The wake-up between processes: "there is work now", rung after a commit, through Redis where one is configured.

It carries no data and may be lost: whoever hears it polls as well, so that without Redis, or while it is away, the same
things happen a third of a second later. A Redis that fails never fails a request.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

#: What it is rung for: jobs were put, what can be searched has changed.
WORK, SEARCH = "yiyuebao:outbox", "yiyuebao:search"
log = structlog.get_logger()


class Bell:
    """Rung by whoever changed something, heard by those of this process and of all others who wait for it."""

    def __init__(self, url: SecretStr | None = None) -> None:
        self._redis = (
            Redis.from_url(url.get_secret_value(), socket_timeout=2, socket_connect_timeout=2) if url is not None else None
        )
        self._hearers: dict[str, set[Callable[[], None]]] = {}
        self._ringing: asyncio.Task[None] | None = None
        self._due: set[str] = set()

    async def ring(self, channel: str = WORK) -> None:
        """Waits for nothing and never fails; many rings at once become one."""
        for hear in self._hearers.get(channel, ()):
            hear()
        if self._redis is None:
            return
        self._due.add(channel)
        if self._ringing is None:
            self._ringing = asyncio.create_task(self._publish())

    async def _publish(self) -> None:
        assert self._redis is not None
        try:
            while self._due:
                channel = self._due.pop()
                with contextlib.suppress(RedisError, OSError):
                    await self._redis.publish(channel, b"1")
        finally:
            self._ringing = None

    @asynccontextmanager
    async def heard(self, hear: Callable[[], None], channel: str = WORK) -> AsyncIterator[None]:
        """Call `hear` at every ring for `channel`, from any process, until the block ends."""
        here = self._hearers.setdefault(channel, set())
        here.add(hear)
        task = asyncio.create_task(self._listen(hear, channel)) if self._redis is not None else None
        try:
            yield
        finally:
            here.discard(hear)
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    async def _listen(self, hear: Callable[[], None], channel: str) -> None:
        assert self._redis is not None
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(channel)
                    hear()  # what was rung while nobody listened
                    while True:
                        if await subscription.get_message(ignore_subscribe_messages=True, timeout=1.0):
                            hear()
            except (RedisError, OSError):
                log.warning("redis is away: polling instead")
                await asyncio.sleep(1)

    async def aclose(self) -> None:
        """Let the last ring out."""
        if self._ringing is not None:
            await asyncio.wait([self._ringing], timeout=2)
        if self._redis is not None:
            await self._redis.aclose()
