"""What is agreed to before a service begins (RULE-47, V08): read, signed once and kept with its hash, or refused."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import ActorKind
from yiyuebao_api.domains.bookings.service import end_unsigned
from yiyuebao_api.domains.catalogue.queries import require_version
from yiyuebao_api.domains.consents.rules import Method, is_child, signer
from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.files.queries import require_file
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.domains.hospitals.queries import require_hospital
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.domains.visits.models import Agreement, ShownAgreement, Visit, VisitSheet
from yiyuebao_api.domains.visits.problems import AgreementMissing, AgreementSigned, VisitStepOutOfOrder
from yiyuebao_api.domains.visits.queries import sheet_of
from yiyuebao_api.domains.visits.rules import TEMPLATE, AgreementText, Stage, agreement_text, check_signing
from yiyuebao_api.domains.visits.service.moves import Actor, hold, move
from yiyuebao_api.domains.visits.service.showing import show_to_clinician
from yiyuebao_api.kernel.ids import AccountId, FileId

_BEFORE = (Stage.ASSIGNED, Stage.DEPARTED, Stage.ARRIVED)


async def show_agreement(tx: AsyncSession, visit: Visit) -> ShownAgreement:
    """What is to be read; after the signature, what was signed."""
    booking = await tx.get_one(Booking, visit.booking_id)
    return ShownAgreement(await _text(tx, booking), await tx.get(Agreement, visit.id))


async def sign_agreement(
    tx: AsyncSession, visit: Visit, *, account_id: AccountId, sha256: bytes, read_at: datetime, as_guardian: bool,
    signature_file_id: FileId | None, now: datetime,
) -> ShownAgreement:  # fmt: skip
    """Sign what was read; again is the same signature.

    Raises NotFound, VisitStepOutOfOrder, AgreementChanged, AgreementNotRead, SignatureNeeded, GuardianNeeded,
    FileNotFound.
    """
    booking = await hold(tx, visit)
    text, signed = await _text(tx, booking), await tx.get(Agreement, visit.id)
    if signed is not None:
        return ShownAgreement(text, signed)
    if visit.stage not in _BEFORE:
        raise VisitStepOutOfOrder(stage=visit.stage.value)
    by_hand = signature_file_id is not None
    check_signing(text, sha256=sha256, read_at=read_at, by_hand=by_hand, assigned_at=visit.assigned_at, now=now)
    patient = await tx.get_one(Patient, visit.patient_id)
    child = is_child(patient.birth_date, day_of(now))
    if signature_file_id is not None:
        await files.keep(tx, await require_file(tx, signature_file_id, owner=account_id, purpose=Purpose.SIGNATURE))
    signed = Agreement(
        visit_id=visit.id, template=TEMPLATE, service_version_id=booking.service_version_id, sha256=text.sha256,
        account_id=account_id, signer=signer(patient.relation, child=child, as_guardian=as_guardian),
        method=Method.SIGNATURE if by_hand else Method.TAP, signature_file_id=signature_file_id, read_at=read_at,
        signed_at=now,
    )  # fmt: skip
    tx.add(signed)
    await tx.flush()
    return ShownAgreement(text, signed)


async def refuse_agreement(
    tx: AsyncSession, visit: Visit, *, reason: str, client_time: datetime | None, now: datetime
) -> VisitSheet:
    """The clinician at the door writes down that the patient's side will not sign: the visit ends there (RULE-47, 65).

    Once more is the same visit. Raises NotFound, VisitStepOutOfOrder, AgreementSigned.
    """
    booking = await hold(tx, visit)
    if visit.unsigned_at is not None:
        return await show_to_clinician(tx, await sheet_of(tx, visit, booking), "visits.refuse_agreement", now=now)
    if visit.stage is not Stage.ARRIVED or visit.arrived_at is None:
        raise VisitStepOutOfOrder(stage=visit.stage.value)
    if await tx.get(Agreement, visit.id) is not None:
        raise AgreementSigned
    actor = Actor(ActorKind.CLINICIAN, visit.clinician_account_id)
    visit.unsigned_at = visit.cancelled_at = now
    # First the visit: it has heard of its end when the booking announces its own.
    await move(tx, visit, booking, Stage.CANCELLED, actor, now=now, client_time=client_time, reason=reason)
    await end_unsigned(
        tx, booking, arrived_at=visit.arrived_at, reason=reason, account_id=visit.clinician_account_id, now=now
    )
    return await show_to_clinician(tx, await sheet_of(tx, visit, booking), "visits.refuse_agreement", now=now)


async def require_agreement(tx: AsyncSession, visit: Visit) -> None:
    """Raises AgreementMissing."""
    if await tx.get(Agreement, visit.id) is None:
        raise AgreementMissing


async def _text(tx: AsyncSession, booking: Booking) -> AgreementText:
    version = await require_version(tx, booking.service_version_id)
    hospital = await require_hospital(tx, booking.hospital_id)
    return agreement_text(version, hospital=hospital.name, total_fen=booking.total_fen)
