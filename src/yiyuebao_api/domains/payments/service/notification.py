"""Hearing of payments and refunds: verify, commit to the inbox, apply once, answer within five seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.payments.problems import NotificationNotAuthentic
from yiyuebao_api.domains.payments.service.payment import apply_transaction
from yiyuebao_api.domains.payments.service.refund import apply_refund
from yiyuebao_api.gateways.payment import NotificationKind, PaymentGateway, RefundReport, Transaction
from yiyuebao_api.kernel import clock, inbox
from yiyuebao_api.kernel.database import Begin

log = structlog.get_logger()

_TRANSACTION, _REFUND = TypeAdapter(Transaction), TypeAdapter(RefundReport)
#: WeChat waits five seconds; what is not applied by then the outbox applies.
APPLY_WITHIN_S = 3.0


async def take_notification(
    begin: Begin, gateway: PaymentGateway, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> None:
    """Raises NotificationNotAuthentic. Once this returns, the message is committed and will be applied."""
    said = gateway.read_notification(headers, body)
    if said is None:
        raise NotificationNotAuthentic
    report = said.transaction if said.kind is NotificationKind.TRANSACTION else said.refund
    assert report is not None
    content = TypeAdapter(type(report)).dump_python(report, mode="json")
    row_id = await inbox.receive(begin, f"wechat.{said.kind}", said.id, content, now=now)
    try:
        async with asyncio.timeout(APPLY_WITHIN_S):
            await inbox.apply(begin, row_id, APPLIERS, now=now)
    except Exception as error:
        # Committed already: the outbox applies it, or shows it among the dead letters. WeChat need not repeat it.
        log.warning("notification left to the outbox", inbox_id=str(row_id), error=type(error).__name__)


async def _apply_transaction(tx: AsyncSession, content: Mapping[str, Any]) -> None:
    await apply_transaction(tx, _TRANSACTION.validate_python(content), now=clock.now())


async def _apply_refund(tx: AsyncSession, content: Mapping[str, Any]) -> None:
    await apply_refund(tx, _REFUND.validate_python(content), now=clock.now())


APPLIERS: Mapping[str, inbox.Applier] = {
    "wechat.transaction": _apply_transaction,
    "wechat.refund": _apply_refund,
}
