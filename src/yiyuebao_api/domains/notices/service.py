"""Telling, in both languages, and reading. `tell_*` only writes rows, in the transaction of whoever changed the state."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians.events import PaperRunsOut, QualificationDecided
from yiyuebao_api.domains.clinicians.rules import PAPER_NAMES
from yiyuebao_api.domains.notices.models import Audience, Notice
from yiyuebao_api.domains.notices.queries import Reader, told_to
from yiyuebao_api.kernel.ids import AccountId, HospitalId, Id, NoticeId
from yiyuebao_api.kernel.problems import Words
from yiyuebao_api.kernel.purging import delete_some


async def tell_account(
    tx: AsyncSession, account_id: AccountId, kind: str, *, title: Words, body: Words, subject: Id, now: datetime
) -> NoticeId:
    """Put a notice into a person's inbox. `title` may reach a lock screen: no clinical word in it (RULE-158)."""
    return _tell(tx, account_id, None, kind, title=title, body=body, subject=subject, now=now)


async def tell_hospital(
    tx: AsyncSession, hospital_id: HospitalId, kind: str, *, title: Words, body: Words, subject: Id, now: datetime
) -> NoticeId:
    """Put a notice into the inbox that a hospital's desk shares (RULE-52)."""
    return _tell(tx, None, hospital_id, kind, title=title, body=body, subject=subject, now=now)


def _tell(
    tx: AsyncSession, account_id: AccountId | None, hospital_id: HospitalId | None, kind: str, *, title: Words, body: Words,
    subject: Id, now: datetime,
) -> NoticeId:  # fmt: skip
    notice = Notice(
        id=NoticeId.new(), audience=Audience.HOSPITAL if account_id is None else Audience.ACCOUNT,
        account_id=account_id, hospital_id=hospital_id, kind=kind, title=title.zh, body=body.zh, title_en=title.en,
        body_en=body.en,
        subject_kind=type(subject).__name__.removesuffix("Id").lower(), subject_id=str(subject),
        created_at=now, read_at=None,
    )  # fmt: skip
    tx.add(notice)
    return notice.id


async def note_qualification_decided(tx: AsyncSession, event: QualificationDecided) -> None:
    """The holder of a certificate hears what became of it."""
    title = Words("证书审核未通过", "Certificate sent back")
    body = Words("您提交的证书被退回，请查看原因后修改再提交。", "A certificate was sent back; read why and submit it again.")
    if event.approved:
        title = Words("证书审核已通过", "Certificate approved")
        body = Words("您提交的证书已通过审核。", "A certificate you submitted has been approved.")
    await tell_account(
        tx, event.account_id, f"qualification.{'approved' if event.approved else 'rejected'}", title=title, body=body,
        subject=event.qualification_id, now=event.at,
    )  # fmt: skip


async def note_paper_runs_out(tx: AsyncSession, event: PaperRunsOut) -> None:
    """The person and their desk hear that something of the file ends, or has ended (RULE-23)."""
    what, ended = PAPER_NAMES[event.paper], event.days_before == 0
    title = Words(f"{what.zh}即将到期", f"Runs out soon: {what.en}")
    if ended:
        title = Words(f"{what.zh}已到期", f"Has ended: {what.en}")
    kind = "clinician.paper_ended" if ended else "clinician.paper_runs_out"
    until = Words(
        f"{what.zh}有效期至 {event.last_day}，{'已不能上门服务' if ended else '请及时更新'}。",
        f"{what.en}, valid until {event.last_day}: {'no visits without it' if ended else 'please renew it in time'}.",
    )
    yours = Words(f"您的{until.zh}", f"Your {until.en}")
    theirs = Words(f"{event.name} 的{until.zh}", f"{event.name}: {until.en}")
    await tell_account(tx, event.account_id, kind, title=title, body=yours, subject=event.clinician_id, now=event.at)
    await tell_hospital(tx, event.hospital_id, kind, title=title, body=theirs, subject=event.clinician_id, now=event.at)


async def read_notice(notice: Notice, *, now: datetime) -> Notice:
    """Mark as read; the first time counts."""
    notice.read_at = notice.read_at or now
    return notice


async def purge(tx: AsyncSession, *, kept: timedelta, now: datetime, at_most: int) -> int:
    """Forget what was told (by the machine's clock) longer ago, read or not; what it told of is in its own place."""
    return await delete_some(tx, Notice, Notice.id < NoticeId.first_at(now - kept), at_most=at_most)


async def read_all(tx: AsyncSession, reader: Reader, *, up_to: NoticeId | None, now: datetime) -> int:
    """Mark everything as read, or everything up to the newest one the reader was shown; returns how many were new."""
    unread = update(Notice).where(told_to(reader), Notice.read_at.is_(None))
    if up_to is not None:
        unread = unread.where(Notice.id <= up_to)
    done = await tx.execute(unread.values(read_at=now), execution_options={"synchronize_session": False})
    return cast("int", done.rowcount)  # type: ignore[attr-defined]
