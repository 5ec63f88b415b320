"""Ids that are the same in every run."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TypeVar

from yiyuebao_api.kernel.ids import Id

AnyId = TypeVar("AnyId", bound=Id)

#: When the seeded world began; its rows are older than everything made later.
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_MILLISECONDS = int(BEGAN.timestamp() * 1000)


def fixed_id(kind: type[AnyId], name: str, order: int = 0) -> AnyId:
    """A UUIDv7 of the world's first day: in the order given, otherwise decided by the name alone."""
    digest = int.from_bytes(hashlib.sha256(f"{kind.prefix}:{name}".encode()).digest()[:10])
    low = digest & ((1 << 62) - 1)
    fraction = digest >> 62 & 0xFFF
    return kind(int=(_MILLISECONDS + order) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | low)
