"""An upload killed (-9) between any two steps leaves nothing that the sweep does not remove."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.domains.files.conftest import objects
from tests.faults.processes import DyingWorker
from tests.scenes.accounts import make_account
from yiyuebao_api.context import Context
from yiyuebao_api.domains.files import service
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import UPLOAD_LIFE, FileState
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database

MOST = 40


@pytest.mark.timeout(600)  # it starts a process for every step
async def test_killed_between_any_two_steps(context: Context, database: Database, env: dict[str, str]) -> None:
    account, store = (await make_account(database)).id, context.gateways.store
    later, folder = UPLOAD_LIFE * 2, context.settings.files.folder
    for each in objects(folder):
        (folder / each).unlink()
    states = set()
    async with DyingWorker(env, "tests.faults.dying_upload") as dying:
        for at in range(1, MOST):
            killed = await dying.work(str(account), at=at)
            async with database.begin() as tx:
                left = (await tx.scalars(select(File))).all()
            states.add((left[0].state if left else None, len(objects(folder))))
            for file in left:
                if file.state is FileState.READY:
                    assert objects(folder) == sorted(file.object_names())
                    assert await service.read_file(database.begin, store, file.id)
            if not killed:
                break
            # An hour later the half-finished go; a day later the one that nobody told the sender about.
            for after in (later, later * 24):
                await service.sweep(
                    database.begin, store, now=clock.now() + after, system_now=clock.system_now() + later
                )
            async with database.begin() as tx:
                assert (await tx.scalars(select(File))).all() == []
            assert objects(folder) == []
        else:
            raise AssertionError("the upload did not end")
    assert states >= {(None, 0), (FileState.UPLOADING, 0), (FileState.UPLOADING, 2), (FileState.READY, 3)}
