"""Use cases of settlements: every fen that comes, goes back or is earned is posted here, once."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.payments import queries as payment_rows
from yiyuebao_api.domains.payments import service as payments
from yiyuebao_api.domains.payments.events import PaymentSucceeded, RefundSucceeded
from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.settlements import queries, rules
from yiyuebao_api.domains.settlements.events import SharesReleased
from yiyuebao_api.domains.settlements.models import Accrual, Entry, FeeRate, LedgerNote, Posting
from yiyuebao_api.domains.settlements.problems import RateTooHigh
from yiyuebao_api.domains.settlements.rules import AccrualState, PostingKind
from yiyuebao_api.kernel import clock, outbox
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import AccrualId, HospitalId, Id, PaymentId, PostingId, RefundId, RowId
from yiyuebao_api.kernel.money import Fen

log = structlog.get_logger()


async def post(
    tx: AsyncSession, kind: PostingKind, source: Id, entries: rules.Entries, *, hospital_id: HospitalId, subject_id: str,
    now: datetime,
) -> None:  # fmt: skip
    """Write one posting. Raises IntegrityError when this source was posted before."""
    if sum(entries.values()) != 0:
        raise ValueError(f"a posting must add up to zero: {dict(entries)}")
    posting = Posting(
        id=PostingId.new(), kind=kind, source_id=str(source), hospital_id=hospital_id, subject_id=subject_id, posted_at=now
    )
    tx.add(posting)
    await tx.flush()
    tx.add_all(
        Entry(posting_id=posting.id, account=account, hospital_id=hospital_id, amount_fen=amount)
        for account, amount in entries.items()
    )
    await tx.flush()


async def note_payment(tx: AsyncSession, event: PaymentSucceeded) -> None:
    """Listener: the payer's money arrived."""
    await post(
        tx, PostingKind.PAYMENT, event.payment_id, rules.payment_entries(event.amount_fen),
        hospital_id=event.hospital_id, subject_id=event.subject_id, now=event.at,
    )  # fmt: skip


async def note_refund(tx: AsyncSession, event: RefundSucceeded) -> None:
    """Listener: money went back. The shares shrank when it was promised, see `refund`."""
    await post(
        tx, PostingKind.REFUND, event.refund_id, rules.refund_entries(event.amount_fen),
        hospital_id=event.hospital_id, subject_id=event.subject_id, now=event.at,
    )  # fmt: skip


async def refund(
    tx: AsyncSession, payment_id: PaymentId, amount: Fen, *, cause: str, reason: str, now: datetime
) -> Refund:
    """Promise money back: the one way to refund, so that no refund passes by the books.

    Shares that were fixed before shrink at once, pro rata (RULE-70): what is owed back is never released, however long
    it takes to arrive. Locks the payment, then its accrual. Raises RefundTooLarge.
    """
    promised = await payments.request_refund(tx, payment_id, amount, cause=cause, reason=reason, now=now)
    payment = await tx.get_one(Payment, payment_id)
    accrual = await queries.lock_accrual_of(tx, payment.subject_id)
    if accrual is not None and accrual.payment_id == payment_id:
        await _shrink(tx, accrual, _net(payment), because=promised.id, now=now)
    return promised


def _net(payment: Payment) -> Fen:
    """Paid and not promised back. The caller holds the payment's row lock."""
    return Fen(payment.amount_fen - payment.refunded_fen)


async def _shrink(tx: AsyncSession, accrual: Accrual, net: Fen, *, because: RefundId, now: datetime) -> None:
    if net == accrual.net_fen:
        return  # the same refund was promised before
    if accrual.state is AccrualState.RELEASED:
        text = "refund after release: the platform's share must be returned by hand"
        tx.add(LedgerNote(
            id=RowId.new(), hospital_id=accrual.hospital_id, source_id=str(because), text=text, noted_at=now,
        ))  # fmt: skip
    before = rules.Shares(accrual.platform_fen, accrual.hospital_fen)
    after = rules.split(net, accrual.rate_bp)
    await post(
        tx, PostingKind.REVERSAL, because, rules.reversal_entries(before, after),
        hospital_id=accrual.hospital_id, subject_id=accrual.subject_id, now=now,
    )  # fmt: skip
    accrual.net_fen, accrual.platform_fen, accrual.hospital_fen = net, after.platform, after.hospital


async def accrue(
    tx: AsyncSession, *, subject_id: Id, payment_id: PaymentId, hospital_id: HospitalId, default_bp: int,
    window: timedelta, now: datetime,
) -> Accrual | None:  # fmt: skip
    """Fix the shares of what was paid for a booking and is not promised back; the release follows after `window`.

    None when nothing is left. `default_bp` holds where the hospital has no rate of its own. Idempotent by subject. The
    caller holds the booking's row lock; locks the payment, so that no refund is promised meanwhile.
    """
    net = _net(await payment_rows.lock_payment(tx, payment_id))
    if known := await queries.lock_accrual_of(tx, str(subject_id)):
        return known
    if net <= 0:
        return None
    rate = await queries.rate_on(tx, hospital_id, now.astimezone(clock.SHANGHAI).date(), default_bp)
    shares = rules.split(net, rate)
    accrual = Accrual(
        id=AccrualId.new(), subject_id=str(subject_id), payment_id=payment_id, hospital_id=hospital_id, net_fen=net,
        rate_bp=rate, platform_fen=shares.platform, hospital_fen=shares.hospital, state=AccrualState.PENDING,
        accrued_at=now, due_at=now + window, released_at=None,
    )  # fmt: skip
    tx.add(accrual)
    await post(
        tx, PostingKind.ACCRUAL, accrual.id, rules.accrual_entries(net, shares),
        hospital_id=hospital_id, subject_id=str(subject_id), now=now,
    )  # fmt: skip
    await outbox.put(tx, "settlements.release", accrual.id, now=now, run_at=accrual.due_at)
    return accrual


async def release_shares(begin: Begin, accrual_id: AccrualId, *, now: datetime) -> None:
    """The job: the dispute window is over. Raises outbox.Again before that."""
    async with begin() as tx:
        accrual = await queries.lock_accrual(tx, accrual_id)
        if accrual.state is AccrualState.RELEASED:
            return
        if now < accrual.due_at:
            raise outbox.Again(accrual.due_at - now)
        shares = rules.Shares(accrual.platform_fen, accrual.hospital_fen)
        await post(
            tx, PostingKind.RELEASE, accrual.id, rules.release_entries(shares),
            hospital_id=accrual.hospital_id, subject_id=accrual.subject_id, now=now,
        )  # fmt: skip
        accrual.state, accrual.released_at = AccrualState.RELEASED, now
        await announce(tx, SharesReleased(accrual.id, accrual.hospital_id, accrual.subject_id, now))


async def set_rate(tx: AsyncSession, hospital_id: HospitalId, rate_bp: int, *, valid_from: date) -> FeeRate:
    """The platform's share of one hospital from a day on; a second word for the same day replaces the first.

    Raises RateTooHigh (RULE-71).
    """
    if rate_bp > rules.MOST_BP:
        raise RateTooHigh(most_bp=rules.MOST_BP)
    rate = await tx.get(FeeRate, (hospital_id, valid_from), with_for_update=True)
    if rate is None:
        rate = FeeRate(hospital_id=hospital_id, valid_from=valid_from, rate_bp=rate_bp)
        tx.add(rate)
    rate.rate_bp = rate_bp
    await tx.flush()
    return rate


async def check_books(begin: Begin) -> int:
    """The timer: how many postings do not add up to zero (P14); each is logged."""
    async with begin() as tx:
        wrong = await queries.unbalanced(tx)
    for posting in wrong:
        log.error("posting does not add up", posting_id=str(posting.id))
    return len(wrong)
