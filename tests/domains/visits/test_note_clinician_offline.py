"""Somebody who is to come goes off-line: the desk is told at once, and nobody unfit sets out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import select

from tests.client import refused
from tests.scenes.clinicians import prove
from tests.scenes.visits import Cast
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState
from yiyuebao_api.domains.clinicians.service import suspend_clinician, watch_expiry
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.domains.visits.models import Visit
from yiyuebao_api.kernel import clock

URL = "/v1/hospital/visits"


async def _flagged(cast: Cast) -> list[str]:
    async with cast.database.begin() as tx:
        return list(await tx.scalars(select(Notice.subject_id).where(Notice.kind == "visit.clinician_offline")))


async def test_the_desk_hears_of_every_visit_that_needs_somebody_else(cast: Cast) -> None:
    visit = await cast.assign()
    async with cast.database.begin() as tx:
        await suspend_clinician(tx, cast.nurse.id, "停诊", now=clock.now())
    assert await _flagged(cast) == [str(visit)]


async def test_a_licence_that_ends_flags_the_visits(cast: Cast) -> None:
    visit = await cast.assign()
    await prove(cast.database, cast.nurse, licence_valid_until=day_of(clock.now()) - timedelta(days=1))
    await watch_expiry(cast.database.begin, now=clock.now())
    assert await _flagged(cast) == [str(visit)]


async def test_who_was_unassigned_flags_nothing(cast: Cast) -> None:
    visit = await cast.assign()
    await cast.as_desk.post(f"{URL}/{visit}/unassign", json={"reason": "改期"})
    async with cast.database.begin() as tx:
        await suspend_clinician(tx, cast.nurse.id, "停诊", now=clock.now())
    assert await _flagged(cast) == []


async def test_assignment_and_expiry_at_once_leave_no_unflagged_visit(cast: Cast) -> None:
    """Whoever comes first, either nobody is sent, or the desk knows."""
    ended = day_of(clock.now()) - timedelta(days=1)

    async def expire() -> None:
        await prove(cast.database, cast.nurse, licence_valid_until=ended)
        await watch_expiry(cast.database.begin, now=clock.now())

    body = {"booking_id": str(cast.booking.id), "clinician_id": str(cast.nurse.id)}
    answer, _ = await asyncio.gather(cast.as_desk.post(URL, json=body), expire())
    async with cast.database.begin() as tx:
        assert (await tx.get_one(Clinician, cast.nurse.id)).state is ClinicianState.SUSPENDED
        visits = list(await tx.scalars(select(Visit)))
    if answer.status_code == 409:
        refused(answer, 409, "clinician-unqualified")
        assert visits == []
    else:
        assert await _flagged(cast) == [str(each.id) for each in visits] != []


async def test_each_false_clause_is_named_when_somebody_is_sent(cast: Cast) -> None:
    await prove(cast.database, cast.nurse, practice=None, accident_until=None, training_passed_on=None)
    body = {"booking_id": str(cast.booking.id), "clinician_id": str(cast.nurse.id)}
    problem = refused(await cast.as_desk.post(URL, json=body), 409, "clinician-unqualified")
    assert problem["clauses"] == ["not_registered_here", "not_trained", "accident_uninsured"]


async def test_the_insurance_must_cover_the_day_of_the_visit(cast: Cast) -> None:
    day = day_of(cast.booking.starts_at)
    await prove(cast.database, cast.nurse, liability_until=day - timedelta(days=1))
    body = {"booking_id": str(cast.booking.id), "clinician_id": str(cast.nurse.id)}
    problem = refused(await cast.as_desk.post(URL, json=body), 409, "clinician-unqualified")
    assert problem["clauses"] == ["liability_uninsured"]
    await prove(cast.database, cast.nurse, liability_until=day)
    assert (await cast.as_desk.post(URL, json=body)).status_code == 201


async def test_the_desk_sees_what_is_missing_before_it_assigns(cast: Cast) -> None:
    await prove(cast.database, cast.nurse, practice=None, accident_until=None)
    answer = await cast.as_desk.get(f"{URL}/candidates", params={"booking_id": str(cast.booking.id)})
    mine = next(each for each in answer.json()["items"] if each["clinician"]["id"] == str(cast.nurse.id))
    assert mine["blockers"] == ["not_registered_here", "accident_uninsured"]
