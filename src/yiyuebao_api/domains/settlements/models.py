"""Rows of the ledger, of accruals and of the dated rates."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.settlements.rules import AccrualState, LedgerAccount, PostingKind
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import AccrualId, HospitalId, PaymentId, PostingId, RowId
from yiyuebao_api.kernel.money import Fen


class FeeRate(Model):
    """The platform's share of one hospital, from a day on; without a row the setting holds."""

    __tablename__ = "fee_rate"

    hospital_id: Mapped[HospitalId] = mapped_column(primary_key=True, comment="whose rate")
    valid_from: Mapped[date] = mapped_column(primary_key=True, comment="first day, Shanghai")
    rate_bp: Mapped[int] = mapped_column(comment="basis points, at most 3000 (RULE-71)")


class Posting(Model):
    """Ledger postings: one business event, whose entries add up to zero; once per kind and source."""

    __tablename__ = "posting"
    __table_args__ = (UniqueConstraint("kind", "source_id"), Index("ix_posting_hospital", "hospital_id", "id"))

    id: Mapped[PostingId] = mapped_column(primary_key=True, comment="UUIDv7")
    kind: Mapped[PostingKind] = mapped_column(comment="which business event")
    source_id: Mapped[str] = mapped_column(code_column(40), comment="payment, refund or accrual it rests on")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="whose books")
    subject_id: Mapped[str] = mapped_column(code_column(40), comment="the booking all of it is about")
    posted_at: Mapped[datetime] = mapped_column(comment="when")


class Entry(Model):
    """Ledger entries: debit positive, credit negative, fen."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        Index("ix_ledger_entry_account", "hospital_id", "account"),
        CheckConstraint("amount_fen <> 0", name="amount_moves"),
    )

    posting_id: Mapped[PostingId] = mapped_column(primary_key=True, comment="its posting")
    account: Mapped[LedgerAccount] = mapped_column(primary_key=True, comment="which account of the hospital's books")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="whose books")
    amount_fen: Mapped[Fen] = mapped_column(comment="debit positive, credit negative")


class Accrual(Model):
    """The shares of one confirmed booking and when they are released."""

    __tablename__ = "accrual"
    __table_args__ = (
        UniqueConstraint("subject_id"),
        Index("ix_accrual_hospital", "hospital_id", "id"),
        CheckConstraint("platform_fen + hospital_fen = net_fen", name="adds_up"),
    )

    id: Mapped[AccrualId] = mapped_column(primary_key=True, comment="UUIDv7")
    subject_id: Mapped[str] = mapped_column(code_column(40), comment="the booking")
    payment_id: Mapped[PaymentId] = mapped_column(comment="the payment the split is taken from")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="who keeps the larger share")
    net_fen: Mapped[Fen] = mapped_column(comment="paid minus refunded, fen")
    rate_bp: Mapped[int] = mapped_column(comment="platform's rate on the day of confirmation")
    platform_fen: Mapped[Fen] = mapped_column(comment="net * rate // 10000")
    hospital_fen: Mapped[Fen] = mapped_column(comment="the rest")
    state: Mapped[AccrualState] = mapped_column(comment="pending, released")
    accrued_at: Mapped[datetime] = mapped_column(comment="when the visit was confirmed")
    due_at: Mapped[datetime] = mapped_column(comment="end of the dispute window")
    released_at: Mapped[datetime | None] = mapped_column(comment="when it was released")


class LedgerNote(Model):
    """What the books could not take up by themselves, for the operator."""

    __tablename__ = "ledger_note"

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="whose books")
    source_id: Mapped[str] = mapped_column(code_column(40), comment="what it is about")
    text: Mapped[str] = mapped_column(code_column(200), comment="what happened")
    noted_at: Mapped[datetime] = mapped_column(comment="when")
