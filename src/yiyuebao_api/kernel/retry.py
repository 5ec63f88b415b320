"""A deadlock or lock wait anywhere runs the whole request again; any other lost database is a 503.

Pure ASGI, outside FastAPI's own stacks: a failed run has closed its dependencies, rolled back its transaction and dropped
its background tasks before the next one starts. One victim at a time per process, else the victims of one storm meet
again. Nothing in a use case knows of it, except that no use case may catch OperationalError or hide it in a TaskGroup.
"""

from __future__ import annotations

import asyncio
import random

import structlog
from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yiyuebao_api.kernel.database import Attempt, current_attempt, error_number, is_contention, is_outage
from yiyuebao_api.kernel.problems import ServiceUnavailable, respond

RUNS = Counter("yiyuebao_request_runs", "Requests run again after a deadlock, or given up", ["outcome"])
log = structlog.get_logger()


class Tape:
    """The request's body, recorded while it is first read, so that it can be played again."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._left = receive, limit
        self._messages: list[Message] = []
        self.whole = True

    def play(self) -> Receive:
        position = 0

        async def receive() -> Message:
            nonlocal position
            if position < len(self._messages):
                position += 1
                return self._messages[position - 1]
            message = await self._receive()
            if message["type"] == "http.request" and self.whole:
                self._left -= len(message.get("body", b""))
                self.whole = self._left >= 0
                if self.whole:
                    self._messages.append(message)
                    position += 1
                else:
                    self._messages.clear()
            return message

        return receive


class WholeRequestRetry:
    """Middleware. `again` further runs with jitter; a body above `limit` bytes is not recorded and not run again."""

    def __init__(self, app: ASGIApp, *, again: int = 3, pause: float = 0.01, limit: int = 1 << 25) -> None:
        self.app, self.again, self.pause, self.limit = app, again, pause, limit
        self._one_victim = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        tape = Tape(receive, self.limit)
        if await self._run(scope, tape, send, last=self.again == 0):
            return None
        for left in range(self.again - 1, -1, -1):
            await asyncio.sleep(random.uniform(0, self.pause * 2 ** (self.again - left)))
            async with self._one_victim:
                if await self._run(scope, tape, send, last=left == 0):
                    return None
        return None

    async def _run(self, scope: Scope, tape: Tape, send: Send, *, last: bool) -> bool:
        """True when the request has been answered, False when it is to be run again."""
        attempt, started = Attempt(), False

        async def guarded(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        token = current_attempt.set(attempt)
        fresh = _fresh(scope)
        try:
            await self.app(fresh, tape.play(), guarded)
        except Exception as error:
            if started or not is_outage(error):
                raise
            if is_contention(error) and not (last or attempt.committed) and tape.whole:
                RUNS.labels("again").inc()
                return False
            RUNS.labels("gave up").inc()
            log.warning("database unavailable", error=type(error).__name__, number=error_number(error))
            await respond(scope, ServiceUnavailable(retry_after=1))(scope, tape.play(), send)
        finally:
            current_attempt.reset(token)
            scope["route"] = fresh.get("route")  # the front door names it in the log
        return True


def _fresh(scope: Scope) -> Scope:
    """What one run wrote into `request.state` is not seen by the next."""
    copy = dict(scope)
    if "state" in copy:
        copy["state"] = dict(copy["state"])
    return copy
