"""Presence: who is online, busy or offline, and since when, over all sockets and processes.

Every connected device holds a lease of 45 seconds that its process renews every fifteen. A process that dies renews
nothing, so nobody is online for longer than that without being there. One device, one lease: a device that comes back
through another process takes its lease along. Leases live by the machine's clock, which no demonstration moves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import BINARY, Index, Select, Subquery, and_, case, delete, func, select, update
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import AccountId, RowId
from yiyuebao_api.kernel.purging import delete_some

LEASE = timedelta(seconds=45)
RENEW_S = 15.0
_KEPT = timedelta(days=30)


class Presence(StrEnum):
    """How reachable somebody is."""

    ONLINE = "online"
    BUSY = "busy"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody's presence; `last_seen_at` is None for whoever was not seen within a month."""

    presence: Presence
    last_seen_at: datetime | None


NEVER = Seen(Presence.OFFLINE, None)


class PresenceLease(Model):
    """Presence leases: a device of an account that is, or was, connected to a process."""

    __tablename__ = "presence_lease"
    __table_args__ = (Index(None, "process_id"), Index(None, "until"))

    account_id: Mapped[AccountId] = mapped_column(primary_key=True, comment="who")
    device: Mapped[bytes] = mapped_column(BINARY(32), primary_key=True, comment="SHA-256 of the device's own id")
    socket_id: Mapped[RowId] = mapped_column(comment="the connection that holds it")
    process_id: Mapped[RowId] = mapped_column(comment="the process that renews it")
    busy: Mapped[bool] = mapped_column(comment="the person asked not to be disturbed")
    seen_at: Mapped[datetime] = mapped_column(comment="last renewed, or when the device left")
    until: Mapped[datetime] = mapped_column(comment="online before; in the past once the device left")


async def take(
    tx: AsyncSession, account_id: AccountId, device: bytes, *, socket_id: RowId, process_id: RowId, most: int, now: datetime
) -> bool:
    """Give a device its lease, from whatever socket held it before; False when `most` other devices are connected.

    The caller holds a lock on the account. Leases of the account's devices that left are forgotten.
    """
    others = select(PresenceLease.device, PresenceLease.busy).where(
        PresenceLease.account_id == account_id, PresenceLease.until > now
    )
    here = (await tx.execute(others)).all()
    if len([each for each, _ in here if each != device]) >= most:
        return False
    busy = any(busy for _, busy in here)
    gone = (PresenceLease.account_id == account_id, PresenceLease.device != device, PresenceLease.until <= now)
    await tx.execute(delete(PresenceLease).where(*gone).execution_options(synchronize_session=False))
    held = {"socket_id": socket_id, "process_id": process_id, "busy": busy, "seen_at": now, "until": now + LEASE}
    lease = insert(PresenceLease).values(account_id=account_id, device=device, **held)
    await tx.execute(lease.on_duplicate_key_update(**held))
    return True


async def renew(tx: AsyncSession, process_id: RowId, sockets: Sequence[RowId], *, now: datetime) -> None:
    """Prolong the leases of these sockets of one process."""
    for start in range(0, len(sockets), 1000):
        mine = (PresenceLease.process_id == process_id, PresenceLease.socket_id.in_(sockets[start : start + 1000]))
        longer = update(PresenceLease).where(*mine).values(seen_at=now, until=now + LEASE)
        await tx.execute(longer.execution_options(synchronize_session=False))


async def release(tx: AsyncSession, process_id: RowId, sockets: Sequence[RowId], *, now: datetime) -> None:
    """These sockets of one process are gone; a lease that another socket has taken over stays."""
    for start in range(0, len(sockets), 1000):
        mine = (PresenceLease.process_id == process_id, PresenceLease.socket_id.in_(sockets[start : start + 1000]))
        over = update(PresenceLease).where(*mine).values(seen_at=now, until=now)
        await tx.execute(over.execution_options(synchronize_session=False))


async def set_busy(tx: AsyncSession, account_id: AccountId, *, busy: bool) -> None:
    """For all devices of the account, and for those that join them; it ends with the last one that leaves."""
    every = update(PresenceLease).where(PresenceLease.account_id == account_id).values(busy=busy)
    await tx.execute(every.execution_options(synchronize_session=False))


#: How a list that begins with those who are there orders them.
RANKED = (Presence.ONLINE, Presence.BUSY, Presence.OFFLINE)


def presences(now: datetime, *, among: Select[AccountId] | None = None) -> Subquery:
    """One row per account that was ever connected: account_id, rank (its place in RANKED), seen_at. To join with."""
    busy = func.max(case((and_(PresenceLease.until > now, PresenceLease.busy), 1), else_=0))
    rank = case((func.max(PresenceLease.until) <= now, 2), else_=busy)
    every = select(PresenceLease.account_id, rank.label("rank"), func.max(PresenceLease.seen_at).label("seen_at"))
    if among is not None:
        every = every.where(PresenceLease.account_id.in_(among))
    return every.group_by(PresenceLease.account_id).subquery("presence")


async def seen(tx: AsyncSession, accounts: Collection[AccountId], *, now: datetime) -> Mapping[AccountId, Seen]:
    """The presence of each of these accounts."""
    rows = select(
        PresenceLease.account_id, func.max(PresenceLease.seen_at), func.max(PresenceLease.until),
        func.max(case((PresenceLease.until > now, PresenceLease.busy), else_=False)),
    ).where(PresenceLease.account_id.in_(accounts)).group_by(PresenceLease.account_id)  # fmt: skip
    found = {
        account_id: Seen(
            Presence.OFFLINE if until <= now else Presence.BUSY if busy else Presence.ONLINE, seen_at
        )
        for account_id, seen_at, until, busy in (await tx.execute(rows)).all()
    }
    return {account_id: found.get(account_id, NEVER) for account_id in accounts}


async def list_lapsed(tx: AsyncSession, after: datetime, before: datetime) -> Sequence[AccountId]:
    """Whose lease ended in that time without a goodbye: their process died."""
    ended = (PresenceLease.until > after, PresenceLease.until <= before, PresenceLease.until > PresenceLease.seen_at)
    return (await tx.scalars(select(PresenceLease.account_id).where(*ended).distinct())).all()


async def purge(tx: AsyncSession, *, now: datetime, at_most: int) -> int:
    """Forget whoever was not seen within a month."""
    return await delete_some(tx, PresenceLease, PresenceLease.until < now - _KEPT, at_most=at_most)
