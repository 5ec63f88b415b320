"""What the schedules announce."""

from __future__ import annotations

from dataclasses import dataclass

from yiyuebao_api.kernel.ids import PoolId


@dataclass(frozen=True, slots=True)
class PoolChanged:
    """The services, hours, roster or leave of a pool have changed; claims announce nothing (they are the hot path)."""

    pool_id: PoolId
