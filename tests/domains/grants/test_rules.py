"""When a grant is open, and when it may be taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from yiyuebao_api.domains.grants.problems import GrantNeededByBooking, GrantNeededByConsultation
from yiyuebao_api.domains.grants.rules import Basis, Scope, check_revocable, is_open
from yiyuebao_api.kernel.problems import Problem

NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("from_at", "until_at", "revoked_at", "open_"),
    [
        (NOW, None, None, True), (AFTER, None, None, False), (BEFORE, NOW, None, False), (BEFORE, AFTER, None, True),
        (BEFORE, None, BEFORE, False),
    ],
)  # fmt: skip
def test_open_from_inclusive_until_exclusive(
    from_at: datetime, until_at: datetime | None, revoked_at: datetime | None, open_: bool
) -> None:
    assert is_open(from_at, until_at, revoked_at, NOW) is open_


@pytest.mark.parametrize(
    ("basis", "problem"), [(Basis.BOOKING, GrantNeededByBooking), (Basis.CONSULTATION, GrantNeededByConsultation)]
)
def test_what_is_needed_is_not_revoked(basis: Basis, problem: type[Problem]) -> None:
    with pytest.raises(problem):
        check_revocable(basis, Scope.CARE, None, "bkg_x")
    check_revocable(basis, Scope.CARE, NOW, "bkg_x")
    check_revocable(basis, Scope.RECORDS, None, "bkg_x")


@pytest.mark.parametrize("basis", [Basis.SHARE, Basis.CONTRACT, Basis.FOLLOWUP, Basis.BREAK_GLASS])
def test_everything_else_is_revoked_at_any_time(basis: Basis) -> None:
    check_revocable(basis, Scope.CARE, None, "x")
