"""Bringing one event to one endpoint, as often as it takes.

The delivery's row is the truth about attempts; its outbox job only wakes it up. Nothing is written before the
call, so a worker that dies at any point repeats the attempt with the same `webhook-id`; nothing is recorded
twice, because the row is locked and must still be pending when the outcome is written.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.notices.service import tell_hospital
from yiyuebao_api.domains.partners.models import Delivery, PartnerEvent, WebhookEndpoint
from yiyuebao_api.domains.partners.problems import EndpointNotActive
from yiyuebao_api.domains.partners.queries import Parcel, find_parcel, lock_delivery, lock_endpoint
from yiyuebao_api.domains.partners.rules import (
    GONE,
    DeliveryState,
    EndpointState,
    EventType,
    is_given_up,
    is_success,
    wait_after,
)
from yiyuebao_api.domains.partners.schemas import message
from yiyuebao_api.gateways.webhooks import AddressRefused, Letter, Unreached, WebhookPoster
from yiyuebao_api.kernel import outbox
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import DeliveryId
from yiyuebao_api.kernel.problems import Words

DELIVER: Final = "partners.deliver"

#: Calls under way at once in one process, how long to wait for one to end, and when to come back if none did (seconds):
#: an endpoint that answers frees its lanes in no time, one that fails is knocked at by one call and not crowded.
_LANES, _LANES_WHEN_FAILING = 4, 1
_PATIENCE_S, _PATIENCE_WHEN_FAILING_S = 1.0, 0.0
_BACK_IN_S, _BACK_WHEN_FAILING_IN_S = (1, 3), (30, 90)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one attempt gave."""

    status: int | None
    error: str | None
    retry_after: timedelta | None = None
    excerpt: str | None = None

    @property
    def success(self) -> bool:
        return self.status is not None and is_success(self.status)


async def send(tx: AsyncSession, event: PartnerEvent, endpoint: WebhookEndpoint, *, now: datetime) -> Delivery:
    """A delivery and its job, in this transaction."""
    delivery = Delivery(
        id=DeliveryId.new(), hospital_id=event.hospital_id, event_id=event.id, event_type=event.type,
        endpoint_id=endpoint.id, state=DeliveryState.PENDING, attempts=0, last_status=None, last_error=None,
        last_attempt_at=None, next_attempt_at=now, response_excerpt=None, created_at=now,
    )  # fmt: skip
    tx.add(delivery)
    await outbox.put(tx, DELIVER, delivery.id, now=now)
    return delivery


async def replay_delivery(tx: AsyncSession, parcel: Parcel, *, now: datetime) -> Delivery:
    """Send the same event to the same endpoint once more, from the first attempt; a pending one is replaced.

    Raises EndpointNotActive.
    """
    old = await lock_delivery(tx, parcel.delivery.id)
    if not _is_active(parcel.endpoint):
        raise EndpointNotActive
    if old.state is DeliveryState.PENDING:
        old.state, old.next_attempt_at = DeliveryState.REPLACED, None
    return await send(tx, parcel.event, parcel.endpoint, now=now)


async def deliver(begin: Begin, webhooks: WebhookPoster, delivery_id: DeliveryId, *, now: datetime) -> None:
    """One attempt, if it is due. Raises outbox.Again while the delivery is not over; safe to repeat at any point."""
    async with begin() as tx:
        parcel = await find_parcel(tx, delivery_id)
    if parcel is None or parcel.delivery.state is not DeliveryState.PENDING:
        return
    if parcel.delivery.next_attempt_at is not None and parcel.delivery.next_attempt_at > now:
        raise outbox.Again(parcel.delivery.next_attempt_at - now)
    if not _is_active(parcel.endpoint):
        await _drop(begin, delivery_id)
        return
    failing = parcel.endpoint.failing_since is not None
    lanes, patience_s = (_LANES_WHEN_FAILING, _PATIENCE_WHEN_FAILING_S) if failing else (_LANES, _PATIENCE_S)
    async with webhooks.lane(str(parcel.endpoint.id), lanes, patience_s=patience_s) as free:
        if not free:
            raise outbox.Again(timedelta(seconds=random.uniform(*_BACK_WHEN_FAILING_IN_S if failing else _BACK_IN_S)))
        outcome = await _attempt(webhooks, parcel, now)
    wait = await _record(begin, delivery_id, outcome, now)
    if wait is not None:
        raise outbox.Again(wait)


async def _attempt(webhooks: WebhookPoster, parcel: Parcel, now: datetime) -> _Outcome:
    endpoint = parcel.endpoint
    secrets = [endpoint.secret]
    if endpoint.old_secret is not None and endpoint.old_until is not None and now < endpoint.old_until:
        secrets.append(endpoint.old_secret)
    body = json.dumps(message(parcel.event), ensure_ascii=False, separators=(",", ":")).encode()
    try:
        answer = await webhooks.post(Letter(str(parcel.event.id), endpoint.url, body, secrets))
    except (Unreached, AddressRefused) as none:
        return _Outcome(None, none.fault.value)
    return _Outcome(answer.status, None, answer.retry_after, answer.excerpt)


async def _record(begin: Begin, delivery_id: DeliveryId, outcome: _Outcome, now: datetime) -> timedelta | None:
    """Write the outcome down; returns how long to wait for the next attempt, None when it is over."""
    async with begin() as tx:
        delivery = await lock_delivery(tx, delivery_id)
        if delivery.state is not DeliveryState.PENDING:
            return None
        delivery.attempts += 1
        delivery.last_status, delivery.last_error = outcome.status, outcome.error
        delivery.last_attempt_at, delivery.response_excerpt = now, outcome.excerpt
        wait: timedelta | None = None
        if not outcome.success and delivery.event_type is not EventType.ENDPOINT_TEST:
            wait = wait_after(
                delivery.attempts, status=outcome.status, retry_after=outcome.retry_after, jitter=random.uniform(-1, 1)
            )
        active = await _note_health(tx, delivery, outcome, now)
        if outcome.success:
            delivery.state = DeliveryState.SUCCEEDED
        elif wait is None or not active:
            delivery.state, wait = DeliveryState.FAILED, None
        delivery.next_attempt_at = None if wait is None else now + wait
        return wait


async def _note_health(tx: AsyncSession, delivery: Delivery, outcome: _Outcome, now: datetime) -> bool:
    """Let the endpoint know how it did: 410 disables it, three days of failing pause it. Whether it is active still."""
    known = await tx.get_one(WebhookEndpoint, delivery.endpoint_id)
    if outcome.success and known.failing_since is None:
        return True  # the usual case takes no lock that all deliveries of an endpoint share
    endpoint = await lock_endpoint(tx, delivery.endpoint_id)
    if outcome.success:
        endpoint.failing_since = None
        return True
    if not _is_active(endpoint):
        return False
    if outcome.status == GONE:
        endpoint.state = EndpointState.DISABLED
        gone = Words("的系统答复该地址已不再使用（410）", "says that the address is no longer used (410)")
        await _tell(tx, endpoint, _DISABLED, gone, now)
    elif delivery.event_type is not EventType.ENDPOINT_TEST:
        endpoint.failing_since = endpoint.failing_since or now
        if is_given_up(endpoint.failing_since, now):
            endpoint.state = EndpointState.PAUSED
            await _tell(tx, endpoint, _PAUSED, Words("连续 3 天无法送达", "could not be reached for 3 days"), now)
    if endpoint.state is not EndpointState.ACTIVE:
        endpoint.version += 1
    return endpoint.state is EndpointState.ACTIVE


_DISABLED, _PAUSED = Words("已停用", "disabled"), Words("已暂停", "paused")


async def _tell(tx: AsyncSession, endpoint: WebhookEndpoint, what: Words, why: Words, now: datetime) -> None:
    host = (urlsplit(endpoint.url).hostname or "")[:100]
    await tell_hospital(
        tx, endpoint.hospital_id, f"endpoint.{endpoint.state.value}",
        title=Words(f"事件推送{what.zh}", f"Events are {what.en}"),
        body=Words(
            f"{host} {why.zh}，向它的推送{what.zh}。修复后请在“第三方对接”中重新启用，并补发期间的事件。",
            f"{host} {why.en}; events to it are {what.en}. Once repaired, make it active again and recover what it missed.",
        ),
        subject=endpoint.id, now=now,
    )  # fmt: skip


async def _drop(begin: Begin, delivery_id: DeliveryId) -> None:
    """The endpoint was paused, disabled or deleted meanwhile: `recover_events` brings back what it missed."""
    async with begin() as tx:
        delivery = await lock_delivery(tx, delivery_id)
        if delivery.state is DeliveryState.PENDING:
            delivery.state, delivery.next_attempt_at = DeliveryState.FAILED, None
            delivery.last_error = "endpoint-not-active"


def _is_active(endpoint: WebhookEndpoint) -> bool:
    return endpoint.state is EndpointState.ACTIVE and endpoint.deleted_at is None
