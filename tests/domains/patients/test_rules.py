"""Rules of patients: what an ID number says, and which districts are the same."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.domains.patients.problems import (
    BirthDateInFuture,
    IdNumberInvalid,
    IdNumberMismatch,
    IdNumberObsolete,
)
from yiyuebao_api.domains.patients.rules import (
    EARLIEST_BIRTH,
    IdKind,
    RealName,
    Sex,
    check_letter,
    city_of,
    lies_in,
    read_id_number,
    require_born,
)

TODAY = date(2026, 11, 23)


def number(head: str, born: date, serial: str) -> str:
    digits = f"{head}{born:%Y%m%d}{serial}"
    return digits + check_letter(digits)


@pytest.mark.parametrize(
    ("text", "kind", "sex", "born"),
    [
        ("11010519491231002X", IdKind.RESIDENT, Sex.FEMALE, date(1949, 12, 31)),
        (" 11010519491231002x ", IdKind.RESIDENT, Sex.FEMALE, date(1949, 12, 31)),
        ("810000199003070015", IdKind.HMT_RESIDENCE, Sex.MALE, date(1990, 3, 7)),
        ("830000199003070019", IdKind.HMT_RESIDENCE, Sex.MALE, date(1990, 3, 7)),
        ("911156198501010012", IdKind.FOREIGNER_RESIDENCE, Sex.MALE, date(1985, 1, 1)),
        ("CHN123456789012", IdKind.FOREIGNER_RESIDENCE, None, None),
    ],
)
def test_the_vectors_of_the_rules(text: str, kind: IdKind, sex: Sex | None, born: date | None) -> None:
    read = read_id_number(text, today=TODAY)
    assert (read.text, read.kind, read.sex, read.birth_date) == (text.strip().upper(), kind, sex, born)


@pytest.mark.parametrize(
    "text",
    [
        "110105194912310021",  # wrong check letter
        "110105190002300019",  # 30 February with the right one
        "440524188001010014",  # before 1900
        number("110105", TODAY + timedelta(days=1), "002"),
        number("110105", date(1899, 12, 31), "002"),
        "010105194912310021", "11010519491231002", "11010519491231002XX", "1101051949123100 2X", "X1010519491231002X",
        "１１０１０５１９４９１２３１００２Ｘ", "", "CHN12345678901", "chn-23456789012", "11010519491231002Y",
    ],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(IdNumberInvalid):
        read_id_number(text, today=TODAY)


def test_fifteen_digits_are_obsolete() -> None:
    with pytest.raises(IdNumberObsolete):
        read_id_number("110105491231002", today=TODAY)


numbers = st.builds(
    number, st.from_regex(r"[1-9][0-9]{5}", fullmatch=True), st.dates(EARLIEST_BIRTH, TODAY),
    st.from_regex(r"[0-9]{3}", fullmatch=True),
)  # fmt: skip


@given(numbers)
def test_a_true_number_says_sex_and_birth(text: str) -> None:
    """Whatever its district, for districts end and numbers do not (RULE-02)."""
    read = read_id_number(text.lower(), today=TODAY)
    assert read.text == text
    assert f"{read.birth_date:%Y%m%d}" == text[6:14]
    assert (read.sex is Sex.MALE) == (int(text[16]) % 2 == 1)
    assert read.birth_date is not None
    assert read.sex is not None
    read.require_agreement(read.sex, read.birth_date)
    other = Sex.MALE if read.sex is Sex.FEMALE else Sex.FEMALE
    for wrong in ((other, read.birth_date), (read.sex, read.birth_date - timedelta(days=1))):
        with pytest.raises(IdNumberMismatch):
            read.require_agreement(*wrong)


@given(numbers, st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(text: str, position: int, by: int) -> None:
    old = "0123456789X".index(text[position])
    new = str((old + by) % 10) if position < 17 else "0123456789X"[(old + by) % 11]
    with pytest.raises(IdNumberInvalid):
        read_id_number(text[:position] + new + text[position + 1 :], today=TODAY)


@given(numbers, st.integers(0, 15))
def test_two_swapped_neighbours_are_always_found(text: str, position: int) -> None:
    a, b = text[position], text[position + 1]
    if a != b:
        with pytest.raises(IdNumberInvalid):
            read_id_number(text[:position] + b + a + text[position + 2 :], today=TODAY)


@given(st.text(max_size=20))
def test_no_text_breaks_it(text: str) -> None:
    try:
        read_id_number(text, today=TODAY)
    except (IdNumberInvalid, IdNumberObsolete):
        return


def test_the_old_foreigners_card_agrees_with_everything() -> None:
    read_id_number("CHN123456789012", today=TODAY).require_agreement(Sex.FEMALE, date(2000, 1, 1))


def test_nobody_is_born_tomorrow() -> None:
    require_born(TODAY, today=TODAY)
    with pytest.raises(BirthDateInFuture):
        require_born(TODAY + timedelta(days=1), today=TODAY)


def test_which_states_fix_an_identity() -> None:
    assert [each for each in RealName if each.fixes_identity] == [RealName.PENDING, RealName.VERIFIED]


@pytest.mark.parametrize(
    ("given", "found", "inside"),
    [
        ("460106", "460106", True), ("460106", "460105", False), ("460106", "440309", False),
        ("441900", "441900", True), ("460106", "460100", False), ("460100", "460106", True),
        ("469005", "469002", False), ("460100", "460200", False),
    ],
)  # fmt: skip
def test_districts(given: str, found: str, inside: bool) -> None:
    assert lies_in(found, given) is inside


@pytest.mark.parametrize(("adcode", "city"), [("460106", "460100"), ("110101", "110100"), ("469005", "469005")])
def test_cities(adcode: str, city: str) -> None:
    assert city_of(adcode) == city
