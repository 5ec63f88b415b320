"""The three ways in: a code on the phone, WeChat, and a password with its second step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyotp
import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.models import Account, StaffCredential, WeChatIdentity
from yiyuebao_api.domains.accounts.problems import (
    AnotherWeChatBound,
    CodeInvalid,
    CredentialsInvalid,
    PhoneNeeded,
    PhoneNotSupported,
    RoleNotHeld,
    TotpNeeded,
    WeChatBlocked,
    WeChatBoundElsewhere,
    WeChatCodeInvalid,
)
from yiyuebao_api.domains.accounts.queries import (
    find_identity,
    list_roles,
    lock_allowance,
    lock_credential,
    openid_of,
    require_account,
)
from yiyuebao_api.domains.accounts.rules import (
    FRESH,
    PASSWORDS_PER_ADDRESS,
    STAFF_MODES,
    CodePurpose,
    SignInMethod,
    is_mainland_mobile,
    seconds,
)
from yiyuebao_api.domains.accounts.service.accounts import ensure_account
from yiyuebao_api.domains.accounts.service.codes import spend_allowance, try_code
from yiyuebao_api.domains.accounts.service.sessions import Opened, open_session
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.wechat_login import WeChatIdentity as Identity
from yiyuebao_api.gateways.wechat_login import WeChatLogin
from yiyuebao_api.kernel.database import Begin, is_duplicate
from yiyuebao_api.kernel.ids import RowId
from yiyuebao_api.kernel.problems import Problem, ProviderDown, TooManyRequests
from yiyuebao_api.kernel.secrets import blind, password_fits
from yiyuebao_api.kernel.tokens import Mode

log = structlog.get_logger("yiyuebao.accounts")

_STEP_S = 30  # RFC 6238


# ── a code on the phone ──────────────────────────────────────────────────────────────────────────────────────────────


async def create_session(begin: Begin, *, phone_e164: str, code: str, device: str, now: datetime) -> Opened:
    """Sign in with a code; the first time makes the account. A wrong guess is committed before it is refused.

    Raises CodeInvalid for wrong, expired, used and never sent alike; AccountNotActive.
    """
    async with begin() as tx:
        if await try_code(tx, phone_e164, code, purpose=CodePurpose.LOGIN, now=now):
            account = await ensure_account(tx, phone_e164, now=now)
            return await open_session(
                tx, account, method=SignInMethod.SMS, mode=Mode.PATIENT, hospital_id=None, device=device, now=now
            )
    raise CodeInvalid


# ── WeChat ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def create_wechat_session(
    begin: Begin, gateway: WeChatLogin, *, login_code: str, phone_code: str | None, device: str, now: datetime
) -> Opened:
    """Sign in with what the mini-program got from WeChat; the phone is needed the first time and binds the openid.

    Raises WeChatCodeInvalid, WeChatBlocked, PhoneNeeded, PhoneNotSupported, WeChatBoundElsewhere, AnotherWeChatBound,
    AccountNotActive, TooManyRequests, ProviderDown.
    """
    identity, phone = await _ask_wechat(gateway, login_code, phone_code)
    async with begin() as tx:
        if phone is None:
            known = await find_identity(tx, identity.appid, identity.openid)
            if known is None:
                raise PhoneNeeded
            account = await require_account(tx, known.account_id)
        else:
            account = await ensure_account(tx, phone, now=now)
            await _bind(tx, account, identity, now=now)
        return await open_session(
            tx, account, method=SignInMethod.WECHAT, mode=Mode.PATIENT, hospital_id=None, device=device, now=now
        )


async def _ask_wechat(gateway: WeChatLogin, login_code: str, phone_code: str | None) -> tuple[Identity, str | None]:
    try:
        identity = await gateway.exchange(login_code)
        phone = await gateway.phone_number(phone_code, identity.openid) if phone_code is not None else None
    except ProviderUnavailable as error:
        log.warning("wechat unavailable", error=str(error))
        raise ProviderDown(retry_after=5) from None
    except ProviderRefused as error:
        raise _wechat_refusal(error) from None
    if phone is not None and not is_mainland_mobile(phone):
        raise PhoneNotSupported
    return identity, phone


def _wechat_refusal(error: ProviderRefused) -> Problem:
    match error.code:
        case "invalid-code":
            return WeChatCodeInvalid()
        case "blocked":
            return WeChatBlocked()
        case "rate-limited":
            return TooManyRequests(retry_after=60)
        case _:
            log.error("wechat refused", error=str(error))
            return ProviderDown(retry_after=60)


async def _bind(tx: AsyncSession, account: Account, identity: Identity, *, now: datetime) -> None:
    """One openid, one account, and the other way round; whoever was first stays. Two equal ones at once are one."""
    bound = WeChatIdentity(
        id=RowId.new(), account_id=account.id, appid=identity.appid, openid=identity.openid, bound_at=now
    )
    known = await find_identity(tx, identity.appid, identity.openid)
    if known is None and await openid_of(tx, account.id, identity.appid) is None:
        try:
            async with tx.begin_nested():
                tx.add(bound)
            return
        except IntegrityError as error:
            if not is_duplicate(error, "uq_wechat_identity"):
                raise
        known = await find_identity(tx, identity.appid, identity.openid)
    if known is None:
        raise AnotherWeChatBound
    if known.account_id != account.id:
        raise WeChatBoundElsewhere


# ── a password ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Try:
    """A try that was counted before the password was looked at."""

    stored: str | None
    counts: bool


async def create_password_session(
    begin: Begin, *, login: str, password: str, totp: str | None, device: str, address: bytes, now: datetime,
    wall: datetime,
) -> Opened:  # fmt: skip
    """Sign in at a back end, in the first staff mode that was granted. `wall` is the real time: TOTP lives by it.

    The hash is computed without a transaction, always once, so that unknown, wrong and locked logins take the same time
    and get the same answer. Raises CredentialsInvalid, TotpNeeded, RoleNotHeld, AccountNotActive, TooManyRequests.
    """
    login, subject = login.lower(), blind("accounts.passwords.address", address.hex())
    async with begin() as tx:
        if left := await spend_allowance(tx, subject, PASSWORDS_PER_ADDRESS, now=now):
            raise TooManyRequests(retry_after=seconds(left))
        tried = await _count_try(tx, login, now=now)
    if not (await password_fits(password, tried.stored) and tried.counts):
        raise CredentialsInvalid
    async with begin() as tx:
        allowance = await lock_allowance(tx, subject, now=now)
        allowance.times = max(0, allowance.times - 1)  # only failures count against an address
        credential = await lock_credential(tx, login)
        assert credential is not None
        if credential.totp_secret is None or (totp and _accept_totp(credential, totp, wall=wall)):
            credential.tries = FRESH
            return await _open_staff_session(tx, credential, device=device, now=now)
        if totp is None:
            credential.tries = credential.tries.one_less()
        else:
            allowance.times += 1
    raise TotpNeeded if totp is None else CredentialsInvalid


async def _count_try(tx: AsyncSession, login: str, *, now: datetime) -> _Try:
    credential = await lock_credential(tx, login)
    if credential is None:
        return _Try(None, counts=False)
    if credential.tries.is_locked(now):
        return _Try(credential.password_hash, counts=False)
    credential.tries = credential.tries.one_more(now)
    return _Try(credential.password_hash, counts=True)


def _accept_totp(credential: StaffCredential, totp: str, *, wall: datetime) -> bool:
    """The code of this half minute or of one beside it, and never one that worked before, nor an older one."""
    device = pyotp.TOTP(credential.totp_secret)
    now = int(wall.timestamp()) // _STEP_S
    for step in (now - 1, now, now + 1):
        newer = credential.totp_step is None or step > credential.totp_step
        if newer and pyotp.utils.strings_equal(device.generate_otp(step), totp):
            credential.totp_step = step
            return True
    return False


async def _open_staff_session(tx: AsyncSession, credential: StaffCredential, *, device: str, now: datetime) -> Opened:
    roles = [role for role in await list_roles(tx, credential.account_id) if role.mode in STAFF_MODES]
    if not roles:
        raise RoleNotHeld
    account = await require_account(tx, credential.account_id)
    return await open_session(
        tx, account, method=SignInMethod.PASSWORD, mode=roles[0].mode, hospital_id=roles[0].hospital_id, device=device,
        now=now,
    )  # fmt: skip
