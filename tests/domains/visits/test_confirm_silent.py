"""Silence confirms a finished visit: not too early, and once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.scenes.visits import Cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import ActorKind, BookingState
from yiyuebao_api.domains.visits.rules import Confirmer, Stage
from yiyuebao_api.domains.visits.service import CONFIRM_SILENT, confirm_silent
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import VisitId
from yiyuebao_api.kernel.outbox import Again, OutboxJob, Worker


@pytest.fixture
async def finished(cast: Cast) -> VisitId:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive", "start", "finish")
    return visit_id


async def waiting(cast: Cast) -> list[OutboxJob]:
    async with cast.database.begin() as tx:
        return list(await tx.scalars(select(OutboxJob).where(OutboxJob.type == CONFIRM_SILENT)))


async def test_a_day_of_silence_confirms(cast: Cast, finished: VisitId, worker: Worker[Context]) -> None:
    clock.move(timedelta(hours=24, seconds=1))
    await worker.drain(CONFIRM_SILENT)
    visit = await cast.row(finished)
    assert (visit.stage, visit.confirmed_by) == (Stage.CONFIRMED, Confirmer.SILENCE)
    assert (await cast.booking_row()).state is BookingState.CLOSED
    step = (await cast.steps(finished))[-1]
    assert (step.actor, step.actor_id) == (ActorKind.SYSTEM, None)
    assert await waiting(cast) == []


async def test_run_early_it_waits(cast: Cast, finished: VisitId, worker: Worker[Context]) -> None:
    clock.move(timedelta(hours=23))
    await worker.drain(CONFIRM_SILENT, early=True)
    assert (await cast.row(finished)).stage is Stage.FINISHED
    (job,) = await waiting(cast)
    confirms_at = (await cast.row(finished)).confirms_at
    assert confirms_at is not None
    assert abs(job.run_at - confirms_at) < timedelta(seconds=5)
    with pytest.raises(Again):
        await confirm_silent(cast.database.begin, finished, now=confirms_at - timedelta(microseconds=1))


async def test_run_twice_it_does_nothing(cast: Cast, finished: VisitId) -> None:
    now = clock.now() + timedelta(hours=25)
    await confirm_silent(cast.database.begin, finished, now=now)
    await confirm_silent(cast.database.begin, finished, now=now)
    assert len(await cast.steps(finished)) == 6


async def test_the_patient_was_quicker(cast: Cast, finished: VisitId) -> None:
    await cast.as_patient.post(f"/v1/visits/{finished}/confirm")
    await confirm_silent(cast.database.begin, finished, now=clock.now() + timedelta(hours=25))
    assert (await cast.row(finished)).confirmed_by is Confirmer.PATIENT


async def test_what_is_not_finished_is_left_alone(cast: Cast) -> None:
    visit_id = await cast.assign()
    await confirm_silent(cast.database.begin, visit_id, now=clock.now() + timedelta(hours=25))
    assert (await cast.row(visit_id)).stage is Stage.ASSIGNED
