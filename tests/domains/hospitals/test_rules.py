"""Rules of hospitals: numbers on certificates, service areas, what opening needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.domains.hospitals import rules
from yiyuebao_api.domains.hospitals.problems import HospitalStateRefused
from yiyuebao_api.domains.hospitals.rules import HospitalState, LicenceWarning, Requirement, ServiceArea
from yiyuebao_api.kernel.geo import Point, distance_m

TODAY = date(2026, 11, 23)
HERE = Point(20.0230, 110.3200)


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("91350100M000100Y43", True),  # GB 32100-2015, its own example
        ("91350100M000100Y4Z", False),
        ("91350100M000100Y4", False),
        ("91350100M000100Y433", False),
        ("9I350100M000100Y43", False),
        ("91350100m000100y43", False),
        ("９1350100M000100Y43", False),
        ("", False),
    ],
)
def test_the_social_credit_code_proves_itself(code: str, right: bool) -> None:
    assert rules.is_uscc(code) is right


def test_the_organisation_code_inside_has_its_own_check_letter() -> None:
    assert rules.org_code_check_letter("M000100Y") == "4"


@given(st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_one_wrong_character_is_always_noticed(place: int, letter: str) -> None:
    code = "91350100M000100Y43"
    changed = code[:place] + letter + code[place + 1 :]
    assert rules.is_uscc(changed) is (changed == code)


@pytest.mark.parametrize(
    ("uscc", "licence_no", "warnings"),
    [
        ("91350100M000100Y43", None, []),
        ("91350100M000100Y43", "M000100Y435010012A1001", []),
        ("91350100M000100Y43", "PDY00158X46010612A1001", []),
        ("91350100M000100Y43", "PDY001584601", [LicenceWarning.LICENCE_NO_UNUSUAL]),
        ("91350100M000100Y43", "42820015X46010612A1001", [LicenceWarning.LICENCE_NO_ORG_MISMATCH]),
        ("91350100M000100Y5X", "M000100Y535010012A1001", [LicenceWarning.ORG_CODE_CHECK_FAILED]),
    ],
)
def test_an_operator_is_warned_of_unusual_numbers(uscc: str, licence_no: str | None, warnings: list[object]) -> None:
    assert rules.warnings_about(uscc, licence_no) == warnings


@pytest.mark.parametrize(
    ("adcode", "prefix"),
    [
        ("460000", "46"), ("460100", "4601"), ("460106", "460106"), ("469005", "469005"), ("469000", "4690"),
        ("110000", "11"), ("4601", "4601"), ("46", "46"), ("100000", "10"),
    ],
)  # fmt: skip
def test_a_region_is_what_its_places_share(adcode: str, prefix: str) -> None:
    assert rules.prefix_of(adcode) == prefix
    first, last = rules.adcode_range(prefix)
    assert len(first) == len(last) == 6
    assert first.startswith(prefix)
    assert last.startswith(prefix)


def test_regions_are_kept_without_doubles() -> None:
    assert rules.normal_prefixes(["460106", "460100", "110105", "460106", "4690"]) == ["110105", "4601", "4690"]
    assert rules.normal_prefixes([]) == []


def _north(metres: float) -> Point:
    return Point(HERE.lat + metres / 111_195, HERE.lng)


@pytest.mark.parametrize(
    ("metres", "adcodes", "adcode", "covered"),
    [
        (0, (), None, True),
        (9_990, (), "460106", True),
        (10_010, (), "460106", False),
        (9_990, ("4601",), "460106", True),
        (9_990, ("4601", "11"), "110105", True),
        (9_990, ("4601",), "469005", False),
        (9_990, ("4601",), None, True),  # the district is asked for at the order
        (10_010, ("4601",), "460106", False),
    ],
)
def test_a_visit_stays_within_radius_and_districts(
    metres: float, adcodes: tuple[str, ...], adcode: str | None, covered: bool
) -> None:
    assert rules.covers(ServiceArea(HERE, 10_000, adcodes), _north(metres), adcode) is covered


@given(st.floats(19.5, 20.5), st.floats(109.9, 110.8), st.integers(500, 100_000))
def test_the_rim_belongs_to_the_area(lat: float, lng: float, radius_m: int) -> None:
    there = Point(lat, lng)
    assert rules.covers(ServiceArea(HERE, radius_m, ()), there, None) is (distance_m(HERE, there) <= radius_m)


@dataclass
class _Hospital:
    state: HospitalState
    licence_valid_until: date | None


@pytest.mark.parametrize(
    ("state", "until", "is_open"),
    [
        (HospitalState.OPEN, TODAY, True),
        (HospitalState.OPEN, date(2026, 11, 22), False),
        (HospitalState.OPEN, None, False),
        (HospitalState.DRAFT, TODAY, False),
        (HospitalState.SUSPENDED, TODAY, False),
    ],
)
def test_open_means_open_and_licensed(state: HospitalState, until: date | None, is_open: bool) -> None:
    assert rules.is_open(_Hospital(state, until), TODAY) is is_open


_READY: dict[str, Any] = {
    "licence_no": "PDY00158X46010612A1001", "licence_valid_until": TODAY, "home_mode": False, "sites": 1,
    "sub_mchid": "1900010001", "merchant_needed": True, "today": TODAY,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, []),
        ({"licence_no": None}, [Requirement.LICENCE_MISSING]),
        ({"licence_valid_until": None}, [Requirement.LICENCE_MISSING]),
        ({"licence_valid_until": date(2026, 11, 22)}, [Requirement.LICENCE_EXPIRED]),
        ({"home_mode": None}, [Requirement.HOME_MODE_UNKNOWN]),
        ({"sites": 0}, [Requirement.SITE_MISSING]),
        ({"sub_mchid": None}, [Requirement.MERCHANT_MISSING]),
        ({"sub_mchid": None, "merchant_needed": False}, []),
        (
            {"licence_no": None, "home_mode": None, "sites": 0, "sub_mchid": None},
            [
                Requirement.LICENCE_MISSING, Requirement.HOME_MODE_UNKNOWN, Requirement.SITE_MISSING,
                Requirement.MERCHANT_MISSING,
            ],
        ),
    ],
)  # fmt: skip
def test_opening_names_everything_that_is_missing(changes: dict[str, Any], missing: list[Requirement]) -> None:
    assert rules.missing_to_open(**{**_READY, **changes}) == missing


def test_a_hospital_moves_only_along_its_states() -> None:
    allowed = {
        (HospitalState.DRAFT, HospitalState.OPEN), (HospitalState.OPEN, HospitalState.SUSPENDED),
        (HospitalState.SUSPENDED, HospitalState.OPEN),
    }  # fmt: skip
    for now, wanted in product(HospitalState, repeat=2):
        if (now, wanted) in allowed:
            rules.check_move(now, wanted)
        else:
            with pytest.raises(HospitalStateRefused):
                rules.check_move(now, wanted)
