"""The end of an account: what may go goes, what must stay is kept for storage only (RULE-147)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.queries import lock_account
from yiyuebao_api.domains.accounts.service import delete_sessions
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import FileState
from yiyuebao_api.domains.privacy import queries
from yiyuebao_api.domains.privacy.holdings import HOLDINGS, SHREDDED, Holding, Person
from yiyuebao_api.domains.privacy.problems import AccountInUse, StaffAccount
from yiyuebao_api.domains.privacy.rules import Fate
from yiyuebao_api.domains.privacy.service.proof import prove
from yiyuebao_api.kernel import audit
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import AccountId
from yiyuebao_api.kernel.tokens import Mode


async def close_account(begin: Begin, account_id: AccountId, code: str, *, now: datetime) -> None:
    """All of it in one transaction; every device is signed out. Raises ProofInvalid, StaffAccount, AccountInUse."""
    await prove(begin, account_id, code, now=now)
    async with begin() as tx:
        await lock_account(tx, account_id)
        if await queries.is_staff(tx, account_id):
            raise StaffAccount
        running = await queries.list_open(tx, account_id, now=now)
        if running:
            raise AccountInUse(open=[{"kind": kind.value, "id": str(each)} for kind, each in running])
        person = await queries.person_of(tx, account_id)
        await delete_sessions(tx, account_id, now=now)
        await _shred(tx, person)
        for each in HOLDINGS:
            await _carry_out(tx, each, person, now)
        audit.note(
            tx, actor=account_id, mode=Mode.PATIENT, action="privacy.close", subject_patient=None, subject=account_id,
            basis="self", now=now,
        )  # fmt: skip
        tx.expire_all()


async def _carry_out(tx: AsyncSession, holding: Holding, person: Person, now: datetime) -> None:
    whose = holding.whose(person)
    if holding.fate is Fate.ERASED:
        await tx.execute(delete(holding.model).where(whose).execution_options(synchronize_session=False))
    elif holding.fate is Fate.EMPTIED and holding.emptied is not None:
        changed = update(holding.model).where(whose).values(**holding.emptied(now))
        await tx.execute(changed.execution_options(synchronize_session=False))


async def _shred(tx: AsyncSession, person: Person) -> None:
    """Without its key a picture is noise at once; the sweep removes the object."""
    gone = update(File).where(File.owner_id == person.account_id, File.purpose.in_(SHREDDED))
    await tx.execute(gone.values(state=FileState.DELETING, data_key="").execution_options(synchronize_session=False))
