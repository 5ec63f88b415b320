"""How a visit moves, when a person is busy, who may be sent, and who may see the address."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from yiyuebao_api.domains.catalogue.rules import Place, RiskGrade
from yiyuebao_api.domains.clinicians.problems import ClinicianUnqualified
from yiyuebao_api.domains.clinicians.rules import Clause
from yiyuebao_api.domains.schedules.rules import Shift, day_of, minute_of
from yiyuebao_api.domains.visits.problems import (
    AgreementChanged,
    AgreementNotRead,
    ClinicianBusy,
    ClinicianFullyBooked,
    ClinicianOnLeave,
    ItemNotGranted,
    OtherSexWished,
    SignatureNeeded,
    VisitStepOutOfOrder,
)
from yiyuebao_api.kernel.money import Fen, yuan

#: RULE-55 (b): farther from the address than this, an arrival needs a reason.
ARRIVAL_M = 500
#: After the end the clinician sees the full address for so long.
ADDRESS_SHOWN = timedelta(hours=24)
#: Wrong check-in codes of one visit, and how long none is taken afterwards.
CODE_TRIES, CODE_BLOCKED = 5, timedelta(minutes=15)


class Stage(StrEnum):
    """How far a visit is. `bookings.VisitStage` has the same words, except for a visit that does not take place."""

    ASSIGNED = "assigned"
    DEPARTED = "departed"
    ARRIVED = "arrived"
    STARTED = "started"
    FINISHED = "finished"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class Confirmer(StrEnum):
    """Who confirmed that a visit took place."""

    PATIENT = "patient"
    SILENCE = "silence"


class ArrivalReason(StrEnum):
    """Why somebody has arrived although the position says otherwise (V03)."""

    GPS_UNRELIABLE = "gps_unreliable"
    ADDRESS_MISPLACED = "address_misplaced"
    NO_ACCESS = "no_access"
    MET_ELSEWHERE = "met_elsewhere"
    OTHER = "other"


class Viewer(StrEnum):
    """Through whose eyes a visit is shown."""

    PATIENT = "patient"
    CLINICIAN = "clinician"
    DESK = "desk"


# ── the order of the steps ───────────────────────────────────────────────────────────────────────────────────────────

_ALWAYS = {
    Stage.DEPARTED: frozenset({Stage.ARRIVED, Stage.CANCELLED}),
    Stage.ARRIVED: frozenset({Stage.STARTED, Stage.CANCELLED}),
    Stage.STARTED: frozenset({Stage.FINISHED, Stage.CANCELLED}),
    Stage.FINISHED: frozenset({Stage.CONFIRMED}),
    Stage.CONFIRMED: frozenset[Stage](),
    Stage.CANCELLED: frozenset({Stage.ASSIGNED}),
}
#: By place; a booking is made for one of the two, never for `both`.
MOVES: Mapping[Place, Mapping[Stage, frozenset[Stage]]] = {
    Place.HOME: {Stage.ASSIGNED: frozenset({Stage.DEPARTED, Stage.CANCELLED}), **_ALWAYS},
    Place.HOSPITAL: {Stage.ASSIGNED: frozenset({Stage.ARRIVED, Stage.CANCELLED}), **_ALWAYS},
}
#: Before anybody has set out: the desk may still send somebody else.
UNTOUCHED = frozenset({Stage.ASSIGNED})
#: The patient may be asked for the code.
CODE_WANTED = frozenset({Stage.ASSIGNED, Stage.DEPARTED, Stage.ARRIVED})


def check_step(place: Place, now: Stage, wanted: Stage) -> None:
    """Raises VisitStepOutOfOrder."""
    if wanted not in MOVES[place][now]:
        raise VisitStepOutOfOrder(stage=now.value)


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def busy_range(starts_at: datetime, ends_at: datetime, place: Place, travel: timedelta) -> tuple[datetime, datetime]:
    """From when until when a visit keeps its clinician busy, half-open: the way there and back counts (RULE-45)."""
    way = travel if place is Place.HOME else timedelta()
    return starts_at - way, ends_at + way


def busy_until_after(finished_at: datetime, busy_from: datetime, busy_until: datetime, way: timedelta) -> datetime:
    """The end of the busy range once the visit is over: earlier than planned, never later, never before it begins."""
    return max(busy_from, min(busy_until, finished_at + way))


def may_see_address(viewer: Viewer, stage: Stage, finished_at: datetime | None, now: datetime) -> bool:
    """Whether the whole address and phone are shown, or only the district and a masked phone.

    The patient's side always; the clinician who is sent from assignment until 24 hours after the end; the desk never.
    """
    if viewer is not Viewer.CLINICIAN:
        return viewer is Viewer.PATIENT
    if stage is Stage.CANCELLED:
        return False
    return finished_at is None or now < finished_at + ADDRESS_SHOWN


def most_visits(shifts: Sequence[Shift], day: date) -> int | None:
    """How many visits the roster allows on that day; None when it says nothing (RULE-45)."""
    return max((shift.max_visits for shift in shifts if shift.weekday == day.weekday()), default=None)


def is_on_duty(shifts: Sequence[Shift], starts_at: datetime, ends_at: datetime) -> bool | None:
    """Whether one shift covers the whole visit; None for somebody whose hours nobody entered."""
    if not shifts:
        return None
    day = day_of(starts_at)
    start, end = minute_of(day, starts_at), minute_of(day, ends_at)
    return any(shift.weekday == day.weekday() and shift.start <= start and end <= shift.end for shift in shifts)


# ── who may be sent ──────────────────────────────────────────────────────────────────────────────────────────────────


class Blocker(StrEnum):
    """One reason why a clinician cannot be sent to a visit; all but the last five are clauses of the gate."""

    NOT_VERIFIED = Clause.NOT_VERIFIED.value
    ADVERSE_RECORD = Clause.ADVERSE_RECORD.value
    VERIFICATION_STALE = Clause.VERIFICATION_STALE.value
    IDENTITY_NOT_VERIFIED = Clause.IDENTITY_NOT_VERIFIED.value
    LICENCE_NOT_APPROVED = Clause.LICENCE_NOT_APPROVED.value
    LICENCE_EXPIRED = Clause.LICENCE_EXPIRED.value
    NOT_REGISTERED_HERE = Clause.NOT_REGISTERED_HERE.value
    NOT_IN_REGISTER = Clause.NOT_IN_REGISTER.value
    TOO_FEW_YEARS = Clause.TOO_FEW_YEARS.value
    TITLE_TOO_LOW = Clause.TITLE_TOO_LOW.value
    TITLE_NOT_APPROVED = Clause.TITLE_NOT_APPROVED.value
    NOT_TRAINED = Clause.NOT_TRAINED.value
    LIABILITY_UNINSURED = Clause.LIABILITY_UNINSURED.value
    MALPRACTICE_UNINSURED = Clause.MALPRACTICE_UNINSURED.value
    ACCIDENT_UNINSURED = Clause.ACCIDENT_UNINSURED.value
    BUSY = "busy"
    ON_LEAVE = "on_leave"
    FULLY_BOOKED = "fully_booked"
    OTHER_SEX = "other_sex"
    ITEM_NOT_GRANTED = "item_not_granted"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one clinician on the day of one visit. `most_visits` None: no roster limits them."""

    clauses: Sequence[Clause]
    busy: bool
    on_leave: bool
    visits_that_day: int
    most_visits: int | None
    other_sex: bool = False
    not_granted: str | None = None  # the item's code

    @property
    def is_fully_booked(self) -> bool:
        """RULE-45: the daily capacity."""
        return self.most_visits is not None and self.visits_that_day >= self.most_visits

    def blockers(self) -> list[Blocker]:
        """Every reason at once, for the desk that chooses."""
        found = [Blocker(clause.value) for clause in self.clauses]
        found += [Blocker.ON_LEAVE] if self.on_leave else []
        found += [Blocker.BUSY] if self.busy else []
        found += [Blocker.FULLY_BOOKED] if self.is_fully_booked else []
        found += [Blocker.OTHER_SEX] if self.other_sex else []
        found += [Blocker.ITEM_NOT_GRANTED] if self.not_granted is not None else []
        return found


def not_granted(item_code: str, granted: Collection[str]) -> str | None:
    """The item's code when the hospital has not granted it to somebody (RULE-46)."""
    return None if item_code in granted else item_code


def check_granted(missing: str | None) -> None:
    """Raises ItemNotGranted."""
    if missing is not None:
        raise ItemNotGranted(item_code=missing)


def check_may_be_sent(standing: Standing) -> None:
    """Raises ClinicianUnqualified with every failing clause, and one problem for each of the other blockers (RULE-46)."""
    if standing.clauses:
        raise ClinicianUnqualified(clauses=[clause.value for clause in standing.clauses])
    check_granted(standing.not_granted)
    if standing.on_leave:
        raise ClinicianOnLeave
    if standing.busy:
        raise ClinicianBusy
    if standing.is_fully_booked:
        raise ClinicianFullyBooked(most=standing.most_visits)
    if standing.other_sex:
        raise OtherSexWished


# ── what is agreed to before it begins (RULE-47) ─────────────────────────────────────────────────────────────────────

#: Counts the wordings below: another wording is another number.
TEMPLATE = 1
_CLOCKS_APART = timedelta(minutes=2)
_RIGHTS = (
    "您有权了解服务人员的姓名与资质，有权拒绝或随时要求停止服务；停止服务不影响您获得其他诊疗。",
    "服务过程与护理记录由医院依法保存；您可以查阅、复制，并可就服务提出投诉。",
)
_RISKS = "任何护理操作都可能出现不适或意外；出现呼吸困难、意识改变、大出血等情况时，服务人员将停止操作并协助呼叫 120。"


class Described(Protocol):
    """What of a service's version goes into the text."""

    @property
    def name(self) -> str: ...
    @property
    def intro(self) -> str: ...
    @property
    def tips(self) -> str: ...
    @property
    def cautions(self) -> str: ...
    @property
    def contraindications(self) -> str: ...
    @property
    def consumables(self) -> str: ...
    @property
    def duration_min(self) -> int: ...
    @property
    def risk_grade(self) -> RiskGrade: ...


@dataclass(frozen=True, slots=True)
class AgreementText:
    """A text to be read and signed: content, process, risks, rights, duties and fee of one service."""

    title: str
    sections: tuple[tuple[str, str], ...]
    signature_needed: bool

    @property
    def sha256(self) -> bytes:
        """Of everything that is shown."""
        shown = [TEMPLATE, self.title, self.sections, self.signature_needed]
        return hashlib.sha256(json.dumps(shown, ensure_ascii=False).encode()).digest()


def agreement_text(version: Described, *, hospital: str, total_fen: Fen) -> AgreementText:
    """The same facts give the same text."""
    sections = (
        ("服务内容", f"{hospital}为您提供“{version.name}”，约 {version.duration_min} 分钟。{version.intro}"),
        ("服务过程", f"{version.tips} 使用：{version.consumables}"),
        ("风险与注意", f"{version.cautions} 不适合：{version.contraindications} {_RISKS}"),
        ("您的权利", "".join(_RIGHTS)),
        ("您的义务", "如实告知病史、过敏史与用药，提供安全的服务环境，配合核对身份。"),
        ("费用", f"共 {yuan(total_fen)}，按预约时的明细与退改规则结算。"),
    )
    return AgreementText(f"{version.name}知情同意书", sections, version.risk_grade is RiskGrade.HIGH)


def check_signing(
    text: AgreementText, *, sha256: bytes, read_at: datetime, by_hand: bool, assigned_at: datetime, now: datetime
) -> None:
    """The very text, opened for this visit and not in the future; by hand where risk is high.

    Raises AgreementChanged, AgreementNotRead, SignatureNeeded.
    """
    if sha256 != text.sha256:
        raise AgreementChanged
    if not assigned_at - _CLOCKS_APART <= read_at <= now + _CLOCKS_APART:
        raise AgreementNotRead
    if text.signature_needed and not by_hand:
        raise SignatureNeeded
