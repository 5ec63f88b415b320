"""First visits online: where a pilot opens them, and the gate that asks for it at every step (RULE-77)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consultations import queries, rules
from yiyuebao_api.domains.consultations.models import Consultation, ConsultationPilot
from yiyuebao_api.domains.consultations.problems import ApprovalMissing, FirstVisitRefused, PilotOverlaps
from yiyuebao_api.domains.consultations.service.offers import day_of
from yiyuebao_api.domains.hospitals.queries import lock_hospital
from yiyuebao_api.kernel import audit
from yiyuebao_api.kernel.ids import AccountId, ConsultationPilotId, HospitalId
from yiyuebao_api.kernel.tokens import Mode


async def record_pilot(
    tx: AsyncSession, hospital_id: HospitalId, *, specialty: str, document_no: str, first_day: date, last_day: date,
    operator: AccountId, now: datetime,
) -> ConsultationPilot:  # fmt: skip
    """The operator has seen the document that puts a hospital's specialty on the pilot; leaves a row in the audit.

    Locks the hospital. Raises NotFound, PilotPeriodRefused, ApprovalMissing (RULE-76), PilotOverlaps.
    """
    await lock_hospital(tx, hospital_id)
    rules.check_pilot_period(first_day, last_day, day_of(now))
    if not await queries.is_approved(tx, hospital_id, day_of(now)):
        raise ApprovalMissing
    for each in await queries.list_standing_pilots(tx, hospital_id):
        if each.specialty == specialty and rules.overlap((each.first_day, each.last_day), (first_day, last_day)):
            raise PilotOverlaps
    pilot = ConsultationPilot(
        id=ConsultationPilotId.new(), hospital_id=hospital_id, specialty=specialty, document_no=document_no,
        first_day=first_day, last_day=last_day, recorded_by=operator, recorded_at=now, ended_at=None, ended_by=None,
        ended_why=None,
    )  # fmt: skip
    tx.add(pilot)
    _note(tx, pilot, "consultations.record_pilot", operator, now)
    await tx.flush()
    return pilot


async def end_pilot(
    tx: AsyncSession, pilot_id: ConsultationPilotId, *, why: str, operator: AccountId, now: datetime
) -> ConsultationPilot:
    """No first visit is asked for, paid or accepted under it any more; what a doctor has accepted goes on.

    A second time answers the first outcome. Locks the pilot. Raises NotFound.
    """
    pilot = await queries.lock_pilot(tx, pilot_id)
    if pilot.ended_at is None:
        pilot.ended_at, pilot.ended_by, pilot.ended_why = now, operator, why
        _note(tx, pilot, "consultations.end_pilot", operator, now)
        await tx.flush()
    return pilot


async def require_pilot(
    tx: AsyncSession, hospital_id: HospitalId, specialty: str, now: datetime
) -> ConsultationPilot:
    """The pilot that opens first visits of that specialty today. Raises FirstVisitRefused."""
    found = (await queries.pilots_in_force(tx, hospital_id, day_of(now))).get(specialty)
    if found is None:
        raise FirstVisitRefused
    return found


async def check_first_visit(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    """A first visit that no doctor has accepted yet needs its specialty's pilot still. Raises FirstVisitRefused."""
    if consultation.first_visit_pilot_id is None or consultation.accepted_at is not None:
        return
    pilot = await tx.get_one(ConsultationPilot, consultation.first_visit_pilot_id)
    await require_pilot(tx, pilot.hospital_id, pilot.specialty, now)


def _note(tx: AsyncSession, pilot: ConsultationPilot, action: str, operator: AccountId, now: datetime) -> None:
    audit.note(
        tx, actor=operator, mode=Mode.OPERATOR, hospital=pilot.hospital_id, action=action, subject_patient=None,
        subject=pilot.id, basis="duty", now=now,
    )  # fmt: skip
