"""Whose endpoint or delivery is this: the caller's hospital's, or nobody's as far as the caller can tell."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection

from yiyuebao_api.domains.accounts.guards import HospitalDesk
from yiyuebao_api.domains.partners.models import WebhookEndpoint
from yiyuebao_api.domains.partners.queries import Parcel, require_endpoint, require_parcel
from yiyuebao_api.gateways.webhooks import WebhookPoster
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import DeliveryId, EndpointId


async def access_endpoint(endpoint_id: EndpointId, caller: HospitalDesk, tx: Tx) -> WebhookEndpoint:
    """An endpoint of the caller's hospital."""
    return await require_endpoint(tx, caller.hospital_id, endpoint_id)


async def access_delivery(delivery_id: DeliveryId, caller: HospitalDesk, tx: Tx) -> Parcel:
    """A delivery of the caller's hospital, with its event and endpoint."""
    return await require_parcel(tx, caller.hospital_id, delivery_id)


async def _poster(connection: HTTPConnection) -> WebhookPoster:
    return cast("WebhookPoster", connection.app.state.gateways.webhooks)


DeskEndpoint = Annotated[WebhookEndpoint, Depends(access_endpoint)]
DeskDelivery = Annotated[Parcel, Depends(access_delivery)]
Poster = Annotated[WebhookPoster, Depends(_poster)]
