"""The operator registers, opens and suspends hospitals, checks licences and names merchants."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.hospitals import (
    as_desk,
    as_operator,
    as_patient,
    make_desk_member,
    make_hospital,
    make_site,
    make_uscc,
)
from yiyuebao_api.domains.accounts.models import StaffCredential
from yiyuebao_api.domains.accounts.queries import list_roles
from yiyuebao_api.domains.hospitals.models import DeskMember, Hospital, HospitalState
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import HospitalId
from yiyuebao_api.kernel.secrets import password_fits
from yiyuebao_api.kernel.tokens import Mode

HOSPITALS = "/v1/operator/hospitals"
NEW: dict[str, Any] = {
    "name": "海口椰城人民医院", "level": "tertiary_a", "uscc": make_uscc(99_000_001),
    "licence_no": "990000014460106120A1001", "licence_valid_until": "2032-12-31", "home_mode": True,
    "intro": "三级甲等综合医院。", "phone": "0898-66220120", "opening": "周一至周日 08:00-17:30",
    "sub_mchid": "1900990001",
}  # fmt: skip
REGISTRATION = {name: NEW[name] for name in ("name", "level", "uscc", "licence_no", "licence_valid_until", "home_mode")}
SITE: dict[str, Any] = {
    "name": "龙华院区", "adcode": "460106", "address": "海口市龙华区金盘路 18 号", "lat": 20.0230, "lng": 110.3200,
    "radius_m": 15_000, "adcodes": [], "open_for_home": True,
}  # fmt: skip


async def _state(database: Database, hospital_id: HospitalId) -> HospitalState:
    async with database.begin() as tx:
        return (await tx.get_one(Hospital, hospital_id)).state


async def test_from_registration_to_the_public_page(api: Api, database: Database) -> None:
    operator = await as_operator(api, database)
    made = await operator.post(HOSPITALS, json={**NEW, "home_mode": None, "sub_mchid": None}, key="k")
    body = made.json()
    assert (made.status_code, body["state"], made.headers["ETag"]) == (201, "draft", '"1"')
    assert body["missing"] == ["home_mode_unknown", "site_missing", "merchant_missing"]
    assert body["warnings"] == ["licence_no_unusual"]
    hospital_id, path = body["id"], f"{HOSPITALS}/{body['id']}"
    refused(await api.get(f"/v1/hospitals/{hospital_id}"), 404, "not-found")

    not_ready = refused(await operator.post(f"{path}/open"), 409, "hospital-not-ready")
    assert not_ready["missing"] == ["home_mode_unknown", "site_missing", "merchant_missing"]

    assert (await operator.put(path, json=REGISTRATION, version=1)).json()["home_mode"] is True
    assert (await operator.put(f"{path}/merchant", json={"sub_mchid": "1900990001"}, version=2)).status_code == 200
    desk = await as_desk(api, database, HospitalId.parse(hospital_id))
    assert (await desk.post("/v1/hospital/hospitals/sites", json=SITE)).status_code == 201

    opened = (await operator.post(f"{path}/open")).json()
    assert (opened["state"], opened["missing"]) == ("open", [])
    assert opened["licence_checked_at"] is not None
    assert (await api.get(f"/v1/hospitals/{hospital_id}")).json()["name"] == NEW["name"]
    refused(await operator.post(f"{path}/open"), 409, "hospital-state-refused")

    suspended = await operator.post(f"{path}/suspend", json={"reason": "许可证校验"})
    assert suspended.json()["state"] == "suspended"
    refused(await api.get(f"/v1/hospitals/{hospital_id}"), 404, "not-found")
    refused(await operator.post(f"{path}/suspend", json={"reason": "再次"}), 409, "hospital-state-refused")
    assert (await operator.post(f"{path}/open")).json()["state"] == "open"

    history = (await operator.get(f"{path}/history")).json()["items"]
    assert [(each["state"], each["reason"]) for each in history] == [
        ("open", None), ("suspended", "许可证校验"), ("open", None), ("draft", None),
    ]  # fmt: skip
    assert all(each["account_id"] for each in history)


async def test_a_hospital_that_was_never_licensed_does_not_open(api: Api, database: Database) -> None:
    operator = await as_operator(api, database)
    hospital = await make_hospital(database, state=HospitalState.DRAFT, licence_no=None, sub_mchid=None)
    await make_site(database, hospital.id)
    body = refused(await operator.post(f"{HOSPITALS}/{hospital.id}/open"), 409, "hospital-not-ready")
    assert body["missing"] == ["licence_missing", "merchant_missing"]
    assert await _state(database, hospital.id) is HospitalState.DRAFT


@pytest.mark.parametrize(
    "wrong",
    [
        {"uscc": "91350100M000100Y4Z"}, {"uscc": "91350100"}, {"name": ""}, {"sub_mchid": "12345"},
        {"sub_mchid": "19000000011"}, {"level": "best"}, {"phone": "x"}, {"state": "open"},
        {"licence_valid_until": "soon"},
        {"sub_appid": "wx1"},
    ],
)  # fmt: skip
async def test_a_registration_that_cannot_be(api: Api, database: Database, wrong: dict[str, Any]) -> None:
    operator = await as_operator(api, database)
    refused(await operator.post(HOSPITALS, json={**NEW, **wrong}), 422, "invalid-input")
    assert (await operator.get(HOSPITALS)).json()["items"] == []


async def test_one_code_one_hospital_and_one_merchant_one_hospital(api: Api, database: Database) -> None:
    operator = await as_operator(api, database)
    answers = await asyncio.gather(*(operator.post(HOSPITALS, json=NEW) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]
    assert {each.json()["code"] for each in answers if each.status_code == 409} == {"uscc-taken"}
    other = {**NEW, "uscc": make_uscc(99_000_002)}
    refused(await operator.post(HOSPITALS, json=other), 409, "merchant-taken")
    second = (await operator.post(HOSPITALS, json={**other, "sub_mchid": None})).json()
    path = f"{HOSPITALS}/{second['id']}"
    refused(
        await operator.put(f"{path}/merchant", json={"sub_mchid": NEW["sub_mchid"]}, version=1), 409, "merchant-taken"
    )
    refused(await operator.put(path, json=REGISTRATION, version=1), 409, "uscc-taken")
    assert (await operator.get(path)).json()["version"] == 1


async def test_an_open_hospital_cannot_take_another_ones_code(api: Api, database: Database) -> None:
    """A question in between had the row written too early: a 500."""
    operator = await as_operator(api, database)
    assert (await operator.post(HOSPITALS, json=NEW)).status_code == 201
    path = f"{HOSPITALS}/{(await make_site(database)).hospital_id}"
    refused(await operator.put(path, json=REGISTRATION, version=1), 409, "uscc-taken")
    assert (await operator.get(path)).json()["version"] == 1


async def test_an_open_hospital_cannot_be_left_without_licence(api: Api, database: Database) -> None:
    site = await make_site(database)
    operator = await as_operator(api, database)
    path = f"{HOSPITALS}/{site.hospital_id}"
    shown = (await operator.get(path)).json()
    without = {"name": shown["name"], "level": "primary", "uscc": shown["licence"]["uscc"]}
    body = refused(await operator.put(path, json=without, version=1), 409, "hospital-not-ready")
    assert body["missing"] == ["licence_missing", "home_mode_unknown"]
    assert (await operator.get(path)).json() == shown


async def test_edits_need_the_version_they_edit(api: Api, database: Database) -> None:
    hospital = await make_hospital(database)
    operator = await as_operator(api, database)
    path = f"{HOSPITALS}/{hospital.id}"
    for where, body in ((path, REGISTRATION), (f"{path}/merchant", {"sub_mchid": "1900990009"})):
        refused(await operator.put(where, json=body), 428, "precondition-required")
        refused(await operator.put(where, json=body, version=9), 412, "precondition-failed")
    assert (await operator.get(path)).json()["sub_mchid"] == hospital.sub_mchid


async def test_the_register_lists_by_state(api: Api, database: Database) -> None:
    operator = await as_operator(api, database)
    made = {state: str((await make_hospital(database, state=state)).id) for state in HospitalState}
    everybody = (await operator.get(HOSPITALS)).json()["items"]
    assert {each["id"] for each in everybody} == set(made.values())
    for state, hospital_id in made.items():
        found = (await operator.get(HOSPITALS, params={"state": state.value})).json()["items"]
        assert [each["id"] for each in found] == [hospital_id]
    refused(await operator.get(HOSPITALS, params={"cursor": "x"}), 422, "invalid-cursor")


async def test_a_licence_is_approved_or_refused(api: Api, database: Database) -> None:
    hospital = await make_hospital(database)
    desk, operator = await as_desk(api, database, hospital.id), await as_operator(api, database)
    path = f"{HOSPITALS}/{hospital.id}"
    refused(await operator.post(f"{path}/licence/approve"), 409, "no-licence-to-review")
    refused(await operator.post(f"{path}/licence/refuse", json={"reason": "没有"}), 409, "no-licence-to-review")

    licence = {"licence_no": "428200150460106120A1001", "licence_valid_until": "2032-12-31"}
    await desk.put("/v1/hospital/hospitals/own/licence", json=licence)
    queue = (await operator.get(f"{HOSPITALS}/licence-reviews")).json()["items"]
    assert [each["hospital_id"] for each in queue] == [str(hospital.id)]
    sent_back = (await operator.post(f"{path}/licence/refuse", json={"reason": "照片不清晰"})).json()
    assert (sent_back["licence"]["licence_no"], sent_back["licence_review"]) == (hospital.licence_no, None)
    decided = (await operator.get(f"{HOSPITALS}/licence-reviews", params={"state": "refused"})).json()["items"]
    assert [each["reason"] for each in decided] == ["照片不清晰"]

    await desk.put("/v1/hospital/hospitals/own/licence", json=licence)
    approved = (await operator.post(f"{path}/licence/approve")).json()
    assert approved["licence"]["licence_no"] == licence["licence_no"]
    assert approved["licence"]["valid_until"] == "2032-12-31"
    assert (await operator.get(f"{HOSPITALS}/licence-reviews")).json()["items"] == []


async def test_desk_members_come_and_go(api: Api, database: Database) -> None:
    hospital = await make_hospital(database)
    operator = await as_operator(api, database)
    path = f"{HOSPITALS}/{hospital.id}/members"
    made = await operator.post(path, json={"login": "desk.haikou", "name": "李主任"})
    body = made.json()
    assert (made.status_code, len(body["password"]), len(body["totp_secret"])) == (201, 20, 32)
    refused(await operator.post(path, json={"login": "desk.haikou", "name": "王主任"}), 409, "login-taken")
    refused(await operator.post(path, json={"login": "No Spaces", "name": "王主任"}), 422, "invalid-input")
    listed = (await operator.get(path)).json()["items"]
    assert [(each["login"], each["name"]) for each in listed] == [("desk.haikou", "李主任")]
    assert "password" not in listed[0]

    async with database.begin() as tx:
        member = (await tx.scalars(select(DeskMember.account_id))).one()
        stored = await tx.get_one(StaffCredential, member)
        assert [role.hospital_id for role in await list_roles(tx, member)] == [hospital.id]
    assert await password_fits(body["password"], stored.password_hash)

    assert (await operator.delete(f"{path}/{body['account_id']}")).status_code == 204
    refused(await operator.delete(f"{path}/{body['account_id']}"), 404, "not-found")
    assert (await operator.get(path)).json()["items"] == []
    async with database.begin() as tx:
        assert list(await list_roles(tx, member)) == []


async def test_a_desk_that_lost_its_right_is_out_at_once(api: Api, database: Database) -> None:
    hospital = await make_hospital(database)
    member = await make_desk_member(database, hospital.id)
    signed = await sign_in(database, api.app.state.tokens, member.account_id, mode=Mode.DESK, hospital_id=hospital.id)
    desk = api.signed_in(signed.access_token)
    assert (await desk.get("/v1/hospital/hospitals/own")).status_code == 200
    operator = await as_operator(api, database)
    await operator.delete(f"{HOSPITALS}/{hospital.id}/members/{member.account_id}")
    refused(await desk.get("/v1/hospital/hospitals/own"), 401, "unauthenticated")


async def test_only_the_operator_gets_in(api: Api, database: Database) -> None:
    hospital = await make_hospital(database)
    path = f"{HOSPITALS}/{hospital.id}"
    refused(await api.get(HOSPITALS), 401, "unauthenticated")
    for stranger in (await as_patient(api, database), await as_desk(api, database, hospital.id)):
        for get in (HOSPITALS, path, f"{path}/history", f"{path}/members", f"{HOSPITALS}/licence-reviews"):
            refused(await stranger.get(get), 403, "not-allowed")
        refused(await stranger.post(HOSPITALS, json=NEW), 403, "not-allowed")
        refused(await stranger.post(f"{path}/suspend", json={"reason": "不行"}), 403, "not-allowed")
        refused(await stranger.post(f"{path}/licence/approve"), 403, "not-allowed")
    assert await _state(database, hospital.id) is HospitalState.OPEN


async def test_who_is_not_registered_is_not_found(api: Api, database: Database) -> None:
    operator = await as_operator(api, database)
    path = f"{HOSPITALS}/{HospitalId.new()}"
    for get in (path, f"{path}/history", f"{path}/members"):
        refused(await operator.get(get), 404, "not-found")
    for post in ("open", "licence/approve"):
        refused(await operator.post(f"{path}/{post}"), 404, "not-found")
    for post in ("suspend", "licence/refuse"):
        refused(await operator.post(f"{path}/{post}", json={"reason": "没有"}), 404, "not-found")
    refused(await operator.post(f"{path}/members", json={"login": "nobody", "name": "无"}), 404, "not-found")
    registration = {name: NEW[name] for name in ("name", "level", "uscc")}
    refused(await operator.put(path, json=registration, version=1), 404, "not-found")
    refused(await operator.put(f"{path}/merchant", json={"sub_mchid": "1900990001"}, version=1), 404, "not-found")
