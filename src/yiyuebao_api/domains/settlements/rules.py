"""How a net amount is split, and which entries a business event posts. Whole fen; every posting adds up to zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from yiyuebao_api.kernel.money import Fen, share


class PostingKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    ACCRUAL = "accrual"
    REVERSAL = "reversal"
    RELEASE = "release"


class LedgerAccount(StrEnum):
    CLEARING = "clearing"
    UNEARNED = "unearned"
    HOSPITAL_SHARE = "hospital_share"
    PLATFORM_SHARE = "platform_share"
    HOSPITAL_RELEASED = "hospital_released"
    PLATFORM_RELEASED = "platform_released"


class AccrualState(StrEnum):
    PENDING = "pending"
    RELEASED = "released"


A = LedgerAccount

#: RULE-71: WeChat lets at most 30 % of an order be shared away.
MOST_BP = 3000

Entries = Mapping[A, Fen]


@dataclass(frozen=True, slots=True)
class Shares:
    """Who gets what of a net amount."""

    platform: Fen
    hospital: Fen


def split(net: Fen, rate_bp: int) -> Shares:
    """platform = net * rate // 10 000, hospital = the rest: 10001 → 500/9501, 20 → 1/19, 10 → 0/10, 1 → 0/1 (RULE-70)."""
    platform = share(net, rate_bp)
    return Shares(platform, Fen(net - platform))


def payment_entries(amount: Fen) -> Entries:
    """The payer's money is at the hospital's merchant and not yet earned."""
    return {A.CLEARING: amount, A.UNEARNED: Fen(-amount)}


def refund_entries(amount: Fen) -> Entries:
    """Money that was not earned goes back."""
    return {A.CLEARING: Fen(-amount), A.UNEARNED: amount}


def accrual_entries(net: Fen, shares: Shares) -> Entries:
    """The visit was confirmed: the net is earned, and belongs to two."""
    return _moved({A.UNEARNED: net, A.HOSPITAL_SHARE: Fen(-shares.hospital), A.PLATFORM_SHARE: Fen(-shares.platform)})


def reversal_entries(before: Shares, after: Shares) -> Entries:
    """A refund after the confirmation: the shares shrink to those of the smaller net, pro rata (RULE-70)."""
    hospital, platform = before.hospital - after.hospital, before.platform - after.platform
    return _moved({
        A.HOSPITAL_SHARE: Fen(hospital), A.PLATFORM_SHARE: Fen(platform), A.UNEARNED: Fen(-hospital - platform),
    })  # fmt: skip


def release_entries(shares: Shares) -> Entries:
    """The dispute window is over: the shares may be moved."""
    return _moved({
        A.HOSPITAL_SHARE: shares.hospital, A.HOSPITAL_RELEASED: Fen(-shares.hospital),
        A.PLATFORM_SHARE: shares.platform, A.PLATFORM_RELEASED: Fen(-shares.platform),
    })  # fmt: skip


def _moved(entries: dict[A, Fen]) -> Entries:
    return {account: amount for account, amount in entries.items() if amount}
