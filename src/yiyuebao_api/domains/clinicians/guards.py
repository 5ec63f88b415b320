"""Whose certificate it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from yiyuebao_api.domains.accounts.guards import Member
from yiyuebao_api.domains.clinicians.models import Qualification
from yiyuebao_api.domains.clinicians.queries import require_qualification_of
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import QualificationId


async def access_own_qualification(qualification_id: QualificationId, caller: Member, tx: Tx) -> Qualification:
    """A certificate of the caller's own file, in whatever mode they are signed in: before the first verification
    that is the patient mode."""
    return await require_qualification_of(tx, caller.account_id, qualification_id)


OwnQualification = Annotated[Qualification, Depends(access_own_qualification)]
