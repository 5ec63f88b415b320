"""Publishing what happened, and reading it in order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.partners import queries
from yiyuebao_api.domains.partners.models import PartnerEvent
from yiyuebao_api.domains.partners.rules import EventType
from yiyuebao_api.domains.partners.schemas import EventOut, FeedOut, data_of
from yiyuebao_api.domains.partners.service.deliveries import send
from yiyuebao_api.kernel.ids import EventId, HospitalId, Id

_NUMBERED_AT_ONCE: Final = 500


async def publish(
    tx: AsyncSession, hospital_id: HospitalId, event_type: str, data: Mapping[str, Any], *, subject: Id, now: datetime
) -> EventId:
    """Tell a hospital's systems what this very transaction changes; nothing is sent before it commits (RULE-52).

    `data` must fit the type's model in `schemas` (ids, numbers, states, amounts). Raises ValueError for an unknown
    type or data that does not fit: a mistake of ours. Takes no lock.
    """
    kind = EventType(event_type)
    event = _event(hospital_id, kind, data, subject=subject, now=now)
    tx.add(event)
    await tx.flush()  # its deliveries point at it, and nothing else tells the session which comes first
    for endpoint in await queries.list_listening(tx, hospital_id, kind):
        await send(tx, event, endpoint, now=now)
    return event.id


def test_event(hospital_id: HospitalId, data: Mapping[str, Any], *, subject: Id, now: datetime) -> PartnerEvent:
    """An event that happened only because the desk asked for it."""
    return _event(hospital_id, EventType.ENDPOINT_TEST, data, subject=subject, now=now)


def _event(
    hospital_id: HospitalId, kind: EventType, data: Mapping[str, Any], *, subject: Id, now: datetime
) -> PartnerEvent:
    return PartnerEvent(
        id=EventId.new(), hospital_id=hospital_id, number=None, type=kind, subject=str(subject),
        data=data_of(kind, data), created_at=now,
    )  # fmt: skip


async def read_feed(tx: AsyncSession, hospital_id: HospitalId, *, after: int, limit: int) -> FeedOut:
    """The hospital's events behind number `after`.

    First gives numbers to what has been committed since the last reading. Readers of one hospital wait for each
    other, publishers for nobody. Whatever had been committed when it was asked for is in the answer, or behind `more`.
    """
    events = await queries.list_events(tx, hospital_id, after=after, limit=limit + 1)
    if len(events) <= limit:
        if await queries.list_unnumbered(tx, hospital_id, limit=1):
            await _give_numbers(tx, hospital_id)
        # Again in any case: between the two looks another reader may have given the numbers.
        events = await queries.list_events(tx, hospital_id, after=after, limit=limit + 1)
    shown = events[:limit]
    items = [EventOut.of(event) for event in shown]
    return FeedOut(items=items, next_after=items[-1].number if items else after, more=len(events) > limit)


async def _give_numbers(tx: AsyncSession, hospital_id: HospitalId) -> None:
    feed = await queries.lock_feed(tx, hospital_id)
    for event in await queries.list_unnumbered(tx, hospital_id, limit=_NUMBERED_AT_ONCE):
        feed.last_number += 1
        event.number = feed.last_number
    await tx.flush()
