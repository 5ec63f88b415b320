"""Taking a piece of queued work, and giving it back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.operations import queries
from yiyuebao_api.domains.operations.models import QueueClaim
from yiyuebao_api.domains.operations.problems import ClaimedByAnother
from yiyuebao_api.domains.operations.rules import CLAIMED_FOR, is_free
from yiyuebao_api.kernel.database import is_duplicate
from yiyuebao_api.kernel.ids import AccountId
from yiyuebao_api.kernel.problems import NotFound


async def claim_work(tx: AsyncSession, subject: str, operator: AccountId, *, now: datetime) -> QueueClaim:
    """Keep it for a quarter of an hour; once more prolongs it. Raises NotFound when it waits nowhere, ClaimedByAnother."""
    kind = await queries.require_queue_of(tx, subject)
    claim = await queries.lock_claim(tx, kind, subject)
    if claim is None:
        claim = QueueClaim(
            kind=kind, subject=subject, account_id=operator, claimed_at=now, claimed_until=now + CLAIMED_FOR
        )
        tx.add(claim)
        try:
            await tx.flush()
        except IntegrityError as error:
            if is_duplicate(error):
                raise ClaimedByAnother from None
            raise
        return claim
    if claim.account_id != operator:
        if not is_free(claim.claimed_until, now):
            raise ClaimedByAnother
        claim.account_id, claim.claimed_at = operator, now
    claim.claimed_until = now + CLAIMED_FOR
    return claim


async def release_work(tx: AsyncSession, subject: str, operator: AccountId) -> None:
    """Give it back undecided. Raises NotFound for what the operator does not keep."""
    kind = await queries.require_queue_of(tx, subject)
    claim = await queries.lock_claim(tx, kind, subject)
    if claim is None or claim.account_id != operator:
        raise NotFound
    await tx.delete(claim)
