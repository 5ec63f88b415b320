"""A feature whose consent is missing is refused, by name, and every other goes on."""

from __future__ import annotations

import secrets

from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.bookings import hold, make_customer, make_offer
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.consents.rules import NEEDED_TO_BOOK, Purpose


async def test_each_consent_that_booking_needs_is_asked_for(api: Api, context: Context) -> None:
    """The problem names the purpose and the notice; giving it makes the same request work (RULE-143)."""
    offered, customer = await make_offer(api, context, capacity=3), await make_customer(api, context)
    for purpose in NEEDED_TO_BOOK:
        about = None if purpose is Purpose.TERMS_AND_PRIVACY else str(customer.patient.id)
        taken = await customer.api.post("/v1/consents/withdraw", json={"purpose": purpose.value, "patient_id": about})
        assert taken.status_code == 200, taken.text
        wish = customer.wish(offered)
        told = refused(
            await customer.api.post("/v1/bookings", key=secrets.token_hex(8), json=wish), 403, "consent-missing"
        )
        assert (told["purpose"], told["patient_id"]) == (purpose.value, about)
        assert (await customer.api.post("/v1/bookings/quote", json=wish)).status_code == 200, "looking goes on"
        notice = (await customer.api.get(f"/v1/consents/notices/{told['notice_id']}")).json()
        body = {"notice_id": notice["id"], "patient_id": about, "read_at": notice["served_at"]}
        assert (await customer.api.post("/v1/consents", json=body)).status_code == 201
    async with context.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(Booking)) == 0, "a refusal changed nothing"
    await hold(customer, offered)


async def test_a_place_held_is_not_paid_once_sharing_was_taken_back(api: Api, context: Context) -> None:
    """Paying tells the hospital: it must not happen after the consent to it ended (RULE-144)."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await hold(customer, offered)
    body = {"purpose": "share_with_hospital", "patient_id": str(customer.patient.id)}
    assert (await customer.api.post("/v1/consents/withdraw", json=body)).status_code == 200
    path = f"/v1/bookings/{booking['id']}"
    paid = await customer.api.post(f"{path}/payment", key=secrets.token_hex(8), json={"channel": "mini"})
    refused(paid, 403, "consent-missing")
    assert (await customer.api.post(f"{path}/cancel", json={"reason": "x"})).status_code == 200, "the way out is open"
