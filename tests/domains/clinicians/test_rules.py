"""Rules of clinicians: who may be sent, and how a file moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from typing import Any

import pytest

from yiyuebao_api.domains.clinicians import rules
from yiyuebao_api.domains.clinicians.problems import ClinicianStateRefused
from yiyuebao_api.domains.clinicians.rules import Clause, ClinicianKind, ClinicianState, Gate, Title

TODAY = date(2026, 11, 23)


@dataclass(frozen=True)
class _Facts:
    kind: ClinicianKind = ClinicianKind.NURSE
    state: ClinicianState = ClinicianState.VERIFIED
    licence_valid_until: date = TODAY
    clinical_years: int = 5
    title: Title = Title.SENIOR_NURSE


_DOCTOR = _Facts(kind=ClinicianKind.DOCTOR, clinical_years=3, title=Title.RESIDENT_DOCTOR)


@pytest.mark.parametrize(
    ("facts", "changes", "clauses"),
    [
        (_Facts(), {}, []),
        (_Facts(), {"licence_valid_until": date(2026, 11, 22)}, [Clause.LICENCE_EXPIRED]),
        (_Facts(), {"clinical_years": 4}, [Clause.TOO_FEW_YEARS]),
        (_Facts(), {"title": Title.NURSE}, [Clause.TITLE_TOO_LOW]),
        (_Facts(), {"title": Title.CHIEF_NURSE}, []),
        (_Facts(), {"title": Title.CHIEF_DOCTOR}, [Clause.TITLE_TOO_LOW]),
        (_DOCTOR, {}, []),
        (_DOCTOR, {"clinical_years": 2}, [Clause.TOO_FEW_YEARS]),
        (_DOCTOR, {"licence_valid_until": date(2026, 11, 22)}, [Clause.LICENCE_EXPIRED]),
        (
            _Facts(),
            {
                "state": ClinicianState.DRAFT, "licence_valid_until": date(2020, 1, 1), "clinical_years": 0,
                "title": Title.NURSE,
            },
            [Clause.NOT_VERIFIED, Clause.LICENCE_EXPIRED, Clause.TOO_FEW_YEARS, Clause.TITLE_TOO_LOW],
        ),
    ],
)  # fmt: skip
def test_everything_that_fails_is_named(facts: _Facts, changes: dict[str, Any], clauses: list[Clause]) -> None:
    assert rules.may_serve(replace(facts, **changes), TODAY) == clauses


@pytest.mark.parametrize("state", [each for each in ClinicianState if each is not ClinicianState.VERIFIED])
def test_only_the_verified_are_sent(state: ClinicianState) -> None:
    assert rules.may_serve(replace(_Facts(), state=state), TODAY) == [Clause.NOT_VERIFIED]


def test_a_local_document_moves_the_thresholds() -> None:
    gate = Gate(nurse_years=3, nurse_titles=frozenset({Title.NURSE}))
    assert rules.may_serve(replace(_Facts(), clinical_years=3, title=Title.NURSE), TODAY, gate) == []


def test_every_title_has_a_name_and_one_profession() -> None:
    assert set(rules.TITLE_NAMES) == set(Title)
    nurses, doctors = rules.TITLES[ClinicianKind.NURSE], rules.TITLES[ClinicianKind.DOCTOR]
    assert nurses | doctors == set(Title)
    assert not nurses & doctors


def test_a_file_moves_only_along_its_states() -> None:
    draft, submitted, verified = ClinicianState.DRAFT, ClinicianState.SUBMITTED, ClinicianState.VERIFIED
    rejected, suspended = ClinicianState.REJECTED, ClinicianState.SUSPENDED
    allowed = {
        (draft, submitted), (draft, verified), (submitted, verified), (submitted, rejected), (submitted, draft),
        (verified, suspended), (verified, draft), (rejected, submitted), (rejected, draft), (suspended, verified),
    }  # fmt: skip
    for now, wanted in product(ClinicianState, repeat=2):
        if (now, wanted) in allowed:
            rules.check_move(now, wanted)
        else:
            with pytest.raises(ClinicianStateRefused):
                rules.check_move(now, wanted)
