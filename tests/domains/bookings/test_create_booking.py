"""Holding a place: what it takes, what it costs, and that the last place is sold once."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import hold, make_customer, make_offer, row_of
from tests.scenes.catalogue import make_service
from tests.scenes.patients import make_address, make_patient
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.geo import Point


async def count(context: Context, model: type) -> int:
    async with context.begin() as tx:
        return (await tx.scalar(select(func.count()).select_from(model))) or 0


async def test_a_quote_shows_everything_and_saves_nothing(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    answer = await customer.api.post("/v1/bookings/quote", json=customer.wish(offered))
    assert answer.status_code == 200, answer.text
    quote = answer.json()
    assert quote["total_fen"] == sum(line["amount_fen"] for line in quote["lines"]) == offered.version.price_fen
    assert quote["policy"]["late_fee_fen"] == 0
    assert quote["hold_minutes"] == 15
    assert await count(context, Booking) == await count(context, Claim) == 0


async def test_a_booking_holds_its_place_at_the_price_of_the_quote(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    quote = (await customer.api.post("/v1/bookings/quote", json=customer.wish(offered))).json()
    booking = await hold(customer, offered)
    assert booking["state"] == "held"
    assert booking["total_fen"] == quote["total_fen"]
    assert booking["lines"] == quote["lines"]
    row = await row_of(context.database, booking["id"])
    assert row.hold_until - row.created_at == timedelta(minutes=15)
    assert row.contact == {"name": customer.patient.name, "phone": customer.patient.phone}
    slots = (
        await api.get(
            "/v1/schedules/slots",
            params={"service_id": str(offered.service.id), "place": "home", "from": booking["starts_at"],
                    "to": booking["ends_at"]},
        )
    ).json()  # fmt: skip
    assert slots["items"][0]["left"] == 0


async def test_a_price_sent_by_the_client_has_no_field_to_land_in(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    for field in ("total_fen", "price_fen", "amount_fen", "openid", "state"):
        body = {**customer.wish(offered), field: 1}
        told = refused(await customer.api.post("/v1/bookings", key="k1", json=body), 422, "invalid-input")
        assert told["errors"][0]["code"] == "extra_forbidden"
    assert await count(context, Booking) == 0


async def test_one_hundred_want_the_last_place_and_one_gets_it(api: Api, context: Context) -> None:
    """B03: one 201, 99 × 409, no 5xx; and the place is taken once."""
    offered = await make_offer(api, context, capacity=1)
    customers = await asyncio.gather(*(make_customer(api, context) for _ in range(100)))
    answers = await asyncio.gather(
        *(each.api.post("/v1/bookings", key=secrets.token_hex(8), json=each.wish(offered)) for each in customers)
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] + [409] * 99, {answer.text for answer in answers if answer.status_code not in (201, 409)}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"slot-taken"}
    assert await count(context, Booking) == await count(context, Claim) == 1


async def test_fifty_with_one_key_book_once(api: Api, context: Context) -> None:
    """B06: one effect; equal answers or `request-in-progress`, and never a word about the place that the first one took."""
    offered, customer = await make_offer(api, context, capacity=1), await make_customer(api, context)
    body = customer.wish(offered)
    answers = await asyncio.gather(*(customer.api.post("/v1/bookings", key="once", json=body) for _ in range(50)))
    made = {answer.text for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"request-in-progress"}
    assert await count(context, Booking) == 1
    again = await customer.api.post("/v1/bookings", key="once", json=body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.text in made
    other = {**body, "note": "另一个"}
    refused(await customer.api.post("/v1/bookings", key="once", json=other), 422, "idempotency-key-reused")


async def test_a_key_is_required(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    refused(await customer.api.post("/v1/bookings", json=customer.wish(offered)), 400, "idempotency-key-missing")


async def test_only_patients_book_and_only_their_own(api: Api, context: Context) -> None:
    offered, customer, other = (
        await make_offer(api, context), await make_customer(api, context), await make_customer(api, context)
    )  # fmt: skip
    body = customer.wish(offered)
    refused(await api.post("/v1/bookings", key="a", json=body), 401, "unauthenticated")
    refused(await offered.desk.post("/v1/bookings", key="a", json=body), 403, "not-allowed")
    refused(await other.api.post("/v1/bookings", key="a", json=body), 404, "not-found")
    stolen = {**other.wish(offered), "address_id": str(customer.address.id)}
    refused(await other.api.post("/v1/bookings", key="b", json=stolen), 404, "not-found")
    assert await count(context, Booking) == 0


async def test_refusals_of_the_offer_change_nothing(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    wish = customer.wish(offered)
    unverified = await make_patient(context.database, customer.account_id, verified=False, name="李四")
    far = await make_address(
        context.database, customer.account_id, point=Point(19.52, 109.58), adcode="460400", district="海南省儋州市"
    )
    draft, _ = await make_service(context.database, site=offered.site, code="N08", place=Place.HOSPITAL)
    for change, status, code in (
        ({"patient_id": str(unverified.id)}, 409, "patient-not-verified"),
        ({"address_id": None}, 422, "address-needed"),
        ({"place": "hospital"}, 422, "address-needed"),
        ({"address_id": str(far.id)}, 409, "out-of-area"),
        ({"place": "both"}, 422, None),
        ({"service_id": str(draft.id)}, 409, "place-not-offered"),
        ({"starts_at": "2026-01-01T09:00:00+08:00"}, 409, "slot-not-offered"),
        ({"starts_at": "2026-11-30T09:00:00"}, 422, "invalid-input"),
    ):
        for path, key in (("/v1/bookings/quote", None), ("/v1/bookings", secrets.token_hex(8))):
            answer = await customer.api.post(path, key=key, json={**wish, **change})
            assert answer.status_code == status, (change, answer.text)
            assert code is None or answer.json()["code"] == code, (change, answer.text)
    assert await count(context, Booking) == await count(context, Claim) == 0


async def test_a_patient_is_in_one_place_at_a_time(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context, capacity=3), await make_customer(api, context)
    await hold(customer, offered)
    again = await customer.api.post("/v1/bookings", key="other", json=customer.wish(offered))
    refused(again, 409, "patient-already-booked")


async def test_only_three_bookings_wait_for_payment(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    for hour in (9, 11, 13):
        await hold(customer, offered, offered.starts_at(hour=hour))
    body = customer.wish(offered, offered.starts_at(hour=15))
    assert refused(await customer.api.post("/v1/bookings", key="4", json=body), 409, "too-many-holds")["most"] == 3
    clock.move(timedelta(minutes=16))
    signed = await sign_in(context.database, context.tokens, customer.account_id)
    later = api.signed_in(signed.access_token)
    assert (await later.post("/v1/bookings", key="4", json=body)).status_code == 201


async def test_a_hold_ends_at_read_time_without_any_job(api: Api, context: Context) -> None:
    """B04: nothing ran in between, yet the booking reads as expired and its place is free."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await hold(customer, offered)
    clock.move(timedelta(minutes=14, seconds=50))
    assert (await customer.api.get(f"/v1/bookings/{booking['id']}")).json()["state"] == "held"
    clock.move(timedelta(seconds=11))
    other = await make_customer(api, context)
    assert (await hold(other, offered))["state"] == "held"
    row = await row_of(context.database, booking["id"])
    assert row.state.value == "held", "no job has run"


async def test_at_the_hospital_only_item_and_material_are_charged(api: Api, context: Context) -> None:
    offered = await make_offer(api, context, place=Place.BOTH)
    customer = await make_customer(api, context)
    home = (await customer.api.post("/v1/bookings/quote", json=customer.wish(offered))).json()
    there = (await customer.api.post("/v1/bookings/quote", json=customer.wish(offered, place="hospital"))).json()
    assert {line["kind"] for line in there["lines"]} <= {"item_fee", "material_fee"}
    assert there["total_fen"] < home["total_fen"]


async def test_somebody_elses_booking_does_not_exist(api: Api, context: Context) -> None:
    offered, customer, other = (
        await make_offer(api, context), await make_customer(api, context), await make_customer(api, context)
    )  # fmt: skip
    booking = await hold(customer, offered)
    for path in ("", "/timeline", "/cancellation"):
        refused(await other.api.get(f"/v1/bookings/{booking['id']}{path}"), 404, "not-found")
    refused(await other.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "x"}), 404, "not-found")
    pay = await other.api.post(f"/v1/bookings/{booking['id']}/payment", key="p", json={"channel": "mini"})
    refused(pay, 404, "not-found")
    refused(await offered.desk.get(f"/v1/hospital/bookings/{booking['id']}"), 404, "not-found")
    assert (await other.api.get("/v1/bookings")).json()["items"] == []


async def test_my_bookings_come_in_pages(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    made = [(await hold(customer, offered, offered.starts_at(hour=hour)))["id"] for hour in (9, 11, 13)]
    first = (await customer.api.get("/v1/bookings", params={"limit": 2})).json()
    rest = (await customer.api.get("/v1/bookings", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    refused(await customer.api.get("/v1/bookings", params={"cursor": "bm9wZQ"}), 422, "invalid-cursor")
