"""What hospitals' systems receive, and what the desk sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, create_model

from yiyuebao_api.domains.partners.models import Delivery, PartnerEvent, WebhookEndpoint
from yiyuebao_api.domains.partners.rules import SECRET_OVERLAP, DeliveryState, EndpointState, EventType
from yiyuebao_api.kernel.ids import (
    BookingId,
    ClinicianId,
    ConsultationId,
    DeliveryId,
    EndpointId,
    EventId,
    RefundId,
    ServiceId,
    VisitId,
)
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.schema import In, Line, Moment, Out, example, wire_time

# ── events: the data of each type ────────────────────────────────────────────────────────────────────────────────────

Amount = Annotated[Fen, Field(ge=0, description="Fen.", examples=[19900])]
OrderNo = Annotated[str, Field(max_length=32, examples=["20261123K7M2Q9X4T8W3BZ"])]


class _Data(BaseModel):
    """Refuses what it does not know: nothing personal slips into an event."""

    model_config = ConfigDict(extra="forbid")


class BookingEventData(_Data):
    """Where a booking stands. `reason` and `refund_due_fen` speak when it was cancelled or refused."""

    booking_id: BookingId
    order_no: OrderNo
    service_id: ServiceId
    service_code: str = Field(max_length=16, examples=["N05"])
    starts_at: Moment
    place: Literal["home", "hospital"]
    state: str = Field(max_length=32, examples=["paid"])
    total_fen: Amount
    clinician_id: ClinicianId | None = Field(None, description="Who comes; null until assigned.")
    refund_due_fen: Amount = Fen(0)
    reason: str | None = Field(None, max_length=40, description="A code, never words.", examples=["patient-cancelled"])


class VisitEventData(_Data):
    """How far a visit is."""

    visit_id: VisitId
    booking_id: BookingId
    order_no: OrderNo
    clinician_id: ClinicianId
    place: Literal["home", "hospital"]
    state: str = Field(max_length=32, examples=["arrived"])
    at: Moment


class ConsultationEventData(_Data):
    """Where an online consultation stands; never a word of what was said."""

    consultation_id: ConsultationId
    order_no: OrderNo
    kind: Literal["health_advice", "online_follow_up"]
    clinician_id: ClinicianId
    state: str = Field(max_length=32, examples=["waiting"])
    price_fen: Amount


class RefundEventData(_Data):
    """Money that went back to the payer. `refunded_fen` is the sum of all refunds of the booking so far."""

    refund_id: RefundId
    booking_id: BookingId
    order_no: OrderNo
    amount_fen: Amount
    refunded_fen: Amount
    total_fen: Amount


class TestEventData(_Data):
    """A test that the desk asked for."""

    __test__ = False  # pytest: not a test class

    endpoint_id: EndpointId


_DATA: Final[Mapping[EventType, type[_Data]]] = {
    EventType.BOOKING_PAID: BookingEventData,
    EventType.BOOKING_ACCEPTED: BookingEventData,
    EventType.BOOKING_ASSIGNED: BookingEventData,
    EventType.BOOKING_RESCHEDULED: BookingEventData,
    EventType.BOOKING_CANCELLED: BookingEventData,
    EventType.VISIT_DEPARTED: VisitEventData,
    EventType.VISIT_ARRIVED: VisitEventData,
    EventType.VISIT_STARTED: VisitEventData,
    EventType.VISIT_FINISHED: VisitEventData,
    EventType.VISIT_CONFIRMED: VisitEventData,
    EventType.REFUND_SUCCEEDED: RefundEventData,
    EventType.CONSULTATION_PAID: ConsultationEventData,
    EventType.CONSULTATION_ENDED: ConsultationEventData,
    EventType.CONSULTATION_REFUNDED: ConsultationEventData,
    EventType.ENDPOINT_TEST: TestEventData,
}

_SUMMARIES: Final[Mapping[EventType, str]] = {
    EventType.BOOKING_PAID: "预约已支付",
    EventType.BOOKING_ACCEPTED: "医院已接单",
    EventType.BOOKING_ASSIGNED: "已指派医护人员",
    EventType.BOOKING_RESCHEDULED: "预约已改期",
    EventType.BOOKING_CANCELLED: "预约已取消",
    EventType.VISIT_DEPARTED: "医护人员已出发",
    EventType.VISIT_ARRIVED: "医护人员已到达",
    EventType.VISIT_STARTED: "服务已开始",
    EventType.VISIT_FINISHED: "服务已完成",
    EventType.VISIT_CONFIRMED: "患者已确认完成",
    EventType.REFUND_SUCCEEDED: "退款已到账",
    EventType.CONSULTATION_PAID: "咨询已支付",
    EventType.CONSULTATION_ENDED: "咨询已结束",
    EventType.CONSULTATION_REFUNDED: "咨询已退款",
    EventType.ENDPOINT_TEST: "测试投递",
}


def data_of(event_type: EventType, given: Mapping[str, Any]) -> dict[str, Any]:
    """An event's data as it goes on the wire. Raises ValueError: the publisher's mistake, not a caller's."""
    return _DATA[event_type].model_validate(dict(given)).model_dump(mode="json")


def message(event: PartnerEvent) -> dict[str, Any]:
    """The body of a webhook: `type`, `timestamp` of the event itself, `data`."""
    return {"type": event.type.value, "timestamp": wire_time(event.created_at), "data": event.data}


def _literal(kind: str) -> Any:
    return Literal[kind]


def _envelope(event_type: EventType) -> type[BaseModel]:
    data, kind = _DATA[event_type], event_type.value
    return create_model(
        "".join(word.capitalize() for word in kind.split(".")) + "Event",
        __doc__=f"The message `{kind}`; its `webhook-id` header is the event's id.",
        type=(_literal(kind), Field(examples=[kind])),
        timestamp=(Moment, Field(description="When it happened, not when it was sent.")),
        data=(data, ...),
    )


#: Every message a hospital's system may receive, for the published contract: type, body, summary.
WEBHOOKS: Final[list[tuple[str, type[BaseModel], str]]] = [
    (event_type.value, _envelope(event_type), _SUMMARIES[event_type]) for event_type in EventType
]


class EventOut(Out):
    """An event in the feed: what a webhook posts, with its id and number."""

    number: int = Field(ge=1, description="Place in this hospital's feed: no gaps, never given twice.", examples=[42])
    id: EventId = Field(description="The same as `webhook-id`.")
    type: EventType
    timestamp: Moment
    subject: str = Field(description="Id of what it is about.", examples=["bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"])
    data: dict[str, Any] = Field(description="As in the webhook of this type.")

    @classmethod
    def of(cls, event: PartnerEvent) -> Self:
        assert event.number is not None
        return cls(
            number=event.number, id=event.id, type=event.type, timestamp=event.created_at, subject=event.subject,
            data=event.data,
        )  # fmt: skip


class FeedOut(Out):
    """Some events in order; ask again with `after=next_after`, at once when there is `more`."""

    items: list[EventOut]
    next_after: int = Field(ge=0, description="The last number shown; remember it.", examples=[42])
    more: bool


# ── endpoints ────────────────────────────────────────────────────────────────────────────────────────────────────────

Url = Annotated[
    str, Field(min_length=9, max_length=500, pattern=r"^https?://[!-~]+$", examples=["https://his.example.com/yiyuebao"])
]
EventTypes = Annotated[
    list[EventType], Field(max_length=len(EventType), description="Types to be told; empty: all, new ones too.")
]


class EndpointIn(In):
    """Where to post, and what."""

    model_config = example(
        url="https://his.example.com/yiyuebao", description="HIS 生产环境", event_types=["booking.paid"]
    )

    url: Url
    description: Line
    event_types: EventTypes


class EndpointEditIn(EndpointIn):
    """A new version of an endpoint; `active` also ends an automatic pause."""

    model_config = example(
        url="https://his.example.com/yiyuebao", description="HIS 生产环境", event_types=[], state="active"
    )

    state: Literal[EndpointState.ACTIVE, EndpointState.PAUSED]


class RotateIn(In):
    """How long the old secret signs beside the new one."""

    model_config = example(overlap_hours=24)

    overlap_hours: int = Field(
        int(SECRET_OVERLAP.total_seconds()) // 3600, ge=0, le=168,
        description="How long the old secret signs too; 0 ends it at once (it leaked).",
    )  # fmt: skip

    @property
    def overlap(self) -> timedelta:
        return timedelta(hours=self.overlap_hours)


class EndpointOut(Out):
    """An endpoint without its secret."""

    id: EndpointId
    url: str
    description: str
    event_types: list[EventType]
    state: EndpointState
    failing_since: Moment | None = Field(description="First failure since the last success.")
    old_secret_until: Moment | None = Field(description="Until when the secret before this one signs too.")
    version: int
    created_at: Moment

    @classmethod
    def of(cls, endpoint: WebhookEndpoint) -> Self:
        return cls(**_fields(endpoint))


class EndpointSecretOut(EndpointOut):
    """An endpoint with its new secret, which is shown this once."""

    secret: str = Field(
        description="For a Standard Webhooks library.", examples=["whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )

    @classmethod
    def of(cls, endpoint: WebhookEndpoint) -> Self:
        return cls(**_fields(endpoint), secret=endpoint.secret)


def _fields(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id, "url": endpoint.url, "description": endpoint.description,
        "event_types": endpoint.event_types, "state": endpoint.state, "failing_since": endpoint.failing_since,
        "old_secret_until": endpoint.old_until, "version": endpoint.version, "created_at": endpoint.created_at,
    }  # fmt: skip


class EndpointsOut(Out):
    """All endpoints of the hospital, oldest first; there are few."""

    items: list[EndpointOut]


# ── deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────────


class DeliveryOut(Out):
    """One event on its way to one endpoint."""

    id: DeliveryId
    event_id: EventId
    event_type: EventType
    endpoint_id: EndpointId
    state: DeliveryState
    attempts: int
    last_status: int | None = Field(description="HTTP status of the last answer; null when there was none.")
    last_error: str | None = Field(description="Why there was no answer.", examples=["timeout"])
    last_attempt_at: Moment | None
    next_attempt_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls.model_validate(delivery)


class DeliveryDetailOut(Out):
    """A delivery with what is posted and how the last answer began."""

    delivery: DeliveryOut
    request_body: dict[str, Any]
    response_excerpt: str | None

    @classmethod
    def of(cls, delivery: Delivery, event: PartnerEvent) -> Self:
        return cls(
            delivery=DeliveryOut.of(delivery), request_body=message(event), response_excerpt=delivery.response_excerpt
        )


class RecoverIn(In):
    """A range of time whose events an endpoint missed."""

    model_config = example(since="2026-11-23T00:00:00+08:00", until=None)

    since: Moment
    until: Moment | None = Field(None, description="Up to but not including; null: up to now.")


class RecoveredOut(Out):
    """How many events are sent again; `more` when the range holds others (ask again with the same range)."""

    sent: int
    more: bool


