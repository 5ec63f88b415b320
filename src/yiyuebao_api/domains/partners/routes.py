"""The desk's view of its hospital's systems: endpoints, the log of deliveries, the feed of events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from yiyuebao_api.domains.accounts.guards import HospitalDesk
from yiyuebao_api.domains.partners import queries, service
from yiyuebao_api.domains.partners.guards import DeskDelivery, DeskEndpoint, Poster
from yiyuebao_api.domains.partners.problems import EndpointNotActive, EndpointUrlRefused, TooManyEndpoints
from yiyuebao_api.domains.partners.rules import DeliveryState
from yiyuebao_api.domains.partners.schemas import (
    DeliveryDetailOut,
    DeliveryOut,
    EndpointEditIn,
    EndpointIn,
    EndpointOut,
    EndpointSecretOut,
    EndpointsOut,
    FeedOut,
    RecoveredOut,
    RecoverIn,
    RotateIn,
)
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.editing import IfMatch, PreconditionFailed, PreconditionRequired, tag, tagged
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import EndpointId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, merge, refuses

endpoints = APIRouter(prefix="/v1/hospital/partners/endpoints", tags=["partners"], route_class=OnceRoute)
deliveries = APIRouter(prefix="/v1/hospital/partners/deliveries", tags=["partners"], route_class=OnceRoute)
events = APIRouter(prefix="/v1/hospital/partners/events", tags=["partners"], route_class=OnceRoute)


@endpoints.post(
    "", status_code=201, summary="新增回调地址",
    responses=merge(refuses(EndpointUrlRefused, TooManyEndpoints), tagged(201)),
)  # fmt: skip
async def create_endpoint(
    caller: HospitalDesk, body: EndpointIn, tx: Tx, now: Now, *, webhooks: Poster, response: Response
) -> EndpointSecretOut:
    """Add an endpoint; its signing secret is shown this once."""
    endpoint = await service.create_endpoint(tx, webhooks, caller.hospital_id, body, now=now)
    tag(response, endpoint.version)
    return EndpointSecretOut.of(endpoint)


@endpoints.get("", summary="回调地址列表")
async def list_endpoints(caller: HospitalDesk, tx: Tx) -> EndpointsOut:
    """All endpoints of the caller's hospital."""
    return EndpointsOut(items=[EndpointOut.of(each) for each in await queries.list_endpoints(tx, caller.hospital_id)])


@endpoints.get("/{endpoint_id}", summary="查看回调地址", responses=merge(refuses(NotFound), tagged()))
async def get_endpoint(endpoint: DeskEndpoint, response: Response) -> EndpointOut:
    """One endpoint, without its secret."""
    tag(response, endpoint.version)
    return EndpointOut.of(endpoint)


@endpoints.put(
    "/{endpoint_id}", summary="修改回调地址",
    responses=merge(refuses(NotFound, EndpointUrlRefused, PreconditionFailed, PreconditionRequired), tagged()),
)  # fmt: skip
async def edit_endpoint(
    endpoint: DeskEndpoint, expected: IfMatch, body: EndpointEditIn, tx: Tx, *, webhooks: Poster, response: Response
) -> EndpointOut:
    """Replace address, words, types and state; `active` ends a pause, also one that came by itself."""
    edited = await service.edit_endpoint(tx, webhooks, endpoint, body, expected)
    tag(response, edited.version)
    return EndpointOut.of(edited)


@endpoints.delete("/{endpoint_id}", status_code=204, summary="删除回调地址", responses=refuses(NotFound))
async def delete_endpoint(endpoint: DeskEndpoint, tx: Tx, now: Now) -> None:
    """Delete an endpoint; what is on its way to it is dropped, the log stays."""
    await service.delete_endpoint(tx, endpoint, now=now)


@endpoints.post(
    "/{endpoint_id}/rotate-secret", summary="更换签名密钥", responses=merge(refuses(NotFound), tagged())
)
async def rotate_secret(
    endpoint: DeskEndpoint, body: RotateIn, tx: Tx, now: Now, response: Response
) -> EndpointSecretOut:
    """A new secret, shown this once; messages carry both signatures until the overlap ends."""
    rotated = await service.rotate_secret(tx, endpoint, overlap=body.overlap, now=now)
    tag(response, rotated.version)
    return EndpointSecretOut.of(rotated)


@endpoints.post(
    "/{endpoint_id}/test", status_code=201, summary="发送测试事件", responses=refuses(NotFound, EndpointNotActive)
)
async def test_endpoint(endpoint: DeskEndpoint, tx: Tx, now: Now) -> DeliveryOut:
    """Send `endpoint.test` there, once; look at the delivery for the outcome."""
    return DeliveryOut.of(await service.test_endpoint(tx, endpoint, now=now))


@endpoints.post("/{endpoint_id}/recover", summary="补发一段时间的事件", responses=refuses(NotFound, EndpointNotActive))
async def recover_events(endpoint: DeskEndpoint, body: RecoverIn, tx: Tx, now: Now) -> RecoveredOut:
    """Send again what this endpoint missed in a range of time."""
    return await service.recover_events(tx, endpoint, since=body.since, until=body.until, now=now)


@deliveries.get("", summary="投递记录", responses=refuses(InvalidCursor))
async def list_deliveries(
    caller: HospitalDesk, paging: Pages, tx: Tx,
    endpoint_id: Annotated[EndpointId | None, Query(description="Only to this endpoint.")] = None,
    state: Annotated[DeliveryState | None, Query(description="Only in this state.")] = None,
) -> Page[DeliveryOut]:  # fmt: skip
    """What was sent and what became of it, newest first."""
    rows = await queries.list_deliveries(tx, caller.hospital_id, paging, endpoint_id=endpoint_id, state=state)
    return page(rows, paging, DeliveryOut.of, lambda delivery: delivery.id)


@deliveries.get("/{delivery_id}", summary="投递详情", responses=refuses(NotFound))
async def get_delivery(parcel: DeskDelivery) -> DeliveryDetailOut:
    """One delivery with the posted body and the beginning of the answer."""
    return DeliveryDetailOut.of(parcel.delivery, parcel.event)


@deliveries.post(
    "/{delivery_id}/replay", status_code=201, summary="重新投递", responses=refuses(NotFound, EndpointNotActive)
)
async def replay_delivery(parcel: DeskDelivery, tx: Tx, now: Now) -> DeliveryOut:
    """Send the same event there again, under the same `webhook-id`; answers the new delivery."""
    return DeliveryOut.of(await service.replay_delivery(tx, parcel, now=now))


@events.get("", summary="拉取事件")
async def list_events(
    caller: HospitalDesk, tx: Tx,
    after: Annotated[int, Query(ge=0, le=2**62, description="`next_after` of the answer before; 0 at first.")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many events.")] = 50,
) -> FeedOut:  # fmt: skip
    """The same events as the webhooks', in order and without gaps, for systems that cannot be called."""
    return await service.read_feed(tx, caller.hospital_id, after=after, limit=limit)


ROUTERS: list[APIRouter] = [endpoints, deliveries, events]
