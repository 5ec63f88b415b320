"""Whoever holds a phone that lies on the table has a session, but not the code that was just sent to it."""

from __future__ import annotations

from datetime import datetime

from yiyuebao_api.domains.accounts.queries import phone_of
from yiyuebao_api.domains.accounts.rules import CodePurpose
from yiyuebao_api.domains.accounts.service import try_code
from yiyuebao_api.domains.privacy.problems import ProofInvalid
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import AccountId


async def prove(begin: Begin, account_id: AccountId, code: str, *, now: datetime) -> None:
    """The code works once; a wrong guess is counted whatever follows. Raises ProofInvalid."""
    async with begin() as tx:
        phone = await phone_of(tx, account_id)
        good = phone is not None and await try_code(tx, phone, code, purpose=CodePurpose.PRIVACY, now=now)
    if not good:
        raise ProofInvalid
