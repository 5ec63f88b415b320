"""Paying a booking, and what happens when the money comes: in time, late, twice, or back."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.queries import lock_account, openid_of
from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.problems import BookingExpired
from yiyuebao_api.domains.bookings.rules import ActorKind, BookingState, effective
from yiyuebao_api.domains.bookings.service.ending import require_state
from yiyuebao_api.domains.bookings.service.telling import move, tell_hospital, tell_of_refund, tell_payer, when
from yiyuebao_api.domains.bookings.service.waiting import await_hospital
from yiyuebao_api.domains.catalogue.problems import ServiceNotOffered
from yiyuebao_api.domains.consents.queries import require_consents
from yiyuebao_api.domains.consents.rules import Purpose
from yiyuebao_api.domains.grants import service as grants
from yiyuebao_api.domains.grants.rules import Basis
from yiyuebao_api.domains.hospitals.queries import require_hospital
from yiyuebao_api.domains.hospitals.rules import is_open
from yiyuebao_api.domains.payments import service as payments
from yiyuebao_api.domains.payments.events import PaymentSucceeded, RefundSucceeded
from yiyuebao_api.domains.payments.models import Payment
from yiyuebao_api.domains.payments.rules import SubjectKind
from yiyuebao_api.domains.schedules import service as schedules
from yiyuebao_api.domains.settlements import service as settlements
from yiyuebao_api.gateways.payment import Channel, PaymentGateway
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.idempotency import Claim
from yiyuebao_api.kernel.ids import AccountId, BookingId
from yiyuebao_api.kernel.money import Fen, yuan
from yiyuebao_api.kernel.problems import Words
from yiyuebao_api.settings import WeChatPay

log = structlog.get_logger()

#: A payment may come after the hold lapsed, or while it is being cancelled; its place is then looked for again.
_WAITING = (BookingState.HELD, BookingState.EXPIRED)


async def pay_booking(
    begin: Begin, gateway: PaymentGateway, claim: Claim, booking_id: BookingId, *, channel: Channel,
    account_id: AccountId, settings: WeChatPay, now: datetime,
) -> tuple[Payment, dict[str, str]]:  # fmt: skip
    """Record the intent, commit, ask WeChat, and return what the phone needs.

    A crash anywhere resumes with the same number. Raises NotFound, BookingExpired, BookingStateRefused,
    ServiceNotOffered (the hospital was suspended since), WeChatNotBound, MerchantMissing, PaymentRefused, ProviderDown,
    ConsentMissing (paying tells the hospital).
    """
    async with begin() as tx:
        await claim.take(tx, lease=True)
        await queries.require_own_booking(tx, account_id, booking_id)
        booking = await queries.lock_booking(tx, booking_id)
        if effective(booking.state, booking.hold_until, now) is BookingState.EXPIRED:
            raise BookingExpired
        require_state(booking, (BookingState.HELD,))
        await require_consents(tx, account_id, booking.patient_id, Purpose.SHARE_WITH_HOSPITAL)
        payable = await _payable(tx, booking, channel, settings)
        payment = await payments.open_payment(tx, payable, settings, now=now)
    return await payments.prepay(begin, gateway, payment.id)


async def _payable(tx: AsyncSession, booking: Booking, channel: Channel, settings: WeChatPay) -> payments.Payable:
    hospital = await require_hospital(tx, booking.hospital_id)
    if not is_open(hospital, booking.starts_at.astimezone(clock.SHANGHAI).date()):
        raise ServiceNotOffered
    appid = hospital.sub_appid or settings.mini_appid
    openid = await openid_of(tx, booking.account_id, appid) if channel is Channel.MINI else None
    if openid is None and hospital.sub_appid and channel is Channel.MINI:
        openid = await openid_of(tx, booking.account_id, settings.mini_appid)
    return payments.Payable(
        kind=SubjectKind.BOOKING, subject_id=booking.id, account_id=booking.account_id, hospital_id=booking.hospital_id,
        sub_mchid=hospital.sub_mchid, sub_appid=None, amount_fen=booking.total_fen,
        description=f"医约宝-{booking.service_name}"[:40], channel=channel, payer_openid=openid,
        expires_at=booking.hold_until,
    )  # fmt: skip


async def note_payment_succeeded(tx: AsyncSession, event: PaymentSucceeded) -> None:
    """Listener: the money is there. The place is kept; or taken again if the hold lapsed; or the money goes back.

    Locks the booking, the account, the schedule's day.
    """
    if event.subject_kind is not SubjectKind.BOOKING:
        return None
    booking = await queries.lock_booking(tx, BookingId.parse(event.subject_id))
    if booking.payment_id is not None:
        return await _give_back(tx, booking, event, "paid-twice", Words("重复支付退款", "it was paid twice"), counted=False)
    late = effective(booking.state, booking.hold_until, event.at) is not BookingState.HELD
    if not await _can_keep(tx, booking, event.at):
        return await _give_back(tx, booking, event, "paid-late", Words("支付过晚退款", "it came too late"), counted=True)
    booking.payment_id, booking.paid_at = event.payment_id, event.at
    booking.refund_due_fen = booking.refunded_fen = Fen(0)  # an earlier payment that went back is not this one's
    await grants.open_grant(
        tx, patient_id=booking.patient_id, grantee=booking.hospital_id, basis=Basis.BOOKING, subject=booking.id,
        now=event.at,
    )  # fmt: skip
    reason = "支付较晚，号源仍有，已保留" if late else None
    await move(tx, booking, BookingState.PAID, actor=ActorKind.SYSTEM, reason=reason, now=event.at)
    await await_hospital(tx, booking, now=event.at)
    await tell_hospital(tx, booking, "booking.paid", Words("新预约", "New booking"), now=event.at)
    start = when(booking)
    body = Words(
        f"{booking.service_name}，{start.zh}，订单 {booking.order_no}，已支付 {yuan(booking.total_fen)}。",
        f"{booking.service_name}, {start.en}, order {booking.order_no}: {yuan(booking.total_fen)} paid; the hospital will answer.",
    )
    await tell_payer(tx, booking, "booking.paid", Words("支付成功", "Booked and paid"), body, event.at)
    return None


async def _can_keep(tx: AsyncSession, booking: Booking, now: datetime) -> bool:
    """Take the place for good, unless it is gone or the patient is in another visit by then (B18)."""
    if booking.state not in _WAITING:
        return False
    await lock_account(tx, booking.account_id)
    if await queries.overlaps(tx, booking.patient_id, booking.starts_at, booking.ends_at, now, but=booking.id):
        return False
    return await schedules.keep_claim(tx, booking.claim_id, now=now)


async def _give_back(
    tx: AsyncSession, booking: Booking, event: PaymentSucceeded, cause: str, reason: Words, *, counted: bool
) -> None:
    """The booking cannot use this money: all of it goes back, and the payer hears why."""
    await settlements.refund(tx, event.payment_id, event.amount_fen, cause=cause, reason=reason.zh, now=event.at)
    if counted:
        booking.refund_due_fen = Fen(booking.refund_due_fen + event.amount_fen)
    log.info("payment given back", booking_id=str(booking.id), cause=cause)
    body = Words(
        f"订单 {booking.order_no} 的支付未能使用（{reason.zh}），{yuan(event.amount_fen)} 将原路退回。",
        f"A payment for order {booking.order_no} could not be used ({reason.en}); {yuan(event.amount_fen)} goes back to your WeChat.",
    )
    await tell_payer(tx, booking, "payment.returned", Words("款项将退回", "Money comes back"), body, event.at)


async def note_refund_succeeded(tx: AsyncSession, event: RefundSucceeded) -> None:
    """Listener: money arrived back at the payer's."""
    if event.subject_kind is not SubjectKind.BOOKING:
        return
    booking = await queries.lock_booking(tx, BookingId.parse(event.subject_id))
    if event.payment_id == booking.payment_id or booking.payment_id is None:
        booking.refunded_fen = Fen(booking.refunded_fen + event.amount_fen)
    await tell_of_refund(tx, booking, event.refund_id, event.amount_fen, event.at)
