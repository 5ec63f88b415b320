"""/v1/privacy: a copy of what is held of me, and the end of my account."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from yiyuebao_api.domains.accounts.guards import Patient
from yiyuebao_api.domains.privacy import queries, service
from yiyuebao_api.domains.privacy.problems import (
    AccountInUse,
    ExportExpired,
    ExportNotReady,
    ExportPending,
    ProofInvalid,
    StaffAccount,
)
from yiyuebao_api.domains.privacy.schemas import ClosingOut, ExportOut, ProofIn
from yiyuebao_api.gateways.object_store import Store
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions, Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import ExportId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, ProviderDown, merge, refuses

router = APIRouter(prefix="/v1/privacy", tags=["privacy"], route_class=OnceRoute)

_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"description": "The copy, a zip of JSON and files.",
          "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
}  # fmt: skip


@router.post("/exports", status_code=201, summary="申请个人信息副本", responses=refuses(ProofInvalid, ExportPending))
async def ask_for_export(caller: Patient, body: ProofIn, begin: Transactions, now: Now) -> ExportOut:
    """Ask for a copy of everything that is held of the account and its patients; a notice tells when it is there."""
    return ExportOut.of(await service.ask_for_export(begin, caller.account_id, body.code, now=now), now)


@router.get("/exports", summary="我的个人信息副本", responses=refuses(InvalidCursor))
async def list_exports(caller: Patient, paging: Pages, tx: Tx, now: Now) -> Page[ExportOut]:
    """What was asked for, newest first."""
    rows = await queries.list_exports(tx, caller.account_id, paging)
    return page(rows, paging, lambda row: ExportOut.of(row, now), lambda row: row.id)


@router.get("/exports/{export_id}", summary="个人信息副本详情", responses=refuses(NotFound))
async def show_export(caller: Patient, export_id: ExportId, tx: Tx, now: Now) -> ExportOut:
    """One of the caller's own."""
    return ExportOut.of(await queries.require_own_export(tx, caller.account_id, export_id), now)


@router.get(
    "/exports/{export_id}/content", summary="下载个人信息副本", response_class=Response,
    responses=merge(_ZIP, refuses(NotFound, ExportNotReady, ExportExpired, ProviderDown)),
)  # fmt: skip
async def fetch_export(caller: Patient, export_id: ExportId, begin: Transactions, store: Store, now: Now) -> Response:
    """The zip itself, for seven days."""
    content = await service.read_export(begin, store, caller.account_id, export_id, now=now)
    headers = {"Content-Disposition": f'attachment; filename="{export_id}.zip"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/zip", headers=headers)


@router.get("/closing", summary="注销账户须知")
async def show_closing(caller: Patient, tx: Tx, now: Now) -> ClosingOut:
    """What must end first, and what becomes of each kind of data; nothing is done."""
    return ClosingOut.of(await queries.list_open(tx, caller.account_id, now=now))


@router.post("/closing", status_code=204, summary="注销账户", responses=refuses(ProofInvalid, StaffAccount, AccountInUse))
async def close_account(caller: Patient, body: ProofIn, begin: Transactions, now: Now) -> None:
    """Close the account for good and sign every device out; the phone number may begin anew."""
    await service.close_account(begin, caller.account_id, body.code, now=now)


ROUTERS = [router]
