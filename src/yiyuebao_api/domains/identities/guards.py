"""Who may see a submission."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from yiyuebao_api.domains.accounts.guards import Patient
from yiyuebao_api.domains.identities import queries
from yiyuebao_api.domains.identities.models import Identity
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import IdentityId


async def access_identity(caller: Patient, identity_id: IdentityId, tx: Tx) -> Identity:
    """Raises NotFound."""
    return await queries.require_own_identity(tx, caller.account_id, identity_id)


OwnIdentity = Annotated[Identity, Depends(access_identity)]
