"""Named selects over identities."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.identities.models import Identity
from yiyuebao_api.domains.identities.rules import IdentityState
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.patients.rules import RealName
from yiyuebao_api.kernel.ids import AccountId, IdentityId, PatientId
from yiyuebao_api.kernel.paging import Paging
from yiyuebao_api.kernel.problems import NotFound


async def require_identity(tx: AsyncSession, identity_id: IdentityId) -> Identity:
    """Raises NotFound."""
    found = await tx.get(Identity, identity_id)
    if found is None:
        raise NotFound
    return found


async def require_own_identity(tx: AsyncSession, account_id: AccountId, identity_id: IdentityId) -> Identity:
    """Raises NotFound, for another's too."""
    found = await require_identity(tx, identity_id)
    if found.account_id != account_id:
        raise NotFound
    return found


async def lock_identity(tx: AsyncSession, identity_id: IdentityId) -> Identity:
    """The row, locked. Raises NotFound."""
    wanted = select(Identity).where(Identity.id == identity_id).with_for_update()
    found = (await tx.scalars(wanted.execution_options(populate_existing=True))).one_or_none()
    if found is None:
        raise NotFound
    return found


async def list_undecided(tx: AsyncSession, paging: Paging) -> Sequence[Identity]:
    """Oldest first, one more than asked."""
    wanted = select(Identity).where(Identity.state == IdentityState.SUBMITTED)
    if after := paging.after(IdentityId):
        wanted = wanted.where(Identity.id > after[0])
    return (await tx.scalars(wanted.order_by(Identity.id).limit(paging.limit + 1))).all()


async def is_verified_elsewhere(tx: AsyncSession, index: bytes, but: PatientId, account_id: AccountId) -> bool:
    """Whether another account has a verified patient of that ID number."""
    same = select(Patient.id).where(
        Patient.id_index == index, Patient.id != but, Patient.account_id != account_id,
        Patient.real_name == RealName.VERIFIED, Patient.deleted_at.is_(None),
    )  # fmt: skip
    return (await tx.scalars(same.limit(1))).one_or_none() is not None
