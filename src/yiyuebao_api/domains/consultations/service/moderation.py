"""Reports, blocks, ratings, and what the operator decides; nothing that was said is ever deleted (RULE-82, RULE-86)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.queries import lock_account
from yiyuebao_api.domains.consultations import queries
from yiyuebao_api.domains.consultations.models import Block, Consultation, Flag, Rating
from yiyuebao_api.domains.consultations.problems import AlreadyRated, ConsultationStateRefused, FlagAlreadyDecided
from yiyuebao_api.domains.consultations.rules import ConsultState, FlagKind, FlagState
from yiyuebao_api.domains.consultations.service.messages import withhold
from yiyuebao_api.kernel.ids import AccountId, ConsultationFlagId, MessageId


async def report(
    tx: AsyncSession, consultation: Consultation, reporter: AccountId, *, rule: str, words: str | None,
    message_id: MessageId | None, now: datetime,
) -> Flag:  # fmt: skip
    """One of the two asks for a look; the same complaint again, while it waits, is the same flag.

    Locks the consultation. Raises NotFound for a message of another consultation.
    """
    message = await queries.require_message(tx, consultation.id, message_id) if message_id is not None else None
    seq = message.seq if message else None
    await queries.lock_consultation(tx, consultation.id)
    if known := await queries.find_open_report(tx, consultation.id, reporter, rule, seq):
        return known
    flag = Flag(
        id=ConsultationFlagId.new(), consultation_id=consultation.id, seq=seq,
        kind=FlagKind.REPORT, rule=rule, words=words, reporter_id=reporter, state=FlagState.OPEN, decided_by=None,
        decision=None, decided_at=None, created_at=now,
    )  # fmt: skip
    tx.add(flag)
    await tx.flush()
    return flag


async def decide_flag(
    tx: AsyncSession, flag_id: ConsultationFlagId, *, uphold: bool, decision: str, operator: AccountId, now: datetime
) -> Flag:
    """What becomes of a flag; an upheld one hides its message from both, behind a tombstone.

    Locks the consultation, then the flag. Raises NotFound, FlagAlreadyDecided.
    """
    found = await queries.require_flag(tx, flag_id)
    consultation = await queries.lock_consultation(tx, found.consultation_id)
    flag = await queries.lock_flag(tx, flag_id)
    if flag.state is not FlagState.OPEN:
        raise FlagAlreadyDecided
    flag.state = FlagState.UPHELD if uphold else FlagState.DISMISSED
    flag.decided_by, flag.decision, flag.decided_at = operator, decision, now
    if uphold and flag.seq is not None:
        await withhold(tx, consultation, flag.seq, now=now)
    await tx.flush()
    return flag


async def block(tx: AsyncSession, account_id: AccountId, other: AccountId, *, now: datetime) -> None:
    """Nothing passes between the two from now on. Twice is once."""
    await lock_account(tx, account_id)
    row = insert(Block).values(account_id=account_id, blocked_id=other, blocked_at=now)
    await tx.execute(row.on_duplicate_key_update(blocked_at=Block.blocked_at))


async def unblock(tx: AsyncSession, account_id: AccountId, other: AccountId) -> None:
    """Take one's own block back; the other's stays."""
    await lock_account(tx, account_id)
    await tx.execute(delete(Block).where(Block.account_id == account_id, Block.blocked_id == other))


async def rate(
    tx: AsyncSession, consultation: Consultation, stars: int, words: str | None, *, now: datetime
) -> Rating:
    """What the patient thought of it, once, when it has ended. Locks the consultation.

    Raises ConsultationStateRefused, AlreadyRated.
    """
    locked = await queries.lock_consultation(tx, consultation.id)
    state = locked.standing(now).state
    if state is not ConsultState.ENDED:
        raise ConsultationStateRefused(state=state.value)
    if await queries.find_rating(tx, locked.id) is not None:
        raise AlreadyRated
    rating = Rating(consultation_id=locked.id, clinician_id=locked.clinician_id, stars=stars, words=words, rated_at=now)
    tx.add(rating)
    await tx.flush()
    return rating
