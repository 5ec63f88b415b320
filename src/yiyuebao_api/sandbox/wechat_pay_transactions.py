"""Prepay, query, close and refund, for a merchant of its own (direct) and for a service provider (partner)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.routing import BaseRoute, Route

from yiyuebao_api.sandbox import wechat_pay_notifications as notifications
from yiyuebao_api.sandbox.wechat_pay_book import SHANGHAI, Json, Order, Refund, now_text, number
from yiyuebao_api.sandbox.wechat_pay_wire import Call, Fields, Handler, WeChatError, operation

_ORDER_NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
_REFUND_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_MOST_REFUNDS = 50
DIRECT, PARTNER = "/v3/pay/transactions", "/v3/pay/partner/transactions"
_TRADE_TYPES = {"jsapi": "JSAPI", "app": "APP"}


def routes() -> list[BaseRoute]:
    made: list[BaseRoute] = []
    for base in (DIRECT, PARTNER):
        partner = base == PARTNER
        made += [
            Route(f"{base}/{kind}", operation("prepay", _prepay(kind, partner)), methods=["POST"])
            for kind in _TRADE_TYPES
        ]
        by_number = f"{base}/out-trade-no/{{out_trade_no}}"
        made += [
            Route(f"{base}/id/{{transaction_id}}", operation("query", _query(partner)), methods=["GET"]),
            Route(f"{by_number}/close", operation("close", _close(partner)), methods=["POST"]),
            Route(by_number, operation("query", _query(partner)), methods=["GET"]),
        ]
    refunds = "/v3/refund/domestic/refunds"
    return [
        *made,
        Route(refunds, operation("refund", _refund), methods=["POST"]),
        Route(f"{refunds}/{{out_refund_no}}", operation("query_refund", _query_refund), methods=["GET"]),
        Route("/v3/certificates", operation("certificates", _certificates), methods=["GET"]),
    ]


# ── prepay ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _prepay(kind: str, partner: bool) -> Handler:
    async def prepay(call: Call) -> Json:
        order = _ordered(call, kind, partner)
        known = call.book.orders.get(order.out_trade_no)
        if known is None:
            call.book.orders[order.out_trade_no] = order
        else:
            _require_same(known, order)
            known.time_expire, known.notify_url = order.time_expire, order.notify_url
        prepay_id = number("wx" + datetime.now(SHANGHAI).strftime("%d%H%M%S"), 26)
        call.book.prepays[prepay_id] = (order.out_trade_no, time.time())
        return {"prepay_id": prepay_id}

    return prepay


def _ordered(call: Call, kind: str, partner: bool) -> Order:
    body, keys = call.body, call.world.keys
    prefix = "sp_" if partner else ""
    appid = body.text(f"{prefix}appid", most=32)
    if body.text(f"{prefix}mchid", most=32) != keys.mchid:
        raise body.wrong(f"{prefix}mchid", "与签名商户号不一致")
    if appid not in (keys.mini_appid, keys.app_appid):
        raise WeChatError(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配，请确认后重试")
    sub_mchid = served(call, body.text("sub_mchid", most=32)) if partner else None
    sub_appid = body.maybe("sub_appid", most=32) if partner else None
    if sub_mchid and sub_appid:
        rights = call.book.sub_merchant(sub_mchid)
        if rights and rights.sub_appids is not None and sub_appid not in rights.sub_appids:
            raise WeChatError(400, "APPID_MCHID_NOT_MATCH", "sub_appid与sub_mchid不匹配")
    payer_kind, openid = _payer(body, partner, sub_appid) if kind == "jsapi" else ("", "")
    if body.raw("amount.currency") not in (None, "CNY"):
        raise body.wrong("amount.currency", "境内商户仅支持CNY")
    return Order(
        out_trade_no=body.text("out_trade_no", least=6, most=32, form=_ORDER_NUMBER),
        mchid=keys.mchid, appid=appid, sub_mchid=sub_mchid, sub_appid=sub_appid,
        trade_type=_TRADE_TYPES[kind], openid=openid, payer_kind=payer_kind,
        total=body.whole("amount.total"),
        description=body.text("description", most=127),
        attach=body.maybe("attach", most=128) or "",
        notify_url=_notify_url(body, required=True),
        time_expire=_time_expire(body),
        profit_sharing=body.flag("settle_info.profit_sharing"),
        created=now_text(),
    )  # fmt: skip


def _payer(body: Fields, partner: bool, sub_appid: str | None) -> tuple[str, str]:
    """Direct: `openid`. Partner: exactly one of `sp_openid`, `sub_openid`; the latter lives under `sub_appid`."""
    if not partner:
        return "openid", body.text("payer.openid", most=128)
    given = [kind for kind in ("sp_openid", "sub_openid") if body.raw(f"payer.{kind}")]
    if len(given) != 1:
        raise body.wrong("payer", "sp_openid和sub_openid必须且只能传一个")
    if given == ["sub_openid"] and not sub_appid:
        raise body.wrong("sub_appid", "传sub_openid时sub_appid必填")
    return given[0], body.text(f"payer.{given[0]}", most=128)


def _notify_url(body: Fields, *, required: bool) -> str:
    """https without a query; plain http only to this machine, where the sandbox lives."""
    url = body.text("notify_url", most=255) if required else body.maybe("notify_url", most=255) or ""
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.query or parts.fragment or not parts.hostname:
        raise body.wrong("notify_url", "必须是不带参数的完整URL")
    if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(parts.hostname)):
        raise body.wrong("notify_url", "必须是https")
    return url


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _time_expire(body: Fields) -> str | None:
    text = body.maybe("time_expire", most=64)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise body.wrong("time_expire", "必须符合rfc3339格式") from None
    if moment.tzinfo is None or "T" not in text:
        raise body.wrong("time_expire", "必须符合rfc3339格式")
    if moment <= datetime.now(SHANGHAI):
        raise body.wrong("time_expire", "不能早于当前时间")
    return text


def _require_same(known: Order, again: Order) -> None:
    """The same number may be prepaid again only as the same order, and only while nobody paid or closed it."""
    if known.paid:
        raise WeChatError(400, "ORDERPAID", "该订单已支付")
    if known.state in ("CLOSED", "REVOKED"):
        raise WeChatError(400, "ORDER_CLOSED", "该订单已关闭，请重新下单")
    fixed = (
        "total", "appid", "sub_mchid", "sub_appid", "openid", "trade_type", "profit_sharing", "description", "attach",
    )  # fmt: skip
    if any(getattr(known, name) != getattr(again, name) for name in fixed):
        raise WeChatError(400, "INVALID_REQUEST", "201 商户订单号重复")


def served(call: Call, sub_mchid: str | None) -> str:
    if not sub_mchid:
        raise call.body.wrong("sub_mchid", "必填项缺失")
    if call.book.sub_merchant(sub_mchid) is None:
        raise WeChatError(403, "NO_AUTH", "特约商户号未授权服务商的产品权限")
    return sub_mchid


# ── query and close ──────────────────────────────────────────────────────────────────────────────────────────────────


def _query(partner: bool) -> Handler:
    async def query(call: Call) -> Json:
        named = "sp_mchid" if partner else "mchid"
        if call.query(named) != call.world.keys.mchid:
            raise WeChatError(400, "PARAM_ERROR", f"{named}与签名商户号不一致")
        sub_mchid = served(call, call.query("sub_mchid")) if partner else None
        return notifications.transaction_view(_find(call, sub_mchid, call.request.path_params))

    return query


def _close(partner: bool) -> Handler:
    async def close(call: Call) -> None:
        named = "sp_mchid" if partner else "mchid"
        if call.body.text(named, most=32) != call.world.keys.mchid:
            raise call.body.wrong(named, "与签名商户号不一致")
        sub_mchid = served(call, call.body.text("sub_mchid", most=32)) if partner else None
        order = _find(call, sub_mchid, call.request.path_params)
        if order.paid:
            raise WeChatError(400, "ORDERPAID", "该订单已支付，不能关闭")
        if order.state == "USERPAYING":
            raise WeChatError(400, "USERPAYING", "用户支付中，请稍后再试")
        order.state = "CLOSED"

    return close


def _find(call: Call, sub_mchid: str | None, by: Mapping[str, str]) -> Order:
    """An order belongs to one merchant: another hospital's sub_mchid does not find it."""
    if paid_as := by.get("transaction_id"):
        order = call.book.order_paid_as(paid_as)
    else:
        order = call.book.orders.get(by.get("out_trade_no", ""))
    if order is None or order.sub_mchid != sub_mchid:
        raise WeChatError(404, "ORDER_NOT_EXIST", "订单不存在")
    return order


# ── refunds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _refund(call: Call) -> Json:
    """Accepted is not arrived: the outcome comes later, by notification and query. Idempotent by out_refund_no."""
    body = call.body
    partner = body.raw("sub_mchid") is not None
    sub_mchid = served(call, body.text("sub_mchid", most=32)) if partner else None
    out_refund_no = body.text("out_refund_no", most=64, form=_REFUND_NUMBER)
    refund, total = body.whole("amount.refund"), body.whole("amount.total")
    if body.text("amount.currency", most=16) != "CNY":
        raise body.wrong("amount.currency", "境内商户仅支持CNY")
    reason = body.maybe("reason", most=80) or ""
    by = {name: body.text(name, most=32) for name in ("transaction_id", "out_trade_no") if body.raw(name)}
    if not by:
        raise body.wrong("transaction_id", "transaction_id和out_trade_no必须传一个")
    try:
        order = _find(call, sub_mchid, by)
    except WeChatError:
        raise WeChatError(404, "RESOURCE_NOT_EXISTS", "订单号不存在") from None
    if known := call.book.refunds.get(out_refund_no):
        if (known.out_trade_no, known.refund, known.total) != (order.out_trade_no, refund, total):
            raise WeChatError(400, "PARAM_ERROR", "订单金额或退款金额与之前请求不一致，请核实后再试")
        return notifications.refund_view(known)
    _require_refundable(call, order, refund, total)
    behaviour = call.world.behaviour
    made = Refund(
        out_refund_no=out_refund_no, refund_id=number("503", 25), out_trade_no=order.out_trade_no,
        transaction_id=order.transaction_id, sub_mchid=order.sub_mchid, refund=refund, total=total, reason=reason,
        notify_url=_notify_url(body, required=False), created=now_text(), outcome=behaviour.refund_outcome,
        due_at=None if behaviour.refund_outcome == "PROCESSING" else time.time() + behaviour.refund_delay_s,
    )  # fmt: skip
    call.book.refunds[out_refund_no] = made
    order.state = "REFUND"
    if made.due_at is not None:
        call.world.spawn(notifications.finish_when_due(call.world, made))
    return notifications.refund_view(made)


def _require_refundable(call: Call, order: Order, refund: int, total: int) -> None:
    if not order.paid:
        raise WeChatError(400, "INVALID_REQUEST", "订单未支付，不能退款")
    if total != order.total:
        raise WeChatError(400, "PARAM_ERROR", "订单金额与支付时不一致")
    earlier = [known for known in call.book.refunds_of(order) if known.status != "CLOSED"]
    if len(earlier) >= _MOST_REFUNDS:
        raise WeChatError(400, "INVALID_REQUEST", "一笔订单最多支持50次部分退款")
    if sum(known.refund for known in earlier) + refund > order.total:
        raise WeChatError(400, "INVALID_REQUEST", "申请退款金额大于订单可退金额")


async def _query_refund(call: Call) -> Json:
    known = call.book.refunds.get(call.path("out_refund_no"))
    if known is None or known.sub_mchid != call.query("sub_mchid"):
        raise WeChatError(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    return notifications.refund_view(known)


async def _certificates(call: Call) -> Json:
    """New merchants are given a public key only."""
    raise WeChatError(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥")
