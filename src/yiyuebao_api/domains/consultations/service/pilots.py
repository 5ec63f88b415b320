"""Where a pilot opens first visits online: the operator records it and ends it (RULE-77)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consultations import queries, rules
from yiyuebao_api.domains.consultations.models import ConsultationPilot
from yiyuebao_api.domains.consultations.problems import ApprovalMissing, PilotOverlaps
from yiyuebao_api.domains.consultations.service.offers import day_of
from yiyuebao_api.domains.hospitals.queries import lock_hospital
from yiyuebao_api.kernel import audit, outbox
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

    Who waits for one is looked at at once: another pilot of the specialty may take over, or all goes back.
    A second time answers the first outcome. Locks the pilot. Raises NotFound.
    """
    pilot = await queries.lock_pilot(tx, pilot_id)
    if pilot.ended_at is None:
        pilot.ended_at, pilot.ended_by, pilot.ended_why = now, operator, why
        _note(tx, pilot, "consultations.end_pilot", operator, now)
        await tx.flush()
        for each in await queries.list_waiting_first_visits(tx, pilot):
            await outbox.put(tx, "consultations.watch", each, now=now)
    return pilot


def _note(tx: AsyncSession, pilot: ConsultationPilot, action: str, operator: AccountId, now: datetime) -> None:
    audit.note(
        tx, actor=operator, mode=Mode.OPERATOR, hospital=pilot.hospital_id, action=action, subject_patient=None,
        subject=pilot.id, basis="duty", now=now,
    )  # fmt: skip
