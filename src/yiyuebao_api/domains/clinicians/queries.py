"""Named selects over clinicians."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind, ClinicianState
from yiyuebao_api.kernel.ids import AccountId, ClinicianId, HospitalId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound


async def require_clinician(tx: AsyncSession, clinician_id: ClinicianId) -> Clinician:
    """Of any hospital, in any state. Raises NotFound."""
    clinician = await tx.get(Clinician, clinician_id)
    if clinician is None:
        raise NotFound
    return clinician


async def require_clinician_of(tx: AsyncSession, hospital_id: HospitalId, clinician_id: ClinicianId) -> Clinician:
    """Staff of that hospital, in any state; another hospital's is not there. Raises NotFound."""
    clinician = await require_clinician(tx, clinician_id)
    if clinician.hospital_id != hospital_id:
        raise NotFound
    return clinician


async def require_verified(tx: AsyncSession, clinician_id: ClinicianId) -> Clinician:
    """Somebody patients may see. Raises NotFound."""
    clinician = await require_clinician(tx, clinician_id)
    if clinician.state is not ClinicianState.VERIFIED:
        raise NotFound
    return clinician


async def clinician_of_account(tx: AsyncSession, account_id: AccountId, hospital_id: HospitalId) -> Clinician | None:
    """What an account is at a hospital."""
    mine = select(Clinician).where(Clinician.account_id == account_id, Clinician.hospital_id == hospital_id)
    return (await tx.scalars(mine)).one_or_none()


async def lock_clinician(tx: AsyncSession, clinician_id: ClinicianId) -> Clinician:
    """The clinician's row, locked for changes of state and for assignments of visits. Raises NotFound."""
    locked = select(Clinician).where(Clinician.id == clinician_id).with_for_update()
    clinician = (await tx.scalars(locked.execution_options(populate_existing=True))).one_or_none()
    if clinician is None:
        raise NotFound
    return clinician


async def lock_person(tx: AsyncSession, account_id: AccountId) -> Sequence[Clinician]:
    """Everything one person is, at any hospital, locked in key order: somebody is sent, and they have one body (RULE-45)."""
    locked = select(Clinician).where(Clinician.account_id == account_id).order_by(Clinician.id).with_for_update()
    return (await tx.scalars(locked.execution_options(populate_existing=True))).all()


async def list_staff(
    tx: AsyncSession, hospital_id: HospitalId, paging: Paging, *, state: ClinicianState | None = None,
    kind: ClinicianKind | None = None,
) -> Sequence[Clinician]:  # fmt: skip
    """A hospital's staff, newest first, one more than asked."""
    statement = select(Clinician).where(Clinician.hospital_id == hospital_id)
    if state is not None:
        statement = statement.where(Clinician.state == state)
    if kind is not None:
        statement = statement.where(Clinician.kind == kind)
    return (await tx.scalars(newest_first(statement, Clinician.id, ClinicianId, paging))).all()


async def list_by_state(tx: AsyncSession, paging: Paging, *, state: ClinicianState) -> Sequence[Clinician]:
    """Everybody in one state, newest first, one more than asked: the operator's queue."""
    statement = select(Clinician).where(Clinician.state == state)
    return (await tx.scalars(newest_first(statement, Clinician.id, ClinicianId, paging))).all()
