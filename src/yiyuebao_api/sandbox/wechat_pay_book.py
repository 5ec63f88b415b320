"""What WeChat Pay remembers: orders, refunds, shares and notifications, kept in memory and saved to one small file."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from yiyuebao_api.sandbox.keys import write_private

Json = dict[str, Any]

SHANGHAI = timezone(timedelta(hours=8))
DEFAULT_MAX_RATIO = 3000  # of 10 000: what WeChat grants a service provider unless it applied for more
_SERVED = re.compile(r"19\d{8}")


def now_text() -> str:
    """RFC 3339, whole seconds, +08:00: the only form WeChat Pay writes."""
    return datetime.now(SHANGHAI).replace(microsecond=0).isoformat()


def number(prefix: str, digits: int) -> str:
    return prefix + "".join(secrets.choice("0123456789") for _ in range(digits))


@dataclass(slots=True)
class Order:
    """One out_trade_no. In direct mode `sub_mchid` is None; in partner mode `mchid` and `appid` are the provider's."""

    out_trade_no: str
    mchid: str
    appid: str
    sub_mchid: str | None
    sub_appid: str | None
    trade_type: str
    openid: str
    payer_kind: str  # openid | sp_openid | sub_openid | "" (app: known only once paid)
    total: int
    description: str
    attach: str
    notify_url: str
    time_expire: str | None
    profit_sharing: bool
    created: str
    state: str = "NOTPAY"
    transaction_id: str = ""
    success_time: str = ""
    paid_at: float = 0.0
    unfrozen: bool = False

    @property
    def paid(self) -> bool:
        return self.state in ("SUCCESS", "REFUND")

    @property
    def expired(self) -> bool:
        return self.time_expire is not None and datetime.fromisoformat(self.time_expire) <= datetime.now(SHANGHAI)


@dataclass(slots=True)
class Refund:
    out_refund_no: str
    refund_id: str
    out_trade_no: str
    transaction_id: str
    sub_mchid: str | None
    refund: int
    total: int
    reason: str
    notify_url: str
    created: str
    status: str = "PROCESSING"
    success_time: str = ""
    due_at: float | None = None  # when it ends by itself, as `outcome`
    outcome: str = "SUCCESS"


@dataclass(slots=True)
class Split:
    """A request to share or to unfreeze; `lines` are WeChat's `receivers`."""

    out_order_no: str
    order_id: str
    transaction_id: str
    sub_mchid: str | None
    asked: Json
    lines: list[Json]
    finished_at: float


@dataclass(slots=True)
class Return:
    out_return_no: str
    return_id: str
    out_order_no: str
    order_id: str
    sub_mchid: str | None
    return_mchid: str
    amount: int
    description: str
    created: str


@dataclass(slots=True)
class Notification:
    """One event on its way to `url`: pending, delivered, given_up or dropped; a forged one is tried once, then sent."""

    id: str
    event_type: str
    subject: str  # an out_trade_no or an out_refund_no
    url: str
    body: str
    forge: str | None = None
    state: str = "pending"
    due_at: float = 0.0
    lose: int = 0  # so many attempts never leave the house
    attempts: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class SubMerchant:
    """What the service provider may do for one sub-merchant; `sub_appids` None means any."""

    max_ratio: int = DEFAULT_MAX_RATIO
    sub_appids: list[str] | None = None
    served: bool = True


def _plain(row: object) -> Json:
    """Shallow, since every field is JSON already: `dataclasses.asdict` copies deeply and took most of each save."""
    return {name: getattr(row, name) for name in row.__slots__}  # type: ignore[attr-defined]


class Book:
    """The whole memory. `saved()` returns once everything changed before is in the file, if the book is durable."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path, self._durable = path, durable
        self._saving: asyncio.Task[None] | None = None
        self._took = 0.0
        self.clear()
        if path.exists():
            try:
                self._read(json.loads(path.read_text()))
            except (ValueError, KeyError, TypeError):  # of another version: begin anew, and keep it for who wonders
                self.clear()
                path.replace(path.with_suffix(".unreadable.json"))

    def clear(self) -> None:
        self.orders: dict[str, Order] = {}
        self.prepays: dict[str, tuple[str, float]] = {}  # prepay_id -> (out_trade_no, made at)
        self.refunds: dict[str, Refund] = {}
        self.receivers: dict[str, Json] = {}
        self.splits: dict[str, Split] = {}
        self.returns: dict[str, Return] = {}
        self.notifications: dict[str, Notification] = {}
        self.sub_merchants: dict[str, SubMerchant] = {}

    def sub_merchant(self, sub_mchid: str) -> SubMerchant | None:
        """Every plausible number is served unless the registry says otherwise."""
        if known := self.sub_merchants.get(sub_mchid):
            return known if known.served else None
        return SubMerchant() if _SERVED.fullmatch(sub_mchid) else None

    def order_paid_as(self, transaction_id: str) -> Order | None:
        return next((order for order in self.orders.values() if order.transaction_id == transaction_id), None)

    def refunds_of(self, order: Order) -> list[Refund]:
        return [refund for refund in self.refunds.values() if refund.out_trade_no == order.out_trade_no]

    def splits_of(self, order: Order) -> list[Split]:
        return [split for split in self.splits.values() if split.transaction_id == order.transaction_id]

    async def saved(self) -> None:
        """Writers that arrive together share one write; the file never takes more than half of the loop's time."""
        if not self._durable:
            return
        if self._saving is None:
            self._saving = asyncio.create_task(self._save_soon())
        await asyncio.shield(self._saving)

    async def _save_soon(self) -> None:
        await asyncio.sleep(self._took)
        self._saving = None
        self.save()

    def save(self) -> None:
        begun = time.monotonic()
        parts = ("orders", "refunds", "splits", "returns", "notifications", "sub_merchants")
        whole: Json = {part: [[key, _plain(row)] for key, row in getattr(self, part).items()] for part in parts}
        whole |= {"prepays": list(self.prepays.items()), "receivers": list(self.receivers.items())}
        write_private(self._path, json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode())
        self._took = time.monotonic() - begun

    def _read(self, whole: Json) -> None:
        self.orders = {key: Order(**row) for key, row in whole["orders"]}
        self.refunds = {key: Refund(**row) for key, row in whole["refunds"]}
        self.splits = {key: Split(**row) for key, row in whole["splits"]}
        self.returns = {key: Return(**row) for key, row in whole["returns"]}
        self.notifications = {key: Notification(**row) for key, row in whole["notifications"]}
        self.sub_merchants = {key: SubMerchant(**row) for key, row in whole["sub_merchants"]}
        self.prepays = {key: (made[0], made[1]) for key, made in whole["prepays"]}
        self.receivers = dict(whole["receivers"])
