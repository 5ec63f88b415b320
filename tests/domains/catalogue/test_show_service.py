"""What patients see of the catalogue."""

from __future__ import annotations

from datetime import date

from tests.client import Api, refused
from tests.scenes.catalogue import make_categories, make_service
from tests.scenes.hospitals import make_hospital, make_site
from yiyuebao_api.domains.catalogue.models import Place, ServiceState
from yiyuebao_api.domains.hospitals.models import HospitalState
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import ServiceId


async def test_categories_come_in_order(api: Api, database: Database) -> None:
    await make_categories(database)
    body = (await api.get("/v1/catalogue/categories")).json()
    assert [(each["code"], each["name_zh"]) for each in body] == [
        ("chronic", "慢病管理"), ("postop", "术后康复"), ("tcm", "中医诊疗"), ("maternal", "母婴护理"),
        ("general", "综合护理"),
    ]  # fmt: skip


async def test_a_service_shows_only_the_prices_of_its_places(api: Api, database: Database) -> None:
    for place, places in ((Place.HOME, ["home"]), (Place.HOSPITAL, ["hospital"]), (Place.BOTH, ["home", "hospital"])):
        service, _ = await make_service(database, place=place)
        body = (await api.get(f"/v1/catalogue/services/{service.id}")).json()
        assert [price["place"] for price in body["version"]["prices"]] == places
        assert body["version"]["price_fen"] == body["version"]["prices"][0]["total_fen"]


async def test_what_is_not_offered_has_no_page(api: Api, database: Database) -> None:
    for state in (ServiceState.DRAFT, ServiceState.SUSPENDED, ServiceState.RETIRED):
        service, _ = await make_service(database, state=state)
        refused(await api.get(f"/v1/catalogue/services/{service.id}"), 404, "not-found")
    for changes in ({"state": HospitalState.SUSPENDED}, {"licence_valid_until": date(2020, 1, 1)}):
        site = await make_site(database, (await make_hospital(database, **changes)).id)
        service, _ = await make_service(database, site=site)
        refused(await api.get(f"/v1/catalogue/services/{service.id}"), 404, "not-found")
        refused(
            await api.get("/v1/catalogue/services", params={"hospital_id": str(site.hospital_id)}), 404, "not-found"
        )
    refused(await api.get(f"/v1/catalogue/services/{ServiceId.new()}"), 404, "not-found")


async def test_a_hospitals_offers_with_prices(api: Api, database: Database) -> None:
    site = await make_site(database)
    shown = [str((await make_service(database, site=site))[0].id) for _ in range(3)]
    await make_service(database, site=site, state=ServiceState.SUSPENDED)
    await make_service(database, site=site, season_until=date(2020, 12, 31))
    await make_service(database, site=site, season_from=date(2099, 1, 1))
    await make_service(database)
    params = {"hospital_id": str(site.hospital_id), "limit": "2"}
    first = (await api.get("/v1/catalogue/services", params=params)).json()
    second = (await api.get("/v1/catalogue/services", params={**params, "cursor": first["next_cursor"]})).json()
    items = first["items"] + second["items"]
    assert [each["id"] for each in items] == shown[::-1]
    assert {each["price_fen"] for each in items} == {24_500}
    assert second["next_cursor"] is None
    refused(await api.get("/v1/catalogue/services"), 422, "invalid-input")
    refused(await api.get("/v1/catalogue/services", params={**params, "cursor": "x"}), 422, "invalid-cursor")
