"""Calls that arrive together share one transaction, and each caller gets its own outcome.

For speed only: what is right stays with the row lock, the unique constraint and the caller's own number. A group that fails
is run again one by one, and a commit whose answer was lost is run again too, so the work must find what an earlier run has
done. Nothing waits for company: a call alone runs alone, and the next group gathers while one is committed. A second one
runs beside it only once a fair number has gathered or has waited for long: two that run at once are two small ones.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from yiyuebao_api.kernel.problems import ServiceUnavailable

Request = TypeVar("Request")
Outcome = TypeVar("Outcome")
Key = TypeVar("Key", bound=Hashable)
#: So many that wait are worth a second group, and so long they wait at most for it while one is held up.
WORTH, PATIENCE_S = 16, 0.02


class Grouped(Generic[Request, Outcome]):
    """Await it like a function.

    `run(requests)` is one transaction and gives, in order, an outcome or an exception for each. A group holds at most
    `most` calls, `lanes` groups run at once, `queue` calls wait; more are refused with ServiceUnavailable. A caller that
    is cancelled never cancels its group. A failure that `hopeless` knows (the database is away) is everybody's at once.
    """

    def __init__(
        self, run: Callable[[Sequence[Request]], Awaitable[Sequence[Outcome | Exception]]], *,
        hopeless: Callable[[BaseException], bool], most: int = 64, lanes: int = 2, queue: int = 5000,
    ) -> None:  # fmt: skip
        self._run, self._hopeless, self._most, self._lanes, self._queue = run, hopeless, most, lanes, queue
        self._waiting: deque[tuple[Request, asyncio.Future[Outcome]]] = deque()
        self._driving: set[asyncio.Task[None]] = set()
        self._patience: asyncio.TimerHandle | None = None
        self.groups = self.calls = 0

    async def __call__(self, request: Request) -> Outcome:
        if len(self._waiting) >= self._queue:
            raise ServiceUnavailable(retry_after=1)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if not self._driving or len(self._waiting) >= WORTH:
            self._start()
        else:
            self._bear()
        return await future

    def _start(self, *, alone: bool = False) -> None:
        """Begins after this turn of the loop, with everything that came in it."""
        if len(self._driving) < self._lanes:
            # A context of its own: neither the caller's request id nor its open transaction belongs to a group.
            task = asyncio.create_task(self._drive(alone), context=contextvars.Context())
            self._driving.add(task)

    def _bear(self) -> None:
        if self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE_S, self._lose_patience)

    def _lose_patience(self) -> None:
        self._patience = None
        if self._waiting:
            self._start(alone=True)

    async def _drive(self, alone: bool) -> None:
        """`alone`: whoever drives beside it is held up, so it leaves nothing to them."""
        task = asyncio.current_task()
        assert task is not None
        try:
            while self._waiting and (alone or len(self._driving) == 1 or len(self._waiting) >= WORTH):
                await self._one_group()
        finally:
            self._driving.discard(task)
            if self._waiting:
                self._bear()

    async def _one_group(self) -> None:
        group: list[tuple[Request, asyncio.Future[Outcome]]] = []
        while self._waiting and len(group) < self._most:
            request, future = self._waiting.popleft()
            if not future.done():  # a caller that left before its turn costs nothing
                group.append((request, future))
        if not group:
            return
        self.groups += 1
        self.calls += len(group)
        try:
            self._tell(group, await self._run([request for request, _ in group]))
        except Exception as error:
            if len(group) == 1 or self._hopeless(error):
                self._tell(group, [error] * len(group))
                return
            for pair in group:
                await self._alone(pair)
        except BaseException:
            for _, future in group:
                future.cancel()
            raise

    async def _alone(self, pair: tuple[Request, asyncio.Future[Outcome]]) -> None:
        try:
            self._tell([pair], await self._run([pair[0]]))
        except Exception as error:
            self._tell([pair], [error])

    @staticmethod
    def _tell(
        group: Sequence[tuple[Request, asyncio.Future[Outcome]]], outcomes: Sequence[Outcome | Exception]
    ) -> None:
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


class GroupedBy(Generic[Key, Request, Outcome]):
    """A `Grouped` for each key, there for as long as somebody calls it: whatever waits for one row waits alone."""

    def __init__(self, make: Callable[[], Grouped[Request, Outcome]]) -> None:
        self._make = make
        self._open: WeakValueDictionary[Key, Grouped[Request, Outcome]] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._open)

    async def __call__(self, key: Key, request: Request) -> Outcome:
        grouped = self._open.get(key)
        if grouped is None:
            grouped = self._open[key] = self._make()
        return await grouped(request)
