"""A grant from the path, or 404: one on a patient of the caller's account."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from yiyuebao_api.domains.accounts.guards import Patient
from yiyuebao_api.domains.grants import queries
from yiyuebao_api.domains.grants.models import Grant
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import GrantId


async def access_own_grant(grant_id: GrantId, caller: Patient, tx: Tx) -> Grant:
    """Raises NotFound."""
    return await queries.require_own_grant(tx, caller.account_id, grant_id)


OwnGrant = Annotated[Grant, Depends(access_own_grant)]
