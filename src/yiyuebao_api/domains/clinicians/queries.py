"""Named selects over clinicians."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import bindparam, or_, select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians.models import (
    AdverseRecord,
    CertificateNumber,
    Clinician,
    ClinicianKind,
    ClinicianState,
    Qualification,
)
from yiyuebao_api.domains.clinicians.rules import QualificationKind, QualificationState, Qualified
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.kernel.ids import AccountId, ClinicianId, HospitalId, QualificationId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.reading import Asks, Read, every_of


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


async def require_clinician_of_account(
    tx: AsyncSession, account_id: AccountId, clinician_id: ClinicianId
) -> Clinician:
    """What the account is at some hospital, in any state. Raises NotFound."""
    clinician = await require_clinician(tx, clinician_id)
    if clinician.account_id != account_id:
        raise NotFound
    return clinician


async def list_clinicians_of_account(tx: AsyncSession, account_id: AccountId) -> Sequence[Clinician]:
    """Everything one person is, at any hospital, first registered first."""
    mine = select(Clinician).where(Clinician.account_id == account_id).order_by(Clinician.id)
    return (await tx.scalars(mine)).all()


async def adverse_records_of(tx: AsyncSession, account_id: AccountId) -> Sequence[AdverseRecord]:
    """What was ever recorded against a person, oldest first (RULE-28)."""
    found = select(AdverseRecord).where(AdverseRecord.account_id == account_id).order_by(AdverseRecord.id)
    return (await tx.scalars(found)).all()


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


_VERIFIED = Read(
    select(*Clinician.__table__.columns)
    .where(
        Clinician.hospital_id == bindparam("hospital_id"), Clinician.state == ClinicianState.VERIFIED,
        Clinician.sex == bindparam("sex"),
    )
    .order_by(Clinician.id)
)  # fmt: skip


async def list_verified_of(asks: Asks, hospital_id: HospitalId, sex: Sex) -> Sequence[Qualified]:
    """A hospital's verified staff of one sex; whether each may be sent on some day is the caller's question."""
    return await every_of(asks, _VERIFIED, hospital_id=hospital_id, sex=sex)


async def list_by_state(tx: AsyncSession, paging: Paging, *, state: ClinicianState) -> Sequence[Clinician]:
    """Everybody in one state, newest first, one more than asked: the operator's queue."""
    statement = select(Clinician).where(Clinician.state == state)
    return (await tx.scalars(newest_first(statement, Clinician.id, ClinicianId, paging))).all()


# ── certificates ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def require_qualification(tx: AsyncSession, paper_id: QualificationId) -> Qualification:
    """Anybody's. Raises NotFound."""
    paper = await tx.get(Qualification, paper_id)
    if paper is None:
        raise NotFound
    return paper


async def require_qualification_of(
    tx: AsyncSession, account_id: AccountId, paper_id: QualificationId
) -> Qualification:
    """A certificate of one of the account's own files. Raises NotFound."""
    paper = await require_qualification(tx, paper_id)
    await require_clinician_of_account(tx, account_id, paper.clinician_id)
    return paper


async def lock_qualification(tx: AsyncSession, paper_id: QualificationId) -> Qualification:
    """The certificate's row, locked; lock its clinician first. Raises NotFound."""
    locked = select(Qualification).where(Qualification.id == paper_id).with_for_update()
    paper = (await tx.scalars(locked.execution_options(populate_existing=True))).one_or_none()
    if paper is None:
        raise NotFound
    return paper


async def list_qualifications_of(
    tx: AsyncSession, account_id: AccountId, paging: Paging
) -> Sequence[Qualification]:
    """The certificates of a person's files, newest first, one more than asked."""
    mine = select(Qualification).join(Clinician, Clinician.id == Qualification.clinician_id)
    mine = mine.where(Clinician.account_id == account_id)
    return (await tx.scalars(newest_first(mine, Qualification.id, QualificationId, paging))).all()


async def list_qualifications(
    tx: AsyncSession, paging: Paging, *, state: QualificationState
) -> Sequence[Qualification]:
    """Certificates in one state, newest first, one more than asked: the operator's queue."""
    found = select(Qualification).where(Qualification.state == state)
    return (await tx.scalars(newest_first(found, Qualification.id, QualificationId, paging))).all()


async def lock_number(tx: AsyncSession, kind: QualificationKind, number_index: bytes, now: datetime) -> None:
    """Whoever asks next whose number it is waits until this transaction has ended."""
    row = insert(CertificateNumber).values(kind=kind, number_index=number_index, since=now)
    await tx.execute(row.on_duplicate_key_update(since=CertificateNumber.since))


async def is_number_of_another(tx: AsyncSession, paper: Qualification, account_id: AccountId) -> bool:
    """Whether an approved certificate of another person has the same number."""
    theirs = (
        select(Qualification.id)
        .join(Clinician, Clinician.id == Qualification.clinician_id)
        .where(
            Qualification.number_index == paper.number_index, Qualification.kind == paper.kind,
            Qualification.state == QualificationState.APPROVED, Clinician.account_id != account_id,
        )
    )  # fmt: skip
    return await tx.scalar(theirs.limit(1)) is not None


async def lock_approved(
    tx: AsyncSession, clinician_id: ClinicianId, kind: QualificationKind
) -> Sequence[Qualification]:
    """The certificates of a kind that count now, locked; lock the clinician first."""
    found = select(Qualification).where(
        Qualification.clinician_id == clinician_id, Qualification.kind == kind,
        Qualification.state == QualificationState.APPROVED,
    )  # fmt: skip
    return (await tx.scalars(found.order_by(Qualification.id).with_for_update())).all()


async def list_expiring(
    tx: AsyncSession, until: date, *, verified_before: datetime, after: ClinicianId | None, limit: int
) -> Sequence[ClinicianId]:
    """Who can be sent and has something that ends by that day, or was verified long ago; in key order."""
    ending = or_(
        Clinician.licence_valid_until <= until, Clinician.liability_until <= until,
        Clinician.malpractice_until <= until, Clinician.accident_until <= until,
        Clinician.verified_at <= verified_before,
    )  # fmt: skip
    found = select(Clinician.id).where(Clinician.state == ClinicianState.VERIFIED, ending)
    if after is not None:
        found = found.where(Clinician.id > after)
    return (await tx.scalars(found.order_by(Clinician.id).limit(limit))).all()
