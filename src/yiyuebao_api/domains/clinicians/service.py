"""What desks and the operator can do with clinicians."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts import service as accounts
from yiyuebao_api.domains.clinicians import queries, rules
from yiyuebao_api.domains.clinicians.events import StaffChanged
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState
from yiyuebao_api.domains.clinicians.problems import (
    ClinicianAlreadyRegistered,
    ClinicianUnqualified,
    TitleOfOtherKind,
)
from yiyuebao_api.domains.clinicians.schemas import ClinicianFileIn, ClinicianIn
from yiyuebao_api.domains.hospitals.queries import require_hospital
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import is_duplicate
from yiyuebao_api.kernel.editing import Precondition
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import ClinicianId, HospitalId
from yiyuebao_api.kernel.schema import e164
from yiyuebao_api.kernel.tokens import Mode


def day_of(now: datetime) -> date:
    """The Shanghai day of a moment."""
    return now.astimezone(clock.SHANGHAI).date()


async def register_clinician(
    tx: AsyncSession, hospital_id: HospitalId, body: ClinicianIn, *, now: datetime
) -> Clinician:
    """A nurse or doctor of this hospital, known by phone number; a draft until the operator has verified it.

    Raises TitleOfOtherKind, ClinicianAlreadyRegistered.
    """
    _check_title(body)
    await require_hospital(tx, hospital_id)
    account = await accounts.ensure_account(tx, e164(body.phone), now=now)
    clinician = Clinician(
        id=ClinicianId.new(), account_id=account.id, hospital_id=hospital_id, state=ClinicianState.DRAFT, reason=None,
        verified_at=None, version=1, created_at=now, **_file(body),
    )  # fmt: skip
    tx.add(clinician)
    try:
        await tx.flush()
    except IntegrityError as error:
        if is_duplicate(error, "uq_clinician_account_id_hospital_id"):
            raise ClinicianAlreadyRegistered from None
        raise
    return clinician


async def edit_clinician(
    tx: AsyncSession, hospital_id: HospitalId, clinician_id: ClinicianId, body: ClinicianFileIn,
    expected: Precondition, *, now: datetime,
) -> Clinician:  # fmt: skip
    """Replace a file; it must be verified again and cannot be sent meanwhile. Raises ClinicianStateRefused."""
    _check_title(body)
    clinician = await _locked_of(tx, hospital_id, clinician_id)
    expected.require(clinician.version)
    if clinician.state is not ClinicianState.DRAFT:
        rules.check_move(clinician.state, ClinicianState.DRAFT)
    if clinician.state is ClinicianState.VERIFIED:
        await _revoke(tx, clinician, now)
    for name, value in _file(body).items():
        setattr(clinician, name, value)
    was_verified = clinician.state is ClinicianState.VERIFIED
    _move(clinician, ClinicianState.DRAFT, None)
    if was_verified:
        await _announce(tx, clinician)
    return clinician


async def submit_clinician(tx: AsyncSession, hospital_id: HospitalId, clinician_id: ClinicianId) -> Clinician:
    """Ask the operator to verify. Raises ClinicianStateRefused."""
    clinician = await _locked_of(tx, hospital_id, clinician_id)
    rules.check_move(clinician.state, ClinicianState.SUBMITTED)
    _move(clinician, ClinicianState.SUBMITTED, None)
    return clinician


async def suspend_clinician_of(
    tx: AsyncSession, hospital_id: HospitalId, clinician_id: ClinicianId, reason: str, *, now: datetime
) -> Clinician:
    """The hospital takes its own staff out of service at once. Raises ClinicianStateRefused."""
    return await _suspend(tx, await _locked_of(tx, hospital_id, clinician_id), reason, now)


async def suspend_clinician(tx: AsyncSession, clinician_id: ClinicianId, reason: str, *, now: datetime) -> Clinician:
    """The operator takes somebody out of service at once (RULE-28). Raises ClinicianStateRefused."""
    return await _suspend(tx, await queries.lock_clinician(tx, clinician_id), reason, now)


async def verify_clinician(tx: AsyncSession, clinician_id: ClinicianId, *, now: datetime) -> Clinician:
    """The operator has checked the file: the clinician mode is granted, for this hospital.

    Raises ClinicianStateRefused; ClinicianUnqualified with the failing clauses of RULE-22 or RULE-24.
    """
    clinician = await queries.lock_clinician(tx, clinician_id)
    rules.check_move(clinician.state, ClinicianState.VERIFIED)
    _move(clinician, ClinicianState.VERIFIED, None)
    failed = rules.may_serve(clinician, day_of(now))
    if failed:
        raise ClinicianUnqualified(clauses=[each.value for each in failed])
    clinician.verified_at = now
    await _announce(tx, clinician)
    await accounts.grant_role(tx, clinician.account_id, Mode.CLINICIAN, hospital_id=clinician.hospital_id, now=now)
    return clinician


async def reject_clinician(tx: AsyncSession, clinician_id: ClinicianId, reason: str) -> Clinician:
    """The operator sends the file back. Raises ClinicianStateRefused."""
    clinician = await queries.lock_clinician(tx, clinician_id)
    rules.check_move(clinician.state, ClinicianState.REJECTED)
    _move(clinician, ClinicianState.REJECTED, reason)
    return clinician


async def _suspend(tx: AsyncSession, clinician: Clinician, reason: str, now: datetime) -> Clinician:
    rules.check_move(clinician.state, ClinicianState.SUSPENDED)
    await _revoke(tx, clinician, now)
    _move(clinician, ClinicianState.SUSPENDED, reason)
    await _announce(tx, clinician)
    return clinician


async def _announce(tx: AsyncSession, clinician: Clinician) -> None:
    await tx.flush()  # who listens reads the tables
    await announce(tx, StaffChanged(clinician.hospital_id))


async def _revoke(tx: AsyncSession, clinician: Clinician, now: datetime) -> None:
    await accounts.revoke_role(tx, clinician.account_id, Mode.CLINICIAN, hospital_id=clinician.hospital_id, now=now)


async def _locked_of(tx: AsyncSession, hospital_id: HospitalId, clinician_id: ClinicianId) -> Clinician:
    await queries.require_clinician_of(tx, hospital_id, clinician_id)
    return await queries.lock_clinician(tx, clinician_id)


def _move(clinician: Clinician, state: ClinicianState, reason: str | None) -> None:
    clinician.state, clinician.reason = state, reason
    clinician.version += 1


def _check_title(body: ClinicianFileIn) -> None:
    if body.title not in rules.TITLES[body.kind]:
        raise TitleOfOtherKind


def _file(body: ClinicianFileIn) -> dict[str, object]:
    return {name: getattr(body, name) for name in ClinicianFileIn.model_fields}
