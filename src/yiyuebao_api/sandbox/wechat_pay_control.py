"""The hands on WeChat Pay from outside, in JSON: look, set faults, resend and forge notifications, decide refunds.

All below `/_sandbox`, with the phone's own routes (`phone.py`):

    GET    /orders /orders/{no} /refunds /splits /receivers /notifications /calls /forgeries /behaviour
    POST   /phone/pay                    the client's payment parameters; ?outcome=cancel, ?openid= (app)
    POST   /orders/{no}/pay              the same without parameters, for the page's button
    POST   /orders/{no}                  {"state": "REVOKED"}
    POST   /orders/{no}/notify           resend or forge, see `_tell`; /refunds/{no}/notify likewise
    POST   /refunds/{no}                 {"status": "SUCCESS" | "ABNORMAL" | "CLOSED"}: decide it now
    POST   /behaviour                    {"notify_scale": 0.01, "refund_outcome": "PROCESSING", …}
    POST   /sub-merchants/{sub_mchid}    {"max_ratio": 500, "sub_appids": null, "served": true}
    POST   /faults/calls                 a `CallFault`: {"operation": "refund", "status": 500, "after": true}
    POST   /faults/notifications         a `NotificationFault`: {"duplicate": 2}, {"reorder": 2, "times": 2}
    DELETE /faults                       no more of either
    POST   /reset                        forget everything of WeChat Pay's but the keys

Operations of calls: prepay query close refund query_refund split query_split unfreeze unsplit_amount add_receiver
delete_receiver return query_return max_ratio certificates, or "*".
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from yiyuebao_api.sandbox import wechat_pay_notifications as notifications
from yiyuebao_api.sandbox.wechat_pay_book import Json, Notification, Order, Refund, SubMerchant
from yiyuebao_api.sandbox.wechat_pay_wire import CallFault, NotificationFault, World, world_of

_STATES = ("NOTPAY", "SUCCESS", "CLOSED", "REFUND", "REVOKED", "USERPAYING", "PAYERROR")
_BEHAVIOUR = ("notify_scale", "refund_outcome", "refund_delay_s", "split_delay_s", "split_wait_s")


class Unclear(Exception):
    """What was asked makes no sense; answered with 400."""


class Missing(Exception):
    """There is no such thing; answered with 404."""


Control = Callable[[World, Request, Json], Awaitable[Any]]


def routes() -> list[BaseRoute]:
    def route(method: str, path: str, control: Control) -> Route:
        return Route(f"/_sandbox{path}", _endpoint(control), methods=[method])

    return [
        route("GET", "/orders", _orders),
        route("GET", "/orders/{out_trade_no}", _order),
        route("POST", "/orders/{out_trade_no}", _set_order),
        route("POST", "/orders/{out_trade_no}/notify", _notify_order),
        route("GET", "/refunds", _refunds),
        route("POST", "/refunds/{out_refund_no}", _finish_refund),
        route("POST", "/refunds/{out_refund_no}/notify", _notify_refund),
        route("GET", "/splits", _splits),
        route("GET", "/receivers", _receivers),
        route("GET", "/notifications", _notifications),
        route("GET", "/calls", _calls),
        route("GET", "/forgeries", _forgeries),
        route("GET", "/behaviour", _behaviour),
        route("POST", "/behaviour", _set_behaviour),
        route("POST", "/sub-merchants/{sub_mchid}", _set_sub_merchant),
        route("POST", "/faults/calls", _add_call_fault),
        route("POST", "/faults/notifications", _add_notification_fault),
        route("DELETE", "/faults", _clear_faults),
        route("POST", "/reset", _reset),
    ]


def _endpoint(control: Control) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        world = world_of(request)
        try:
            raw = await request.body()
            body = json.loads(raw) if raw else {}
            if not isinstance(body, dict):
                raise Unclear("the body must be an object")
            answer = await control(world, request, body)
        except (Unclear, ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        except Missing as error:
            return JSONResponse({"error": str(error)}, 404)
        if request.method != "GET":
            await world.book.saved()
        return JSONResponse(answer)

    return endpoint


def _known(name: str, allowed: tuple[str, ...] | dict[str, Any], what: str) -> str:
    if name not in allowed:
        raise Unclear(f"{what} must be one of {', '.join(allowed)}")
    return name


def _order_of(world: World, request: Request) -> Order:
    if order := world.book.orders.get(request.path_params["out_trade_no"]):
        return order
    raise Missing("no such order")


def _refund_of(world: World, request: Request) -> Refund:
    if refund := world.book.refunds.get(request.path_params["out_refund_no"]):
        return refund
    raise Missing("no such refund")


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _orders(world: World, request: Request, body: Json) -> list[Json]:
    return [asdict(order) | {"expired": order.expired} for order in reversed(world.book.orders.values())]


async def _order(world: World, request: Request, body: Json) -> Json:
    order = _order_of(world, request)
    return asdict(order) | {"expired": order.expired}


async def _refunds(world: World, request: Request, body: Json) -> list[Json]:
    return [asdict(refund) for refund in reversed(world.book.refunds.values())]


async def _splits(world: World, request: Request, body: Json) -> list[Json]:
    return [asdict(split) for split in reversed(world.book.splits.values())]


async def _receivers(world: World, request: Request, body: Json) -> list[Json]:
    return list(world.book.receivers.values())


async def _notifications(world: World, request: Request, body: Json) -> list[Json]:
    return [asdict(notification) for notification in reversed(world.book.notifications.values())]


async def _calls(world: World, request: Request, body: Json) -> list[Json]:
    """The last 500 calls of the merchant, refused ones too."""
    return world.calls


async def _forgeries(world: World, request: Request, body: Json) -> list[str]:
    return list(notifications.FORGERIES)


async def _behaviour(world: World, request: Request, body: Json) -> Json:
    return asdict(world.behaviour)


# ── meddling ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _set_behaviour(world: World, request: Request, body: Json) -> Json:
    for name, value in body.items():
        _known(name, _BEHAVIOUR, "a setting")
        if name == "refund_outcome":
            _known(value, ("SUCCESS", "ABNORMAL", "CLOSED", "PROCESSING"), "refund_outcome")
        setattr(world.behaviour, name, value if name == "refund_outcome" else float(value))
    return asdict(world.behaviour)


async def _set_order(world: World, request: Request, body: Json) -> Json:
    """`{"state": "REVOKED"}`: what WeChat decided without asking anybody."""
    order = _order_of(world, request)
    order.state = _known(body.get("state", ""), _STATES, "state")
    return asdict(order)


async def _set_sub_merchant(world: World, request: Request, body: Json) -> Json:
    """`{"max_ratio": 500, "sub_appids": ["wx…"] | null, "served": true}`."""
    rights = SubMerchant(**body)
    if rights.sub_appids is not None and not isinstance(rights.sub_appids, list):
        raise Unclear("sub_appids must be a list or null")
    world.book.sub_merchants[request.path_params["sub_mchid"]] = rights
    return asdict(rights)


async def _finish_refund(world: World, request: Request, body: Json) -> Json:
    """`{"status": "SUCCESS" | "ABNORMAL" | "CLOSED"}`, now, with its notification."""
    refund = _refund_of(world, request)
    status = _known(body.get("status", "SUCCESS"), ("SUCCESS", "ABNORMAL", "CLOSED"), "status")
    notifications.finish_refund(world, refund, status)
    return asdict(refund)


async def _notify_order(world: World, request: Request, body: Json) -> list[Json]:
    order = _order_of(world, request)
    if not order.paid and not body.get("forge"):
        raise Unclear("nobody paid this order: only a forged notification could tell of it")
    return await _tell(world, body, order.out_trade_no, lambda forge: notifications.payment_event(world, order, forge))


async def _notify_refund(world: World, request: Request, body: Json) -> list[Json]:
    refund = _refund_of(world, request)
    number = refund.out_refund_no
    return await _tell(world, body, number, lambda forge: notifications.refund_event(world, refund, forge))


async def _tell(world: World, body: Json, subject: str, make: Callable[[str | None], Notification]) -> list[Json]:
    """`{"forge": name, "copies": 1, "send": true, "fresh": false, "age_s": 0}`: send it now, answer what came of it.

    Without `forge` the last true notification is repeated under its own id unless `fresh`. With `send` false nothing
    leaves the house: the answer holds the headers and the body that would have been posted, signed `age_s` ago.
    """
    forge = _known(body["forge"], notifications.FORGERIES, "forge") if body.get("forge") else None
    told = [note for note in world.book.notifications.values() if note.subject == subject and not note.forge]
    notification = told[-1] if told and not forge and not body.get("fresh") else make(forge)
    outcomes: list[Json] = []
    for _ in range(int(body.get("copies", 1))):
        if not body.get("send", True):
            headers, text = notifications.as_sent(world, notification, age_s=float(body.get("age_s", 0)))
            outcomes.append({"id": notification.id, "headers": headers, "body": text})
            continue
        world.book.notifications[notification.id] = notification
        await notifications.attempt(world, notification)
        outcomes.append({"id": notification.id} | notification.attempts[-1])
    return outcomes


async def _add_call_fault(world: World, request: Request, body: Json) -> Json:
    fault = CallFault(**_checked(CallFault, body))
    _known(fault.reply, ("signed", "unsigned", "forged"), "reply")
    world.behaviour.call_faults.append(fault)
    return asdict(fault)


async def _add_notification_fault(world: World, request: Request, body: Json) -> Json:
    fault = NotificationFault(**_checked(NotificationFault, body))
    if fault.forge:
        _known(fault.forge, notifications.FORGERIES, "forge")
    world.behaviour.notification_faults.append(fault)
    return asdict(fault)


def _checked(kind: type[CallFault | NotificationFault], body: Json) -> Json:
    allowed = tuple(field.name for field in fields(kind))
    for name in body:
        _known(name, allowed, "a fault's field")
    return body


async def _clear_faults(world: World, request: Request, body: Json) -> Json:
    world.behaviour.call_faults.clear()
    world.behaviour.notification_faults.clear()
    return asdict(world.behaviour)


async def _reset(world: World, request: Request, body: Json) -> Json:
    """Forget every order, refund, share and notification; the keys stay."""
    for task in tuple(world.tasks):
        task.cancel()
    world.held.clear()
    world.calls = []
    world.book.clear()
    return await _clear_faults(world, request, body)
