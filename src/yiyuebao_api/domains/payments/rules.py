"""Which words of WeChat's change what, and when to ask again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class SubjectKind(StrEnum):
    """What somebody pays for."""

    BOOKING = "booking"
    CONSULTATION = "consultation"


class PaymentState(StrEnum):
    CREATED = "created"
    PREPAID = "prepaid"
    SUCCEEDED = "succeeded"
    CLOSED = "closed"


class RefundState(StrEnum):
    REQUESTED = "requested"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    ABNORMAL = "abnormal"
    CLOSED = "closed"


#: RULE-68: at most so many refunds of one payment.
MOST_REFUNDS = 50


@dataclass(frozen=True, slots=True)
class Terms:
    """What a payment was asked for under, and what a report of WeChat's says it was."""

    appid: str | None
    mchid: str | None
    sub_mchid: str | None
    amount_fen: int | None
    currency: str | None
    payer_openid: str | None


def differences(ours: Terms, told: Terms) -> list[str]:
    """Which of the terms WeChat reports differ from ours; empty when the report may be believed.

    A payer we never knew (the app's) is not compared.
    """
    found = [
        name
        for name in ("appid", "mchid", "sub_mchid", "amount_fen", "currency")
        if getattr(ours, name) != getattr(told, name)
    ]
    if ours.payer_openid is not None and told.payer_openid != ours.payer_openid:
        found.append("payer_openid")
    return found


def next_query(created_at: datetime, now: datetime) -> timedelta:
    """How long to wait before asking WeChat again: half the order's age, between 10 seconds and 10 minutes (P12)."""
    return min(max((now - created_at) / 2, timedelta(seconds=10)), timedelta(minutes=10))


def next_refund_query(created_at: datetime, now: datetime) -> timedelta:
    """Refunds take seconds to days: half their age, between 10 seconds and 6 hours."""
    return min(max((now - created_at) / 2, timedelta(seconds=10)), timedelta(hours=6))
