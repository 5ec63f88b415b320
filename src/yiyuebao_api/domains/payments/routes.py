"""/v1/payments: the payer's view of the money, and where WeChat posts its notifications."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from yiyuebao_api.domains.accounts.guards import Anyone, Patient
from yiyuebao_api.domains.payments import queries, service
from yiyuebao_api.domains.payments.problems import NotificationNotAuthentic
from yiyuebao_api.domains.payments.schemas import PaymentOut
from yiyuebao_api.gateways.payment import Gateway
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions, Tx
from yiyuebao_api.kernel.ids import PaymentId
from yiyuebao_api.kernel.problems import NotFound, refuses

router = APIRouter(prefix="/v1/payments", tags=["payments"])


@router.get("/{payment_id}", summary="查看支付单", responses=refuses(NotFound))
async def read_payment(caller: Patient, payment_id: PaymentId, tx: Tx) -> PaymentOut:
    """One of my payments, with its refunds."""
    payment = await queries.require_payment(tx, caller.account_id, payment_id)
    return PaymentOut.of(payment, list(await queries.list_refunds(tx, payment.id)))

#: What WeChat posts; the resource is encrypted under the merchant's key.
_NOTIFICATION = {
    "type": "object",
    "examples": [{
        "id": "EV-2018022511223320873", "create_time": "2026-11-23T10:34:56+08:00", "resource_type": "encrypt-resource",
        "event_type": "TRANSACTION.SUCCESS", "summary": "支付成功",
        "resource": {
            "algorithm": "AEAD_AES_256_GCM", "ciphertext": "…", "nonce": "fdasflkja484w",
            "associated_data": "transaction", "original_type": "transaction",
        },
    }],
}  # fmt: skip


@router.post(
    "/notifications/wechat", status_code=204, summary="微信支付通知", responses=refuses(NotificationNotAuthentic),
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _NOTIFICATION}}}},
)  # fmt: skip
async def take_wechat_notification(
    _caller: Anyone, request: Request, gateway: Gateway, begin: Transactions, now: Now
) -> Response:
    """Called by WeChat Pay; the raw body is verified, committed and applied exactly once."""
    await service.take_notification(begin, gateway, request.headers, await request.body(), now=now)
    return Response(status_code=204)


ROUTERS = [router]
