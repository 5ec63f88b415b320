"""Named selects over accounts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, or_, select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.models import (
    Account,
    Allowance,
    RefreshToken,
    Role,
    Session,
    SmsCode,
    StaffCredential,
    WeChatIdentity,
)
from yiyuebao_api.domains.accounts.rules import STAFF_IDLE, AccountStatus, CodePurpose, SessionFacts, SignInMethod
from yiyuebao_api.kernel.ids import AccountId, HospitalId, SessionId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.reading import Asks, Read, padded, rows_of
from yiyuebao_api.kernel.secrets import blind
from yiyuebao_api.kernel.tokens import Mode

_FRESH = {"populate_existing": True}


def phone_index(phone_e164: str) -> bytes:
    """By which an account and its codes are found without storing the number."""
    return blind("accounts.phone", phone_e164)


async def find_account_by_phone(tx: AsyncSession, phone_e164: str) -> Account | None:
    return (await tx.scalars(select(Account).where(Account.phone_index == phone_index(phone_e164)))).one_or_none()


async def require_account(tx: AsyncSession, account_id: AccountId) -> Account:
    """Raises NotFound."""
    account = await tx.get(Account, account_id)
    if account is None:
        raise NotFound
    return account


async def lock_account(tx: AsyncSession, account_id: AccountId) -> Account:
    """The account's row, locked: for everything that counts what one account has. Raises NotFound."""
    locked = select(Account).where(Account.id == account_id).with_for_update().execution_options(**_FRESH)
    account = (await tx.scalars(locked)).one_or_none()
    if account is None:
        raise NotFound
    return account


_STATUS = "SELECT id, status FROM account WHERE id IN ({0}) ORDER BY id FOR UPDATE"


async def lock_active(tx: Asks, account_ids: Iterable[AccountId]) -> set[AccountId]:
    """Several accounts, locked in key order; those that are neither suspended nor closed."""
    some = padded([account_id.bytes for account_id in sorted(set(account_ids))])
    rows = await rows_of(tx, _STATUS.format(",".join(["%s"] * len(some))), some)
    return {AccountId.of(raw) for raw, status in rows if status == AccountStatus.ACTIVE}


async def phone_of(tx: AsyncSession, account_id: AccountId) -> str | None:
    """E.164; None for a staff login without a phone."""
    return (await tx.scalars(select(Account.phone).where(Account.id == account_id))).one_or_none()


async def openid_of(tx: AsyncSession, account_id: AccountId, appid: str) -> str | None:
    """Who the account is for one WeChat app; None until it signed in there."""
    wanted = select(WeChatIdentity.openid).where(WeChatIdentity.account_id == account_id, WeChatIdentity.appid == appid)
    return (await tx.scalars(wanted)).one_or_none()


async def find_identity(tx: AsyncSession, appid: str, openid: str) -> WeChatIdentity | None:
    wanted = select(WeChatIdentity).where(WeChatIdentity.appid == appid, WeChatIdentity.openid == openid)
    return (await tx.scalars(wanted)).one_or_none()


async def list_roles(tx: AsyncSession, account_id: AccountId, mode: Mode | None = None) -> Sequence[Role]:
    """Active roles, first granted first."""
    wanted = select(Role).where(Role.account_id == account_id, Role.active.is_(True)).order_by(Role.id)
    return (await tx.scalars(wanted if mode is None else wanted.where(Role.mode == mode))).all()


async def find_role(
    tx: AsyncSession, account_id: AccountId, mode: Mode, hospital_id: HospitalId | None
) -> Role | None:
    """Active or not."""
    wanted = select(Role).where(Role.account_id == account_id, Role.mode == mode, Role.hospital_id == hospital_id)
    return (await tx.scalars(wanted)).one_or_none()


async def lock_credential(tx: AsyncSession, login: str) -> StaffCredential | None:
    """The credential of a login in lower case, locked; None when there is none."""
    locked = select(StaffCredential).where(StaffCredential.login == login).with_for_update()
    return (await tx.scalars(locked.execution_options(**_FRESH))).one_or_none()


async def lock_newest_code(tx: AsyncSession, index: bytes, purpose: CodePurpose) -> SmsCode | None:
    """The one code of a phone that counts, locked, so that guesses come one after the other."""
    newest = select(SmsCode).where(SmsCode.phone_index == index, SmsCode.purpose == purpose)
    return (await tx.scalars(newest.order_by(SmsCode.id.desc()).limit(1).with_for_update())).one_or_none()


async def lock_allowance(tx: AsyncSession, subject: bytes, *, now: datetime) -> Allowance:
    """The allowance's row, locked; made, with nothing spent, on first sight, whoever comes in parallel."""
    new = insert(Allowance).values(subject=subject, window_began=now, times=0, last_at=now)
    await tx.execute(new.on_duplicate_key_update(subject=Allowance.subject))
    locked = select(Allowance).where(Allowance.subject == subject).with_for_update().execution_options(**_FRESH)
    return (await tx.scalars(locked)).one()


#: Built once: nearly every request asks this.
_LOOK = select(
    Session.method, Session.last_used_at, Session.expires_at, Session.revoked_at, Session.account_id, Session.mode,
    Session.hospital_id,
).where(Session.id == bindparam("session_id"))  # fmt: skip


#: The same without a transaction.
SESSION = Read(_LOOK)
#: What a request needs to know of its session: whether it holds, of whom, as what, for which hospital.
SeenSession = tuple[SessionFacts, AccountId, Mode, HospitalId | None]


async def look_at_session(tx: AsyncSession, session_id: SessionId) -> SeenSession | None:
    """One row by primary key, without locking or loading it."""
    return seen_session((await tx.execute(_LOOK, {"session_id": session_id})).one_or_none())


def seen_session(row: Sequence[Any] | None) -> SeenSession | None:
    """The row of `SESSION`, read."""
    if row is None:
        return None
    method, last_used_at, expires_at, revoked_at, account_id, mode, hospital_id = row
    return SessionFacts(method, last_used_at, expires_at, revoked_at), account_id, mode, hospital_id


async def list_alive(tx: AsyncSession, session_ids: Collection[SessionId], *, now: datetime) -> set[SessionId]:
    """Which of these sessions still hold, of accounts that are neither suspended nor closed.

    Asked for every device of a process at once: bare columns, and a moment for everybody else in between.
    """
    asked, alive = list(session_ids), set[SessionId]()
    facts = select(Session.id, Session.method, Session.last_used_at, Session.expires_at, Session.revoked_at)
    whole = facts.join(Account, Account.id == Session.account_id).where(Account.status == AccountStatus.ACTIVE)
    for start in range(0, len(asked), 200):
        rows = await tx.execute(whole.where(Session.id.in_(asked[start : start + 200])))
        alive |= {each.id for each in rows if SessionFacts(each.method, each.last_used_at, each.expires_at, each.revoked_at).is_live(now)}
    return alive


async def lock_session(tx: AsyncSession, session_id: SessionId) -> Session | None:
    """The session's row, locked: everything that happens to a family of tokens happens in a row."""
    locked = select(Session).where(Session.id == session_id).with_for_update().execution_options(**_FRESH)
    return (await tx.scalars(locked)).one_or_none()


async def list_live_sessions(
    tx: AsyncSession, account_id: AccountId, paging: Paging, *, now: datetime
) -> Sequence[Session]:
    """Newest first, one more than asked."""
    live = select(Session).where(
        Session.account_id == account_id, Session.revoked_at.is_(None), Session.expires_at > now,
        or_(Session.method != SignInMethod.PASSWORD, Session.last_used_at > now - STAFF_IDLE),
    )  # fmt: skip
    return (await tx.scalars(newest_first(live, Session.id, SessionId, paging))).all()


async def session_of_token(tx: AsyncSession, token_hash: bytes) -> SessionId | None:
    return (await tx.scalars(select(RefreshToken.session_id).where(RefreshToken.hash == token_hash))).one_or_none()
