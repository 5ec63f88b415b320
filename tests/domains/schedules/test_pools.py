"""The desk's pools: made, edited one after another, given items and hours; strangers see nothing of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.domains.schedules.conftest import Desk
from tests.scenes.catalogue import make_service
from tests.scenes.schedules import at, make_pool, need
from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.nearby.models import NearbyOffer
from yiyuebao_api.domains.schedules.models import Pool, PoolService, Template
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.domains.schedules.service import claim_place, list_slots
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import ClaimId, PoolId, ServiceId, SiteId

POOLS = "/v1/hospital/schedules/pools"
TERMS = {"name": "居家护理一组", "capacity": 3, "lead_minutes": 240, "horizon_days": 14, "night": False}
WEEK = {"hours": [{"weekday": day, "start": "08:00", "end": "12:00", "step_minutes": 60} for day in range(7)]}


async def made_pool(desk: Desk, **changes: Any) -> dict[str, Any]:
    body = {**TERMS, "site_id": str(desk.site.id), "place": "home", **changes}
    response = await desk.api.post(POOLS, json=body)
    assert response.status_code == 201, response.text
    assert response.headers["ETag"] == '"1"'
    return dict(response.json())


async def test_a_pool_is_made_shown_and_listed(desk: Desk) -> None:
    pool = await made_pool(desk)
    shown = await desk.api.get(f"{POOLS}/{pool['id']}")
    assert shown.json() == {**pool, "service_ids": [], "hours": [], "exceptions": []}
    second = await made_pool(desk)
    page = (await desk.api.get(POOLS, params={"limit": 1})).json()
    assert page["items"] == [second]
    rest = (await desk.api.get(POOLS, params={"cursor": page["next_cursor"]})).json()
    assert rest == {"items": [pool], "next_cursor": None}


async def test_a_site_of_somebody_else_is_not_there(desk: Desk, stranger: Desk) -> None:
    for site_id in (stranger.site.id, SiteId.new()):
        body = {**TERMS, "site_id": str(site_id), "place": "home"}
        refused(await desk.api.post(POOLS, json=body), 404, "not-found")


@pytest.mark.parametrize(
    "change",
    [{"capacity": -1}, {"capacity": 1001}, {"capacity": True}, {"horizon_days": 61}, {"name": ""}, {"version": 1}],
)
async def test_terms_out_of_range_are_refused(desk: Desk, change: dict[str, Any]) -> None:
    body = {**TERMS, "site_id": str(desk.site.id), "place": "home", **change}
    refused(await desk.api.post(POOLS, json=body), 422, "invalid-input")


async def test_editing_needs_the_version_that_was_read(desk: Desk) -> None:
    pool = await made_pool(desk)
    url, body = f"{POOLS}/{pool['id']}", {**TERMS, "capacity": 5, "active": True}
    refused(await desk.api.put(url, json=body), 428, "precondition-required")
    refused(await desk.api.put(url, json=body, version=7), 412, "precondition-failed")
    edited = await desk.api.put(url, json=body, version=1)
    assert (edited.json()["capacity"], edited.json()["version"], edited.headers["ETag"]) == (5, 2, '"2"')
    refused(await desk.api.put(url, json=body, version=1), 412, "precondition-failed")


async def test_strangers_and_others_cannot_touch_it(api: Api, desk: Desk, stranger: Desk, database: Database) -> None:
    pool = await made_pool(desk)
    url = f"{POOLS}/{pool['id']}"
    exception = {"day": "2030-01-01", "kind": "closed"}
    for caller, status, code in ((stranger.api, 404, "not-found"), (api, 401, "unauthenticated")):
        refused(await caller.get(url), status, code)
        refused(await caller.put(url, json={**TERMS, "active": False}, version=1), status, code)
        refused(await caller.put(f"{url}/services", json={"service_ids": []}, version=1), status, code)
        refused(await caller.put(f"{url}/templates", json=WEEK, version=1), status, code)
        refused(await caller.post(f"{url}/exceptions", json=exception), status, code)
        refused(await caller.delete(url), status, code)
    refused(await desk.api.get(f"{POOLS}/{PoolId.new()}"), 404, "not-found")
    assert (await desk.api.get(url)).json()["version"] == 1


async def test_items_draw_from_one_pool_for_each_place(desk: Desk, database: Database) -> None:
    service, _ = await make_service(database, site=desk.site)
    first, second = await made_pool(desk, place="both"), await made_pool(desk, place="hospital")
    body = {"service_ids": [str(service.id), str(service.id)]}
    set_to = await desk.api.put(f"{POOLS}/{first['id']}/services", json=body, version=1)
    assert (set_to.json()["service_ids"], set_to.json()["version"]) == ([str(service.id)], 2)
    refused(await desk.api.put(f"{POOLS}/{second['id']}/services", json=body, version=1), 409, "service-in-other-pool")
    async with database.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(PoolService)) == 2
        assert (await tx.get_one(Pool, PoolId.parse(second["id"]))).version == 1
    await desk.api.put(f"{POOLS}/{first['id']}/services", json={"service_ids": []}, version=2)
    moved = await desk.api.put(f"{POOLS}/{second['id']}/services", json=body, version=1)
    assert moved.status_code == 200


async def test_items_of_another_site_are_refused(desk: Desk, stranger: Desk, database: Database) -> None:
    pool = await made_pool(desk)
    foreign, _ = await make_service(database, site=stranger.site)
    for service_id in (foreign.id, ServiceId.new()):
        body = {"service_ids": [str(service_id)]}
        refused(await desk.api.put(f"{POOLS}/{pool['id']}/services", json=body, version=1), 409, "service-not-of-site")


async def test_a_week_opens_slots_and_the_search_hears_of_it(desk: Desk, database: Database) -> None:
    made = await make_service(database, site=desk.site, duration_min=60, buffer_after_min=0)
    pool = await made_pool(desk)
    url = f"{POOLS}/{pool['id']}"
    await desk.api.put(f"{url}/services", json={"service_ids": [str(made[0].id)]}, version=1)
    week = await desk.api.put(f"{url}/templates", json=WEEK, version=2)
    assert week.json()["hours"][0] == {
        "weekday": 0, "start": "08:00", "end": "12:00", "step_minutes": 60, "capacity": None,
    }  # fmt: skip
    day = day_of(clock.now()) + timedelta(3)
    assert await times(database, made[0].id, day) == 4
    closed = {"day": str(day), "kind": "closed", "start": "10:00", "end": "24:00", "reason": "停电"}
    exception = await desk.api.post(f"{url}/exceptions", json=closed)
    assert exception.status_code == 201
    assert await times(database, made[0].id, day) == 2
    assert (await desk.api.get(url)).json()["exceptions"] == [exception.json()]
    gone = await desk.api.delete(f"{url}/exceptions/{exception.json()['id']}")
    assert gone.status_code == 204
    assert await times(database, made[0].id, day) == 4
    refused(await desk.api.delete(f"{url}/exceptions/{exception.json()['id']}"), 404, "not-found")
    async with database.begin() as tx:
        assert (await tx.get_one(NearbyOffer, made[0].id)).weekdays == 0b1111111
    await desk.api.put(f"{url}/services", json={"service_ids": []}, version=5)
    async with database.begin() as tx:
        assert (await tx.get_one(NearbyOffer, made[0].id)).weekdays == 0


async def times(database: Database, service_id: ServiceId, day: Any) -> int:
    async with database.begin() as tx:
        first, last = at(day, "00:00"), at(day, "24:00")
        return len(await list_slots(tx, service_id, first=first, last=last, place=Place.HOME, now=clock.now()))


@pytest.mark.parametrize(
    ("hours", "code"),
    [
        ([("08:00", "10:00"), ("09:59", "12:00")], "hours-overlap"),
        ([("07:59", "10:00")], "night-not-open"),
        ([("19:00", "20:01")], "night-not-open"),
    ],
)
async def test_hours_must_make_sense(desk: Desk, database: Database, hours: list[tuple[str, str]], code: str) -> None:
    pool = await made_pool(desk)
    body = {"hours": [{"weekday": 0, "start": start, "end": end} for start, end in hours]}
    refused(await desk.api.put(f"{POOLS}/{pool['id']}/templates", json=body, version=1), 409, code)
    async with database.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(Template)) == 0


@pytest.mark.parametrize(
    ("start", "end"), [("12:00", "08:00"), ("08:00", "08:00"), ("8:00", "9:00"), ("23:00", "24:01")]
)
async def test_hours_do_not_run_backwards_or_over_midnight(desk: Desk, start: str, end: str) -> None:
    pool = await made_pool(desk)
    body = {"hours": [{"weekday": 0, "start": start, "end": end}]}
    refused(await desk.api.put(f"{POOLS}/{pool['id']}/templates", json=body, version=1), 422, "invalid-input")


async def test_a_pool_that_works_at_night_may_open_then(desk: Desk) -> None:
    pool = await made_pool(desk, night=True)
    url = f"{POOLS}/{pool['id']}"
    body = {"hours": [{"weekday": 0, "start": "20:00", "end": "24:00"}]}
    assert (await desk.api.put(f"{url}/templates", json=body, version=1)).status_code == 200
    refused(await desk.api.put(url, json={**TERMS, "active": True}, version=2), 409, "night-not-open")


async def test_opening_by_exception_keeps_to_daytime_too(desk: Desk) -> None:
    pool = await made_pool(desk)
    opened = {"day": "2030-01-01", "kind": "open", "start": "20:00", "end": "22:00"}
    refused(await desk.api.post(f"{POOLS}/{pool['id']}/exceptions", json=opened), 409, "night-not-open")


async def test_only_a_pool_that_was_never_used_can_be_removed(desk: Desk, database: Database) -> None:
    made = await make_service(database, site=desk.site)
    used = await make_pool(database, made[0])
    async with database.begin() as tx:
        await claim_place(
            tx, service=need(made), place=Place.HOME, starts_at=at(day_of(clock.now()) + timedelta(2), "10:00"),
            claim_id=ClaimId.new(), held_until=clock.now() + timedelta(minutes=15), now=clock.now(),
        )  # fmt: skip
    refused(await desk.api.delete(f"{POOLS}/{used.id}"), 409, "pool-in-use")
    fresh = await made_pool(desk)
    await desk.api.put(f"{POOLS}/{fresh['id']}/templates", json=WEEK, version=1)
    assert (await desk.api.delete(f"{POOLS}/{fresh['id']}")).status_code == 204
    refused(await desk.api.get(f"{POOLS}/{fresh['id']}"), 404, "not-found")
    assert (await desk.api.get(f"{POOLS}/{used.id}")).status_code == 200
