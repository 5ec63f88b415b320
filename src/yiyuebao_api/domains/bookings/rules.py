"""The booking's state machine, when a hold has ended, and what a cancellation keeps."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Self

from yiyuebao_api.domains.bookings.problems import (
    BookingStateRefused,
    EmergencyFirst,
    ExcludedByAnswers,
    NotEligible,
    PatientAlreadyBooked,
    RescheduledTooOften,
    ScreeningIncomplete,
    TooLateToReschedule,
    TooManyHolds,
    VisitAlreadyArrived,
)
from yiyuebao_api.domains.catalogue.rules import Consequence, Eligibility, Place, Screening
from yiyuebao_api.domains.files.rules import FilePurpose
from yiyuebao_api.kernel.ids import AccountId, FileId, PatientId
from yiyuebao_api.kernel.money import Fen

#: RULE-63.
REVIEWED_WITHIN = timedelta(days=15)


class BookingState(StrEnum):
    """Where a booking is."""

    HELD = "held"
    PAID = "paid"
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    UNDER_WAY = "under_way"
    DONE = "done"
    CLOSED = "closed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUSED = "refused"


class VisitStage(StrEnum):
    """How far the visit is; `visits` tells it downward so that cancellation reads the booking alone."""

    ASSIGNED = "assigned"
    DEPARTED = "departed"
    ARRIVED = "arrived"
    STARTED = "started"
    FINISHED = "finished"
    CONFIRMED = "confirmed"


class ActorKind(StrEnum):
    """Who moved a booking."""

    PATIENT = "patient"
    DESK = "desk"
    CLINICIAN = "clinician"
    SYSTEM = "system"


S = BookingState

#: Every legal move. `expired → paid`: money that came late and found its place still free. `assigned → accepted`: the
#: clinician was taken off.
MOVES: Mapping[BookingState, frozenset[BookingState]] = {
    S.HELD: frozenset({S.PAID, S.EXPIRED, S.CANCELLED}),
    S.EXPIRED: frozenset({S.PAID}),
    S.PAID: frozenset({S.ACCEPTED, S.REFUSED, S.CANCELLED}),
    S.ACCEPTED: frozenset({S.ASSIGNED, S.REFUSED, S.CANCELLED}),
    S.ASSIGNED: frozenset({S.ACCEPTED, S.UNDER_WAY, S.REFUSED, S.CANCELLED}),
    S.UNDER_WAY: frozenset({S.DONE, S.REFUSED, S.CANCELLED}),
    S.DONE: frozenset({S.CLOSED}),
    S.CLOSED: frozenset(),
    S.CANCELLED: frozenset(),
    S.REFUSED: frozenset(),
}

#: In these a place is taken, or money is.
LIVE = (S.HELD, S.PAID, S.ACCEPTED, S.ASSIGNED, S.UNDER_WAY)

#: In these the hospital needs to know whom it visits and where.
SERVED = (S.PAID, S.ACCEPTED, S.ASSIGNED, S.UNDER_WAY, S.DONE)

#: Which state a visit's stage puts its booking in.
STATE_OF_STAGE: Mapping[VisitStage, BookingState] = {
    VisitStage.ASSIGNED: S.ASSIGNED,
    VisitStage.DEPARTED: S.UNDER_WAY,
    VisitStage.ARRIVED: S.UNDER_WAY,
    VisitStage.STARTED: S.UNDER_WAY,
    VisitStage.FINISHED: S.DONE,
    VisitStage.CONFIRMED: S.CLOSED,
}

_AT_THE_DOOR = frozenset({VisitStage.ARRIVED, VisitStage.STARTED, VisitStage.FINISHED, VisitStage.CONFIRMED})
_CALL_OUT = frozenset({"visit_fee", "travel_fee"})


def effective(state: BookingState, hold_until: datetime, now: datetime) -> BookingState:
    """The state as it is read: a hold has ended at `hold_until` even if no job has run yet (RULE-51)."""
    return S.EXPIRED if state is S.HELD and hold_until <= now else state


def check_move(before: BookingState, after: BookingState) -> None:
    """Raises BookingStateRefused for a move that is not in MOVES."""
    if after not in MOVES[before]:
        raise BookingStateRefused(state=before.value)


class BilledLine(NamedTuple):
    """A part of a booking's price."""

    kind: str
    amount_fen: Fen


@dataclass(frozen=True, slots=True)
class Policy:
    """What the patient was shown when booking, kept with it: acceptance (RULE-64), cancellation (RULE-65, 67), settlement."""

    free_until_minutes: int = 240
    late_fee_fen: int = 0
    late_minutes: int = 30
    reschedule_until_minutes: int = 360
    reschedules: int = 2
    release_after_days: int = 7
    platform_rate_bp: int = 500
    accept_within_minutes: int = 1440
    accept_before_start_minutes: int = 120
    accept_reminder_minutes: int = 60
    assign_before_start_minutes: int = 30
    come_within_minutes: int = 120

    def as_row(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in row.items() if name in known})


class Keeping(StrEnum):
    """Why a cancellation keeps something, or nothing."""

    NOTHING_PAID = "nothing_paid"
    NOT_ACCEPTED = "not_accepted"
    IN_TIME = "in_time"
    LATE = "late"
    DEPARTED = "departed"
    CLINICIAN_LATE = "clinician_late"
    HOSPITAL_REFUSED = "hospital_refused"
    UNSIGNED = "unsigned"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What would happen if it were cancelled at that moment."""

    refund_fen: Fen
    kept_fen: Fen
    because: Keeping


@dataclass(frozen=True, slots=True)
class Paid:
    """The facts a cancellation is judged by."""

    state: BookingState
    stage: VisitStage | None
    starts_at: datetime
    lines: Sequence[tuple[str, Fen]]
    policy: Policy


def cancellation(facts: Paid, now: datetime) -> Cancellation:
    """RULE-64, 65, 67: what the patient gets back. `facts.state` is the effective one.

    Raises VisitAlreadyArrived and BookingStateRefused.
    """
    if facts.stage in _AT_THE_DOOR and facts.state in (S.UNDER_WAY, S.DONE, S.CLOSED):
        raise VisitAlreadyArrived
    check_move(facts.state, S.CANCELLED)
    total = Fen(sum(amount for _, amount in facts.lines))
    if facts.state is S.HELD:
        return Cancellation(Fen(0), Fen(0), Keeping.NOTHING_PAID)
    if facts.state is S.PAID:
        return Cancellation(total, Fen(0), Keeping.NOT_ACCEPTED)
    if now > facts.starts_at + timedelta(minutes=facts.policy.late_minutes):
        return Cancellation(total, Fen(0), Keeping.CLINICIAN_LATE)
    if facts.stage is VisitStage.DEPARTED:
        kept = Fen(sum(amount for kind, amount in facts.lines if kind in _CALL_OUT))
        return Cancellation(Fen(total - kept), kept, Keeping.DEPARTED)
    if facts.starts_at - now >= timedelta(minutes=facts.policy.free_until_minutes):
        return Cancellation(total, Fen(0), Keeping.IN_TIME)
    visit_fee = sum(amount for kind, amount in facts.lines if kind == "visit_fee")
    kept = Fen(min(facts.policy.late_fee_fen, visit_fee))
    return Cancellation(Fen(total - kept), kept, Keeping.LATE)


def refusal(facts: Paid) -> Cancellation:
    """RULE-64: what the hospital refuses is refunded in full. Raises BookingStateRefused, VisitAlreadyArrived."""
    if facts.stage in _AT_THE_DOOR and facts.state in (S.UNDER_WAY, S.DONE, S.CLOSED):
        raise VisitAlreadyArrived
    check_move(facts.state, S.REFUSED)
    return Cancellation(Fen(sum(amount for _, amount in facts.lines)), Fen(0), Keeping.HOSPITAL_REFUSED)


def unsigned(facts: Paid, arrived_at: datetime) -> Cancellation:
    """RULE-65: the patient's side refuses to sign at the door: as after departure, the call-out is kept and no more.

    Nothing is kept when the clinician came too late (RULE-67). Raises BookingStateRefused.
    """
    check_move(facts.state, S.CANCELLED)
    total = Fen(sum(amount for _, amount in facts.lines))
    if arrived_at > facts.starts_at + timedelta(minutes=facts.policy.late_minutes):
        return Cancellation(total, Fen(0), Keeping.CLINICIAN_LATE)
    kept = Fen(sum(amount for kind, amount in facts.lines if kind in _CALL_OUT))
    return Cancellation(Fen(total - kept), kept, Keeping.UNSIGNED)


# ── what the hospital is awaited for ─────────────────────────────────────────────────────────────────────────────────

#: Its next step is due in these: to accept, to assign somebody, and that somebody sets out (at the hospital: checks in).
AWAITED = (S.PAID, S.ACCEPTED, S.ASSIGNED)
#: However soon the visit is, a step may take that long.
AT_LEAST = timedelta(minutes=10)


class Due(NamedTuple):
    """Until when a hospital takes its next step, and when somebody is reminded of it."""

    by: datetime
    remind_at: datetime


def due(policy: Policy, state: BookingState, since: datetime, starts_at: datetime) -> Due:
    """When the step that is awaited `since` then must be done: RULE-64 for acceptance, RULE-67 for what follows.

    Acceptance: a while after it was paid or moved, at the latest some time before the visit, and never after its start.
    Assignment: some time before the start. Setting out: some time after it; the reminder comes when the patient may
    cancel for nothing. Where the time to accept or assign is short the reminder comes when half of it is over.
    """
    reminder = timedelta(minutes=policy.accept_reminder_minutes)
    come_by = starts_at + timedelta(minutes=policy.come_within_minutes)
    if state is S.ASSIGNED:
        by = max(come_by, since + AT_LEAST)
        return Due(by, min(by, max(starts_at + timedelta(minutes=policy.late_minutes), since + AT_LEAST)))
    if state is S.ACCEPTED:
        last = starts_at - timedelta(minutes=policy.assign_before_start_minutes)
        by = max(last, min(since + AT_LEAST, come_by), since)
    else:
        last = starts_at - timedelta(minutes=policy.accept_before_start_minutes)
        by = min(since + timedelta(minutes=policy.accept_within_minutes), last)
        by = max(by, min(since + AT_LEAST, starts_at), since)
    return Due(by, by - min(reminder, (by - since) / 2))


def is_expected(state: BookingState, stage: VisitStage | None) -> bool:
    """Whether somebody is to come and is not there yet, whether they set out or not."""
    return state is S.ASSIGNED or (state is S.UNDER_WAY and stage is VisitStage.DEPARTED)


def check_reschedule(policy: Policy, starts_at: datetime, times: int, now: datetime) -> None:
    """RULE-66: in good time before the old start, and not too often. Raises TooLateToReschedule, RescheduledTooOften."""
    if starts_at - now < timedelta(minutes=policy.reschedule_until_minutes):
        raise TooLateToReschedule(hours=policy.reschedule_until_minutes // 60)
    if times >= policy.reschedules:
        raise RescheduledTooOften(most=policy.reschedules)


# ── screening ────────────────────────────────────────────────────────────────────────────────────────────────────────

#: Words of an emergency, unless denied just before (`无胸痛`). Old strokes and stitches are why people book: not here.
_EMERGENCY = re.compile(
    "(?<!无)(?<!没有)(?<!否认)(?<!不)"
    "(?:胸痛|胸口痛|呼吸困难|喘不上气|喘不过气|昏迷|不省人事|叫不醒|意识不清|大出血|血流不止|口角歪斜|嘴歪|突发偏瘫)"
)


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody tells about the patient when booking."""

    eligibility: tuple[Eligibility, ...] = ()
    answers: Mapping[str, bool] = field(default_factory=dict)
    allergies: str | None = None
    medication: str | None = None
    companion: Mapping[str, str] | None = None
    note: str | None = None
    proof_ids: tuple[FileId, ...] = ()

    def as_row(self, review: Sequence[str]) -> dict[str, Any]:
        """What is sealed in the booking; `review` are the answers the hospital must look at."""
        return {
            "eligibility": [tag.value for tag in self.eligibility], "answers": dict(self.answers),
            "allergies": self.allergies, "medication": self.medication,
            "companion": dict(self.companion) if self.companion is not None else None, "review": list(review),
            "proofs": [str(each) for each in self.proof_ids],
        }  # fmt: skip


def screen(asked: Screening, told: Told, place: Place) -> list[str]:
    """RULE-40 … 43, 48: the codes of answers the hospital must review. An emergency comes before everything else.

    At the hospital only emergencies stop a booking (RULE-50). Raises EmergencyFirst, ScreeningIncomplete,
    ExcludedByAnswers, NotEligible.
    """
    failed = [each for each in asked.questions if told.answers.get(each.code) is each.failing]
    if any(each.then is Consequence.EMERGENCY for each in failed) or _EMERGENCY.search(told.note or ""):
        raise EmergencyFirst
    if place is not Place.HOME:
        return []
    missing = [each.code for each in asked.questions if each.code not in told.answers]
    if asked.history_required:
        missing += [name for name in ("allergies", "medication") if getattr(told, name) is None]
    if asked.companion_required and told.companion is None:
        missing.append("companion")
    if missing:
        raise ScreeningIncomplete(missing=missing)
    if blocking := [each.code for each in failed if each.then is Consequence.BLOCK]:
        raise ExcludedByAnswers(questions=blocking)
    if asked.eligibility and not set(asked.eligibility) & set(told.eligibility):
        raise NotEligible(one_of=[tag.value for tag in asked.eligibility])
    return [each.code for each in failed]


#: RULE-43: a picture of a wound shows it as it is now.
WOUND_PHOTO_STANDS = timedelta(days=7)


def missing_proofs(asked: Screening, shown: Sequence[tuple[FilePurpose, datetime]], now: datetime) -> list[str]:
    """What must be shown at home and was not, or is too old (RULE-43)."""
    good = {
        purpose for purpose, sent_at in shown if purpose is not FilePurpose.WOUND_PHOTO or sent_at > now - WOUND_PHOTO_STANDS
    }
    return [each.value for each in asked.proofs if each not in good]


# ── first assessment ─────────────────────────────────────────────────────────────────────────────────────────────────

#: RULE-39 (b).
ASSESSMENT_STANDS = timedelta(days=90)


class Decision(StrEnum):
    """What a first assessment comes to (RULE-39)."""

    HOME_OK = "home_ok"
    TO_HOSPITAL = "to_hospital"
    REJECT = "reject"


class Dependence(StrEnum):
    """How much help somebody needs, by their Barthel index (RULE-39)."""

    ABLE = "able"
    LIGHT = "light"
    MODERATE = "moderate"
    HEAVY = "heavy"


def dependence(barthel: int) -> Dependence:
    """RULE-39 (c): 100 able, 61–99 light, 41–60 moderate, ≤ 40 heavy."""
    if barthel >= 100:
        return Dependence.ABLE
    if barthel > 60:
        return Dependence.LIGHT
    return Dependence.MODERATE if barthel > 40 else Dependence.HEAVY


@dataclass(slots=True)
class Commitments:
    """What some accounts hold unpaid, and when some patients are booked already; grows with what is decided by it."""

    holds: Counter[AccountId] = field(default_factory=Counter)
    times: defaultdict[PatientId, list[tuple[datetime, datetime]]] = field(default_factory=lambda: defaultdict(list))

    def check(self, account_id: AccountId, patient_id: PatientId, starts_at: datetime, ends_at: datetime, *, most: int) -> None:
        """Whether one more hold may be made. Raises TooManyHolds, PatientAlreadyBooked."""
        if self.holds[account_id] >= most:
            raise TooManyHolds(most=most)
        if any(first < ends_at and last > starts_at for first, last in self.times[patient_id]):
            raise PatientAlreadyBooked

    def note(self, account_id: AccountId, patient_id: PatientId, starts_at: datetime, ends_at: datetime) -> None:
        """It was made."""
        self.holds[account_id] += 1
        self.times[patient_id].append((starts_at, ends_at))
