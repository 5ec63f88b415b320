"""What a desk publishes or suspends through one process is found, or not, through another within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.client import Api
from tests.faults.processes import two
from tests.scenes.bookings import make_offer
from tests.scenes.hospitals import HAIKOU
from tests.scenes.nearby import announce_offers
from tests.servers import Redis
from yiyuebao_api.context import Context

FRESH_S = 1.0


async def test_publishing_here_is_seen_there(
    api: Api, context: Context, env: Mapping[str, str], redis: Redis, tmp_path: Path
) -> None:
    offered = await make_offer(api, context)
    await announce_offers(context.database, offered.service)
    desk = f"/v1/hospital/catalogue/services/{offered.service.id}"
    headers = {"Authorization": f"Bearer {offered.desk.token}"}
    async with (
        two(tmp_path, env, redis) as (one, other),
        httpx.AsyncClient(base_url=one.url, headers=headers, trust_env=False) as here,
        httpx.AsyncClient(base_url=other.url, trust_env=False) as there,
    ):

        async def is_found() -> bool:
            answer = await there.get("/v1/nearby/services", params={"lat": HAIKOU[0], "lng": HAIKOU[1]})
            assert answer.status_code == 200, answer.text
            return str(offered.service.id) in {each["service_id"] for each in answer.json()["items"]}

        async def changed(verb: str) -> float:
            """Seconds from the answer, which comes after the commit."""
            done = await here.post(f"{desk}/{verb}", json={"reason": "设备检修"} if verb == "suspend" else None)
            assert done.status_code == 200, done.text
            began = time.monotonic()
            async with asyncio.timeout(10):
                while await is_found() is not (verb == "publish"):
                    await asyncio.sleep(0.01)
            return time.monotonic() - began

        async with asyncio.timeout(10):
            while not await is_found():
                await asyncio.sleep(0.05)
        took = [await changed(verb) for verb in ("suspend", "publish") * 4]
        # Two of eight may fall into a moment in which the machine stands still; what is late by design is late always.
        assert sorted(took)[-3] <= FRESH_S, took
