"""A desk drafts, publishes, edits, suspends and retires a service."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.catalogue import COMPLETE, make_categories, make_service
from tests.scenes.hospitals import as_desk, as_operator, as_patient, make_hospital, make_site
from yiyuebao_api.domains.catalogue import queries
from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceState, ServiceVersion
from yiyuebao_api.domains.catalogue.problems import ServiceNotOffered
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalState, Site
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import ServiceId, SiteId

SERVICES = "/v1/hospital/catalogue/services"


def content(**changes: Any) -> dict[str, Any]:
    return {**COMPLETE, **changes}


def new(site: Site, **changes: Any) -> dict[str, Any]:
    return {"site_id": str(site.id), "category_code": "postop", "code": "N05", **content(), **changes}


async def _stored(database: Database, service_id: str) -> Service:
    async with database.begin() as tx:
        return await tx.get_one(Service, ServiceId.parse(service_id))


@pytest.fixture
async def site(database: Database) -> Site:
    await make_categories(database)
    return await make_site(database)


@pytest.fixture
async def desk(api: Api, database: Database, site: Site) -> Api:
    return await as_desk(api, database, site.hospital_id)


# ── the way of one service ───────────────────────────────────────────────────────────────────────────────────────────


async def test_from_draft_to_the_public_page(api: Api, desk: Api, site: Site) -> None:
    made = await desk.post(SERVICES, json=new(site), key="k")
    body = made.json()
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert (body["state"], body["current"], body["draft"]["missing"]) == ("draft", None, [])
    assert (body["price_fen"], body["draft"]["price_fen"]) == (24_500, 24_500)
    refused(await api.get(f"/v1/catalogue/services/{body['id']}"), 404, "not-found")

    published = (await desk.post(f"{SERVICES}/{body['id']}/publish")).json()
    assert (published["state"], published["draft"], published["current"]["number"]) == ("published", None, 1)
    page = (await api.get(f"/v1/catalogue/services/{body['id']}")).json()
    assert page["version"] == published["current"]
    assert page["category"]["scenario"] == "postop"
    assert (page["site_id"], page["hospital_id"]) == (str(site.id), str(site.hospital_id))
    assert {price["place"]: price["total_fen"] for price in page["version"]["prices"]} == {
        "home": 24_500, "hospital": 13_500,
    }  # fmt: skip
    for price in page["version"]["prices"]:
        assert sum(line["amount_fen"] for line in price["lines"]) == price["total_fen"]
        assert (price["currency"], price["unit"]) == ("CNY", "per_visit")


async def test_an_edit_becomes_a_new_version_and_the_old_one_stays(api: Api, desk: Api, site: Site) -> None:
    path = f"{SERVICES}/{(await desk.post(SERVICES, json=new(site))).json()['id']}"
    first = (await desk.post(f"{path}/publish")).json()
    edited = (await desk.put(path, json=content(name="新名称", item_fee_fen=10_000), version=first["version"])).json()
    assert (edited["name"], edited["price_fen"], edited["current"]) == (first["name"], 24_500, first["current"])
    assert (edited["draft"]["name"], edited["draft"]["price_fen"]) == ("新名称", 25_500)
    public = f"/v1/catalogue/services/{first['id']}"
    assert (await api.get(public)).json()["version"]["name"] == first["name"]

    second = (await desk.post(f"{path}/publish")).json()
    assert (second["current"]["number"], second["name"], second["price_fen"]) == (2, "新名称", 25_500)
    assert (await api.get(public)).json()["version"]["id"] == second["current"]["id"]
    versions = (await desk.get(f"{path}/versions")).json()["items"]
    assert versions == [second["current"], first["current"]]


async def test_suspend_offer_again_and_retire(api: Api, desk: Api, site: Site) -> None:
    path = f"{SERVICES}/{(await desk.post(SERVICES, json=new(site))).json()['id']}"
    shown = (await desk.post(f"{path}/publish")).json()
    public = f"/v1/catalogue/services/{shown['id']}"
    suspended = (await desk.post(f"{path}/suspend", json={"reason": "护士培训"})).json()
    assert (suspended["state"], suspended["current"]) == ("suspended", shown["current"])
    refused(await api.get(public), 404, "not-found")
    again = (await desk.post(f"{path}/publish")).json()
    assert (again["state"], again["current"]) == ("published", shown["current"])
    assert (await api.get(public)).status_code == 200
    refused(await desk.post(f"{path}/publish"), 409, "nothing-to-publish")

    assert (await desk.post(f"{path}/retire")).json()["state"] == "retired"
    refused(await api.get(public), 404, "not-found")
    refused(await desk.post(f"{path}/publish"), 409, "service-state-refused")
    refused(await desk.post(f"{path}/suspend", json={"reason": "晚了"}), 409, "service-state-refused")
    refused(await desk.post(f"{path}/retire"), 409, "service-state-refused")
    latest = (await desk.get(path)).json()["version"]
    refused(await desk.put(path, json=content(), version=latest), 409, "service-state-refused")
    history = (await desk.get(f"{path}/history")).json()["items"]
    assert [(each["state"], each["reason"]) for each in history] == [
        ("retired", None), ("published", None), ("suspended", "护士培训"), ("published", None),
    ]  # fmt: skip
    assert {each["version_id"] for each in history} == {shown["current"]["id"]}


async def test_a_suspended_service_can_come_back_with_edits(desk: Api, site: Site) -> None:
    path = f"{SERVICES}/{(await desk.post(SERVICES, json=new(site))).json()['id']}"
    await desk.post(f"{path}/publish")
    suspended = (await desk.post(f"{path}/suspend", json={"reason": "调价"})).json()
    await desk.put(path, json=content(visit_fee_fen=1), version=suspended["version"])
    back = (await desk.post(f"{path}/publish")).json()
    assert (back["state"], back["current"]["number"], back["price_fen"]) == ("published", 2, 16_501)


async def test_a_draft_that_was_never_shown_can_be_dropped(desk: Api, site: Site) -> None:
    path = f"{SERVICES}/{(await desk.post(SERVICES, json=new(site))).json()['id']}"
    refused(await desk.post(f"{path}/suspend", json={"reason": "未发布"}), 409, "service-state-refused")
    assert (await desk.post(f"{path}/retire")).json()["state"] == "retired"


# ── what stands in the way of publication ────────────────────────────────────────────────────────────────────────────


async def test_an_incomplete_draft_is_told_what_it_lacks(database: Database, desk: Api, site: Site) -> None:
    bare = {"site_id": str(site.id), "category_code": "tcm", "code": "N18", "name": "艾灸", "place": "home"}
    made = (await desk.post(SERVICES, json=bare)).json()
    problem = refused(await desk.post(f"{SERVICES}/{made['id']}/publish"), 422, "service-incomplete")
    assert problem["missing"] == made["draft"]["missing"]
    assert {"price", "risk_grade", "contraindications"} <= set(problem["missing"])
    assert (await _stored(database, made["id"])).state is ServiceState.DRAFT


@pytest.mark.parametrize(
    ("hospital", "changed_site", "place", "code"),
    [
        ({"state": HospitalState.SUSPENDED}, {}, "hospital", "hospital-not-open"),
        ({"state": HospitalState.DRAFT}, {}, "home", "hospital-not-open"),
        ({"licence_valid_until": date(2020, 1, 1)}, {}, "hospital", "hospital-not-open"),
        ({"home_mode": False}, {}, "home", "home-mode-missing"),
        ({"home_mode": None}, {}, "both", "home-mode-missing"),
        ({}, {"open_for_home": False}, "home", "home-mode-missing"),
        ({"home_mode": False}, {"open_for_home": False}, "hospital", None),
    ],
)
async def test_only_an_open_hospital_publishes_and_only_one_that_visits_homes(
    api: Api, database: Database, hospital: dict[str, Any], changed_site: dict[str, Any], place: str, code: str | None
) -> None:
    await make_categories(database)
    owner = await make_hospital(database, **hospital)
    site = await make_site(database, owner.id, **changed_site)
    desk = await as_desk(api, database, owner.id)
    made = (await desk.post(SERVICES, json=new(site, place=place))).json()
    answer = await desk.post(f"{SERVICES}/{made['id']}/publish")
    if code is None:
        assert answer.json()["state"] == "published"
    else:
        refused(answer, 409, code)
        assert (await _stored(database, made["id"])).current is None


@pytest.mark.parametrize(
    ("code", "rule", "words"), [("X01", "RULE-32", "静脉输液"), ("Z99", "RULE-31", "目录内没有此项目")]
)
async def test_what_is_forbidden_at_home_is_refused_with_the_rule(
    desk: Api, site: Site, code: str, rule: str, words: str
) -> None:
    made = (await desk.post(SERVICES, json=new(site, code=code, name="输液", place="home"))).json()
    problem = refused(await desk.post(f"{SERVICES}/{made['id']}/publish"), 409, "item-not-permitted")
    assert (problem["item_code"], problem["rule"]) == (code, rule)
    assert words in problem["detail"]
    inside = (await desk.post(SERVICES, json=new(site, code=code, name="输液", place="hospital"))).json()
    assert (await desk.post(f"{SERVICES}/{inside['id']}/publish")).json()["state"] == "published"


async def test_a_region_or_one_hospital_can_be_opened(api: Api, database: Database, desk: Api, site: Site) -> None:
    made = (await desk.post(SERVICES, json=new(site, code="X12", place="home"))).json()
    operator = await as_operator(api, database)
    refused(await desk.post(f"{SERVICES}/{made['id']}/publish"), 409, "item-not-permitted")
    exception = {
        "adcode_prefix": "", "hospital_id": str(site.hospital_id), "item_code": "X12", "listing": "exception",
        "reason": "具备静疗专科门诊，经批准。", "effective_from": "2026-01-01",
    }  # fmt: skip
    assert (await operator.post("/v1/operator/catalogue/policies", json=exception)).status_code == 201
    assert (await desk.post(f"{SERVICES}/{made['id']}/publish")).json()["state"] == "published"


async def test_parallel_publications_make_one_version(database: Database, desk: Api, site: Site) -> None:
    made = (await desk.post(SERVICES, json=new(site))).json()
    answers = await asyncio.gather(*(desk.post(f"{SERVICES}/{made['id']}/publish") for _ in range(6)))
    assert sorted(each.status_code for each in answers) == [200, *[409] * 5]
    async with database.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(ServiceVersion)) == 1


# ── shape, versions, tenants ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "wrong",
    [
        {"item_fee_fen": -1}, {"item_fee_fen": 10.5}, {"item_fee_fen": "100"}, {"item_fee_fen": 10_000_001},
        {"price_fen": 1}, {"place": "car"}, {"risk_grade": "X"}, {"duration_min": 4}, {"duration_min": 481},
        {"picture_url": "http://example.com/a.png"}, {"picture_url": "javascript:alert(1)"}, {"name": ""},
        {"season_from": "2026-08-31", "season_until": "2026-06-01"}, {"code": "n05"}, {"category_code": "?"},
        {"site_id": "sit_1"}, {"state": "published"},
    ],
)  # fmt: skip
async def test_a_draft_that_cannot_be(desk: Api, site: Site, wrong: dict[str, Any]) -> None:
    refused(await desk.post(SERVICES, json=new(site, **wrong)), 422, "invalid-input")
    assert (await desk.get(SERVICES)).json()["items"] == []


async def test_a_draft_needs_a_category_and_a_site_of_the_hospital(
    api: Api, database: Database, desk: Api, site: Site
) -> None:
    refused(await desk.post(SERVICES, json=new(site, category_code="nothing")), 422, "category-unknown")
    theirs = await make_site(database)
    refused(await desk.post(SERVICES, json=new(theirs)), 404, "not-found")
    refused(await desk.post(SERVICES, json=new(site, site_id=str(SiteId.new()))), 404, "not-found")


async def test_an_edit_needs_the_version_it_edits(desk: Api, site: Site) -> None:
    made = (await desk.post(SERVICES, json=new(site))).json()
    path = f"{SERVICES}/{made['id']}"
    refused(await desk.put(path, json=content()), 428, "precondition-required")
    edited = await desk.put(path, json=content(name="改名", place="home"), version=1)
    assert (edited.json()["name"], edited.json()["place"], edited.headers["ETag"]) == ("改名", "home", '"2"')
    refused(await desk.put(path, json=content(), version=1), 412, "precondition-failed")
    assert (await desk.get(path)).json() == edited.json()


async def test_another_hospitals_service_is_not_there(api: Api, database: Database, desk: Api) -> None:
    service, _ = await make_service(database)
    path = f"{SERVICES}/{service.id}"
    for get in ("", "/versions", "/history"):
        refused(await desk.get(path + get), 404, "not-found")
    for post in ("/publish", "/retire"):
        refused(await desk.post(path + post), 404, "not-found")
    refused(await desk.post(f"{path}/suspend", json={"reason": "不是我的"}), 404, "not-found")
    refused(await desk.put(path, json=content(), version=1), 404, "not-found")
    assert (await _stored(database, str(service.id))).version == 1


async def test_only_a_desk_gets_in(api: Api, database: Database, site: Site) -> None:
    refused(await api.get(SERVICES), 401, "unauthenticated")
    for stranger in (await as_patient(api, database), await as_operator(api, database)):
        refused(await stranger.get(SERVICES), 403, "not-allowed")
        refused(await stranger.post(SERVICES, json=new(site)), 403, "not-allowed")
        refused(await stranger.post(f"{SERVICES}/{ServiceId.new()}/publish"), 403, "not-allowed")


async def test_the_desk_lists_by_state(database: Database, desk: Api, site: Site) -> None:
    made = {}
    for state in ServiceState:
        made[state] = str((await make_service(database, site=site, state=state))[0].id)
    await make_service(database)
    assert {each["id"] for each in (await desk.get(SERVICES)).json()["items"]} == set(made.values())
    for state, service_id in made.items():
        found = (await desk.get(SERVICES, params={"state": state.value, "limit": 1})).json()
        assert ([each["id"] for each in found["items"]], found["next_cursor"]) == ([service_id], None)
    refused(await desk.get(SERVICES, params={"cursor": "x"}), 422, "invalid-cursor")


# ── for the domains above ────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_offer_is_a_published_service_of_an_open_hospital(database: Database) -> None:
    service, version = await make_service(database, season_until=date(2026, 12, 31))
    async with database.begin() as tx:
        found = await queries.require_offer(tx, service.id)
        assert (found[0].id, found[1].id) == (service.id, version.id)
        await queries.require_offer(tx, service.id, on=date(2026, 12, 31))
        for day in (date(2027, 1, 1), date(2031, 1, 1)):
            with pytest.raises(ServiceNotOffered):
                await queries.require_offer(tx, service.id, on=day)
    for state in (ServiceState.DRAFT, ServiceState.SUSPENDED, ServiceState.RETIRED):
        other, _ = await make_service(database, state=state, place=Place.HOME)
        async with database.begin() as tx:
            with pytest.raises(ServiceNotOffered):
                await queries.require_offer(tx, other.id)
    async with database.begin() as tx:
        (await tx.get_one(Hospital, service.hospital_id)).state = HospitalState.SUSPENDED
    async with database.begin() as tx:
        with pytest.raises(ServiceNotOffered):
            await queries.require_offer(tx, service.id)
        assert (await queries.require_version(tx, version.id)).number == 1
