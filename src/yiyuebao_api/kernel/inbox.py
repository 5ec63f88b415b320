"""What providers tell us: committed first, applied in a second transaction, exactly once.

`receive` writes the verified content under (source, external id) and asks the outbox to apply it; a duplicate finds its
row and writes nothing. `apply` locks the row, so that duplicates which arrive in parallel apply it once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.kernel import outbox
from yiyuebao_api.kernel.database import Begin, Model, code_column, is_duplicate
from yiyuebao_api.kernel.ids import RowId
from yiyuebao_api.kernel.purging import delete_some
from yiyuebao_api.kernel.secrets import SealedJson

APPLY = "inbox.apply"


class InboxMessage(Model):
    """Inbox: verified messages of providers, unique by source and the provider's own id."""

    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    source: Mapped[str] = mapped_column(code_column(40), comment="which provider's which message")
    external_id: Mapped[str] = mapped_column(code_column(64), comment="the provider's id of it")
    content: Mapped[dict[str, Any]] = mapped_column(SealedJson("inbox.content"), comment="decrypted content, sealed by us")
    received_at: Mapped[datetime] = mapped_column(comment="first arrival")
    applied_at: Mapped[datetime | None] = mapped_column(comment="null until its effect was committed")


Applier = Callable[[AsyncSession, Mapping[str, Any]], Awaitable[None]]


async def receive(begin: Begin, source: str, external_id: str, content: dict[str, Any], *, now: datetime) -> RowId:
    """Commit a message; the id of the first arrival, whichever this one is."""
    row_id = RowId.new()
    try:
        async with begin() as tx:
            tx.add(InboxMessage(
                id=row_id, source=source, external_id=external_id, content=content, received_at=now, applied_at=None,
            ))  # fmt: skip
            await tx.flush()
            # The route applies it at once; this row is for the process that dies in between.
            await outbox.put(tx, APPLY, row_id, now=now, run_at=now + timedelta(seconds=5))
            return row_id
    except IntegrityError as error:
        if not is_duplicate(error, "uq_inbox"):
            raise
    async with begin() as tx:
        known = select(InboxMessage.id).where(InboxMessage.source == source, InboxMessage.external_id == external_id)
        return (await tx.scalars(known)).one()


async def apply(begin: Begin, row_id: RowId, appliers: Mapping[str, Applier], *, now: datetime) -> bool:
    """Give the message its effect, once; False when it had it already."""
    async with begin() as tx:
        row = await tx.get_one(InboxMessage, row_id, with_for_update=True)
        if row.applied_at is not None:
            return False
        await appliers[row.source](tx, row.content)
        row.applied_at = now
        return True


async def purge(tx: AsyncSession, *, kept: timedelta, now: datetime, at_most: int) -> int:
    """Forget messages that had their effect and were received (by the machine's clock) longer ago; others stay."""
    old = (InboxMessage.id < RowId.first_at(now - kept), InboxMessage.applied_at.is_not(None))
    return await delete_some(tx, InboxMessage, *old, at_most=at_most)
