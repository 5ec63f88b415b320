"""The clock of a consultation: the first answer, the rounds, the deadlines and what is done when one has passed."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consultations import queries
from yiyuebao_api.domains.consultations.models import Consultation, ConsultationPilot
from yiyuebao_api.domains.consultations.problems import (
    ConsultationExpired,
    ConsultationStateRefused,
)
from yiyuebao_api.domains.consultations.rules import (
    Actor,
    ConsultState,
    EndReason,
    Measure,
    Spoken,
)
from yiyuebao_api.domains.consultations.service.first_visits import end_without_pilot
from yiyuebao_api.domains.consultations.service.settling import earn, give_all_back
from yiyuebao_api.domains.consultations.service.telling import move, tell_clinician, tell_moved, tell_patient
from yiyuebao_api.kernel import outbox
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import ConsultationId
from yiyuebao_api.kernel.problems import Words


def require_standing(consultation: Consultation, now: datetime, *states: ConsultState) -> None:
    """Raises ConsultationStateRefused, or ConsultationExpired when what is over is the time to pay."""
    state = consultation.standing(now).state
    if state not in states:
        if state is ConsultState.EXPIRED:
            raise ConsultationExpired
        raise ConsultationStateRefused(state=state.value)


async def note_turn(tx: AsyncSession, consultation: Consultation, spoken: Spoken, now: datetime) -> None:
    """What was said moves more than counters: the first answer starts the clock, the last round ends it in a while.

    The caller holds the row's lock.
    """
    if spoken.starts:
        await _start(tx, consultation, now)
    consultation.rounds_used, consultation.asked = spoken.rounds.used, spoken.rounds.asked
    consultation.spoken_at = now
    if spoken.closes:
        consultation.closes_at = now + timedelta(minutes=consultation.promises.grace_minutes)
        await watch(tx, consultation, consultation.closes_at, now)
        await warn(tx, consultation, now)


async def _start(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    consultation.answered_at = consultation.spoken_at = now
    consultation.warned_at = None
    if consultation.measure is Measure.MINUTES:
        consultation.closes_at = now + timedelta(minutes=consultation.quantity)
        await watch_clock(tx, consultation, now)
    await move(tx, consultation, ConsultState.ACTIVE, actor=Actor.CLINICIAN, now=now)
    await outbox.put(
        tx, "consultations.watch", consultation.id, {"idle": True}, now=now, run_at=now + consultation.promises.idle_for
    )
    body = Words("医护人员已回复您的咨询，请打开查看。", "The clinician has answered; open the consultation.")
    await tell_patient(tx, consultation, "consultation.answered", Words("咨询有新回复", "You have an answer"), body, now)


async def extend(tx: AsyncSession, consultation: Consultation, quantity: int, now: datetime) -> None:
    """Further rounds or minutes. The caller holds the row's lock and has seen that it is active."""
    consultation.quantity += quantity
    consultation.warned_at = None
    if consultation.measure is Measure.MINUTES:
        consultation.closes_at = (consultation.closes_at or now) + timedelta(minutes=quantity)
        await watch_clock(tx, consultation, now)
    else:
        consultation.closes_at = None
    await tx.flush()
    await tell_moved(tx, consultation, now)


async def watch_clock(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    """Look at it again when it is time to warn, and when it is over."""
    assert consultation.closes_at is not None
    warn_at = consultation.closes_at - timedelta(minutes=consultation.promises.warn_minutes)
    if warn_at > now:
        await watch(tx, consultation, warn_at, now)
    await watch(tx, consultation, consultation.closes_at, now)


async def await_answer(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    """A first answer is promised from now on; a first visit must be accepted while its pilot lasts, too."""
    terms = consultation.promises
    consultation.answer_by = now + timedelta(minutes=terms.answer_minutes)
    consultation.refund_at = now + timedelta(hours=terms.refund_hours)
    await watch(tx, consultation, consultation.answer_by, now)
    await watch(tx, consultation, consultation.refund_at, now)
    if consultation.first_visit_pilot_id is not None:
        over = (await tx.get_one(ConsultationPilot, consultation.first_visit_pilot_id)).over_at
        if over < consultation.refund_at:
            await watch(tx, consultation, over, now)


async def watch(tx: AsyncSession, consultation: Consultation, at: datetime, now: datetime) -> None:
    """Look at it again at that moment."""
    await outbox.put(tx, "consultations.watch", consultation.id, now=now, run_at=at)


async def warn(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    """Both hear that it ends soon, once, in time to extend it."""
    if consultation.warned_at is not None:
        return
    consultation.warned_at = now
    await tx.flush()
    await tell_moved(tx, consultation, now)
    body = Words("本次咨询即将结束，需要时可以续时或加问。", "The consultation ends soon; extend it if you need more.")
    await tell_patient(tx, consultation, "consultation.ending", Words("咨询即将结束", "It ends soon"), body, now)


async def watch_consultation(begin: Begin, consultation_id: ConsultationId, *, idle: bool, now: datetime) -> None:
    """The job at every deadline: writes down what is already true at read time, and does what follows from it.

    Safe to repeat. With `idle` it follows the silence: raises outbox.Again while somebody has spoken since.
    """
    async with begin() as tx:
        consultation = await queries.lock_consultation(tx, consultation_id)
        await catch_up(tx, consultation, now)
        await end_without_pilot(tx, consultation, now)
        ends = consultation.idle_at
        if idle and consultation.state is ConsultState.ACTIVE and ends is not None:
            again = ends - now
        else:
            return
    raise outbox.Again(max(again, timedelta(seconds=1)))


async def catch_up(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    """Write down a deadline that has passed before anything else is done. The caller holds the row's lock."""
    found = consultation.standing(now)
    if found.state is not consultation.state and found.reason is not None:
        await end_by_itself(tx, consultation, found.state, found.reason, found.since or now, now)
    elif consultation.state is ConsultState.WAITING and consultation.is_overdue(now):
        await _apologise(tx, consultation, now)
    elif consultation.state is ConsultState.ACTIVE and _ends_soon(consultation, now):
        await warn(tx, consultation, now)


def _ends_soon(consultation: Consultation, now: datetime) -> bool:
    ends = consultation.closes_at
    return ends is not None and ends - timedelta(minutes=consultation.promises.warn_minutes) <= now


async def _apologise(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    if consultation.warned_at is not None:
        return
    consultation.warned_at = now
    await tx.flush()
    await tell_moved(tx, consultation, now)
    body = Words(
        "医护人员未能在承诺时间内回复。您可以继续等待、更换医护人员或全额退款。",
        "The promised time has passed: wait on, choose another clinician, or have everything refunded.",
    )
    await tell_patient(tx, consultation, "consultation.unanswered", Words("咨询暂未回复", "Still no answer"), body, now)
    body = Words(
        f"咨询 {consultation.order_no} 已超过承诺的回复时间，请尽快回复。",
        f"Consultation {consultation.order_no} waits longer than was promised; please answer soon.",
    )
    title = Words("有咨询等待回复", "Somebody waits for you")
    await tell_clinician(tx, consultation, "consultation.unanswered", title, body, now)


async def end_by_itself(
    tx: AsyncSession, consultation: Consultation, to: ConsultState, because: EndReason, since: datetime, now: datetime
) -> None:
    """A deadline has passed: unpaid, unanswered, used up or silent."""
    await move(tx, consultation, to, actor=Actor.SYSTEM, because=because, now=now)
    consultation.ended_at = since
    if to is ConsultState.REFUNDED:
        await give_all_back(tx, consultation, cause="unanswered", reason="咨询未获回复退款", now=now)
        body = Words(
            f"咨询 {consultation.order_no} 未获回复，费用将原路退回。",
            f"Consultation {consultation.order_no} had no answer; what was paid goes back.",
        )
        title = Words("咨询已退款", "Consultation refunded")
        await tell_patient(tx, consultation, "consultation.refunded", title, body, now)
    elif to is ConsultState.ENDED:
        await earn(tx, consultation, now=now)
        body = Words(
            f"咨询 {consultation.order_no} 已结束，请对本次服务作出评价。",
            f"Consultation {consultation.order_no} is over; please rate it.",
        )
        await tell_patient(tx, consultation, "consultation.ended", Words("咨询已结束", "Consultation ended"), body, now)
