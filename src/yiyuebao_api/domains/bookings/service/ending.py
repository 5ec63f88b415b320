"""The ends of a booking: cancelled by the patient, refused by the hospital, expired unpaid."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.events import BookingCancelled, BookingRefused
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.problems import BookingStateRefused
from yiyuebao_api.domains.bookings.rules import (
    ActorKind,
    BookingState,
    Cancellation,
    Paid,
    Policy,
    cancellation,
    effective,
    refusal,
    unsigned,
)
from yiyuebao_api.domains.bookings.service.telling import move, tell_hospital, tell_payer
from yiyuebao_api.domains.grants import service as grants
from yiyuebao_api.domains.grants.rules import Basis
from yiyuebao_api.domains.schedules import service as schedules
from yiyuebao_api.domains.settlements import service as settlements
from yiyuebao_api.kernel import outbox
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import AccountId, BookingId
from yiyuebao_api.kernel.money import Fen, yuan
from yiyuebao_api.kernel.problems import Words

_CANCELLED = Words("预约已取消", "Booking cancelled")
RESCHEDULABLE = (BookingState.HELD, BookingState.PAID, BookingState.ACCEPTED)


def require_state(booking: Booking, states: Collection[BookingState]) -> None:
    """Raises BookingStateRefused unless the booking is in one of the states."""
    if booking.state not in states:
        raise BookingStateRefused(state=booking.state.value)


async def facts_of(tx: AsyncSession, booking: Booking, now: datetime) -> Paid:
    """What a cancellation or refusal is judged by."""
    lines = (await queries.lines_of(tx, [booking.id]))[booking.id]
    state = effective(booking.state, booking.hold_until, now)
    priced = [(line.kind, line.amount_fen) for line in lines]
    return Paid(state, booking.visit_stage, booking.starts_at, priced, Policy.of(booking.policy))


async def quote_cancellation(tx: AsyncSession, booking: Booking, *, now: datetime) -> Cancellation:
    """What a cancellation at this moment would give back; changes nothing."""
    return cancellation(await facts_of(tx, booking, now), now)


async def cancel_booking(
    tx: AsyncSession, booking_id: BookingId, *, reason: str, account_id: AccountId, now: datetime
) -> Booking:
    """The patient does not want it any more; what the policy shown at booking time gives back is refunded.

    A second cancellation answers the first one's outcome. Raises VisitAlreadyArrived, BookingStateRefused.
    """
    booking = await queries.lock_booking(tx, booking_id)
    if booking.state is BookingState.CANCELLED:
        return booking
    outcome = cancellation(await facts_of(tx, booking, now), now)
    await move(tx, booking, BookingState.CANCELLED, actor=ActorKind.PATIENT, actor_id=account_id, reason=reason, now=now)
    await wind_up(tx, booking, outcome.refund_fen, cause="cancelled", reason="预约取消退款", now=now)
    if outcome.kept_fen:
        await earn(tx, booking, now=now)
    await announce(tx, BookingCancelled(booking.id, now))
    if booking.paid_at is not None:
        await tell_hospital(tx, booking, "booking.cancelled", _CANCELLED, now=now, reason="patient-cancelled")
        back = Words("", "")
        if outcome.refund_fen:
            back = Words(f"退款 {yuan(outcome.refund_fen)} 将原路退回。", f" {yuan(outcome.refund_fen)} goes back to your WeChat.")
        body = Words(f"订单 {booking.order_no} 已取消。{back.zh}", f"Order {booking.order_no} is cancelled.{back.en}")
        await tell_payer(tx, booking, "booking.cancelled", _CANCELLED, body, now)
    return booking


async def refuse_booking(
    tx: AsyncSession, booking_id: BookingId, *, reason: str, account_id: AccountId, now: datetime
) -> Booking:
    """The hospital cannot do it: full refund (RULE-64). A second refusal answers the first one's outcome.

    Raises BookingStateRefused, VisitAlreadyArrived.
    """
    booking = await queries.lock_booking(tx, booking_id)
    if booking.state is BookingState.REFUSED:
        return booking
    outcome = refusal(await facts_of(tx, booking, now))
    await move(tx, booking, BookingState.REFUSED, actor=ActorKind.DESK, actor_id=account_id, reason=reason, now=now)
    await wind_up(tx, booking, outcome.refund_fen, cause="refused", reason="医院拒单退款", now=now)
    await announce(tx, BookingRefused(booking.id, now))
    title = Words("已拒单", "Booking refused")
    await tell_hospital(tx, booking, "booking.cancelled", title, now=now, reason="hospital-refused")
    body = Words(
        f"很抱歉，医院无法接单：{reason}。订单 {booking.order_no} 全额 {yuan(outcome.refund_fen)} 将原路退回。",
        f"We are sorry, the hospital cannot take it: {reason}. Order {booking.order_no}: all of {yuan(outcome.refund_fen)} goes "
        "back to your WeChat.",
    )
    await tell_payer(tx, booking, "booking.refused", Words("医院未能接单", "Not accepted"), body, now)
    return booking


async def end_unsigned(
    tx: AsyncSession, booking: Booking, *, arrived_at: datetime, reason: str, account_id: AccountId, now: datetime
) -> Cancellation:
    """The patient's side refused to sign at the door; told downward by `visits`, which holds the booking's row lock.

    The call-out is kept, the rest goes back (RULE-65); both sides are told. Raises BookingStateRefused.
    """
    outcome = unsigned(await facts_of(tx, booking, now), arrived_at)
    words = f"患者拒绝签署知情同意书：{reason}"[:200]
    await move(tx, booking, BookingState.CANCELLED, actor=ActorKind.CLINICIAN, actor_id=account_id, reason=words, now=now)
    await wind_up(tx, booking, outcome.refund_fen, cause="unsigned", reason="未签署知情同意书退款", now=now)
    if outcome.kept_fen:
        await earn(tx, booking, now=now)
    await announce(tx, BookingCancelled(booking.id, now))
    title = Words("患者拒绝签署，服务结束", "Ended: nobody would sign")
    await tell_hospital(tx, booking, "booking.cancelled", title, now=now, reason="agreement-refused")
    kept = Words(
        f"保留上门费与交通费 {yuan(outcome.kept_fen)}，{yuan(outcome.refund_fen)} 将原路退回",
        f"the call-out of {yuan(outcome.kept_fen)} is kept, {yuan(outcome.refund_fen)} goes back to your WeChat",
    )
    body = Words(
        f"因未签署知情同意书，本次服务已结束（订单 {booking.order_no}）：{kept.zh}。如有异议请联系医院。",
        f"The consent was not signed, so the visit has ended (order {booking.order_no}): {kept.en}. Ask the hospital if you disagree.",
    )
    await tell_payer(tx, booking, "booking.unsigned", Words("服务已结束", "The visit has ended"), body, now)
    return outcome


async def expire_booking(begin: Begin, booking_id: BookingId, *, now: datetime) -> None:
    """The job at the end of a hold: writes down what is already true at read time and gives the place back."""
    async with begin() as tx:
        booking = await queries.lock_booking(tx, booking_id)
        if booking.state is not BookingState.HELD:
            return
        if now < booking.hold_until:
            raise outbox.Again(booking.hold_until - now)
        await move(tx, booking, BookingState.EXPIRED, actor=ActorKind.SYSTEM, reason="超时未支付", now=now)
        body = Words(
            f"订单 {booking.order_no} 未在规定时间内支付，号源已释放。",
            f"Order {booking.order_no} was not paid in time; its place is free again.",
        )
        await tell_payer(tx, booking, "booking.expired", Words("预约已过期", "Booking lapsed"), body, now)


async def earn(tx: AsyncSession, booking: Booking, *, now: datetime) -> None:
    """Fix the shares of what the hospital keeps: the visit was confirmed, or a cancellation kept a fee (RULE-65, 70)."""
    if booking.payment_id is None:
        return
    policy = Policy.of(booking.policy)
    await settlements.accrue(
        tx, subject_id=booking.id, payment_id=booking.payment_id, hospital_id=booking.hospital_id,
        default_bp=policy.platform_rate_bp, window=timedelta(days=policy.release_after_days), now=now,
    )  # fmt: skip


async def wind_up(tx: AsyncSession, booking: Booking, refund: Fen, *, cause: str, reason: str, now: datetime) -> None:
    """Give the place back, and the money; nobody may see the patient by right of this booking any more."""
    await grants.close_grants(tx, basis=Basis.BOOKING, subject=booking.id, now=now)
    await schedules.release_claim(tx, booking.claim_id, now=now)
    if refund and booking.payment_id is not None:
        await settlements.refund(tx, booking.payment_id, refund, cause=cause, reason=reason, now=now)
        booking.refund_due_fen = Fen(booking.refund_due_fen + refund)
