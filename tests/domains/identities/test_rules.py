"""What a reading leaves in doubt, as a table."""

from __future__ import annotations

from datetime import date

import pytest

from yiyuebao_api.domains.identities.rules import Doubt, age_on, doubts_of_back, doubts_of_front, usual_years
from yiyuebao_api.gateways.identity_ocr import CardImage, CardRisk, CardSide, IdCardReading

BORN, TODAY = date(1990, 3, 7), date(2026, 11, 25)


def back(start: date | None, end: date | None, *, long_term: bool = False) -> IdCardReading:
    return IdCardReading(
        CardSide.BACK, CardImage.NORMAL, frozenset(), valid_from=start, valid_to=end, long_term=long_term
    )


@pytest.mark.parametrize(("age", "years"), [(0, 5), (15, 5), (16, 10), (25, 10), (26, 20), (45, 20), (46, None), (99, None)])
def test_for_how_long_a_card_is_issued(age: int, years: int | None) -> None:
    assert usual_years(age) == years


def test_a_birthday_counts_on_its_day() -> None:
    assert (age_on(BORN, date(2016, 3, 6)), age_on(BORN, date(2016, 3, 7))) == (25, 26)


@pytest.mark.parametrize(
    ("read", "doubts"),
    [
        (back(date(2016, 3, 7), date(2036, 3, 7)), set()),
        (back(date(2010, 1, 1), date(2020, 1, 1)), {Doubt.EXPIRED}),
        (back(date(2016, 11, 25), date(2026, 11, 25)), {Doubt.VALIDITY_IMPLAUSIBLE}),  # valid to the end of its last day
        (back(date(2016, 3, 7), None, long_term=True), {Doubt.VALIDITY_IMPLAUSIBLE}),
        (back(date(2027, 1, 1), date(2047, 1, 1)), {Doubt.VALIDITY_IMPLAUSIBLE}),
        (back(None, date(2036, 3, 7)), {Doubt.VALIDITY_UNREADABLE}),
        (back(date(2016, 3, 7), None), {Doubt.VALIDITY_UNREADABLE}),
    ],
)
def test_validity(read: IdCardReading, doubts: set[Doubt]) -> None:
    assert doubts_of_back(read, birth_date=BORN, today=TODAY) == doubts


def test_every_picture_and_risk_has_a_doubt() -> None:
    for image in set(CardImage) - {CardImage.NORMAL}:
        read = IdCardReading(CardSide.FRONT, image, frozenset(CardRisk), name="王", number="1", sex="男", birth_date=BORN)
        found = doubts_of_front(read, name="王", number="1", sex="男", birth_date=BORN)
        assert len(found) == len(CardRisk) + 1


def test_an_unread_field_is_a_mismatch() -> None:
    read = IdCardReading(CardSide.FRONT, CardImage.NORMAL, frozenset(), name="王")
    assert doubts_of_front(read, name="王", number="1", sex="男", birth_date=BORN) == {
        Doubt.NUMBER_MISMATCH, Doubt.SEX_MISMATCH, Doubt.BIRTH_DATE_MISMATCH,
    }  # fmt: skip
