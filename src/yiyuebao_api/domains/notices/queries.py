"""Named selects over notices; a reader is an account or a hospital."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.kernel.ids import AccountId, HospitalId, NoticeId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound

Reader = AccountId | HospitalId

_COUNTED = 999


def told_to(reader: Reader) -> ColumnElement[bool]:
    """The notices of this reader and no other's."""
    return Notice.account_id == reader if isinstance(reader, AccountId) else Notice.hospital_id == reader


async def list_notices(tx: AsyncSession, reader: Reader, paging: Paging) -> Sequence[Notice]:
    """Newest first, one more than asked."""
    return (await tx.scalars(newest_first(select(Notice).where(told_to(reader)), Notice.id, NoticeId, paging))).all()


async def require_notice(tx: AsyncSession, reader: Reader, notice_id: NoticeId) -> Notice:
    """Raises NotFound, for another reader's notice too."""
    notice = (await tx.scalars(select(Notice).where(Notice.id == notice_id, told_to(reader)))).one_or_none()
    if notice is None:
        raise NotFound
    return notice


async def count_unread(tx: AsyncSession, reader: Reader) -> int:
    """At most 999: a badge shows no more, and counting stops there."""
    unread = select(Notice.id).where(told_to(reader), Notice.read_at.is_(None)).limit(_COUNTED).subquery()
    return (await tx.scalar(select(func.count()).select_from(unread))) or 0
