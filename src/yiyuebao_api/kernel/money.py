"""Money is a whole number of fen. No float, no Decimal, no bare `amount: int`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NewType

Fen = NewType("Fen", int)

BASIS_POINTS = 10_000


def total(amounts: Iterable[Fen]) -> Fen:
    """The sum of some amounts."""
    return Fen(sum(amounts))


def share(amount: Fen, basis_points: int) -> Fen:
    """`basis_points` ten-thousandths of `amount`, rounded down (RULE-70: only the floor stays within WeChat's max_ratio)."""
    return Fen(amount * basis_points // BASIS_POINTS)


def yuan(amount: Fen) -> str:
    """`12345` → `¥123.45`, for people."""
    sign, rest = ("-", -amount) if amount < 0 else ("", amount)
    return f"{sign}¥{rest // 100:,}.{rest % 100:02d}"
