"""Named selects over patients and addresses; what was deleted is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.domains.patients.rules import RealName, Relation
from yiyuebao_api.kernel.ids import AccountId, AddressId, PatientId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.secrets import blind

Mine = TypeVar("Mine", Patient, Address)
_FRESH = {"populate_existing": True}


def id_index(id_no: str) -> bytes:
    """By which an ID number in capitals is found."""
    return blind("patients.id_no", id_no)


def require_own(found: Mine | None, account_id: AccountId) -> Mine:
    """A patient or an address that was read, if it is that account's and was not deleted. Raises NotFound."""
    if found is None or found.account_id != account_id or found.deleted_at is not None:
        raise NotFound
    return found


async def require_patient(tx: AsyncSession, account_id: AccountId, patient_id: PatientId) -> Patient:
    """A patient of that account. Raises NotFound for another's and for a deleted one."""
    return require_own(await tx.get(Patient, patient_id), account_id)


async def lock_patient(tx: AsyncSession, account_id: AccountId, patient_id: PatientId) -> Patient:
    """The same, locked. Raises NotFound."""
    locked = select(Patient).where(Patient.id == patient_id).with_for_update().execution_options(**_FRESH)
    return require_own((await tx.scalars(locked)).one_or_none(), account_id)


async def find_verified_self(tx: AsyncSession, account_id: AccountId) -> Patient | None:
    """The account's holder, if their real name is proved."""
    holder = select(Patient).where(
        Patient.account_id == account_id, Patient.relation == Relation.SELF, Patient.deleted_at.is_(None),
        Patient.real_name == RealName.VERIFIED,
    )  # fmt: skip
    return (await tx.scalars(holder.limit(1))).one_or_none()


async def list_patients(tx: AsyncSession, account_id: AccountId, paging: Paging) -> Sequence[Patient]:
    """Newest first, one more than asked."""
    mine = select(Patient).where(Patient.account_id == account_id, Patient.deleted_at.is_(None))
    return (await tx.scalars(newest_first(mine, Patient.id, PatientId, paging))).all()


async def count_patients(tx: AsyncSession, account_id: AccountId) -> int:
    mine = select(func.count()).where(Patient.account_id == account_id, Patient.deleted_at.is_(None))
    return (await tx.scalars(mine)).one()


async def has_self(tx: AsyncSession, account_id: AccountId, but: PatientId | None) -> bool:
    """Whether a patient other than `but` is the account's holder."""
    holder = select(Patient.id).where(
        Patient.account_id == account_id, Patient.relation == Relation.SELF, Patient.deleted_at.is_(None)
    )
    return any(each != but for each in await tx.scalars(holder))


async def has_id_number(tx: AsyncSession, account_id: AccountId, index: bytes, but: PatientId | None) -> bool:
    """Whether a patient of the account other than `but` has that ID number."""
    same = select(Patient.id).where(
        Patient.id_index == index, Patient.account_id == account_id, Patient.deleted_at.is_(None)
    )
    return any(each != but for each in await tx.scalars(same))


async def require_address(tx: AsyncSession, account_id: AccountId, address_id: AddressId) -> Address:
    """An address of that account. Raises NotFound for another's and for a deleted one."""
    return require_own(await tx.get(Address, address_id), account_id)


async def lock_address(tx: AsyncSession, account_id: AccountId, address_id: AddressId) -> Address:
    """The same, locked. Raises NotFound."""
    locked = select(Address).where(Address.id == address_id).with_for_update().execution_options(**_FRESH)
    return require_own((await tx.scalars(locked)).one_or_none(), account_id)


async def list_addresses(tx: AsyncSession, account_id: AccountId, paging: Paging) -> Sequence[Address]:
    """Newest first, one more than asked."""
    mine = select(Address).where(Address.account_id == account_id, Address.deleted_at.is_(None))
    return (await tx.scalars(newest_first(mine, Address.id, AddressId, paging))).all()


async def count_addresses(tx: AsyncSession, account_id: AccountId) -> int:
    mine = select(func.count()).where(Address.account_id == account_id, Address.deleted_at.is_(None))
    return (await tx.scalars(mine)).one()
