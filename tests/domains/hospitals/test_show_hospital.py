"""Hospitals as everybody sees them."""

from __future__ import annotations

from datetime import date

from tests.client import Api, refused
from tests.scenes.hospitals import make_hospital, make_site
from yiyuebao_api.domains.hospitals.models import HospitalState
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import HospitalId


async def test_the_page_shows_licence_departments_hours_and_sites(api: Api, database: Database) -> None:
    hospital = await make_hospital(database, departments=["骨科", "产科"])
    site = await make_site(database, hospital.id, adcodes=["4601"])
    body = (await api.get(f"/v1/hospitals/{hospital.id}")).json()
    assert body["licence"] == {
        "uscc": hospital.uscc, "licence_no": hospital.licence_no, "valid_until": "2030-12-31",
    }  # fmt: skip
    assert (body["departments"], body["opening"]) == (["骨科", "产科"], "周一至周日 08:00-17:30")
    assert [each["id"] for each in body["sites"]] == [str(site.id)]
    assert body["sites"][0]["coord_type"] == "gcj02"
    assert "sub_mchid" not in body


async def test_who_is_not_open_today_has_no_page(api: Api, database: Database) -> None:
    for changes in (
        {"state": HospitalState.DRAFT}, {"state": HospitalState.SUSPENDED}, {"licence_valid_until": date(2020, 1, 1)},
        {"licence_valid_until": None},
    ):  # fmt: skip
        hospital = await make_hospital(database, **changes)
        refused(await api.get(f"/v1/hospitals/{hospital.id}"), 404, "not-found")
    refused(await api.get(f"/v1/hospitals/{HospitalId.new()}"), 404, "not-found")
    refused(await api.get("/v1/hospitals/hsp_1"), 422, "invalid-input")
    assert (await api.get("/v1/hospitals")).json()["items"] == []


async def test_the_list_goes_by_region(api: Api, database: Database) -> None:
    longhua = await make_site(database, adcode="460106")
    wenchang = await make_site(database, adcode="469005")
    beijing = await make_site(database, adcode="110105")

    async def listed(**params: str) -> list[str]:
        return [each["id"] for each in (await api.get("/v1/hospitals", params=params)).json()["items"]]

    newest_first = [str(site.hospital_id) for site in (beijing, wenchang, longhua)]
    assert await listed() == newest_first
    assert await listed(adcode="46") == newest_first[1:]
    assert await listed(adcode="460000") == newest_first[1:]
    assert await listed(adcode="460100") == await listed(adcode="4601") == newest_first[2:]
    assert await listed(adcode="469005") == [newest_first[1]]
    assert await listed(adcode="4602") == []
    refused(await api.get("/v1/hospitals", params={"adcode": "46%"}), 422, "invalid-input")
    refused(await api.get("/v1/hospitals", params={"cursor": "x"}), 422, "invalid-cursor")


async def test_the_list_has_pages(api: Api, database: Database) -> None:
    made = [str((await make_hospital(database)).id) for _ in range(5)]
    seen: list[str] = []
    params: dict[str, str] = {"limit": "2"}
    while True:
        body = (await api.get("/v1/hospitals", params=params)).json()
        seen += [each["id"] for each in body["items"]]
        if body["next_cursor"] is None:
            break
        params["cursor"] = body["next_cursor"]
    assert seen == made[::-1]
