"""What desks and the operator can do with clinicians."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts import service as accounts
from yiyuebao_api.domains.clinicians import queries, rules
from yiyuebao_api.domains.clinicians.events import ClinicianWentOffline, StaffChanged
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState
from yiyuebao_api.domains.clinicians.problems import (
    ClinicianAlreadyRegistered,
    ClinicianBarred,
    ClinicianStateRefused,
    ClinicianUnqualified,
    TitleOfOtherKind,
)
from yiyuebao_api.domains.clinicians.schemas import ClinicianFileIn, ClinicianIn, ReadinessIn
from yiyuebao_api.domains.hospitals.queries import require_hospital
from yiyuebao_api.domains.patients.queries import find_verified_self
from yiyuebao_api.kernel.database import is_duplicate
from yiyuebao_api.kernel.editing import Precondition
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import ClinicianId, HospitalId
from yiyuebao_api.kernel.schema import e164
from yiyuebao_api.kernel.tokens import Mode


async def register_clinician(
    tx: AsyncSession, hospital_id: HospitalId, body: ClinicianIn, *, now: datetime
) -> Clinician:
    """A nurse or doctor of this hospital, known by phone number; a draft until the operator has verified it.

    Raises TitleOfOtherKind, ClinicianAlreadyRegistered, ClinicianBarred while an adverse record forbids it (RULE-23).
    """
    _check_title(body)
    await require_hospital(tx, hospital_id)
    account = await accounts.ensure_account(tx, e164(body.phone), now=now)
    await queries.lock_person(tx, account.id)  # a record that is being written is waited for
    for record in await queries.adverse_records_of(tx, account.id):
        if record.barred_until is None or record.barred_until >= rules.day_of(now):
            raise ClinicianBarred(until="永久" if record.barred_until is None else f"{record.barred_until} 前")
    clinician = Clinician(
        id=ClinicianId.new(), account_id=account.id, hospital_id=hospital_id, state=ClinicianState.DRAFT, reason=None,
        verified_at=None, licence_checked_at=None, practice=None, e_reg_checked_on=None, e_reg_source=None,
        title_checked_at=None, training_passed_on=None, liability_until=None, malpractice_until=None,
        accident_until=None, item_codes=[], version=1, created_at=now, **_file(body),
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
    """Replace a file; it must be verified again and cannot be sent meanwhile. Raises ClinicianStateRefused.

    What a certificate proved and no longer fits must be proved again.
    """
    _check_title(body)
    clinician = await _locked_of(tx, hospital_id, clinician_id)
    expected.require(clinician.version)
    if clinician.state is not ClinicianState.DRAFT:
        rules.check_move(clinician.state, ClinicianState.DRAFT)
    was_verified = clinician.state is ClinicianState.VERIFIED
    person = (body.name, body.kind) == (clinician.name, clinician.kind)
    licence = (body.licence_no, body.licence_valid_until) == (clinician.licence_no, clinician.licence_valid_until)
    if not (person and licence):
        clinician.licence_checked_at = clinician.practice = None
        clinician.e_reg_checked_on = clinician.e_reg_source = None
    if not person or body.title is not clinician.title:
        clinician.title_checked_at = None
    if body.name != clinician.name:
        clinician.identity_checked_at = None
    for name, value in _file(body).items():
        setattr(clinician, name, value)
    _move(clinician, ClinicianState.DRAFT, None)
    if was_verified:
        await take_offline(tx, clinician, "edited", now=now)
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
    return await suspend(tx, await _locked_of(tx, hospital_id, clinician_id), reason, why="suspended", now=now)


async def suspend_clinician(tx: AsyncSession, clinician_id: ClinicianId, reason: str, *, now: datetime) -> Clinician:
    """The operator takes somebody out of service at once (RULE-28). Raises ClinicianStateRefused."""
    return await suspend(tx, await queries.lock_clinician(tx, clinician_id), reason, why="suspended", now=now)


async def verify_clinician(tx: AsyncSession, clinician_id: ClinicianId, *, now: datetime) -> Clinician:
    """The operator has checked the file: the clinician mode is granted, for this hospital; again within 180 days.

    Raises ClinicianStateRefused; ClinicianUnqualified with the failing clauses of RULE-22 or RULE-24.
    """
    clinician = await queries.lock_clinician(tx, clinician_id)
    rules.check_move(clinician.state, ClinicianState.VERIFIED)
    _move(clinician, ClinicianState.VERIFIED, None)
    clinician.verified_at = now
    card = await find_verified_self(tx, clinician.account_id)
    if card is not None and rules.is_same_name(card.name, clinician.name):
        clinician.identity_checked_at = card.verified_at
    failed = rules.may_practise(clinician, rules.day_of(now))
    if failed:
        raise ClinicianUnqualified(clauses=[each.value for each in failed])
    await announce_staff(tx, clinician)
    await accounts.grant_role(tx, clinician.account_id, Mode.CLINICIAN, hospital_id=clinician.hospital_id, now=now)
    return clinician


async def reject_clinician(tx: AsyncSession, clinician_id: ClinicianId, reason: str) -> Clinician:
    """The operator sends the file back. Raises ClinicianStateRefused."""
    clinician = await queries.lock_clinician(tx, clinician_id)
    rules.check_move(clinician.state, ClinicianState.REJECTED)
    _move(clinician, ClinicianState.REJECTED, reason)
    return clinician


async def set_readiness(
    tx: AsyncSession, hospital_id: HospitalId, clinician_id: ClinicianId, body: ReadinessIn, expected: Precondition
) -> Clinician:
    """The desk says what it has trained and insured (RULE-27); the verification stands. Raises ClinicianStateRefused."""
    clinician = await _locked_of(tx, hospital_id, clinician_id)
    expected.require(clinician.version)
    if clinician.state is ClinicianState.EXITED:
        raise ClinicianStateRefused(state=clinician.state.value)
    for name in ReadinessIn.model_fields:
        setattr(clinician, name, getattr(body, name))
    clinician.version += 1
    return clinician


async def set_items(
    tx: AsyncSession, hospital_id: HospitalId, clinician_id: ClinicianId, item_codes: Collection[str],
    expected: Precondition,
) -> Clinician:  # fmt: skip
    """The desk says which items they are able to do, and no others are theirs (RULE-46). Raises ClinicianStateRefused."""
    clinician = await _locked_of(tx, hospital_id, clinician_id)
    expected.require(clinician.version)
    if clinician.state is ClinicianState.EXITED:
        raise ClinicianStateRefused(state=clinician.state.value)
    clinician.item_codes = sorted(set(item_codes))
    clinician.version += 1
    return clinician


async def suspend(tx: AsyncSession, clinician: Clinician, reason: str, *, why: str, now: datetime) -> Clinician:
    """Out of service at once, on a locked row. Raises ClinicianStateRefused."""
    rules.check_move(clinician.state, ClinicianState.SUSPENDED)
    _move(clinician, ClinicianState.SUSPENDED, reason)
    await take_offline(tx, clinician, why, now=now)
    return clinician


async def exit_clinician(tx: AsyncSession, clinician: Clinician, reason: str, *, now: datetime) -> None:
    """Out for good, on a locked row (RULE-28); who has left already stays as they are."""
    if clinician.state is ClinicianState.EXITED:
        return
    was_online = clinician.state is ClinicianState.VERIFIED
    rules.check_move(clinician.state, ClinicianState.EXITED)
    _move(clinician, ClinicianState.EXITED, reason)
    if was_online:
        await take_offline(tx, clinician, "adverse_record", now=now)


async def take_offline(tx: AsyncSession, clinician: Clinician, reason: str, *, now: datetime) -> None:
    """The clinician mode is taken away, and everybody who has sent them somewhere hears of it."""
    await accounts.revoke_role(tx, clinician.account_id, Mode.CLINICIAN, hospital_id=clinician.hospital_id, now=now)
    await announce_staff(tx, clinician)
    await announce(tx, ClinicianWentOffline(clinician.id, clinician.hospital_id, reason, now))


async def announce_staff(tx: AsyncSession, clinician: Clinician) -> None:
    """The hospital's staff is another than it was."""
    await tx.flush()  # who listens reads the tables
    await announce(tx, StaffChanged(clinician.hospital_id))


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
