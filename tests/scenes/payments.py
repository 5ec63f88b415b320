"""A payment that has succeeded, without the phone and WeChat, for scenes that begin later."""

from __future__ import annotations

from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.payments.models import Payment
from yiyuebao_api.domains.payments.rules import PaymentState, SubjectKind
from yiyuebao_api.gateways.payment import Channel
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import PaymentId, new_number
from yiyuebao_api.kernel.money import Fen


async def make_payment(database: Database, booking: Booking) -> Payment:
    """The payment that `booking.payment_id` names."""
    now = clock.now()
    payment = Payment(
        id=booking.payment_id or PaymentId.new(), subject_kind=SubjectKind.BOOKING, subject_id=str(booking.id),
        account_id=booking.account_id, hospital_id=booking.hospital_id, amount_fen=booking.total_fen, currency="CNY",
        description="医约宝", channel=Channel.MINI, appid="wx0000000000000001", mchid="1900000001",
        sub_mchid="1900000109", sub_appid=None, payer_openid="o-payer", profit_sharing=True,
        out_trade_no=new_number("P261123"), prepay_id=None, state=PaymentState.SUCCEEDED, expires_at=now,
        transaction_id=new_number("4200"), paid_at=now, refunded_fen=Fen(0), created_at=now,
    )  # fmt: skip
    async with database.begin() as tx:
        tx.add(payment)
    return payment
