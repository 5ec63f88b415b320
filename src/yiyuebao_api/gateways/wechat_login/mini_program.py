"""The mini-program's server API: jscode2session, stable_token, getuserphonenumber.

Source: developers.weixin.qq.com, OpenApiDoc (code2Session, getStableAccessToken, getPhoneNumber). Errors are
HTTP 200 with `errcode`; jscode2session answers JSON as text/plain, so the declared type is never looked at.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, Field, ValidationError

from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.http import HttpGateway, ask, open_client
from yiyuebao_api.gateways.wechat_login import WeChatIdentity
from yiyuebao_api.kernel.database import assert_no_transaction
from yiyuebao_api.settings import MiniProgram

_STALE_TOKEN: Final = frozenset({40001, 40014, 42001})
_PASSING: Final = frozenset({-1, 45009})  # busy; the day's quota of the whole app is used up
_MEANING: Final = {
    40003: "invalid-code",  # the code belongs to another openid
    40029: "invalid-code",
    40163: "invalid-code",  # used before
    40226: "blocked",
    45011: "rate-limited",
    40001: "misconfigured",
    40013: "misconfigured",
    40125: "misconfigured",
    40164: "misconfigured",  # our address is not on the app's white list
    48001: "misconfigured",  # the app may not use this interface
}
_RENEW_BEFORE_S = 60
_E164 = re.compile(r"\+[1-9]\d{6,14}")


class _Said(BaseModel):
    errcode: int = 0
    errmsg: str = ""


class _Session(_Said):
    openid: str = ""
    unionid: str | None = None


class _Token(_Said):
    access_token: str = ""
    expires_in: int = 0


class _Watermark(BaseModel):
    appid: str


class _PhoneInfo(BaseModel):
    number: str = Field(alias="purePhoneNumber")
    country: str | int = Field(alias="countryCode")  # a number in the documentation, a string in the wild
    watermark: _Watermark


class _Phone(_Said):
    phone_info: _PhoneInfo | None = None


_Answer = TypeVar("_Answer", bound=_Said)


class MiniProgramLogin(HttpGateway):
    """Redeems the codes of one mini-program; keeps its access token for everybody who asks."""

    def __init__(self, settings: MiniProgram) -> None:
        super().__init__(open_client(settings.base_url, timeout_s=settings.timeout_s, ca_bundle=settings.ca_bundle))
        self._appid = settings.appid
        self._secret = settings.secret
        self._token = ""
        self._token_until = 0.0  # of time.monotonic
        self._fetching: asyncio.Task[str] | None = None

    async def exchange(self, login_code: str) -> WeChatIdentity:
        assert_no_transaction()
        asked = {
            "appid": self._appid,
            "secret": self._secret.get_secret_value(),
            "js_code": login_code,
            "grant_type": "authorization_code",
        }
        session = await self._ask(_Session, self._client.build_request("GET", "/sns/jscode2session", params=asked))
        _accept(session)
        if not session.openid:
            raise ProviderUnavailable("wechat login: a session without an openid")
        return WeChatIdentity(self._appid, session.openid, session.unionid or None)

    async def phone_number(self, phone_code: str, openid: str | None = None) -> str:
        assert_no_transaction()
        asked = {"code": phone_code} | ({"openid": openid} if openid else {})
        info = (await self._with_token("/wxa/business/getuserphonenumber", asked)).phone_info
        if info is None:
            raise ProviderUnavailable("wechat login: an answer without a phone number")
        if info.watermark.appid != self._appid:
            raise ProviderRefused("invalid-code", "the number was given to another app")
        number = f"+{str(info.country).lstrip('+')}{info.number}"
        if not _E164.fullmatch(number):
            raise ProviderUnavailable("wechat login: a phone number that is none")
        return number

    async def _with_token(self, path: str, body: dict[str, str]) -> _Phone:
        """One call with the access token; a second one with a new token when WeChat refused the first.

        Safe to repeat: a call refused for its token has not looked at the code.
        """
        token = await self._access_token()
        for last in (False, True):
            request = self._client.build_request("POST", path, params={"access_token": token}, json=body)
            answer = await self._ask(_Phone, request)
            if answer.errcode not in _STALE_TOKEN:
                _accept(answer)
                return answer
            if not last:
                token = await self._access_token(refused=token)
        raise ProviderUnavailable(f"wechat login: a fresh access token was refused, {_words(answer)}")

    async def _access_token(self, refused: str = "") -> str:
        """The shared token. Whoever finds none, an old or the `refused` one fetches it; all others wait for that.

        stable_token hands every process of ours the same token, so none makes another's worthless.
        """
        if self._token and self._token != refused and time.monotonic() < self._token_until:
            return self._token
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_token())
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)  # who gives up waiting does not take it from the others

    async def _fetch_token(self) -> str:
        asked = {
            "grant_type": "client_credential",
            "appid": self._appid,
            "secret": self._secret.get_secret_value(),
            "force_refresh": False,
        }
        answer = await self._ask(_Token, self._client.build_request("POST", "/cgi-bin/stable_token", json=asked))
        _accept(answer)
        if not answer.access_token:
            raise ProviderUnavailable("wechat login: no access token in the answer")
        self._token = answer.access_token
        self._token_until = time.monotonic() + max(0, answer.expires_in - _RENEW_BEFORE_S)
        return self._token

    def _fetched(self, task: asyncio.Task[str]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # seen, even when nobody waits any more

    async def _ask(self, shape: type[_Answer], request: httpx.Request) -> _Answer:
        status, body = await ask("wechat login", self._client, request)
        try:
            return shape.model_validate_json(body)
        except ValidationError:
            raise ProviderUnavailable(f"wechat login: HTTP {status} with an answer that cannot be read") from None


def _accept(answer: _Said) -> None:
    if answer.errcode == 0:
        return
    if answer.errcode in _PASSING:
        raise ProviderUnavailable(f"wechat login: {_words(answer)}")
    raise ProviderRefused(_MEANING.get(answer.errcode, "refused"), f"wechat login: {_words(answer)}")


def _words(answer: _Said) -> str:
    return f"{answer.errcode} {answer.errmsg}"
