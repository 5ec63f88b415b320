"""The main job, end to end: a phone, a desk, a nurse, a hospital's own system, WeChat, and books that add up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import FastAPI

from tests.client import Api
from tests.journeys.actors import Actor, Town, at, make_town
from tests.scenes.accounts import new_phone, read_code
from tests.scenes.bookings import bind_wechat
from tests.scenes.nearby import announce_hospital, announce_offers
from tests.scenes.patients import HAIKOU, make_address, make_patient
from yiyuebao_api.context import Context
from yiyuebao_api.demo.hospital_system import HospitalSystem, open_system
from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.tokens import Mode

Json = dict[str, Any]


async def test_from_a_search_near_home_to_released_shares(
    app: FastAPI, api: Api, context: Context, worker: Worker[Context]
) -> None:
    town = await make_town(
        api, context, worker, code="N14", category_code="chronic", name="糖尿病足筛查与护理", place=Place.HOME,
        duration_min=60, visit_fee_fen=Fen(7000), item_fee_fen=Fen(8000), material_fee_fen=Fen(4000),
        travel_fee_fen=Fen(3001),
    )  # fmt: skip
    await announce_hospital(context.database, town.offered.hospital.id)
    await announce_offers(context.database, town.offered.service)
    await app.state.nearby.refresh()
    async with open_system() as system:
        endpoint = await town.desk.post(
            "/v1/hospital/partners/endpoints", {"url": system.url, "description": "HIS", "event_types": []}
        )
        system.secret = endpoint["secret"]
        family = await sign_up(api, context)
        booking = await find_and_book(family, town)
        await pay_and_hear(context, family, town, booking, system)
        await be_visited(family, town, booking)
        await share(town, booking)
        heard = [each.type for each in system.heard if each.data["booking_id"] == booking["id"]]
    assert system.turned_away == 0
    assert sorted(heard) == [
        "booking.accepted", "booking.assigned", "booking.paid", "visit.arrived", "visit.confirmed", "visit.departed",
        "visit.finished", "visit.started",
    ]  # fmt: skip


async def sign_up(api: Api, context: Context) -> Actor:
    """A new phone number becomes an account, by a code that came by SMS."""
    phone = new_phone()
    assert (await api.post("/v1/accounts/sms-codes", json={"phone": phone})).status_code == 202
    code = await read_code(context.settings.sms.base_url, phone)
    opened = await api.post("/v1/accounts/sessions", json={"phone": phone, "code": code, "device": "HUAWEI Mate 70"})
    assert opened.status_code == 201, opened.text
    account_id = AccountId.parse(opened.json()["account_id"])
    await bind_wechat(context, account_id)
    await make_patient(context.database, account_id)  # real-name by ID card is a later capability
    await make_address(context.database, account_id)
    return Actor(context, api, account_id, Mode.PATIENT)


async def find_and_book(family: Actor, town: Town) -> Json:
    """Search, read, look at the free times, see the price, hold a place."""
    found = await family.get("/v1/nearby/services", lat=HAIKOU.lat, lng=HAIKOU.lng, place="home", category="chronic")
    (hit,) = [each for each in found["items"] if each["hospital_id"] == str(town.offered.hospital.id)]
    assert hit["price_fen"] == 22001
    assert hit["distance_m"] < 15_000
    page = await family.get(f"/v1/catalogue/services/{hit['service_id']}")
    assert page["version"]["price_fen"] == hit["price_fen"]
    first = clock.today(clock.now()) + timedelta(days=1)
    free = await family.get(
        "/v1/schedules/slots", service_id=hit["service_id"], to=(first + timedelta(days=2)).isoformat(),
        **{"from": first.isoformat()},
    )  # fmt: skip
    slot = next(each for each in free["items"] if each["left"] > 0)
    patient = (await family.get("/v1/patients"))["items"][0]
    address = (await family.get("/v1/patients/addresses"))["items"][0]
    wish = {
        "service_id": hit["service_id"], "place": "home", "starts_at": slot["starts_at"], "patient_id": patient["id"],
        "address_id": address["id"],
    }  # fmt: skip
    quote = await family.post("/v1/bookings/quote", wish)
    booking: Json = await family.post("/v1/bookings", {**wish, "service_version_id": quote["service_version_id"]})
    assert (booking["state"], booking["lines"], booking["policy"]) == ("held", quote["lines"], quote["policy"])
    left = await family.get(
        "/v1/schedules/slots", service_id=hit["service_id"], to=(first + timedelta(days=2)).isoformat(),
        **{"from": first.isoformat()},
    )  # fmt: skip
    assert next(each for each in left["items"] if each["starts_at"] == slot["starts_at"])["left"] == slot["left"] - 1
    return booking


async def pay_and_hear(
    context: Context, family: Actor, town: Town, booking: Json, system: HospitalSystem
) -> None:
    """The phone pays; the desk and the hospital's own system know."""
    prepaid = await family.post(f"/v1/bookings/{booking['id']}/payment", {"channel": "mini"})
    await town.tap(prepaid)
    paid = await town.booking_when(booking["id"], lambda found: found["state"] == "paid", family)
    assert paid["payment_id"] == prepaid["payment_id"]
    assert await town.notices(booking) == ["booking.paid"]
    told = system.find("booking.paid", booking["id"])
    assert told is not None, "the worker has delivered it"
    assert told.data["total_fen"] == 22001
    personal = ("陈秀英", "滨海大道", "13800138000")
    assert not any(word in str(told.data) for word in personal)


async def be_visited(family: Actor, town: Town, booking: Json) -> None:
    """Accepted, assigned, on the way, at the door, done, confirmed."""
    visit = await town.accept_and_send(booking)
    mine = (await town.nurse.get("/v1/visits/mine", day=booking["starts_at"][:10]))["items"]
    assert [each["id"] for each in mine] == [visit["id"]]
    assert mine[0]["address"]["detail"].startswith("滨海大道"), "who is sent may see where to"
    assert visit["address"]["detail"] is None, "the desk sees the district"
    starts_at = datetime.fromisoformat(booking["starts_at"])
    await at(starts_at - timedelta(minutes=40))
    await town.step(visit, "depart")
    await at(starts_at - timedelta(minutes=5))
    arrived = await town.step(visit, "arrive")
    assert arrived["distance_m"] <= 500
    await town.step(visit, "start", whose=family)
    await at(starts_at + timedelta(minutes=55))
    await town.step(visit, "finish")
    confirmed = await family.act(f"/v1/visits/{visit['id']}/confirm")
    assert (confirmed["stage"], confirmed["confirmed_by"]) == ("confirmed", "patient")
    seen = await family.get(f"/v1/bookings/{booking['id']}")
    assert (seen["state"], seen["visit_stage"]) == ("closed", "confirmed")


async def share(town: Town, booking: Json) -> None:
    """Hospital and platform get what adds up to the net, seven days later."""
    (accrual,) = (await town.desk.get("/v1/hospital/settlements/accruals"))["items"]
    assert (accrual["net_fen"], accrual["platform_fen"], accrual["hospital_fen"]) == (22001, 1100, 20901)
    await at(datetime.fromisoformat(accrual["due_at"]) + timedelta(seconds=1))
    await town.worker.drain()
    (accrual,) = (await town.desk.get("/v1/hospital/settlements/accruals"))["items"]
    assert accrual["state"] == "released"
    assert await town.books(booking) == [
        ("payment", {"clearing": 22001, "unearned": -22001}),
        ("accrual", {"hospital_share": -20901, "platform_share": -1100, "unearned": 22001}),
        ("release", {
            "hospital_released": -20901, "hospital_share": 20901, "platform_released": -1100, "platform_share": 1100,
        }),
    ]  # fmt: skip
