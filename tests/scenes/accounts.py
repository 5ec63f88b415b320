"""Scenes of accounts: people and staff who exist, and who are signed in, without asking the SMS provider each time."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import httpx

from yiyuebao_api.domains.accounts import service
from yiyuebao_api.domains.accounts.models import Account
from yiyuebao_api.domains.accounts.queries import require_account
from yiyuebao_api.domains.accounts.rules import STAFF_MODES, SignInMethod
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId, HospitalId, SessionId
from yiyuebao_api.kernel.secrets import hash_password
from yiyuebao_api.kernel.tokens import Mode, Tokens


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody with a session and its tokens."""

    account_id: AccountId
    session_id: SessionId
    access_token: str
    refresh_token: str


def new_phone() -> str:
    """Eleven digits that nobody else in this run has."""
    return f"139{secrets.randbelow(10**8):08d}"


async def make_account(database: Database, phone: str | None = None) -> Account:
    """The account of a phone (eleven digits; a new one without)."""
    async with database.begin() as tx:
        return await service.ensure_account(tx, "+86" + (phone or new_phone()), now=clock.now())


async def make_staff(
    database: Database, login: str, *, password: str = "correct horse", mode: Mode = Mode.DESK,
    hospital_id: HospitalId | None = None, totp_secret: str | None = None,
) -> Account:  # fmt: skip
    """Somebody with a login and a role; a desk without `hospital_id` gets one nobody knows."""
    if mode is Mode.DESK and hospital_id is None:
        hospital_id = HospitalId.new()
    hashed = await hash_password(password)
    async with database.begin() as tx:
        return await service.create_staff(
            tx, login=login, password_hash=hashed, totp_secret=totp_secret, mode=mode, hospital_id=hospital_id,
            now=clock.now(),
        )  # fmt: skip


async def sign_in(
    database: Database, tokens: Tokens, account_id: AccountId | None = None, *, mode: Mode = Mode.PATIENT,
    hospital_id: HospitalId | None = None, method: SignInMethod | None = None,
) -> SignedIn:  # fmt: skip
    """A session in `mode`, the role granted on the way; of a new account without `account_id`."""
    now = clock.now()
    if mode in (Mode.CLINICIAN, Mode.DESK) and hospital_id is None:
        hospital_id = HospitalId.new()
    if method is None:
        method = SignInMethod.PASSWORD if mode in STAFF_MODES else SignInMethod.SMS
    account = None if account_id is not None else await make_account(database)
    async with database.begin() as tx:
        account = account or await require_account(tx, account_id)  # type: ignore[arg-type]
        if mode is not Mode.PATIENT:
            await service.grant_role(tx, account.id, mode, hospital_id=hospital_id, now=now)
        opened = await service.open_session(
            tx, account, method=method, mode=mode, hospital_id=hospital_id, device="test", now=now
        )
    return SignedIn(account.id, opened.session.id, tokens.issue(opened.claims, now=now), opened.refresh_token)


async def read_code(sandbox_url: str, phone: str) -> str:
    """The newest code the sandbox delivered to a phone."""
    async with httpx.AsyncClient(base_url=sandbox_url, trust_env=False) as client:
        inbox = (await client.get("/_sandbox/sms", params={"phone": phone, "limit": 1})).json()
    code: str = inbox[0]["code"]
    return code


async def plan_fault(sandbox_url: str, provider: str, **fault: object) -> None:
    """The provider's next call fails; see `yiyuebao_api.sandbox.faults`."""
    async with httpx.AsyncClient(base_url=sandbox_url, trust_env=False) as client:
        (await client.post(f"/_sandbox/{provider}/faults", json=fault)).raise_for_status()
