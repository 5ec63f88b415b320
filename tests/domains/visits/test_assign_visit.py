"""The desk sends somebody: who may be sent, when a person is free, and that fifty desks at once send one."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from tests.client import Api, refused
from tests.scenes.clinicians import make_clinician
from tests.scenes.hospitals import make_site
from tests.scenes.schedules import at, make_leave, make_pool, make_shifts
from tests.scenes.visits import Cast, make_cast, tomorrow
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import ActorKind, BookingState, VisitStage
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.rules import ClinicianState, Title
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.kernel.ids import BookingId, ClinicianId, Id
from yiyuebao_api.kernel.tokens import Mode

URL = "/v1/hospital/visits"


async def assign(cast: Cast, booking_id: Id | None = None, clinician_id: Id | None = None) -> httpx.Response:
    body = {"booking_id": str(booking_id or cast.booking.id), "clinician_id": str(clinician_id or cast.nurse.id)}
    return await cast.as_desk.post(URL, json=body)


async def nothing_changed(cast: Cast) -> None:
    listed = (await cast.as_desk.get(URL, params={"day": str(tomorrow())})).json()["items"]
    assert [each for each in listed if each["booking_id"] == str(cast.booking.id)] == []
    assert (await cast.booking_row()).state is BookingState.ACCEPTED


async def test_a_nurse_is_sent(cast: Cast) -> None:
    answer = await assign(cast)
    assert answer.status_code == 201
    told = answer.json()
    assert told["stage"] == "assigned"
    assert told["order_no"] == cast.booking.order_no
    assert told["clinician"] == {
        "id": str(cast.nurse.id), "kind": "nurse", "name": "王海燕", "title": "supervisor_nurse",
        "licence_last4": "0023",
    }  # fmt: skip
    assert told["patient"]["name"] == "陈**"
    assert told["address"]["detail"] is None
    assert told["address"]["district"] == "海南省海口市龙华区"

    booking = await cast.booking_row()
    assert booking.state is BookingState.ASSIGNED
    assert booking.visit_stage is VisitStage.ASSIGNED
    visit = (await cast.as_desk.get(f"{URL}/{told['id']}")).json()
    assert [(step["stage"], step["actor"]) for step in visit["steps"]] == [("assigned", "desk")]


async def test_travel_is_kept_free_around_a_visit_at_home(cast: Cast) -> None:
    visit = await cast.row(await cast.assign())
    assert visit.busy_from == cast.booking.starts_at - timedelta(minutes=30)
    assert visit.busy_until == cast.booking.ends_at + timedelta(minutes=30)


async def test_nothing_is_around_a_visit_at_the_hospital(at_hospital: Cast) -> None:
    visit = await at_hospital.row(await at_hospital.assign())
    assert (visit.busy_from, visit.busy_until) == (at_hospital.booking.starts_at, at_hospital.booking.ends_at)


async def test_the_nurse_and_the_patient_are_told(cast: Cast) -> None:
    await cast.assign()
    mine = (await cast.as_nurse.get("/v1/notices")).json()["items"]
    assert [each["kind"] for each in mine] == ["visit.assigned"]
    theirs = (await cast.as_patient.get("/v1/notices")).json()["items"]
    assert [each["kind"] for each in theirs] == ["visit.assigned"]


async def test_once_more_is_the_same_visit(cast: Cast) -> None:
    first, second = await assign(cast), await assign(cast)
    assert first.status_code == second.status_code == 201
    assert first.json()["id"] == second.json()["id"]
    assert len((await cast.as_nurse.get("/v1/notices")).json()["items"]) == 1


async def test_somebody_else_is_a_reassignment(cast: Cast) -> None:
    await cast.assign()
    other = await cast.another_nurse()
    body = refused(await assign(cast, clinician_id=other.id), 409, "booking-not-assignable")
    assert body["state"] == "assigned"


@pytest.mark.parametrize("state", [BookingState.PAID, BookingState.CANCELLED, BookingState.DONE])
async def test_only_accepted_bookings_are_assigned(cast: Cast, state: BookingState) -> None:
    booking = await cast.another_booking(state=state)
    refused(await assign(cast, booking.id), 409, "booking-not-assignable")


# ── who may be sent ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "clauses"),
    [
        ({"state": ClinicianState.SUSPENDED}, ["not_verified"]),
        ({"clinical_years": 4}, ["too_few_years"]),
        ({"title": Title.NURSE, "clinical_years": 1}, ["too_few_years", "title_too_low"]),
        ({"licence_valid_until": date(2026, 1, 1)}, ["licence_expired"]),
    ],
)
async def test_each_failing_clause_is_named(cast: Cast, changes: dict[str, Any], clauses: list[str]) -> None:
    nurse = await cast.another_nurse(**changes)
    body = refused(await assign(cast, clinician_id=nurse.id), 409, "clinician-unqualified")
    assert body["clauses"] == clauses
    await nothing_changed(cast)


async def test_the_licence_must_hold_on_the_day_of_the_visit(cast: Cast) -> None:
    nurse = await cast.another_nurse(licence_valid_until=tomorrow() - timedelta(days=1))
    refused(await assign(cast, clinician_id=nurse.id), 409, "clinician-unqualified")
    until_then = await cast.another_nurse(licence_valid_until=tomorrow())
    assert (await assign(cast, clinician_id=until_then.id)).status_code == 201


async def test_somebody_on_leave_is_not_sent(cast: Cast) -> None:
    ends = cast.booking.ends_at
    await make_leave(cast.database, cast.nurse, ends - timedelta(minutes=1), ends + timedelta(days=3))
    refused(await assign(cast), 409, "clinician-on-leave")
    await nothing_changed(cast)


async def test_leave_that_begins_when_the_visit_ends_is_no_matter(cast: Cast) -> None:
    await make_leave(cast.database, cast.nurse, cast.booking.ends_at, cast.booking.ends_at + timedelta(days=3))
    assert (await assign(cast)).status_code == 201


async def test_the_roster_limits_visits_a_day(cast: Cast) -> None:
    pool = await make_pool(cast.database, cast.service[0], capacity=5)
    await make_shifts(cast.database, cast.nurse, pool, max_visits_a_day=1)
    early = await cast.another_booking(starts_at=at(tomorrow(), "08:00"), minutes=30)
    assert (await assign(cast, early.id)).status_code == 201
    body = refused(await assign(cast), 409, "clinician-fully-booked")
    assert body["most"] == 1
    await nothing_changed(cast)
    next_day = await cast.another_booking(starts_at=at(tomorrow() + timedelta(days=1), "10:00"))
    assert (await assign(cast, next_day.id)).status_code == 201


# ── when a person is free ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("minutes", [-119, -60, 0, 30, 119])
async def test_overlapping_travel_is_refused(cast: Cast, minutes: int) -> None:
    await cast.assign()
    other = await cast.another_booking(starts_at=cast.booking.starts_at + timedelta(minutes=minutes))
    refused(await assign(cast, other.id), 409, "clinician-busy")


@pytest.mark.parametrize("minutes", [-120, 120])
async def test_travel_that_only_touches_is_fine(cast: Cast, minutes: int) -> None:
    await cast.assign()
    other = await cast.another_booking(starts_at=cast.booking.starts_at + timedelta(minutes=minutes))
    assert (await assign(cast, other.id)).status_code == 201


async def test_visits_at_the_hospital_may_follow_at_once(at_hospital: Cast) -> None:
    await at_hospital.assign()
    after = await at_hospital.another_booking(place=Place.HOSPITAL, starts_at=at_hospital.booking.ends_at)
    assert (await assign(at_hospital, after.id)).status_code == 201
    within = await at_hospital.another_booking(
        place=Place.HOSPITAL, starts_at=at_hospital.booking.ends_at - timedelta(minutes=1)
    )
    refused(await assign(at_hospital, within.id), 409, "clinician-busy")


async def test_a_person_has_one_body_at_two_hospitals(cast: Cast, context: Context, api: Api) -> None:
    await cast.assign()
    elsewhere = await make_cast(context, api)
    twin = Clinician(**{
        column.key: getattr(elsewhere.nurse, column.key) for column in Clinician.__table__.columns
    } | {"id": ClinicianId.new(), "account_id": cast.nurse.account_id})  # fmt: skip
    async with cast.database.begin() as tx:
        tx.add(twin)
    refused(await assign(elsewhere, clinician_id=twin.id), 409, "clinician-busy")


async def test_fifty_desks_at_once_send_one(cast: Cast) -> None:
    times = [cast.booking.starts_at + timedelta(minutes=minutes) for minutes in range(-50, 50, 2)]
    bookings = [await cast.another_booking(starts_at=time) for time in times]
    answers = await asyncio.gather(*(assign(cast, booking.id) for booking in bookings))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 49
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"clinician-busy"}
    listed = (await cast.as_desk.get(URL, params={"day": str(tomorrow()), "limit": 100})).json()["items"]
    assert len(listed) == 1


async def test_one_booking_assigned_twenty_times_at_once_is_one_visit(cast: Cast) -> None:
    nurses = [cast.nurse] + [await cast.another_nurse() for _ in range(3)]
    answers = await asyncio.gather(*(assign(cast, clinician_id=nurses[n % 4].id) for n in range(20)))
    sent = {answer.json()["clinician"]["id"] for answer in answers if answer.status_code == 201}
    assert len(sent) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"booking-not-assignable"}
    visit_ids = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(visit_ids) == 1


# ── who may call ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_belongs_to_others_is_not_there(cast: Cast, context: Context, api: Api) -> None:
    elsewhere = await make_cast(context, api)
    refused(await assign(cast, booking_id=elsewhere.booking.id), 404, "not-found")
    refused(await assign(cast, clinician_id=elsewhere.nurse.id), 404, "not-found")
    refused(await assign(cast, booking_id=BookingId.new()), 404, "not-found")
    refused(await assign(cast, clinician_id=ClinicianId.new()), 404, "not-found")
    await nothing_changed(cast)


async def test_an_unpaid_booking_is_not_there(cast: Cast) -> None:
    unpaid = await cast.another_booking(state=BookingState.HELD, paid_at=None)
    refused(await assign(cast, unpaid.id), 404, "not-found")


async def test_only_a_desk_assigns(cast: Cast, api: Api) -> None:
    body = {"booking_id": str(cast.booking.id), "clinician_id": str(cast.nurse.id)}
    for wrong in (cast.as_nurse, cast.as_patient, await cast.signed_in(Mode.OPERATOR)):
        refused(await wrong.post(URL, json=body), 403, "not-allowed")
    refused(await api.post(URL, json=body), 401, "unauthenticated")
    await nothing_changed(cast)


async def test_unknown_fields_are_refused(cast: Cast) -> None:
    body = {
        "booking_id": str(cast.booking.id),
        "clinician_id": str(cast.nurse.id),
        "starts_at": "2026-11-25T09:00:00+08:00",
    }
    refused(await cast.as_desk.post(URL, json=body), 422, "invalid-input")


async def test_the_history_names_the_desk(cast: Cast) -> None:
    visit_id = await cast.assign()
    (step,) = await cast.steps(visit_id)
    assert (step.stage, step.actor, step.clinician_id) == (Stage.ASSIGNED, ActorKind.DESK, cast.nurse.id)
    assert step.actor_id is not None


async def test_another_site_is_no_matter(cast: Cast) -> None:
    site = await make_site(cast.database, cast.site.hospital_id)
    nurse = await make_clinician(cast.database, site.hospital_id)
    assert (await assign(cast, clinician_id=nurse.id)).status_code == 201


async def test_only_who_was_granted_the_item_is_sent(cast: Cast) -> None:
    """RULE-46: asked when somebody is assigned, for candidates, when they are replaced, and again when they set out."""
    novice = await cast.another_nurse(item_codes=["N06"])
    told = refused(await assign(cast, clinician_id=novice.id), 409, "item-not-granted")
    assert "N05" in told["detail"]
    await nothing_changed(cast)
    found = (await cast.as_desk.get(f"{URL}/candidates", params={"booking_id": str(cast.booking.id)})).json()["items"]
    assert {each["clinician"]["id"]: each["blockers"] for each in found} == {
        str(cast.nurse.id): [], str(novice.id): ["item_not_granted"],
    }  # fmt: skip
    visit_id = await cast.assign()
    body = {"clinician_id": str(novice.id), "reason": "换人"}
    refused(await cast.as_desk.post(f"{URL}/{visit_id}/reassign", json=body), 409, "item-not-granted")
    path = f"/v1/hospital/clinicians/{cast.nurse.id}"
    taken = await cast.as_desk.put(f"{path}/items", json={"item_codes": ["N06"]}, version=cast.nurse.version)
    assert taken.json()["item_codes"] == ["N06"]
    refused(await cast.as_nurse.post(f"/v1/visits/{visit_id}/depart", json={}), 409, "item-not-granted")
    assert (await cast.row(visit_id)).stage is Stage.ASSIGNED
    again = {"item_codes": ["N06", "N05", "N05"]}
    granted = await cast.as_desk.put(f"{path}/items", json=again, version=taken.json()["version"])
    assert granted.json()["item_codes"] == ["N05", "N06"]
    await cast.step(visit_id, "depart")
