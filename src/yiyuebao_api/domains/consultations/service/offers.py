"""What a hospital allows, what a clinician offers, and whether an offer can be taken now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians import queries as staff
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind
from yiyuebao_api.domains.clinicians.rules import Clause, may_practise
from yiyuebao_api.domains.consultations import queries, rules
from yiyuebao_api.domains.consultations.models import ConsultationApproval, ConsultationOffer, ConsultationTerms
from yiyuebao_api.domains.consultations.problems import ApprovalMissing, ClinicianNotServing, ConsultationNotOffered
from yiyuebao_api.domains.consultations.rules import ConsultKind, Measure
from yiyuebao_api.domains.hospitals.models import Hospital
from yiyuebao_api.domains.hospitals.queries import lock_hospital, require_hospital
from yiyuebao_api.domains.hospitals.rules import is_open
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId, ConsultationOfferId, HospitalId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.problems import NotFound

_NEEDED_FOR_ADVICE = {Clause.NOT_VERIFIED, Clause.LICENCE_EXPIRED}


@dataclass(frozen=True, slots=True)
class Available:
    """An offer that can be taken now, and whose it is."""

    offer: ConsultationOffer
    clinician: Clinician
    hospital: Hospital


def day_of(now: datetime) -> date:
    """The Shanghai day of a moment."""
    return now.astimezone(clock.SHANGHAI).date()


async def set_terms(
    tx: AsyncSession, hospital_id: HospitalId, kind: ConsultKind, *, is_open: bool, min_fen: Fen, max_fen: Fen,
    now: datetime,
) -> ConsultationTerms:  # fmt: skip
    """What the hospital's staff may offer, and between which prices. Locks the hospital. Raises ApprovalMissing."""
    await lock_hospital(tx, hospital_id)
    if is_open and kind is ConsultKind.ONLINE_FOLLOW_UP and not await queries.is_approved(tx, hospital_id, day_of(now)):
        raise ApprovalMissing
    terms = await queries.terms_of(tx, hospital_id, kind)
    if terms is None:
        terms = ConsultationTerms(hospital_id=hospital_id, kind=kind)
        tx.add(terms)
    terms.is_open, terms.min_fen, terms.max_fen, terms.changed_at = is_open, min_fen, max_fen, now
    await tx.flush()
    return terms


async def record_approval(
    tx: AsyncSession, hospital_id: HospitalId, *, approval_no: str, valid_until: date, operator: AccountId, now: datetime
) -> ConsultationApproval:
    """The operator has seen a hospital's approval for online diagnosis (RULE-76). Locks the hospital. Raises NotFound."""
    await lock_hospital(tx, hospital_id)
    found = await tx.get(ConsultationApproval, hospital_id)
    if found is None:
        found = ConsultationApproval(hospital_id=hospital_id)
        tx.add(found)
    found.approval_no, found.valid_until = approval_no, valid_until
    found.recorded_by, found.recorded_at = operator, now
    await tx.flush()
    return found


async def set_offer(
    tx: AsyncSession, account_id: AccountId, hospital_id: HospitalId, kind: ConsultKind, measure: Measure, *,
    quantity: int, price_fen: Fen, is_open: bool, now: datetime,
) -> ConsultationOffer:  # fmt: skip
    """A clinician's own price, within what the hospital allows; consultations that exist keep theirs.

    Locks the clinician. Raises NotFound, ClinicianNotServing, ConsultationNotOffered (the hospital has not opened the
    kind), PriceOutOfLimits.
    """
    mine = await staff.clinician_of_account(tx, account_id, hospital_id)
    if mine is None:
        raise NotFound
    clinician = await staff.lock_clinician(tx, mine.id)
    if not can_serve(clinician, kind, day_of(now)):
        raise ClinicianNotServing
    terms = await queries.terms_of(tx, hospital_id, kind)
    if terms is None or not terms.is_open:
        raise ConsultationNotOffered
    rules.check_price(price_fen, terms.min_fen, terms.max_fen)
    offer = await queries.lock_offer(tx, clinician.id, kind, measure)
    if offer is None:
        offer = ConsultationOffer(
            id=ConsultationOfferId.new(), clinician_id=clinician.id, hospital_id=hospital_id, kind=kind, measure=measure
        )
        tx.add(offer)
    offer.quantity, offer.price_fen, offer.is_open, offer.changed_at = quantity, price_fen, is_open, now
    await tx.flush()
    return offer


def can_serve(clinician: Clinician, kind: ConsultKind, on: date) -> bool:
    """Advice: any verified staff with a valid licence. A follow-up: a doctor who passes RULE-24."""
    failed = set(may_practise(clinician, on))
    if kind is ConsultKind.HEALTH_ADVICE:
        return not failed & _NEEDED_FOR_ADVICE
    return clinician.kind is ClinicianKind.DOCTOR and not failed


async def require_available(tx: AsyncSession, offer_id: ConsultationOfferId, now: datetime) -> Available:
    """An offer as today's rows allow it (RULE-75, 76). Raises NotFound, ConsultationNotOffered."""
    offer = await queries.require_offer(tx, offer_id)
    clinician = await staff.require_clinician(tx, offer.clinician_id)
    hospital = await require_hospital(tx, offer.hospital_id)
    terms = await queries.terms_of(tx, offer.hospital_id, offer.kind)
    today = day_of(now)
    within = terms is not None and terms.is_open and terms.min_fen <= offer.price_fen <= terms.max_fen
    if not (offer.is_open and within and is_open(hospital, today) and can_serve(clinician, offer.kind, today)):
        raise ConsultationNotOffered
    if offer.kind is ConsultKind.ONLINE_FOLLOW_UP and not await queries.is_approved(tx, offer.hospital_id, today):
        raise ConsultationNotOffered
    return Available(offer, clinician, hospital)
