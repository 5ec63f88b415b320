"""Who might be sent: everybody of the hospital, free ones first, with every reason against the others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.client import Api, refused
from tests.scenes.schedules import at, make_leave, make_pool, make_shifts
from tests.scenes.visits import Cast, make_cast, tomorrow
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.rules import ClinicianState
from yiyuebao_api.domains.visits.queries import require_visit
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.kernel.ids import BookingId

URL = "/v1/hospital/visits/candidates"


async def candidates(cast: Cast, **params: Any) -> list[dict[str, Any]]:
    answer = await cast.as_desk.get(URL, params={"booking_id": str(cast.booking.id), **params})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_every_reason_is_told(cast: Cast) -> None:
    starts, ends = cast.booking.starts_at, cast.booking.ends_at
    await make_leave(cast.database, cast.nurse, starts, ends)
    novice = await cast.another_nurse(clinical_years=1, state=ClinicianState.SUSPENDED)
    busy = await cast.another_nurse()
    await cast.assign(await cast.another_booking(starts_at=starts + timedelta(minutes=90)), busy.id)
    pool = await make_pool(cast.database, cast.service[0])
    full = await cast.another_nurse()
    await make_shifts(cast.database, full, pool, max_visits_a_day=1)
    await cast.assign(await cast.another_booking(starts_at=starts + timedelta(hours=4)), full.id)
    free = await cast.another_nurse()

    found = {each["clinician"]["id"]: (each["free"], each["blockers"]) for each in await candidates(cast)}
    assert found == {
        str(free.id): (True, []),
        str(cast.nurse.id): (False, ["on_leave"]),
        str(novice.id): (False, ["not_verified", "too_few_years"]),
        str(busy.id): (False, ["busy"]),
        str(full.id): (False, ["fully_booked"]),
    }


async def test_the_order_is_the_same_every_time(cast: Cast) -> None:
    pool = await make_pool(cast.database, cast.service[0])
    off_duty = await cast.another_nurse()
    await make_shifts(cast.database, off_duty, pool, hours=(13 * 60, 18 * 60))
    loaded = await cast.another_nurse()
    await cast.assign(await cast.another_booking(starts_at=at(tomorrow(), "15:00")), loaded.id)
    knows = await cast.another_nurse()
    before = await cast.another_booking(patient_id=cast.booking.patient_id, starts_at=at(tomorrow(), "17:00"))
    as_before = await cast.assign(before, knows.id)
    async with cast.database.begin() as tx:
        (await require_visit(tx, as_before)).stage = Stage.CONFIRMED
    blocked = await cast.another_nurse(clinical_years=1)

    first = await candidates(cast)
    assert [each["clinician"]["id"] for each in first] == [
        str(each.id) for each in (knows, cast.nurse, loaded, off_duty, blocked)
    ]
    assert [each["knows_patient"] for each in first] == [True, False, False, False, False]
    assert [each["on_duty"] for each in first] == [None, None, None, False, None]
    assert [each["visits_that_day"] for each in first] == [1, 0, 1, 0, 0]
    assert await candidates(cast) == first
    assert await candidates(cast, limit=2) == first[:2]


async def test_whoever_is_assigned_is_not_blocked_by_that(cast: Cast) -> None:
    await cast.assign()
    (only,) = await candidates(cast)
    assert (only["free"], only["visits_that_day"]) == (True, 0)


async def test_candidates_are_of_the_hospital(cast: Cast, context: Context, api: Api) -> None:
    elsewhere = await make_cast(context, api)
    assert [each["clinician"]["id"] for each in await candidates(cast)] == [str(cast.nurse.id)]
    answer = await cast.as_desk.get(URL, params={"booking_id": str(elsewhere.booking.id)})
    refused(answer, 404, "not-found")
    refused(await cast.as_desk.get(URL, params={"booking_id": str(BookingId.new())}), 404, "not-found")


async def test_only_a_desk_asks(cast: Cast, api: Api) -> None:
    params = {"booking_id": str(cast.booking.id)}
    refused(await cast.as_nurse.get(URL, params=params), 403, "not-allowed")
    refused(await cast.as_patient.get(URL, params=params), 403, "not-allowed")
    refused(await api.get(URL, params=params), 401, "unauthenticated")
    refused(await cast.as_desk.get(URL), 422, "invalid-input")
