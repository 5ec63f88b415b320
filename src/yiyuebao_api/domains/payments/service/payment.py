"""Asking for money and learning whether it came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.payments import queries, rules
from yiyuebao_api.domains.payments.events import PaymentSucceeded
from yiyuebao_api.domains.payments.models import Payment
from yiyuebao_api.domains.payments.problems import MerchantMissing, PaymentRefused, PaymentWindowClosed, WeChatNotBound
from yiyuebao_api.domains.payments.rules import PaymentState, SubjectKind
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.payment import (
    AlreadyClosed,
    AlreadyPaid,
    Channel,
    Merchant,
    OrderUnknown,
    PaymentGateway,
    Prepay,
    Transaction,
    TransactionState,
)
from yiyuebao_api.kernel import clock, outbox
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import AccountId, HospitalId, Id, PaymentId, new_number
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.problems import ProviderDown
from yiyuebao_api.settings import PaymentMode, WeChatPay

log = structlog.get_logger()

#: WeChat accepts payments until `expires_at`; a minute later nobody can still be typing a password.
CLOSE_AFTER = timedelta(minutes=1)
FIRST_QUERY = timedelta(seconds=15)
_OPEN = (PaymentState.CREATED, PaymentState.PREPAID)
_PAID = (TransactionState.SUCCEEDED, TransactionState.REFUNDED)
#: Not FAILED: that was one try of the payer's, and the order can still be paid until it is closed.
_LOST = (TransactionState.CLOSED, TransactionState.REVOKED)


class ReportMismatch(outbox.GiveUp):
    """WeChat reports an order of ours under other terms than ours: never applied, for a person to look at."""


@dataclass(frozen=True, slots=True)
class Payable:
    """What a domain above asks to be paid; everything in it comes from stored rows."""

    kind: SubjectKind
    subject_id: Id
    account_id: AccountId
    hospital_id: HospitalId
    sub_mchid: str | None
    sub_appid: str | None
    amount_fen: Fen
    description: str
    channel: Channel
    payer_openid: str | None
    expires_at: datetime


async def open_payment(tx: AsyncSession, payable: Payable, settings: WeChatPay, *, now: datetime) -> Payment:
    """Record the intent to collect; the attempt that is still open is taken up again with its number.

    The caller holds the subject's row lock. Asks the outbox to query until the outcome is known and to close what is
    never paid. Raises PaymentWindowClosed, WeChatNotBound, MerchantMissing.
    """
    if payable.expires_at <= now:
        raise PaymentWindowClosed
    if payable.channel is Channel.MINI and payable.payer_openid is None:
        raise WeChatNotBound
    partner = settings.mode is PaymentMode.PARTNER
    if partner and payable.sub_mchid is None:
        raise MerchantMissing
    if known := await queries.find_open_payment(tx, str(payable.subject_id), payable.channel):
        return known
    payment = Payment(
        id=PaymentId.new(), subject_kind=payable.kind, subject_id=str(payable.subject_id), account_id=payable.account_id,
        hospital_id=payable.hospital_id, amount_fen=payable.amount_fen, currency="CNY", description=payable.description,
        channel=payable.channel, appid=settings.mini_appid if payable.channel is Channel.MINI else settings.app_appid,
        mchid=settings.mchid, sub_mchid=payable.sub_mchid if partner else None,
        sub_appid=payable.sub_appid if partner else None,
        payer_openid=payable.payer_openid if payable.channel is Channel.MINI else None, profit_sharing=partner,
        out_trade_no=new_number("P" + now.astimezone(clock.SHANGHAI).strftime("%y%m%d")), prepay_id=None,
        state=PaymentState.CREATED, expires_at=payable.expires_at, transaction_id=None, paid_at=None,
        refunded_fen=Fen(0), created_at=now,
    )  # fmt: skip
    tx.add(payment)
    await outbox.put(tx, "payments.query", payment.id, now=now, run_at=now + FIRST_QUERY)
    await outbox.put(tx, "payments.close", payment.id, now=now, run_at=payable.expires_at + CLOSE_AFTER)
    return payment


async def prepay(begin: Begin, gateway: PaymentGateway, payment_id: PaymentId) -> tuple[Payment, dict[str, str]]:
    """Tell WeChat of a recorded payment and sign what the phone needs.

    Safe to repeat: the number is the payment's own. Raises PaymentRefused, ProviderDown.
    """
    async with begin() as tx:
        payment = await tx.get_one(Payment, payment_id)
    try:
        prepay_id = await gateway.prepay(_order(payment))
    except ProviderUnavailable:
        raise ProviderDown(retry_after=2) from None
    except (AlreadyPaid, AlreadyClosed):
        await _learn(begin, gateway, payment_id)
        raise PaymentRefused from None
    except ProviderRefused as refusal:
        log.warning("prepay refused", payment_id=str(payment_id), provider_code=refusal.code)
        raise PaymentRefused from None
    async with begin() as tx:
        payment = await queries.lock_payment(tx, payment_id)
        payment.prepay_id = prepay_id
        if payment.state is PaymentState.CREATED:
            payment.state = PaymentState.PREPAID
    return payment, gateway.phone_parameters(prepay_id, payment.channel, merchant_of(payment))


async def _learn(begin: Begin, gateway: PaymentGateway, payment_id: PaymentId) -> None:
    """Find out at once what became of an order that cannot be prepaid any more. Raises ProviderDown."""
    try:
        await query_payment(begin, gateway, payment_id, now=clock.now())
    except ProviderUnavailable:
        raise ProviderDown(retry_after=2) from None
    except (ProviderRefused, ReportMismatch) as error:  # the query job meets it too, and shows it to a person
        log.warning("outcome unknown", payment_id=str(payment_id), error=type(error).__name__)


async def query_payment(begin: Begin, gateway: PaymentGateway, payment_id: PaymentId, *, now: datetime) -> PaymentState:
    """Ask WeChat what became of a payment and apply it (P12). Provider errors pass on: the outbox tries again."""
    async with begin() as tx:
        payment = await tx.get_one(Payment, payment_id)
    if payment.state not in _OPEN:
        return payment.state
    report = await gateway.query(payment.out_trade_no, merchant_of(payment))
    async with begin() as tx:
        return await apply_transaction(tx, report, now=now)


async def watch_payment(begin: Begin, gateway: PaymentGateway, payment_id: PaymentId, *, now: datetime) -> None:
    """The job: query until the outcome is known, on a schedule that slows down. Raises outbox.Again."""
    state = await query_payment(begin, gateway, payment_id, now=now)
    if state in _OPEN:
        async with begin() as tx:
            payment = await tx.get_one(Payment, payment_id)
        raise outbox.Again(rules.next_query(payment.created_at, now))


async def close_payment(begin: Begin, gateway: PaymentGateway, payment_id: PaymentId, *, now: datetime) -> None:
    """The job: nobody paid in time, so nobody shall be able to any more. No place waits for this."""
    async with begin() as tx:
        payment = await tx.get_one(Payment, payment_id)
    if payment.state not in _OPEN:
        return
    if now < payment.expires_at + CLOSE_AFTER:
        raise outbox.Again(payment.expires_at + CLOSE_AFTER - now)
    try:
        await gateway.close(payment.out_trade_no, merchant_of(payment))
    except AlreadyPaid:
        await query_payment(begin, gateway, payment_id, now=now)
        return
    except OrderUnknown:
        pass  # prepay never reached WeChat: nobody can pay it either
    async with begin() as tx:
        payment = await queries.lock_payment(tx, payment_id)
        if payment.state in _OPEN:
            payment.state = PaymentState.CLOSED


async def apply_transaction(tx: AsyncSession, report: Transaction, *, now: datetime) -> PaymentState:
    """What WeChat says of an order, by notification or query, applied at most once; returns the payment's state.

    Raises ReportMismatch when it is not ours or not as we asked.
    """
    payment = await queries.lock_payment_by_number(tx, report.out_trade_no)
    if payment is None:
        raise ReportMismatch("no payment has this number")
    if report.state in _PAID:
        await _succeed(tx, payment, report, now)
    elif report.state in _LOST and payment.state in _OPEN:
        payment.state = PaymentState.CLOSED
    return payment.state


async def _succeed(tx: AsyncSession, payment: Payment, report: Transaction, now: datetime) -> None:
    if payment.state is PaymentState.SUCCEEDED and payment.transaction_id == report.transaction_id:
        return
    ours = rules.Terms(
        payment.appid, payment.mchid, payment.sub_mchid, payment.amount_fen, payment.currency, payment.payer_openid
    )
    told = rules.Terms(
        report.appid, report.mchid, report.sub_mchid, report.amount_fen, report.currency, report.payer_openid
    )
    if found := rules.differences(ours, told):
        raise ReportMismatch(f"{payment.id}: WeChat reports other {', '.join(found)}")
    if payment.state is PaymentState.SUCCEEDED or report.transaction_id is None:
        raise ReportMismatch(f"{payment.id}: a second success under another transaction")
    payment.state, payment.transaction_id = PaymentState.SUCCEEDED, report.transaction_id
    payment.paid_at = report.paid_at or now
    await announce(
        tx,
        PaymentSucceeded(
            payment.id, payment.subject_kind, payment.subject_id, payment.hospital_id, payment.amount_fen, now
        ),
    )


def merchant_of(payment: Payment) -> Merchant:
    return Merchant(payment.sub_mchid, payment.sub_appid)


def _order(payment: Payment) -> Prepay:
    return Prepay(
        out_trade_no=payment.out_trade_no, description=payment.description, amount_fen=payment.amount_fen,
        payer_openid=payment.payer_openid, channel=payment.channel, merchant=merchant_of(payment),
        expires_at=payment.expires_at, profit_sharing=payment.profit_sharing,
    )  # fmt: skip
