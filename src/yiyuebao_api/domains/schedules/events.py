"""What the schedules announce."""

from __future__ import annotations

from dataclasses import dataclass

from yiyuebao_api.kernel.ids import PoolId, ServiceId


@dataclass(frozen=True, slots=True)
class PoolChanged:
    """A pool, its services or its hours have changed; claims announce nothing (they are the hot path).

    `service_ids` are the items that draw from it now or did until now.
    """

    pool_id: PoolId
    service_ids: tuple[ServiceId, ...]
