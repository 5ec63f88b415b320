"""Telling and reading. `tell_*` only writes rows, in the transaction of whoever changed the state."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.notices.models import Audience, Notice
from yiyuebao_api.domains.notices.queries import Reader, told_to
from yiyuebao_api.kernel.ids import AccountId, HospitalId, Id, NoticeId


async def tell_account(
    tx: AsyncSession, account_id: AccountId, kind: str, *, title: str, body: str, subject: Id, now: datetime
) -> NoticeId:
    """Put a notice into a person's inbox. `title` may reach a lock screen: no clinical word in it (RULE-158)."""
    return _tell(tx, account_id, None, kind, title=title, body=body, subject=subject, now=now)


async def tell_hospital(
    tx: AsyncSession, hospital_id: HospitalId, kind: str, *, title: str, body: str, subject: Id, now: datetime
) -> NoticeId:
    """Put a notice into the inbox that a hospital's desk shares (RULE-52)."""
    return _tell(tx, None, hospital_id, kind, title=title, body=body, subject=subject, now=now)


def _tell(
    tx: AsyncSession, account_id: AccountId | None, hospital_id: HospitalId | None, kind: str, *, title: str, body: str,
    subject: Id, now: datetime,
) -> NoticeId:  # fmt: skip
    notice = Notice(
        id=NoticeId.new(), audience=Audience.HOSPITAL if account_id is None else Audience.ACCOUNT,
        account_id=account_id, hospital_id=hospital_id, kind=kind, title=title, body=body,
        subject_kind=type(subject).__name__.removesuffix("Id").lower(), subject_id=str(subject),
        created_at=now, read_at=None,
    )  # fmt: skip
    tx.add(notice)
    return notice.id


async def read_notice(notice: Notice, *, now: datetime) -> Notice:
    """Mark as read; the first time counts."""
    notice.read_at = notice.read_at or now
    return notice


async def read_all(tx: AsyncSession, reader: Reader, *, up_to: NoticeId | None, now: datetime) -> int:
    """Mark everything as read, or everything up to the newest one the reader was shown; returns how many were new."""
    unread = update(Notice).where(told_to(reader), Notice.read_at.is_(None))
    if up_to is not None:
        unread = unread.where(Notice.id <= up_to)
    done = await tx.execute(unread.values(read_at=now), execution_options={"synchronize_session": False})
    return cast("int", done.rowcount)  # type: ignore[attr-defined]
