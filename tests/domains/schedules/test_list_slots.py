"""GET /v1/schedules/slots: for everybody, at most 31 days, what is listed is what can be taken."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.client import Api, refused
from tests.scenes.catalogue import make_service
from tests.scenes.schedules import at, make_pool, need
from yiyuebao_api.domains.catalogue.models import Place, ServiceState
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.domains.schedules.service import claim_place
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import ClaimId, ServiceId

PLAIN: dict[str, Any] = {"duration_min": 60, "buffer_before_min": 0, "buffer_after_min": 0}
SLOTS = "/v1/schedules/slots"


def period(first_day: int, days: int) -> dict[str, str]:
    start = at(day_of(clock.now()) + timedelta(first_day), "00:00").astimezone(SHANGHAI)
    return {"from": start.isoformat(), "to": (start + timedelta(days=days)).isoformat()}


async def test_what_is_left_is_listed_and_full_ones_too(api: Api, database: Database) -> None:
    made = await make_service(database, **PLAIN)
    await make_pool(database, made[0], capacity=2)
    day = day_of(clock.now()) + timedelta(2)
    for _ in range(2):
        async with database.begin() as tx:
            await claim_place(
                tx, service=need(made), place=Place.HOME, starts_at=at(day, "10:00"), claim_id=ClaimId.new(),
                held_until=clock.now() + timedelta(minutes=15), now=clock.now(),
            )  # fmt: skip
    response = await api.get(SLOTS, params={"service_id": str(made[0].id), **period(2, 1)})
    items = response.json()["items"]
    assert len(items) == 10
    assert items[0] == {"starts_at": f"{day}T08:00:00+08:00", "ends_at": f"{day}T09:00:00+08:00", "left": 2}
    assert [item["left"] for item in items] == [2, 2, 0, 2, 2, 2, 2, 2, 2, 2]


async def test_each_place_draws_from_its_own_pool(api: Api, database: Database) -> None:
    service, _ = await make_service(database, **PLAIN)
    await make_pool(database, service, place=Place.HOME)
    await make_pool(database, service, place=Place.HOSPITAL, hours=(540, 600), capacity=7)
    asked = {"service_id": str(service.id), **period(2, 1)}
    assert len((await api.get(SLOTS, params=asked)).json()["items"]) == 10
    there = (await api.get(SLOTS, params={**asked, "place": "hospital"})).json()["items"]
    assert [item["left"] for item in there] == [7]


async def test_the_period_is_half_open_and_ends_at_the_horizon(api: Api, database: Database) -> None:
    service, _ = await make_service(database, **PLAIN)
    await make_pool(database, service, hours=(480, 540), horizon_days=5)
    whole = (await api.get(SLOTS, params={"service_id": str(service.id), **period(1, 31)})).json()["items"]
    assert len(whole) == 5
    cut = {"from": whole[0]["starts_at"], "to": whole[2]["starts_at"]}
    some = (await api.get(SLOTS, params={"service_id": str(service.id), **cut})).json()["items"]
    assert some == whole[:2]


async def test_refusals(api: Api, database: Database) -> None:
    service, _ = await make_service(database)
    draft, _ = await make_service(database, state=ServiceState.SUSPENDED)
    mine = {"service_id": str(service.id)}
    refused(await api.get(SLOTS, params={**mine, **period(1, 32)}), 422, "period-not-listable")
    refused(await api.get(SLOTS, params={**mine, **period(1, 0)}), 422, "period-not-listable")
    refused(await api.get(SLOTS, params={**mine, **period(1, 1), "place": "both"}), 422, "period-not-listable")
    refused(await api.get(SLOTS, params={"service_id": str(ServiceId.new()), **period(1, 1)}), 404, "not-found")
    refused(await api.get(SLOTS, params={"service_id": str(draft.id), **period(1, 1)}), 409, "service-not-offered")
    refused(await api.get(SLOTS, params=mine), 422, "invalid-input")
    naive = {"from": "2026-11-25T00:00:00", "to": "2026-11-26T00:00:00"}
    refused(await api.get(SLOTS, params={**mine, **naive}), 422, "invalid-input")


@pytest.mark.parametrize("days", [1, 31])
async def test_without_a_pool_there_is_nothing(api: Api, database: Database, days: int) -> None:
    service, _ = await make_service(database)
    answer = await api.get(SLOTS, params={"service_id": str(service.id), **period(1, days)})
    assert answer.json() == {"items": []}
