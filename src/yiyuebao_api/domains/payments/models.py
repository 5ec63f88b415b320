"""Rows of payments and refunds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.payments.rules import PaymentState, RefundState, SubjectKind
from yiyuebao_api.gateways.payment import Channel
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import AccountId, HospitalId, PaymentId, RefundId
from yiyuebao_api.kernel.money import Fen


class Payment(Model):
    """Payments: one attempt to collect an amount for one subject, to one hospital's merchant."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("out_trade_no"),
        UniqueConstraint("transaction_id"),
        Index("ix_payment_subject", "subject_id"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("refunded_fen >= 0 AND refunded_fen <= amount_fen", name="refunded_within"),
    )

    id: Mapped[PaymentId] = mapped_column(primary_key=True, comment="UUIDv7")
    subject_kind: Mapped[SubjectKind] = mapped_column(comment="what is paid for")
    subject_id: Mapped[str] = mapped_column(code_column(40), comment="its id, as on the wire")
    account_id: Mapped[AccountId] = mapped_column(comment="who pays")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="who receives")
    amount_fen: Mapped[Fen] = mapped_column(comment="fen")
    currency: Mapped[str] = mapped_column(code_column(3), comment="CNY")
    description: Mapped[str] = mapped_column(String(127), comment="what the payer reads; no personal data")
    channel: Mapped[Channel] = mapped_column(comment="mini-program or app")
    appid: Mapped[str] = mapped_column(code_column(32), comment="appid (direct) or sp_appid (partner)")
    mchid: Mapped[str] = mapped_column(code_column(32), comment="mchid (direct) or sp_mchid (partner)")
    sub_mchid: Mapped[str | None] = mapped_column(code_column(32), comment="the hospital's merchant; null in direct mode")
    sub_appid: Mapped[str | None] = mapped_column(code_column(32), comment="the hospital's own appid, if it has one")
    payer_openid: Mapped[str | None] = mapped_column(code_column(64), comment="who was asked to pay; null in the app")
    profit_sharing: Mapped[bool] = mapped_column(comment="flagged at prepay, cannot be added later")
    out_trade_no: Mapped[str] = mapped_column(code_column(32), comment="our number at WeChat")
    prepay_id: Mapped[str | None] = mapped_column(code_column(64), comment="WeChat's prepay id, good for two hours")
    state: Mapped[PaymentState] = mapped_column(comment="created, prepaid, succeeded, closed")
    expires_at: Mapped[datetime] = mapped_column(comment="WeChat refuses to take money after this")
    transaction_id: Mapped[str | None] = mapped_column(code_column(32), comment="WeChat's number of the success")
    paid_at: Mapped[datetime | None] = mapped_column(comment="WeChat's time of the success")
    refunded_fen: Mapped[Fen] = mapped_column(comment="refunds that are not given up, fen")
    created_at: Mapped[datetime] = mapped_column(comment="when it was asked for")


class Refund(Model):
    """Refunds: an amount on its way back to the payer, once per payment and cause."""

    __tablename__ = "refund"
    __table_args__ = (
        UniqueConstraint("out_refund_no"),
        UniqueConstraint("payment_id", "cause"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
    )

    id: Mapped[RefundId] = mapped_column(primary_key=True, comment="UUIDv7")
    payment_id: Mapped[PaymentId] = mapped_column(comment="the payment it returns")
    cause: Mapped[str] = mapped_column(code_column(40), comment="why, as a code: one refund each")
    reason: Mapped[str] = mapped_column(String(80), comment="what the payer reads")
    amount_fen: Mapped[Fen] = mapped_column(comment="fen")
    out_refund_no: Mapped[str] = mapped_column(code_column(64), comment="our number at WeChat")
    refund_id: Mapped[str | None] = mapped_column(code_column(32), comment="WeChat's number")
    state: Mapped[RefundState] = mapped_column(comment="requested, processing, succeeded, abnormal, closed")
    created_at: Mapped[datetime] = mapped_column(comment="when it was asked for")
    settled_at: Mapped[datetime | None] = mapped_column(comment="when WeChat gave its final word")
