"""One narrow door for each thing that everybody wants at the same moment, in front of the pool of connections.

Five hundred who book one slot wait for one row, whatever is done: without a door each of them waits with a connection in
hand, and nobody books anything else meanwhile. Here they wait in line without one, first come, first served. So many may
go through at once that they can share a transaction (`kernel/grouped`) while the next ones get ready. For fairness only:
what is right stays with the row's lock. A process has a door of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from yiyuebao_api.kernel.problems import ServiceUnavailable


@dataclass(slots=True)
class _Door:
    semaphore: asyncio.Semaphore
    people: int = field(default=0)


class Turnstile:
    """At most `at_once` go through one door; whoever has waited for `patience_s` seconds is told to come again."""

    def __init__(self, *, at_once: int = 8, patience_s: float = 4.0) -> None:
        self._at_once, self._patience = at_once, patience_s
        self._doors: dict[Hashable, _Door] = {}

    def __len__(self) -> int:
        """Doors with somebody at them."""
        return len(self._doors)

    @asynccontextmanager
    async def through(self, key: Hashable) -> AsyncIterator[None]:
        """Inside until the block ends. Raises ServiceUnavailable."""
        door = self._doors.setdefault(key, _Door(asyncio.Semaphore(self._at_once)))
        door.people += 1
        try:
            try:
                async with asyncio.timeout(self._patience):
                    await door.semaphore.acquire()
            except TimeoutError:
                raise ServiceUnavailable(retry_after=1) from None
            try:
                yield
            finally:
                door.semaphore.release()
        finally:
            door.people -= 1
            if not door.people:
                self._doors.pop(key, None)
