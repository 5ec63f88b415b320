"""Every job and every timer by name, killed (-9) between any two steps: each effect is there, once.

A step is a statement, a commit, its return, a call of a provider, an object written or removed (`dying_worker`).
"""

from __future__ import annotations

import httpx
import pytest

from tests.client import Api
from tests.faults.killing import assert_the_books_add_up, told_at_every_step, told_twice
from tests.faults.processes import DyingWorker
from tests.faults.stories import JOB_STORIES, TIMER_STORIES, TOLD_THERE, Story
from yiyuebao_api import wiring
from yiyuebao_api.context import Context
from yiyuebao_api.kernel.outbox import Worker


def test_no_job_is_forgotten() -> None:
    """The accident: a job that nobody ever killed. A new one needs its story."""
    assert {each.job for each in JOB_STORIES} | TOLD_THERE == set(wiring.JOBS)
    assert {each.job for each in TIMER_STORIES} == set(wiring.TIMERS)


@pytest.mark.parametrize("kind", JOB_STORIES, ids=lambda kind: f"{kind.job}-{kind.__name__}")
async def test_a_job(
    kind: type[Story], api: Api, context: Context, worker: Worker[Context], dying: DyingWorker,
    control: httpx.AsyncClient,
) -> None:  # fmt: skip
    story = kind(api, context, control)
    await told_twice(context, worker, dying, kind.job, story.scene, first=kind.first)
    await story.holds()
    await assert_the_books_add_up(context)


@pytest.mark.parametrize("kind", TIMER_STORIES, ids=lambda kind: kind.job)
async def test_a_timer(
    kind: type[Story], api: Api, context: Context, worker: Worker[Context], dying: DyingWorker,
    control: httpx.AsyncClient,
) -> None:  # fmt: skip
    story = kind(api, context, control)
    steps = await told_at_every_step(worker, dying, kind.job, story.scene, story.holds)
    assert steps >= 8, f"{steps} steps are too few to be all"
