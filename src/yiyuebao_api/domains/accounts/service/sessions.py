"""Sessions: opened by a sign-in, looked at by every request, prolonged by refresh tokens, ended by their owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.models import Account, Allowance, RefreshToken, Session, SmsCode
from yiyuebao_api.domains.accounts.problems import (
    AccountNotActive,
    HospitalNeeded,
    PasswordSessionNeeded,
    RefreshTokenInvalid,
    RoleNotHeld,
)
from yiyuebao_api.domains.accounts.queries import (
    SeenSession,
    list_roles,
    lock_session,
    look_at_session,
    session_of_token,
)
from yiyuebao_api.domains.accounts.rules import (
    STAFF_MODES,
    TOUCH_EVERY,
    AccountStatus,
    EndReason,
    SignInMethod,
    first_end,
    refreshed_end,
)
from yiyuebao_api.kernel import live
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import AccountId, HospitalId, SessionId
from yiyuebao_api.kernel.problems import NotFound, Unauthenticated
from yiyuebao_api.kernel.purging import delete_some
from yiyuebao_api.kernel.secrets import new_token, token_hash
from yiyuebao_api.kernel.tokens import Claims, Mode

_KEPT = timedelta(days=2)
_ENDED_KEPT = timedelta(days=30)
_SESSIONS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Opened:
    """A session and the refresh token that was just made for it; only its hash is stored."""

    session: Session
    refresh_token: str

    @property
    def claims(self) -> Claims:
        """What its access tokens say."""
        row = self.session
        return Claims(row.account_id, row.id, row.mode, row.hospital_id)


async def open_session(
    tx: AsyncSession, account: Account, *, method: SignInMethod, mode: Mode, hospital_id: HospitalId | None,
    device: str, now: datetime,
) -> Opened:  # fmt: skip
    """Begin a session for somebody who has proved who they are. Raises AccountNotActive."""
    if account.status is not AccountStatus.ACTIVE:
        raise AccountNotActive
    session = Session(
        id=SessionId.new(), account_id=account.id, method=method, mode=mode, hospital_id=hospital_id, device=device,
        created_at=now, last_used_at=now, expires_at=first_end(method, now), revoked_at=None, end_reason=None,
    )  # fmt: skip
    tx.add(session)
    await tx.flush()
    return await _hand_out(tx, session, now=now)


async def check_session(tx: AsyncSession, claims: Claims, *, now: datetime) -> None:
    """Whether the session a token was issued for still is what the token says. Raises Unauthenticated.

    One row by primary key; a password's session notes once a minute that it is in use.
    """
    if judge_session(await look_at_session(tx, claims.session_id), claims, now=now):
        await touch_session(tx, claims.session_id, now=now)


def judge_session(seen: SeenSession | None, claims: Claims, *, now: datetime) -> bool:
    """Whether its use is to be noted. Raises Unauthenticated when it does not hold, or is not what the token says."""
    if seen is None:
        raise Unauthenticated
    facts, *of = seen
    if of != [claims.account_id, claims.mode, claims.hospital_id] or not facts.is_live(now):
        raise Unauthenticated
    return facts.needs_touch(now)


async def touch_session(tx: AsyncSession, session_id: SessionId, *, now: datetime) -> None:
    """Note that a session is in use, once a minute at most."""
    stale = (Session.id == session_id, Session.last_used_at <= now - TOUCH_EVERY)
    touch = update(Session).where(*stale).values(last_used_at=now)
    await tx.execute(touch.execution_options(synchronize_session=False))


async def refresh_tokens(begin: Begin, refresh_token: str, *, now: datetime) -> Opened:
    """A new pair for a refresh token that was never used.

    A used one means that two hold it: its session ends, and that is committed although the answer is a refusal. No
    grace: a client that lost the answer signs in again, since it cannot be told from a thief. Raises
    RefreshTokenInvalid.
    """
    hashed = token_hash(refresh_token)
    async with begin() as tx:
        opened = await _refresh(tx, hashed, now=now)
    if opened is None:
        raise RefreshTokenInvalid
    return opened


async def _refresh(tx: AsyncSession, hashed: bytes, *, now: datetime) -> Opened | None:
    session_id = await session_of_token(tx, hashed)
    session = await lock_session(tx, session_id) if session_id is not None else None
    if session is None or not session.facts.is_live(now):
        return None
    token = await tx.get_one(RefreshToken, hashed, with_for_update=True)
    if token.used_at is not None:
        session.revoked_at, session.end_reason = now, EndReason.TOKEN_REUSED
        live.end_sessions(tx, session.account_id, session.id)
        return None
    token.used_at = session.last_used_at = now
    session.expires_at = refreshed_end(session.method, session.expires_at, now)
    return await _hand_out(tx, session, now=now)


async def change_mode(
    tx: AsyncSession, session_id: SessionId, mode: Mode, *, hospital_id: HospitalId | None, now: datetime
) -> Opened:
    """Go on as somebody else the account also is; tokens of the mode before end at once (A10).

    Everybody is a patient. Raises RoleNotHeld, PasswordSessionNeeded, HospitalNeeded, Unauthenticated.
    """
    session = await lock_session(tx, session_id)
    if session is None or not session.facts.is_live(now):
        raise Unauthenticated
    held: list[HospitalId | None] = [None]
    if mode is not Mode.PATIENT:
        held = [role.hospital_id for role in await list_roles(tx, session.account_id, mode)]
    if hospital_id is not None:
        held = [each for each in held if each == hospital_id]
    if not held:
        raise RoleNotHeld
    if mode in STAFF_MODES and session.method is not SignInMethod.PASSWORD:
        raise PasswordSessionNeeded
    if len(held) > 1:
        raise HospitalNeeded
    session.mode, session.hospital_id, session.last_used_at = mode, held[0], now
    live.end_sessions(tx, session.account_id, session.id)  # tokens of the mode before end at once, sockets too
    unused = (RefreshToken.session_id == session.id, RefreshToken.used_at.is_(None))
    await tx.execute(
        update(RefreshToken).where(*unused).values(used_at=now).execution_options(synchronize_session=False)
    )
    return await _hand_out(tx, session, now=now)


async def delete_session(tx: AsyncSession, account_id: AccountId, session_id: SessionId, *, now: datetime) -> None:
    """Sign one device out; its next request is refused. Raises NotFound for another's and for one that ended."""
    session = await lock_session(tx, session_id)
    if session is None or session.account_id != account_id or not session.facts.is_live(now):
        raise NotFound
    session.revoked_at, session.end_reason = now, EndReason.LOGOUT
    live.end_sessions(tx, account_id, session_id)


async def delete_sessions(tx: AsyncSession, account_id: AccountId, *, now: datetime) -> None:
    """Sign every device out, this one too."""
    open_ = (Session.account_id == account_id, Session.revoked_at.is_(None))
    ended = update(Session).where(*open_).values(revoked_at=now, end_reason=EndReason.LOGOUT_EVERYWHERE)
    await tx.execute(ended.execution_options(synchronize_session=False))
    live.end_sessions(tx, account_id)


async def purge(tx: AsyncSession, *, now: datetime, at_most: int) -> int:
    """Forget codes and allowances after two days, sessions and their tokens a month after their end."""
    codes = await delete_some(tx, SmsCode, SmsCode.created_at < now - _KEPT, at_most=at_most)
    allowances = await delete_some(tx, Allowance, Allowance.last_at < now - _KEPT, at_most=at_most)
    over = select(Session.id).where(Session.expires_at < now - _ENDED_KEPT).order_by(Session.expires_at)
    ids = (await tx.scalars(over.limit(_SESSIONS_AT_ONCE))).all()
    if not ids:
        return max(codes, allowances)
    tokens = await delete_some(tx, RefreshToken, RefreshToken.session_id.in_(ids), at_most=at_most)
    if tokens < at_most:  # a session of a month has thousands of them, and goes after the last
        await tx.execute(delete(Session).where(Session.id.in_(ids)))
    return at_most


async def _hand_out(tx: AsyncSession, session: Session, *, now: datetime) -> Opened:
    token = new_token()
    tx.add(RefreshToken(hash=token_hash(token), session_id=session.id, issued_at=now, used_at=None))
    await tx.flush()
    return Opened(session, token)
