"""A desk edits what its hospital says about itself, its sites and its licence."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.client import Api, refused
from tests.scenes.hospitals import as_desk, as_operator, as_patient, make_hospital, make_site
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalState, Site
from yiyuebao_api.domains.hospitals.queries import find_pending_licence
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.geo import CoordType, to_gcj02
from yiyuebao_api.kernel.ids import HospitalId

OWN = {
    "intro": "新的介绍。", "phone": "0898-66000000", "opening": "周一至周五 08:00-17:30", "departments": ["中医科"],
}  # fmt: skip
SITE: dict[str, Any] = {
    "name": "江东院区", "adcode": "460108", "address": "海口市美兰区江东大道 66 号", "lat": 20.0312, "lng": 110.4325,
    "coord_type": "gcj02", "radius_m": 12_000, "adcodes": ["460100", "460106"], "open_for_home": True,
}  # fmt: skip
LICENCE = {"licence_no": "428200150460106120A1001", "licence_valid_until": "2032-12-31"}


async def _stored(database: Database, hospital_id: HospitalId) -> Hospital:
    async with database.begin() as tx:
        return await tx.get_one(Hospital, hospital_id)


# ── the hospital ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_show_and_edit(api: Api, database: Database) -> None:
    hospital = await make_hospital(database, state=HospitalState.DRAFT, home_mode=None)
    desk = await as_desk(api, database, hospital.id)
    shown = await desk.get("/v1/hospital/hospitals/own")
    assert shown.headers["ETag"] == '"1"'
    assert shown.json()["missing"] == ["home_mode_unknown", "site_missing"]
    assert shown.json()["home_mode_known"] is False
    edited = await desk.put("/v1/hospital/hospitals/own", json=OWN, version=1)
    assert (edited.status_code, edited.headers["ETag"]) == (200, '"2"')
    stored = await _stored(database, hospital.id)
    assert (stored.intro, stored.phone, stored.departments, stored.version) == (
        "新的介绍。", "0898-66000000", ["中医科"], 2,
    )  # fmt: skip
    assert stored.name == hospital.name


async def test_an_edit_needs_the_version_it_edits(api: Api, database: Database) -> None:
    hospital = await make_hospital(database)
    desk = await as_desk(api, database, hospital.id)
    refused(await desk.put("/v1/hospital/hospitals/own", json=OWN), 428, "precondition-required")
    refused(await desk.put("/v1/hospital/hospitals/own", json=OWN, version=7), 412, "precondition-failed")
    assert (await _stored(database, hospital.id)).version == 1


@pytest.mark.parametrize(
    "wrong",
    [{"phone": "call me"}, {"intro": ""}, {"opening": "x"}, {"departments": [""]}, {"state": "open"}, {"name": "别名"}],
)
async def test_what_a_desk_may_not_write(api: Api, database: Database, wrong: dict[str, Any]) -> None:
    hospital = await make_hospital(database)
    desk = await as_desk(api, database, hospital.id)
    refused(await desk.put("/v1/hospital/hospitals/own", json={**OWN, **wrong}, version=1), 422, "invalid-input")
    assert (await _stored(database, hospital.id)).version == 1


async def test_only_a_desk_gets_in(api: Api, database: Database) -> None:
    refused(await api.get("/v1/hospital/hospitals/own"), 401, "unauthenticated")
    for stranger in (await as_patient(api, database), await as_operator(api, database)):
        refused(await stranger.get("/v1/hospital/hospitals/own"), 403, "not-allowed")
        refused(await stranger.post("/v1/hospital/hospitals/sites", json=SITE), 403, "not-allowed")
    nobody = await as_desk(api, database, HospitalId.new())
    refused(await nobody.get("/v1/hospital/hospitals/own"), 404, "not-found")
    refused(await nobody.post("/v1/hospital/hospitals/sites", json=SITE), 404, "not-found")
    assert (await nobody.get("/v1/hospital/hospitals/sites")).json() == []


# ── sites ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_add_and_edit_a_site(api: Api, database: Database) -> None:
    hospital = await make_hospital(database)
    desk = await as_desk(api, database, hospital.id)
    added = await desk.post("/v1/hospital/hospitals/sites", json=SITE)
    assert (added.status_code, added.headers["ETag"]) == (201, '"1"')
    assert added.json()["adcodes"] == ["4601"]
    path = f"/v1/hospital/hospitals/sites/{added.json()['id']}"
    assert (await desk.get(path)).json() == added.json()
    edited = await desk.put(path, json={**SITE, "radius_m": 500, "adcodes": []}, version=1)
    assert (edited.json()["radius_m"], edited.json()["adcodes"], edited.json()["version"]) == (500, [], 2)
    assert (await desk.get("/v1/hospital/hospitals/sites")).json() == [edited.json()]


async def test_a_place_measured_in_another_datum_is_converted(api: Api, database: Database) -> None:
    hospital = await make_hospital(database)
    desk = await as_desk(api, database, hospital.id)
    added = (await desk.post("/v1/hospital/hospitals/sites", json={**SITE, "coord_type": "wgs84"})).json()
    point = to_gcj02(SITE["lat"], SITE["lng"], CoordType.WGS84)
    assert (added["lat"], added["lng"], added["coord_type"]) == (point.lat, point.lng, "gcj02")
    assert abs(added["lat"] - SITE["lat"]) > 1e-4


@pytest.mark.parametrize(
    "wrong",
    [
        {"radius_m": 499}, {"radius_m": 100_001}, {"radius_m": 1000.5}, {"lat": 110.3, "lng": 20.0}, {"lat": None},
        {"coord_type": "utm"}, {"adcode": "4601"}, {"adcodes": ["460"]}, {"adcodes": ["46010a"]},
        {"open_for_home": None},
        {"hospital_id": "hsp_01kj4y8x3hf7a9cq2v5b6n8m0t"},
    ],
)  # fmt: skip
async def test_a_site_that_cannot_be(api: Api, database: Database, wrong: dict[str, Any]) -> None:
    hospital = await make_hospital(database)
    desk = await as_desk(api, database, hospital.id)
    refused(await desk.post("/v1/hospital/hospitals/sites", json={**SITE, **wrong}), 422, "invalid-input")
    assert (await desk.get("/v1/hospital/hospitals/sites")).json() == []


async def test_swapped_coordinates_are_told_in_chinese(api: Api, database: Database) -> None:
    desk = await as_desk(api, database, (await make_hospital(database)).id)
    answer = await desk.post("/v1/hospital/hospitals/sites", json={**SITE, "lat": 110.3, "lng": 20.0})
    assert answer.json()["errors"][0]["detail"] == "坐标不在中国范围内，请检查经纬度是否颠倒"


async def test_another_hospitals_site_is_not_there(api: Api, database: Database) -> None:
    theirs = await make_site(database)
    desk = await as_desk(api, database, (await make_hospital(database)).id)
    path = f"/v1/hospital/hospitals/sites/{theirs.id}"
    refused(await desk.get(path), 404, "not-found")
    refused(await desk.put(path, json=SITE, version=1), 404, "not-found")
    async with database.begin() as tx:
        assert (await tx.get_one(Site, theirs.id)).version == 1


async def test_two_edits_of_one_site_do_not_overwrite_each_other(api: Api, database: Database) -> None:
    site = await make_site(database)
    desk = await as_desk(api, database, site.hospital_id)
    path = f"/v1/hospital/hospitals/sites/{site.id}"
    assert (await desk.put(path, json=SITE, version=1)).status_code == 200
    refused(await desk.put(path, json={**SITE, "name": "旧"}, version=1), 412, "precondition-failed")
    refused(await desk.put(path, json=SITE), 428, "precondition-required")
    assert (await desk.get(path)).json()["name"] == "江东院区"


async def test_a_site_is_added_once_per_key(api: Api, database: Database) -> None:
    desk = await as_desk(api, database, (await make_hospital(database)).id)
    first = await desk.post("/v1/hospital/hospitals/sites", json=SITE, key="one")
    again = await desk.post("/v1/hospital/hospitals/sites", json=SITE, key="one")
    assert again.json() == first.json()
    assert len((await desk.get("/v1/hospital/hospitals/sites")).json()) == 1


# ── the licence ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_proposed_licence_waits_and_the_old_one_stays(api: Api, database: Database) -> None:
    hospital = await make_hospital(database)
    desk = await as_desk(api, database, hospital.id)
    proposed = await desk.put("/v1/hospital/hospitals/own/licence", json=LICENCE)
    assert (proposed.status_code, proposed.json()["state"]) == (200, "pending")
    shown = (await desk.get("/v1/hospital/hospitals/own")).json()
    assert shown["licence"]["licence_no"] == hospital.licence_no
    assert shown["licence_review"]["licence_no"] == LICENCE["licence_no"]
    replaced = await desk.put(
        "/v1/hospital/hospitals/own/licence", json={**LICENCE, "licence_valid_until": "2033-01-31"}
    )
    assert replaced.json()["id"] == proposed.json()["id"]
    async with database.begin() as tx:
        waiting = await find_pending_licence(tx, hospital.id)
    assert waiting is not None
    assert waiting.licence_valid_until == date(2033, 1, 31)


async def test_an_expired_licence_is_not_taken(api: Api, database: Database) -> None:
    hospital = await make_hospital(database)
    desk = await as_desk(api, database, hospital.id)
    old = {**LICENCE, "licence_valid_until": "2021-01-01"}
    refused(await desk.put("/v1/hospital/hospitals/own/licence", json=old), 422, "licence-expired")
    bad = {**LICENCE, "licence_no": "?"}
    refused(await desk.put("/v1/hospital/hospitals/own/licence", json=bad), 422, "invalid-input")
    async with database.begin() as tx:
        assert await find_pending_licence(tx, hospital.id) is None
