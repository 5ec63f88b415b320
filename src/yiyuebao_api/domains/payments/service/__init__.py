"""Use cases of payments, by noun: the payment, the refund, the notification."""

from yiyuebao_api.domains.payments.service.notification import APPLIERS, take_notification
from yiyuebao_api.domains.payments.service.payment import (
    Payable,
    close_payment,
    open_payment,
    prepay,
    query_payment,
    watch_payment,
)
from yiyuebao_api.domains.payments.service.refund import carry_out_refund, request_refund

__all__ = [
    "APPLIERS", "Payable", "carry_out_refund", "close_payment", "open_payment", "prepay", "query_payment",
    "request_refund", "take_notification", "watch_payment",
]  # fmt: skip
