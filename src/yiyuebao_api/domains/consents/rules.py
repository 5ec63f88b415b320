"""Rules of consent, without input or output: purposes, whom they concern, who signs, what a notice's hash covers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from yiyuebao_api.domains.consents.problems import (
    GuardianNeeded,
    NoticeNotRead,
    PatientNeeded,
    PatientNotAsked,
    WrongNotice,
)
from yiyuebao_api.domains.patients.rules import Relation

CHILD_AGE = 14  # RULE-12
#: How long ago a notice may have been opened, and how far a server's clock may be ahead of another's.
READ_WITHIN, CLOCKS_APART = timedelta(hours=24), timedelta(minutes=2)
#: RULE-145: whoever said no is left alone for so long.
ASK_AGAIN_AFTER = timedelta(days=7)


class Purpose(StrEnum):
    """What personal data is used for; each is agreed to on its own (RULE-143)."""

    TERMS_AND_PRIVACY = "terms_and_privacy"
    SENSITIVE_HEALTH_DATA = "sensitive_health_data"
    ID_CARD_RECOGNITION = "id_card_recognition"
    LOCATION = "location"
    SHARE_WITH_HOSPITAL = "share_with_hospital"
    ONLINE_CONSULTATION = "online_consultation"
    MARKETING = "marketing"


class Concerns(StrEnum):
    """Whom a purpose is about."""

    ACCOUNT = "account"
    PATIENT = "patient"
    EITHER = "either"  # one's own card as a member of staff, or a patient's


CONCERNS = {
    Purpose.TERMS_AND_PRIVACY: Concerns.ACCOUNT,
    Purpose.SENSITIVE_HEALTH_DATA: Concerns.PATIENT,
    Purpose.ID_CARD_RECOGNITION: Concerns.EITHER,
    Purpose.LOCATION: Concerns.ACCOUNT,
    Purpose.SHARE_WITH_HOSPITAL: Concerns.PATIENT,
    Purpose.ONLINE_CONSULTATION: Concerns.PATIENT,
    Purpose.MARKETING: Concerns.ACCOUNT,
}
#: Without these nobody can be visited: asked for on the way to a booking. Marketing never is (RULE-158).
NEEDED_TO_BOOK = (Purpose.TERMS_AND_PRIVACY, Purpose.SENSITIVE_HEALTH_DATA, Purpose.SHARE_WITH_HOSPITAL)


class Audience(StrEnum):
    """For whom a notice is written."""

    GENERAL = "general"
    CHILD = "child"  # for the guardian of a patient under 14


class Answer(StrEnum):
    """What was answered."""

    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Signer(StrEnum):
    """What the signing account's holder is to the person concerned."""

    SELF = "self"
    GUARDIAN = "guardian"
    REPRESENTATIVE = "representative"  # somebody of age, cared for by this account


class Method(StrEnum):
    """How the answer was expressed."""

    TAP = "tap"  # a button of its own under the text
    SIGNATURE = "signature"  # written on the screen
    DESK = "desk"  # on paper or aloud before staff, entered by the account


def is_child(born: date, on: date) -> bool:
    """Whether somebody is under 14 on that day; born on 29 February counts from 1 March (civil law counts days)."""
    years = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    return years < CHILD_AGE


def signer(relation: Relation, *, child: bool, as_guardian: bool) -> Signer:
    """Who signs for a patient of that relation. RULE-12; raises GuardianNeeded."""
    if child:
        if relation not in (Relation.CHILD, Relation.OTHER_GUARDIAN) or not as_guardian:
            raise GuardianNeeded
        return Signer.GUARDIAN
    return Signer.SELF if relation is Relation.SELF else Signer.REPRESENTATIVE


def check_concerned(purpose: Purpose, *, patient_named: bool) -> None:
    """Raises PatientNeeded, PatientNotAsked."""
    concerns = CONCERNS[purpose]
    if concerns is Concerns.PATIENT and not patient_named:
        raise PatientNeeded
    if concerns is Concerns.ACCOUNT and patient_named:
        raise PatientNotAsked


def check_audience(audience: Audience, *, child: bool) -> None:
    """Raises WrongNotice."""
    if (audience is Audience.CHILD) is not child:
        raise WrongNotice


def check_read(read_at: datetime, published_at: datetime, now: datetime) -> None:
    """The notice was opened after it was published, lately, and not in the future. Raises NoticeNotRead."""
    if not max(published_at - CLOCKS_APART, now - READ_WITHIN) <= read_at <= now + CLOCKS_APART:
        raise NoticeNotRead


@dataclass(frozen=True, slots=True)
class Standing:
    """What the newest answer to one purpose is, and whether it still counts."""

    answer: Answer
    version: int
    answered_at: datetime
    needed_version: int

    @property
    def given(self) -> bool:
        return self.answer is Answer.GIVEN and self.version >= self.needed_version

    @property
    def ask_again_at(self) -> datetime | None:
        """Before this moment an app must not ask on its own; None when it may."""
        return self.answered_at + ASK_AGAIN_AFTER if self.answer is not Answer.GIVEN else None


@dataclass(frozen=True, slots=True)
class NoticeText:
    """What a notice says, in both languages, and which kinds of data it is about."""

    purpose: Purpose
    audience: Audience
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str
    data_kinds: Sequence[str]

    def sha256(self, version: int) -> bytes:
        """Over canonical JSON (keys sorted, UTF-8, no blanks) of everything a reader was shown, and its version."""
        shown = {
            "audience": self.audience.value, "data_kinds": list(self.data_kinds), "purpose": self.purpose.value,
            "text_en": self.text_en, "text_zh": self.text_zh, "title_en": self.title_en, "title_zh": self.title_zh,
            "version": version,
        }  # fmt: skip
        plain = json.dumps(shown, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(plain.encode()).digest()
