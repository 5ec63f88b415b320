"""The people an account cares for."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.queries import lock_account
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.patients.problems import (
    IdentityLocked,
    PatientAlreadyListed,
    SelfAlreadyListed,
    TooManyPatients,
)
from yiyuebao_api.domains.patients.queries import count_patients, has_id_number, has_self, id_index, lock_patient
from yiyuebao_api.domains.patients.rules import MAX_PATIENTS, RealName, Relation, read_id_number, require_born
from yiyuebao_api.domains.patients.schemas import PatientIn
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.editing import Precondition
from yiyuebao_api.kernel.ids import AccountId, PatientId
from yiyuebao_api.kernel.schema import e164
from yiyuebao_api.kernel.secrets import blind


async def create_patient(tx: AsyncSession, account_id: AccountId, given: PatientIn, *, now: datetime) -> Patient:
    """Add somebody to the people of an account; whoever adds in parallel waits for the account's row.

    Raises TooManyPatients, SelfAlreadyListed, PatientAlreadyListed, IdNumberInvalid, IdNumberObsolete,
    IdNumberMismatch, BirthDateInFuture.
    """
    await lock_account(tx, account_id)
    if await count_patients(tx, account_id) >= MAX_PATIENTS:
        raise TooManyPatients(most=MAX_PATIENTS)
    patient = Patient(
        id=PatientId.new(), account_id=account_id, real_name=RealName.UNVERIFIED, verified_at=None, version=1,
        created_at=now, deleted_at=None,
    )  # fmt: skip
    await _write(tx, patient, given, today=now.astimezone(SHANGHAI).date())
    tx.add(patient)
    await tx.flush()
    return patient


async def update_patient(
    tx: AsyncSession, account_id: AccountId, patient_id: PatientId, given: PatientIn, *, expected: Precondition,
    now: datetime,
) -> Patient:  # fmt: skip
    """Replace what is known of a patient.

    Raises NotFound, PreconditionFailed, IdentityLocked, and what creating raises.
    """
    await lock_account(tx, account_id)
    patient = await lock_patient(tx, account_id, patient_id)
    expected.require(patient.version)
    before = (patient.name, patient.sex, patient.birth_date, patient.id_no)
    await _write(tx, patient, given, today=now.astimezone(SHANGHAI).date())
    if patient.real_name.fixes_identity and before != (patient.name, patient.sex, patient.birth_date, patient.id_no):
        raise IdentityLocked
    patient.version += 1
    await tx.flush()
    return patient


async def delete_patient(tx: AsyncSession, account_id: AccountId, patient_id: PatientId, *, now: datetime) -> None:
    """Hide a patient from their account; what was done for them stays. Raises NotFound."""
    patient = await lock_patient(tx, account_id, patient_id)
    patient.deleted_at = now


async def mark_verified(tx: AsyncSession, patient_id: PatientId, now: datetime) -> None:
    """The real name was proved by whoever calls (RULE-07); from now on it is fixed."""
    patient = await tx.get_one(Patient, patient_id, with_for_update=True)
    patient.real_name, patient.verified_at = RealName.VERIFIED, now
    patient.version += 1
    await tx.flush()


async def mark_real_name(tx: AsyncSession, patient: Patient, state: RealName) -> None:
    """How far the proof of a locked patient's name has come, when it is not verified; see `mark_verified`."""
    patient.real_name = state
    patient.version += 1
    await tx.flush()


async def _write(tx: AsyncSession, patient: Patient, given: PatientIn, *, today: date) -> None:
    require_born(given.birth_date, today=today)
    with tx.no_autoflush:
        if given.relation is Relation.SELF and await has_self(tx, patient.account_id, patient.id):
            raise SelfAlreadyListed
        patient.id_no = patient.id_index = None
        if given.id_no is not None:
            number = read_id_number(given.id_no, today=today)
            number.require_agreement(given.sex, given.birth_date)
            patient.id_no, patient.id_index = number.text, id_index(number.text)
            if await has_id_number(tx, patient.account_id, patient.id_index, patient.id):
                raise PatientAlreadyListed
    phone = e164(given.phone)
    patient.relation, patient.sex, patient.birth_date = given.relation, given.sex, given.birth_date
    patient.name, patient.name_index = given.name, blind("patients.name", given.name)
    patient.phone, patient.phone_index = phone, blind("patients.phone", phone)
