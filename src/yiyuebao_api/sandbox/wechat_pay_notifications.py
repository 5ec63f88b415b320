"""What WeChat Pay tells the merchant: the envelope, its retry schedule, and every lie a stranger could tell instead."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from yiyuebao_api.sandbox.keys import Keys
from yiyuebao_api.sandbox.wechat_pay_book import Json, Notification, Order, Refund, now_text, number
from yiyuebao_api.sandbox.wechat_pay_wire import NotificationFault, World, dumps, sealed, signed

#: Seconds between the attempts: 15 retries in 24 h 4 min.
SCHEDULE = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
PATIENCE_S = 5.0
_STATE_WORDS = {
    "SUCCESS": "支付成功",
    "REFUND": "转入退款",
    "NOTPAY": "订单未支付",
    "CLOSED": "订单已关闭",
    "REVOKED": "订单已撤销",
    "USERPAYING": "用户支付中",
    "PAYERROR": "支付失败",
}
_REFUND_WORDS = {"SUCCESS": "退款成功", "ABNORMAL": "退款异常", "CLOSED": "退款关闭"}
STRANGER = generate_private_key(public_exponent=65537, key_size=2048)  # somebody else's key, good for forging only


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────────


def transaction_view(order: Order) -> Json:
    """What query answers and what the payment notification decrypts to."""
    prefix = "" if order.sub_mchid is None else "sp_"
    seen: Json = {f"{prefix}appid": order.appid, f"{prefix}mchid": order.mchid}
    if order.sub_mchid is not None:
        seen |= {"sub_mchid": order.sub_mchid} | ({"sub_appid": order.sub_appid} if order.sub_appid else {})
    seen |= {
        "out_trade_no": order.out_trade_no,
        "trade_state": order.state,
        "trade_state_desc": _STATE_WORDS[order.state],
        "promotion_detail": [],
        "payer": {},
    }
    if order.paid:
        seen |= {
            "transaction_id": order.transaction_id,
            "trade_type": order.trade_type,
            "bank_type": "OTHERS",
            "attach": order.attach,
            "success_time": order.success_time,
            "payer": _payer(order),
            "amount": {
                "total": order.total, "payer_total": order.total, "currency": "CNY", "payer_currency": "CNY",
            },
        }  # fmt: skip
    return seen


def _payer(order: Order) -> Json:
    if order.payer_kind == "sub_openid":  # the same person is somebody else under the provider's own appid
        return {"sp_openid": "oSP" + order.openid[:100], "sub_openid": order.openid}
    return {order.payer_kind or ("openid" if order.sub_mchid is None else "sp_openid"): order.openid}


def refund_view(refund: Refund) -> Json:
    """What refund and refund query answer; it carries no sp_ or sub_ field, the notification does."""
    amount = {
        "total": refund.total, "refund": refund.refund, "payer_total": refund.total, "payer_refund": refund.refund,
        "settlement_refund": refund.refund, "settlement_total": refund.total, "discount_refund": 0,
        "currency": "CNY", "from": [],
    }  # fmt: skip
    seen: Json = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": refund.created,
        "status": refund.status,
        "funds_account": "AVAILABLE",
        "amount": amount,
        "promotion_detail": [],
    }
    return seen | ({"success_time": refund.success_time} if refund.success_time else {})


def refund_notice(keys: Keys, refund: Refund) -> Json:
    """What the refund notification decrypts to."""
    merchant: Json = {"mchid": keys.mchid}
    if refund.sub_mchid is not None:
        merchant = {"sp_mchid": keys.mchid, "sub_mchid": refund.sub_mchid}
    told = merchant | {
        "out_trade_no": refund.out_trade_no,
        "transaction_id": refund.transaction_id,
        "out_refund_no": refund.out_refund_no,
        "refund_id": refund.refund_id,
        "refund_status": refund.status,
        "user_received_account": "支付用户零钱",
        "amount": {
            "total": refund.total, "refund": refund.refund, "payer_total": refund.total, "payer_refund": refund.refund,
        },
    }  # fmt: skip
    return told | ({"success_time": refund.success_time} if refund.success_time else {})


def _envelope(apiv3_key: str, event_type: str, summary: str, original: str, told: Json) -> Json:
    return {
        "id": str(uuid.uuid4()),
        "create_time": now_text(),
        "resource_type": "encrypt-resource",
        "event_type": event_type,
        "summary": summary,
        "resource": {"original_type": original} | sealed(apiv3_key, dumps(told), original),
    }


# ── lies ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Forgery:
    """`change` alters what is told (then sealed and signed with true keys), `send` headers or body of an attempt."""

    change: Callable[[Json], None] | None = None
    send: Callable[[Keys, str], tuple[dict[str, str], str]] | None = None
    apiv3_key: str | None = None


def _other_amount(told: Json) -> None:
    told["amount"] |= {"total": told["amount"]["total"] + 1}


def _other(value: str, *names: str) -> Callable[[Json], None]:
    def change(told: Json) -> None:
        for name in names:
            if name in told:
                told[name] = value

    return change


def _other_payer(told: Json) -> None:
    told["payer"] = dict.fromkeys(told.get("payer", {}), "oAStrangerWhoPaid")


def _other_currency(told: Json) -> None:
    told["amount"] |= {"currency": "USD"}


def _by(keys: Keys, text: str, *, serial: str | None = None, at: float | None = None) -> dict[str, str]:
    return signed(keys.wechat, serial or keys.public_key_id, text, at=at)


def _signtest(keys: Keys, text: str) -> tuple[dict[str, str], str]:
    headers = _by(keys, text)
    return headers | {"Wechatpay-Signature": "WECHATPAY/SIGNTEST/" + headers["Wechatpay-Signature"][19:]}, text


def _tampered(keys: Keys, text: str) -> tuple[dict[str, str], str]:
    return _by(keys, text), dumps(json.loads(text) | {"summary": "支付成功！"})


def _by_stranger(keys: Keys, text: str) -> tuple[dict[str, str], str]:
    return signed(STRANGER, keys.public_key_id, text), text


def _foreign_serial(_: Keys, text: str) -> tuple[dict[str, str], str]:
    return signed(STRANGER, secrets.token_hex(20).upper(), text), text


def _without_headers(_: Keys, text: str) -> tuple[dict[str, str], str]:
    return {}, text


def _not_json(keys: Keys, _: str) -> tuple[dict[str, str], str]:
    return _by(keys, "支付成功"), "支付成功"


#: By name, as the control routes take them. The first group must be refused with 401; what the second group says is
#: signed and sealed with the true keys, so only a comparison with the merchant's own order can refuse it.
FORGERIES: dict[str, Forgery] = {
    "wrong_signature": Forgery(send=_by_stranger),
    "signtest": Forgery(send=_signtest),
    "foreign_serial": Forgery(send=_foreign_serial),
    "foreign_public_key_id": Forgery(send=lambda keys, text: (_by(keys, text, serial="PUB_KEY_ID_0" + "9" * 33), text)),
    "old_timestamp": Forgery(send=lambda keys, text: (_by(keys, text, at=time.time() - 301), text)),
    "future_timestamp": Forgery(send=lambda keys, text: (_by(keys, text, at=time.time() + 302), text)),
    "tampered_body": Forgery(send=_tampered),
    "no_headers": Forgery(send=_without_headers),
    "wrong_apiv3_key": Forgery(apiv3_key="0" * 32),
    "not_json": Forgery(send=_not_json),
    "other_amount": Forgery(change=_other_amount),
    "other_currency": Forgery(change=_other_currency),
    "other_mchid": Forgery(change=_other("1999999999", "mchid", "sp_mchid")),
    "other_sub_mchid": Forgery(change=_other("1999999998", "sub_mchid")),
    "other_appid": Forgery(change=_other("wxffffffffffffffff", "appid", "sp_appid", "sub_appid")),
    "other_payer": Forgery(change=_other_payer),
    "other_order": Forgery(change=_other("NOSUCHORDER0001", "out_trade_no")),
    "not_paid": Forgery(change=_other("NOTPAY", "trade_state")),
}


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def payment_event(world: World, order: Order, forge: str | None = None) -> Notification:
    """A new notification of this payment, not yet sent; a forged one may tell of an order nobody paid."""
    told = transaction_view(order)
    if not order.paid:
        amount = {"total": order.total, "payer_total": order.total, "currency": "CNY", "payer_currency": "CNY"}
        told |= {"trade_state": "SUCCESS", "trade_state_desc": "支付成功", "trade_type": order.trade_type}
        told |= {"transaction_id": number("4200", 24), "success_time": now_text(), "amount": amount}
        told |= {"payer": _payer(order), "bank_type": "OTHERS", "attach": order.attach}
    subject, url = order.out_trade_no, order.notify_url
    return _event(world, "TRANSACTION.SUCCESS", "支付成功", "transaction", told, subject, url, forge)


def refund_event(world: World, refund: Refund, forge: str | None = None) -> Notification:
    told, status = refund_notice(world.keys, refund), refund.status if refund.status in _REFUND_WORDS else "SUCCESS"
    told |= {"refund_status": status}
    name = f"REFUND.{status}"
    return _event(world, name, _REFUND_WORDS[status], "refund", told, refund.out_refund_no, refund.notify_url, forge)


def _event(
    world: World, event_type: str, summary: str, original: str, told: Json, subject: str, url: str, forge: str | None
) -> Notification:
    forgery = FORGERIES[forge] if forge else Forgery()
    if forgery.change:
        forgery.change(told)
    envelope = _envelope(forgery.apiv3_key or world.keys.apiv3_key, event_type, summary, original, told)
    return Notification(
        id=envelope["id"], event_type=event_type, subject=subject, url=url, body=dumps(envelope), forge=forge,
        due_at=time.time(),
    )  # fmt: skip


def as_sent(world: World, notification: Notification, *, age_s: float = 0.0) -> tuple[dict[str, str], str]:
    """Headers and body of one attempt; every attempt is signed anew."""
    forgery = FORGERIES[notification.forge] if notification.forge else Forgery()
    if forgery.send:
        return forgery.send(world.keys, notification.body)
    return _by(world.keys, notification.body, at=time.time() - age_s), notification.body


def announce(world: World, notification: Notification, forged: Callable[[str], Notification]) -> None:
    """Send a true event, or let the next fault have its way with it."""
    book = world.book
    book.notifications[notification.id] = notification
    fault = _take(world, notification.event_type)
    if fault is None:
        return world.spawn(deliver(world, notification))
    if fault.forge:
        lie = forged(fault.forge)
        book.notifications[lie.id] = lie
        world.spawn(attempt(world, lie))
    if fault.drop:
        notification.state = "dropped"
        return None
    notification.lose = fault.lose
    notification.due_at += fault.delay_s
    for _ in range(fault.duplicate):
        world.spawn(_copy(world, notification))
    if fault.reorder > 1:
        return _hold(world, notification, fault.reorder)
    return world.spawn(deliver(world, notification))


def _take(world: World, event_type: str) -> NotificationFault | None:
    faults = world.behaviour.notification_faults
    for fault in faults:
        if fault.event in (None, event_type.partition(".")[0]):
            fault.times -= 1
            if fault.times <= 0:
                faults.remove(fault)
            return fault
    return None


async def _copy(world: World, notification: Notification) -> None:
    await asyncio.sleep(max(0.0, notification.due_at - time.time()))
    await attempt(world, notification)


def _hold(world: World, notification: Notification, count: int) -> None:
    world.held.append(notification.id)
    if len(world.held) >= count:
        waiting, world.held = world.held, []
        world.spawn(_release(world, [world.book.notifications[held] for held in reversed(waiting)]))


async def _release(world: World, notifications: list[Notification]) -> None:
    for notification in notifications:
        await attempt(world, notification)
        if notification.state == "pending":
            world.spawn(deliver(world, notification))


async def deliver(world: World, notification: Notification) -> None:
    """Until the merchant answers 200 or 204, or the schedule is used up."""
    while notification.state == "pending":
        await asyncio.sleep(max(0.0, notification.due_at - time.time()))
        await attempt(world, notification)


async def attempt(world: World, notification: Notification) -> None:
    """One POST of this notification now, and what came of it."""
    done: Json = {"at": now_text()}
    if notification.lose > 0:
        notification.lose -= 1
        done |= {"error": "lost on the way"}
    else:
        headers, body = as_sent(world, notification)
        headers |= {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0", "Accept": "*/*"}
        try:
            answer = await world.client.post(notification.url, content=body.encode(), headers=headers)
            done |= {"status": answer.status_code}
        except httpx.HTTPError as error:
            done |= {"error": f"{type(error).__name__}: {error}"}
    notification.attempts.append(done)
    if notification.state == "pending":
        _follow_up(world, notification, arrived=done.get("status") in (200, 204))
    await world.book.saved()


def _follow_up(world: World, notification: Notification, *, arrived: bool) -> None:
    tried = len(notification.attempts)
    if notification.forge:
        notification.state = "sent"
    elif arrived:
        notification.state = "delivered"
    elif tried > len(SCHEDULE):
        notification.state = "given_up"
    else:
        notification.due_at = time.time() + SCHEDULE[tried - 1] * world.behaviour.notify_scale


# ── refunds that end ─────────────────────────────────────────────────────────────────────────────────────────────────


async def finish_when_due(world: World, refund: Refund) -> None:
    if refund.due_at is not None:
        await asyncio.sleep(max(0.0, refund.due_at - time.time()))
        finish_refund(world, refund, refund.outcome)
        await world.book.saved()


def finish_refund(world: World, refund: Refund, status: str) -> None:
    """End a refund as SUCCESS, ABNORMAL (then it may still end otherwise) or CLOSED, and tell the merchant."""
    if refund.status in ("SUCCESS", "CLOSED"):
        return
    refund.status, refund.due_at = status, None
    if status == "SUCCESS":
        refund.success_time = now_text()
    if refund.notify_url:
        announce(world, refund_event(world, refund), lambda forge: refund_event(world, refund, forge))


def resume(world: World) -> None:
    """After a restart: what was on its way goes on."""
    for notification in world.book.notifications.values():
        if notification.state == "pending":
            world.spawn(deliver(world, notification))
    for refund in world.book.refunds.values():
        if refund.status == "PROCESSING" and refund.due_at is not None:
            world.spawn(finish_when_due(world, refund))
