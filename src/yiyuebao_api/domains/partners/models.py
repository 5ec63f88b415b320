"""Rows of partners: endpoints, events, deliveries and the number of the feed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.partners.rules import DeliveryState, EndpointState, EventType
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import DeliveryId, EndpointId, EventId, HospitalId
from yiyuebao_api.kernel.secrets import Sealed


class WebhookEndpoint(Model):
    """Webhook endpoints: where a hospital's system wants to be told."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (Index(None, "hospital_id", "id"),)

    id: Mapped[EndpointId] = mapped_column(primary_key=True, comment="UUIDv7")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="whose system")
    url: Mapped[str] = mapped_column(code_column(500), comment="where messages are posted")
    description: Mapped[str] = mapped_column(String(100), comment="the hospital's own words")
    event_types: Mapped[list[str]] = mapped_column(JSON, comment="types it listens to; empty: all")
    secret: Mapped[str] = mapped_column(Sealed("webhook_endpoints.secret", 100), comment="signing secret, sealed")
    old_secret: Mapped[str | None] = mapped_column(
        Sealed("webhook_endpoints.old_secret", 100), comment="signs too until old_until, sealed"
    )
    old_until: Mapped[datetime | None] = mapped_column(comment="end of the overlap of a rotation")
    state: Mapped[EndpointState] = mapped_column(comment="active, paused, disabled")
    failing_since: Mapped[datetime | None] = mapped_column(comment="first failure since the last success")
    version: Mapped[int] = mapped_column(comment="counts edits; the ETag")
    created_at: Mapped[datetime] = mapped_column(comment="when it was added")
    deleted_at: Mapped[datetime | None] = mapped_column(comment="when it was deleted; its log stays")


class PartnerEvent(Model):
    """Events that hospitals' systems are told, by webhook and in the feed; never changed but for their number."""

    __tablename__ = "partner_event"
    __table_args__ = (UniqueConstraint("hospital_id", "number"), Index(None, "hospital_id", "created_at"))

    id: Mapped[EventId] = mapped_column(primary_key=True, comment="UUIDv7; the webhook-id")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="who is told")
    number: Mapped[int | None] = mapped_column(BigInteger, comment="place in the hospital's feed; null until read")
    type: Mapped[EventType] = mapped_column(comment="what happened")
    subject: Mapped[str] = mapped_column(code_column(40), comment="id of what it is about")
    data: Mapped[dict[str, Any]] = mapped_column(JSON, comment="ids, numbers, states, amounts; no personal data")
    created_at: Mapped[datetime] = mapped_column(comment="when it happened")


class PartnerFeed(Model):
    """The last number given in each hospital's feed; its row is the lock under which numbers are given."""

    __tablename__ = "partner_feed"

    hospital_id: Mapped[HospitalId] = mapped_column(primary_key=True, comment="whose feed")
    last_number: Mapped[int] = mapped_column(BigInteger, comment="numbers up to here are given")


class Delivery(Model):
    """Deliveries: one event on its way to one endpoint, and what became of it."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index(None, "hospital_id", "id"),
        Index(None, "hospital_id", "state", "id"),
        Index(None, "endpoint_id", "id"),
        Index(None, "event_id", "endpoint_id"),
    )

    id: Mapped[DeliveryId] = mapped_column(primary_key=True, comment="UUIDv7")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="whose log it is in")
    event_id: Mapped[EventId] = mapped_column(ForeignKey("partner_event.id"), comment="what is told")
    event_type: Mapped[EventType] = mapped_column(comment="its type, for the log")
    # No foreign key: its check would hold a lock on the endpoint until the publisher's whole transaction ends.
    endpoint_id: Mapped[EndpointId] = mapped_column(comment="to whom; endpoints are never removed")
    state: Mapped[DeliveryState] = mapped_column(comment="pending, succeeded, failed, replaced")
    attempts: Mapped[int] = mapped_column(comment="attempts whose outcome is known")
    last_status: Mapped[int | None] = mapped_column(comment="HTTP status of the last answer")
    last_error: Mapped[str | None] = mapped_column(code_column(40), comment="why there was no answer or no attempt")
    last_attempt_at: Mapped[datetime | None] = mapped_column(comment="when the last attempt began")
    next_attempt_at: Mapped[datetime | None] = mapped_column(comment="not before; null when it is over")
    response_excerpt: Mapped[str | None] = mapped_column(
        Sealed("webhook_deliveries.response", 500), comment="beginning of the last answer, sealed"
    )
    created_at: Mapped[datetime] = mapped_column(comment="when it was asked for")
