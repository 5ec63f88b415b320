"""The inbox of the app, and the one a hospital's desk shares."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from yiyuebao_api.domains.accounts.guards import HospitalDesk, Member
from yiyuebao_api.domains.notices import queries, service
from yiyuebao_api.domains.notices.guards import DeskNotice, OwnNotice
from yiyuebao_api.domains.notices.schemas import NoticeOut, UnreadOut
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import NoticeId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, refuses

app = APIRouter(prefix="/v1/notices", tags=["notices"], route_class=OnceRoute)
desk = APIRouter(prefix="/v1/hospital/notices", tags=["notices"], route_class=OnceRoute)

UpTo = Annotated[
    NoticeId | None, Query(description="The newest notice that was shown; later ones stay unread. Without it: all.")
]


@app.get("", summary="消息列表", responses=refuses(InvalidCursor))
async def list_notices(caller: Member, paging: Pages, tx: Tx) -> Page[NoticeOut]:
    """The caller's notices, newest first."""
    rows = await queries.list_notices(tx, caller.account_id, paging)
    return page(rows, paging, NoticeOut.of, lambda notice: notice.id)


@app.get("/unread-count", summary="未读消息数")
async def count_unread_notices(caller: Member, tx: Tx) -> UnreadOut:
    """How many of the caller's notices are unread."""
    return UnreadOut(unread=await queries.count_unread(tx, caller.account_id))


@app.post("/read-all", summary="全部标为已读")
async def read_all_notices(caller: Member, tx: Tx, now: Now, up_to: UpTo = None) -> UnreadOut:
    """Mark the caller's notices as read; answers how many are unread still."""
    await service.read_all(tx, caller.account_id, up_to=up_to, now=now)
    return UnreadOut(unread=await queries.count_unread(tx, caller.account_id))


@app.post("/{notice_id}/read", summary="标为已读", responses=refuses(NotFound))
async def read_notice(notice: OwnNotice, now: Now) -> NoticeOut:
    """Mark one notice as read; the first time counts."""
    return NoticeOut.of(await service.read_notice(notice, now=now))


@desk.get("", summary="医院消息列表", responses=refuses(InvalidCursor))
async def list_hospital_notices(caller: HospitalDesk, paging: Pages, tx: Tx) -> Page[NoticeOut]:
    """What the caller's hospital was told, newest first."""
    rows = await queries.list_notices(tx, caller.hospital_id, paging)
    return page(rows, paging, NoticeOut.of, lambda notice: notice.id)


@desk.get("/unread-count", summary="医院未读消息数")
async def count_unread_hospital_notices(caller: HospitalDesk, tx: Tx) -> UnreadOut:
    """How many of the hospital's notices nobody of its desk has read."""
    return UnreadOut(unread=await queries.count_unread(tx, caller.hospital_id))


@desk.post("/read-all", summary="医院消息全部标为已读")
async def read_all_hospital_notices(caller: HospitalDesk, tx: Tx, now: Now, up_to: UpTo = None) -> UnreadOut:
    """Mark the hospital's notices as read for its whole desk; answers how many are unread still."""
    await service.read_all(tx, caller.hospital_id, up_to=up_to, now=now)
    return UnreadOut(unread=await queries.count_unread(tx, caller.hospital_id))


@desk.post("/{notice_id}/read", summary="医院消息标为已读", responses=refuses(NotFound))
async def read_hospital_notice(notice: DeskNotice, now: Now) -> NoticeOut:
    """Mark one notice as read for the whole desk; the first time counts."""
    return NoticeOut.of(await service.read_notice(notice, now=now))


ROUTERS: list[APIRouter] = [app, desk]
