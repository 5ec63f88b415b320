"""WeChat Pay v3 through wechatpayv3, in public-key mode, for the one merchant or for a service provider's hospitals.

The SDK signs, verifies and decrypts. Around it stands what it lacks (measured on 2.0.4): the gateway's address, a
deadline for the whole call, no certificate download ever (an unknown serial in a message from outside would cause one),
the five-minute window and the key's id for notifications, and errors that say whether asking again may help.
Sources: pay.weixin.qq.com/doc/v3 (merchant and partner), the wechatpay-apiv3 SDKs for what the documents leave open.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from wechatpayv3.async_ import AsyncWeChatPay, WeChatPayType

from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.payment import (
    AlreadyClosed,
    AlreadyPaid,
    Channel,
    Merchant,
    Notification,
    NotificationKind,
    OrderUnknown,
    Prepay,
    RefundOrder,
    RefundReport,
    RefundState,
    Transaction,
    TransactionState,
)
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import assert_no_transaction
from yiyuebao_api.settings import PaymentMode, WeChatPay

#: Where WeChat posts notifications of payments and refunds alike, below `notify_base_url`.
NOTIFY_PATH: Final = "/v1/payments/notifications/wechat"
WINDOW_S: Final = 300

_ORDER_NUMBER = re.compile(r"[0-9A-Za-z]{6,32}")
_REFUND_NUMBER = re.compile(r"[0-9A-Za-z]{6,64}")
_MCHID = re.compile(r"[0-9]{8,12}")
_SIGNATURE_HEADERS: Final = tuple(
    f"wechatpay-{name}" for name in ("timestamp", "nonce", "signature", "serial", "signature-type")
)
_PASSING: Final = frozenset({
    "SYSTEM_ERROR", "SYSTEMERROR", "FREQUENCY_LIMITED", "FREQUENCY_LIMIT_EXCEED", "RATELIMIT_EXCEEDED", "BANK_ERROR",
    "BANKERROR", "USERPAYING", "TRADE_ERROR_RETRY",
})  # fmt: skip
#: What the SDK says, in a bare Exception, of an answer whose signature is wrong or missing.
_NOT_BELIEVED: Final = ("failed to verify the signature", "wechatpayv3 does not support this algorithm")
_UNKNOWN_ORDER: Final = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS", "RESOURCE_NOT_EXIST"})
_STATES: Final = {
    "NOTPAY": TransactionState.NOT_PAID,
    "USERPAYING": TransactionState.PAYING,
    "SUCCESS": TransactionState.SUCCEEDED,
    "REFUND": TransactionState.REFUNDED,
    "CLOSED": TransactionState.CLOSED,
    "REVOKED": TransactionState.REVOKED,
    "PAYERROR": TransactionState.FAILED,
}
_REFUND_STATES: Final = {
    "PROCESSING": RefundState.PROCESSING,
    "SUCCESS": RefundState.SUCCEEDED,
    "ABNORMAL": RefundState.ABNORMAL,
    "CLOSED": RefundState.CLOSED,
}


class WeChatPayGateway:
    """The real `PaymentGateway`. `async with` opens its connection pool; `transport` replaces the network layer."""

    def __init__(self, settings: WeChatPay, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport
        self._partner = settings.mode is PaymentMode.PARTNER
        self._notify_url = settings.notify_base_url.rstrip("/") + NOTIFY_PATH
        self._client: httpx.AsyncClient | None = None
        self._sdk = AsyncWeChatPay(
            wechatpay_type=WeChatPayType.MINIPROG,
            mchid=settings.mchid,
            private_key=_private_key(settings),
            cert_serial_no=settings.cert_serial,
            appid=settings.mini_appid,
            apiv3_key=settings.apiv3_key.get_secret_value(),
            notify_url=self._notify_url,
            partner_mode=self._partner,
            public_key=_public_key(settings),
            public_key_id=settings.public_key_id,
        )  # no logger, ever: the SDK would write Authorization and decrypted payers into it
        core = self._sdk._core  # noqa: SLF001 - pinned below 2.1; the SDK has no argument for any of the three
        for name in ("_gate_way", "_client", "_update_certificates"):
            if not hasattr(core, name):
                raise RuntimeError(f"wechatpayv3 lost {name}: this gateway was written for 2.0.x")
        core._gate_way = settings.base_url.rstrip("/")  # noqa: SLF001
        core._update_certificates = _fetch_no_certificates  # noqa: SLF001

    async def __aenter__(self) -> Self:
        settings = self._settings
        authorities = ssl.create_default_context(cafile=str(settings.ca_bundle)) if settings.ca_bundle else True
        self._client = self._sdk._core._client = httpx.AsyncClient(  # noqa: SLF001
            timeout=httpx.Timeout(settings.timeout_s, connect=min(settings.timeout_s, 3.0)),
            verify=authorities,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30),
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    # ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def prepay(self, order: Prepay) -> str:
        assert_no_transaction()
        mini = order.channel is Channel.MINI
        fields: dict[str, Any] = {
            "out_trade_no": _number(order.out_trade_no, _ORDER_NUMBER),
            "description": _described(order.description),
            "amount": {"total": _positive(order.amount_fen), "currency": "CNY"},
            "time_expire": _outside(order.expires_at),
            "pay_type": WeChatPayType.MINIPROG if mini else WeChatPayType.APP,
            "appid": self._settings.mini_appid if mini else self._settings.app_appid,
            "attach": order.attach,
            **self._receiver(order.merchant),
        }
        if mini:
            fields["payer"] = self._payer(order)
        if order.merchant.sub_appid:
            fields["sub_appid"] = order.merchant.sub_appid
        if order.profit_sharing:
            fields["settle_info"] = {"profit_sharing": True}
        return _read(_PrepayAnswer, await self._ask(self._sdk.pay(**fields))).prepay_id

    def phone_parameters(self, prepay_id: str, channel: Channel, merchant: Merchant | None = None) -> dict[str, str]:
        own = self._settings.mini_appid if channel is Channel.MINI else self._settings.app_appid
        appid = (merchant.sub_appid if merchant else None) or own
        stamp, nonce = str(int(clock.system_now().timestamp())), secrets.token_hex(16)
        if channel is Channel.MINI:
            package = f"prepay_id={prepay_id}"
            return {
                "appId": appid,
                "timeStamp": stamp,
                "nonceStr": nonce,
                "package": package,
                "signType": "RSA",
                "paySign": self._sdk.sign([appid, stamp, nonce, package]),
            }
        return {  # every name in lower case: uni-app and the Android SDK differ from the mini-program here
            "appid": appid,
            "partnerid": self._settings.mchid,  # the provider's in partner mode too, as WeChat's own Java SDK does it
            "prepayid": prepay_id,
            "package": "Sign=WXPay",
            "noncestr": nonce,
            "timestamp": stamp,
            "sign": self._sdk.sign([appid, stamp, nonce, prepay_id]),
        }

    async def query(self, out_trade_no: str, merchant: Merchant) -> Transaction:
        assert_no_transaction()
        number = _number(out_trade_no, _ORDER_NUMBER)
        try:
            answer = await self._ask(self._sdk.query(out_trade_no=number, **self._receiver(merchant)))
        except OrderUnknown:
            return Transaction(number, TransactionState.UNKNOWN)
        transaction = _read(_Transaction, answer).ours()
        if transaction.out_trade_no != number:
            raise ProviderUnavailable("wechat pay: answered for another order")
        return transaction

    async def close(self, out_trade_no: str, merchant: Merchant) -> None:
        assert_no_transaction()
        try:
            await self._ask(self._sdk.close(_number(out_trade_no, _ORDER_NUMBER), **self._receiver(merchant)))
        except AlreadyClosed:
            return

    # ── refunds ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def refund(self, order: RefundOrder) -> RefundReport:
        assert_no_transaction()
        call = self._sdk.refund(
            out_refund_no=_number(order.out_refund_no, _REFUND_NUMBER),
            out_trade_no=_number(order.out_trade_no, _ORDER_NUMBER),
            amount={
                "refund": _positive(order.amount_fen), "total": _positive(order.total_fen), "currency": "CNY",
            },
            reason=order.reason[:80],
            **self._receiver(order.merchant),
        )  # fmt: skip
        return _same_refund(order.out_refund_no, _read(_Refund, await self._ask(call)).ours())

    async def query_refund(self, out_refund_no: str, merchant: Merchant) -> RefundReport | None:
        assert_no_transaction()
        number = _number(out_refund_no, _REFUND_NUMBER)
        try:
            answer = await self._ask(self._sdk.query_refund(number, **self._receiver(merchant)))
        except OrderUnknown:
            return None
        return _same_refund(number, _read(_Refund, answer).ours())

    # ── notifications ────────────────────────────────────────────────────────────────────────────────────────────────

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification | None:
        given = {name.lower(): value for name, value in headers.items()}
        signature = {name: given[name] for name in _SIGNATURE_HEADERS if given.get(name)}
        if len(signature) != len(_SIGNATURE_HEADERS) or signature["wechatpay-serial"] != self._settings.public_key_id:
            return None
        stamp = signature["wechatpay-timestamp"]
        if not re.fullmatch(r"[0-9]{1,12}", stamp):
            return None
        if abs(clock.system_now().timestamp() - int(stamp)) > WINDOW_S:
            return None
        try:
            opened = self._sdk.callback(signature, body)
            return _Envelope.model_validate(opened).ours() if opened else None
        except Exception:  # the SDK raises whatever an odd body makes it stumble over; here all of it means: not WeChat
            return None

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _receiver(self, merchant: Merchant) -> dict[str, str]:
        if not self._partner:
            if merchant.sub_mchid or merchant.sub_appid:
                raise ValueError("a sub-merchant has no place in direct mode")
            return {}
        return {"sub_mchid": _number(merchant.sub_mchid or "", _MCHID)}  # the SDK would send the text "None"

    def _payer(self, order: Prepay) -> dict[str, str]:
        if not order.payer_openid:
            raise ValueError("a mini-program payment needs its payer's openid")
        if not self._partner:
            return {"openid": order.payer_openid}
        return {"sub_openid" if order.merchant.sub_appid else "sp_openid": order.payer_openid}

    async def _ask(self, call: Awaitable[tuple[int, str | bytes]]) -> str | bytes:
        """The body of a believable 2xx answer; everything else is one of our errors."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                status, body = await call
        except (TimeoutError, httpx.TimeoutException):
            raise ProviderUnavailable("wechat pay: no answer in time") from None
        except httpx.HTTPError as error:
            raise ProviderUnavailable(f"wechat pay: {type(error).__name__}") from None
        except Exception as error:
            if not str(error).startswith(_NOT_BELIEVED):  # a mistake of ours or of the SDK's must be seen
                raise
            raise ProviderUnavailable("wechat pay: an answer WeChat did not sign") from None
        if 200 <= status < 300:
            return body
        raise _refusal(status, body)


async def _fetch_no_certificates() -> None:
    """In public-key mode there is nothing to fetch: a message under another serial is simply not WeChat's."""


def _private_key(settings: WeChatPay) -> str:
    if settings.private_key is not None:
        return settings.private_key.get_secret_value()
    if settings.private_key_file is not None:
        return settings.private_key_file.read_text()
    raise ValueError("wechat_pay.private_key or wechat_pay.private_key_file must be set")


def _public_key(settings: WeChatPay) -> str:
    if settings.public_key is not None:
        return settings.public_key
    if settings.public_key_file is not None:
        return settings.public_key_file.read_text()
    raise ValueError("wechat_pay.public_key or wechat_pay.public_key_file must be set")


def _number(number: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(number):
        raise ValueError(f"not a number WeChat Pay takes from us: {number!r}")
    return number


def _described(text: str) -> str:
    """WeChat shows at most 127 characters and refuses none at all."""
    if not text:
        raise ValueError("an order needs a description")
    return text[:127]


def _positive(fen: int) -> int:
    if fen < 1:
        raise ValueError("WeChat Pay moves at least one fen")
    return int(fen)


def _outside(moment: datetime) -> str:
    """A moment of the business clock on the outside world's, RFC 3339 with +08:00 in whole seconds."""
    offset = timedelta(seconds=round(clock.offset().total_seconds()))
    return (moment - offset).astimezone(clock.SHANGHAI).replace(microsecond=0).isoformat()


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Complaint(BaseModel):
    code: str
    message: str = ""


def _refusal(status: int, body: str | bytes) -> ProviderRefused | ProviderUnavailable:
    """Only a 4xx with WeChat's own error body is WeChat's word; anything else was said by something in between."""
    try:
        said = _Complaint.model_validate_json(body)
    except ValidationError:
        return ProviderUnavailable(f"wechat pay: HTTP {status}")
    if not 400 <= status < 500 or status in (401, 429) or said.code in _PASSING:  # 401: our key or clock, not the order
        return ProviderUnavailable(f"wechat pay: HTTP {status} {said.code}")
    if said.code in ("ORDERPAID", "ORDER_PAID"):
        return AlreadyPaid(said.code, said.message)
    if said.code in ("ORDER_CLOSED", "ORDERCLOSED"):
        return AlreadyClosed(said.code, said.message)
    if status == 404 and said.code in _UNKNOWN_ORDER:
        return OrderUnknown(said.code, said.message)
    return ProviderRefused(said.code, said.message)


# ── what WeChat says ─────────────────────────────────────────────────────────────────────────────────────────────────


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


_S = TypeVar("_S", bound=_Said)


def _read(kind: type[_S], answer: str | bytes) -> _S:
    try:
        return kind.model_validate_json(answer)
    except ValidationError:
        raise ProviderUnavailable("wechat pay: an answer that cannot be read") from None


class _PrepayAnswer(_Said):
    prepay_id: str


class _Payer(_Said):
    openid: str | None = None
    sp_openid: str | None = None
    sub_openid: str | None = None


class _Amount(_Said):
    total: int | None = None
    currency: str | None = None


class _Transaction(_Said):
    out_trade_no: str
    trade_state: str
    transaction_id: str | None = None
    success_time: AwareDatetime | None = None
    trade_type: str | None = None
    attach: str | None = None
    appid: str | None = None
    mchid: str | None = None
    sp_appid: str | None = None
    sp_mchid: str | None = None
    sub_appid: str | None = None
    sub_mchid: str | None = None
    payer: _Payer = _Payer()
    amount: _Amount = _Amount()

    def ours(self) -> Transaction:
        if (state := _STATES.get(self.trade_state)) is None:
            raise ProviderUnavailable(f"wechat pay: a trade state nobody knows: {self.trade_state}")
        payer = self.payer.sub_openid if self.sub_appid and self.payer.sub_openid else self.payer.sp_openid
        return Transaction(
            out_trade_no=self.out_trade_no,
            state=state,
            transaction_id=self.transaction_id,
            paid_at=_utc(self.success_time),
            amount_fen=self.amount.total,
            currency=self.amount.currency,
            payer_openid=self.payer.openid or payer,
            appid=self.sp_appid or self.appid,
            mchid=self.sp_mchid or self.mchid,
            sub_mchid=self.sub_mchid,
            sub_appid=self.sub_appid,
            trade_type=self.trade_type,
            attach=self.attach or None,
        )


class _RefundAmount(_Said):
    refund: int
    total: int


class _Refund(_Said):
    """The answer says `status`, the notification `refund_status`."""

    out_refund_no: str
    refund_id: str
    out_trade_no: str
    transaction_id: str
    amount: _RefundAmount
    status: str | None = None
    refund_status: str | None = None
    success_time: AwareDatetime | None = None
    mchid: str | None = None
    sp_mchid: str | None = None
    sub_mchid: str | None = None

    def ours(self) -> RefundReport:
        if (state := _REFUND_STATES.get(self.refund_status or self.status or "")) is None:
            raise ProviderUnavailable("wechat pay: a refund status nobody knows")
        return RefundReport(
            out_refund_no=self.out_refund_no,
            refund_id=self.refund_id,
            out_trade_no=self.out_trade_no,
            transaction_id=self.transaction_id,
            state=state,
            amount_fen=self.amount.refund,
            total_fen=self.amount.total,
            succeeded_at=_utc(self.success_time),
            mchid=self.sp_mchid or self.mchid,
            sub_mchid=self.sub_mchid,
        )


class _Envelope(_Said):
    """A notification, its resource already decrypted."""

    id: str
    event_type: str
    resource: dict[str, Any]

    def ours(self) -> Notification | None:
        subject = self.event_type.partition(".")[0]
        if subject == "TRANSACTION":
            transaction = _Transaction.model_validate(self.resource).ours()
            return Notification(self.id, self.event_type, NotificationKind.TRANSACTION, transaction=transaction)
        if subject == "REFUND":
            refund = _Refund.model_validate(self.resource).ours()
            return Notification(self.id, self.event_type, NotificationKind.REFUND, refund=refund)
        return None


def _same_refund(number: str, report: RefundReport) -> RefundReport:
    if report.out_refund_no != number:
        raise ProviderUnavailable("wechat pay: answered for another refund")
    return report


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment is not None else None
