"""What a desk does with its endpoints."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.partners import queries
from yiyuebao_api.domains.partners.models import Delivery, WebhookEndpoint
from yiyuebao_api.domains.partners.problems import EndpointNotActive, EndpointUrlRefused, TooManyEndpoints
from yiyuebao_api.domains.partners.rules import ENDPOINTS_PER_HOSPITAL, EndpointState
from yiyuebao_api.domains.partners.schemas import EndpointEditIn, EndpointIn, RecoveredOut
from yiyuebao_api.domains.partners.service.deliveries import send
from yiyuebao_api.domains.partners.service.events import test_event
from yiyuebao_api.gateways.webhooks import WebhookPoster
from yiyuebao_api.gateways.webhooks.signing import new_secret
from yiyuebao_api.kernel.editing import Precondition
from yiyuebao_api.kernel.ids import EndpointId, HospitalId

_RECOVERED_AT_ONCE: Final = 200


async def create_endpoint(
    tx: AsyncSession, webhooks: WebhookPoster, hospital_id: HospitalId, body: EndpointIn, *, now: datetime
) -> WebhookEndpoint:
    """An active endpoint with a new secret. Raises EndpointUrlRefused, TooManyEndpoints."""
    _require_url(webhooks, body.url)
    await queries.lock_feed(tx, hospital_id)  # two at once must not both be the tenth
    if await queries.count_endpoints(tx, hospital_id) >= ENDPOINTS_PER_HOSPITAL:
        raise TooManyEndpoints(limit=ENDPOINTS_PER_HOSPITAL)
    endpoint = WebhookEndpoint(
        id=EndpointId.new(), hospital_id=hospital_id, url=body.url, description=body.description,
        event_types=_types(body), secret=new_secret(), old_secret=None, old_until=None, state=EndpointState.ACTIVE,
        failing_since=None, version=1, created_at=now, deleted_at=None,
    )  # fmt: skip
    tx.add(endpoint)
    await tx.flush()
    return endpoint


async def edit_endpoint(
    tx: AsyncSession, webhooks: WebhookPoster, endpoint: WebhookEndpoint, body: EndpointEditIn, expected: Precondition
) -> WebhookEndpoint:
    """Replace what the desk wrote; made active it starts with a clean record.

    Raises PreconditionFailed, EndpointUrlRefused.
    """
    endpoint = await queries.lock_endpoint(tx, endpoint.id)
    expected.require(endpoint.version)
    _require_url(webhooks, body.url)
    if body.state is EndpointState.ACTIVE and endpoint.state is not EndpointState.ACTIVE:
        endpoint.failing_since = None
    endpoint.url, endpoint.description, endpoint.event_types = body.url, body.description, _types(body)
    endpoint.state = EndpointState(body.state)
    endpoint.version += 1
    return endpoint


async def delete_endpoint(tx: AsyncSession, endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """No message goes there any more; the log of its deliveries stays, its secrets do not."""
    endpoint = await queries.lock_endpoint(tx, endpoint.id)
    endpoint.deleted_at = endpoint.deleted_at or now
    endpoint.secret, endpoint.old_secret, endpoint.old_until = "", None, None


async def rotate_secret(
    tx: AsyncSession, endpoint: WebhookEndpoint, *, overlap: timedelta, now: datetime
) -> WebhookEndpoint:
    """A new secret; for `overlap` the old one signs too, an even older one no more."""
    endpoint = await queries.lock_endpoint(tx, endpoint.id)
    endpoint.old_secret, endpoint.old_until = (endpoint.secret, now + overlap) if overlap else (None, None)
    endpoint.secret = new_secret()
    endpoint.version += 1
    return endpoint


async def test_endpoint(tx: AsyncSession, endpoint: WebhookEndpoint, *, now: datetime) -> Delivery:
    """Send `endpoint.test` there, once, whatever types it listens to. Raises EndpointNotActive."""
    _require_active(endpoint)
    event = test_event(endpoint.hospital_id, {"endpoint_id": endpoint.id}, subject=endpoint.id, now=now)
    tx.add(event)
    await tx.flush()
    return await send(tx, event, endpoint, now=now)


async def recover_events(
    tx: AsyncSession, endpoint: WebhookEndpoint, *, since: datetime, until: datetime | None, now: datetime
) -> RecoveredOut:
    """Send what the endpoint missed in [since, until): failed, dropped, or published while it was not active.

    At most 200 events a call. Raises EndpointNotActive.
    """
    endpoint = await queries.lock_endpoint(tx, endpoint.id)  # two at once must not send everything twice
    _require_active(endpoint)
    missed = await queries.list_missed(tx, endpoint, since=since, until=until or now, limit=_RECOVERED_AT_ONCE + 1)
    for event in missed[:_RECOVERED_AT_ONCE]:
        await send(tx, event, endpoint, now=now)
    return RecoveredOut(sent=min(len(missed), _RECOVERED_AT_ONCE), more=len(missed) > _RECOVERED_AT_ONCE)


def _require_url(webhooks: WebhookPoster, url: str) -> None:
    if not webhooks.accepts(url):
        raise EndpointUrlRefused


def _require_active(endpoint: WebhookEndpoint) -> None:
    if endpoint.state is not EndpointState.ACTIVE:
        raise EndpointNotActive


def _types(body: EndpointIn) -> list[str]:
    return sorted({each.value for each in body.event_types})
