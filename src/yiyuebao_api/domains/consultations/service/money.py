"""Paying a consultation or an extension, and what happens when the money comes: in time, late, twice, or back."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.queries import openid_of
from yiyuebao_api.domains.clinicians.models import ClinicianState
from yiyuebao_api.domains.clinicians.queries import require_clinician
from yiyuebao_api.domains.consents.queries import require_consents
from yiyuebao_api.domains.consultations import queries
from yiyuebao_api.domains.consultations.models import Consultation, Extension
from yiyuebao_api.domains.consultations.problems import ConsultationNotOffered, FirstVisitRefused
from yiyuebao_api.domains.consultations.rules import Actor, ConsultKind, ConsultState, EndReason, ExtensionState
from yiyuebao_api.domains.consultations.service.course import await_answer, extend, require_standing
from yiyuebao_api.domains.consultations.service.first_visits import check_first_visit
from yiyuebao_api.domains.consultations.service.offers import day_of
from yiyuebao_api.domains.consultations.service.opening import NEEDED_TO_CONSULT
from yiyuebao_api.domains.consultations.service.telling import move, tell_clinician, tell_hospital, tell_patient
from yiyuebao_api.domains.hospitals.queries import require_hospital
from yiyuebao_api.domains.hospitals.rules import is_open
from yiyuebao_api.domains.payments import service as payments
from yiyuebao_api.domains.payments.events import PaymentSucceeded, RefundSucceeded
from yiyuebao_api.domains.payments.models import Payment
from yiyuebao_api.domains.payments.rules import SubjectKind
from yiyuebao_api.domains.settlements import service as settlements
from yiyuebao_api.gateways.payment import Channel, PaymentGateway
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.idempotency import Claim
from yiyuebao_api.kernel.ids import AccountId, ConsultationId, ExtensionId, Id
from yiyuebao_api.kernel.money import Fen, yuan
from yiyuebao_api.kernel.problems import Words
from yiyuebao_api.settings import Business, WeChatPay

log = structlog.get_logger()

KIND_NAMES = {
    ConsultKind.HEALTH_ADVICE: Words("健康咨询", "health advice"),
    ConsultKind.ONLINE_FOLLOW_UP: Words("在线复诊", "online follow-up"),
}
#: A payment may come after the hold lapsed; who left on purpose is not held to it.
_WAITING = (ConsultState.AWAITING_PAYMENT, ConsultState.EXPIRED)


async def pay_consultation(
    begin: Begin, gateway: PaymentGateway, claim: Claim, consultation_id: ConsultationId, *, channel: Channel,
    account_id: AccountId, settings: WeChatPay, now: datetime,
) -> tuple[Payment, dict[str, str]]:  # fmt: skip
    """Record the intent, commit, ask WeChat, and return what the phone needs; a crash resumes with the same number.

    Raises NotFound, ConsultationExpired, ConsultationStateRefused, ConsultationNotOffered (the hospital was suspended
    since), FirstVisitRefused (its pilot is over, RULE-77), ConsentMissing, WeChatNotBound, MerchantMissing,
    PaymentRefused, ProviderDown.
    """
    async with begin() as tx:
        await claim.take(tx, lease=True)
        await queries.require_own(tx, account_id, consultation_id)
        consultation = await queries.lock_consultation(tx, consultation_id)
        require_standing(consultation, now, ConsultState.AWAITING_PAYMENT)
        payable = await _payable(
            tx, consultation, consultation.id, consultation.price_fen, consultation.pay_until, channel, settings, now
        )
        payment = await payments.open_payment(tx, payable, settings, now=now)
    return await payments.prepay(begin, gateway, payment.id)


async def buy_extension(
    begin: Begin, gateway: PaymentGateway, claim: Claim, consultation_id: ConsultationId, *, channel: Channel,
    account_id: AccountId, settings: WeChatPay, business: Business, now: datetime,
) -> tuple[Payment, dict[str, str]]:  # fmt: skip
    """One further piece, with one tap: added when the money is there and it has not ended meanwhile.

    The one that waits for payment is taken up again. Raises as `pay_consultation`.
    """
    async with begin() as tx:
        await claim.take(tx, lease=True)
        await queries.require_own(tx, account_id, consultation_id)
        consultation = await queries.lock_consultation(tx, consultation_id)
        require_standing(consultation, now, ConsultState.ACTIVE)
        extension = await queries.find_asked_extension(tx, consultation_id, now)
        if extension is None:
            terms = consultation.promises
            extension = Extension(
                id=ExtensionId.new(), consultation_id=consultation_id, quantity=terms.piece,
                price_fen=Fen(terms.piece_fen), state=ExtensionState.ASKED,
                pay_until=now + timedelta(minutes=business.hold_minutes), payment_id=None, added_at=None, created_at=now,
            )  # fmt: skip
            tx.add(extension)
            await tx.flush()
        payable = await _payable(
            tx, consultation, extension.id, extension.price_fen, extension.pay_until, channel, settings, now
        )
        payment = await payments.open_payment(tx, payable, settings, now=now)
    return await payments.prepay(begin, gateway, payment.id)


async def _payable(
    tx: AsyncSession, consultation: Consultation, subject_id: Id, amount: Fen, until: datetime, channel: Channel,
    settings: WeChatPay, now: datetime,
) -> payments.Payable:  # fmt: skip
    hospital = await require_hospital(tx, consultation.hospital_id)
    if not is_open(hospital, day_of(now)):
        raise ConsultationNotOffered
    await check_first_visit(tx, consultation, now)
    await require_consents(tx, consultation.account_id, consultation.patient_id, *NEEDED_TO_CONSULT)
    appid = hospital.sub_appid or settings.mini_appid
    openid = await openid_of(tx, consultation.account_id, appid) if channel is Channel.MINI else None
    if openid is None and hospital.sub_appid and channel is Channel.MINI:
        openid = await openid_of(tx, consultation.account_id, settings.mini_appid)
    return payments.Payable(
        kind=SubjectKind.CONSULTATION, subject_id=subject_id, account_id=consultation.account_id,
        hospital_id=consultation.hospital_id, sub_mchid=hospital.sub_mchid, sub_appid=None, amount_fen=amount,
        description=f"医约宝-{_name_of(consultation).zh}", channel=channel, payer_openid=openid, expires_at=until,
    )  # fmt: skip


async def note_payment_succeeded(tx: AsyncSession, event: PaymentSucceeded) -> None:
    """Listener: the money is there. It begins, or the money goes back. Locks the consultation, then its extension."""
    if event.subject_kind is not SubjectKind.CONSULTATION:
        return
    if event.subject_id.startswith(ExtensionId.prefix):
        await _note_extension(tx, ExtensionId.parse(event.subject_id), event)
        return
    consultation = await queries.lock_consultation(tx, ConsultationId.parse(event.subject_id))
    if consultation.payment_id is not None:
        await _give_back(tx, consultation, event, "paid-twice", Words("重复支付退款", "it was paid twice"), counted=False)
        return
    if not await _can_begin(tx, consultation):
        await _give_back(tx, consultation, event, "paid-late", Words("支付过晚退款", "it came too late"), counted=True)
        return
    try:
        await check_first_visit(tx, consultation, event.at, held=True)
    except FirstVisitRefused:
        await _give_back(tx, consultation, event, "pilot-over", Words("首诊试点已结束退款", "the pilot has ended"), counted=True)
        return
    consultation.payment_id, consultation.paid_at = event.payment_id, event.at
    consultation.refund_due_fen = consultation.refunded_fen = Fen(0)  # an earlier payment that went back is not this one's
    await move(tx, consultation, ConsultState.WAITING, actor=Actor.SYSTEM, now=event.at)
    await await_answer(tx, consultation, event.at)
    await _tell_paid(tx, consultation, event.at)


def _name_of(consultation: Consultation) -> Words:
    return Words("在线首诊", "online first visit") if consultation.is_first_visit else KIND_NAMES[consultation.kind]


async def _tell_paid(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    name, number = _name_of(consultation), consultation.order_no
    minutes = consultation.promises.answer_minutes
    body = Words(
        f"{name.zh}，订单 {number}，已支付 {yuan(consultation.price_fen)}，医护人员将在 {minutes} 分钟内回复。",
        f"{name.en}, order {number}: {yuan(consultation.price_fen)} paid; the clinician answers within {minutes} minutes.",
    )
    await tell_patient(tx, consultation, "consultation.paid", Words("支付成功", "Consultation paid"), body, now)
    title = Words("新的咨询", "New consultation")
    body = Words(
        f"您有新的{name.zh}，订单 {number}，请在 {minutes} 分钟内回复。",
        f"A new consultation ({name.en}), order {number}: answer within {minutes} minutes.",
    )
    await tell_clinician(tx, consultation, "consultation.paid", title, body, now)
    order = Words(f"{name.zh} · 订单 {number}", f"{name.en} · order {number}")
    await tell_hospital(tx, consultation, "consultation.paid", title, order, now)


async def _can_begin(tx: AsyncSession, consultation: Consultation) -> bool:
    if consultation.state not in _WAITING or consultation.end_reason not in (None, EndReason.UNPAID, EndReason.PILOT_OVER):
        return False
    if await queries.are_blocked(tx, *consultation.accounts):
        return False
    return (await require_clinician(tx, consultation.clinician_id)).state is ClinicianState.VERIFIED


async def _note_extension(tx: AsyncSession, extension_id: ExtensionId, event: PaymentSucceeded) -> None:
    consultation = await queries.lock_consultation(tx, await queries.consultation_of_extension(tx, extension_id))
    extension = await queries.lock_extension(tx, extension_id)
    if extension.payment_id is not None:
        await _give_back(tx, consultation, event, "paid-twice", Words("重复支付退款", "it was paid twice"), counted=False)
        return
    extension.payment_id = event.payment_id
    if consultation.standing(event.at).state is not ConsultState.ACTIVE:
        extension.state = ExtensionState.RETURNED
        await _give_back(tx, consultation, event, "paid-late", Words("咨询已结束退款", "the consultation was over"), counted=True)
        return
    extension.state, extension.added_at = ExtensionState.PAID, event.at
    await extend(tx, consultation, extension.quantity, event.at)


async def _give_back(
    tx: AsyncSession, consultation: Consultation, event: PaymentSucceeded, cause: str, reason: Words, *, counted: bool
) -> None:
    """This money cannot be used: all of it goes back, and the payer hears why."""
    await settlements.refund(tx, event.payment_id, event.amount_fen, cause=cause, reason=reason.zh, now=event.at)
    if counted:
        consultation.refund_due_fen = Fen(consultation.refund_due_fen + event.amount_fen)
    await tx.flush()
    log.info("payment given back", consultation_id=str(consultation.id), cause=cause)
    body = Words(
        f"订单 {consultation.order_no} 的支付未能使用（{reason.zh}），{yuan(event.amount_fen)} 将原路退回。",
        f"A payment for order {consultation.order_no} could not be used ({reason.en}); {yuan(event.amount_fen)} goes back.",
    )
    await tell_patient(tx, consultation, "payment.returned", Words("款项将退回", "Money comes back"), body, event.at)


async def note_refund_succeeded(tx: AsyncSession, event: RefundSucceeded) -> None:
    """Listener: money arrived back at the payer's."""
    if event.subject_kind is not SubjectKind.CONSULTATION:
        return
    counts = True
    if event.subject_id.startswith(ExtensionId.prefix):
        extension_id = ExtensionId.parse(event.subject_id)
        consultation = await queries.lock_consultation(tx, await queries.consultation_of_extension(tx, extension_id))
        counts = (await queries.lock_extension(tx, extension_id)).payment_id == event.payment_id
    else:
        consultation = await queries.lock_consultation(tx, ConsultationId.parse(event.subject_id))
        counts = consultation.payment_id in (None, event.payment_id)
    if counts:
        consultation.refunded_fen = Fen(consultation.refunded_fen + event.amount_fen)
        await tx.flush()
    body = Words(
        f"订单 {consultation.order_no} 已退款 {yuan(event.amount_fen)}，原路退回您的微信。",
        f"Order {consultation.order_no}: {yuan(event.amount_fen)} refunded, to your WeChat where it came from.",
    )
    await tell_patient(tx, consultation, "refund.succeeded", Words("退款已到账", "Refund arrived"), body, event.at)
