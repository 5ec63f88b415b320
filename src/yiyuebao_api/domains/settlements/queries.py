"""Named selects of the books."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.settlements.models import Accrual, Entry, FeeRate, Posting
from yiyuebao_api.domains.settlements.rules import LedgerAccount
from yiyuebao_api.kernel.ids import AccrualId, HospitalId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.paging import Paging, newest_first


async def rate_on(tx: AsyncSession, hospital_id: HospitalId, day: date, default_bp: int) -> int:
    """The platform's rate of a hospital on a day, basis points."""
    valid = select(FeeRate.rate_bp).where(FeeRate.hospital_id == hospital_id, FeeRate.valid_from <= day)
    found = (await tx.scalars(valid.order_by(FeeRate.valid_from.desc()).limit(1))).one_or_none()
    return default_bp if found is None else found


async def lock_accrual(tx: AsyncSession, accrual_id: AccrualId) -> Accrual:
    return (await tx.scalars(select(Accrual).where(Accrual.id == accrual_id).with_for_update())).one()


async def lock_accrual_of(tx: AsyncSession, subject_id: str) -> Accrual | None:
    return (await tx.scalars(select(Accrual).where(Accrual.subject_id == subject_id).with_for_update())).one_or_none()


async def list_accruals(tx: AsyncSession, hospital_id: HospitalId | None, paging: Paging) -> Sequence[Accrual]:
    statement = select(Accrual)
    if hospital_id is not None:
        statement = statement.where(Accrual.hospital_id == hospital_id)
    return (await tx.scalars(newest_first(statement, Accrual.id, AccrualId, paging))).all()


async def balances(tx: AsyncSession, hospital_id: HospitalId | None) -> dict[LedgerAccount, Fen]:
    """Every account's balance, recomputed from the entries; of one hospital or of all."""
    statement = select(Entry.account, func.sum(Entry.amount_fen)).group_by(Entry.account)
    if hospital_id is not None:
        statement = statement.where(Entry.hospital_id == hospital_id)
    found = {account: Fen(int(amount)) for account, amount in (await tx.execute(statement)).all()}
    return {account: found.get(account, Fen(0)) for account in LedgerAccount}


async def postings_of(tx: AsyncSession, hospital_id: HospitalId, subject_id: str) -> list[tuple[Posting, list[Entry]]]:
    """What was posted about one booking, in order."""
    found = select(Posting).where(Posting.hospital_id == hospital_id, Posting.subject_id == subject_id).order_by(Posting.id)
    postings = (await tx.scalars(found)).all()
    entries = (await tx.scalars(select(Entry).where(Entry.posting_id.in_([each.id for each in postings])))).all()
    return [(posting, [entry for entry in entries if entry.posting_id == posting.id]) for posting in postings]


async def unbalanced(tx: AsyncSession) -> Sequence[Posting]:
    """Postings that do not add up to zero: always empty, checked by a timer."""
    wrong = select(Entry.posting_id).group_by(Entry.posting_id).having(func.sum(Entry.amount_fen) != 0)
    return (await tx.scalars(select(Posting).where(Posting.id.in_(wrong)))).all()
