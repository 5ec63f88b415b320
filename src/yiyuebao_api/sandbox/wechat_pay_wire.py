"""WeChat Pay's wire: the merchant's signature checked, answers signed, errors in its own JSON, faults on demand."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from starlette.requests import Request
from starlette.responses import Response

from yiyuebao_api.sandbox.keys import Keys
from yiyuebao_api.sandbox.wechat_pay_book import Book, Json

WINDOW_S = 300
_SCHEME = "WECHATPAY2-SHA256-RSA2048"
_PARTS = re.compile(r'(\w+)="([^"]*)"')


class WeChatError(Exception):
    """An answer of WeChat's with its HTTP status, `code`, `message` and, for a wrong field, `detail`."""

    def __init__(self, status: int, code: str, message: str, detail: Json | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.detail = status, code, message, detail

    @property
    def body(self) -> Json:
        return {"code": self.code, "message": self.message} | ({"detail": self.detail} if self.detail else {})


@dataclass(slots=True)
class CallFault:
    """What becomes of the next `times` calls of `operation` ("*" for any).

    `after` lets the call take effect first, so that the merchant does not know. `reply`: signed as always, unsigned, or
    forged (a success the merchant must not believe).
    """

    operation: str
    status: int | None = None
    code: str = "SYSTEM_ERROR"
    message: str = "系统错误"
    hang_s: float = 0.0
    after: bool = False
    reply: str = "signed"
    times: int = 1


@dataclass(slots=True)
class NotificationFault:
    """What becomes of the next `times` notifications (`event`: TRANSACTION, REFUND or None for either).

    `forge` sends a forged copy first; `drop` keeps the true one back for good; `reorder` holds so many and lets them go
    last first; `lose` swallows the first attempts; `duplicate` sends so many copies more, all at once.
    """

    event: str | None = None
    delay_s: float = 0.0
    drop: bool = False
    lose: int = 0
    duplicate: int = 0
    reorder: int = 0
    forge: str | None = None
    times: int = 1


@dataclass(slots=True)
class Behaviour:
    """What the control routes may change while the sandbox runs. The scale multiplies WeChat's retry schedule."""

    notify_scale: float = 1.0
    refund_outcome: str = "SUCCESS"  # SUCCESS, ABNORMAL, CLOSED, or PROCESSING: until somebody decides
    refund_delay_s: float = 0.5
    split_delay_s: float = 0.0
    split_wait_s: float = 0.0  # the real WeChat refuses a share in the first minute after the payment
    call_faults: list[CallFault] = field(default_factory=list)
    notification_faults: list[NotificationFault] = field(default_factory=list)


@dataclass(slots=True)
class World:
    """WeChat Pay as one object: `request.app.state.wechat_pay`."""

    keys: Keys
    book: Book
    behaviour: Behaviour
    client: httpx.AsyncClient
    nonces: dict[str, float] = field(default_factory=dict)
    calls: list[Json] = field(default_factory=list)
    held: list[str] = field(default_factory=list)  # notifications waiting to be sent in another order
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def world_of(request: Request) -> World:
    return cast("World", request.app.state.wechat_pay)


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call."""

    world: World
    request: Request
    body: Fields

    @property
    def book(self) -> Book:
        return self.world.book

    def path(self, name: str) -> str:
        return cast("str", self.request.path_params[name])

    def query(self, name: str) -> str | None:
        return self.request.query_params.get(name)


Handler = Callable[[Call], Awaitable[Json | None]]
Endpoint = Callable[[Request], Awaitable[Response]]


def operation(name: str, handler: Handler) -> Endpoint:
    """A handler as an endpoint: fault, signature, effect, save, signed answer; None is 204."""

    async def endpoint(request: Request) -> Response:
        world = world_of(request)
        raw = await request.body()
        fault = _take(world.behaviour, name)
        world.calls = [*world.calls[-499:], {"operation": name, "at": time.time(), "path": request.url.path}]
        try:
            if fault and not fault.after:
                await _befall(fault)
            verify_request(world, request, raw)
            answer = await handler(Call(world, request, Fields(_parsed(raw))))
            if request.method != "GET":
                await world.book.saved()
            if fault and fault.after:
                await _befall(fault)
            status, text = (204, "") if answer is None else (200, dumps(answer))
        except WeChatError as error:
            status, text = error.status, dumps(error.body)
        headers = {"Request-ID": secrets.token_hex(16).upper()}
        if fault is None or fault.reply == "signed":
            headers |= signed(world.keys.wechat, world.keys.public_key_id, text)
        elif fault.reply == "forged":
            headers |= signed(world.keys.merchant, world.keys.public_key_id, text)  # a real key, yet not WeChat's
        media = None if status == 204 else "application/json"
        return Response(text or None, status, headers, media)

    return endpoint


def _take(behaviour: Behaviour, name: str) -> CallFault | None:
    for fault in behaviour.call_faults:
        if fault.operation in (name, "*"):
            fault.times -= 1
            if fault.times <= 0:
                behaviour.call_faults.remove(fault)
            return fault
    return None


async def _befall(fault: CallFault) -> None:
    if fault.hang_s:
        await asyncio.sleep(fault.hang_s)
    if fault.status is not None:
        raise WeChatError(fault.status, fault.code, fault.message)


def verify_request(world: World, request: Request, raw: bytes) -> None:
    """The rules of WeChat's Authorization header: own merchant, own certificate, five minutes, each nonce once."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    parts = dict(_PARTS.findall(rest))
    if scheme != _SCHEME or not {"mchid", "serial_no", "timestamp", "nonce_str", "signature"} <= parts.keys():
        raise WeChatError(401, "SIGN_ERROR", "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
    if parts["mchid"] != world.keys.mchid or parts["serial_no"].upper() != world.keys.cert_serial:
        raise WeChatError(401, "SIGN_ERROR", "商户证书序列号有误，请使用签名私钥匹配的证书序列号")
    if not parts["timestamp"].isascii() or not parts["timestamp"].isdigit():
        raise WeChatError(401, "SIGN_ERROR", "Http头Authorization中的timestamp不合法")
    now = time.time()
    if abs(now - int(parts["timestamp"])) > WINDOW_S:
        raise WeChatError(401, "SIGN_ERROR", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
    path = cast("bytes", request.scope.get("raw_path") or request.url.path.encode()).decode("latin-1")
    if query := cast("bytes", request.scope["query_string"]).decode("latin-1"):
        path = f"{path}?{query}"
    try:
        body = raw.decode()
        message = f"{request.method}\n{path}\n{parts['timestamp']}\n{parts['nonce_str']}\n{body}\n"
        verify(world.keys.merchant, message, parts["signature"])
    except (InvalidSignature, NotBase64, ValueError) as error:
        detail = {"field": "signature", "issue": "sign not match", "location": "authorization"}
        raise WeChatError(401, "SIGN_ERROR", "签名错误，请检查后再试", detail) from error
    if request.headers.get("wechatpay-serial", world.keys.public_key_id) != world.keys.public_key_id:
        raise WeChatError(400, "PARAM_ERROR", "Wechatpay-Serial 不是本商户可用的微信支付公钥ID")
    if len(world.nonces) > 20_000:
        world.nonces = {nonce: at for nonce, at in world.nonces.items() if now - at < 2 * WINDOW_S}
    if parts["nonce_str"] in world.nonces:
        raise WeChatError(401, "SIGN_ERROR", "nonce_str 重复，请求疑似重放")
    world.nonces[parts["nonce_str"]] = now


def verify(key: RSAPrivateKey, message: str, signature: str) -> None:
    """Raises InvalidSignature or ValueError (not base64)."""
    key.public_key().verify(b64decode(signature, validate=True), message.encode(), PKCS1v15(), SHA256())


def sign(key: RSAPrivateKey, message: str) -> str:
    return b64encode(key.sign(message.encode(), PKCS1v15(), SHA256())).decode()


def signed(key: RSAPrivateKey, serial: str, text: str, *, at: float | None = None) -> dict[str, str]:
    """The `Wechatpay-*` headers of an answer or a notification with this body."""
    timestamp, nonce = str(int(time.time() if at is None else at)), secrets.token_hex(16)
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": sign(key, f"{timestamp}\n{nonce}\n{text}\n"),
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature-Type": _SCHEME,
    }


def sealed(apiv3_key: str, plain: str, associated: str) -> Json:
    """AES-256-GCM as in a notification's `resource`."""
    nonce = secrets.token_hex(6)
    secret = AESGCM(apiv3_key.encode()).encrypt(nonce.encode(), plain.encode(), associated.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": b64encode(secret).decode(),
        "associated_data": associated,
        "nonce": nonce,
    }


def unsealed_field(world: World, text: str) -> str:
    """A sensitive field, encrypted by the merchant with WeChat's public key (RSA-OAEP, SHA-1)."""
    try:
        scheme = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)
        return world.keys.wechat.decrypt(b64decode(text, validate=True), scheme).decode()
    except (ValueError, NotBase64) as error:
        raise WeChatError(400, "PARAM_ERROR", "敏感字段解密失败，请使用微信支付公钥加密") from error


def dumps(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parsed(raw: bytes) -> Json:
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise WeChatError(400, "PARAM_ERROR", "请求体不是合法的JSON") from error
    if not isinstance(body, dict):
        raise WeChatError(400, "PARAM_ERROR", "请求体必须是JSON对象")
    return cast("Json", body)


class Fields:
    """A request body read field by field, each with WeChat's own complaint. Paths are dotted."""

    def __init__(self, body: Json) -> None:
        self.body = body

    def of(self, part: Json) -> Fields:
        """The same reading of a part of the body."""
        return Fields(part)

    def raw(self, path: str) -> Any:
        value: Any = self.body
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def text(self, path: str, *, most: int, least: int = 1, form: re.Pattern[str] | None = None) -> str:
        value = self.raw(path)
        if value is None or value == "":
            raise self.wrong(path, "必填项缺失")
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise self.wrong(path, f"长度必须在{least}到{most}之间的字符串")
        if form and not form.fullmatch(value):
            raise self.wrong(path, "含有不允许的字符")
        return value

    def maybe(self, path: str, *, most: int) -> str | None:
        return None if self.raw(path) in (None, "") else self.text(path, most=most)

    def whole(self, path: str, *, least: int = 1) -> int:
        value = self.raw(path)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.wrong(path, f"必须是不小于{least}的整数，单位为分")
        return value

    def flag(self, path: str) -> bool:
        value = self.raw(path)
        if value not in (None, True, False):
            raise self.wrong(path, "必须是布尔值")
        return bool(value)

    def wrong(self, path: str, issue: str) -> WeChatError:
        field, value = "/body/" + path.replace(".", "/"), self.raw(path)
        detail = {"field": field, "issue": issue, "location": "body", "value": value}
        return WeChatError(400, "PARAM_ERROR", f"参数错误：{path} {issue}", detail)
