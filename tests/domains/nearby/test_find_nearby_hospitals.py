"""GET /v1/nearby/hospitals: open hospitals, each once, nearest first."""

from __future__ import annotations

from fastapi import FastAPI

from tests.client import Api, refused
from tests.scenes.catalogue import make_service
from tests.scenes.hospitals import HAIKOU, make_hospital, make_site
from tests.scenes.nearby import announce_hospital, announce_offers
from yiyuebao_api.domains.hospitals.models import HospitalState
from yiyuebao_api.kernel.database import Database

HERE = {"lat": HAIKOU[0], "lng": HAIKOU[1]}
NORTH = 1 / 111.195


async def test_each_once_at_its_nearest_site(api: Api, app: FastAPI, database: Database) -> None:
    far = await make_hospital(database, name="远")
    near = await make_hospital(database, name="近")
    shut = await make_hospital(database, name="关", state=HospitalState.SUSPENDED)
    await make_site(database, far.id, lat=HAIKOU[0] + 6 * NORTH)
    site = await make_site(database, near.id, name="近处", lat=HAIKOU[0] + 2 * NORTH)
    await make_site(database, near.id, name="远处", lat=HAIKOU[0] + 7 * NORTH)
    await make_site(database, shut.id)
    service, _ = await make_service(database, site=site, category_code="tcm")
    for hospital in (far, near, shut):
        await announce_hospital(database, hospital.id)
    await announce_offers(database, service)
    await app.state.nearby.refresh()
    items = (await api.get("/v1/nearby/hospitals", params=HERE)).json()["items"]
    assert [(item["name"], item["site_name"], item["distance_m"], item["services"]) for item in items] == [
        ("近", "近处", 2000, 1), ("远", "龙华院区", 6000, 0),
    ]  # fmt: skip
    page = (await api.get("/v1/nearby/hospitals", params={**HERE, "limit": 1})).json()
    rest = (await api.get("/v1/nearby/hospitals", params={**HERE, "cursor": page["next_cursor"]})).json()
    assert [item["name"] for item in page["items"] + rest["items"]] == ["近", "远"]
    assert rest["next_cursor"] is None
    assert len((await api.get("/v1/nearby/hospitals", params={**HERE, "radius_m": 3000})).json()["items"]) == 1
    tcm = (await api.get("/v1/nearby/hospitals", params={**HERE, "category": "tcm"})).json()["items"]
    assert [item["name"] for item in tcm] == ["近"]
    district = (await api.get("/v1/nearby/hospitals", params={"adcode": "460106"})).json()["items"]
    assert {item["distance_m"] for item in district} == {None}
    assert len(district) == 2


async def test_without_an_index_the_same(api: Api, app: FastAPI, database: Database) -> None:
    for km in (1, 2, 3):
        hospital = await make_hospital(database, name=str(km))
        await make_site(database, hospital.id, lat=HAIKOU[0] + km * NORTH)
        await announce_hospital(database, hospital.id)
    await app.state.nearby.refresh()
    with_index = (await api.get("/v1/nearby/hospitals", params=HERE)).json()
    async with app.state.nearby._one_at_a_time:
        heard, app.state.nearby._heard = app.state.nearby._heard, float("-inf")
        without = (await api.get("/v1/nearby/hospitals", params=HERE)).json()
        app.state.nearby._heard = heard
    assert with_index == without
    assert len(without["items"]) == 3


async def test_refusals(api: Api, database: Database) -> None:
    refused(await api.get("/v1/nearby/hospitals"), 422, "place-missing")
    refused(await api.get("/v1/nearby/hospitals", params={"lat": 110.3, "lng": 20.0}), 422, "place-outside-china")
    refused(await api.get("/v1/nearby/hospitals", params={**HERE, "cursor": "AAAA"}), 422, "invalid-cursor")
