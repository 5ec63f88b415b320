"""What a reading of a card leaves in doubt (RULE-05, RULE-06, A06); a doubt is for a person, it decides nothing."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from yiyuebao_api.domains.identities.problems import CardBlurred, CardExpired, CardNotRecognised, CardWrongSide
from yiyuebao_api.gateways.identity_ocr import CardImage, CardRisk, CardSide, IdCardReading


class IdentityState(StrEnum):
    """`submitted → verified | rejected`."""

    SUBMITTED = "submitted"
    VERIFIED = "verified"
    REJECTED = "rejected"


class Doubt(StrEnum):
    """Why the person who decides should look twice."""

    NOT_READ = "not_read"
    OCR_UNAVAILABLE = "ocr_unavailable"
    OCR_OVER_QUOTA = "ocr_over_quota"
    OCR_REFUSED = "ocr_refused"
    WRONG_SIDE = "wrong_side"
    NOT_A_CARD = "not_a_card"
    BLURRED = "blurred"
    BAD_LIGHT = "bad_light"
    COPY = "copy"
    TEMPORARY = "temporary"
    SCREEN = "screen"
    EDITED = "edited"
    COVERED = "covered"
    INCOMPLETE = "incomplete"
    NAME_MISMATCH = "name_mismatch"
    NUMBER_MISMATCH = "number_mismatch"
    SEX_MISMATCH = "sex_mismatch"
    BIRTH_DATE_MISMATCH = "birth_date_mismatch"
    EXPIRED = "expired"
    VALIDITY_UNREADABLE = "validity_unreadable"
    VALIDITY_IMPLAUSIBLE = "validity_implausible"
    NUMBER_ELSEWHERE = "number_elsewhere"
    REGISTER_MISMATCH = "register_mismatch"
    REGISTER_UNAVAILABLE = "register_unavailable"


_OF_IMAGE = {
    CardImage.REVERSED_SIDE: Doubt.WRONG_SIDE,
    CardImage.NOT_A_CARD: Doubt.NOT_A_CARD,
    CardImage.OTHER_CARD: Doubt.NOT_A_CARD,
    CardImage.UNKNOWN: Doubt.NOT_A_CARD,
    CardImage.BLURRED: Doubt.BLURRED,
    CardImage.BAD_LIGHT: Doubt.BAD_LIGHT,
}
_OF_RISK = {risk: Doubt(risk.value) for risk in CardRisk}


def doubts_of_picture(reading: IdCardReading) -> set[Doubt]:
    """What the picture itself says against it."""
    found = {_OF_RISK[risk] for risk in reading.risks}
    if reading.image in _OF_IMAGE:
        found.add(_OF_IMAGE[reading.image])
    return found


SIDES = {CardSide.FRONT: "人像面", CardSide.BACK: "国徽面"}


def require_usable(reading: IdCardReading, *, today: date) -> None:
    """What its owner can put right at once, by another picture or another card.

    Raises CardWrongSide, CardNotRecognised, CardBlurred, CardExpired.
    """
    match _OF_IMAGE.get(reading.image):
        case Doubt.WRONG_SIDE:
            raise CardWrongSide(side=SIDES[reading.side])
        case Doubt.NOT_A_CARD:
            raise CardNotRecognised
        case Doubt.BLURRED | Doubt.BAD_LIGHT:
            raise CardBlurred
    if reading.valid_to is not None and reading.valid_to < today:
        raise CardExpired(last_day=reading.valid_to.isoformat())


def doubts_of_front(reading: IdCardReading, *, name: str, number: str, sex: str, birth_date: date) -> set[Doubt]:
    """Where the card and the patient differ (RULE-05); nothing is ever overwritten. `sex` is 男 or 女."""
    found = doubts_of_picture(reading)
    if reading.image not in (CardImage.NORMAL, CardImage.BLURRED):
        return found
    for read, known, doubt in (
        (reading.name, name, Doubt.NAME_MISMATCH),
        ((reading.number or "").upper(), number, Doubt.NUMBER_MISMATCH),
        (reading.sex, sex, Doubt.SEX_MISMATCH),
        (reading.birth_date, birth_date, Doubt.BIRTH_DATE_MISMATCH),
    ):
        if read != known:
            found.add(doubt)
    return found


def doubts_of_back(reading: IdCardReading, *, birth_date: date, today: date) -> set[Doubt]:
    """Whether the card is valid today, and for as long as cards of that age are (RULE-06)."""
    found = doubts_of_picture(reading)
    if reading.image not in (CardImage.NORMAL, CardImage.BLURRED):
        return found
    start, end = reading.valid_from, reading.valid_to
    if start is None or (end is None and not reading.long_term):
        return found | {Doubt.VALIDITY_UNREADABLE}
    if end is not None and end < today:
        found.add(Doubt.EXPIRED)
    years = None if end is None else end.year - start.year
    if start > today or years != usual_years(age_on(birth_date, start)):
        found.add(Doubt.VALIDITY_IMPLAUSIBLE)
    return found


def usual_years(age: int) -> int | None:
    """For how long a card is issued at that age; None is 长期 (RULE-06, IDL Art 5)."""
    if age < 16:
        return 5
    if age < 26:
        return 10
    return 20 if age < 46 else None


def age_on(birth_date: date, day: date) -> int:
    """Full years."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))
