"""Submitting a card, reading it, deciding on it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consents.queries import require_consents
from yiyuebao_api.domains.consents.rules import Purpose as Consented
from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.files.queries import require_file
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.domains.identities.models import Identity
from yiyuebao_api.domains.identities.problems import (
    CardNotReadable,
    CardNotRecognised,
    IdentityAlreadyVerified,
    IdentityDecided,
    IdentityPending,
    IdNumberMissing,
    PatientChanged,
    SameFileTwice,
)
from yiyuebao_api.domains.identities.queries import is_verified_elsewhere, lock_identity
from yiyuebao_api.domains.identities.rules import Doubt, IdentityState, doubts_of_back, doubts_of_front, require_usable
from yiyuebao_api.domains.identities.schemas import IdentityIn
from yiyuebao_api.domains.patients import service as patients
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.patients.queries import id_index, lock_patient
from yiyuebao_api.domains.patients.rules import RealName, Sex
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.identity_ocr import CardSide, IdCardReading, IdentityReader
from yiyuebao_api.gateways.object_store import ObjectStore
from yiyuebao_api.kernel import audit
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.database import Begin, is_duplicate
from yiyuebao_api.kernel.ids import AccountId, FileId, IdentityId, PatientId
from yiyuebao_api.kernel.problems import Problem
from yiyuebao_api.kernel.tokens import Mode

log = structlog.get_logger()


async def read_card(
    begin: Begin, store: ObjectStore, reader: IdentityReader, account_id: AccountId, file_id: FileId, side: CardSide, *,
    now: datetime,
) -> IdCardReading:  # fmt: skip
    """One side of a card, to fill in a form; nothing is kept and nobody is verified (A05).

    Raises ConsentMissing, FileNotFound, CardWrongSide, CardNotRecognised, CardBlurred, CardExpired, CardNotReadable, ProviderDown.
    """
    async with begin() as tx:
        await require_consents(tx, account_id, None, Consented.ID_CARD_RECOGNITION)
        await require_file(tx, file_id, owner=account_id, purpose=Purpose.ID_CARD)
    try:
        reading = await reader.read_id_card(await files.read_file(begin, store, file_id), side)
    except ProviderUnavailable as error:
        log.warning("card not read", file=str(file_id), error=type(error).__name__)
        raise CardNotReadable(retry_after=60) from None
    except ProviderRefused as refused:
        if refused.code in ("bad-image", "not-recognised"):
            raise CardNotRecognised from None
        log.error("card not read", file=str(file_id), code=refused.code)
        raise CardNotReadable(retry_after=60) from None
    require_usable(reading, today=now.astimezone(SHANGHAI).date())
    return reading


async def submit_identity(
    begin: Begin, store: ObjectStore, reader: IdentityReader, account_id: AccountId, given: IdentityIn, *, now: datetime
) -> Identity:
    """Put a card before the operator; then read it, so far as that is possible.

    The submission is committed first: whatever becomes of the reading, a person decides. Nothing is sent to the reader
    without consent (RULE-155).

    Raises NotFound, ConsentMissing, FileNotFound, SameFileTwice, IdNumberMissing, IdentityAlreadyVerified,
    IdentityPending.
    """
    async with begin() as tx:
        identity = await _submitted(tx, account_id, given, now=now)
        patient = await lock_patient(tx, account_id, given.patient_id)
    read, doubts = await _read(begin, store, reader, identity, patient, now=now)
    async with begin() as tx:
        identity = await lock_identity(tx, identity.id)
        if identity.state is IdentityState.SUBMITTED:
            if await is_verified_elsewhere(tx, identity.id_index, identity.patient_id, account_id):
                doubts.add(Doubt.NUMBER_ELSEWHERE)
            identity.reading, identity.doubts = read, doubts
    return identity


async def _submitted(tx: AsyncSession, account_id: AccountId, given: IdentityIn, *, now: datetime) -> Identity:
    patient = await lock_patient(tx, account_id, given.patient_id)
    await require_consents(tx, account_id, patient.id, Consented.ID_CARD_RECOGNITION)
    if patient.real_name is RealName.VERIFIED:
        raise IdentityAlreadyVerified
    if patient.id_no is None:
        raise IdNumberMissing
    if given.front_file_id == given.back_file_id:
        raise SameFileTwice
    for file_id in (given.front_file_id, given.back_file_id):
        await files.keep(tx, await require_file(tx, file_id, owner=account_id, purpose=Purpose.ID_CARD))
    identity = Identity(
        id=IdentityId.new(), account_id=account_id, patient_id=patient.id, open_for=patient.id,
        state=IdentityState.SUBMITTED, front_file_id=given.front_file_id, back_file_id=given.back_file_id,
        name=patient.name, id_no=patient.id_no, id_index=id_index(patient.id_no), reading=None,
        doubt_list=Doubt.NOT_READ.value, reason=None, created_at=now, decided_at=None, decided_by=None,
    )  # fmt: skip
    tx.add(identity)
    try:
        await tx.flush()
    except IntegrityError as error:
        if is_duplicate(error, "uq_identity_open_for"):
            raise IdentityPending from None
        raise
    await patients.mark_real_name(tx, patient, RealName.PENDING)
    _note(tx, identity, account_id, Mode.PATIENT, "submit", now=now)
    return identity


async def _read(
    begin: Begin, store: ObjectStore, reader: IdentityReader, identity: Identity, patient: Patient, *, now: datetime
) -> tuple[dict[str, Any] | None, set[Doubt]]:
    """Both sides and the register; what fails is a doubt."""
    today = now.astimezone(SHANGHAI).date()
    try:
        front = await reader.read_id_card(await files.read_file(begin, store, identity.front_file_id), CardSide.FRONT)
        back = await reader.read_id_card(await files.read_file(begin, store, identity.back_file_id), CardSide.BACK)
    except (ProviderUnavailable, Problem) as error:
        log.warning("card not read", identity=str(identity.id), error=type(error).__name__)
        return None, {Doubt.OCR_UNAVAILABLE}
    except ProviderRefused as refused:
        log.error("card not read", identity=str(identity.id), code=refused.code)
        return None, {Doubt.OCR_OVER_QUOTA if refused.code == "over-quota" else Doubt.OCR_REFUSED}
    sex = "男" if patient.sex is Sex.MALE else "女"
    doubts = doubts_of_front(
        front, name=identity.name, number=identity.id_no, sex=sex, birth_date=patient.birth_date
    ) | doubts_of_back(back, birth_date=patient.birth_date, today=today)
    try:
        if not await reader.belong_together(identity.name, identity.id_no):
            doubts.add(Doubt.REGISTER_MISMATCH)
    except (ProviderUnavailable, ProviderRefused):
        doubts.add(Doubt.REGISTER_UNAVAILABLE)
    return {"front": _plain(front), "back": _plain(back)}, doubts


def _plain(reading: IdCardReading) -> dict[str, Any]:
    held = asdict(reading) | {"risks": sorted(reading.risks)}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in held.items()}


async def approve_identity(tx: AsyncSession, identity_id: IdentityId, operator: AccountId, *, now: datetime) -> Identity:
    """The person is who the card says (RULE-07). Raises NotFound, IdentityDecided, PatientChanged."""
    identity, patient = await _undecided(tx, identity_id)
    if (patient.name, patient.id_no) != (identity.name, identity.id_no):
        raise PatientChanged
    await patients.mark_verified(tx, identity.patient_id, now)
    return await _decide(tx, identity, IdentityState.VERIFIED, operator, None, now=now)


async def reject_identity(
    tx: AsyncSession, identity_id: IdentityId, operator: AccountId, reason: str, *, now: datetime
) -> Identity:
    """The card does not show it; the owner may submit again. Raises NotFound, IdentityDecided."""
    identity, patient = await _undecided(tx, identity_id)
    await patients.mark_real_name(tx, patient, RealName.REJECTED)
    return await _decide(tx, identity, IdentityState.REJECTED, operator, reason, now=now)


async def _undecided(tx: AsyncSession, identity_id: IdentityId) -> tuple[Identity, Patient]:
    """The submission and its patient, locked. Raises NotFound, IdentityDecided."""
    seen = await lock_identity(tx, identity_id)
    if seen.state is not IdentityState.SUBMITTED:
        raise IdentityDecided
    return seen, await lock_patient(tx, seen.account_id, seen.patient_id)


async def _decide(
    tx: AsyncSession, identity: Identity, state: IdentityState, operator: AccountId, reason: str | None, *, now: datetime
) -> Identity:
    identity.state, identity.reason, identity.open_for = state, reason, None
    identity.decided_at, identity.decided_by = now, operator
    _note(tx, identity, operator, Mode.OPERATOR, "approve" if state is IdentityState.VERIFIED else "reject", now=now)
    await tx.flush()
    return identity


def note_look(tx: AsyncSession, identity: Identity, operator: AccountId, *, now: datetime) -> None:
    """An operator saw the card (RULE-102)."""
    _note(tx, identity, operator, Mode.OPERATOR, "show", now=now)


def _note(tx: AsyncSession, identity: Identity, actor: AccountId, mode: Mode, verb: str, *, now: datetime) -> None:
    patient: PatientId = identity.patient_id
    basis = "self" if mode is Mode.PATIENT else "duty"
    audit.note(
        tx, actor=actor, mode=mode, action=f"identities.{verb}", subject_patient=patient, subject=identity.id, basis=basis,
        now=now,
    )  # fmt: skip
