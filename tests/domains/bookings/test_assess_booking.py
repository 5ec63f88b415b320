"""A first assessment stands between payment and acceptance of a visit at home (RULE-39)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from tests.client import Api, refused
from tests.scenes.bookings import Customer, Offered, hold, make_customer, make_offer, pay
from tests.scenes.clinicians import make_clinician
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Assessment
from yiyuebao_api.domains.bookings.rules import Dependence, dependence
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState
from yiyuebao_api.kernel import clock

ASKED: dict[str, Any] = {
    "eligibility": [], "questions": [], "history_required": False, "companion_required": False,
    "assessment_required": True,
}  # fmt: skip
BARTHEL = {
    "feeding": 10, "bathing": 0, "grooming": 5, "dressing": 5, "bowels": 10, "bladder": 10, "toilet": 5,
    "transfer": 10, "mobility": 10, "stairs": 5,
}  # fmt: skip


def found(clinician: Clinician, decision: str = "home_ok") -> dict[str, Any]:
    """What the clinician found."""
    return {
        "clinician_id": str(clinician.id), "condition": "伤口愈合良好", "needs": "换药", "risk": "跌倒", "barthel": BARTHEL,
        "decision": decision,
    }  # fmt: skip


async def paid(api: Api, context: Context, place: str = "home") -> tuple[Offered, Customer, Clinician, str]:
    """A paid booking of an item that needs an assessment."""
    offered, customer = await make_offer(api, context, screening=ASKED), await make_customer(api, context)
    booking = await pay(context, customer, (await hold(customer, offered, place=place))["id"])
    clinician = await make_clinician(context.database, offered.hospital.id)
    return offered, customer, clinician, f"/v1/hospital/bookings/{booking['id']}"


async def rows(context: Context) -> int:
    async with context.begin() as tx:
        return (await tx.scalar(select(func.count()).select_from(Assessment))) or 0


@pytest.mark.parametrize(
    ("index", "level"),
    [(0, "heavy"), (40, "heavy"), (41, "moderate"), (60, "moderate"), (61, "light"), (99, "light"), (100, "able")],
)
def test_levels_follow_the_index(index: int, level: str) -> None:
    assert dependence(index) is Dependence(level)


async def test_nothing_is_accepted_before_it_is_assessed(api: Api, context: Context) -> None:
    offered, _, clinician, address = await paid(api, context)
    refused(await offered.desk.post(f"{address}/accept"), 409, "assessment-needed")
    assert (await offered.desk.get(address)).json()["state"] == "paid"
    answer = await offered.desk.post(f"{address}/assess", json=found(clinician))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["barthel"], answer.json()["level"]) == (70, "light")
    async with context.begin() as tx:
        stored: bytes = await tx.scalar(text("SELECT findings FROM booking_assessment"))
    assert "伤口".encode() not in stored
    assert (await offered.desk.post(f"{address}/accept")).json()["state"] == "accepted"


@pytest.mark.parametrize("decision", ["to_hospital", "reject"])
async def test_a_patient_who_cannot_be_served_at_home_gets_everything_back(
    api: Api, context: Context, decision: str
) -> None:
    offered, customer, clinician, address = await paid(api, context)
    answer = await offered.desk.post(f"{address}/assess", json=found(clinician, decision))
    assert answer.json()["decision"] == decision
    booking = (await customer.api.get(address.replace("/hospital", ""))).json()
    assert booking["state"] == "refused"
    assert booking["refund_due_fen"] == booking["total_fen"]


async def test_of_two_assessments_at_once_one_stands(api: Api, context: Context) -> None:
    offered, _, clinician, address = await paid(api, context)
    answers = await asyncio.gather(
        *(offered.desk.post(f"{address}/assess", json=found(clinician)) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    refused(await offered.desk.post(f"{address}/assess", json=found(clinician)), 409, "assessment-not-possible")
    assert await rows(context) == 1


async def test_only_licensed_staff_of_the_hospital_assess_and_only_for_homes(api: Api, context: Context) -> None:
    offered, _, clinician, address = await paid(api, context)
    other = await make_offer(api, context)
    stranger = await make_clinician(context.database, other.hospital.id)
    novice = await make_clinician(context.database, offered.hospital.id, state=ClinicianState.SUSPENDED)
    refused(await offered.desk.post(f"{address}/assess", json=found(stranger)), 404, "not-found")
    refused(await offered.desk.post(f"{address}/assess", json=found(novice)), 409, "clinician-unqualified")
    refused(await other.desk.post(f"{address}/assess", json=found(clinician)), 404, "not-found")
    refused(await other.desk.post(f"{address}/void-assessment", json={"reason": "住院"}), 404, "not-found")
    at_hospital, _, nurse, there = await paid(api, context, place="hospital")
    refused(await at_hospital.desk.post(f"{there}/assess", json=found(nurse)), 409, "assessment-not-possible")
    assert (await at_hospital.desk.post(f"{there}/accept")).status_code == 200
    assert await rows(context) == 0


@pytest.mark.parametrize("how", ["voided", "expired"])
async def test_one_that_fell_after_acceptance_stops_the_assignment(api: Api, context: Context, how: str) -> None:
    offered, _, clinician, address = await paid(api, context)
    await offered.desk.post(f"{address}/assess", json=found(clinician))
    assert (await offered.desk.post(f"{address}/accept")).status_code == 200
    if how == "voided":
        answer = await offered.desk.post(f"{address}/void-assessment", json={"reason": "住院"})
        assert answer.status_code == 200, answer.text
    else:
        async with context.begin() as tx:
            await tx.execute(update(Assessment).values(valid_until=clock.now() + timedelta(hours=1)))
    body = {"booking_id": address.rsplit("/", 1)[1], "clinician_id": str(clinician.id)}
    refused(await offered.desk.post("/v1/hospital/visits", json=body), 409, "assessment-needed")
    again = await offered.desk.post(f"{address}/assess", json=found(clinician))
    assert again.status_code == 200, again.text


async def test_an_earlier_one_counts_for_the_next_booking(api: Api, context: Context) -> None:
    offered, customer, clinician, address = await paid(api, context)
    await offered.desk.post(f"{address}/assess", json=found(clinician))
    later = await pay(context, customer, (await hold(customer, offered, offered.starts_at(days=3)))["id"])
    assert (await offered.desk.post(f"/v1/hospital/bookings/{later['id']}/accept")).status_code == 200
