"""A lease is given back only by who holds it: a run that was rolled back never held one."""

from __future__ import annotations

import pytest

from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.idempotency import Claim, RequestInProgress
from yiyuebao_api.kernel.problems import NotFound


def claim() -> Claim:
    return Claim("patient:acc_1", "one-key", b"0" * 32)


async def test_a_refused_first_step_leaves_the_next_runs_lease_alone(database: Database) -> None:
    """Both runs count as number one, since the first one's count was rolled back with it."""
    refused, running = claim(), claim()

    async def first_step() -> None:
        async with database.begin() as tx:
            await refused.take(tx, lease=True)
            raise NotFound

    with pytest.raises(NotFound):
        await first_step()
    async with database.begin() as tx:
        await running.take(tx, lease=True)
    assert (refused.runs, running.runs) == (1, 1)
    assert not refused.leased
    assert running.leased
    await refused.release(database.begin)
    async with database.begin() as tx:
        with pytest.raises(RequestInProgress):
            await claim().take(tx)
    await running.release(database.begin)
    async with database.begin() as tx:
        await claim().take(tx, lease=True)
