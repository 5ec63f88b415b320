"""An upload that is killed (SIGKILL) at the n-th step. Reads `ACCOUNT N` lines; says `killed` or `done` for each.

As `dying_worker`; a step is a statement or a commit about to be sent, a commit that has just returned, or an object about
to be written or just written.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from tests.scenes.files import picture
from yiyuebao_api import wiring
from yiyuebao_api.context import Context, open_context
from yiyuebao_api.domains.files import service
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.gateways.object_store.obstore import ObstoreStore
from yiyuebao_api.kernel import clock, events, log
from yiyuebao_api.kernel.ids import AccountId
from yiyuebao_api.settings import Settings


def upload(context: Context, account: AccountId, at: int) -> None:
    """One upload, until it is done or this process is killed."""
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

    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "commit", step)
    event.listen(Session, "after_commit", step)
    store = WatchedStore(context.settings.files)
    uploading = service.upload_file(
        context.begin, store, context.workshop, picture(), owner=account, purpose=Purpose.RECORD, per_day=1000,
        now=clock.now(),
    )  # fmt: skip
    asyncio.run(uploading)


def main() -> None:
    settings = Settings()
    log.configure("ERROR")
    events.connect(wiring.EVENTS)
    opening, loop = open_context(settings), asyncio.new_event_loop()
    context = loop.run_until_complete(opening.__aenter__())  # never left: this process is killed or ends
    loop.close()
    for line in sys.stdin:
        account, at = line.split()
        child = os.fork()
        if child == 0:
            try:
                upload(context, AccountId.parse(account), int(at))
            except BaseException as error:
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                os._exit(1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write({0: "done", -signal.SIGKILL: "killed"}.get(status, f"ended with {status}") + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
