"""What becomes of the money at the end: shared like a visit's, or given back whole and once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consultations import queries
from yiyuebao_api.domains.consultations.models import Consultation
from yiyuebao_api.domains.consultations.rules import ExtensionState
from yiyuebao_api.domains.settlements import service as settlements
from yiyuebao_api.kernel.ids import Id, PaymentId
from yiyuebao_api.kernel.money import Fen


async def earn(tx: AsyncSession, consultation: Consultation, *, now: datetime) -> None:
    """It was served: the shares of what was paid are fixed, extensions each for itself (RULE-70).

    Idempotent. The caller holds the row's lock.
    """
    if consultation.payment_id is not None:
        await _accrue(tx, consultation, consultation.id, consultation.payment_id, now)
    for each in await queries.list_extensions(tx, consultation.id):
        if each.state is ExtensionState.PAID and each.payment_id is not None:
            await _accrue(tx, consultation, each.id, each.payment_id, now)


async def _accrue(
    tx: AsyncSession, consultation: Consultation, subject_id: Id, payment_id: PaymentId, now: datetime
) -> None:
    terms = consultation.promises
    await settlements.accrue(
        tx, subject_id=subject_id, payment_id=payment_id, hospital_id=consultation.hospital_id,
        default_bp=terms.platform_rate_bp, window=timedelta(days=terms.release_after_days), now=now,
    )  # fmt: skip


async def give_all_back(
    tx: AsyncSession, consultation: Consultation, *, cause: str, reason: str, now: datetime
) -> None:
    """Everything that was paid and is not promised back yet, extensions included. The caller holds the row's lock."""
    left = Fen(consultation.price_fen - consultation.refund_due_fen)
    if consultation.payment_id is not None and left > 0:
        await settlements.refund(tx, consultation.payment_id, left, cause=cause, reason=reason, now=now)
        consultation.refund_due_fen = Fen(consultation.refund_due_fen + left)
    for each in await queries.list_extensions(tx, consultation.id):
        if each.state is ExtensionState.PAID and each.payment_id is not None:
            await settlements.refund(tx, each.payment_id, each.price_fen, cause=cause, reason=reason, now=now)
            each.state = ExtensionState.RETURNED
            consultation.refund_due_fen = Fen(consultation.refund_due_fen + each.price_fen)
    await tx.flush()
