"""A worker that is killed (SIGKILL) at the n-th step of its work. Reads `JOB N` lines; says `killed` or `done` for each.

Each line forks: the child does what `python -m yiyuebao_api worker JOB --once --early` does, with connections of its own;
only imports, keys and certificates were read before. Nothing of the service is replaced, it is watched. A step is a
statement about to be sent, a commit about to be sent, a commit that has just returned, a connection about to be opened
to the database or a provider, or an object about to be written or removed, or that just was.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from yiyuebao_api import wiring
from yiyuebao_api.context import Context, open_context
from yiyuebao_api.gateways.object_store.obstore import ObstoreStore
from yiyuebao_api.kernel import events, log
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.settings import Settings


def work(context: Context, job: str, at: int) -> None:
    """The job's rows, until they are done or this process is killed."""
    steps = 0

    def step(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)

    class WatchedStore(ObstoreStore):
        async def put(self, name: str, content: bytes) -> None:
            step()
            await super().put(name, content)
            step()

        async def delete(self, names: Sequence[str]) -> None:
            for name in names:
                step()
                await super().delete([name])
                step()

    store = WatchedStore(context.settings.files)
    watched = replace(context, gateways=replace(context.gateways, store=store))
    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "commit", step)
    event.listen(Session, "after_commit", step)
    sys.addaudithook(lambda name, _: step() if name == "socket.connect" else None)
    asyncio.run(Worker(context.begin, watched, wiring.JOBS, wiring.TIMERS).drain(job, early=True))


def main() -> None:
    settings = Settings()
    log.configure("ERROR")
    events.connect(wiring.EVENTS)
    opening, loop = open_context(settings), asyncio.new_event_loop()
    context = loop.run_until_complete(opening.__aenter__())  # never left: this process is killed or ends
    loop.close()
    gc.freeze()  # what a child never touches need not be copied for it
    for line in sys.stdin:
        job, at = line.split()
        child = os.fork()
        if child == 0:
            try:
                work(context, job, int(at))
            except BaseException as error:
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                os._exit(1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write({0: "done", -signal.SIGKILL: "killed"}.get(status, f"ended with {status}") + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
