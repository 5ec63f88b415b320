"""What goes over the wire around signing in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StringConstraints

from yiyuebao_api.domains.accounts.models import Account, Role, Session
from yiyuebao_api.domains.accounts.rules import CodePurpose, SignInMethod
from yiyuebao_api.kernel.ids import AccountId, HospitalId, SessionId
from yiyuebao_api.kernel.schema import In, Moment, Out, Phone, example
from yiyuebao_api.kernel.tokens import LIFETIME, Mode

Device = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]*$"),
    Field(description="How the device calls itself; shown in the list of sessions.", examples=["HUAWEI Mate 70"]),
]
_Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$"), Field(examples=["482915"])]
_WeChatCode = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
_BEARER = "Bearer"
#: Not stripped: blanks belong to a password.
_Password = Annotated[
    str, StringConstraints(min_length=1, max_length=128, strip_whitespace=False, pattern=r"^[^\x00]*$")
]


class SmsCodeIn(In):
    model_config = example(phone="13800138000", purpose="login")

    phone: Phone
    purpose: CodePurpose = CodePurpose.LOGIN


class SmsCodeOut(Out):
    """The same for every number, known or not."""

    expires_in: int = Field(description="Seconds the code is valid.", examples=[300])
    next_in: int = Field(description="Seconds until another one may be asked for.", examples=[60])


class SessionIn(In):
    model_config = example(phone="13800138000", code="482915", device="HUAWEI Mate 70")

    phone: Phone
    code: _Code
    device: Device


class WeChatSessionIn(In):
    """`openid` has no field here: it comes from WeChat's server alone."""

    model_config = example(login_code="0a3Xyz1100sW4d1bQ", phone_code="b1c2d3e4f5", device="微信小程序")

    login_code: _WeChatCode = Field(description="What wx.login returned.")
    phone_code: _WeChatCode | None = Field(None, description="What the getPhoneNumber button returned; needed once.")
    device: Device


class PasswordSessionIn(In):
    model_config = example(login="haikou-desk", password="心安即是归处-2026", totp="492039", device="Chrome")  # noqa: S106

    login: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    password: _Password
    totp: _Code | None = Field(None, description="Second step, when the answer was totp-needed.")
    device: Device


class RefreshIn(In):
    model_config = example(refresh_token="kM3v0xq8c9Y2y1bqg7pV3n5sT6wZ8aB1cD2eF3gH4iJ")  # noqa: S106

    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ModeIn(In):
    model_config = example(mode="clinician", hospital_id="hsp_01kj4y8x3hf7a9cq2v5b6n8m0t")

    mode: Mode
    hospital_id: HospitalId | None = Field(None, description="Needed when the role is held at several hospitals.")


class TokensOut(Out):
    """A signed-in device. The refresh token works once; a second use ends the session."""

    access_token: str
    token_type: str = Field(examples=["Bearer"])
    expires_in: int = Field(description="Seconds the access token is valid.", examples=[900])
    refresh_token: str
    refresh_expires_at: Moment
    session_id: SessionId
    account_id: AccountId
    mode: Mode
    hospital_id: HospitalId | None

    @classmethod
    def of(cls, row: Session, access_token: str, refresh_token: str) -> TokensOut:
        return cls(
            access_token=access_token, token_type=_BEARER, expires_in=int(LIFETIME.total_seconds()),
            refresh_token=refresh_token, refresh_expires_at=row.expires_at, session_id=row.id,
            account_id=row.account_id, mode=row.mode, hospital_id=row.hospital_id,
        )  # fmt: skip


class SessionOut(Out):
    id: SessionId
    mode: Mode
    hospital_id: HospitalId | None
    method: SignInMethod
    device: str
    created_at: Moment
    last_used_at: Moment
    expires_at: Moment
    current: bool = Field(description="The session this request came from.")

    @classmethod
    def of(cls, row: Session, current: SessionId) -> SessionOut:
        return cls(
            id=row.id, mode=row.mode, hospital_id=row.hospital_id, method=row.method, device=row.device,
            created_at=row.created_at, last_used_at=row.last_used_at, expires_at=row.expires_at,
            current=row.id == current,
        )  # fmt: skip


class RoleOut(Out):
    mode: Mode
    hospital_id: HospitalId | None

    @classmethod
    def of(cls, row: Role) -> RoleOut:
        return cls(mode=row.mode, hospital_id=row.hospital_id)


class MeOut(Out):
    account_id: AccountId
    phone: str | None = Field(description="E.164; one's own number is not masked.", examples=["+8613800138000"])
    mode: Mode
    hospital_id: HospitalId | None
    roles: list[RoleOut] = Field(description="What POST /v1/accounts/mode accepts besides patient.")
    wechat_bound: bool
    created_at: Moment

    @classmethod
    def of(
        cls, row: Account, roles: Sequence[Role], *, mode: Mode, hospital_id: HospitalId | None, wechat_bound: bool
    ) -> MeOut:
        return cls(
            account_id=row.id, phone=row.phone, mode=mode, hospital_id=hospital_id,
            roles=[RoleOut.of(each) for each in roles], wechat_bound=wechat_bound, created_at=row.created_at,
        )  # fmt: skip
