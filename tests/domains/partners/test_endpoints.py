"""What a desk does with its endpoints, and what nobody else can."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.partners import deliveries_of, make_endpoint, publish_booking
from yiyuebao_api.domains.partners.models import WebhookEndpoint
from yiyuebao_api.domains.partners.rules import EndpointState
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import EndpointId, HospitalId
from yiyuebao_api.kernel.tokens import Mode

BASE = "/v1/hospital/partners/endpoints"
BODY: dict[str, Any] = {"url": "https://his.example.com/hook", "description": "HIS", "event_types": ["booking.paid"]}


@pytest.fixture
def hospital_id() -> HospitalId:
    return HospitalId.new()


@pytest.fixture
async def desk(api: Api, database: Database, hospital_id: HospitalId) -> Api:
    """A desk of the hospital."""
    signed = await sign_in(database, api.app.state.tokens, mode=Mode.DESK, hospital_id=hospital_id)
    return api.signed_in(signed.access_token)


async def test_create_shows_the_secret_once(desk: Api, database: Database) -> None:
    made = await desk.post(BASE, json=BODY)
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    assert made.headers["etag"] == '"1"'
    for seen in (await desk.get(f"{BASE}/{made.json()['id']}"), await desk.get(BASE)):
        assert seen.status_code == 200
        assert secret not in seen.text
        assert "secret" not in seen.text.replace("old_secret_until", "")
    async with database.engine.connect() as connection:
        [raw] = (await connection.exec_driver_sql("SELECT secret FROM webhook_endpoint")).scalars()
    assert secret.encode() not in raw


@pytest.mark.parametrize("url", [
    "http://his.example.com/hook", "https://10.0.0.8/hook", "https://[::ffff:169.254.169.254]/", "https://a:b@his.example.com/",
    "https://his.example.com:22/",
])  # fmt: skip
async def test_an_address_of_a_private_network_is_refused(desk: Api, database: Database, url: str) -> None:
    refused(await desk.post(BASE, json=BODY | {"url": url}), 422, "endpoint-url-refused")
    async with database.begin() as tx:
        assert (await tx.scalars(select(WebhookEndpoint))).all() == []


@pytest.mark.parametrize("change", [
    {"url": "javascript:alert(1)"}, {"url": ""}, {"event_types": ["booking.unheard-of"]}, {"secret": "whsec_mine"},
    {"description": "x" * 101}, {"url": "https://his.example.com/" + "x" * 500},
])  # fmt: skip
async def test_what_is_not_an_endpoint_is_refused(desk: Api, change: dict[str, Any]) -> None:
    refused(await desk.post(BASE, json=BODY | change), 422, "invalid-input")


async def test_a_hospital_has_ten_endpoints_even_when_many_come_at_once(
    desk: Api, database: Database, hospital_id: HospitalId
) -> None:
    for _ in range(7):
        await make_endpoint(database, hospital_id, BODY["url"])
    answers = await asyncio.gather(*(desk.post(BASE, json=BODY) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 3
    assert refused(await desk.post(BASE, json=BODY), 409, "too-many-endpoints")["limit"] == 10


async def test_a_key_makes_one_endpoint_and_gives_its_secret_again(desk: Api) -> None:
    first = await desk.post(BASE, json=BODY, key="one")
    again = await desk.post(BASE, json=BODY, key="one")
    assert first.json() == again.json()
    assert len((await desk.get(BASE)).json()["items"]) == 1


async def test_edit_needs_the_version_that_was_read(desk: Api) -> None:
    path = f"{BASE}/{(await desk.post(BASE, json=BODY)).json()['id']}"
    change = BODY | {"event_types": [], "state": "paused"}
    refused(await desk.put(path, json=change), 428, "precondition-required")
    edited = await desk.put(path, json=change, version=1)
    assert (edited.status_code, edited.headers["etag"]) == (200, '"2"')
    assert (edited.json()["state"], edited.json()["event_types"]) == ("paused", [])
    refused(await desk.put(path, json=change, version=1), 412, "precondition-failed")
    refused(await desk.put(path, json=change | {"url": "https://10.0.0.1/"}, version=2), 422, "endpoint-url-refused")
    refused(await desk.put(path, json=change | {"state": "disabled"}, version=2), 422, "invalid-input")
    assert (await desk.get(path)).json() == edited.json()


async def test_made_active_again_it_starts_with_a_clean_record(
    desk: Api, database: Database, hospital_id: HospitalId
) -> None:
    broken = await make_endpoint(
        database, hospital_id, BODY["url"], state=EndpointState.PAUSED, failing_since=clock.now()
    )
    edited = await desk.put(f"{BASE}/{broken.id}", json=BODY | {"state": "active"}, version=1)
    assert (edited.json()["state"], edited.json()["failing_since"]) == ("active", None)


async def test_a_deleted_endpoint_is_gone_and_its_log_stays(
    desk: Api, database: Database, hospital_id: HospitalId
) -> None:
    endpoint = await make_endpoint(database, hospital_id, BODY["url"])
    await publish_booking(database, hospital_id)
    assert (await desk.delete(f"{BASE}/{endpoint.id}")).status_code == 204
    refused(await desk.get(f"{BASE}/{endpoint.id}"), 404, "not-found")
    refused(await desk.delete(f"{BASE}/{endpoint.id}"), 404, "not-found")
    assert (await desk.get(BASE)).json()["items"] == []
    assert len((await desk.get("/v1/hospital/partners/deliveries")).json()["items"]) == 1
    async with database.begin() as tx:
        assert (await tx.get_one(WebhookEndpoint, endpoint.id)).secret == ""
    await publish_booking(database, hospital_id)
    assert len(await deliveries_of(database)) == 1


async def test_rotation_gives_a_new_secret_and_says_until_when_the_old_one_signs(desk: Api) -> None:
    made = (await desk.post(BASE, json=BODY)).json()
    path = f"{BASE}/{made['id']}/rotate-secret"
    rotated = await desk.post(path, json={"overlap_hours": 24})
    assert rotated.json()["secret"] not in (made["secret"], "")
    assert rotated.json()["old_secret_until"] is not None
    leaked = await desk.post(path, json={"overlap_hours": 0})
    assert leaked.json()["old_secret_until"] is None
    refused(await desk.post(path, json={"overlap_hours": 169}), 422, "invalid-input")


async def test_a_test_is_one_delivery_to_that_endpoint_alone(
    desk: Api, database: Database, hospital_id: HospitalId
) -> None:
    endpoint = await make_endpoint(database, hospital_id, BODY["url"], event_types=["booking.paid"])
    await make_endpoint(database, hospital_id, BODY["url"])
    sent = await desk.post(f"{BASE}/{endpoint.id}/test")
    assert (sent.status_code, sent.json()["event_type"], sent.json()["state"]) == (201, "endpoint.test", "pending")
    assert [each.endpoint_id for each in await deliveries_of(database)] == [endpoint.id]


async def test_a_test_of_a_paused_endpoint_is_refused(desk: Api, database: Database, hospital_id: HospitalId) -> None:
    paused = await make_endpoint(database, hospital_id, BODY["url"], state=EndpointState.PAUSED)
    refused(await desk.post(f"{BASE}/{paused.id}/test"), 409, "endpoint-not-active")
    assert await deliveries_of(database) == []


async def test_another_hospital_s_endpoint_does_not_exist(desk: Api, database: Database) -> None:
    other = await make_endpoint(database, HospitalId.new(), BODY["url"])
    for endpoint_id in (other.id, EndpointId.new()):
        path = f"{BASE}/{endpoint_id}"
        for answer in (
            await desk.get(path),
            await desk.put(path, json=BODY | {"state": "paused"}, version=1),
            await desk.delete(path),
            await desk.post(f"{path}/rotate-secret", json={"overlap_hours": 1}),
            await desk.post(f"{path}/test"),
            await desk.post(f"{path}/recover", json={"since": "2026-11-23T00:00:00+08:00"}),
        ):
            refused(answer, 404, "not-found")
    async with database.begin() as tx:
        unchanged = await tx.get_one(WebhookEndpoint, other.id)
    assert (unchanged.state, unchanged.secret, unchanged.deleted_at) == (EndpointState.ACTIVE, other.secret, None)


@pytest.mark.parametrize("mode", [Mode.PATIENT, Mode.CLINICIAN, Mode.OPERATOR, Mode.AUDITOR])
async def test_only_a_desk_may_call(api: Api, database: Database, mode: Mode) -> None:
    stranger = api.signed_in((await sign_in(database, api.app.state.tokens, mode=mode)).access_token)
    for path in (BASE, "/v1/hospital/partners/deliveries", "/v1/hospital/partners/events"):
        refused(await stranger.get(path), 403, "not-allowed")
        refused(await api.get(path), 401, "unauthenticated")
    refused(await stranger.post(BASE, json=BODY), 403, "not-allowed")
