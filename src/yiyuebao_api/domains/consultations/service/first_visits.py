"""First visits online: the gate that asks for a pilot at every step, and what becomes of who waits when it is over (RULE-77)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consultations import queries
from yiyuebao_api.domains.consultations.models import Consultation, ConsultationPilot
from yiyuebao_api.domains.consultations.problems import FirstVisitRefused
from yiyuebao_api.domains.consultations.rules import Actor, ConsultState, EndReason
from yiyuebao_api.domains.consultations.service.offers import day_of
from yiyuebao_api.domains.consultations.service.settling import give_all_back
from yiyuebao_api.domains.consultations.service.telling import move, tell_clinician, tell_patient
from yiyuebao_api.kernel.ids import HospitalId
from yiyuebao_api.kernel.problems import Words


async def require_pilot(
    tx: AsyncSession, hospital_id: HospitalId, specialty: str, now: datetime, *, held: bool = False
) -> ConsultationPilot:
    """The pilot that opens first visits of that specialty today; `held`: nobody ends it before this transaction does.

    Raises FirstVisitRefused.
    """
    found = (await queries.pilots_in_force(tx, hospital_id, day_of(now), held=held)).get(specialty)
    if found is None:
        raise FirstVisitRefused
    return found


async def check_first_visit(tx: AsyncSession, consultation: Consultation, now: datetime, *, held: bool = False) -> None:
    """A first visit that no doctor has accepted yet needs its specialty's pilot still. Raises FirstVisitRefused."""
    if consultation.first_visit_pilot_id is None or consultation.accepted_at is not None:
        return
    pilot = await tx.get_one(ConsultationPilot, consultation.first_visit_pilot_id)
    await require_pilot(tx, pilot.hospital_id, pilot.specialty, now, held=held)


async def end_without_pilot(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    """Who still waits for a first visit that nobody may accept any more hears of it at once, and all goes back.

    Unpaid it lapses. The caller holds the row's lock.
    """
    paid = consultation.state is ConsultState.WAITING
    if not paid and consultation.state is not ConsultState.AWAITING_PAYMENT:
        return
    try:
        await check_first_visit(tx, consultation, now)
    except FirstVisitRefused:
        to = ConsultState.REFUNDED if paid else ConsultState.EXPIRED
        await move(tx, consultation, to, actor=Actor.SYSTEM, because=EndReason.PILOT_OVER, now=now)
    else:
        return
    title, back = Words("首诊试点已结束", "The pilot has ended"), Words("", "")
    order = Words(f"咨询 {consultation.order_no}", f"Consultation {consultation.order_no}")
    if paid:
        await give_all_back(tx, consultation, cause="pilot-over", reason="首诊试点已结束退款", now=now)
        back = Words("费用将原路退回，", " What was paid goes back.")
        body = Words(f"{order.zh} 所属首诊试点已结束，无需再接诊。", f"{order.en}: its pilot has ended; it is not to be accepted.")
        await tell_clinician(tx, consultation, "consultation.cancelled", title, body, now)
    body = Words(
        f"{order.zh} 所属的首诊试点已结束，医生不能再在线接诊首诊。{back.zh}请到医院就诊。",
        f"{order.en}: its pilot has ended, so no doctor may take a first visit online.{back.en} Please go to a hospital.",
    )
    await tell_patient(tx, consultation, "consultation.pilot_over", title, body, now)
