"""What people and desks are really told, from the first payment to the last refund: in both languages, with the same numbers."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import httpx
from sqlalchemy import select

from tests.client import Api
from tests.scenes.bookings import accepted, hold, make_customer, make_offer, pay
from tests.scenes.clinicians import make_clinician
from tests.scenes.consultations import make_pair, paid
from tests.scenes.visits import make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.outbox import Worker

#: An order's number, an amount, a time of the day.
_NUMBERS = re.compile(r"[BC]\d{6}[0-9A-Z]{14}|¥[\d,.]+\d|\d\d:\d\d")


async def told(context: Context) -> list[Notice]:
    async with context.begin() as tx:
        return list((await tx.scalars(select(Notice).order_by(Notice.id))).all())


async def test_both_languages_name_the_same_numbers(
    api: Api, context: Context, worker: Worker[Context], control: httpx.AsyncClient
) -> None:
    await control.post("/behaviour", json={"refund_delay_s": 0})
    offered, customer, booking = await accepted(api, context)
    nurse = await make_clinician(context.database, offered.hospital.id)
    sent = {"booking_id": booking["id"], "clinician_id": str(nurse.id)}
    assert (await offered.desk.post("/v1/hospital/visits", json=sent)).status_code == 201
    other = await make_offer(api, context)
    refused = await pay(context, customer, (await hold(customer, other, other.starts_at(hour=15)))["id"])
    reason = {"reason": "no nurse on that day"}
    assert (await other.desk.post(f"/v1/hospital/bookings/{refused['id']}/refuse", json=reason)).status_code == 200
    assert (await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json=reason)).status_code == 200
    waits = await make_customer(api, context)
    await pay(context, waits, (await hold(waits, other))["id"])
    pair = await make_pair(api, context)
    await paid(api, context, pair)
    cast = await make_cast(context, api)
    await cast.step(await cast.assign(), "depart", "arrive", "start", "finish")
    await accepted(api, context)
    late = await accepted(api, context)
    sent = {"booking_id": late[2]["id"], "clinician_id": str((await make_clinician(context.database, late[0].hospital.id)).id)}
    assert (await late[0].desk.post("/v1/hospital/visits", json=sent)).status_code == 201
    clock.move(timedelta(hours=23, minutes=30))
    await worker.drain()
    clock.move(timedelta(hours=1))
    await worker.drain()
    for minutes in (-89, -29, 31, 121):
        clock.move(datetime.fromisoformat(late[2]["starts_at"]) + timedelta(minutes=minutes) - clock.now())
        await worker.drain()
    await worker.drain("payments.refund", early=True)

    rows = await told(context)
    kinds = {each.kind for each in rows}
    assert kinds >= {
        "booking.paid", "booking.accepted", "visit.assigned", "visit.taken_back", "booking.refused", "booking.cancelled",
        "booking.accept_soon", "booking.unanswered", "booking.assign_soon", "booking.unassigned", "visit.late",
        "booking.nobody_came", "consultation.paid", "consultation.unanswered",
        "consultation.refunded", "visit.departed", "visit.arrived", "visit.finished", "visit.confirmed", "refund.succeeded",
    }  # fmt: skip
    for each in rows:
        assert each.title_en is not None
        assert each.title_en.isascii(), each.title_en
        body = each.body_en or ""
        assert "Words(" not in body + each.body
        assert "{" not in body + each.body
        assert set(_NUMBERS.findall(each.body)) == set(_NUMBERS.findall(body)), f"{each.body} / {body}"
        numbers = len(_NUMBERS.findall(each.body))
        assert numbers or each.kind.split(".")[0] in ("visit", "consultation"), each.body
    mine = next(each for each in rows if each.kind == "booking.refused")
    assert mine.body_en is not None
    assert mine.body_en == (
        f"We are sorry, the hospital cannot take it: no nurse on that day. Order {refused['order_no']}: all of ¥245.00 goes back "
        "to your WeChat."
    )
    to_patient = next(each for each in rows if each.kind == "visit.assigned" and each.account_id == customer.account_id)
    assert to_patient.title_en == "Somebody is assigned", "not what the nurse reads"
