"""Signing in and out, over HTTP."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends
from fastapi.requests import HTTPConnection

from yiyuebao_api.domains.accounts import queries, service
from yiyuebao_api.domains.accounts.guards import Anyone, ClientAddress, Member
from yiyuebao_api.domains.accounts.problems import (
    AccountNotActive,
    AnotherWeChatBound,
    CodeInvalid,
    CredentialsInvalid,
    HospitalNeeded,
    PasswordSessionNeeded,
    PhoneNeeded,
    PhoneNotSupported,
    PhoneUnreachable,
    RefreshTokenInvalid,
    RoleNotHeld,
    SmsCodeLimit,
    TotpNeeded,
    WeChatBlocked,
    WeChatBoundElsewhere,
    WeChatCodeInvalid,
)
from yiyuebao_api.domains.accounts.rules import CODE_LIFE, CODES_PER_PHONE
from yiyuebao_api.domains.accounts.schemas import (
    MeOut,
    ModeIn,
    PasswordSessionIn,
    RefreshIn,
    SessionIn,
    SessionOut,
    SmsCodeIn,
    SmsCodeOut,
    TokensOut,
    WeChatSessionIn,
)
from yiyuebao_api.gateways.sms import SmsGateway
from yiyuebao_api.gateways.wechat_login import WeChatLoginGateway
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions, Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import SessionId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, ProviderDown, TooManyRequests, refuses
from yiyuebao_api.kernel.schema import e164
from yiyuebao_api.kernel.tokens import Tokens
from yiyuebao_api.settings import Settings

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=OnceRoute)


async def _tokens(connection: HTTPConnection) -> Tokens:
    return cast("Tokens", connection.app.state.tokens)


async def _settings(connection: HTTPConnection) -> Settings:
    return cast("Settings", connection.app.state.settings)


Issuer = Annotated[Tokens, Depends(_tokens)]
Configured = Annotated[Settings, Depends(_settings)]


@router.post(
    "/sms-codes", status_code=202, summary="发送短信验证码",
    responses=refuses(SmsCodeLimit, PhoneUnreachable, ProviderDown),
)  # fmt: skip
async def send_sms_code(
    caller: Anyone, address: ClientAddress, body: SmsCodeIn, begin: Transactions, gateway: SmsGateway,
    settings: Configured, now: Now,
) -> SmsCodeOut:  # fmt: skip
    """Send a six-digit code; the answer is the same whether the number is known here or not."""
    await service.send_sms_code(
        begin, gateway, e164(body.phone), purpose=body.purpose, address=address, template=settings.sms.login_template,
        daily_budget=settings.sms.daily_budget, now=now,
    )  # fmt: skip
    return SmsCodeOut(
        expires_in=int(CODE_LIFE.total_seconds()), next_in=int(CODES_PER_PHONE.gap.total_seconds())
    )


@router.post(
    "/sessions", status_code=201, summary="手机验证码登录", responses=refuses(CodeInvalid, AccountNotActive)
)
async def create_session(
    caller: Anyone, body: SessionIn, begin: Transactions, issuer: Issuer, now: Now
) -> TokensOut:
    """Sign in with phone and code; the first time creates the account."""
    phone = e164(body.phone)
    opened = await service.create_session(begin, phone_e164=phone, code=body.code, device=body.device, now=now)
    return TokensOut.of(opened.session, issuer.issue(opened.claims, now=now), opened.refresh_token)


@router.post(
    "/sessions/wechat", status_code=201, summary="微信小程序登录",
    responses=refuses(
        WeChatCodeInvalid, WeChatBlocked, PhoneNeeded, PhoneNotSupported, WeChatBoundElsewhere, AnotherWeChatBound,
        AccountNotActive, TooManyRequests, ProviderDown,
    ),
)  # fmt: skip
async def create_wechat_session(
    caller: Anyone, body: WeChatSessionIn, begin: Transactions, gateway: WeChatLoginGateway, issuer: Issuer, now: Now
) -> TokensOut:
    """Sign in from the mini-program; the phone code is needed once and binds this WeChat user to that phone."""
    opened = await service.create_wechat_session(
        begin, gateway, login_code=body.login_code, phone_code=body.phone_code, device=body.device, now=now
    )
    return TokensOut.of(opened.session, issuer.issue(opened.claims, now=now), opened.refresh_token)


@router.post(
    "/sessions/password", status_code=201, summary="后台账号登录",
    responses=refuses(CredentialsInvalid, TotpNeeded, RoleNotHeld, AccountNotActive, TooManyRequests),
)  # fmt: skip
async def create_password_session(
    caller: Anyone, address: ClientAddress, body: PasswordSessionIn, begin: Transactions, issuer: Issuer, now: Now
) -> TokensOut:
    """Sign in at a back end; five failures lock the login for fifteen minutes, and a one-time code works once."""
    opened = await service.create_password_session(
        begin, login=body.login, password=body.password, totp=body.totp, device=body.device, address=address, now=now,
        wall=clock.system_now(),
    )  # fmt: skip
    return TokensOut.of(opened.session, issuer.issue(opened.claims, now=now), opened.refresh_token)


@router.post("/tokens/refresh", summary="刷新令牌", responses=refuses(RefreshTokenInvalid))
async def refresh_tokens(
    caller: Anyone, body: RefreshIn, begin: Transactions, issuer: Issuer, now: Now
) -> TokensOut:
    """Exchange a refresh token for a new pair; it works once, and using it again ends the session, without grace."""
    opened = await service.refresh_tokens(begin, body.refresh_token, now=now)
    return TokensOut.of(opened.session, issuer.issue(opened.claims, now=now), opened.refresh_token)


@router.get("/sessions", summary="登录设备列表", responses=refuses(InvalidCursor))
async def list_sessions(caller: Member, paging: Pages, tx: Tx, now: Now) -> Page[SessionOut]:
    """Where the account is signed in, newest first."""
    rows = await queries.list_live_sessions(tx, caller.account_id, paging, now=now)
    return page(rows, paging, lambda row: SessionOut.of(row, caller.session_id), lambda row: row.id)


@router.delete("/sessions/{session_id}", status_code=204, summary="退出某一设备", responses=refuses(NotFound))
async def delete_session(caller: Member, session_id: SessionId, tx: Tx, now: Now) -> None:
    """Sign one device out; its next request is refused."""
    await service.delete_session(tx, caller.account_id, session_id, now=now)


@router.delete("/sessions", status_code=204, summary="退出所有设备")
async def delete_sessions(caller: Member, tx: Tx, now: Now) -> None:
    """Sign every device out, this one too."""
    await service.delete_sessions(tx, caller.account_id, now=now)


@router.post(
    "/mode", summary="切换身份", responses=refuses(RoleNotHeld, PasswordSessionNeeded, HospitalNeeded)
)
async def change_mode(caller: Member, body: ModeIn, tx: Tx, issuer: Issuer, now: Now) -> TokensOut:
    """Go on in another mode with a new pair of tokens; the pair before ends at once. Everybody may be a patient."""
    opened = await service.change_mode(tx, caller.session_id, body.mode, hospital_id=body.hospital_id, now=now)
    return TokensOut.of(opened.session, issuer.issue(opened.claims, now=now), opened.refresh_token)


@router.get("/me", summary="我的账户")
async def get_me(caller: Member, tx: Tx, settings: Configured) -> MeOut:
    """Who is signed in, as what, and what else they may be."""
    me = await service.get_me(tx, caller.account_id, appid=settings.mini_program.appid)
    return MeOut.of(
        me.account, me.roles, mode=caller.mode, hospital_id=caller.hospital_id, wechat_bound=me.wechat_bound
    )


ROUTERS: list[APIRouter] = [router]
