"""Rows of accounts: people and staff, their WeChat identities, roles, codes, sessions and allowances."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BINARY, BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.accounts.rules import (
    AccountStatus,
    CodePurpose,
    EndReason,
    SessionFacts,
    SignInMethod,
    Spent,
    Tries,
)
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import AccountId, HospitalId, RowId, SessionId
from yiyuebao_api.kernel.secrets import Sealed
from yiyuebao_api.kernel.tokens import Mode


class Account(Model):
    """Accounts: one per phone number, and one per staff login without a phone."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("phone_index"),)

    id: Mapped[AccountId] = mapped_column(primary_key=True, comment="UUIDv7")
    phone: Mapped[str | None] = mapped_column(Sealed("accounts.phone", 20), comment="E.164, sealed (RULE-09, RULE-149)")
    phone_index: Mapped[bytes | None] = mapped_column(BINARY(32), comment="blind index of the phone")
    status: Mapped[AccountStatus] = mapped_column(comment="active, suspended, closed")
    created_at: Mapped[datetime] = mapped_column(comment="first sign-in")


class WeChatIdentity(Model):
    """WeChat users of our apps: an openid belongs to one account, and an account has one openid per app."""

    __tablename__ = "wechat_identity"
    __table_args__ = (UniqueConstraint("appid", "openid"), UniqueConstraint("account_id", "appid"))

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="whose it is")
    appid: Mapped[str] = mapped_column(code_column(32), comment="the app it is an identity for")
    openid: Mapped[str] = mapped_column(code_column(64), comment="as WeChat's server told it")
    bound_at: Mapped[datetime] = mapped_column(comment="when the phone was proved")


class Role(Model):
    """Roles: what an account may be besides a patient, and for which hospital."""

    __tablename__ = "account_role"
    __table_args__ = (Index(None, "account_id", "mode"), Index(None, "hospital_id", "mode"))

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="who holds it")
    mode: Mapped[Mode] = mapped_column(comment="clinician, desk, operator, auditor")
    hospital_id: Mapped[HospitalId | None] = mapped_column(comment="the tenant of a clinician or a desk")
    active: Mapped[bool] = mapped_column(comment="false once it was revoked")
    granted_at: Mapped[datetime] = mapped_column(comment="last granted")


class StaffCredential(Model):
    """Logins with a password: desks, operators, auditors."""

    __tablename__ = "staff_credential"
    __table_args__ = (UniqueConstraint("login"),)

    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), primary_key=True, comment="whose login")
    login: Mapped[str] = mapped_column(code_column(64), comment="in lower case")
    password_hash: Mapped[str] = mapped_column(String(200), comment="argon2id")
    totp_secret: Mapped[str | None] = mapped_column(Sealed("accounts.totp", 64), comment="base32, sealed; null: none")
    totp_step: Mapped[int | None] = mapped_column(BigInteger, comment="half minute of the last code used")
    failed: Mapped[int] = mapped_column(comment="failures in a row")
    locked_until: Mapped[datetime | None] = mapped_column(comment="no try counts before")
    created_at: Mapped[datetime] = mapped_column(comment="when it was set up")

    @property
    def tries(self) -> Tries:
        return Tries(self.failed, self.locked_until)

    @tries.setter
    def tries(self, tries: Tries) -> None:
        self.failed, self.locked_until = tries.failed, tries.locked_until


class SmsCode(Model):
    """SMS codes: only the newest of a phone and purpose counts (RULE-10)."""

    __tablename__ = "sms_code"
    __table_args__ = (Index(None, "phone_index", "purpose", "id"), Index(None, "created_at"))

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    phone_index: Mapped[bytes] = mapped_column(BINARY(32), comment="blind index of the phone")
    purpose: Mapped[CodePurpose] = mapped_column(comment="what it is for")
    code_hash: Mapped[bytes] = mapped_column(BINARY(32), comment="peppered HMAC of the code")
    address_index: Mapped[bytes] = mapped_column(BINARY(32), comment="blind index of the asker's IP address")
    tries: Mapped[int] = mapped_column(comment="guesses so far, right or wrong")
    created_at: Mapped[datetime] = mapped_column(comment="when it was made")
    expires_at: Mapped[datetime] = mapped_column(comment="five minutes later")
    used_at: Mapped[datetime | None] = mapped_column(comment="when it worked, once")


class Allowance(Model):
    """Allowances: how often somebody did something in the current hour or day (RULE-10, A02)."""

    __tablename__ = "sign_in_allowance"
    __table_args__ = (Index(None, "last_at"),)

    subject: Mapped[bytes] = mapped_column(BINARY(32), primary_key=True, comment="blind index of what and who")
    window_began: Mapped[datetime] = mapped_column(comment="start of the counted hour or Shanghai day")
    times: Mapped[int] = mapped_column(comment="how often in this window")
    last_at: Mapped[datetime] = mapped_column(comment="the last time")

    @property
    def spent(self) -> Spent | None:
        return Spent(self.window_began, self.times, self.last_at) if self.times else None

    @spent.setter
    def spent(self, spent: Spent) -> None:
        self.window_began, self.times, self.last_at = spent.window_began, spent.times, spent.last_at


class Session(Model):
    """Sessions: one sign-in on one device, and the family of its refresh tokens."""

    __tablename__ = "session"
    __table_args__ = (Index(None, "account_id", "id"), Index(None, "expires_at"))

    id: Mapped[SessionId] = mapped_column(primary_key=True, comment="UUIDv7")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="who signed in")
    method: Mapped[SignInMethod] = mapped_column(comment="sms, wechat, password")
    mode: Mapped[Mode] = mapped_column(comment="as what, now")
    hospital_id: Mapped[HospitalId | None] = mapped_column(comment="tenant of that mode")
    device: Mapped[str] = mapped_column(String(60), comment="name of the device, as it called itself")
    created_at: Mapped[datetime] = mapped_column(comment="when it began")
    last_used_at: Mapped[datetime] = mapped_column(comment="last refresh; with a password: last request")
    expires_at: Mapped[datetime] = mapped_column(comment="when it ends by itself")
    revoked_at: Mapped[datetime | None] = mapped_column(comment="when it was ended")
    end_reason: Mapped[EndReason | None] = mapped_column(comment="why it was ended")

    @property
    def facts(self) -> SessionFacts:
        return SessionFacts(self.method, self.last_used_at, self.expires_at, self.revoked_at)


class RefreshToken(Model):
    """Refresh tokens: each works once; a second use ends the session."""

    __tablename__ = "refresh_token"
    __table_args__ = (Index(None, "session_id"),)

    hash: Mapped[bytes] = mapped_column(BINARY(32), primary_key=True, comment="SHA-256 of the token")
    session_id: Mapped[SessionId] = mapped_column(ForeignKey("session.id"), comment="its family")
    issued_at: Mapped[datetime] = mapped_column(comment="when it was handed out")
    used_at: Mapped[datetime | None] = mapped_column(comment="when it was redeemed or replaced")
