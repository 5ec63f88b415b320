"""The books on the wire."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import Field, Strict

from yiyuebao_api.domains.settlements.models import Accrual, Entry, FeeRate, Posting
from yiyuebao_api.domains.settlements.rules import AccrualState, LedgerAccount, PostingKind
from yiyuebao_api.kernel.ids import AccrualId, HospitalId, PostingId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.schema import Day, In, Moment, Out, example


class AccrualOut(Out):
    """The shares of one confirmed booking."""

    id: AccrualId
    subject_id: str = Field(examples=["bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"])
    hospital_id: HospitalId
    net_fen: Fen = Field(description="Paid minus refunded.", examples=[10001])
    rate_bp: int = Field(description="Platform's rate in basis points.", examples=[500])
    platform_fen: Fen = Field(examples=[500])
    hospital_fen: Fen = Field(examples=[9501])
    state: AccrualState
    accrued_at: Moment
    due_at: Moment
    released_at: Moment | None

    @classmethod
    def of(cls, accrual: Accrual) -> Self:
        return cls.model_validate(accrual)


class EntryOut(Out):
    """Debit positive, credit negative."""

    account: LedgerAccount
    amount_fen: Fen


class PostingOut(Out):
    """One business event in the books; its entries add up to zero."""

    id: PostingId
    kind: PostingKind
    source_id: str
    posted_at: Moment
    entries: list[EntryOut]

    @classmethod
    def of(cls, posting: Posting, entries: list[Entry]) -> Self:
        return cls(
            id=posting.id, kind=posting.kind, source_id=posting.source_id, posted_at=posting.posted_at,
            entries=[EntryOut.model_validate(entry) for entry in entries],
        )  # fmt: skip


class LedgerOut(Out):
    """Every account's balance, recomputed from all entries, and their sum, which is zero."""

    balances: dict[str, Fen] = Field(examples=[{"clearing": 10001, "hospital_share": -9501, "platform_share": -500}])
    sum_fen: Fen = Field(description="Always zero.", examples=[0])

    @classmethod
    def of(cls, balances: dict[LedgerAccount, Fen]) -> Self:
        return cls(balances={account.value: amount for account, amount in balances.items()}, sum_fen=Fen(sum(balances.values())))


class RateIn(In):
    """The platform's share of a hospital from a day on."""

    model_config = example(rate_bp=500, valid_from="2026-12-01")

    rate_bp: Annotated[int, Strict(), Field(ge=0, le=10_000)]
    valid_from: Day


class RateOut(Out):
    """A dated rate."""

    hospital_id: HospitalId
    rate_bp: int
    valid_from: date

    @classmethod
    def of(cls, rate: FeeRate) -> Self:
        return cls.model_validate(rate)
