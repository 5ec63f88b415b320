"""Payments on the wire."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field

from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.payments.rules import PaymentState, RefundState
from yiyuebao_api.gateways.payment import Channel
from yiyuebao_api.kernel.ids import PaymentId, RefundId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.schema import In, Moment, Out, example


class PayIn(In):
    """Where the payer's WeChat opens. Amount, payee and payer are known to the service and cannot be sent."""

    model_config = example(channel="mini")

    channel: Channel


class PrepaidOut(Out):
    """What the phone hands to `wx.requestPayment` (mini) or `uni.requestPayment` (app), as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "payment_id": "pay_01kj4y8x3hf7a9cq2v5b6n8m0t", "channel": "mini", "amount_fen": 19900,
        "expires_at": "2026-11-23T09:15:00+08:00",
        "parameters": {
            "appId": "wx0000000000000001", "timeStamp": "1795395600", "nonceStr": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
            "package": "prepay_id=wx201410272009395522657a690389285100", "signType": "RSA", "paySign": "oR9d8PuhnIc…",
        },
    }]})  # fmt: skip

    payment_id: PaymentId
    channel: Channel
    amount_fen: Fen
    expires_at: Moment
    parameters: dict[str, str] = Field(description="Pass on unchanged; the phone's result is no proof of payment: read the booking.")


class RefundOut(Out):
    """An amount on its way back, or arrived."""

    id: RefundId
    amount_fen: Fen
    state: RefundState
    reason: str
    created_at: Moment
    settled_at: Moment | None


class PaymentOut(Out):
    """One attempt to pay, with what was refunded of it."""

    id: PaymentId
    subject_id: str = Field(description="What is paid for.", examples=["bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"])
    channel: Channel
    amount_fen: Fen
    currency: str = Field(examples=["CNY"])
    state: PaymentState
    paid_at: Moment | None
    refunded_fen: Fen
    refunds: list[RefundOut]
    created_at: Moment

    @classmethod
    def of(cls, payment: Payment, refunds: list[Refund]) -> Self:
        arrived = sum(refund.amount_fen for refund in refunds if refund.state is RefundState.SUCCEEDED)
        return cls(
            id=payment.id, subject_id=payment.subject_id, channel=payment.channel, amount_fen=payment.amount_fen,
            currency=payment.currency, state=payment.state, paid_at=payment.paid_at, refunded_fen=Fen(arrived),
            refunds=[RefundOut.model_validate(refund) for refund in refunds], created_at=payment.created_at,
        )  # fmt: skip
