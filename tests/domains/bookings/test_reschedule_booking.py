"""Moving a booking to another time: never onto the patient's own other visit, never to a time nobody offers."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import hold, make_customer, make_offer, pay, row_of
from yiyuebao_api.context import Context
from yiyuebao_api.domains.catalogue.models import Service
from yiyuebao_api.domains.catalogue.rules import ServiceState
from yiyuebao_api.domains.hospitals.models import Hospital
from yiyuebao_api.domains.hospitals.rules import HospitalState
from yiyuebao_api.kernel import clock


async def test_a_patient_is_never_moved_onto_another_of_their_visits(api: Api, context: Context) -> None:
    """B18: what booking refuses, a new time refuses too; the booking's own old time does not stand in its way."""
    offered, customer = await make_offer(api, context, capacity=3), await make_customer(api, context)
    await hold(customer, offered, offered.starts_at(hour=14))
    booking = await pay(context, customer, (await hold(customer, offered))["id"])
    path = f"/v1/bookings/{booking['id']}/reschedule"
    onto = {"starts_at": offered.starts_at(hour=14).isoformat()}
    refused(await customer.api.post(path, json=onto), 409, "patient-already-booked")
    row = await row_of(context.database, booking["id"])
    assert row.starts_at == offered.starts_at()
    same = await customer.api.post(path, json={"starts_at": offered.starts_at().isoformat()})
    assert same.status_code == 200, same.text


async def test_two_visits_moved_to_one_time_at_once_and_one_gets_there(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context, capacity=3), await make_customer(api, context)
    two = [await hold(customer, offered, offered.starts_at(hour=hour)) for hour in (9, 11)]
    body = {"starts_at": offered.starts_at(hour=15).isoformat()}
    answers = await asyncio.gather(
        *(customer.api.post(f"/v1/bookings/{each['id']}/reschedule", json=body) for each in two),
        customer.api.post("/v1/bookings", key="third", json=customer.wish(offered, offered.starts_at(hour=15))),
    )
    assert sorted(answer.status_code for answer in answers)[1:] == [409, 409], [answer.text for answer in answers]


@pytest.mark.parametrize("why", ["service_suspended", "hospital_suspended", "licence_ends"])
async def test_no_new_time_where_nothing_is_offered_any_more(api: Api, context: Context, why: str) -> None:
    offered, customer = await make_offer(api, context, capacity=3), await make_customer(api, context)
    booking = await pay(context, customer, (await hold(customer, offered))["id"])
    async with context.begin() as tx:
        service = await tx.get_one(Service, offered.service.id)
        hospital = await tx.get_one(Hospital, offered.hospital.id)
        if why == "service_suspended":
            service.state = ServiceState.SUSPENDED
        elif why == "hospital_suspended":
            hospital.state = HospitalState.SUSPENDED
        else:
            hospital.licence_valid_until = (clock.now() + timedelta(days=2)).astimezone(clock.SHANGHAI).date()
    body = {"starts_at": offered.starts_at(days=4).isoformat()}
    answer = await customer.api.post(f"/v1/bookings/{booking['id']}/reschedule", json=body)
    refused(answer, 409, "service-not-offered")
    assert (await row_of(context.database, booking["id"])).starts_at == offered.starts_at()


async def test_neither_into_the_past_nor_off_the_grid_nor_when_the_hold_has_ended(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context, capacity=3), await make_customer(api, context)
    booking = await hold(customer, offered)
    path = f"/v1/bookings/{booking['id']}/reschedule"
    for start in (offered.starts_at(days=-1), offered.starts_at() + timedelta(minutes=7), offered.starts_at(days=90)):
        refused(await customer.api.post(path, json={"starts_at": start.isoformat()}), 409, "slot-not-offered")
    moved = await customer.api.post(path, json={"starts_at": offered.starts_at(hour=16).isoformat()})
    assert (moved.json()["state"], moved.json()["hold_until"]) == ("held", booking["hold_until"]), "no longer hold"
    clock.move(timedelta(minutes=15))
    later = api.signed_in((await sign_in(context.database, context.tokens, customer.account_id)).access_token)
    refused(await later.post(path, json={"starts_at": offered.starts_at().isoformat()}), 409, "booking-expired")
