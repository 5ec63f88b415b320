"""Accounts themselves: people by their phone, staff by their login, and the roles both hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.models import Account, Role, Session, StaffCredential
from yiyuebao_api.domains.accounts.problems import DutiesNotSeparate, LoginTaken
from yiyuebao_api.domains.accounts.queries import (
    find_account_by_phone,
    find_role,
    list_roles,
    lock_account,
    openid_of,
    phone_index,
    require_account,
)
from yiyuebao_api.domains.accounts.rules import OPPOSITES, AccountStatus, EndReason
from yiyuebao_api.kernel import live
from yiyuebao_api.kernel.database import is_duplicate
from yiyuebao_api.kernel.ids import AccountId, HospitalId, RowId
from yiyuebao_api.kernel.tokens import Mode


async def ensure_account(tx: AsyncSession, phone_e164: str, *, now: datetime) -> Account:
    """The account of a phone, made on first sight; two who come at once get the same one."""
    known = await find_account_by_phone(tx, phone_e164)
    if known is not None:
        return known
    account = Account(
        id=AccountId.new(), phone=phone_e164, phone_index=phone_index(phone_e164), status=AccountStatus.ACTIVE,
        created_at=now,
    )  # fmt: skip
    try:
        async with tx.begin_nested():
            tx.add(account)
    except IntegrityError as error:
        if not is_duplicate(error, "uq_account_phone_index"):
            raise
        known = await find_account_by_phone(tx, phone_e164)
        assert known is not None
        return known
    return account


async def create_staff(
    tx: AsyncSession, *, login: str, password_hash: str, totp_secret: str | None, mode: Mode,
    hospital_id: HospitalId | None, now: datetime,
) -> Account:  # fmt: skip
    """An account that signs in with a password (hash: `kernel.secrets.hash_password`, before the transaction).

    `totp_secret` is base32 and asks for a second step. Raises LoginTaken.
    """
    account = Account(
        id=AccountId.new(), phone=None, phone_index=None, status=AccountStatus.ACTIVE, created_at=now
    )
    credential = StaffCredential(
        account_id=account.id, login=login.strip().lower(), password_hash=password_hash, totp_secret=totp_secret,
        totp_step=None, failed=0, locked_until=None, created_at=now,
    )  # fmt: skip
    tx.add(account)
    await tx.flush()
    try:
        async with tx.begin_nested():
            tx.add(credential)
    except IntegrityError as error:
        if is_duplicate(error, "uq_staff_credential_login"):
            raise LoginTaken from None
        raise
    await grant_role(tx, account.id, mode, hospital_id=hospital_id, now=now)
    return account


async def grant_role(
    tx: AsyncSession, account_id: AccountId, mode: Mode, *, hospital_id: HospitalId | None, now: datetime
) -> None:
    """Let an account act in `mode`, for a hospital or for none. Granting twice is granting once.

    Raises DutiesNotSeparate: nobody is operator and auditor.
    """
    await lock_account(tx, account_id)
    if (opposite := OPPOSITES.get(mode)) and any(role.mode is opposite for role in await list_roles(tx, account_id)):
        raise DutiesNotSeparate
    role = await find_role(tx, account_id, mode, hospital_id)
    if role is None:
        tx.add(Role(
            id=RowId.new(), account_id=account_id, mode=mode, hospital_id=hospital_id, active=True, granted_at=now,
        ))  # fmt: skip
    elif not role.active:
        role.active, role.granted_at = True, now
    await tx.flush()


async def revoke_role(
    tx: AsyncSession, account_id: AccountId, mode: Mode, *, hospital_id: HospitalId | None, now: datetime
) -> None:
    """Take a role back and end every session that is signed in with it. Revoking what is not held changes nothing."""
    await lock_account(tx, account_id)
    role = await find_role(tx, account_id, mode, hospital_id)
    if role is not None:
        role.active = False
    mine = (Session.account_id == account_id, Session.mode == mode, Session.hospital_id == hospital_id)
    await tx.execute(
        update(Session).where(*mine, Session.revoked_at.is_(None)).values(
            revoked_at=now, end_reason=EndReason.ROLE_REVOKED
        ).execution_options(synchronize_session=False)
    )  # fmt: skip
    await tx.flush()
    live.end_sessions(tx, account_id)  # every socket looks again: those of other sessions come back at once


@dataclass(frozen=True, slots=True)
class Me:
    """An account as its owner sees it."""

    account: Account
    roles: Sequence[Role]
    wechat_bound: bool


async def get_me(tx: AsyncSession, account_id: AccountId, *, appid: str) -> Me:
    """The account with its roles; `appid` names the mini-program whose binding is told."""
    return Me(
        await require_account(tx, account_id),
        await list_roles(tx, account_id),
        await openid_of(tx, account_id, appid) is not None,
    )
