"""Consultations over HTTP, and the tickets of their socket."""

from __future__ import annotations

from fastapi import APIRouter, Request

from yiyuebao_api.domains.accounts.guards import Member
from yiyuebao_api.domains.consultations.live import sockets
from yiyuebao_api.domains.consultations.schemas import LiveTicketOut
from yiyuebao_api.kernel import tickets
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.problems import Unauthenticated
from yiyuebao_api.kernel.tokens import claims_of

live = APIRouter(prefix="/v1/consultations/live-tickets", tags=["consultations"], route_class=OnceRoute)


@live.post("", summary="申请在线连接凭证")
async def create_live_ticket(caller: Member, request: Request, tx: Tx, now: Now) -> LiveTicketOut:
    """A ticket for one live socket (`openapi/live.json`): works once, within thirty seconds, as whoever asks now."""
    claims = claims_of(request)
    if claims is None or claims.expires_at is None:
        raise Unauthenticated
    ticket = await tickets.issue(tx, claims, until=claims.expires_at, now=now)
    return LiveTicketOut(ticket=ticket, expires_at=now + tickets.LIFETIME)


ROUTERS: list[APIRouter] = [live, sockets]
