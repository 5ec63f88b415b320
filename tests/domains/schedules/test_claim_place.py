"""A place is sold once: whatever runs at the same time, whatever became of a hold, whichever item asks."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.plans import Statements, numbers
from tests.scenes.catalogue import make_service
from tests.scenes.clinicians import make_clinician
from tests.scenes.schedules import at, make_leave, make_pool, make_shifts, need, shanghai
from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceVersion
from yiyuebao_api.domains.hospitals.models import Site
from yiyuebao_api.domains.schedules.models import Claim, Pool, PoolDay, ScheduleException
from yiyuebao_api.domains.schedules.problems import SlotNotOffered, SlotTaken
from yiyuebao_api.domains.schedules.rules import ExceptionKind, Need
from yiyuebao_api.domains.schedules.service import claim_place, keep_claim, list_slots, next_free, release_claim
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import ClaimId, ScheduleExceptionId

DAY = date(2026, 11, 25)
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
NINE = at(DAY, "09:00")
HOLD = timedelta(minutes=15)
PLAIN: dict[str, Any] = {"duration_min": 60, "buffer_before_min": 0, "buffer_after_min": 0, "place": Place.HOME}


async def take(
    database: Database,
    wanted: Need,
    *,
    starts_at: datetime = NINE,
    now: datetime = NOW,
    claim_id: ClaimId | None = None,
) -> Claim:
    async with database.begin() as tx:
        return await claim_place(
            tx, service=wanted, place=Place.HOME, starts_at=starts_at, claim_id=claim_id or ClaimId.new(),
            held_until=now + HOLD, now=now, subject="bkg_1",
        )  # fmt: skip


async def site_of(database: Database, made: tuple[Service, ServiceVersion]) -> Site:
    async with database.begin() as tx:
        return await tx.get_one(Site, made[0].site_id)


async def keep(database: Database, claim: Claim, *, now: datetime = NOW) -> bool:
    async with database.begin() as tx:
        return await keep_claim(tx, claim.id, now=now)


async def left(database: Database, wanted: Need, *, day: date = DAY, now: datetime = NOW) -> dict[str, int]:
    async with database.begin() as tx:
        first, last = at(day, "00:00"), at(day, "24:00")
        slots = await list_slots(tx, wanted.service_id, first=first, last=last, place=Place.HOME, now=now)
    return {shanghai(slot.starts_at)[-5:]: slot.left for slot in slots}


async def test_one_hundred_at_once_for_the_last_place_and_one_has_it(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0])

    async def attempt() -> str:
        try:
            await take(database, need(made))
        except SlotTaken:
            return "taken"
        return "mine"

    assert Counter(await asyncio.gather(*(attempt() for _ in range(100)))) == {"mine": 1, "taken": 99}
    async with database.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(Claim)) == 1
        assert await tx.scalar(select(func.count()).select_from(PoolDay)) == 1
    assert (await left(database, need(made)))["09:00"] == 0


async def test_many_places_are_all_sold_and_none_twice(database: Database) -> None:
    """Sixty at once over three slots of four places: twelve have one, none is left unsold."""
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0], capacity=4)
    sold: list[str] = []

    async def attempt(clock: str) -> None:
        with suppress(SlotTaken):
            sold.append(shanghai((await take(database, need(made), starts_at=at(DAY, clock))).starts_at)[-5:])

    await asyncio.gather(*(attempt(clock) for clock in ("09:00", "10:00", "11:00") * 20))
    assert Counter(sold) == {"09:00": 4, "10:00": 4, "11:00": 4}


async def test_two_items_on_one_pool_cannot_sell_the_same_hour_twice(database: Database) -> None:
    long = await make_service(database, **PLAIN | {"duration_min": 90})
    short = await make_service(database, site=await site_of(database, long), **PLAIN | {"duration_min": 30})
    await make_pool(database, long[0], short[0], step_minutes=30)
    results = await asyncio.gather(
        *(take(database, need(item), starts_at=at(DAY, t)) for item, t in [(long, "09:00"), (short, "10:00")] * 5),
        return_exceptions=True,
    )  # fmt: skip
    assert sum(isinstance(result, Claim) for result in results) == 1
    assert all(isinstance(result, Claim | SlotTaken) for result in results)


async def test_buffers_of_both_items_are_kept_free(database: Database) -> None:
    made = await make_service(database, **PLAIN | {"buffer_before_min": 30, "buffer_after_min": 45})
    await make_pool(database, made[0], step_minutes=15)
    claim = await take(database, need(made), starts_at=at(DAY, "10:00"))
    assert (shanghai(claim.busy_from)[-5:], shanghai(claim.busy_until)[-5:]) == ("09:30", "11:45")
    free = [clock for clock, places in (await left(database, need(made))).items() if places]
    assert "07:45" not in free
    assert [clock for clock in free if "08:00" <= clock <= "12:30"] == ["12:15", "12:30"]


@pytest.mark.parametrize("clock", ["08:30", "18:00", "07:00"])
async def test_only_what_is_listed_can_be_taken(database: Database, clock: str) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0])
    with pytest.raises(SlotNotOffered):
        await take(database, need(made), starts_at=at(DAY, clock))
    assert clock not in await left(database, need(made))


async def test_lead_time_horizon_and_closed_days_refuse(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    pool = await make_pool(database, made[0])
    with pytest.raises(SlotNotOffered):
        await take(database, need(made), now=NINE - timedelta(minutes=239))
    with pytest.raises(SlotNotOffered):
        await take(database, need(made), starts_at=NINE + timedelta(days=13))
    async with database.begin() as tx:
        await close(tx, pool)
    with pytest.raises(SlotNotOffered):
        await take(database, need(made))
    async with database.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(Claim)) == 0


async def close(tx: AsyncSession, pool: Pool) -> None:
    tx.add(
        ScheduleException(
            id=ScheduleExceptionId.new(), pool_id=pool.id, day=DAY, kind=ExceptionKind.CLOSED, start_minute=0,
            end_minute=1440, step_minutes=30, capacity=None, reason="", created_at=NOW,
        )
    )  # fmt: skip
    (await tx.get_one(Pool, pool.id)).version += 1


async def test_an_item_without_a_pool_for_the_place_is_not_offered(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    assert await left(database, need(made)) == {}
    with pytest.raises(SlotNotOffered):
        await take(database, need(made))


async def test_a_hold_ends_by_itself_at_its_moment(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0])
    await take(database, need(made))
    assert (await left(database, need(made), now=NOW + HOLD - timedelta(microseconds=1)))["09:00"] == 0
    assert (await left(database, need(made), now=NOW + HOLD))["09:00"] == 1
    await take(database, need(made), now=NOW + HOLD)


async def test_a_hundred_lapsed_holds_block_nobody(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0])
    for turn in range(20):
        await take(database, need(made), now=NOW + turn * HOLD)
    assert (await left(database, need(made), now=NOW + 20 * HOLD))["09:00"] == 1


async def test_a_kept_place_stays_and_keeping_twice_is_once(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0])
    claim = await take(database, need(made))
    assert await keep(database, claim)
    assert await keep(database, claim, now=NOW + timedelta(days=1))
    assert (await left(database, need(made), now=NOW + timedelta(hours=1)))["09:00"] == 0
    async with database.begin() as tx:
        assert (await tx.get_one(Claim, claim.id)).kept_at == NOW


async def test_a_lapsed_hold_that_is_paid_is_seated_again_while_the_place_is_free(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0])
    claim = await take(database, need(made))
    assert await keep(database, claim, now=NOW + timedelta(hours=2))
    assert (await left(database, need(made), now=NOW + timedelta(hours=2)))["09:00"] == 0


async def test_a_lapsed_hold_whose_place_is_gone_is_not_kept(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0])
    first = await take(database, need(made))
    second = await take(database, need(made), now=NOW + HOLD)
    assert not await keep(database, first, now=NOW + HOLD)
    assert await keep(database, second, now=NOW + HOLD)


async def test_a_slow_payment_with_an_old_clock_cannot_take_a_place_that_was_given_away(database: Database) -> None:
    """The payment's request began before the hold ended, but it comes to the lock after the place was sold again."""
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0])
    first = await take(database, need(made))
    await take(database, need(made), now=NOW + HOLD)
    assert not await keep(database, first, now=NOW + HOLD - timedelta(seconds=1))


async def test_paying_and_taking_at_the_moment_of_lapse_sells_once(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0])
    for turn in range(10):
        day = DAY + timedelta(days=turn % 5)
        clock = at(day, "09:00" if turn < 5 else "11:00")
        held = await take(database, need(made), starts_at=clock)
        kept, taken = await asyncio.gather(
            keep(database, held, now=NOW + HOLD - timedelta(milliseconds=1)),
            take(database, need(made), starts_at=clock, now=NOW + HOLD), return_exceptions=True,
        )  # fmt: skip
        assert (kept is True) is not isinstance(taken, Claim)


async def test_a_live_hold_is_kept_although_the_desk_made_the_pool_smaller(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    pool = await make_pool(database, made[0], capacity=2)
    claims = [await take(database, need(made)) for _ in range(2)]
    async with database.begin() as tx:
        row = await tx.get_one(Pool, pool.id)
        row.capacity, row.version = 1, row.version + 1
    assert [await keep(database, claim) for claim in claims] == [True, True]
    assert (await left(database, need(made)))["09:00"] == 0


async def test_a_place_given_back_is_free_and_cannot_be_kept(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0])
    claim = await take(database, need(made))
    for _ in range(2):
        async with database.begin() as tx:
            await release_claim(tx, claim.id, now=NOW)
    assert (await left(database, need(made)))["09:00"] == 1
    assert not await keep(database, claim)
    async with database.begin() as tx:
        assert not await keep_claim(tx, ClaimId.new(), now=NOW)
        await release_claim(tx, ClaimId.new(), now=NOW)


async def test_a_claim_moves_without_standing_in_its_own_way(database: Database) -> None:
    made = await make_service(database, **PLAIN | {"duration_min": 120})
    await make_pool(database, made[0])
    old = await take(database, need(made))
    await keep(database, old)

    async def move(starts_at: datetime, new: ClaimId) -> Claim:
        async with database.begin() as tx:
            return await claim_place(
                tx, service=need(made), place=Place.HOME, starts_at=starts_at, claim_id=new, held_until=NOW + HOLD,
                now=NOW, instead_of=old.id,
            )  # fmt: skip

    new = await move(at(DAY, "10:00"), ClaimId.new())
    assert new.kept_at == NOW
    free = await left(database, need(made))
    assert (free["08:00"], free["09:00"], free["10:00"], free["12:00"]) == (1, 0, 0, 1)


async def test_moves_in_opposite_directions_do_not_deadlock(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0], capacity=2)
    here, there = NINE, at(DAY + timedelta(days=1), "09:00")
    for _ in range(5):
        pair = [
            (await take(database, need(made), starts_at=here), there),
            (await take(database, need(made), starts_at=there), here),
        ]

        async def move(old: Claim, to: datetime) -> Claim:
            async with database.begin() as tx:
                return await claim_place(
                    tx, service=need(made), place=Place.HOME, starts_at=to, claim_id=ClaimId.new(),
                    held_until=NOW + HOLD, now=NOW, instead_of=old.id,
                )  # fmt: skip

        moved = await asyncio.gather(*(move(*each) for each in pair))
        for claim in moved:
            async with database.begin() as tx:
                await release_claim(tx, claim.id, now=NOW)


async def test_roster_and_leave_limit_what_is_sold(database: Database) -> None:
    made = await make_service(database, **PLAIN)
    pool = await make_pool(database, made[0], capacity=5)
    nurse = await make_clinician(database, made[0].hospital_id)
    await make_leave(database, nurse, at(DAY, "12:00"), at(DAY, "24:00"))
    await make_shifts(database, nurse, pool)
    assert await left(database, need(made)) == {f"{hour:02d}:00": int(hour < 12) for hour in range(8, 18)}
    await take(database, need(made))
    with pytest.raises(SlotTaken):
        await take(database, need(made))


async def test_the_next_free_time_of_many_items_in_few_selects(database: Database) -> None:
    free = await make_service(database, **PLAIN)
    full = await make_service(database, site=await site_of(database, free), **PLAIN)
    never = await make_service(database, site=await site_of(database, free), **PLAIN)
    await make_pool(database, free[0])
    await make_pool(database, full[0], hours=(540, 600), horizon_days=5)
    for day in range(3):  # the first four days are sold out: the first has passed already
        await take(database, need(full), starts_at=NINE + timedelta(days=day - 1))
    async with database.begin() as tx:
        found = await next_free(tx, [each[0].id.bytes for each in (free, full, never)], place=Place.HOME, now=NOW, horizon_days=14)
    assert shanghai(found[free[0].id.bytes]) == "2026-11-23 14:00"
    assert shanghai(found[full[0].id.bytes]) == "2026-11-27 09:00"
    assert never[0].id.bytes not in found
    async with database.begin() as tx:
        assert await next_free(tx, [], place=None, now=NOW, horizon_days=14) == {}
        narrowed = await next_free(
            tx, [free[0].id.bytes], place=None, now=NOW, horizon_days=14, first=at(DAY, "10:30"), last=at(DAY, "11:30")
        )
        assert shanghai(narrowed[free[0].id.bytes]) == "2026-11-25 11:00"


async def test_counting_reads_one_range_of_one_index(database: Database) -> None:
    """Claims of one pool and day are found by key, not by reading the table."""
    made = await make_service(database, **PLAIN)
    pool = await make_pool(database, made[0])
    async with database.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO claim (id, pool_id, day, starts_at, ends_at, busy_from, busy_until, subject, held_until,"
                " created_at) SELECT UNHEX(LEFT(SHA2(CONCAT('c', seq), 256), 32)),"
                " IF(seq % 300, UNHEX(LEFT(SHA2(seq % 300, 256), 32)), :pool),"
                " '2026-11-25' + INTERVAL seq % 30 DAY, '2026-11-25 01:00', '2026-11-25 02:00', '2026-11-25 01:00',"
                f" '2026-11-25 02:00', '', '2026-11-23', '2026-11-23' FROM {numbers(5)} WHERE seq BETWEEN 1 AND 20000"
            ),
            {"pool": pool.id.bytes},
        )
        await tx.execute(
            text(
                "INSERT INTO pool_day SELECT UNHEX(LEFT(SHA2(seq % 300, 256), 32)), '2026-11-01' + INTERVAL seq DAY"
                f" FROM {numbers(4)} WHERE seq BETWEEN 1 AND 3000"
            )
        )
        tx.add(PoolDay(pool_id=pool.id, day=DAY))
    async with database.engine.connect() as connection:
        await connection.execute(text("ANALYZE TABLE claim, pool_day"))
    statements = Statements(database)
    claim = await take(database, need(made))
    await keep(database, claim)
    plans = await statements.plans()
    assert {plan["key"] for plan in plans["claim"]} <= {"ix_claim_count", "PRIMARY"}
    assert {plan["key"] for plan in plans["pool_day"]} == {"PRIMARY"}
    assert {plan["key"] for plan in plans["pool_service"]} == {"PRIMARY"}
    assert max(int(plan["rows"]) for plan in plans["claim"]) < 100
