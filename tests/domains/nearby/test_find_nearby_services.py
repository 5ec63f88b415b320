"""GET /v1/nearby/services: what can be had at a place, nearest first, exactly and at once."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from tests.client import Api, refused
from tests.plans import Statements
from tests.scenes.catalogue import make_service
from tests.scenes.clinicians import make_clinician
from tests.scenes.hospitals import HAIKOU, make_hospital, make_site
from tests.scenes.nearby import announce_hospital, announce_offers, fill, make_country
from tests.scenes.schedules import at, make_pool, need
from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceState, ServiceVersion
from yiyuebao_api.domains.clinicians.events import StaffChanged
from yiyuebao_api.domains.clinicians.service import suspend_clinician
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalState
from yiyuebao_api.domains.nearby import service
from yiyuebao_api.domains.nearby.index import NearbyIndex
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.domains.schedules.service import claim_place
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.geo import CoordType, Point, from_gcj02
from yiyuebao_api.kernel.ids import ClaimId
from yiyuebao_api.kernel.money import Fen

HERE = {"lat": HAIKOU[0], "lng": HAIKOU[1]}
NORTH = 1 / 111.195  # degrees of latitude in a kilometre
Made = tuple[Service, ServiceVersion]


async def offer(
    database: Database, *, north_km: float = 1.0, site: dict[str, Any] | None = None, pool: bool = True, **content: Any
) -> Made:
    """A published, announced item of a new hospital so far north of HERE."""
    where = await make_site(database, lat=HAIKOU[0] + north_km * NORTH, **(site or {}))
    made = await make_service(database, site=where, **content)
    if pool:
        await make_pool(database, made[0])
    await announce_offers(database, made[0])
    return made


async def search(api: Api, app: FastAPI, **asked: Any) -> list[dict[str, Any]]:
    """The items of the first page, after the index has heard of everything."""
    await app.state.nearby.refresh()
    response = await api.get("/v1/nearby/services", params={**HERE, **asked})
    assert response.status_code == 200, response.text
    return list(response.json()["items"])


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in items]


async def test_nearest_first_with_distance_price_and_next_free_time(api: Api, app: FastAPI, database: Database) -> None:
    far = await offer(database, north_km=4, name="远")
    near = await offer(database, north_km=1.5, name="近")
    first, second = await search(api, app)
    assert (first["service_id"], second["service_id"]) == (str(near[0].id), str(far[0].id))
    assert (first["distance_m"], second["distance_m"]) == (1500, 4000)
    assert first["price_fen"] == 24_500
    assert first["hospital_name"].startswith("海口")
    assert datetime.fromisoformat(first["next_free_at"]) >= clock.now() + timedelta(hours=4)


async def test_only_where_the_area_covers_the_place(api: Api, app: FastAPI, database: Database) -> None:
    await offer(database, north_km=5, name="近而不到", place=Place.HOME, site={"radius_m": 3000})
    await offer(database, north_km=5, name="到院", place=Place.HOSPITAL, site={"radius_m": 3000})
    await offer(database, north_km=6, name="上门", place=Place.HOME, site={"radius_m": 8000})
    await offer(database, north_km=7, name="都行", place=Place.BOTH, site={"radius_m": 3000})
    await offer(database, north_km=8, name="不出门", place=Place.HOME, site={"open_for_home": False})
    assert names(await search(api, app)) == ["到院", "上门", "都行"]
    assert names(await search(api, app, place="home")) == ["上门"]
    assert names(await search(api, app, place="hospital")) == ["到院", "都行"]
    assert names(await search(api, app, place="both")) == ["到院", "上门", "都行"]
    assert names(await search(api, app, radius_m=6500)) == ["到院", "上门"]


async def test_named_districts_are_checked_when_the_district_is_known(
    api: Api, app: FastAPI, database: Database
) -> None:
    await offer(database, name="只去秀英", place=Place.HOME, site={"adcodes": ["460105"]})
    await offer(database, name="全市", place=Place.HOME, site={"adcodes": ["4601"]})
    assert len(await search(api, app)) == 2
    assert names(await search(api, app, adcode="460106")) == ["全市"]
    assert len(await search(api, app, adcode="460105")) == 2


async def test_filters(api: Api, app: FastAPI, database: Database) -> None:
    await offer(database, name="贵", category_code="tcm")
    await offer(database, name="廉", north_km=2, category_code="chronic", item_fee_fen=Fen(100), visit_fee_fen=Fen(0))
    assert names(await search(api, app, category="chronic")) == ["廉"]
    assert names(await search(api, app, category="maternal")) == []
    assert names(await search(api, app, max_price_fen=7600)) == ["廉"]
    assert names(await search(api, app, max_price_fen=7599)) == []
    assert names(await search(api, app, max_price_fen=4600, place="hospital")) == ["廉"]
    assert names(await search(api, app, sort="price")) == ["廉", "贵"]
    (cheap,) = await search(api, app, max_price_fen=4600, place="hospital")
    assert cheap["price_fen"] == 4600


async def test_out_of_season_unpublished_and_closed_are_not_there(api: Api, app: FastAPI, database: Database) -> None:
    today = clock.now().astimezone(SHANGHAI).date()
    await offer(database, name="过季", season_until=today - timedelta(1))
    await offer(database, name="未到季", season_from=today + timedelta(1))
    await offer(database, name="当季", season_from=today, season_until=today)
    await offer(database, name="停售", state=ServiceState.SUSPENDED)
    closed = await make_hospital(database, state=HospitalState.SUSPENDED)
    lapsed = await make_hospital(database, licence_valid_until=today - timedelta(1))
    for hospital in (closed, lapsed):
        made = await make_service(database, site=await make_site(database, hospital.id), name="关门")
        await announce_offers(database, made[0])
    assert names(await search(api, app)) == ["当季"]


async def test_a_day_is_free_only_if_schedules_say_so(api: Api, app: FastAPI, database: Database) -> None:
    """The masks only promise: an item open that weekday but sold out is not shown, one further away is."""
    tomorrow = clock.now().astimezone(SHANGHAI).date() + timedelta(1)
    plain: dict[str, Any] = {"duration_min": 60, "buffer_before_min": 0, "buffer_after_min": 0}
    full = await offer(database, name="满", north_km=1, pool=False, **plain)
    await make_pool(database, full[0], hours=(18 * 60, 20 * 60), step_minutes=60)
    free = await offer(database, name="空", north_km=2, pool=False, **plain)
    await make_pool(database, free[0], hours=(18 * 60, 20 * 60), step_minutes=60)
    shut = await offer(database, name="休", north_km=3, pool=False, **plain)
    await make_pool(database, shut[0], weekdays=((tomorrow.weekday() + 1) % 7,))
    await announce_offers(database, full[0], free[0], shut[0])
    for start in ("18:00", "19:00"):
        async with database.begin() as tx:
            await claim_place(
                tx, service=need(full), place=Place.HOME, starts_at=at(tomorrow, start), claim_id=ClaimId.new(),
                held_until=clock.now() + timedelta(minutes=15), now=clock.now(),
            )  # fmt: skip
    day = {"earliest": str(tomorrow), "latest": str(tomorrow)}
    items = await search(api, app, **day, place="home")
    assert names(items) == ["空"]
    assert items[0]["next_free_at"].startswith(f"{tomorrow}T18:00")
    assert names(await search(api, app, place="home")) == ["满", "空", "休"]
    assert names(await search(api, app, earliest=str(tomorrow), latest=str(tomorrow + timedelta(1)), place="home")) == [
        "满",
        "空",
        "休",
    ]


async def test_the_next_free_time_is_of_a_place_where_it_can_be_had(api: Api, app: FastAPI, database: Database) -> None:
    """Too far for a home visit, so the sooner time of the home pool is nothing to the caller."""
    made = await offer(database, north_km=5, pool=False, place=Place.BOTH, site={"radius_m": 3000})
    await make_pool(database, made[0], place=Place.HOME)
    await make_pool(database, made[0], place=Place.HOSPITAL, lead_minutes=4 * 24 * 60)
    near, far = {"lat": HAIKOU[0] + 4 * NORTH}, {"lat": HAIKOU[0]}
    (soon,) = await search(api, app, **near)
    (late,) = await search(api, app, **far)
    assert datetime.fromisoformat(soon["next_free_at"]) < clock.now() + timedelta(days=2)
    assert datetime.fromisoformat(late["next_free_at"]) > clock.now() + timedelta(days=4)


async def test_soonest_first(api: Api, app: FastAPI, database: Database) -> None:
    later = await offer(database, name="近而晚", north_km=1, pool=False)
    await make_pool(database, later[0], lead_minutes=3 * 24 * 60)
    await offer(database, name="远而早", north_km=3)
    await offer(database, name="没有号", north_km=2, pool=False)
    items = await search(api, app, sort="soonest")
    assert names(items) == ["远而早", "近而晚"]
    page = (await api.get("/v1/nearby/services", params={**HERE, "sort": "soonest", "limit": 1})).json()
    more = (
        await api.get("/v1/nearby/services", params={**HERE, "sort": "soonest", "cursor": page["next_cursor"]})
    ).json()
    assert names(page["items"] + more["items"]) == ["远而早", "近而晚"]
    assert more["next_cursor"] is None


@pytest.mark.parametrize("sort", ["distance", "price"])
@pytest.mark.parametrize("size", [1, 3, 7])
async def test_pages_add_up(api: Api, app: FastAPI, database: Database, sort: str, size: int) -> None:
    site = await make_site(database)
    made = [
        await make_service(database, site=site, code=f"N{n:02d}", item_fee_fen=Fen(100 * (n % 3))) for n in range(8)
    ]
    await announce_offers(database, *(row for row, _ in made))
    whole = [item["service_id"] for item in await search(api, app, sort=sort, limit=50)]
    seen: list[str] = []
    cursor = None
    while True:
        asked = {**HERE, "sort": sort, "limit": size} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/v1/nearby/services", params=asked)).json()
        seen += [item["service_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == whole
    assert len(set(seen)) == 8


async def test_a_page_goes_on_from_where_it_began_though_the_phone_moves(
    api: Api, app: FastAPI, database: Database
) -> None:
    for km in (1, 2, 3):
        await offer(database, north_km=km, name=str(km))
    await app.state.nearby.refresh()
    page = (await api.get("/v1/nearby/services", params={**HERE, "limit": 1})).json()
    moved = {"lat": HAIKOU[0] + 3 * NORTH, "lng": HAIKOU[1]}
    more = (await api.get("/v1/nearby/services", params={**moved, "cursor": page["next_cursor"]})).json()
    assert names(page["items"] + more["items"]) == ["1", "2", "3"]


@pytest.mark.parametrize("datum", ["wgs84", "bd09"])
async def test_every_datum_finds_the_same_and_a_wrong_one_is_off(
    api: Api, app: FastAPI, database: Database, datum: str
) -> None:
    await offer(database, north_km=2)
    lat, lng = from_gcj02(Point(*HAIKOU), CoordType(datum))
    (right,) = await search(api, app, lat=lat, lng=lng, coord_type=datum)
    assert right["distance_m"] == 2000
    (wrong,) = await search(api, app, lat=lat, lng=lng)
    assert abs(wrong["distance_m"] - 2000) > 100


async def test_without_permission_to_locate_a_district_is_enough(api: Api, app: FastAPI, database: Database) -> None:
    await offer(database, name="本区")
    await offer(database, name="邻区到本区", place=Place.HOME, site={"adcode": "460107", "adcodes": ["460106"]})
    await offer(database, name="邻区", site={"adcode": "460107"})
    await app.state.nearby.refresh()
    answer = (await api.get("/v1/nearby/services", params={"adcode": "460106"})).json()
    assert sorted(names(answer["items"])) == ["本区", "邻区到本区"]
    assert {item["distance_m"] for item in answer["items"]} == {None}
    city = (await api.get("/v1/nearby/services", params={"adcode": "460100", "limit": 2})).json()
    rest = (await api.get("/v1/nearby/services", params={"adcode": "460100", "cursor": city["next_cursor"]})).json()
    assert sorted(names(city["items"] + rest["items"])) == ["本区", "邻区", "邻区到本区"]


async def test_refusals(api: Api, database: Database) -> None:
    where = "/v1/nearby/services"
    refused(await api.get(where), 422, "place-missing")
    refused(await api.get(where, params={"lat": 20}), 422, "place-missing")
    refused(await api.get(where, params={"lat": 110.32, "lng": 20.02}), 422, "place-outside-china")
    refused(await api.get(where, params={"lat": "nan", "lng": 110}), 422, "place-outside-china")
    refused(
        await api.get(where, params={**HERE, "earliest": "2030-01-02", "latest": "2030-01-01"}),
        422,
        "period-not-searchable",
    )
    refused(await api.get(where, params={**HERE, "latest": "2020-01-01"}), 422, "period-not-searchable")
    refused(await api.get(where, params={**HERE, "cursor": "eyJ9"}), 422, "invalid-cursor")
    refused(await api.get(where, params={**HERE, "radius_m": 1}), 422, "invalid-input")
    refused(await api.get(where, params={**HERE, "coord_type": "wgs72"}), 422, "invalid-input")


async def test_a_cursor_of_another_order_or_with_nonsense_is_refused(
    api: Api, app: FastAPI, database: Database
) -> None:
    for km in (1, 2):
        await offer(database, north_km=km)
    await app.state.nearby.refresh()
    cursor = (await api.get("/v1/nearby/services", params={**HERE, "limit": 1})).json()["next_cursor"]
    refused(
        await api.get("/v1/nearby/services", params={**HERE, "cursor": cursor, "sort": "price"}), 422, "invalid-cursor"
    )
    held = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    for place, value in ((1, float("nan")), (3, 91.0), (4, float("inf"))):
        broken = [*held[:place], value, *held[place + 1 :]]
        token = base64.urlsafe_b64encode(json.dumps(broken).encode()).decode().rstrip("=")
        refused(await api.get("/v1/nearby/services", params={**HERE, "cursor": token}), 422, "invalid-cursor")


# ── the index and the tables ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_tables_have_the_last_word_over_a_late_index(api: Api, app: FastAPI, database: Database) -> None:
    """Suspended a moment ago, the index does not know yet: it is not shown, and spare rows fill the page."""
    made = [await offer(database, north_km=km, name=str(km)) for km in (1, 2, 3, 4)]
    await search(api, app)
    index: NearbyIndex = app.state.nearby
    async with index._one_at_a_time:  # it hears nothing while this test holds the line
        async with database.begin() as tx:
            (await tx.get_one(Service, made[0][0].id)).state = ServiceState.SUSPENDED
        await announce_offers(database, made[0][0])
        async with database.begin() as tx:
            hospital = await tx.get_one(Hospital, made[2][0].hospital_id)
            hospital.state = HospitalState.SUSPENDED
        await announce_hospital(database, made[2][0].hospital_id)
        answer = (await api.get("/v1/nearby/services", params={**HERE, "limit": 2})).json()
    assert names(answer["items"]) == ["2", "4"]
    assert answer["next_cursor"] is None


@pytest.mark.parametrize(
    "asked", [{}, {"sort": "price"}, {"sort": "soonest"}, {"place": "home", "max_price_fen": 30_000}]
)
async def test_without_an_index_the_tables_answer_the_same(
    api: Api, app: FastAPI, database: Database, asked: dict[str, Any]
) -> None:
    for km in range(1, 8):
        await offer(database, north_km=km, name=str(km), item_fee_fen=Fen(9000 - km))
    with_index = await search(api, app, **asked)
    index: NearbyIndex = app.state.nearby
    async with index._one_at_a_time:  # it hears nothing, and what it knew is too old
        heard, index._heard = index._heard, float("-inf")
        assert index.snapshot is None
        answer = (await api.get("/v1/nearby/services", params={**HERE, **asked})).json()
        district = (await api.get("/v1/nearby/services", params={"adcode": "460106"})).json()
        index._heard = heard
    assert answer["items"] == with_index
    assert len(with_index) == 7
    assert len(district["items"]) == 7


async def test_the_number_of_selects_does_not_grow_with_the_page(api: Api, app: FastAPI, database: Database) -> None:
    for km in range(1, 13):
        await offer(database, north_km=km)
    await search(api, app, limit=12)
    counts = []
    async with app.state.nearby._one_at_a_time:
        for limit in (1, 12):
            statements = Statements(database)
            await api.get("/v1/nearby/services", params={**HERE, "limit": limit})
            counts.append(len(statements.stop()))
    assert counts[0] == counts[1] <= 6


async def test_every_select_on_a_large_table_goes_by_index(api: Api, app: FastAPI, database: Database) -> None:
    """More than 100 000 offers: the fetch by key, the feed and the search without an index never read a table."""
    mine: NearbyIndex = app.state.nearby
    async with mine._one_at_a_time:  # only what this test asks is noted
        await fill(database, make_country(3000, 36))
        async with database.engine.connect() as connection:
            await connection.execute(text("ANALYZE TABLE nearby_offer, nearby_site, nearby_change"))
            assert int((await connection.execute(text("SELECT COUNT(*) FROM nearby_offer"))).scalar_one()) > 100_000
        index = NearbyIndex(database)
        await index.refresh()
        snapshot = index.snapshot
        assert snapshot is not None
        assert snapshot.number > 100_000
        statements = Statements(database)
        async with database.begin() as tx:
            change = "UPDATE nearby_offer SET change_number = :n WHERE change_number = 5000"
            await tx.execute(text(change), {"n": snapshot.number + 1})
            await tx.execute(text("UPDATE nearby_change SET number = number + 1"))
        assert await index.refresh()
        feed = await statements.plans()
        assert {plan["key"] for plan in feed["nearby_offer"]} == {"ix_nearby_offer_change_number"}
        assert {plan["key"] for plan in feed["nearby_site"]} == {"ix_nearby_site_change_number"}
        assert all(int(plan["rows"]) < 10 for plan in feed["nearby_offer"] + feed["nearby_site"])

        before = mine._snapshot, mine._heard
        mine._snapshot, mine._heard = snapshot, index._heard
        statements = Statements(database)
        answer = await api.get("/v1/nearby/services", params=HERE)
        assert len(answer.json()["items"]) == 20
        plans = await statements.plans()
        assert {plan["key"] for plan in plans["o"] + plans["t"]} == {"PRIMARY"}
        assert all(int(plan["rows"]) <= 40 for plan in plans["o"] + plans["t"])
        mine._heard = float("-inf")
        for asked, key in ((HERE, "ix_nearby_site_lat_lng"), ({"adcode": "460106"}, "ix_nearby_site_adcode")):
            statements = Statements(database)
            found = await api.get("/v1/nearby/services", params={**asked, "radius_m": 2000})
            assert found.status_code == 200
            plans = await statements.plans()
            assert {plan["key"] for plan in plans["nearby_site"]} == {key}
            assert {plan["key"] for plan in plans["nearby_offer"]} == {"ix_nearby_offer_site_id_listed"}
        mine._snapshot, mine._heard = before


async def test_the_best_reviewed_first_and_only_those(api: Api, app: FastAPI, database: Database) -> None:
    made = {name: await offer(database, north_km=n, name=name) for n, name in enumerate(("无评", "好", "很好"), 1)}
    for name, stars in (("好", (4, 4, 5)), ("很好", (5, 5))):
        for each in stars:
            async with database.begin() as tx:
                await service.count_review(tx, made[name][0].id, each)
    items = await search(api, app, sort="rating")
    assert [(each["name"], each["stars"], each["reviews"]) for each in items] == [
        ("很好", 5.0, 2), ("好", 4.3, 3), ("无评", None, 0),
    ]  # fmt: skip
    assert names(await search(api, app, min_stars=4.5)) == ["很好"]
    await announce_offers(database, made["很好"][0])
    assert names(await search(api, app, min_stars=4.5)) == ["很好"], "a republished item keeps its reviews"


async def test_only_hospitals_with_nurses_of_a_sex(api: Api, app: FastAPI, database: Database) -> None:
    """RULE-46: some care is intimate."""
    made = await offer(database, name="有女护士")
    await offer(database, north_km=2, name="没有人")
    nurse = await make_clinician(database, made[0].hospital_id, sex=Sex.FEMALE)
    async with database.begin() as tx:
        await service.note_staff_changed(tx, StaffChanged(nurse.hospital_id))
    assert names(await search(api, app, staff_sex="female")) == ["有女护士"]
    assert names(await search(api, app, staff_sex="male")) == []
    async with database.begin() as tx:
        await suspend_clinician(tx, nurse.id, "违规", now=clock.now())
    assert names(await search(api, app, staff_sex="female")) == []


async def test_facets_say_what_each_choice_would_leave(api: Api, app: FastAPI, database: Database) -> None:
    await offer(database, name="甲", place=Place.HOME)
    await offer(database, north_km=2, name="乙", place=Place.HOSPITAL)
    await offer(database, north_km=90, name="远", place=Place.HOME)
    await app.state.nearby.refresh()
    answer = await api.get("/v1/nearby/facets", params=HERE)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert sum(each["services"] for each in told["categories"]) == 2
    assert {each["place"]: each["services"] for each in told["places"]} == {"home": 1, "hospital": 1}
    assert sum(each["services"] for each in told["prices"]) == 2
    for place in ("home", "hospital"):
        assert len(await search(api, app, place=place)) == 1
    narrowed = (await api.get("/v1/nearby/facets", params={**HERE, "place": "home", "category": "nothing"})).json()
    assert sum(each["services"] for each in narrowed["categories"]) == 1, "what another category would leave"
    refused(await api.get("/v1/nearby/facets"), 422, "place-missing")


def test_like_is_nowhere() -> None:
    for file in Path(service.__file__).parents[1].rglob("*.py"):
        assert not re.search(r"\blike\b\s*['(%:]|\.like\(|\.contains\(|\bLIKE\b", file.read_text()), file
