"""Whose notice is this: the caller's, or nobody's as far as the caller can tell."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from yiyuebao_api.domains.accounts.guards import HospitalDesk, Member
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.notices.queries import require_notice
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import NoticeId


async def access_own_notice(notice_id: NoticeId, caller: Member, tx: Tx) -> Notice:
    """A notice told to the caller's account."""
    return await require_notice(tx, caller.account_id, notice_id)


async def access_desk_notice(notice_id: NoticeId, caller: HospitalDesk, tx: Tx) -> Notice:
    """A notice told to the caller's hospital."""
    return await require_notice(tx, caller.hospital_id, notice_id)


OwnNotice = Annotated[Notice, Depends(access_own_notice)]
DeskNotice = Annotated[Notice, Depends(access_desk_notice)]
