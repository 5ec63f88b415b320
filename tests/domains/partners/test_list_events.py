"""The feed: every event once, in order, none skipped however late it commits."""

from __future__ import annotations

import asyncio
import random

from tests.scenes.partners import booking_data, publish_booking
from yiyuebao_api.domains.partners.schemas import FeedOut
from yiyuebao_api.domains.partners.service import publish, read_feed
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import BookingId, EventId, HospitalId


async def _read(database: Database, hospital_id: HospitalId, *, after: int = 0, limit: int = 100) -> FeedOut:
    async with database.begin() as tx:
        return await read_feed(tx, hospital_id, after=after, limit=limit)


async def test_events_come_in_order_page_by_page_and_each_hospital_sees_its_own(database: Database) -> None:
    mine, other = HospitalId.new(), HospitalId.new()
    published = []
    for _ in range(5):
        published.append(await publish_booking(database, mine))
        await publish_booking(database, other)
    read: list[EventId] = []
    after, more = 0, True
    while more:
        feed = await _read(database, mine, after=after, limit=2)
        read += [event.id for event in feed.items]
        after, more = feed.next_after, feed.more
    assert read == published
    assert after == 5
    assert (await _read(database, mine, after=5)).model_dump() == {"items": [], "next_after": 5, "more": False}
    assert [event.number for event in (await _read(database, other)).items] == [1, 2, 3, 4, 5]


async def test_an_event_that_commits_late_is_not_skipped(database: Database) -> None:
    hospital_id = HospitalId.new()
    published, go = asyncio.Event(), asyncio.Event()

    async def slow() -> EventId:
        booking_id = BookingId.new()
        async with database.begin() as tx:
            event_id = await publish(
                tx, hospital_id, "booking.paid", booking_data(), subject=booking_id, now=clock.now()
            )
            await tx.flush()
            published.set()
            await go.wait()
        return event_id

    late = asyncio.create_task(slow())
    await published.wait()
    quick = await publish_booking(database, hospital_id)  # does not wait for the open one
    feed = await _read(database, hospital_id)  # neither does the reader
    assert [event.id for event in feed.items] == [quick]
    go.set()
    late_id = await late
    assert late_id < quick
    behind = await _read(database, hospital_id, after=feed.next_after)
    assert [(event.number, event.id) for event in behind.items] == [(2, late_id)]


async def test_many_publishers_and_readers_at_once_lose_and_repeat_nothing(database: Database) -> None:
    hospital_id = HospitalId.new()
    published: set[EventId] = set()

    async def publisher() -> None:
        for _ in range(15):
            booking_id = BookingId.new()
            async with database.begin() as tx:
                event_id = await publish(
                    tx, hospital_id, "booking.paid", booking_data(), subject=booking_id, now=clock.now()
                )
                await tx.flush()
                await asyncio.sleep(random.uniform(0, 0.02))
            published.add(event_id)

    done = asyncio.Event()

    async def reader() -> list[tuple[int, EventId]]:
        read: list[tuple[int, EventId]] = []
        after = 0
        while True:
            last = done.is_set()
            feed = await _read(database, hospital_id, after=after, limit=7)
            read += [(event.number, event.id) for event in feed.items]
            after = feed.next_after
            if last and not feed.items:
                return read
            await asyncio.sleep(0.002)

    readers = [asyncio.create_task(reader()) for _ in range(8)]  # one numbers what another is just looking for
    await asyncio.gather(*(publisher() for _ in range(6)))
    done.set()
    for read in await asyncio.gather(*readers):
        assert [number for number, _ in read] == list(range(1, 91))
        assert {event_id for _, event_id in read} == published
