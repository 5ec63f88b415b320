"""Who may be sent to a patient, how files and certificates move, and what a photographed certificate says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

from yiyuebao_api.domains.clinicians.problems import ClinicianStateRefused, QualificationStateRefused
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.problems import Words


class ClinicianKind(StrEnum):
    """What the licence is for."""

    NURSE = "nurse"
    DOCTOR = "doctor"


class ClinicianState(StrEnum):
    """Where a clinician's file stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    VERIFIED = "verified"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    EXITED = "exited"


class Title(StrEnum):
    """Professional titles in rising order: 护士 … 主任护师, then 医师 … 主任医师."""

    NURSE = "nurse"
    SENIOR_NURSE = "senior_nurse"
    SUPERVISOR_NURSE = "supervisor_nurse"
    DEPUTY_CHIEF_NURSE = "deputy_chief_nurse"
    CHIEF_NURSE = "chief_nurse"
    RESIDENT_DOCTOR = "resident_doctor"
    ATTENDING_DOCTOR = "attending_doctor"
    DEPUTY_CHIEF_DOCTOR = "deputy_chief_doctor"
    CHIEF_DOCTOR = "chief_doctor"


TITLE_NAMES: dict[Title, str] = {
    Title.NURSE: "护士",
    Title.SENIOR_NURSE: "护师",
    Title.SUPERVISOR_NURSE: "主管护师",
    Title.DEPUTY_CHIEF_NURSE: "副主任护师",
    Title.CHIEF_NURSE: "主任护师",
    Title.RESIDENT_DOCTOR: "住院医师",
    Title.ATTENDING_DOCTOR: "主治医师",
    Title.DEPUTY_CHIEF_DOCTOR: "副主任医师",
    Title.CHIEF_DOCTOR: "主任医师",
}

TITLES: dict[ClinicianKind, frozenset[Title]] = {
    ClinicianKind.NURSE: frozenset(title for title in Title if title.value.endswith("nurse")),
    ClinicianKind.DOCTOR: frozenset(title for title in Title if title.value.endswith("doctor")),
}


class Practice(StrEnum):
    """On what ground somebody works at this hospital: their place of registration, or a filing there (RULE-26)."""

    REGISTERED = "registered"
    FILED = "filed"


class Clause(StrEnum):
    """One condition of being sent that is not met."""

    NOT_VERIFIED = "not_verified"
    ADVERSE_RECORD = "adverse_record"
    VERIFICATION_STALE = "verification_stale"
    IDENTITY_NOT_VERIFIED = "identity_not_verified"
    LICENCE_NOT_APPROVED = "licence_not_approved"
    LICENCE_EXPIRED = "licence_expired"
    NOT_REGISTERED_HERE = "not_registered_here"
    NOT_IN_REGISTER = "not_in_register"
    TOO_FEW_YEARS = "too_few_years"
    TITLE_TOO_LOW = "title_too_low"
    TITLE_NOT_APPROVED = "title_not_approved"
    NOT_TRAINED = "not_trained"
    LIABILITY_UNINSURED = "liability_uninsured"
    MALPRACTICE_UNINSURED = "malpractice_uninsured"
    ACCIDENT_UNINSURED = "accident_uninsured"


_OUT = frozenset({ClinicianState.EXITED})

MOVES: dict[ClinicianState, frozenset[ClinicianState]] = {
    ClinicianState.DRAFT: _OUT | {ClinicianState.SUBMITTED, ClinicianState.VERIFIED},
    ClinicianState.SUBMITTED: _OUT | {ClinicianState.VERIFIED, ClinicianState.REJECTED, ClinicianState.DRAFT},
    ClinicianState.VERIFIED: _OUT | {ClinicianState.VERIFIED, ClinicianState.SUSPENDED, ClinicianState.DRAFT},
    ClinicianState.REJECTED: _OUT | {ClinicianState.SUBMITTED, ClinicianState.DRAFT},
    ClinicianState.SUSPENDED: _OUT | {ClinicianState.VERIFIED},
    ClinicianState.EXITED: frozenset(),
}


def check_move(now: ClinicianState, wanted: ClinicianState) -> None:
    """Raises ClinicianStateRefused."""
    if wanted not in MOVES[now]:
        raise ClinicianStateRefused(state=now.value)


# ── the gate ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Gate:
    """The thresholds of RULE-21, RULE-22 and RULE-24, which local documents may move."""

    nurse_years: int = 5
    doctor_years: int = 3
    nurse_titles: frozenset[Title] = TITLES[ClinicianKind.NURSE] - {Title.NURSE}
    recheck_after_days: int = 180


class Qualified(Protocol):
    """What the gate looks at."""

    @property
    def kind(self) -> ClinicianKind: ...
    @property
    def state(self) -> ClinicianState: ...
    @property
    def verified_at(self) -> datetime | None: ...
    @property
    def identity_checked_at(self) -> datetime | None: ...
    @property
    def licence_checked_at(self) -> datetime | None: ...
    @property
    def licence_valid_until(self) -> date: ...
    @property
    def practice(self) -> Practice | None: ...
    @property
    def e_reg_checked_on(self) -> date | None: ...
    @property
    def clinical_years(self) -> int: ...
    @property
    def title(self) -> Title: ...
    @property
    def title_checked_at(self) -> datetime | None: ...
    @property
    def training_passed_on(self) -> date | None: ...
    @property
    def liability_until(self) -> date | None: ...
    @property
    def malpractice_until(self) -> date | None: ...
    @property
    def accident_until(self) -> date | None: ...


def may_practise(facts: Qualified, on: date, gate: Gate | None = None) -> list[Clause]:
    """What of a clinician's qualification is missing on that Shanghai day (RULE-21, 22, 24, 26, 28).

    Asked when the operator verifies a file. The electronic register and the title are a nurse's (RULE-22).
    """
    gate, nurse = gate or Gate(), facts.kind is ClinicianKind.NURSE
    checks = {
        Clause.NOT_VERIFIED: facts.state is not ClinicianState.VERIFIED,
        Clause.ADVERSE_RECORD: facts.state is ClinicianState.EXITED,
        Clause.VERIFICATION_STALE: facts.state is ClinicianState.VERIFIED and _stale(facts.verified_at, on, gate),
        Clause.IDENTITY_NOT_VERIFIED: facts.identity_checked_at is None,
        Clause.LICENCE_NOT_APPROVED: facts.licence_checked_at is None,
        Clause.LICENCE_EXPIRED: facts.licence_valid_until < on,
        Clause.NOT_REGISTERED_HERE: facts.practice is None,
        Clause.NOT_IN_REGISTER: nurse and facts.e_reg_checked_on is None,
        Clause.TOO_FEW_YEARS: facts.clinical_years < (gate.nurse_years if nurse else gate.doctor_years),
        Clause.TITLE_TOO_LOW: nurse and facts.title not in gate.nurse_titles,
        Clause.TITLE_NOT_APPROVED: nurse and facts.title_checked_at is None,
    }
    return [clause for clause, failed in checks.items() if failed]


def may_serve(facts: Qualified, on: date, gate: Gate | None = None) -> list[Clause]:
    """Why a clinician may not be sent on that Shanghai day; empty when they may (RULE-22, RULE-24, RULE-27).

    Asked at assignment and again at departure: the qualification, and with it training and the three insurances.
    """
    checks = {
        Clause.NOT_TRAINED: facts.training_passed_on is None or facts.training_passed_on > on,
        Clause.LIABILITY_UNINSURED: facts.liability_until is None or facts.liability_until < on,
        Clause.MALPRACTICE_UNINSURED: facts.malpractice_until is None or facts.malpractice_until < on,
        Clause.ACCIDENT_UNINSURED: facts.accident_until is None or facts.accident_until < on,
    }
    return may_practise(facts, on, gate) + [clause for clause, failed in checks.items() if failed]


def _stale(verified_at: datetime | None, on: date, gate: Gate) -> bool:
    return verified_at is None or day_of(verified_at) + timedelta(days=gate.recheck_after_days) < on


def day_of(now: datetime) -> date:
    """The Shanghai day of a moment."""
    return now.astimezone(SHANGHAI).date()


class AdverseKind(StrEnum):
    """What ends somebody's work here (RULE-28)."""

    LICENCE_REVOKED = "licence_revoked"
    ADVERSE_PRACTICE = "adverse_practice"
    VIOLATION = "violation"


def barred_until(kind: AdverseKind, happened_on: date) -> date | None:
    """Two years from a revocation (RULE-23), for good otherwise; the last day of the bar."""
    if kind is not AdverseKind.LICENCE_REVOKED:
        return None
    try:
        return happened_on.replace(year=happened_on.year + 2)
    except ValueError:  # 29 February
        return happened_on.replace(year=happened_on.year + 2, day=28)


# ── what runs out ────────────────────────────────────────────────────────────────────────────────────────────────────


class Paper(StrEnum):
    """What of a clinician's file has a last day."""

    LICENCE = "licence"
    LIABILITY = "liability"
    MALPRACTICE = "malpractice"
    ACCIDENT = "accident"
    VERIFICATION = "verification"


PAPER_NAMES: dict[Paper, Words] = {
    Paper.LICENCE: Words("执业证书", "licence to practise"), Paper.LIABILITY: Words("责任保险", "liability insurance"),
    Paper.MALPRACTICE: Words("医疗意外险", "malpractice insurance"), Paper.ACCIDENT: Words("人身意外险", "accident insurance"),
    Paper.VERIFICATION: Words("资质复核", "check of the papers"),
}  # fmt: skip
#: RULE-23 and A09: how many days before the last one a warning is given; 90 for a licence, whose renewal takes a while.
WARNINGS: dict[Paper, tuple[int, ...]] = dict.fromkeys(Paper, (60, 30, 7)) | {Paper.LICENCE: (90, 60, 30, 7)}
FARTHEST_WARNING = timedelta(days=max(days for each in WARNINGS.values() for days in each))


def last_days(facts: Qualified, gate: Gate | None = None) -> dict[Paper, date]:
    """The last day of everything that has one."""
    days = {
        Paper.LICENCE: facts.licence_valid_until, Paper.LIABILITY: facts.liability_until,
        Paper.MALPRACTICE: facts.malpractice_until, Paper.ACCIDENT: facts.accident_until,
    }  # fmt: skip
    if facts.verified_at is not None:
        recheck = timedelta(days=(gate or Gate()).recheck_after_days)
        days[Paper.VERIFICATION] = day_of(facts.verified_at) + recheck
    return {paper: day for paper, day in days.items() if day is not None}


def warning_due(paper: Paper, last_day: date, today: date) -> int | None:
    """Which warning is due: the nearest whose day has come, so that a late watch gives one and not four; 0 has ended."""
    left = (last_day - today).days
    if left < 0:
        return 0
    return min((days for days in WARNINGS[paper] if left <= days), default=None)


# ── certificates ─────────────────────────────────────────────────────────────────────────────────────────────────────


class QualificationKind(StrEnum):
    """护士执业证书, 医师执业证书, 资格证书 and 职称证书."""

    NURSE_LICENCE = "nurse_licence"
    DOCTOR_LICENCE = "doctor_licence"
    CERTIFICATE = "certificate"
    TITLE = "title"


class QualificationState(StrEnum):
    """Where one certificate stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Fault(StrEnum):
    """One reason why a certificate cannot be accepted."""

    NO_PHOTO = "no_photo"
    UNREADABLE = "unreadable"
    WRONG_DOCUMENT = "wrong_document"
    ALTERED = "altered"
    NAME_DIFFERS = "name_differs"
    NUMBER_MALFORMED = "number_malformed"
    NUMBER_TAKEN = "number_taken"
    NO_LAST_DAY = "no_last_day"
    PAST_LAST_DAY = "past_last_day"
    NO_TITLE = "no_title"
    NOT_REGISTERED_HERE = "not_registered_here"
    NOT_IN_REGISTER = "not_in_register"


LICENCES = frozenset({QualificationKind.NURSE_LICENCE, QualificationKind.DOCTOR_LICENCE})
#: Which certificates each profession has.
KINDS: dict[ClinicianKind, frozenset[QualificationKind]] = {
    ClinicianKind.NURSE: frozenset(QualificationKind) - {QualificationKind.DOCTOR_LICENCE},
    ClinicianKind.DOCTOR: frozenset(QualificationKind) - {QualificationKind.NURSE_LICENCE},
}
#: RULE-16 and RULE-17: lengths that are certainly no such number are refused, everything softer is for the reviewer.
NUMBERS: dict[QualificationKind, re.Pattern[str]] = {
    QualificationKind.NURSE_LICENCE: re.compile(r"\d{12,16}"),
    QualificationKind.DOCTOR_LICENCE: re.compile(r"[12]\d{14}"),
    QualificationKind.CERTIFICATE: re.compile(r"\d{8,24}|\d{26}[0-9X]"),
    QualificationKind.TITLE: re.compile(r"[0-9A-Z-]{6,40}"),
}
QUALIFICATION_MOVES: dict[QualificationState, frozenset[QualificationState]] = {
    QualificationState.DRAFT: frozenset({QualificationState.DRAFT, QualificationState.SUBMITTED}),
    QualificationState.SUBMITTED: frozenset(
        {QualificationState.DRAFT, QualificationState.APPROVED, QualificationState.REJECTED}
    ),
    QualificationState.REJECTED: frozenset({QualificationState.DRAFT}),
    QualificationState.APPROVED: frozenset({QualificationState.EXPIRED}),
    QualificationState.EXPIRED: frozenset(),
}


def check_qualification_move(now: QualificationState, wanted: QualificationState) -> None:
    """Raises QualificationStateRefused."""
    if wanted not in QUALIFICATION_MOVES[now]:
        raise QualificationStateRefused(state=now.value)


class Certified(Protocol):
    """What a certificate says, as its holder confirmed it."""

    @property
    def kind(self) -> QualificationKind: ...
    @property
    def photo_ids(self) -> Sequence[str]: ...
    @property
    def holder_name(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def issued_on(self) -> date | None: ...
    @property
    def valid_until(self) -> date | None: ...
    @property
    def title(self) -> Title | None: ...
    @property
    def practice_place(self) -> str | None: ...


def faults_of(paper: Certified, *, name: str, kind: ClinicianKind, on: date) -> list[Fault]:
    """Why a certificate cannot be accepted for that person on that Shanghai day; empty when it can."""
    checks = {
        Fault.NO_PHOTO: not paper.photo_ids,
        Fault.WRONG_DOCUMENT: paper.kind not in KINDS[kind],
        Fault.NAME_DIFFERS: _plain(paper.holder_name) != _plain(name),
        Fault.NUMBER_MALFORMED: NUMBERS[paper.kind].fullmatch(paper.number) is None,
        Fault.NO_LAST_DAY: paper.kind is QualificationKind.NURSE_LICENCE and paper.valid_until is None,
        Fault.PAST_LAST_DAY: paper.valid_until is not None and paper.valid_until < on,
        Fault.NO_TITLE: paper.kind is QualificationKind.TITLE and paper.title not in TITLES[kind],
    }
    return [fault for fault, failed in checks.items() if failed]


# ── what a photographed certificate says ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Reading:
    """What the parser found in the recognised lines; the holder confirms or corrects it, nothing is believed."""

    holder_name: str | None = None
    number: str | None = None
    issued_on: date | None = None
    valid_until: date | None = None
    title: Title | None = None
    practice_place: str | None = None


_NUMBER_LABELS: dict[QualificationKind, str] = {
    QualificationKind.NURSE_LICENCE: r"护士执业证书编号|执业证书编号|执业证书编码|证书编号|编号",
    QualificationKind.DOCTOR_LICENCE: r"执业证书编码|执业证书编号|医师执业证书编码",
    QualificationKind.CERTIFICATE: r"资格证书编码|资格证书编号|资格证书号|证书编号|编号",
    QualificationKind.TITLE: r"证书编号|管理号|批准文号|编号",
}
_Found = TypeVar("_Found")
_DATE = re.compile(r"(\d{4})[年./-](\d{1,2})[月./-](\d{1,2})日?")
_ANY_LABEL = re.compile(
    r"姓名|性别|出生|国籍|民族|身份证|执业|资格|证书|编号|编码|管理号|批准|注册|签发|发证|有效|延续|类别|范围|机构|职称|级别|专业"
)
_VALID_LABELS = r"有效期至|有效期到|注册有效期|延续注册至|有效期限|有效期"
_ISSUED_LABELS = r"发证日期|签发日期|批准日期|注册日期|授予时间|取得时间|授予日期"
_PLACE_LABELS = r"主要执业机构|执业地点|执业机构|工作单位"


def read_certificate(kind: QualificationKind, lines: Sequence[str]) -> Reading:
    """Find the fields of a certificate in lines of general OCR: labels may be spaced, split, or on their own line.

    Two values that contradict each other leave the field empty: the holder then types it. Never raises.
    """
    clean = [text for line in lines if (text := _plain(line))]
    valid = [day for text in _after(clean, _VALID_LABELS) if (day := _last_day(text))]
    issued = [day for text in _after(clean, _ISSUED_LABELS) if (day := _first_day(text))]
    return Reading(
        holder_name=_only(_names(clean)),
        number=_only(_numbers(kind, clean)),
        issued_on=_only(issued),
        valid_until=max(valid, default=None),  # a nurse's licence lists every renewal
        title=_title(clean) if kind is QualificationKind.TITLE else None,
        practice_place=_only(_places(clean)),
    )


def is_same_name(one: str, other: str) -> bool:
    """Whether two spellings are one name: blanks and full-width letters do not count."""
    return _plain(one) == _plain(other)


def differences(reading: Reading, paper: Certified) -> list[str]:
    """The fields in which the holder's words are not what was read; what could not be read differs from nothing."""
    found = []
    for each in fields(Reading):
        read, told = getattr(reading, each.name), getattr(paper, each.name)
        if read is not None and (_plain(read) != _plain(told or "") if isinstance(read, str) else read != told):
            found.append(each.name)
    return found


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).replace("：", ":").upper()


def _after(lines: Sequence[str], labels: str) -> Iterator[str]:
    """What stands behind one of the labels; behind a label alone, or at a line's end, the next line that is none."""
    label = re.compile(rf"(?:{labels})[:;.,]*")
    for index, line in enumerate(lines):
        found = label.search(line)
        if found is None:
            continue
        if rest := line[found.end() :]:
            yield rest
        elif index + 1 < len(lines) and not _ANY_LABEL.match(lines[index + 1]):
            yield lines[index + 1]


def _names(lines: Sequence[str]) -> Iterator[str]:
    for text in _after(lines, "姓名"):
        cut = re.split(r"性别|出生|身份证|国籍|民族|[0-9:;,]", text, maxsplit=1)[0]
        if re.fullmatch(r"[\u3400-\u9fff·.]{2,20}", cut):
            yield cut


def _numbers(kind: QualificationKind, lines: Sequence[str]) -> Iterator[str]:
    for text in _after(lines, _NUMBER_LABELS[kind]):
        token = re.match(r"[0-9A-Z-]+", text.removeprefix("NO.").removeprefix("NO"))
        if token is None:
            continue
        number = token[0]
        if kind is not QualificationKind.TITLE:
            number = number.translate(_LOOK_ALIKES)
        if NUMBERS[kind].fullmatch(number):
            yield number


#: What OCR takes for a digit's twin.
_LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "Z": "2", "S": "5", "B": "8", "-": ""})


def _places(lines: Sequence[str]) -> Iterator[str]:
    for text in _after(lines, _PLACE_LABELS):
        cut = re.split(r"有效|注册|发证|[:;]", text, maxsplit=1)[0]
        if len(cut) >= 4:
            yield cut[:100]


def _days(text: str) -> list[date]:
    found = []
    for year, month, day in _DATE.findall(text):
        try:
            found.append(date(int(year), int(month), int(day)))
        except ValueError:
            continue
    return [each for each in found if 1950 <= each.year <= 2199]


def _first_day(text: str) -> date | None:
    return next(iter(_days(text)), None)


def _last_day(text: str) -> date | None:
    return max(_days(text), default=None)


def _title(lines: Sequence[str]) -> Title | None:
    """The longest title first, since 主任护师 is part of 副主任护师."""
    whole = "".join(lines)
    for title, name in sorted(TITLE_NAMES.items(), key=lambda each: -len(each[1])):
        if name in whole:
            return title
    return None


def _only(values: Iterable[_Found]) -> _Found | None:
    different = set(values)
    return different.pop() if len(different) == 1 else None
