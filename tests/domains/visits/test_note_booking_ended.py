"""A booking that was cancelled or refused sends nobody any more."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.scenes.visits import Cast
from yiyuebao_api.domains.bookings.events import BookingCancelled, BookingRefused
from yiyuebao_api.domains.bookings.rules import ActorKind, BookingState
from yiyuebao_api.domains.bookings.service import cancel_booking, refuse_booking
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.domains.visits.service import note_booking_ended
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import BookingId


async def cancel(cast: Cast) -> None:
    async with cast.database.begin() as tx:
        await cancel_booking(tx, cast.booking.id, reason="住院", account_id=cast.booking.account_id, now=clock.now())


@pytest.mark.parametrize("steps", [(), ("depart",)])
async def test_a_cancelled_booking_cancels_the_visit(cast: Cast, steps: tuple[str, ...]) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, *steps)
    await cancel(cast)
    visit, step = await cast.row(visit_id), (await cast.steps(visit_id))[-1]
    assert visit.stage is Stage.CANCELLED
    assert visit.cancelled_at is not None
    assert (step.actor, step.reason) == (ActorKind.SYSTEM, "booking_cancelled")
    kinds = [each["kind"] for each in (await cast.as_nurse.get("/v1/notices")).json()["items"]]
    assert kinds == ["visit.taken_back", "visit.assigned"]
    seen = (await cast.as_nurse.get(f"/v1/visits/{visit_id}")).json()
    assert (seen["stage"], seen["address"]["detail"], seen["note"]) == ("cancelled", None, None)
    await cast.assign(await cast.another_booking())  # the nurse is free again


async def test_a_refused_booking_cancels_the_visit(cast: Cast) -> None:
    visit_id = await cast.assign()
    async with cast.database.begin() as tx:
        await refuse_booking(tx, cast.booking.id, reason="设备故障", account_id=cast.nurse.account_id, now=clock.now())
    assert (await cast.row(visit_id)).stage is Stage.CANCELLED
    assert (await cast.steps(visit_id))[-1].reason == "booking_refused"


@pytest.mark.parametrize("kind", [BookingCancelled, BookingRefused])
async def test_without_a_visit_nothing_happens(cast: Cast, kind: type[BookingCancelled | BookingRefused]) -> None:
    async with cast.database.begin() as tx:
        await note_booking_ended(tx, kind(cast.booking.id, clock.now()))
        await note_booking_ended(tx, kind(BookingId.new(), clock.now()))


async def test_what_has_taken_place_stays(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive", "start", "finish")
    async with cast.database.begin() as tx:
        await note_booking_ended(tx, BookingCancelled(cast.booking.id, clock.now()))
    assert (await cast.row(visit_id)).stage is Stage.FINISHED


async def test_a_second_end_changes_nothing(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cancel(cast)
    before = await cast.row(visit_id)
    async with cast.database.begin() as tx:
        await note_booking_ended(tx, BookingCancelled(cast.booking.id, clock.now() + timedelta(hours=1)))
    after = await cast.row(visit_id)
    assert (after.version, after.cancelled_at) == (before.version, before.cancelled_at)


async def test_cancelling_and_departing_at_once_never_disagree(cast: Cast) -> None:
    visit_id = await cast.assign()
    await asyncio.gather(cast.as_nurse.post(f"/v1/visits/{visit_id}/depart"), cancel(cast))
    assert (await cast.row(visit_id)).stage is Stage.CANCELLED
    assert (await cast.booking_row()).state is BookingState.CANCELLED
