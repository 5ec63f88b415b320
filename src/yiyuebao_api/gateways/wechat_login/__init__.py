"""WeChat login: the code of a phone becomes an identity, the code of a button becomes a phone number.

Refusals (`ProviderRefused.code`):

    invalid-code     unknown, used up, expired, of another app or another user; the phone asks for a new one
    blocked          WeChat considers this user a high risk
    rate-limited     this user asked too often
    misconfigured    app id, secret or permission is wrong; for the operator
    refused          anything else WeChat is final about
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection


@dataclass(frozen=True, slots=True)
class WeChatIdentity:
    """Who a person is for one app; the unionid, where bound, is the same in all apps of one owner."""

    appid: str
    openid: str
    unionid: str | None


class WeChatLogin(Protocol):
    """Redeems the codes that the mini-program gets from WeChat; each lives five minutes and works once."""

    async def exchange(self, login_code: str) -> WeChatIdentity:
        """The person behind wx.login's code. WeChat's session_key is dropped here: nobody above needs it.

        Never repeated by itself: the first call may have used up the code. Raises ProviderUnavailable,
        ProviderRefused.
        """
        ...

    async def phone_number(self, phone_code: str, openid: str | None = None) -> str:
        """The phone number (E.164) that WeChat verified, from the getPhoneNumber button's code.

        `openid` binds the code to a person: the code of anybody else is refused. Raises ProviderUnavailable,
        ProviderRefused.
        """
        ...


async def get_wechat_login(connection: HTTPConnection) -> WeChatLogin:
    """The one of this process."""
    return cast("WeChatLogin", connection.app.state.gateways.wechat_login)


WeChatLoginGateway = Annotated[WeChatLogin, Depends(get_wechat_login)]
