"""Profit sharing: receivers, shares, returns and unfreezing, within the granted ratio and the money that is there."""

from __future__ import annotations

import re
import time

from starlette.routing import BaseRoute, Route

from yiyuebao_api.sandbox.wechat_pay_book import DEFAULT_MAX_RATIO, Json, Order, Return, Split, now_text, number
from yiyuebao_api.sandbox.wechat_pay_transactions import served
from yiyuebao_api.sandbox.wechat_pay_wire import Call, Handler, WeChatError, operation, unsealed_field

_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_TYPES = ("MERCHANT_ID", "PERSONAL_OPENID", "PERSONAL_SUB_OPENID")
_RELATIONS = (
    "SERVICE_PROVIDER", "STORE", "STAFF", "STORE_OWNER", "PARTNER", "HEADQUARTER", "BRAND", "DISTRIBUTOR", "USER",
    "SUPPLIER", "CUSTOM",
)  # fmt: skip
_MOST_RECEIVERS, _MOST_SPLITS = 50, 50
_BASE = "/v3/profitsharing"


def routes() -> list[BaseRoute]:
    def post(path: str, name: str, handler: Handler) -> Route:
        return Route(_BASE + path, operation(name, handler), methods=["POST"])

    def get(path: str, name: str, handler: Handler) -> Route:
        return Route(_BASE + path, operation(name, handler), methods=["GET"])

    return [
        post("/receivers/add", "add_receiver", _add_receiver),
        post("/receivers/delete", "delete_receiver", _delete_receiver),
        post("/orders", "split", _split),
        post("/orders/unfreeze", "unfreeze", _unfreeze),
        get("/orders/{out_order_no}", "query_split", _query_split),
        get("/transactions/{transaction_id}/amounts", "unsplit_amount", _unsplit_amount),
        post("/return-orders", "return", _return),
        get("/return-orders/{out_return_no}", "query_return", _query_return),
        get("/merchant-configs/{sub_mchid}", "max_ratio", _max_ratio),
    ]


def _merchant(call: Call) -> str | None:
    """The sub-merchant of a body; None for a merchant of its own."""
    sub_mchid = call.body.maybe("sub_mchid", most=32)
    return None if sub_mchid is None else served(call, sub_mchid)


def _receiver_key(sub_mchid: str | None, kind: str, account: str) -> str:
    return f"{sub_mchid or ''}|{kind}|{account}"


# ── receivers ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _add_receiver(call: Call) -> Json:
    """Receivers belong to one sub-merchant: the provider is added once per hospital."""
    body, sub_mchid = call.body, _merchant(call)
    body.text("appid", most=32)
    kind, account = body.text("type", most=32), body.text("account", most=64)
    relation = body.text("relation_type", most=32)
    if kind not in _TYPES:
        raise body.wrong("type", "不支持的接收方类型")
    if relation not in _RELATIONS:
        raise body.wrong("relation_type", "不支持的关系类型")
    if kind == "PERSONAL_SUB_OPENID":
        body.text("sub_appid", most=32)
    sealed_name = body.text("name", most=10240) if kind == "MERCHANT_ID" else body.maybe("name", most=10240)
    name = unsealed_field(call.world, sealed_name) if sealed_name else ""
    call.book.receivers[_receiver_key(sub_mchid, kind, account)] = {
        "sub_mchid": sub_mchid, "type": kind, "account": account, "relation_type": relation, "name": name,
    }  # fmt: skip
    answered = ("sub_mchid", "type", "account", "name", "relation_type", "custom_relation")
    return {field: body.body[field] for field in answered if field in body.body}


async def _delete_receiver(call: Call) -> Json:
    body, sub_mchid = call.body, _merchant(call)
    kind, account = body.text("type", most=32), body.text("account", most=64)
    call.book.receivers.pop(_receiver_key(sub_mchid, kind, account), None)
    return {"type": kind, "account": account} | ({"sub_mchid": sub_mchid} if sub_mchid else {})


# ── shares ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _split(call: Call) -> Json:
    """Asynchronous: PROCESSING now, FINISHED when asked later. Idempotent by out_order_no."""
    body, sub_mchid = call.body, _merchant(call)
    body.text("appid", most=32)
    out_order_no = body.text("out_order_no", most=64, form=_NUMBER)
    lines = _lines(call)
    unfreeze = body.flag("unfreeze_unsplit")
    order = _order(call, sub_mchid, body.text("transaction_id", most=32))
    asked: Json = {"transaction_id": order.transaction_id, "unfreeze_unsplit": unfreeze, "lines": lines}
    if known := call.book.splits.get(out_order_no):
        return _same_split(known, asked)
    _require_splittable(call, order)
    for line in lines:
        if _receiver_key(sub_mchid, line["type"], line["account"]) not in call.book.receivers:
            raise WeChatError(400, "INVALID_REQUEST", "分账接收方关系不存在，请检查后重试")
    total = sum(line["amount"] for line in lines)
    if _shared(call, order) + total > order.total * _ratio(call, sub_mchid) // 10_000:
        raise WeChatError(400, "INVALID_REQUEST", "分账金额超出最大分账比例")
    if total > _unsplit(call, order):
        raise WeChatError(403, "NOT_ENOUGH", "分账金额不足，请调整分账金额")
    finished = [_line(line["type"], line["account"], line["amount"], line["description"]) for line in lines]
    rest = _unsplit(call, order) - total
    if unfreeze and rest:
        finished.append(_line("MERCHANT_ID", sub_mchid or order.mchid, rest, "解冻给分账方"))
    order.unfrozen = unfreeze
    return _record(call, order, out_order_no, asked, finished)


def _lines(call: Call) -> list[Json]:
    given = call.body.raw("receivers")
    if not isinstance(given, list) or not 1 <= len(given) <= _MOST_RECEIVERS:
        raise call.body.wrong("receivers", "必须有1到50个分账接收方")
    lines: list[Json] = []
    for line in given:
        if not isinstance(line, dict):
            raise call.body.wrong("receivers", "格式错误")
        one = call.body.of(line)
        lines.append({
            "type": one.text("type", most=32), "account": one.text("account", most=64),
            "amount": one.whole("amount"), "description": one.text("description", most=80),
        })  # fmt: skip
    return lines


def _line(kind: str, account: str, amount: int, description: str) -> Json:
    at = now_text()
    return {
        "type": kind, "account": account, "amount": amount, "description": description,
        "detail_id": number("3601", 24), "create_time": at, "finish_time": at,
    }  # fmt: skip


def _record(call: Call, order: Order, out_order_no: str, asked: Json, lines: list[Json]) -> Json:
    split = Split(
        out_order_no=out_order_no, order_id=number("3008", 24), transaction_id=order.transaction_id,
        sub_mchid=order.sub_mchid, asked=asked, lines=lines,
        finished_at=time.time() + call.world.behaviour.split_delay_s,
    )  # fmt: skip
    call.book.splits[out_order_no] = split
    return _view(split, asked_again=False)


def _view(split: Split, *, asked_again: bool = True) -> Json:
    done = asked_again and time.time() >= split.finished_at
    seen: Json = {"sub_mchid": split.sub_mchid} if split.sub_mchid else {}
    return seen | {
        "transaction_id": split.transaction_id,
        "out_order_no": split.out_order_no,
        "order_id": split.order_id,
        "state": "FINISHED" if done else "PROCESSING",
        "receivers": [line | {"result": "SUCCESS" if done else "PENDING"} for line in split.lines],
    }


def _same_split(known: Split, asked: Json) -> Json:
    if known.asked != asked:
        raise WeChatError(400, "INVALID_REQUEST", "商户分账单号重复，且请求参数与之前不一致")
    return _view(known)


def _order(call: Call, sub_mchid: str | None, transaction_id: str) -> Order:
    order = call.book.order_paid_as(transaction_id)
    if order is None or order.sub_mchid != sub_mchid:
        raise WeChatError(404, "RESOURCE_NOT_EXISTS", "记录不存在")
    return order


def _require_splittable(call: Call, order: Order) -> None:
    if not order.profit_sharing:
        raise WeChatError(400, "INVALID_REQUEST", "非分账订单不支持分账")
    if order.unfrozen:
        raise WeChatError(400, "INVALID_REQUEST", "订单已分账完结，不能再次分账")
    if time.time() - order.paid_at < call.world.behaviour.split_wait_s:
        raise WeChatError(400, "INVALID_REQUEST", "订单处理中，请稍后重试")
    if len(call.book.splits_of(order)) >= _MOST_SPLITS:
        raise WeChatError(400, "INVALID_REQUEST", "分账次数超过限制")


def _shared(call: Call, order: Order) -> int:
    """What went to others, the order's own merchant left out."""
    own = order.sub_mchid or order.mchid
    return sum(
        line["amount"] for split in call.book.splits_of(order) for line in split.lines if line["account"] != own
    )  # fmt: skip


def _unsplit(call: Call, order: Order) -> int:
    """What is still frozen: the order, less refunds, less what was shared or unfrozen."""
    if order.unfrozen or not order.profit_sharing:
        return 0
    refunded = sum(refund.refund for refund in call.book.refunds_of(order) if refund.status != "CLOSED")
    return max(0, order.total - refunded - _shared(call, order))


def _ratio(call: Call, sub_mchid: str | None) -> int:
    rights = call.book.sub_merchant(sub_mchid) if sub_mchid else None
    return rights.max_ratio if rights else DEFAULT_MAX_RATIO


async def _unfreeze(call: Call) -> Json:
    body, sub_mchid = call.body, _merchant(call)
    out_order_no = body.text("out_order_no", most=64, form=_NUMBER)
    description = body.text("description", most=80)
    order = _order(call, sub_mchid, body.text("transaction_id", most=32))
    asked: Json = {"transaction_id": order.transaction_id, "unfreeze": True}
    if known := call.book.splits.get(out_order_no):
        return _same_split(known, asked)
    _require_splittable(call, order)
    rest = _unsplit(call, order)
    order.unfrozen = True
    lines = [_line("MERCHANT_ID", sub_mchid or order.mchid, rest, description)] if rest else []
    return _record(call, order, out_order_no, asked, lines)


async def _query_split(call: Call) -> Json:
    known = call.book.splits.get(call.path("out_order_no"))
    asked = (call.query("transaction_id"), call.query("sub_mchid"))
    if known is None or (known.transaction_id, known.sub_mchid) != asked:
        raise WeChatError(404, "RESOURCE_NOT_EXISTS", "记录不存在")
    return _view(known)


async def _unsplit_amount(call: Call) -> Json:
    order = call.book.order_paid_as(call.path("transaction_id"))
    if order is None:
        raise WeChatError(404, "RESOURCE_NOT_EXISTS", "记录不存在")
    return {"transaction_id": order.transaction_id, "unsplit_amount": _unsplit(call, order)}


async def _max_ratio(call: Call) -> Json:
    sub_mchid = served(call, call.path("sub_mchid"))
    return {"sub_mchid": sub_mchid, "max_ratio": _ratio(call, sub_mchid)}


# ── returns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _return(call: Call) -> Json:
    """A merchant that received a share gives some of it back, before the payer is refunded."""
    body, sub_mchid = call.body, _merchant(call)
    out_return_no = body.text("out_return_no", most=64, form=_NUMBER)
    mchid, amount = body.text("return_mchid", most=32), body.whole("amount")
    description = body.text("description", most=80)
    split = _split_of_return(call, sub_mchid)
    if known := call.book.returns.get(out_return_no):
        if (known.out_order_no, known.return_mchid, known.amount) != (split.out_order_no, mchid, amount):
            raise WeChatError(400, "INVALID_REQUEST", "商户回退单号重复，且请求参数与之前不一致")
        return _return_view(known)
    own = sub_mchid or call.world.keys.mchid
    received = sum(
        line["amount"] for line in split.lines
        if (line["type"], line["account"]) == ("MERCHANT_ID", mchid) and line["account"] != own
    )  # fmt: skip
    earlier = sum(
        made.amount for made in call.book.returns.values()
        if (made.out_order_no, made.return_mchid) == (split.out_order_no, mchid)
    )  # fmt: skip
    if not received:
        raise WeChatError(400, "INVALID_REQUEST", "回退方不是该分账单的接收方商户")
    if earlier + amount > received:
        raise WeChatError(400, "INVALID_REQUEST", "回退金额超出分账金额")
    made = Return(
        out_return_no=out_return_no, return_id=number("3008", 24), out_order_no=split.out_order_no,
        order_id=split.order_id, sub_mchid=sub_mchid, return_mchid=mchid, amount=amount, description=description,
        created=now_text(),
    )  # fmt: skip
    call.book.returns[out_return_no] = made
    return _return_view(made)


def _split_of_return(call: Call, sub_mchid: str | None) -> Split:
    if by_id := call.body.maybe("order_id", most=64):
        split = next((made for made in call.book.splits.values() if made.order_id == by_id), None)
    else:
        split = call.book.splits.get(call.body.text("out_order_no", most=64))
    if split is None or split.sub_mchid != sub_mchid:
        raise WeChatError(404, "RESOURCE_NOT_EXISTS", "分账单不存在")
    return split


def _return_view(made: Return) -> Json:
    seen: Json = {"sub_mchid": made.sub_mchid} if made.sub_mchid else {}
    return seen | {
        "order_id": made.order_id,
        "out_order_no": made.out_order_no,
        "out_return_no": made.out_return_no,
        "return_id": made.return_id,
        "return_mchid": made.return_mchid,
        "amount": made.amount,
        "description": made.description,
        "result": "SUCCESS",
        "create_time": made.created,
        "finish_time": made.created,
    }


async def _query_return(call: Call) -> Json:
    known = call.book.returns.get(call.path("out_return_no"))
    asked = (call.query("out_order_no"), call.query("sub_mchid"))
    if known is None or (known.out_order_no, known.sub_mchid) != asked:
        raise WeChatError(404, "RESOURCE_NOT_EXISTS", "记录不存在")
    return _return_view(known)
