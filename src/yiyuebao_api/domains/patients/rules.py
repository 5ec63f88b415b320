"""Rules of patients, without input or output: whom an account may list, what an ID number says, which edits stand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from yiyuebao_api.domains.patients.problems import (
    BirthDateInFuture,
    IdNumberInvalid,
    IdNumberMismatch,
    IdNumberObsolete,
)
from yiyuebao_api.kernel.geo import Point

MAX_PATIENTS = 8  # RULE-11
MAX_ADDRESSES = 20
EARLIEST_BIRTH = date(1900, 1, 1)  # RULE-01


def point_of(coordinates: str) -> Point:
    """The door on the map, GCJ-02, from how it is kept."""
    lat, _, lng = coordinates.partition(",")
    return Point(float(lat), float(lng))


class Sex(StrEnum):
    """As the ID card has it."""

    MALE = "male"
    FEMALE = "female"


class Relation(StrEnum):
    """What the patient is to the account's holder (RULE-11)."""

    SELF = "self"
    SPOUSE = "spouse"
    CHILD = "child"
    PARENT = "parent"
    OTHER_GUARDIAN = "other_guardian"
    AUTHORISED = "authorised"


class RealName(StrEnum):
    """How far a patient's real name has been proved."""

    UNVERIFIED = "unverified"
    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"

    @property
    def fixes_identity(self) -> bool:
        """Name, sex, birth date and number stay as they were seen."""
        return self in (RealName.PENDING, RealName.VERIFIED)


class IdKind(StrEnum):
    """Which document a number is of."""

    RESIDENT = "resident"
    HMT_RESIDENCE = "hmt_residence"
    FOREIGNER_RESIDENCE = "foreigner_residence"


@dataclass(frozen=True, slots=True)
class IdNumber:
    """A number that is well formed, and what it says; the old card of foreigners says nothing of sex and birth."""

    text: str
    kind: IdKind
    sex: Sex | None
    birth_date: date | None

    def require_agreement(self, sex: Sex, birth_date: date) -> None:
        """RULE-05, before any OCR: what was typed must be what the number says. Raises IdNumberMismatch."""
        if self.sex not in (None, sex) or self.birth_date not in (None, birth_date):
            raise IdNumberMismatch


_EIGHTEEN = re.compile(r"[1-9][0-9]{16}[0-9X]")
_OLD_FOREIGNER = re.compile(r"[A-Z]{3}[0-9]{12}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_HMT = ("810000", "820000", "830000")


def read_id_number(text: str, *, today: date) -> IdNumber:
    """What an ID number says (RULE-01, RULE-03, RULE-04a). Raises IdNumberInvalid, IdNumberObsolete.

    Its first six digits are not compared with today's districts: districts end, people's numbers do not (RULE-02).
    """
    number = text.strip().upper()
    if re.fullmatch(r"[0-9]{15}", number):
        raise IdNumberObsolete
    if _OLD_FOREIGNER.fullmatch(number):
        return IdNumber(number, IdKind.FOREIGNER_RESIDENCE, None, None)
    if not _EIGHTEEN.fullmatch(number) or check_letter(number) != number[17]:
        raise IdNumberInvalid
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise IdNumberInvalid from None
    if not EARLIEST_BIRTH <= born <= today:
        raise IdNumberInvalid
    return IdNumber(number, _kind(number), Sex.MALE if int(number[16]) % 2 else Sex.FEMALE, born)


def check_letter(number: str) -> str:
    """The eighteenth character of a number, from the first seventeen (ISO 7064 MOD 11-2)."""
    return _CHECKS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number[:17], strict=True)) % 11]


def _kind(number: str) -> IdKind:
    if number.startswith("9"):
        return IdKind.FOREIGNER_RESIDENCE
    return IdKind.HMT_RESIDENCE if number.startswith(_HMT) else IdKind.RESIDENT


def require_born(birth_date: date, *, today: date) -> None:
    """Raises BirthDateInFuture."""
    if birth_date > today:
        raise BirthDateInFuture


def lies_in(found: str, given: str) -> bool:
    """Whether a place that was found lies in the district, or in the city (`…00`), that the address names."""
    return found == given or (given.endswith("00") and found[:4] == given[:4])


def city_of(adcode: str) -> str:
    """The city a district belongs to; a county that the province rules directly (`…90…`) is its own."""
    return adcode if adcode[2:4] == "90" else adcode[:4] + "00"
