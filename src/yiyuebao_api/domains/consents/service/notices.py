"""Notices: what is told. Every installation comes with a first version of each; the operator publishes the next."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consents.models import ConsentNotice
from yiyuebao_api.domains.consents.problems import NoticeSuperseded
from yiyuebao_api.domains.consents.queries import list_current_notices, lock_current_notice
from yiyuebao_api.domains.consents.rules import NoticeText
from yiyuebao_api.domains.consents.service.wording import FIRST_NOTICES
from yiyuebao_api.kernel.database import is_duplicate
from yiyuebao_api.kernel.ids import AccountId, ConsentNoticeId


async def publish_notice(
    tx: AsyncSession, text: NoticeText, *, renews: bool, by: AccountId, now: datetime
) -> ConsentNotice:
    """The next version of a notice, shown from now on. With `renews` consent to earlier versions ends counting.

    Locks the version before it. Raises NoticeSuperseded when another operator was faster with the first one.
    """
    before = await lock_current_notice(tx, text.purpose, text.audience)
    notice = _row(text, version=1 if before is None else before.version + 1, renews=renews, by=by, now=now)
    try:
        async with tx.begin_nested():
            tx.add(notice)
    except IntegrityError as error:
        if is_duplicate(error, "uq_consent_notice_purpose_audience_version"):
            raise NoticeSuperseded from None
        raise
    return notice


async def ensure_notices(tx: AsyncSession, *, now: datetime) -> int:
    """The first version of every notice where there is none; returns how many were new. Safe beside another."""
    known = {(each.purpose, each.audience) for each in await list_current_notices(tx)}
    missing = [text for text in FIRST_NOTICES if (text.purpose, text.audience) not in known]
    new = 0
    for text in missing:  # one by one, always in this order: two who do it at once wait, and never in a circle
        row = _row(text, version=1, renews=True, by=None, now=now)
        columns = ConsentNotice.__table__.columns.keys()
        added = await tx.execute(
            insert(ConsentNotice).prefix_with("IGNORE").values({name: getattr(row, name) for name in columns})
        )
        new += cast("int", added.rowcount)  # type: ignore[attr-defined]
    return new


def _row(text: NoticeText, *, version: int, renews: bool, by: AccountId | None, now: datetime) -> ConsentNotice:
    return ConsentNotice(
        id=ConsentNoticeId.new(), purpose=text.purpose, audience=text.audience, version=version, renews=renews,
        title_zh=text.title_zh, title_en=text.title_en, text_zh=text.text_zh, text_en=text.text_en,
        data_kinds=list(text.data_kinds), sha256=text.sha256(version), published_at=now, published_by=by,
    )  # fmt: skip
