"""/v1/hospital/settlements and /v1/operator/settlements: the books of one hospital and of all."""

from __future__ import annotations

from fastapi import APIRouter

from yiyuebao_api.domains.accounts.guards import HospitalDesk, Operator
from yiyuebao_api.domains.hospitals.queries import require_hospital
from yiyuebao_api.domains.settlements import queries, service
from yiyuebao_api.domains.settlements.problems import RateTooHigh
from yiyuebao_api.domains.settlements.schemas import AccrualOut, LedgerOut, PostingOut, RateIn, RateOut
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import BookingId, HospitalId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, refuses

desk = APIRouter(prefix="/v1/hospital/settlements", tags=["settlements"], route_class=OnceRoute)
operator = APIRouter(prefix="/v1/operator/settlements", tags=["settlements"], route_class=OnceRoute)


@desk.get("/accruals", summary="分账明细", responses=refuses(InvalidCursor))
async def list_own_accruals(caller: HospitalDesk, paging: Pages, tx: Tx) -> Page[AccrualOut]:
    """The shares of this hospital's confirmed bookings, newest first."""
    found = await queries.list_accruals(tx, caller.hospital_id, paging)
    return page(found, paging, AccrualOut.of, lambda row: row.id)


@desk.get("/ledger", summary="本院账本余额")
async def read_own_ledger(caller: HospitalDesk, tx: Tx) -> LedgerOut:
    """This hospital's balances, recomputed from its entries."""
    return LedgerOut.of(await queries.balances(tx, caller.hospital_id))


@desk.get("/postings/{booking_id}", summary="一笔预约的全部凭证", responses=refuses(NotFound))
async def list_postings(caller: HospitalDesk, booking_id: BookingId, tx: Tx) -> list[PostingOut]:
    """Everything that was posted about one booking of this hospital, in order."""
    found = await queries.postings_of(tx, caller.hospital_id, str(booking_id))
    if not found:
        raise NotFound
    return [PostingOut.of(posting, entries) for posting, entries in found]


@operator.get("/ledger", summary="全平台账本余额")
async def read_ledger(caller: Operator, tx: Tx) -> LedgerOut:
    """The balances of all hospitals together."""
    return LedgerOut.of(await queries.balances(tx, None))


@operator.get("/accruals", summary="全平台分账明细", responses=refuses(InvalidCursor))
async def list_accruals(caller: Operator, paging: Pages, tx: Tx) -> Page[AccrualOut]:
    """The shares of all hospitals' confirmed bookings, newest first."""
    return page(await queries.list_accruals(tx, None, paging), paging, AccrualOut.of, lambda row: row.id)


@operator.put("/rates/{hospital_id}", summary="设置医院的平台费率", responses=refuses(NotFound, RateTooHigh))
async def set_rate(caller: Operator, hospital_id: HospitalId, body: RateIn, tx: Tx) -> RateOut:
    """The platform's share of one hospital from a day on."""
    await require_hospital(tx, hospital_id)
    return RateOut.of(await service.set_rate(tx, hospital_id, body.rate_bp, valid_from=body.valid_from))


ROUTERS = [desk, operator]
