"""Hospitals' systems: endpoints, events on their way, and desks that look after them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from yiyuebao_api.domains.partners import service
from yiyuebao_api.domains.partners.models import Delivery, WebhookEndpoint
from yiyuebao_api.domains.partners.rules import EndpointState
from yiyuebao_api.gateways.webhooks.signing import new_secret
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import BookingId, EndpointId, EventId, HospitalId, ServiceId


async def make_endpoint(database: Database, hospital_id: HospitalId, url: str, **changes: Any) -> WebhookEndpoint:
    """An active endpoint that listens to everything."""
    values: dict[str, Any] = {
        "id": EndpointId.new(), "hospital_id": hospital_id, "url": url, "description": "HIS", "event_types": [],
        "secret": new_secret(), "old_secret": None, "old_until": None, "state": EndpointState.ACTIVE,
        "failing_since": None, "version": 1, "created_at": clock.now(), "deleted_at": None, **changes,
    }  # fmt: skip
    endpoint = WebhookEndpoint(**values)
    async with database.begin() as tx:
        tx.add(endpoint)
    return endpoint


def booking_data(booking_id: BookingId | None = None, **changes: Any) -> dict[str, Any]:
    """What `booking.*` events say."""
    return {
        "booking_id": booking_id or BookingId.new(), "order_no": "20261123K7M2Q9X4T8W3BZ",
        "service_id": ServiceId.new(), "service_code": "N05", "starts_at": datetime(2026, 11, 25, 1, tzinfo=UTC),
        "place": "home", "state": "paid", "total_fen": 24500, **changes,
    }  # fmt: skip


async def publish_booking(
    database: Database, hospital_id: HospitalId, event_type: str = "booking.paid", *, now: datetime | None = None
) -> EventId:
    """An event in a transaction of its own."""
    booking_id = BookingId.new()
    async with database.begin() as tx:
        return await service.publish(
            tx, hospital_id, event_type, booking_data(booking_id), subject=booking_id, now=now or clock.now()
        )


async def deliveries_of(database: Database, *, endpoint_id: EndpointId | None = None) -> list[Delivery]:
    """The log as it is now, oldest first."""
    log = select(Delivery).order_by(Delivery.id)
    if endpoint_id is not None:
        log = log.where(Delivery.endpoint_id == endpoint_id)
    async with database.begin() as tx:
        return list((await tx.scalars(log)).all())
