"""Asking for money once more: what WeChat has settled meanwhile is learnt, and no bad moment of its is a 500."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.bookings import Customer, Offered, hold, make_customer, make_offer, prepay, row_of, tap_pay
from yiyuebao_api.context import Context
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.hospitals.models import Hospital
from yiyuebao_api.domains.hospitals.rules import HospitalState
from yiyuebao_api.domains.payments.models import Payment
from yiyuebao_api.kernel.money import Fen


async def scene(api: Api, context: Context, **content: Any) -> tuple[Offered, Customer, dict[str, Any]]:
    offered, customer = await make_offer(api, context, **content), await make_customer(api, context)
    return offered, customer, await hold(customer, offered)


@pytest.mark.parametrize("trouble", [{"status": 500}, {"reply": "forged"}, {"status": 403}])
async def test_paid_already_and_wechat_does_not_say_more(
    api: Api, context: Context, control: httpx.AsyncClient, trouble: dict[str, Any]
) -> None:
    """The notification was lost, the patient taps again, and the query fails too: a clean answer, and later the truth."""
    _, customer, booking = await scene(api, context)
    await control.post("/faults/notifications", json={"drop": True, "times": 1})
    await tap_pay(context, await prepay(customer, booking["id"]))
    await control.post("/faults/calls", json={"operation": "query", "times": 1, **trouble})
    path = f"/v1/bookings/{booking['id']}/payment"
    answer = await customer.api.post(path, key="again", json={"channel": "mini"})
    assert (answer.status_code, answer.json()["code"]) in {(503, "provider-unavailable"), (409, "payment-refused")}
    refused(await customer.api.post(path, key="again", json={"channel": "mini"}), 409, "payment-refused")
    assert (await row_of(context.database, booking["id"])).state.value == "paid"


async def test_nobody_pays_a_hospital_that_was_suspended_meanwhile(api: Api, context: Context) -> None:
    offered, customer, booking = await scene(api, context)
    async with context.begin() as tx:
        (await tx.get_one(Hospital, offered.hospital.id)).state = HospitalState.SUSPENDED
    answer = await customer.api.post(f"/v1/bookings/{booking['id']}/payment", key="k", json={"channel": "mini"})
    refused(answer, 409, "service-not-offered")
    async with context.begin() as tx:
        assert (await tx.scalars(select(Payment))).all() == []


async def test_what_costs_nothing_there_is_not_offered_there(api: Api, context: Context) -> None:
    """At the hospital only item and material are charged: nothing to pay is nothing WeChat could take."""
    offered = await make_offer(api, context, place=Place.BOTH, item_fee_fen=Fen(0), material_fee_fen=Fen(0))
    customer = await make_customer(api, context)
    body = customer.wish(offered, place="hospital")
    refused(await customer.api.post("/v1/bookings/quote", json=body), 409, "place-not-offered")
    refused(await customer.api.post("/v1/bookings", key="k", json=body), 409, "place-not-offered")
