"""Named selects over endpoints, events and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.partners.models import Delivery, PartnerEvent, PartnerFeed, WebhookEndpoint
from yiyuebao_api.domains.partners.rules import DeliveryState, EndpointState, EventType, listens
from yiyuebao_api.kernel.ids import DeliveryId, EndpointId, HospitalId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound

# ── endpoints ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _kept_by(hospital_id: HospitalId) -> ColumnElement[bool]:
    return and_(WebhookEndpoint.hospital_id == hospital_id, WebhookEndpoint.deleted_at.is_(None))


async def list_endpoints(tx: AsyncSession, hospital_id: HospitalId) -> Sequence[WebhookEndpoint]:
    """What the hospital has not deleted, oldest first."""
    mine = select(WebhookEndpoint).where(_kept_by(hospital_id)).order_by(WebhookEndpoint.id)
    return (await tx.scalars(mine)).all()


async def list_listening(tx: AsyncSession, hospital_id: HospitalId, event_type: EventType) -> list[WebhookEndpoint]:
    """The active endpoints that want this type."""
    return [
        endpoint
        for endpoint in await list_endpoints(tx, hospital_id)
        if endpoint.state is EndpointState.ACTIVE and listens(endpoint.event_types, event_type)
    ]


async def count_endpoints(tx: AsyncSession, hospital_id: HospitalId) -> int:
    """How many the hospital has not deleted."""
    return (await tx.scalar(select(func.count()).where(_kept_by(hospital_id)))) or 0


async def require_endpoint(tx: AsyncSession, hospital_id: HospitalId, endpoint_id: EndpointId) -> WebhookEndpoint:
    """Raises NotFound, for another hospital's and for a deleted one too."""
    endpoint = await tx.get(WebhookEndpoint, endpoint_id)
    if endpoint is None or endpoint.hospital_id != hospital_id or endpoint.deleted_at is not None:
        raise NotFound
    return endpoint


async def lock_endpoint(tx: AsyncSession, endpoint_id: EndpointId) -> WebhookEndpoint:
    """The endpoint's row, locked and as it is now."""
    locked = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id).with_for_update()
    return (await tx.scalars(locked.execution_options(populate_existing=True))).one()


# ── deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Parcel(NamedTuple):
    """All that one attempt needs."""

    delivery: Delivery
    event: PartnerEvent
    endpoint: WebhookEndpoint


async def find_parcel(tx: AsyncSession, delivery_id: DeliveryId) -> Parcel | None:
    """A delivery with its event and endpoint."""
    whole = (
        select(Delivery, PartnerEvent, WebhookEndpoint)
        .join(PartnerEvent, PartnerEvent.id == Delivery.event_id)
        .join(WebhookEndpoint, WebhookEndpoint.id == Delivery.endpoint_id)
        .where(Delivery.id == delivery_id)
    )
    row = (await tx.execute(whole)).one_or_none()
    return None if row is None else Parcel(*row)


async def require_parcel(tx: AsyncSession, hospital_id: HospitalId, delivery_id: DeliveryId) -> Parcel:
    """Raises NotFound, for another hospital's too."""
    parcel = await find_parcel(tx, delivery_id)
    if parcel is None or parcel.delivery.hospital_id != hospital_id:
        raise NotFound
    return parcel


async def lock_delivery(tx: AsyncSession, delivery_id: DeliveryId) -> Delivery:
    """The delivery's row, locked and as it is now; before its endpoint's, where both are needed."""
    locked = select(Delivery).where(Delivery.id == delivery_id).with_for_update()
    return (await tx.scalars(locked.execution_options(populate_existing=True))).one()


async def list_deliveries(
    tx: AsyncSession, hospital_id: HospitalId, paging: Paging, *,
    endpoint_id: EndpointId | None = None, state: DeliveryState | None = None,
) -> Sequence[Delivery]:  # fmt: skip
    """The hospital's log, newest first, one more than asked."""
    log = select(Delivery).where(Delivery.hospital_id == hospital_id)
    if endpoint_id is not None:
        log = log.where(Delivery.endpoint_id == endpoint_id)
    if state is not None:
        log = log.where(Delivery.state == state)
    return (await tx.scalars(newest_first(log, Delivery.id, DeliveryId, paging))).all()


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def list_missed(
    tx: AsyncSession, endpoint: WebhookEndpoint, *, since: datetime, until: datetime, limit: int
) -> Sequence[PartnerEvent]:
    """Events of a time that this endpoint listens to and that neither reached it nor are on their way, oldest first."""
    reached = exists().where(
        Delivery.event_id == PartnerEvent.id, Delivery.endpoint_id == endpoint.id,
        Delivery.state.in_([DeliveryState.SUCCEEDED, DeliveryState.PENDING]),
    )  # fmt: skip
    missed = select(PartnerEvent).where(
        PartnerEvent.hospital_id == endpoint.hospital_id, PartnerEvent.created_at >= since,
        PartnerEvent.created_at < until, PartnerEvent.type != EventType.ENDPOINT_TEST, ~reached,
    )  # fmt: skip
    if endpoint.event_types:
        missed = missed.where(PartnerEvent.type.in_([EventType(each) for each in endpoint.event_types]))
    return (await tx.scalars(missed.order_by(PartnerEvent.created_at, PartnerEvent.id).limit(limit))).all()


async def list_events(tx: AsyncSession, hospital_id: HospitalId, *, after: int, limit: int) -> Sequence[PartnerEvent]:
    """The feed behind a number, in order; as it is now, although this session may have seen an event without number."""
    feed = select(PartnerEvent).where(PartnerEvent.hospital_id == hospital_id, PartnerEvent.number > after)
    feed = feed.order_by(PartnerEvent.number).limit(limit).execution_options(populate_existing=True)
    return (await tx.scalars(feed)).all()


async def list_unnumbered(tx: AsyncSession, hospital_id: HospitalId, *, limit: int) -> Sequence[PartnerEvent]:
    """Committed events without a place in the feed, oldest first. Not locked: publishers are never waited for."""
    new = select(PartnerEvent).where(PartnerEvent.hospital_id == hospital_id, PartnerEvent.number.is_(None))
    return (await tx.scalars(new.order_by(PartnerEvent.id).limit(limit))).all()


async def lock_feed(tx: AsyncSession, hospital_id: HospitalId) -> PartnerFeed:
    """The hospital's counter, locked; made when it is first asked for."""
    locked = select(PartnerFeed).where(PartnerFeed.hospital_id == hospital_id).with_for_update()
    feed = (await tx.scalars(locked)).one_or_none()
    if feed is not None:
        return feed
    # Not INSERT IGNORE: beside another's row it would hold a shared lock, and two of those deadlock on the next line.
    new = insert(PartnerFeed).values(hospital_id=hospital_id, last_number=0)
    await tx.execute(new.on_duplicate_key_update(last_number=PartnerFeed.last_number))
    return (await tx.scalars(locked)).one()
