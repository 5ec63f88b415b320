"""Named selects of payments and refunds."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.payments.rules import PaymentState
from yiyuebao_api.gateways.payment import Channel
from yiyuebao_api.kernel.ids import AccountId, PaymentId, RefundId
from yiyuebao_api.kernel.problems import NotFound


async def lock_payment(tx: AsyncSession, payment_id: PaymentId) -> Payment:
    """The one way to lock a payment; its refunds are locked by it too."""
    return (await tx.scalars(select(Payment).where(Payment.id == payment_id).with_for_update())).one()


async def lock_payment_by_number(tx: AsyncSession, out_trade_no: str) -> Payment | None:
    found = select(Payment).where(Payment.out_trade_no == out_trade_no).with_for_update()
    return (await tx.scalars(found)).one_or_none()


async def find_refund_by_number(tx: AsyncSession, out_refund_no: str) -> Refund | None:
    return (await tx.scalars(select(Refund).where(Refund.out_refund_no == out_refund_no))).one_or_none()


async def find_open_payment(tx: AsyncSession, subject_id: str, channel: Channel) -> Payment | None:
    """The attempt of a subject that can still be paid in this channel."""
    found = select(Payment).where(
        Payment.subject_id == subject_id, Payment.channel == channel,
        Payment.state.in_([PaymentState.CREATED, PaymentState.PREPAID]),
    )  # fmt: skip
    return (await tx.scalars(found.order_by(Payment.id.desc()).limit(1))).one_or_none()


async def list_of_subject(tx: AsyncSession, subject_id: str) -> Sequence[Payment]:
    """Every attempt to pay for a subject, oldest first."""
    return (await tx.scalars(select(Payment).where(Payment.subject_id == subject_id).order_by(Payment.id))).all()


async def list_refunds(tx: AsyncSession, payment_id: PaymentId) -> Sequence[Refund]:
    return (await tx.scalars(select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.id))).all()


async def require_payment(tx: AsyncSession, account_id: AccountId, payment_id: PaymentId) -> Payment:
    """The payer's own payment, or 404."""
    found = select(Payment).where(Payment.id == payment_id, Payment.account_id == account_id)
    payment = (await tx.scalars(found)).one_or_none()
    if payment is None:
        raise NotFound
    return payment


async def refund_of(tx: AsyncSession, refund_id: RefundId) -> tuple[Refund, Payment]:
    """A refund with its payment, unlocked."""
    found = select(Refund, Payment).join(Payment, Payment.id == Refund.payment_id).where(Refund.id == refund_id)
    refund, payment = (await tx.execute(found)).one()
    return refund, payment
