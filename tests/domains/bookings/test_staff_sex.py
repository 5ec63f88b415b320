"""A wish for a woman or a man (RULE-46): promised only when somebody can keep it, kept at assignment, dropped by the patient."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.bookings import Customer, Offered, hold, make_customer, make_offer, pay, row_of
from tests.scenes.clinicians import make_clinician
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState, Sex
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import BookingId


async def count(context: Context, model: type[Model]) -> int:
    async with context.begin() as tx:
        return (await tx.scalar(select(func.count()).select_from(model))) or 0


async def book(customer: Customer, offered: Offered, wished: str | None, key: str = "k") -> Any:
    return await customer.api.post("/v1/bookings", key=key, json=customer.wish(offered) | {"staff_sex": wished})


async def assign(offered: Offered, booking: dict[str, Any], nurse: Clinician) -> Any:
    sent = {"booking_id": booking["id"], "clinician_id": str(nurse.id)}
    return await offered.desk.post("/v1/hospital/visits", json=sent)


async def accepted_for_a_man(api: Api, context: Context) -> tuple[Offered, Customer, dict[str, Any], Clinician]:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    him = await make_clinician(context.database, offered.hospital.id, sex=Sex.MALE, name="李强")
    made = await book(customer, offered, "male")
    assert made.status_code == 201, made.text
    booking = await pay(context, customer, made.json()["id"])
    assert (await offered.desk.post(f"/v1/hospital/bookings/{booking['id']}/accept")).status_code == 200
    return offered, customer, booking, him


async def test_nobody_promises_whom_there_is_not(api: Api, context: Context) -> None:
    """Neither by a man of another hospital, nor by one who may not be sent, on that day or at all."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    hospital = offered.hospital.id
    elsewhere = await make_offer(api, context)
    await make_clinician(context.database, elsewhere.hospital.id, sex=Sex.MALE)
    await make_clinician(context.database, hospital, sex=Sex.FEMALE)
    await make_clinician(context.database, hospital, sex=Sex.MALE, state=ClinicianState.SUSPENDED)
    tomorrow = (clock.now() + timedelta(days=1)).astimezone(clock.SHANGHAI).date()
    await make_clinician(context.database, hospital, sex=Sex.MALE, liability_until=tomorrow)
    body = customer.wish(offered) | {"staff_sex": "male"}
    refusal = refused(await customer.api.post("/v1/bookings/quote", json=body), 409, "staff-sex-not-offered")
    assert "男性" in refusal["detail"]
    refused(await book(customer, offered, "male"), 409, "staff-sex-not-offered")
    assert await count(context, Booking) == 0
    refused(await customer.api.post("/v1/bookings/quote", json=body | {"staff_sex": "any"}), 422, "invalid-input")
    for wished in ("female", None):
        quoted = await customer.api.post("/v1/bookings/quote", json=body | {"staff_sex": wished})
        assert quoted.status_code == 200, quoted.text
    made = await book(customer, offered, "female")
    assert made.json()["staff_sex"] == "female"


async def test_a_wish_is_kept_when_somebody_is_sent(api: Api, context: Context) -> None:
    offered, customer, booking, him = await accepted_for_a_man(api, context)
    her = await make_clinician(context.database, offered.hospital.id, sex=Sex.FEMALE)
    assert (await offered.desk.get(f"/v1/hospital/bookings/{booking['id']}")).json()["staff_sex"] == "male"
    found = (await offered.desk.get("/v1/hospital/visits/candidates", params={"booking_id": booking["id"]})).json()["items"]
    assert [(each["clinician"]["id"], each["blockers"]) for each in found] == [
        (str(him.id), []), (str(her.id), ["other_sex"]),
    ]  # fmt: skip
    refused(await assign(offered, booking, her), 409, "other-sex-wished")
    assert (await row_of(context.database, booking["id"])).state.value == "accepted"
    visit = await assign(offered, booking, him)
    assert visit.status_code == 201, visit.text
    swap = {"clinician_id": str(her.id), "reason": "临时调班"}
    path = f"/v1/hospital/visits/{visit.json()['id']}/reassign"
    refused(await offered.desk.post(path, json=swap), 409, "other-sex-wished")
    late = await customer.api.post(f"/v1/bookings/{booking['id']}/accept-any-staff")
    assert refused(late, 409, "booking-state-refused")["state"] == "assigned"
    assert (await row_of(context.database, booking["id"])).staff_sex is Sex.MALE


async def test_the_patient_drops_the_wish(api: Api, context: Context) -> None:
    offered, customer, booking, him = await accepted_for_a_man(api, context)
    async with context.begin() as tx:
        (await tx.get_one(Clinician, him.id)).state = ClinicianState.SUSPENDED
    her = await make_clinician(context.database, offered.hospital.id, sex=Sex.FEMALE)
    refused(await assign(offered, booking, her), 409, "other-sex-wished")
    stranger = await make_customer(api, context)
    path = f"/v1/bookings/{booking['id']}/accept-any-staff"
    refused(await stranger.api.post(path), 404, "not-found")
    answers = await asyncio.gather(*(customer.api.post(path) for _ in range(5)))
    assert {(answer.status_code, answer.json()["staff_sex"]) for answer in answers} == {(200, None)}
    told = (await offered.desk.get("/v1/hospital/notices")).json()["items"]
    assert [each["kind"] for each in told][:2] == ["booking.any_staff", "booking.accepted"], "told once"
    moves = (await customer.api.get(f"/v1/bookings/{booking['id']}/timeline")).json()
    assert moves[-1]["reason"] == "不再要求人员性别"
    assert (await assign(offered, booking, her)).status_code == 201


async def test_another_day_needs_somebody_too(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    last_day = offered.starts_at(days=2).astimezone(clock.SHANGHAI).date()
    await make_clinician(context.database, offered.hospital.id, sex=Sex.MALE, liability_until=last_day)
    booking = (await book(customer, offered, "male")).json()
    path = f"/v1/bookings/{booking['id']}/reschedule"
    later = await customer.api.post(path, json={"starts_at": offered.starts_at(days=3).isoformat()})
    refused(later, 409, "staff-sex-not-offered")
    assert (await row_of(context.database, booking["id"])).starts_at == offered.starts_at()
    moved = await customer.api.post(path, json={"starts_at": offered.starts_at(hour=14).isoformat()})
    assert moved.status_code == 200, moved.text


async def test_a_wish_for_a_lapsed_booking_cannot_be_dropped(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    await make_clinician(context.database, offered.hospital.id, sex=Sex.FEMALE)
    booking = (await book(customer, offered, "female")).json()
    other = await hold(await make_customer(api, context), offered, offered.starts_at(hour=15))
    assert other["staff_sex"] is None
    async with context.begin() as tx:
        row = await tx.get_one(Booking, BookingId.parse(booking["id"]))
        row.hold_until = clock.now() - timedelta(minutes=1)
    late = await customer.api.post(f"/v1/bookings/{booking['id']}/accept-any-staff")
    assert refused(late, 409, "booking-state-refused")["state"] == "expired"
