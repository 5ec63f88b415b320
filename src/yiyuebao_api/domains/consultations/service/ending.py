"""How the two bring it to an end, or on to somebody else: leave, decline, stop, close, choose, accept, give more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.models import Session
from yiyuebao_api.domains.clinicians.queries import require_clinician
from yiyuebao_api.domains.consents.events import ConsentWithdrawn
from yiyuebao_api.domains.consents.rules import Purpose
from yiyuebao_api.domains.consultations import queries
from yiyuebao_api.domains.consultations.events import ConsultationMoved
from yiyuebao_api.domains.consultations.models import Consultation, Extension, Summary
from yiyuebao_api.domains.consultations.problems import (
    AnswerNotDue,
    ClinicianNotServing,
    ConsultationOfOtherKind,
    ConsultationStateRefused,
    DiagnosisForbidden,
    FirstVisitUnconfirmed,
    OfferTooDear,
    SignInAgain,
    SummaryAlreadyWritten,
)
from yiyuebao_api.domains.consultations.rules import Actor, ConsultKind, ConsultState, EndReason, ExtensionState
from yiyuebao_api.domains.consultations.service.course import await_answer, catch_up, extend, require_standing, watch
from yiyuebao_api.domains.consultations.service.first_visits import check_first_visit, require_pilot
from yiyuebao_api.domains.consultations.service.offers import can_serve, day_of, require_available
from yiyuebao_api.domains.consultations.service.opening import check_child, check_pair, people_of
from yiyuebao_api.domains.consultations.service.settling import earn, give_all_back
from yiyuebao_api.domains.consultations.service.telling import (
    grant_clinician,
    move,
    tell_clinician,
    tell_hospital,
    tell_moved,
    tell_patient,
)
from yiyuebao_api.domains.grants import service as grants
from yiyuebao_api.domains.grants.rules import Basis
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.settlements import service as settlements
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import AccountId, ConsultationId, ConsultationOfferId, ExtensionId, SessionId
from yiyuebao_api.kernel.money import Fen, yuan
from yiyuebao_api.kernel.problems import NotFound, Words

#: RULE-80: so fresh must the doctor's own sign-in be when a follow-up is accepted.
VERIFIED_FOR = timedelta(hours=24)
#: Without these nobody talks about a patient's health.
_RESTS_ON = (Purpose.ONLINE_CONSULTATION, Purpose.SENSITIVE_HEALTH_DATA)
_S = ConsultState


async def leave_consultation(tx: AsyncSession, consultation_id: ConsultationId, *, now: datetime) -> Consultation:
    """The patient does not want it any more: unpaid it lapses, unanswered all of it goes back, answered it ends.

    One that is over stays as it is. Locks the consultation.
    """
    consultation = await _caught_up(tx, consultation_id, now)
    if consultation.state is _S.AWAITING_PAYMENT:
        await move(tx, consultation, _S.EXPIRED, actor=Actor.PATIENT, because=EndReason.PATIENT, now=now)
    elif consultation.state is _S.WAITING:
        await _return_all(tx, consultation, Actor.PATIENT, EndReason.PATIENT, "left", "咨询取消退款", now)
        body = Words(
            f"咨询 {consultation.order_no} 已由患者取消。", f"The patient has cancelled consultation {consultation.order_no}."
        )
        title = Words("咨询已取消", "Consultation cancelled")
        await tell_clinician(tx, consultation, "consultation.cancelled", title, body, now)
    elif consultation.state is _S.ACTIVE:
        await move(tx, consultation, _S.ENDED, actor=Actor.PATIENT, because=EndReason.PATIENT, now=now)
        await earn(tx, consultation, now=now)
    return consultation


async def note_consent_withdrawn(tx: AsyncSession, event: ConsentWithdrawn) -> None:
    """What rests on that consent ends with it, as if the patient had left: money and all (RULE-79, RULE-144)."""
    if event.patient_id is None or event.purpose not in _RESTS_ON:
        return
    for consultation_id in await queries.list_running_of(tx, event.account_id, event.patient_id):
        await leave_consultation(tx, consultation_id, now=event.at)


async def decline_consultation(
    tx: AsyncSession, consultation_id: ConsultationId, reason: str, *, now: datetime
) -> Consultation:
    """The clinician cannot take it before having answered: all of it goes back. A second time answers the first outcome.

    Locks the consultation. Raises ConsultationStateRefused.
    """
    consultation = await _caught_up(tx, consultation_id, now)
    if consultation.end_reason is EndReason.DECLINED:
        return consultation
    if consultation.state is not _S.WAITING:
        raise ConsultationStateRefused(state=consultation.state.value)
    because = EndReason.DECLINED
    await _return_all(tx, consultation, Actor.CLINICIAN, because, "declined", "医护未接诊退款", now, told=reason)
    body = Words(
        f"很抱歉，医护人员无法接诊：{reason}。订单 {consultation.order_no} 的费用将原路退回。"[:480],
        f"We are sorry, it cannot be taken: {reason}. What was paid for order {consultation.order_no} goes back."[:480],
    )
    await tell_patient(tx, consultation, "consultation.declined", Words("未能接诊", "Not taken"), body, now)
    return consultation


async def terminate_consultation(
    tx: AsyncSession, consultation_id: ConsultationId, reason: str, *, now: datetime
) -> Consultation:
    """Online is unfit: it ends at once, all money goes back, the patient is sent to a hospital (RULE-78).

    A second time answers the first outcome. Locks the consultation. Raises ConsultationStateRefused.
    """
    consultation = await _caught_up(tx, consultation_id, now)
    if consultation.end_reason is EndReason.UNFIT:
        return consultation
    if consultation.state not in (_S.WAITING, _S.ACTIVE):
        raise ConsultationStateRefused(state=consultation.state.value)
    await _return_all(tx, consultation, Actor.CLINICIAN, EndReason.UNFIT, "unfit", "不适合在线诊疗退款", now, told=reason)
    body = Words(
        "医护人员认为您的情况不适合在线处理，请尽快到医院就诊；如情况紧急，请拨打 120。费用将原路退回。",
        "Your case is not fit for online care: please go to a hospital soon, in an emergency call 120. What was paid goes back.",
    )
    await tell_patient(tx, consultation, "consultation.go_to_hospital", Words("请到医院就诊", "Please see a doctor"), body, now)
    order = Words(f"订单 {consultation.order_no}", f"Order {consultation.order_no}")
    await tell_hospital(tx, consultation, "consultation.unfit", Words("咨询已终止", "Consultation stopped"), order, now)
    return consultation


async def close_consultation(
    tx: AsyncSession, consultation_id: ConsultationId, content: Mapping[str, Any], messages: Sequence[int], *,
    author: AccountId, now: datetime,
) -> Consultation:  # fmt: skip
    """The clinician ends it with the structured summary, or adds the summary to one that ended without it (C14, C21).

    Locks the consultation. Raises ConsultationStateRefused, SummaryAlreadyWritten, DiagnosisForbidden (RULE-75),
    NotFound for a message that is not there.
    """
    consultation = await _caught_up(tx, consultation_id, now)
    if consultation.state not in (_S.ACTIVE, _S.ENDED):
        raise ConsultationStateRefused(state=consultation.state.value)
    if await queries.find_summary(tx, consultation_id) is not None:
        raise SummaryAlreadyWritten
    if consultation.kind is ConsultKind.HEALTH_ADVICE and content.get("diagnosis"):
        raise DiagnosisForbidden
    if any(not 0 < seq <= consultation.last_seq for seq in messages):
        raise NotFound
    tx.add(Summary(
        consultation_id=consultation_id, content=dict(content), messages=sorted(set(messages)), author_id=author,
        written_at=now, filed_at=None,
    ))  # fmt: skip
    if consultation.state is _S.ACTIVE:
        await move(tx, consultation, _S.ENDED, actor=Actor.CLINICIAN, because=EndReason.CLINICIAN, now=now)
        await earn(tx, consultation, now=now)
    await tx.flush()
    body = Words(
        f"咨询 {consultation.order_no} 的小结已完成，可查看并存档。",
        f"The summary of consultation {consultation.order_no} is written; read it and file it.",
    )
    await tell_patient(tx, consultation, "consultation.summary", Words("咨询小结", "Summary written"), body, now)
    return consultation


async def file_summary(tx: AsyncSession, consultation: Consultation, *, now: datetime) -> Summary:
    """The patient keeps the summary; the first time counts. Raises NotFound."""
    summary = await queries.require_summary(tx, consultation.id)
    summary.filed_at = summary.filed_at or now
    await tx.flush()
    return summary


async def accept_follow_up(
    tx: AsyncSession, consultation_id: ConsultationId, session_id: SessionId, *, first_visit: bool = False, now: datetime
) -> Consultation:
    """The doctor has checked the proof and found it fit for a follow-up (RULE-76), freshly signed in (RULE-80).

    `first_visit`: there is no proof to check, and it is fit for a first visit online while its pilot lasts (RULE-77).
    A second time answers the first outcome. Locks the consultation. Raises ConsultationOfOtherKind,
    ConsultationStateRefused, FirstVisitUnconfirmed, FirstVisitRefused, SignInAgain, ClinicianNotServing.
    """
    consultation = await _caught_up(tx, consultation_id, now)
    if consultation.kind is not ConsultKind.ONLINE_FOLLOW_UP:
        raise ConsultationOfOtherKind
    if consultation.state not in (_S.WAITING, _S.ACTIVE):
        raise ConsultationStateRefused(state=consultation.state.value)
    if first_visit is not consultation.is_first_visit:
        raise FirstVisitUnconfirmed
    if consultation.accepted_at is not None:
        return consultation
    await check_first_visit(tx, consultation, now)
    session = await tx.get_one(Session, session_id)
    if now - session.created_at > VERIFIED_FOR:
        raise SignInAgain
    if not can_serve(await require_clinician(tx, consultation.clinician_id), consultation.kind, day_of(now)):
        raise ClinicianNotServing
    consultation.accepted_at = now
    await tx.flush()
    await tell_moved(tx, consultation, now)
    return consultation


async def give_extension(
    tx: AsyncSession, consultation_id: ConsultationId, quantity: int, *, now: datetime
) -> Consultation:
    """The clinician gives further rounds or minutes without money. Locks the consultation. Raises ConsultationStateRefused."""
    consultation = await queries.lock_consultation(tx, consultation_id)
    require_standing(consultation, now, _S.ACTIVE)
    tx.add(Extension(
        id=ExtensionId.new(), consultation_id=consultation_id, quantity=quantity, price_fen=Fen(0),
        state=ExtensionState.GIVEN, pay_until=now, payment_id=None, added_at=now, created_at=now,
    ))  # fmt: skip
    await extend(tx, consultation, quantity, now)
    body = Words("医护人员为您免费延长了本次咨询。", "The clinician has extended the consultation free of charge.")
    await tell_patient(tx, consultation, "consultation.extended", Words("咨询已延长", "Extended"), body, now)
    return consultation


async def wait_on(tx: AsyncSession, consultation_id: ConsultationId, *, now: datetime) -> Consultation:
    """No answer came in time, and the patient waits on: a new promise. Raises AnswerNotDue, ConsultationStateRefused."""
    consultation = await _overdue(tx, consultation_id, now)
    consultation.answer_by = now + timedelta(minutes=consultation.promises.answer_minutes)
    consultation.warned_at = None
    await watch(tx, consultation, consultation.answer_by, now)
    await tx.flush()
    await tell_moved(tx, consultation, now)
    return consultation


async def change_clinician(
    tx: AsyncSession, consultation_id: ConsultationId, offer_id: ConsultationOfferId, *, now: datetime
) -> Consultation:
    """No answer came in time, and another clinician of the hospital takes it; what they cost less goes back.

    The one before sees nothing of it any more. Locks the consultation. Raises AnswerNotDue, ConsultationStateRefused,
    OfferTooDear, and what opening it would raise: a first visit stays one, within a pilot (RULE-77).
    """
    consultation = await _overdue(tx, consultation_id, now)
    found = await require_available(tx, offer_id, now)
    left = Fen(consultation.price_fen - consultation.refund_due_fen)
    same = (found.offer.hospital_id, found.offer.kind) == (consultation.hospital_id, consultation.kind)
    if not same or found.clinician.id == consultation.clinician_id or found.offer.price_fen > left:
        raise OfferTooDear
    await check_pair(tx, consultation.account_id, found)
    patient = await tx.get_one(Patient, consultation.patient_id)
    if consultation.is_first_visit:
        pilot = await require_pilot(tx, consultation.hospital_id, found.clinician.specialty, now, held=True)
        consultation.first_visit_pilot_id = pilot.id
    check_child(consultation.kind, patient, found, now)
    if cheaper := Fen(left - found.offer.price_fen):
        due = Fen(consultation.refund_due_fen + cheaper)
        assert consultation.payment_id is not None
        await settlements.refund(
            tx, consultation.payment_id, cheaper, cause=f"changed-{due}", reason="更换医护差价退款", now=now
        )
        consultation.refund_due_fen = due
    await _hand_over(tx, consultation, people_of(patient, found), now)
    offer, terms = found.offer, consultation.terms
    consultation.clinician_id, consultation.clinician_account_id = found.clinician.id, found.clinician.account_id
    consultation.offer_id, consultation.measure, consultation.quantity = offer.id, offer.measure, offer.quantity
    consultation.terms = {**terms, "piece": offer.quantity, "piece_fen": offer.price_fen}
    await tx.flush()
    await grant_clinician(tx, consultation, now)
    await tell_moved(tx, consultation, now)
    body = Words(
        f"您有新的咨询，订单 {consultation.order_no}，请在 {consultation.promises.answer_minutes} 分钟内回复。",
        f"A new consultation, order {consultation.order_no}: answer within {consultation.promises.answer_minutes} minutes.",
    )
    await tell_clinician(tx, consultation, "consultation.paid", Words("新的咨询", "New consultation"), body, now)
    return consultation


async def _hand_over(tx: AsyncSession, consultation: Consultation, people: dict[str, str], now: datetime) -> None:
    """Away from the one before, with new promises."""
    body = Words(
        f"咨询 {consultation.order_no} 未在承诺时间内回复，患者已更换医护人员。",
        f"Consultation {consultation.order_no} had no answer in time, and the patient chose another clinician.",
    )
    await tell_clinician(tx, consultation, "consultation.taken_away", Words("咨询已转出", "Passed on"), body, now)
    await announce(tx, ConsultationMoved(consultation.id, consultation.accounts, consultation.state, None, now))
    await grants.close_grants(
        tx, basis=Basis.CONSULTATION, subject=consultation.id, grantee=consultation.clinician_id, now=now
    )
    consultation.people = people
    consultation.warned_at = consultation.accepted_at = None
    await await_answer(tx, consultation, now)


async def hide_consultation(tx: AsyncSession, consultation_id: ConsultationId, *, now: datetime) -> None:
    """The patient removes it from the list; everything is kept (RULE-82). Raises ConsultationStateRefused while it runs."""
    consultation = await _caught_up(tx, consultation_id, now)
    if consultation.ended_at is None:
        raise ConsultationStateRefused(state=consultation.state.value)
    consultation.hidden_at = consultation.hidden_at or now
    await tx.flush()


async def _overdue(tx: AsyncSession, consultation_id: ConsultationId, now: datetime) -> Consultation:
    consultation = await queries.lock_consultation(tx, consultation_id)
    require_standing(consultation, now, _S.WAITING)
    if not consultation.is_overdue(now):
        raise AnswerNotDue(minutes=consultation.promises.answer_minutes)
    return consultation


async def _caught_up(tx: AsyncSession, consultation_id: ConsultationId, now: datetime) -> Consultation:
    consultation = await queries.lock_consultation(tx, consultation_id)
    await catch_up(tx, consultation, now)
    return consultation


async def _return_all(
    tx: AsyncSession, consultation: Consultation, actor: Actor, because: EndReason, cause: str, reason: str, now: datetime,
    *, told: str | None = None,
) -> None:  # fmt: skip
    await move(tx, consultation, _S.REFUNDED, actor=actor, because=because, reason=told, now=now)
    await give_all_back(tx, consultation, cause=cause, reason=reason, now=now)
    if actor is Actor.PATIENT:
        body = Words(
            f"咨询 {consultation.order_no} 已取消，{yuan(consultation.refund_due_fen)} 将原路退回。",
            f"Consultation {consultation.order_no} is cancelled; {yuan(consultation.refund_due_fen)} goes back to your WeChat.",
        )
        title = Words("咨询已退款", "Consultation refunded")
        await tell_patient(tx, consultation, "consultation.refunded", title, body, now)
