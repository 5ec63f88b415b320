"""Aliyun Dysms (SendSms, 2017-05-25), its ACS3-HMAC-SHA256 signature really verified, and an inbox to read.

`GET /_sandbox/sms?phone=13800138000` is the phone: the messages, newest first, the code taken out of each.
The limits of the real service (one a minute, five an hour, ten a day per number and signature) are off until
`POST /_sandbox/sms/limits {"enforced": true}`: a demo that moves the business clock would hit them at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
import uuid
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from yiyuebao_api.sandbox import faults
from yiyuebao_api.sandbox.faults import Fault

ACCESS_KEY_ID = "sandbox-access-key"
ACCESS_KEY_SECRET = "sandbox-access-secret"
SIGN_NAME = "医约宝"
#: Approved templates. Others that begin with SMS_ are taken as approved too, with any parameters.
TEMPLATES = {"SMS_LOGIN": "您的登录验证码为 ${code}，5 分钟内有效，请勿告诉他人。"}

INBOX_SIZE = 1000
CLOCK_SKEW_S = 900
#: Seconds, how many, and what the refusal says.
LIMITS = (
    (60, 1, "触发分钟级流控Permits:1"),
    (3600, 5, "触发小时级流控Permits:5"),
    (86400, 10, "触发天级流控Permits:10"),
)
#: What the signature must cover.
SIGNED = {
    "host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Message:
    """One short message as it reached the phone."""

    phone: str
    text: str
    code: str | None
    template: str
    params: dict[str, str]
    biz_id: str
    at: str
    stamp: float


@dataclass(slots=True)
class Sms:
    """Everything this provider remembers."""

    faults: list[Fault] = field(default_factory=list)
    inbox: deque[Message] = field(default_factory=lambda: deque(maxlen=INBOX_SIZE))
    nonces: dict[str, float] = field(default_factory=dict)
    enforced: bool = False


def start(app: Starlette, home: Path) -> None:
    """Begin with an empty inbox and no limits."""
    app.state.sms = Sms()


def routes() -> list[BaseRoute]:
    return [
        Route("/", faults.breakable("sms", serve, _refused), methods=["GET", "POST"]),
        Route("/_sandbox/sms", read_inbox, methods=["GET"]),
        Route("/_sandbox/sms", empty_inbox, methods=["DELETE"]),
        Route("/_sandbox/sms/limits", set_limits, methods=["POST"]),
        *faults.routes("sms"),
    ]


# ── the provider ──────────────────────────────────────────────────────────────────────────────────


async def serve(request: Request) -> Response:
    if request.method == "GET" and "x-acs-action" not in request.headers and not request.url.query:
        return RedirectResponse("/_sandbox/")  # a person in a browser: the service itself would be called with an action
    body = await request.body()
    if refused := _wrongly_signed(request, body):
        return _rejected(refused)
    if request.headers["x-acs-action"] != "SendSms" or request.headers["x-acs-version"] != "2017-05-25":
        return _rejected("InvalidAction.NotFound")
    query, form = request.scope["query_string"].decode(), body.decode(errors="replace")
    return _send(_of(request), dict(parse_qsl(query)) | dict(parse_qsl(form)))


def _send(here: Sms, given: dict[str, str]) -> Response:
    phone, template = given.get("PhoneNumbers", ""), given.get("TemplateCode", "")
    if not re.fullmatch(r"1[3-9]\d{9}", phone):
        return _refused("isv.MOBILE_NUMBER_ILLEGAL", f"{phone}invalid mobile number")
    if given.get("SignName") != SIGN_NAME:
        return _refused("isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名")
    if not template.startswith("SMS_"):
        return _refused("isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板")
    try:
        params = {name: str(value) for name, value in json.loads(given.get("TemplateParam") or "{}").items()}
    except (ValueError, AttributeError):
        return _refused("isv.INVALID_JSON_PARAM", "JSON参数不合法，只接受字符串值")
    pattern = TEMPLATES.get(template, " ".join(f"${{{name}}}" for name in params))
    if missing := [name for name in re.findall(r"\$\{(\w+)\}", pattern) if not params.get(name)]:
        return _refused("isv.TEMPLATE_MISSING_PARAMETERS", f"模板变量缺少对应参数值: {missing[0]}")
    if here.enforced and (reason := _over_limit(here, phone)):
        return _refused("isv.BUSINESS_LIMIT_CONTROL", reason)
    text = re.sub(r"\$\{(\w+)\}", lambda found: params[found[1]], pattern)
    code = re.search(r"(?<!\d)\d{4,8}(?!\d)", params.get("code", text))
    biz_id, now = f"{secrets.randbelow(10**18):018d}^0", datetime.now(UTC)
    here.inbox.append(
        Message(
            phone=phone, text=f"【{SIGN_NAME}】{text}", code=code[0] if code else None, template=template,
            params=params, biz_id=biz_id, at=now.isoformat(timespec="milliseconds"), stamp=now.timestamp(),
        )
    )  # fmt: skip
    return JSONResponse({"Message": "OK", "RequestId": _request_id(), "Code": "OK", "BizId": biz_id})


def _over_limit(here: Sms, phone: str) -> str:
    now = time.time()
    for window, most, reason in LIMITS:
        if sum(1 for held in here.inbox if held.phone == phone and held.stamp > now - window) >= most:
            return reason
    return ""


def _wrongly_signed(request: Request, body: bytes) -> str:
    """Aliyun's "V3 request body and signature"; the error code, or nothing when the signature holds."""
    held = re.fullmatch(
        r"ACS3-HMAC-SHA256 Credential=([^,]+),\s*SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})",
        request.headers.get("authorization", ""),
    )
    if held is None:
        return "IncompleteSignature"
    key_id, signed, signature = held.groups()
    if key_id != ACCESS_KEY_ID:
        return "InvalidAccessKeyId.NotFound"
    names = signed.split(";")
    sent_all = all(name in request.headers for name in names)
    if names != sorted(names) or not set(names) >= SIGNED or not sent_all:
        return "SignatureDoesNotMatch"
    try:
        sent = datetime.strptime(request.headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return "InvalidTimeStamp.Format"
    if abs(time.time() - sent.timestamp()) > CLOCK_SKEW_S:
        return "InvalidTimeStamp.Expired"
    digest = hashlib.sha256(body).hexdigest()
    if digest != request.headers["x-acs-content-sha256"]:
        return "SignatureDoesNotMatch"
    query = parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True)
    canonical = "\n".join(
        [
            request.method,
            request.url.path or "/",
            "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(query)),
            "".join(f"{name}:{request.headers[name].strip()}\n" for name in names),
            signed,
            digest,
        ]
    )
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    expected = hmac.new(ACCESS_KEY_SECRET.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        return "SignatureDoesNotMatch"
    return _seen_before(_of(request), request.headers["x-acs-signature-nonce"])


def _seen_before(here: Sms, nonce: str) -> str:
    now = time.time()
    for old in [name for name, until in here.nonces.items() if until < now]:
        del here.nonces[old]
    if nonce in here.nonces:
        return "SignatureNonceUsed"
    here.nonces[nonce] = now + CLOCK_SKEW_S
    return ""


# ── the phone, and the hand behind the curtain ────────────────────────────────────────────────────


async def read_inbox(request: Request) -> Response:
    """What was received, newest first; `?phone=` keeps one number (+86 or not), `?limit=` the first few."""
    phone = request.query_params.get("phone", "").strip().removeprefix("+").removeprefix("86")
    limit = request.query_params.get("limit", str(INBOX_SIZE))
    found = [asdict(held) for held in reversed(_of(request).inbox) if phone in ("", held.phone)]
    return JSONResponse(found[: int(limit) if limit.isdecimal() else INBOX_SIZE])


async def empty_inbox(request: Request) -> Response:
    _of(request).inbox.clear()
    return Response(status_code=204)


async def set_limits(request: Request) -> Response:
    """`{"enforced": true}` from now on refuses what the real service would refuse."""
    try:
        enforced = (await request.json())["enforced"]
    except (ValueError, KeyError, TypeError):
        enforced = None
    if not isinstance(enforced, bool):
        return JSONResponse({"error": "enforced: true or false"}, 422)
    _of(request).enforced = enforced
    return JSONResponse({"enforced": enforced})


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────


def _of(request: Request) -> Sms:
    here: Sms = request.app.state.sms
    return here


def _request_id() -> str:
    return str(uuid.uuid4()).upper()


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _refused(code: str, message: str = "") -> Response:
    """A business refusal: HTTP 200 with a code that is not OK. Codes of the API gateway are HTTP 400."""
    if not code.startswith(("isv.", "isp.")):
        return _rejected(code)
    return JSONResponse({"Message": message or code, "RequestId": _request_id(), "Code": code})


def _rejected(code: str) -> Response:
    """A refusal of the API gateway, before the short message service saw anything."""
    status = 503 if code == "ServiceUnavailable" else 404 if code.endswith("NotFound") else 400
    answer = {
        "RequestId": _request_id(), "HostId": "dysmsapi.aliyuncs.com", "Code": code,
        "Message": f"The request was refused: {code}.",
        "Recommend": f"https://api.aliyun.com/troubleshoot?q={code}&product=Dysmsapi",
    }  # fmt: skip
    return JSONResponse(answer, status)
