"""Rules of consultations, without input or output: states and deadlines, the gates, the rounds, what a message may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Self

from yiyuebao_api.domains.consultations.problems import (
    AcceptFirst,
    ConsultationStateRefused,
    ExportWindowRefused,
    MessageMalformed,
    PilotPeriodRefused,
    PriceOutOfLimits,
    RecallTooLate,
    RoundsUsedUp,
    UnderSixRefused,
)
from yiyuebao_api.kernel.ids import AccountId, ConsultationId, MessageId
from yiyuebao_api.kernel.money import Fen

MAX_TEXT = 4_000
MAX_DEVICES = 50
MAX_ROUNDS, MAX_MINUTES = 100, 240
#: A pilot that lasts longer is a slip of the pen (RULE-77).
MAX_PILOT_YEARS = 3


class ConsultKind(StrEnum):
    """RULE-75: two kinds with different gates."""

    HEALTH_ADVICE = "health_advice"
    ONLINE_FOLLOW_UP = "online_follow_up"


class Measure(StrEnum):
    """What is bought."""

    ROUNDS = "rounds"
    MINUTES = "minutes"


class ConsultState(StrEnum):
    """Where a consultation is."""

    AWAITING_PAYMENT = "awaiting_payment"
    WAITING = "waiting"
    ACTIVE = "active"
    ENDED = "ended"
    EXPIRED = "expired"
    REFUNDED = "refunded"


class EndReason(StrEnum):
    """Why it is over."""

    UNPAID = "unpaid"
    PATIENT = "patient"
    CLINICIAN = "clinician"
    TIME_UP = "time_up"
    ROUNDS_UP = "rounds_up"
    IDLE = "idle"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    UNFIT = "unfit"
    PAYMENT_UNUSABLE = "payment_unusable"
    PILOT_OVER = "pilot_over"


class SenderRole(StrEnum):
    """Who speaks; only these two ever do, and no machine answers for the clinician (RULE-80)."""

    PATIENT = "patient"
    CLINICIAN = "clinician"


class MessageKind(StrEnum):
    """What a message is; `recall` is the tombstone that takes its place in the log."""

    TEXT = "text"
    IMAGE = "image"
    FILE = "file"
    CARD = "card"
    RECALL = "recall"


class Choice(StrEnum):
    """What the patient may do when no answer came in time."""

    WAIT = "wait"
    CHANGE = "change"
    REFUND = "refund"


class ExtensionState(StrEnum):
    """A further piece of time or rounds."""

    ASKED = "asked"
    PAID = "paid"
    GIVEN = "given"
    RETURNED = "returned"


class FlagKind(StrEnum):
    """Why somebody should look (RULE-86)."""

    CONTACT = "contact"
    ABUSE = "abuse"
    ILLEGAL = "illegal"
    REPORT = "report"


class FlagState(StrEnum):
    """What became of a flag."""

    OPEN = "open"
    DISMISSED = "dismissed"
    UPHELD = "upheld"


class ExportScope(StrEnum):
    """How much a regulator is given (RULE-83)."""

    ACTS = "acts"  # who did what when, and not a word of what was said
    RECORDS = "records"  # of online follow-ups also what was asked, said and written; health advice is no diagnosis


class RegulatorExportState(StrEnum):
    """`pending → ready → expired`."""

    PENDING = "pending"
    READY = "ready"
    EXPIRED = "expired"


class Actor(StrEnum):
    """Who moved a consultation."""

    PATIENT = "patient"
    CLINICIAN = "clinician"
    SYSTEM = "system"


S = ConsultState

#: Every legal move. `expired → waiting`: money that came late, while the clinician still serves.
MOVES: Mapping[ConsultState, frozenset[ConsultState]] = {
    S.AWAITING_PAYMENT: frozenset({S.WAITING, S.EXPIRED}),
    S.EXPIRED: frozenset({S.WAITING}),
    S.WAITING: frozenset({S.ACTIVE, S.REFUNDED}),
    S.ACTIVE: frozenset({S.ENDED, S.REFUNDED}),
    S.ENDED: frozenset(),
    S.REFUNDED: frozenset(),
}

#: In these the two can talk.
OPEN = (S.WAITING, S.ACTIVE)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the patient was promised, kept with the consultation; `piece` and `piece_fen` are what an extension is."""

    answer_minutes: int = 30
    refund_hours: int = 24
    idle_hours: int = 48
    grace_minutes: int = 30
    warn_minutes: int = 5
    release_after_days: int = 7
    platform_rate_bp: int = 500
    piece: int = 0
    piece_fen: int = 0

    @property
    def idle_for(self) -> timedelta:
        return timedelta(hours=self.idle_hours)

    def as_row(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in row.items() if name in known})


class Course(NamedTuple):
    """The facts that the state at a moment is read from."""

    state: ConsultState
    measure: Measure
    pay_until: datetime
    refund_at: datetime | None
    closes_at: datetime | None
    idle_at: datetime | None


class Standing(NamedTuple):
    """The state as it is at a moment, and since when and why it is over if it is."""

    state: ConsultState
    reason: EndReason | None = None
    since: datetime | None = None


def standing(course: Course, now: datetime) -> Standing:
    """The state as it is read: a deadline that has passed holds even if no job has run yet."""
    if course.state is S.AWAITING_PAYMENT and course.pay_until <= now:
        return Standing(S.EXPIRED, EndReason.UNPAID, course.pay_until)
    if course.state is S.WAITING and course.refund_at is not None and course.refund_at <= now:
        return Standing(S.REFUNDED, EndReason.NO_ANSWER, course.refund_at)
    if course.state is S.ACTIVE:
        closes_at, idle_at = course.closes_at, course.idle_at
        if closes_at is not None and closes_at <= now and (idle_at is None or closes_at < idle_at):
            up = EndReason.TIME_UP if course.measure is Measure.MINUTES else EndReason.ROUNDS_UP
            return Standing(S.ENDED, up, closes_at)
        if idle_at is not None and idle_at <= now:
            return Standing(S.ENDED, EndReason.IDLE, idle_at)
    return Standing(course.state)


def check_move(before: ConsultState, after: ConsultState) -> None:
    """Raises ConsultationStateRefused for a move that is not in MOVES."""
    if after not in MOVES[before]:
        raise ConsultationStateRefused(state=before.value)


def check_price(price: Fen, low: Fen, high: Fen) -> None:
    """Within what the hospital allows its staff. Raises PriceOutOfLimits."""
    if not low <= price <= high:
        raise PriceOutOfLimits(min_fen=low, max_fen=high)


def age_on(born: date, day: date) -> int:
    """Full years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def check_child(born: date, today: date, *, guardian: bool, specialty: str) -> None:
    """RULE-81: below six only with the guardian asking and a paediatrician answering. Raises UnderSixRefused."""
    if age_on(born, today) < 6 and not (guardian and "儿" in specialty):
        raise UnderSixRefused


def check_pilot_period(first_day: date, last_day: date, today: date) -> None:
    """Days of Shanghai, both inclusive. Raises PilotPeriodRefused."""
    longest = timedelta(days=366 * MAX_PILOT_YEARS)
    if last_day < first_day or last_day < today or last_day - first_day > longest:
        raise PilotPeriodRefused(years=MAX_PILOT_YEARS)


def overlap(one: tuple[date, date], other: tuple[date, date]) -> bool:
    """Whether two periods, both ends inclusive, have a day in common."""
    return one[0] <= other[1] and other[0] <= one[1]


# ── rounds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Rounds(NamedTuple):
    """A round is used when the clinician answers what the patient has asked; several words in a row are one question."""

    used: int
    asked: bool

    def after(self, sender: SenderRole) -> Rounds:
        """What a message of that side makes of it."""
        if sender is SenderRole.PATIENT:
            return Rounds(self.used, asked=True)
        return Rounds(self.used + self.asked, asked=False)


class Spoken(NamedTuple):
    """What a message makes of its consultation: the rounds, and whether it is the first answer or the last round."""

    rounds: Rounds
    starts: bool
    closes: bool


def speak(
    course: Course, kind: ConsultKind, quantity: int, rounds: Rounds, sender: SenderRole, now: datetime, *, accepted: bool
) -> Spoken:
    """One of the two says something. Raises ConsultationStateRefused, AcceptFirst, RoundsUsedUp."""
    state = standing(course, now).state
    if state not in OPEN:
        raise ConsultationStateRefused(state=state.value)
    answers = sender is SenderRole.CLINICIAN
    if answers and kind is ConsultKind.ONLINE_FOLLOW_UP and not accepted:
        raise AcceptFirst
    by_rounds = course.measure is Measure.ROUNDS
    if by_rounds and not answers and rounds.used >= quantity:
        raise RoundsUsedUp
    after = rounds.after(sender)
    return Spoken(
        after, starts=answers and course.state is S.WAITING,
        closes=by_rounds and after.used >= quantity and course.closes_at is None,
    )  # fmt: skip


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#: The two of a consultation: who pays, who answers.
Pair = tuple[AccountId, AccountId]


class Said(NamedTuple):
    """A message in its place, as it is stored and as it is told; `origin` is the socket that was answered directly."""

    consultation_id: ConsultationId
    accounts: Pair
    message_id: MessageId
    seq: int
    sender: SenderRole
    sender_id: AccountId
    client_msg_id: str
    kind: MessageKind
    body: Mapping[str, Any]
    at: datetime
    origin: str = ""


RECALL_WITHIN = timedelta(minutes=2)
_NUMBER = re.compile(r"[\x21-\x7e]{1,64}")
_LINE = re.compile(r"[^\x00-\x1f\ud800-\udfff]*")
_TEXT = re.compile(r"[^\x00\ud800-\udfff]*")
_FILE = re.compile(r"fil_[0-7][0-9a-hjkmnp-tv-z]{25}")
_FIELDS: Mapping[MessageKind, tuple[frozenset[str], frozenset[str]]] = {  # needed, allowed besides
    MessageKind.TEXT: (frozenset({"text"}), frozenset()),
    MessageKind.IMAGE: (frozenset({"file_id"}), frozenset()),
    MessageKind.FILE: (frozenset({"file_id", "name"}), frozenset()),
    MessageKind.CARD: (frozenset({"type", "title"}), frozenset({"text", "subject"})),
}
_LENGTHS = {"text": MAX_TEXT, "name": 100, "type": 40, "title": 100, "subject": 40}


def check_body(kind: MessageKind, body: Mapping[str, Any]) -> dict[str, str]:
    """What a client sends as a message, clean: known fields, texts of the right length. Raises MessageMalformed."""
    if kind not in _FIELDS:
        raise MessageMalformed
    needed, besides = _FIELDS[kind]
    if not needed <= set(body) <= needed | besides or not all(isinstance(value, str) for value in body.values()):
        raise MessageMalformed
    clean = {name: str(value) for name, value in body.items()}
    for name, value in clean.items():
        if not _fits(name, value):
            raise MessageMalformed
    return clean


def check_number(text: str) -> str:
    """A client's own number of a message, or a device's name: 1 to 64 visible ASCII characters. Raises MessageMalformed."""
    if _NUMBER.fullmatch(text) is None:
        raise MessageMalformed
    return text


def _fits(name: str, value: str) -> bool:
    if name == "file_id":
        return _FILE.fullmatch(value) is not None
    if not 0 < len(value) <= _LENGTHS[name] or not value.strip():
        return False
    if name == "text":
        return _TEXT.fullmatch(value) is not None
    return _LINE.fullmatch(value) is not None


def check_recall(sent_at: datetime, now: datetime) -> None:
    """Raises RecallTooLate two minutes after it was sent."""
    if now - sent_at > RECALL_WITHIN:
        raise RecallTooLate(seconds=int(RECALL_WITHIN.total_seconds()))


# ── moderation (RULE-86) ─────────────────────────────────────────────────────────────────────────────────────────────

_SPACES = re.compile(r"[\s\-_.·•,，。、*~]+")
_DIGITS = str.maketrans("〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖０１２３４５６７８９", "00123456789123456789" + "0123456789")
_PHONE_DIGITS = 11
_PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")  # a mobile number, however it is spaced or spelt
_CONTACTS = re.compile(
    r"(?:微信|薇信|威信|weixin|wechat|wx|vx|v信|加v|加微|扣扣|qq|钉钉|支付宝)(?:号|id|是)?[:：]?[a-z0-9]{5,20}"
    r"|加(?:我|个|一下)?(?:微信|薇信|威信|vx|wx|qq|好友)|私下(?:联系|转账|付款)|线下(?:转账|付款|交易)"
    r"|https?://|www\w+(?:com|cn|net)"
)
_ABUSE = re.compile("傻逼|去死|滚蛋|王八蛋|杀了你|弄死你|操你|畜生")
_ILLEGAL = re.compile("冰毒|海洛因|代孕|卖肾|卖血|枪支|假证|办证刻章|迷药|赌博网站")
_WATCHED = re.compile(f"{_ABUSE.pattern}|{_ILLEGAL.pattern}")


def suspicions(text: str) -> dict[FlagKind, str]:
    """What in a text should be looked at, with the code of the rule that found it. The message itself is delivered."""
    plain = _SPACES.sub("", text).lower()
    found: dict[FlagKind, str] = {}
    if len(plain) >= _PHONE_DIGITS and _PHONE.search(plain.translate(_DIGITS)):
        found[FlagKind.CONTACT] = "phone-number"
    elif _CONTACTS.search(plain):
        found[FlagKind.CONTACT] = "contact-words"
    if _WATCHED.search(plain):
        if _ABUSE.search(plain):
            found[FlagKind.ABUSE] = "abuse-words"
        if _ILLEGAL.search(plain):
            found[FlagKind.ILLEGAL] = "illegal-words"
    return found


# ── what a regulator is given (RULE-83) ──────────────────────────────────────────────────────────────────────────────

#: A finished export is kept, sealed, as long as the process data it was made of must be (RULE-82).
EXPORT_KEPT_FOR = timedelta(days=3 * 366)
MAX_EXPORT_DAYS, MAX_EXPORTED = 31, 5_000
EXPORT_PREFIX = "regulator"

#: Every field of an export, section by section: of acts, and what records add to them. A patient is known by id, masked name, sex
#: and age; no number, no address, no birth day.
EXPORT_FIELDS: Mapping[ExportScope, Mapping[str, tuple[str, ...]]] = {
    ExportScope.ACTS: {
        "consultation": (
            "id", "order_no", "kind", "pilot_document_no", "state", "end_reason", "measure", "quantity", "price_fen",
            "refund_due_fen", "refunded_fen", "agreed_at", "asked_at", "paid_at", "answer_by", "accepted_at", "answered_at",
            "ended_at", "diagnosed_on", "proof_shown",
        ),
        "patient": ("id", "name", "sex", "age", "relation"),
        "clinician": ("id", "name", "title"),
        "moves": ("from", "to", "actor", "at"),
        "messages": ("seq", "sender", "kind", "sent_at", "recalled_by", "withheld_at"),
        "extensions": ("quantity", "price_fen", "state", "added_at"),
        "summary": ("author_id", "written_at", "filed_at"),
        "flags": ("seq", "kind", "rule", "state", "raised_at", "decided_at"),
        "looks": ("at", "mode", "action"),
    },
    ExportScope.RECORDS: {
        "consultation": ("complaint", "diagnosis", "proof_file_id"),
        "moves": ("reason",),
        "messages": ("body",),
        "summary": ("content",),
    },
}  # fmt: skip


def fields_of(scope: ExportScope) -> dict[str, tuple[str, ...]]:
    """What an export of that scope holds, section by section."""
    more = EXPORT_FIELDS[ExportScope.RECORDS] if scope is ExportScope.RECORDS else {}
    return {part: (*names, *more.get(part, ())) for part, names in EXPORT_FIELDS[ExportScope.ACTS].items()}


def check_export_window(first_day: date, last_day: date, today: date) -> None:
    """Days of Shanghai, both inclusive. Raises ExportWindowRefused."""
    if not first_day <= last_day <= today or (last_day - first_day).days >= MAX_EXPORT_DAYS:
        raise ExportWindowRefused(days=MAX_EXPORT_DAYS)
