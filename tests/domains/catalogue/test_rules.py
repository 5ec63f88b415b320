"""Rules of the catalogue: prices, season, completeness, states, and where an item is permitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.domains.catalogue import rules
from yiyuebao_api.domains.catalogue.problems import ServiceStateRefused
from yiyuebao_api.domains.catalogue.rules import (
    Content,
    Listing,
    Missing,
    Place,
    PriceKind,
    PriceLine,
    RiskGrade,
    ServiceState,
    price_lines,
)
from yiyuebao_api.kernel.ids import HospitalId
from yiyuebao_api.kernel.money import Fen

TODAY = date(2026, 11, 23)
OURS, THEIRS = HospitalId.new(), HospitalId.new()

COMPLETE = Content(
    name="PICC 维护", place=Place.BOTH, intro="介绍", tips="提示", cautions="注意", duration_min=45,
    risk_grade=RiskGrade.HIGH, clinical=True, skills=("PICC",), prerequisites="手册", contraindications="感染",
    consumables="维护包", medical_waste=True, visit_fee_fen=Fen(8000), item_fee_fen=Fen(9000),
    material_fee_fen=Fen(4500), travel_fee_fen=Fen(3000),
)  # fmt: skip


# ── prices ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_at_home_all_four_parts_are_charged_in_hospital_only_item_and_material() -> None:
    assert price_lines(COMPLETE, Place.HOME) == [
        PriceLine(PriceKind.VISIT_FEE, Fen(8000)), PriceLine(PriceKind.ITEM_FEE, Fen(9000)),
        PriceLine(PriceKind.MATERIAL_FEE, Fen(4500)), PriceLine(PriceKind.TRAVEL_FEE, Fen(3000)),
    ]  # fmt: skip
    assert price_lines(COMPLETE, Place.HOSPITAL) == [
        PriceLine(PriceKind.ITEM_FEE, Fen(9000)), PriceLine(PriceKind.MATERIAL_FEE, Fen(4500)),
    ]  # fmt: skip


def test_both_is_no_place_to_be() -> None:
    with pytest.raises(ValueError, match="one place"):
        price_lines(COMPLETE, Place.BOTH)
    assert rules.places_of(Place.BOTH) == (Place.HOME, Place.HOSPITAL)
    assert rules.places_of(Place.HOME) == (Place.HOME,)


_fees = st.integers(0, 10_000_000).map(Fen)


@given(_fees, _fees, _fees, _fees, st.sampled_from(Place))
def test_lines_are_never_zero_and_add_up(visit: Fen, item: Fen, material: Fen, travel: Fen, place: Place) -> None:
    facts = replace(
        COMPLETE, place=place, visit_fee_fen=visit, item_fee_fen=item, material_fee_fen=material, travel_fee_fen=travel
    )
    for at, due in ((Place.HOME, visit + item + material + travel), (Place.HOSPITAL, item + material)):
        lines = price_lines(facts, at)
        assert sum(line.amount_fen for line in lines) == due
        assert all(line.amount_fen > 0 for line in lines)
    assert facts.price_fen == (item + material if place is Place.HOSPITAL else visit + item + material + travel)


# ── season ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("first", "last", "offered"),
    [
        (None, None, True), (TODAY, None, True), (None, TODAY, True), (TODAY, TODAY, True),
        (date(2026, 11, 24), None, False), (None, date(2026, 11, 22), False),
        (date(2026, 7, 1), date(2026, 8, 31), False),
    ],
)  # fmt: skip
def test_both_ends_belong_to_the_season(first: date | None, last: date | None, offered: bool) -> None:
    assert rules.in_season(replace(COMPLETE, season_from=first, season_until=last), TODAY) is offered


# ── completeness ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, []),
        ({"intro": ""}, [Missing.INTRO]),
        ({"tips": ""}, [Missing.TIPS]),
        ({"cautions": ""}, [Missing.CAUTIONS]),
        ({"risk_grade": None}, [Missing.RISK_GRADE]),
        ({"clinical": None}, [Missing.CLINICAL]),
        ({"duration_min": None}, [Missing.DURATION]),
        ({"skills": ()}, [Missing.SKILLS]),
        ({"skills": (), "clinical": False}, []),
        ({"prerequisites": ""}, [Missing.PREREQUISITES]),
        ({"contraindications": ""}, [Missing.CONTRAINDICATIONS]),
        ({"consumables": ""}, [Missing.CONSUMABLES]),
        ({"medical_waste": None}, [Missing.MEDICAL_WASTE]),
        ({"medical_waste": False}, []),
        ({"item_fee_fen": 0, "material_fee_fen": 0}, [Missing.HOSPITAL_PRICE]),
        ({"item_fee_fen": 0, "material_fee_fen": 0, "place": Place.HOME}, []),
        ({"item_fee_fen": 0, "material_fee_fen": 0, "place": Place.HOSPITAL}, [Missing.PRICE]),
        ({"picture_url": None, "season_from": None, "lead_minutes": 0}, []),
    ],
)
def test_publication_names_what_is_missing(changes: dict[str, Any], missing: list[Missing]) -> None:
    assert rules.missing_to_publish(replace(COMPLETE, **changes)) == missing


def test_an_empty_draft_lacks_everything() -> None:
    bare = rules.missing_to_publish(Content(name="新项目", place=Place.BOTH))
    assert set(bare) == set(Missing) - {Missing.SKILLS}


def test_a_service_moves_only_along_its_states() -> None:
    draft, published = ServiceState.DRAFT, ServiceState.PUBLISHED
    suspended, retired = ServiceState.SUSPENDED, ServiceState.RETIRED
    allowed = {
        (draft, published), (draft, retired), (published, published), (published, suspended), (published, retired),
        (suspended, published), (suspended, retired),
    }  # fmt: skip
    for now, wanted in product(ServiceState, repeat=2):
        if (now, wanted) in allowed:
            rules.check_move(now, wanted)
        else:
            with pytest.raises(ServiceStateRefused):
                rules.check_move(now, wanted)


# ── regional policy ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Entry:
    listing: Listing
    item_code: str = "N05"
    adcode_prefix: str = ""
    hospital_id: HospitalId | None = None
    effective_from: date = date(2020, 1, 1)
    effective_until: date | None = None
    reason: str = "规定"


_YES, _NO, _OPENED = Listing.POSITIVE, Listing.NEGATIVE, Listing.EXCEPTION


@pytest.mark.parametrize(
    ("entries", "permitted", "rule"),
    [
        ([], True, "RULE-31"),
        ([_Entry(_YES)], True, "RULE-31"),
        ([_Entry(_NO)], False, "RULE-32"),
        ([_Entry(_YES, item_code="N01")], False, "RULE-31"),  # the country keeps a list, and this is not on it
        ([_Entry(_NO, item_code="N01")], True, "RULE-31"),
        ([_Entry(_YES, item_code="N01", adcode_prefix="11")], True, "RULE-31"),  # another region's list
        ([_Entry(_YES, item_code="N01", adcode_prefix="4601")], False, "RULE-31"),
        ([_Entry(_YES), _Entry(_NO, adcode_prefix="46")], False, "RULE-32"),
        ([_Entry(_NO), _Entry(_YES, adcode_prefix="460106")], True, "RULE-31"),
        ([_Entry(_NO), _Entry(_OPENED, adcode_prefix="46")], True, "RULE-32"),
        ([_Entry(_NO, adcode_prefix="460106"), _Entry(_OPENED, adcode_prefix="46")], False, "RULE-32"),
        ([_Entry(_NO), _Entry(_OPENED, hospital_id=OURS)], True, "RULE-32"),
        ([_Entry(_NO), _Entry(_OPENED, hospital_id=THEIRS)], False, "RULE-32"),
        ([_Entry(_YES), _Entry(_NO, hospital_id=OURS)], False, "RULE-32"),
        # an exception opens one item and lists nothing
        ([_Entry(_OPENED, item_code="N01")], True, "RULE-31"),
        # days
        ([_Entry(_NO, effective_from=date(2026, 11, 24))], True, "RULE-31"),
        ([_Entry(_NO, effective_from=TODAY)], False, "RULE-32"),
        ([_Entry(_NO, effective_until=date(2026, 11, 22))], True, "RULE-31"),
        ([_Entry(_NO, effective_until=TODAY)], False, "RULE-32"),
        ([_Entry(_NO), _Entry(_OPENED, effective_from=date(2026, 1, 1))], True, "RULE-32"),
        # of the same day the ban holds, in whatever order they are found
        ([_Entry(_OPENED), _Entry(_NO)], False, "RULE-32"),
        ([_Entry(_NO), _Entry(_OPENED)], False, "RULE-32"),
    ],
)
def test_the_most_specific_entry_decides(entries: list[_Entry], permitted: bool, rule: str) -> None:
    said = rules.verdict(entries, item_code="N05", adcode="460106", hospital_id=OURS, on=TODAY)
    assert (said.permitted, said.rule) == (permitted, rule)
    assert said.permitted or said.reason


def test_the_countrys_lists_do_not_contradict_each_other() -> None:
    assert len(rules.LISTED_AT_HOME) == 27
    assert not set(rules.LISTED_AT_HOME) & set(rules.FORBIDDEN_AT_HOME)
    assert {scenario for _, scenario, _, _ in rules.CATEGORIES} == set(rules.Scenario)
