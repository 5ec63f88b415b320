"""Named selects over grants, and over the audit as a patient's side sees it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.grants.models import Grant
from yiyuebao_api.domains.grants.rules import Scope
from yiyuebao_api.domains.hospitals.models import DeskMember, Hospital
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.ids import AccountId, AuditId, ClinicianId, GrantId, HospitalId, Id, PatientId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound

Grantee = ClinicianId | HospitalId


def _is_open(now: datetime) -> ColumnElement[bool]:
    return and_(
        Grant.revoked_at.is_(None), Grant.from_at <= now, or_(Grant.until_at.is_(None), Grant.until_at > now)
    )


async def has_grant(
    tx: AsyncSession, patient_id: PatientId, grantee: Grantee, scope: Scope, now: datetime, *,
    subject: Id | None = None,
) -> bool:  # fmt: skip
    """Whether the grantee may see that much of the patient now; with `subject`, by that booking or consultation alone."""
    found = select(Grant.id).where(Grant.patient_id == patient_id, Grant.grantee == str(grantee), Grant.scope == scope)
    if subject is not None:
        found = found.where(Grant.subject == str(subject))
    return (await tx.scalars(found.where(_is_open(now)).limit(1))).one_or_none() is not None


async def require_grant(
    tx: AsyncSession, patient_id: PatientId, grantee: Grantee, scope: Scope, now: datetime, *,
    subject: Id | None = None,
) -> None:  # fmt: skip
    """Raises NotFound: what somebody may not see is not there."""
    if not await has_grant(tx, patient_id, grantee, scope, now, subject=subject):
        raise NotFound


async def granted_among(
    tx: AsyncSession, subjects: Collection[Id], grantee: Grantee, scope: Scope, now: datetime
) -> set[str]:
    """Of which of these subjects the grantee may see that much now: one select for a whole page."""
    if not subjects:
        return set()
    found = select(Grant.subject).where(
        Grant.subject.in_([str(each) for each in subjects]), Grant.grantee == str(grantee), Grant.scope == scope
    )
    return set(await tx.scalars(found.where(_is_open(now))))


async def list_grants(
    tx: AsyncSession, account_id: AccountId, paging: Paging, *, patient_id: PatientId | None, only_open: bool, now: datetime
) -> Sequence[Grant]:
    """Grants on the patients of an account, newest first, one more than asked."""
    mine = select(Grant).join(Patient, Patient.id == Grant.patient_id).where(Patient.account_id == account_id)
    if patient_id is not None:
        mine = mine.where(Grant.patient_id == patient_id)
    if only_open:
        mine = mine.where(_is_open(now))
    return (await tx.scalars(newest_first(mine, Grant.id, GrantId, paging))).all()


async def require_own_grant(tx: AsyncSession, account_id: AccountId, grant_id: GrantId) -> Grant:
    """A grant on one of the account's patients. Raises NotFound."""
    mine = select(Grant).join(Patient, Patient.id == Grant.patient_id)
    found = (await tx.scalars(mine.where(Grant.id == grant_id, Patient.account_id == account_id))).one_or_none()
    if found is None:
        raise NotFound
    return found


async def lock_grant(tx: AsyncSession, grant_id: GrantId) -> Grant:
    """The grant's row, locked."""
    locked = select(Grant).where(Grant.id == grant_id).with_for_update().execution_options(populate_existing=True)
    return (await tx.scalars(locked)).one()


async def list_looks(
    tx: AsyncSession, patient_id: PatientId, owner: AccountId, paging: Paging
) -> Sequence[AuditEntry]:
    """Audit rows about a patient that are somebody else's deeds, newest first, one more than asked."""
    looks = select(AuditEntry).where(
        AuditEntry.patient_id == patient_id, or_(AuditEntry.actor_id.is_(None), AuditEntry.actor_id != owner)
    )
    return (await tx.scalars(newest_first(looks, AuditEntry.id, AuditId, paging))).all()


async def names_of_hospitals(tx: AsyncSession, ids: Collection[HospitalId]) -> dict[HospitalId, str]:
    if not ids:
        return {}
    found = await tx.execute(select(Hospital.id, Hospital.name).where(Hospital.id.in_(ids)))
    return {row.id: row.name for row in found}


async def names_of_clinicians(tx: AsyncSession, ids: Collection[ClinicianId]) -> dict[ClinicianId, tuple[str, HospitalId]]:
    """Whole names and where they work."""
    if not ids:
        return {}
    found = await tx.execute(select(Clinician.id, Clinician.name, Clinician.hospital_id).where(Clinician.id.in_(ids)))
    return {clinician_id: (name, hospital_id) for clinician_id, name, hospital_id in found}


async def names_of_staff(
    tx: AsyncSession, who: Collection[tuple[AccountId, HospitalId]]
) -> dict[tuple[AccountId, HospitalId], str]:
    """Whole names by account and hospital, of clinicians and of a desk's people."""
    if not who:
        return {}
    desks = await tx.execute(
        select(DeskMember.account_id, DeskMember.hospital_id, DeskMember.name).where(
            tuple_(DeskMember.account_id, DeskMember.hospital_id).in_(who)
        )
    )
    found = await tx.execute(
        select(Clinician.account_id, Clinician.hospital_id, Clinician.name).where(
            tuple_(Clinician.account_id, Clinician.hospital_id).in_(who)
        )
    )
    return {(account_id, hospital_id): name for account_id, hospital_id, name in [*desks, *found]}
