"""Giving money back."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.payments import queries, rules
from yiyuebao_api.domains.payments.events import RefundSucceeded
from yiyuebao_api.domains.payments.models import Refund
from yiyuebao_api.domains.payments.problems import RefundTooLarge
from yiyuebao_api.domains.payments.rules import PaymentState, RefundState
from yiyuebao_api.domains.payments.service.payment import ReportMismatch, merchant_of
from yiyuebao_api.gateways.payment import PaymentGateway, RefundOrder, RefundReport
from yiyuebao_api.gateways.payment import RefundState as Told
from yiyuebao_api.kernel import clock, outbox
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import PaymentId, RefundId, new_number
from yiyuebao_api.kernel.money import Fen

log = structlog.get_logger()

_FINAL = (RefundState.SUCCEEDED, RefundState.CLOSED)
_CLOSED = "WeChat closed it, nothing was returned; reviving asks again under a new number"


async def request_refund(
    tx: AsyncSession, payment_id: PaymentId, amount: Fen, *, cause: str, reason: str, now: datetime
) -> Refund:
    """Promise `amount` back; the outbox carries it out. The same cause again is the same refund (RULE-68).

    Locks the payment. Raises RefundTooLarge. Call it through settlements, which knows the shares.
    """
    payment = await queries.lock_payment(tx, payment_id)
    known = select(Refund).where(Refund.payment_id == payment_id, Refund.cause == cause)
    if refund := (await tx.scalars(known)).one_or_none():
        return refund
    refundable = payment.amount_fen - payment.refunded_fen
    count = len(await queries.list_refunds(tx, payment_id))
    if payment.state is not PaymentState.SUCCEEDED or amount > refundable or count >= rules.MOST_REFUNDS:
        raise RefundTooLarge(refundable_fen=refundable)
    payment.refunded_fen = Fen(payment.refunded_fen + amount)
    refund = Refund(
        id=RefundId.new(), payment_id=payment_id, cause=cause, reason=reason[:80], amount_fen=amount,
        out_refund_no=_number(now), refund_id=None,
        state=RefundState.REQUESTED, created_at=now, settled_at=None,
    )  # fmt: skip
    tx.add(refund)
    await outbox.put(tx, "payments.refund", refund.id, now=now)
    return refund


async def carry_out_refund(begin: Begin, gateway: PaymentGateway, refund_id: RefundId, *, now: datetime) -> None:
    """The job: ask WeChat, then look until the money is back. Raises outbox.Again, outbox.GiveUp.

    Repeating the request under the same out_refund_no never refunds twice.
    """
    async with begin() as tx:
        refund, payment = await queries.refund_of(tx, refund_id)
    if refund.state is RefundState.SUCCEEDED:
        return
    if refund.state is RefundState.CLOSED:  # a notification said so
        await _renew(begin, refund_id, now=now)
        raise outbox.GiveUp(f"{refund_id}: {_CLOSED}")
    report: RefundReport | None = None
    if refund.state is not RefundState.REQUESTED:
        report = await gateway.query_refund(refund.out_refund_no, merchant_of(payment))
    if report is None:
        order = RefundOrder(
            out_refund_no=refund.out_refund_no, out_trade_no=payment.out_trade_no, amount_fen=refund.amount_fen,
            total_fen=payment.amount_fen, reason=refund.reason, merchant=merchant_of(payment),
        )  # fmt: skip
        report = await gateway.refund(order)
    async with begin() as tx:
        state = await apply_refund(tx, report, now=now)
    if state is RefundState.ABNORMAL:
        raise outbox.GiveUp(f"{refund_id}: WeChat could not return the money; a person must look")
    if state is RefundState.CLOSED:
        await _renew(begin, refund_id, now=now)
        raise outbox.GiveUp(f"{refund_id}: {_CLOSED}")
    if state not in _FINAL:
        raise outbox.Again(rules.next_refund_query(refund.created_at, now))


async def _renew(begin: Begin, refund_id: RefundId, *, now: datetime) -> None:
    """The number of a closed refund is spent, the promise is not: it waits under a new number for a person."""
    async with begin() as tx:
        refund, payment = await queries.refund_of(tx, refund_id)
        await queries.lock_payment(tx, payment.id)
        refund = await tx.get_one(Refund, refund_id, populate_existing=True)
        if refund.state is RefundState.CLOSED:
            refund.state, refund.out_refund_no = RefundState.REQUESTED, _number(now)
            refund.refund_id = refund.settled_at = None


def _number(now: datetime) -> str:
    return new_number("R" + now.astimezone(clock.SHANGHAI).strftime("%y%m%d"))


async def apply_refund(tx: AsyncSession, report: RefundReport, *, now: datetime) -> RefundState:
    """What WeChat says of a refund, by notification or query, applied at most once. Raises ReportMismatch."""
    found = await queries.find_refund_by_number(tx, report.out_refund_no)
    if found is None:
        raise ReportMismatch("no refund has this number")
    payment = await queries.lock_payment(tx, found.payment_id)
    refund = await tx.get_one(Refund, found.id, populate_existing=True)
    same_merchant = report.mchid is None or (report.mchid, report.sub_mchid) == (payment.mchid, payment.sub_mchid)
    same_order = report.out_trade_no == payment.out_trade_no and report.transaction_id == payment.transaction_id
    if not (same_merchant and same_order and report.amount_fen == refund.amount_fen):
        raise ReportMismatch(f"{refund.id}: WeChat reports another merchant, order or amount")
    if refund.state in _FINAL:
        return refund.state
    refund.refund_id = report.refund_id
    if report.state is Told.PROCESSING:
        if refund.state is RefundState.REQUESTED:
            refund.state = RefundState.PROCESSING
        return refund.state
    if report.state is Told.ABNORMAL:
        log.error("refund abnormal", refund_id=str(refund.id))
        refund.state = RefundState.ABNORMAL
        return refund.state
    refund.settled_at = report.succeeded_at or now
    if report.state is Told.CLOSED:
        refund.state = RefundState.CLOSED  # still promised: the money stays set aside, see `_renew`
        log.error("refund closed without effect", refund_id=str(refund.id))
        return refund.state
    refund.state = RefundState.SUCCEEDED
    await announce(
        tx,
        RefundSucceeded(
            refund.id, payment.id, payment.subject_kind, payment.subject_id, payment.hospital_id, refund.amount_fen, now
        ),
    )
    return refund.state
