"""What is forgotten of events and of their ways to hospitals' systems."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import exists
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.partners.models import Delivery, PartnerEvent
from yiyuebao_api.domains.partners.rules import DeliveryState
from yiyuebao_api.kernel.ids import DeliveryId, EventId
from yiyuebao_api.kernel.purging import delete_some


async def purge_deliveries(tx: AsyncSession, *, kept: timedelta, now: datetime, at_most: int) -> int:
    """Forget deliveries that are over and were asked for (by the machine's clock) longer ago (RULE-152)."""
    old = (Delivery.id < DeliveryId.first_at(now - kept), Delivery.state != DeliveryState.PENDING)
    return await delete_some(tx, Delivery, *old, at_most=at_most)


async def purge_events(tx: AsyncSession, *, kept: timedelta, now: datetime, at_most: int) -> int:
    """Forget events that happened (by the machine's clock) longer ago and of which no delivery is left.

    The feed goes on with the numbers it would have had: who reads from 0 begins with the oldest that is kept.
    """
    underway = exists().where(Delivery.event_id == PartnerEvent.id)
    return await delete_some(tx, PartnerEvent, PartnerEvent.id < EventId.first_at(now - kept), ~underway, at_most=at_most)
