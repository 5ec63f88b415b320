"""The mini-program's server API (api.weixin.qq.com): login, access token, phone numbers, mini-program codes.

A phone gets its codes from `POST /_sandbox/mini-program/codes` (what wx.login returns) and
`POST /_sandbox/mini-program/phone-codes` (what the getPhoneNumber button returns); both live five minutes and
work once. Errors are HTTP 200 with `errcode`; jscode2session answers text/plain, as the real one does.
"""

from __future__ import annotations

import io
import json
import re
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import qrcode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from yiyuebao_api.sandbox import faults
from yiyuebao_api.sandbox.faults import Endpoint, Fault

APPID = "wx0000000000000001"
SECRET = "sandbox-mini-program-secret"
CODE_LIFE_S = 300
TOKEN_LIFE_S = 7200
RENEW_BEFORE_S = 300  # a token handed out has at least this long to live

MESSAGES = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code",
    40125: "invalid appsecret",
    40129: "invalid scene",
    40163: "code been used",
    40226: "code blocked",
    41030: "invalid page",
    42001: "access_token expired",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    47001: "data format error",
}


@dataclass(slots=True)
class Code:
    """What a code stands for, until when, and whether it was redeemed."""

    means: dict[str, str]
    until: float
    used: bool = False


@dataclass(slots=True)
class MiniProgram:
    """Everything this provider remembers."""

    faults: list[Fault] = field(default_factory=list)
    login_codes: dict[str, Code] = field(default_factory=dict)
    phone_codes: dict[str, Code] = field(default_factory=dict)
    token: str = ""
    token_until: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)


def start(app: Starlette, home: Path) -> None:
    """Begin with no codes and no token."""
    app.state.mini_program = MiniProgram()


def routes() -> list[BaseRoute]:
    return [
        Route("/sns/jscode2session", _provided(jscode2session), methods=["GET"]),
        Route("/cgi-bin/stable_token", _provided(stable_token), methods=["POST"]),
        Route("/wxa/business/getuserphonenumber", _provided(get_user_phone_number), methods=["POST"]),
        Route("/wxa/getwxacodeunlimit", _provided(get_wxacode_unlimit), methods=["POST"]),
        Route("/_sandbox/mini-program/codes", issue_login_code, methods=["POST"]),
        Route("/_sandbox/mini-program/phone-codes", issue_phone_code, methods=["POST"]),
        Route("/_sandbox/mini-program/access-token", spoil_token, methods=["POST"]),
        Route("/_sandbox/mini-program/calls", count_calls, methods=["GET"]),
        *faults.routes("mini-program"),
    ]


# ── the provider ──────────────────────────────────────────────────────────────────────────────────


async def jscode2session(request: Request) -> Response:
    given = request.query_params
    if given.get("appid") != APPID:
        return _text(_error(40013))
    if given.get("secret") != SECRET:
        return _text(_error(40125))
    if given.get("grant_type") != "authorization_code":
        return _text(_error(40002))
    redeemed = _redeem(_of(request).login_codes, given.get("js_code", ""))
    if isinstance(redeemed, int):
        return _text(_error(redeemed))
    session_key = secrets.token_urlsafe(16)[:22] + "=="
    return _text({"session_key": session_key, **redeemed})


async def stable_token(request: Request) -> Response:
    body = await _body(request)
    if body is None:
        return JSONResponse(_error(47001))
    if body.get("grant_type") != "client_credential":
        return JSONResponse(_error(40002))
    if body.get("appid") != APPID:
        return JSONResponse(_error(40013))
    if body.get("secret") != SECRET:
        return JSONResponse(_error(40125))
    here, now = _of(request), time.time()
    if body.get("force_refresh") is True or here.token_until - now < RENEW_BEFORE_S:
        here.token, here.token_until = "99_" + secrets.token_urlsafe(96), now + TOKEN_LIFE_S
    return JSONResponse({"access_token": here.token, "expires_in": int(here.token_until - now)})


async def get_user_phone_number(request: Request) -> Response:
    if refused := _unauthorised(request):
        return JSONResponse(_error(refused))
    body = await _body(request)
    if body is None:
        return JSONResponse(_error(47001))
    codes, code = _of(request).phone_codes, str(body.get("code", ""))
    bound = codes[code].means["openid"] if code in codes else ""
    if body.get("openid") and bound and body["openid"] != bound:
        return JSONResponse(_error(40003))
    redeemed = _redeem(codes, code)
    if isinstance(redeemed, int):
        return JSONResponse(_error(redeemed))
    country, number = redeemed["country"], redeemed["number"]
    info = {
        "phoneNumber": number if country == "86" else f"+{country}{number}",
        "purePhoneNumber": number,
        "countryCode": country,
        "watermark": {"timestamp": int(time.time()), "appid": APPID},
    }
    return JSONResponse({"errcode": 0, "errmsg": "ok", "phone_info": info})


async def get_wxacode_unlimit(request: Request) -> Response:
    if refused := _unauthorised(request):
        return JSONResponse(_error(refused))
    body = await _body(request)
    if body is None:
        return JSONResponse(_error(47001))
    scene, page = str(body.get("scene", "")), str(body.get("page", "pages/index/index"))
    if not re.fullmatch(r"[0-9a-zA-Z!#$&'()*+,/:;=?@\-._~]{1,32}", scene):
        return JSONResponse(_error(40129))
    if page.startswith("/") or "?" in page:
        return JSONResponse(_error(41030))
    # Nothing outside WeChat reads the real round code: a QR code with the same two facts stands for it.
    image = qrcode.make(json.dumps({"page": page, "scene": scene}))
    file = io.BytesIO()
    image.get_image().convert("L").save(file, "JPEG")
    return Response(file.getvalue(), media_type="image/jpeg")


# ── the phone, and the hand behind the curtain ────────────────────────────────────────────────────


async def issue_login_code(request: Request) -> Response:
    """What wx.login gives: `{"openid"?, "unionid"?, "expires_in"?}` → `{"code", "openid"}`."""
    body = await _body(request) or {}
    means = {"openid": str(body.get("openid") or "o" + secrets.token_urlsafe(24)[:27])}
    if body.get("unionid"):
        means["unionid"] = str(body["unionid"])
    code = _issue(_of(request).login_codes, means, body)
    return JSONResponse({"code": code, "openid": means["openid"], "expires_in": CODE_LIFE_S}, 201)


async def issue_phone_code(request: Request) -> Response:
    """What the getPhoneNumber button gives: `{"phone": "13800138000" or "+852…", "openid"?}` → `{"code"}`."""
    body = await _body(request) or {}
    phone = str(body.get("phone", ""))
    if re.fullmatch(r"1[3-9]\d{9}", phone):
        country, number = "86", phone
    elif found := re.fullmatch(r"\+(86|85[23]|886|1)(\d{6,11})", phone):
        country, number = found[1], found[2]
    else:
        return JSONResponse({"error": "phone: 11 digits, or + country code and number"}, 422)
    means = {"country": country, "number": number, "openid": str(body.get("openid") or "")}
    code = _issue(_of(request).phone_codes, means, body)
    return JSONResponse({"code": code, "expires_in": CODE_LIFE_S}, 201)


async def spoil_token(request: Request) -> Response:
    """Spoil the token in use: `{"state": "revoked"}` (then 40001) or `{"state": "expired"}` (then 42001)."""
    body, here = await _body(request) or {}, _of(request)
    match body.get("state"):
        case "revoked":
            here.token, here.token_until = "", 0.0
        case "expired":
            here.token_until = time.time() - 1
        case _:
            return JSONResponse({"error": "state: revoked or expired"}, 422)
    return Response(status_code=204)


async def count_calls(request: Request) -> Response:
    """How often each path of the provider was called."""
    return JSONResponse(dict(_of(request).calls))


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────


def _provided(serve: Endpoint) -> Endpoint:
    async def counted(request: Request) -> Response:
        _of(request).calls[request.url.path] += 1
        return await serve(request)

    return faults.breakable("mini-program", counted, lambda code: _text(_error(int(code))))


def _of(request: Request) -> MiniProgram:
    here: MiniProgram = request.app.state.mini_program
    return here


def _error(code: int) -> dict[str, Any]:
    rid = "-".join(secrets.token_hex(4) for _ in range(3))
    return {"errcode": code, "errmsg": f"{MESSAGES.get(code, 'error')}, rid: {rid}"}


def _text(answer: dict[str, Any]) -> Response:
    return PlainTextResponse(json.dumps(answer, ensure_ascii=False))


async def _body(request: Request) -> dict[str, Any] | None:
    try:
        body = await request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _unauthorised(request: Request) -> int:
    here, given = _of(request), request.query_params.get("access_token", "")
    if not given.startswith("99_"):
        return 40014
    if given != here.token:
        return 40001
    return 42001 if time.time() > here.token_until else 0


def _issue(codes: dict[str, Code], means: dict[str, str], body: dict[str, Any]) -> str:
    now = time.time()
    for stale in [code for code, held in codes.items() if held.until < now]:
        del codes[stale]
    code = "0" + secrets.token_urlsafe(24)[:31]
    codes[code] = Code(means, now + min(float(body.get("expires_in", CODE_LIFE_S)), CODE_LIFE_S))
    return code


def _redeem(codes: dict[str, Code], code: str) -> dict[str, str] | int:
    held = codes.get(code)
    if held is None or held.until < time.time():
        return 40029
    if held.used:
        return 40163
    held.used = True
    return held.means
