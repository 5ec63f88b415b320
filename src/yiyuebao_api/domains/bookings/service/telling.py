"""Moving a booking: the state, its history row, and who is told, in one transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings.models import Booking, BookingMove
from yiyuebao_api.domains.bookings.rules import ActorKind, BookingState, VisitStage, check_move
from yiyuebao_api.domains.notices import service as notices
from yiyuebao_api.domains.partners import service as partners
from yiyuebao_api.kernel.clock import SHANGHAI, in_english
from yiyuebao_api.kernel.ids import AccountId, ClinicianId, RefundId, RowId
from yiyuebao_api.kernel.money import Fen, yuan
from yiyuebao_api.kernel.problems import Words
from yiyuebao_api.kernel.schema import wire_time


async def move(
    tx: AsyncSession, booking: Booking, to: BookingState, *, actor: ActorKind, actor_id: AccountId | None = None,
    reason: str | None = None, stage: VisitStage | None = None, now: datetime,
) -> None:  # fmt: skip
    """The one way a booking changes its state. The caller holds the row's lock. Raises BookingStateRefused."""
    if to is not booking.state:
        check_move(booking.state, to)
    note(tx, booking, booking.state, to, actor=actor, actor_id=actor_id, reason=reason, stage=stage, now=now)
    booking.state = to
    if stage is not None:
        booking.visit_stage = stage
    await tx.flush()


def note(
    tx: AsyncSession, booking: Booking, before: BookingState | None, after: BookingState, *, actor: ActorKind,
    actor_id: AccountId | None, reason: str | None = None, stage: VisitStage | None = None, now: datetime,
) -> None:  # fmt: skip
    """Add a history row."""
    tx.add(move_of(booking, before, after, actor=actor, actor_id=actor_id, reason=reason, stage=stage, now=now))


def move_of(
    booking: Booking, before: BookingState | None, after: BookingState, *, actor: ActorKind,
    actor_id: AccountId | None, reason: str | None = None, stage: VisitStage | None = None, now: datetime,
) -> BookingMove:  # fmt: skip
    """A history row."""
    return BookingMove(
        id=RowId.new(), booking_id=booking.id, from_state=before, to_state=after, stage=stage, actor=actor,
        actor_id=str(actor_id) if actor_id else None, reason=reason, at=now,
    )  # fmt: skip


async def tell_payer(tx: AsyncSession, booking: Booking, kind: str, title: Words, body: Words, now: datetime) -> None:
    """A notice to who booked. No diagnosis, no address: it may show on a lock screen (RULE-158)."""
    await notices.tell_account(tx, booking.account_id, kind, title=title, body=body, subject=booking.id, now=now)


async def tell_hospital(
    tx: AsyncSession, booking: Booking, event: str, title: Words, *, now: datetime, reason: str | None = None,
    clinician_id: ClinicianId | None = None,
) -> None:  # fmt: skip
    """A notice at the desk and an event for the hospital's systems; both exist if and only if the change commits."""
    body = about(booking)
    await notices.tell_hospital(tx, booking.hospital_id, event, title=title, body=body, subject=booking.id, now=now)
    data = {
        "booking_id": booking.id, "order_no": booking.order_no, "service_id": booking.service_id,
        "service_code": booking.service_code, "starts_at": wire_time(booking.starts_at), "place": booking.place.value,
        "state": booking.state.value, "total_fen": booking.total_fen, "clinician_id": clinician_id,
        "refund_due_fen": booking.refund_due_fen, "reason": reason,
    }  # fmt: skip
    await partners.publish(tx, booking.hospital_id, event, data, subject=booking.id, now=now)


async def tell_desk(tx: AsyncSession, booking: Booking, kind: str, title: Words, words: Words, now: datetime) -> None:
    """A notice at the desk alone: nothing about the booking has changed."""
    what = about(booking)
    body = Words(f"{what.zh} · {words.zh}", f"{what.en} · {words.en}")
    await notices.tell_hospital(tx, booking.hospital_id, kind, title=title, body=body, subject=booking.id, now=now)


async def tell_of_refund(tx: AsyncSession, booking: Booking, refund_id: RefundId, amount: Fen, now: datetime) -> None:
    """The refund arrived: desk, systems and payer hear of it."""
    data = {
        "refund_id": refund_id, "booking_id": booking.id, "order_no": booking.order_no, "amount_fen": amount,
        "refunded_fen": booking.refunded_fen, "total_fen": booking.total_fen,
    }  # fmt: skip
    await partners.publish(tx, booking.hospital_id, "refund.succeeded", data, subject=booking.id, now=now)
    body = Words(f"订单 {booking.order_no} 已退款 {yuan(amount)}", f"Order {booking.order_no}: {yuan(amount)} refunded")
    title = Words("退款已到账", "Refund arrived")
    await notices.tell_hospital(tx, booking.hospital_id, "refund.succeeded", title=title, body=body, subject=booking.id, now=now)
    mine = Words(f"{body.zh}，原路退回您的微信。", f"{body.en}, to your WeChat where it came from.")
    await tell_payer(tx, booking, "refund.succeeded", title, mine, now)


def about(booking: Booking) -> Words:
    """What, when and which order, at a desk."""
    start = when(booking)
    return Words(
        f"{booking.service_name} · {start.zh} · 订单 {booking.order_no}",
        f"{booking.service_name} · {start.en} · order {booking.order_no}",
    )


def when(booking: Booking) -> Words:
    """The planned start, for people."""
    return clock_time(booking.starts_at)


def clock_time(at: datetime) -> Words:
    """A moment in China, for people."""
    return Words(at.astimezone(SHANGHAI).strftime("%m月%d日 %H:%M"), in_english(at))
