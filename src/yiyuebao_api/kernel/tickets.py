"""Tickets of the live socket: made by a signed-in request, shown once within thirty seconds, stored as a hash.

A socket cannot carry a header everywhere and nothing secret belongs in a URL, so the first frame carries a ticket. It says
what the access token said, whose end is the socket's end as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BINARY, Index, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import AccountId, HospitalId, SessionId
from yiyuebao_api.kernel.purging import delete_some
from yiyuebao_api.kernel.secrets import new_token, token_hash
from yiyuebao_api.kernel.tokens import Claims, Mode

LIFETIME = timedelta(seconds=30)
_KEPT = timedelta(hours=1)


class LiveTicket(Model):
    """Tickets of the live socket: each opens one socket once."""

    __tablename__ = "live_ticket"
    __table_args__ = (Index(None, "expires_at"),)

    hash: Mapped[bytes] = mapped_column(BINARY(32), primary_key=True, comment="SHA-256 of the ticket")
    account_id: Mapped[AccountId] = mapped_column(comment="who asked for it")
    session_id: Mapped[SessionId] = mapped_column(comment="the session it was asked for in")
    mode: Mapped[Mode] = mapped_column(comment="as what")
    hospital_id: Mapped[HospitalId | None] = mapped_column(comment="tenant of that mode")
    until: Mapped[datetime] = mapped_column(comment="end of the access token, and of the socket")
    expires_at: Mapped[datetime] = mapped_column(comment="thirty seconds after it was made")
    used_at: Mapped[datetime | None] = mapped_column(comment="when it was shown, once")


async def issue(tx: AsyncSession, claims: Claims, *, until: datetime, now: datetime) -> str:
    """A ticket for the caller; only its hash is stored."""
    ticket = new_token()
    tx.add(LiveTicket(
        hash=token_hash(ticket), account_id=claims.account_id, session_id=claims.session_id, mode=claims.mode,
        hospital_id=claims.hospital_id, until=until, expires_at=now + LIFETIME, used_at=None,
    ))  # fmt: skip
    await tx.flush()
    return ticket


async def redeem(tx: AsyncSession, ticket: str, *, now: datetime) -> tuple[Claims, datetime] | None:
    """What the ticket says and until when it holds; None for one that is unknown, late or was shown before.

    Of two who show it at once one gets it.
    """
    hashed = token_hash(ticket)
    unused = (LiveTicket.hash == hashed, LiveTicket.used_at.is_(None), LiveTicket.expires_at > now, LiveTicket.until > now)
    shown = update(LiveTicket).where(*unused).values(used_at=now).execution_options(synchronize_session=False)
    if not getattr(await tx.execute(shown), "rowcount", 0):
        return None
    row = await tx.get_one(LiveTicket, hashed)
    return Claims(row.account_id, row.session_id, row.mode, row.hospital_id), row.until


async def purge(tx: AsyncSession, *, now: datetime, at_most: int) -> int:
    """Forget tickets an hour after their end."""
    return await delete_some(tx, LiveTicket, LiveTicket.expires_at < now - _KEPT, at_most=at_most)
