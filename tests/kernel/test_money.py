"""Money: whole fen, and shares that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.kernel.money import Fen, share, total, yuan

AMOUNTS = st.integers(min_value=0, max_value=10**12).map(Fen)


@given(AMOUNTS, st.integers(min_value=0, max_value=10_000))
def test_a_share_is_the_floor_and_never_more_than_the_whole(amount: Fen, basis_points: int) -> None:
    """RULE-70: WeChat refuses a split that is one fen above its ratio; a cent too little is the hospital's gain."""
    platform = share(amount, basis_points)
    assert 0 <= platform <= amount
    assert platform * 10_000 <= amount * basis_points < (platform + 1) * 10_000
    assert total([platform, Fen(amount - platform)]) == amount


@given(st.lists(AMOUNTS))
def test_a_total_is_a_sum(amounts: list[Fen]) -> None:
    """No float on the way: 2**53 fen and one more are not the same."""
    assert total(amounts) == sum(amounts)
    assert type(total(amounts)) is int


@given(st.integers(min_value=-(10**12), max_value=10**12).map(Fen))
def test_people_read_every_fen(amount: Fen) -> None:
    """A notice that says ¥1.5 for ¥1.05 is a complaint."""
    shown = yuan(amount)
    digits = shown.replace("¥", "").replace(",", "").replace(".", "")
    assert int(digits) == amount
    assert shown[-3] == "."


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "¥0.00"), (5, "¥0.05"), (105, "¥1.05"), (12345, "¥123.45"), (123456789, "¥1,234,567.89"), (-5, "-¥0.05")],
)
def test_how_it_looks(amount: int, shown: str) -> None:
    assert yuan(Fen(amount)) == shown
