"""The payer's phone: it gets what the merchant's server gave the app, checks it as WeChat's client does, and pays."""

from __future__ import annotations

import hashlib
import json
import re
import time
from binascii import Error as NotBase64
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from yiyuebao_api.sandbox import wechat_pay_notifications as notifications
from yiyuebao_api.sandbox.wechat_pay_book import Json, Order, now_text, number
from yiyuebao_api.sandbox.wechat_pay_wire import World, verify, world_of

PREPAY_LIFE_S = 2 * 3600
_MINI = ("appId", "timeStamp", "nonceStr", "package", "signType", "paySign")
_APP = ("appid", "partnerid", "prepayid", "package", "noncestr", "timestamp", "sign")


def routes() -> list[BaseRoute]:
    return [
        Route("/_sandbox/phone/pay", _pay, methods=["POST"]),
        Route("/_sandbox/orders/{out_trade_no}/pay", _pay_from_console, methods=["POST"]),
    ]


class NotAccepted(Exception):
    """The phone shows its reason and nothing is paid."""


async def _pay(request: Request) -> JSONResponse:
    """Body: the client's payment parameters, no more and no less. `?openid=` says who pays in an app,
    `?outcome=cancel` leaves the cashier's page without paying."""
    world = world_of(request)
    try:
        given = json.loads(await request.body())
        if not isinstance(given, dict):
            raise NotAccepted("参数不是对象")
        order = _recognised(world, given)
        require_payable(order)
    except (NotAccepted, ValueError) as refusal:
        return JSONResponse({"errMsg": "requestPayment:fail", "reason": str(refusal)}, 400)
    if request.query_params.get("outcome") == "cancel":
        return JSONResponse({"errMsg": "requestPayment:fail cancel"}, 400)
    return await _paid(world, order, request.query_params.get("openid"))


async def _pay_from_console(request: Request) -> JSONResponse:
    world = world_of(request)
    order = world.book.orders.get(request.path_params["out_trade_no"])
    try:
        if order is None:
            raise NotAccepted("订单不存在")
        require_payable(order)
    except NotAccepted as refusal:
        return JSONResponse({"errMsg": "requestPayment:fail", "reason": str(refusal)}, 400)
    return await _paid(world, order, request.query_params.get("openid"))


async def _paid(world: World, order: Order, openid: str | None) -> JSONResponse:
    if not order.payer_kind:
        order.openid = openid or "oAPP" + hashlib.sha256(order.out_trade_no.encode()).hexdigest()[:24]
    order.state, order.success_time, order.paid_at = "SUCCESS", now_text(), time.time()
    order.transaction_id = number("4200" + order.success_time[:10].replace("-", ""), 16)
    event = notifications.payment_event(world, order)
    notifications.announce(world, event, lambda forge: notifications.payment_event(world, order, forge))
    await world.book.saved()
    return JSONResponse({"errMsg": "requestPayment:ok", "transaction_id": order.transaction_id})


def require_payable(order: Order) -> None:
    if order.paid:
        raise NotAccepted("该订单已支付")
    if order.state not in ("NOTPAY", "USERPAYING", "PAYERROR"):
        raise NotAccepted("订单已关闭")
    if order.expired:
        raise NotAccepted("订单已过期")


@dataclass(frozen=True, slots=True)
class _Handed:
    """The mini-program's and the app's parameters differ in every name, and mean the same."""

    trade_type: str
    prepay_id: str
    appid: str
    stamp: str
    nonce: str
    signed: str  # the last line of what is signed
    signature: str


def _recognised(world: World, given: Json) -> Order:
    """The order that these parameters pay for, once signature, age and appid have been checked."""
    handed = _handed(world, given)
    if not re.fullmatch(r"[0-9]{10}", handed.stamp) or len(handed.nonce) > 32:
        raise NotAccepted("时间戳必须是以秒为单位的字符串，随机串不超过32位")
    try:
        message = f"{handed.appid}\n{handed.stamp}\n{handed.nonce}\n{handed.signed}\n"
        verify(world.keys.merchant, message, handed.signature)
    except (InvalidSignature, NotBase64, ValueError):
        raise NotAccepted("支付验证签名失败") from None
    out_trade_no, made_at = world.book.prepays.get(handed.prepay_id, ("", 0.0))
    order = world.book.orders.get(out_trade_no)
    if order is None:
        raise NotAccepted("prepay_id无效")
    if time.time() - made_at > PREPAY_LIFE_S:
        raise NotAccepted("prepay_id已过期")
    if order.trade_type != handed.trade_type:
        raise NotAccepted("支付场景与下单时不一致")
    expected = order.sub_appid if order.sub_appid and order.payer_kind != "sp_openid" else order.appid
    if handed.appid != expected:
        raise NotAccepted("下单appid与支付appid不一致")
    return order


def _handed(world: World, given: Json) -> _Handed:
    mini = str(given.get("package", "")).startswith("prepay_id=")
    names = _MINI if mini else _APP
    if wrong := [name for name in names if not isinstance(given.get(name), str) or not given[name]]:
        raise NotAccepted(f"缺少参数或参数不是字符串：{', '.join(wrong)}")
    if mini:
        if given["signType"] != "RSA":
            raise NotAccepted("signType必须是RSA")
        package = given["package"]
        return _Handed(
            "JSAPI", package.removeprefix("prepay_id="), given["appId"], given["timeStamp"], given["nonceStr"],
            package, given["paySign"],
        )  # fmt: skip
    if given["package"] != "Sign=WXPay" or given["partnerid"] != world.keys.mchid:
        raise NotAccepted("package或partnerid错误")
    return _Handed(
        "APP", given["prepayid"], given["appid"], given["timestamp"], given["noncestr"],
        given["prepayid"], given["sign"],
    )  # fmt: skip
