"""Asking for a consultation: the gates of its kind, and a place for it until it is paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.queries import lock_account
from yiyuebao_api.domains.consents.queries import require_consents
from yiyuebao_api.domains.consents.rules import NEEDED_TO_BOOK, Purpose
from yiyuebao_api.domains.consultations import queries, rules
from yiyuebao_api.domains.consultations.models import Consultation, ConsultationPilot
from yiyuebao_api.domains.consultations.problems import (
    ConsultationNotOffered,
    FirstVisitRefused,
    OwnConsultation,
    RealNameNeeded,
    TooManyUnpaidConsultations,
)
from yiyuebao_api.domains.consultations.rules import Actor, ConsultKind, ConsultState, Terms
from yiyuebao_api.domains.consultations.service.course import watch
from yiyuebao_api.domains.consultations.service.first_visits import require_pilot
from yiyuebao_api.domains.consultations.service.offers import Available, day_of, require_available
from yiyuebao_api.domains.consultations.service.telling import note
from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.files.queries import require_file
from yiyuebao_api.domains.files.rules import Purpose as FilePurpose
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.patients.queries import require_patient
from yiyuebao_api.domains.patients.rules import RealName, Relation
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId, ConsultationId, ConsultationOfferId, FileId, PatientId, new_number
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.settings import Business

#: RULE-79: the informed consent is in the ledger before the first message.
NEEDED_TO_CONSULT = (*NEEDED_TO_BOOK, Purpose.ONLINE_CONSULTATION)
_GUARDED = (Relation.CHILD, Relation.OTHER_GUARDIAN)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A diagnosis that was made before, elsewhere or here, and its proof."""

    diagnosis: str
    diagnosed_on: date
    proof_file_id: FileId


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for. There is no price in it. A first visit has no earlier diagnosis (RULE-77)."""

    offer_id: ConsultationOfferId
    patient_id: PatientId
    complaint: str
    earlier: Earlier | None = None
    first_visit: bool = False


async def open_consultation(
    tx: AsyncSession, account_id: AccountId, asked: Asked, business: Business, *, now: datetime
) -> Consultation:
    """Keep a consultation until it is paid or its hold is over; the price is the offer's of this moment.

    Locks the account (its unpaid ones are counted). Raises NotFound, ConsultationNotOffered, OwnConsultation,
    TooManyUnpaidConsultations, ConsentMissing (RULE-79), and for a follow-up RealNameNeeded, FirstVisitRefused,
    UnderSixRefused, FileNotFound.
    """
    found = await require_available(tx, asked.offer_id, now)
    patient = await require_patient(tx, account_id, asked.patient_id)
    await check_pair(tx, account_id, found)
    pilot = None
    if found.offer.kind is ConsultKind.ONLINE_FOLLOW_UP:
        pilot = await _check_follow_up(tx, found, patient, asked, now)
    await require_consents(tx, account_id, patient.id, *NEEDED_TO_CONSULT)
    if asked.earlier is not None and found.offer.kind is ConsultKind.ONLINE_FOLLOW_UP:
        proof = asked.earlier.proof_file_id
        await files.keep(tx, await require_file(tx, proof, owner=account_id, purpose=FilePurpose.DISEASE_PROOF))
    await lock_account(tx, account_id)
    if await queries.count_unpaid(tx, account_id, now) >= business.open_holds_per_account:
        raise TooManyUnpaidConsultations(most=business.open_holds_per_account)
    consultation = _consultation(account_id, asked, found, patient, pilot, business, now)
    tx.add(consultation)
    await tx.flush()
    note(tx, consultation, None, ConsultState.AWAITING_PAYMENT, actor=Actor.PATIENT, now=now)
    await watch(tx, consultation, consultation.pay_until, now)
    await tx.flush()
    return consultation


async def check_pair(tx: AsyncSession, account_id: AccountId, found: Available) -> None:
    """Raises OwnConsultation; ConsultationNotOffered for a blocked pair, who need not know by whom."""
    if found.clinician.account_id == account_id:
        raise OwnConsultation
    if await queries.are_blocked(tx, account_id, found.clinician.account_id):
        raise ConsultationNotOffered


def check_child(kind: ConsultKind, patient: Patient, found: Available, now: datetime) -> None:
    """Raises UnderSixRefused (RULE-81)."""
    if kind is ConsultKind.ONLINE_FOLLOW_UP:
        guardian = patient.relation in _GUARDED
        rules.check_child(patient.birth_date, day_of(now), guardian=guardian, specialty=found.clinician.specialty)


async def _check_follow_up(
    tx: AsyncSession, found: Available, patient: Patient, asked: Asked, now: datetime
) -> ConsultationPilot | None:
    """RULE-76, 77, 79, 81; the pilot of a first visit."""
    if patient.real_name is not RealName.VERIFIED:
        raise RealNameNeeded
    pilot = None
    if asked.first_visit:
        pilot = await require_pilot(tx, found.offer.hospital_id, found.clinician.specialty, now)
    elif asked.earlier is None or asked.earlier.diagnosed_on > day_of(now):
        raise FirstVisitRefused
    check_child(found.offer.kind, patient, found, now)
    return pilot


def terms_of(found: Available, business: Business) -> Terms:
    """The promises of today."""
    return Terms(
        answer_minutes=business.consultation_answer_minutes, refund_hours=business.consultation_refund_hours,
        idle_hours=business.consultation_idle_hours, release_after_days=business.release_after_days,
        platform_rate_bp=business.platform_rate_bp, piece=found.offer.quantity, piece_fen=found.offer.price_fen,
    )  # fmt: skip


def people_of(patient: Patient, found: Available) -> dict[str, str]:
    """Who they were at the time, and what the patient is to who asks: a proxy is known as one (RULE-79)."""
    return {
        "patient": patient.name, "sex": patient.sex.value, "born": patient.birth_date.isoformat(),
        "relation": patient.relation.value,
        "clinician": found.clinician.name, "title": found.clinician.title.value, "hospital": found.hospital.name,
    }  # fmt: skip


def _consultation(
    account_id: AccountId, asked: Asked, found: Available, patient: Patient, pilot: ConsultationPilot | None,
    business: Business, now: datetime,
) -> Consultation:  # fmt: skip
    offer, earlier = found.offer, asked.earlier if found.offer.kind is ConsultKind.ONLINE_FOLLOW_UP else None
    return Consultation(
        id=ConsultationId.new(), order_no=new_number("C" + now.astimezone(clock.SHANGHAI).strftime("%y%m%d")),
        kind=offer.kind, account_id=account_id, patient_id=patient.id, clinician_id=found.clinician.id,
        clinician_account_id=found.clinician.account_id, hospital_id=offer.hospital_id, people=people_of(patient, found),
        complaint=asked.complaint, diagnosis=earlier.diagnosis if earlier else None,
        diagnosed_on=earlier.diagnosed_on if earlier else None, proof_file_id=earlier.proof_file_id if earlier else None,
        first_visit_pilot_id=pilot.id if pilot else None, agreed_at=now, offer_id=offer.id, measure=offer.measure, quantity=offer.quantity,
        price_fen=offer.price_fen, terms=terms_of(found, business).as_row(), state=ConsultState.AWAITING_PAYMENT,
        pay_until=now + timedelta(minutes=business.hold_minutes), payment_id=None, paid_at=None, answer_by=None,
        refund_at=None, accepted_at=None, answered_at=None, rounds_used=0, asked=True, closes_at=None, warned_at=None,
        spoken_at=None, ended_at=None, end_reason=None, last_seq=0, refund_due_fen=Fen(0), refunded_fen=Fen(0),
        hidden_at=None, created_at=now,
    )  # fmt: skip
