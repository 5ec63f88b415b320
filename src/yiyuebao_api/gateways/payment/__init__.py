"""Taking money from a person's phone, giving it back, and hearing of both: the port, in our words.

    ProviderRefused
    ├── AlreadyPaid      the order cannot be prepaid again or closed: somebody paid it
    ├── AlreadyClosed    the order was closed: a new number is needed
    └── OrderUnknown     the provider has never heard of that number

Money is in fen. Moments are aware and by the provider's own clock, which development cannot move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from fastapi import Depends
from starlette.requests import HTTPConnection

from yiyuebao_api.gateways import ProviderRefused


class AlreadyPaid(ProviderRefused):
    """Somebody paid this order: query it."""


class AlreadyClosed(ProviderRefused):
    """This order was closed: no payment under its number, ever."""


class OrderUnknown(ProviderRefused):
    """The provider has never heard of that order."""


class Channel(StrEnum):
    """Where the person pays."""

    MINI = "mini"
    APP = "app"


class TransactionState(StrEnum):
    """What became of an order. UNKNOWN: the provider has never heard of its number."""

    NOT_PAID = "not_paid"
    PAYING = "paying"
    SUCCEEDED = "succeeded"
    REFUNDED = "refunded"  # paid, and at least one refund was asked for
    CLOSED = "closed"
    REVOKED = "revoked"
    FAILED = "failed"
    UNKNOWN = "unknown"


class RefundState(StrEnum):
    """ABNORMAL: the money could not reach the payer and waits; a person must look. CLOSED: nothing was refunded."""

    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    ABNORMAL = "abnormal"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who receives the money. Direct mode: both None. Partner mode: the hospital's number.

    `sub_appid` is set only when the hospital's own mini-program or app takes the payment: then the payer's openid
    belongs to it, and the phone signs with it.
    """

    sub_mchid: str | None = None
    sub_appid: str | None = None


@dataclass(frozen=True, slots=True)
class Prepay:
    """An order to be paid on the phone until `expires_at` (business clock).

    `profit_sharing` freezes the money for a later share; the flag cannot be added afterwards. MINI needs the openid of
    the person who is going to pay.
    """

    out_trade_no: str
    description: str
    amount_fen: int
    payer_openid: str | None
    channel: Channel
    merchant: Merchant
    expires_at: datetime
    profit_sharing: bool
    attach: str | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """What the provider says of an order; everything but the state may be missing until it is paid.

    Compare appid, mchid, sub_mchid, amount and currency with the order before believing that it was paid. `mchid` and
    `appid` are the service provider's in partner mode.
    """

    out_trade_no: str
    state: TransactionState
    transaction_id: str | None = None
    paid_at: datetime | None = None
    amount_fen: int | None = None
    currency: str | None = None
    payer_openid: str | None = None
    appid: str | None = None
    mchid: str | None = None
    sub_mchid: str | None = None
    sub_appid: str | None = None
    trade_type: str | None = None
    attach: str | None = None


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Give `amount_fen` of the paid `total_fen` back. The same out_refund_no never refunds twice."""

    out_refund_no: str
    out_trade_no: str
    amount_fen: int
    total_fen: int
    reason: str
    merchant: Merchant


@dataclass(frozen=True, slots=True)
class RefundReport:
    """What the provider says of a refund. `mchid` and `sub_mchid` are known from notifications only."""

    out_refund_no: str
    refund_id: str
    out_trade_no: str
    transaction_id: str
    state: RefundState
    amount_fen: int
    total_fen: int
    succeeded_at: datetime | None = None
    mchid: str | None = None
    sub_mchid: str | None = None


class NotificationKind(StrEnum):
    TRANSACTION = "transaction"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Notification:
    """An authentic message of the provider's; the same one may come many times, in parallel and out of order.

    Authentic is not true for us: compare its content with the order. Exactly one of `transaction` and `refund` is set.
    """

    id: str
    event_type: str
    kind: NotificationKind
    transaction: Transaction | None = None
    refund: RefundReport | None = None


class PaymentGateway(Protocol):
    """Every awaited method raises AssertionError inside an open transaction, ProviderUnavailable and ProviderRefused.

    Order and refund numbers are `[0-9A-Za-z]`, 6 to 32 (64 for refunds); anything else is a ValueError.
    """

    async def prepay(self, order: Prepay) -> str:
        """The prepay id, good for two hours. May be repeated with equal values; a changed amount is refused.

        Raises AlreadyPaid, AlreadyClosed.
        """
        ...

    def phone_parameters(self, prepay_id: str, channel: Channel, merchant: Merchant | None = None) -> dict[str, str]:
        """What the app hands to the phone's payment call, freshly signed; `merchant` matters for its sub_appid only."""
        ...

    async def query(self, out_trade_no: str, merchant: Merchant) -> Transaction:
        """The truth about an order; state UNKNOWN when the provider has never heard of it."""
        ...

    async def close(self, out_trade_no: str, merchant: Merchant) -> None:
        """Nobody can pay it any more; closing a closed order is no error. Raises AlreadyPaid, OrderUnknown."""
        ...

    async def refund(self, order: RefundOrder) -> RefundReport:
        """Accepted is not arrived: the outcome comes by notification or query. Repeat with the same number at will."""
        ...

    async def query_refund(self, out_refund_no: str, merchant: Merchant) -> RefundReport | None:
        """The truth about a refund; None when the provider has never heard of it."""
        ...

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification | None:
        """None means: not the provider's, answer 401. Never raises and never speaks to the outside.

        It does not remember: whoever keeps the inbox drops what it has seen, by `id`.
        """
        ...


async def _gateway(connection: HTTPConnection) -> PaymentGateway:
    gateway: PaymentGateway = connection.app.state.gateways.payment
    return gateway


#: The process's gateway, for routes.
Gateway = Annotated[PaymentGateway, Depends(_gateway)]
