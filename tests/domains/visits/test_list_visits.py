"""Visits by day: the clinician's own, and the hospital's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.client import Api, refused
from tests.scenes.schedules import at
from tests.scenes.visits import Cast, make_cast, tomorrow
from yiyuebao_api.context import Context
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.tokens import Mode

MINE, DESK, BOOKED = "/v1/visits/mine", "/v1/hospital/visits", "/v1/visits"


async def ids(client: Api, url: str, **params: Any) -> list[str]:
    answer = await client.get(url, params=params)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


async def three(cast: Cast) -> list[str]:
    """Tomorrow at 10 and at 14, and the day after at 9; assigned in another order."""
    day = tomorrow()
    same: dict[str, Any] = {"account_id": cast.booking.account_id}
    late = await cast.assign(await cast.another_booking(starts_at=at(day + timedelta(days=1), "09:00"), **same))
    afternoon = await cast.assign(await cast.another_booking(starts_at=at(day, "14:00"), **same))
    morning = await cast.assign()
    return [str(morning), str(afternoon), str(late)]


@pytest.mark.parametrize("whose", ["nurse", "desk"])
async def test_earliest_first_by_day(cast: Cast, whose: str) -> None:
    visits = await three(cast)
    client, url = (cast.as_nurse, MINE) if whose == "nurse" else (cast.as_desk, DESK)
    assert await ids(client, url) == visits
    assert await ids(client, url, day=str(tomorrow())) == visits[:2]
    assert await ids(client, url, day=str(tomorrow() + timedelta(days=1))) == visits[2:]
    assert await ids(client, url, day=str(tomorrow() - timedelta(days=1))) == []


@pytest.mark.parametrize("whose", ["nurse", "desk"])
async def test_pages_are_stable_while_visits_are_added(cast: Cast, whose: str) -> None:
    visits = await three(cast)
    client, url = (cast.as_nurse, MINE) if whose == "nurse" else (cast.as_desk, DESK)
    first = (await client.get(url, params={"limit": 1})).json()
    early = await cast.assign(await cast.another_booking(starts_at=at(tomorrow(), "07:00")))
    second = (await client.get(url, params={"limit": 1, "cursor": first["next_cursor"]})).json()
    third = (await client.get(url, params={"limit": 1, "cursor": second["next_cursor"]})).json()
    assert [page["items"][0]["id"] for page in (first, second, third)] == visits
    assert third["next_cursor"] is None
    assert await ids(client, url) == [str(early), *visits]


async def test_two_at_the_same_time_are_both_listed(cast: Cast) -> None:
    other = await cast.another_nurse()
    both = {str(await cast.assign()), str(await cast.assign(await cast.another_booking(), other.id))}
    first = (await cast.as_desk.get(DESK, params={"limit": 1})).json()
    second = (await cast.as_desk.get(DESK, params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert {first["items"][0]["id"], second["items"][0]["id"]} == both


async def test_the_desk_may_ask_for_a_stage(cast: Cast) -> None:
    visits = await three(cast)
    await cast.as_nurse.post(f"/v1/visits/{visits[1]}/depart")
    assert await ids(cast.as_desk, DESK, stage="departed") == [visits[1]]
    assert await ids(cast.as_desk, DESK, stage="assigned") == [visits[0], visits[2]]


async def test_the_list_is_masked_for_the_desk_and_not_for_who_goes(cast: Cast) -> None:
    await cast.assign()
    (for_desk,) = (await cast.as_desk.get(DESK)).json()["items"]
    assert (for_desk["address"]["detail"], for_desk["patient"]["phone"]) == (None, "138****8000")
    (for_nurse,) = (await cast.as_nurse.get(MINE)).json()["items"]
    assert for_nurse["address"]["detail"] == "滨海大道 1 号 2 栋 301"


async def test_who_booked_finds_the_visit_of_a_booking(cast: Cast, context: Context, api: Api) -> None:
    """The accident: agreement, code and confirmation wanted a visit's id, and no answer to a patient ever named one."""
    assert await ids(cast.as_patient, BOOKED, booking_id=str(cast.booking.id)) == []
    visits = await three(cast)
    assert await ids(cast.as_patient, BOOKED) == visits
    assert await ids(cast.as_patient, BOOKED, day=str(tomorrow())) == visits[:2]
    assert await ids(cast.as_patient, BOOKED, booking_id=str(cast.booking.id)) == visits[:1]
    assert await ids(cast.as_patient, BOOKED, booking_id=str(cast.booking.id), day=str(tomorrow() - timedelta(days=1))) == []
    (seen,) = (await cast.as_patient.get(BOOKED, params={"booking_id": str(cast.booking.id)})).json()["items"]
    assert (seen["stage"], seen["address"]["detail"]) == ("assigned", "滨海大道 1 号 2 栋 301")
    elsewhere = await make_cast(context, api)
    assert await ids(elsewhere.as_patient, BOOKED, booking_id=str(cast.booking.id)) == []


async def test_a_visit_of_the_past_is_found_by_its_booking(cast: Cast) -> None:
    """It is confirmed and reviewed days later."""
    visit = await cast.assign()
    clock.move(timedelta(days=3))
    later = await cast.signed_in(Mode.PATIENT, cast.booking.account_id)
    assert await ids(later, BOOKED) == []
    assert await ids(later, BOOKED, booking_id=str(cast.booking.id)) == [str(visit)]
    desk = await cast.signed_in(Mode.DESK)
    assert await ids(desk, DESK) == []
    assert await ids(desk, DESK, booking_id=str(cast.booking.id)) == [str(visit)]


async def test_nobody_sees_anothers(cast: Cast, context: Context, api: Api) -> None:
    await three(cast)
    elsewhere = await make_cast(context, api)
    other = await cast.another_nurse()
    assert await ids(elsewhere.as_desk, DESK) == []
    assert await ids(elsewhere.as_nurse, MINE) == []
    assert await ids(await cast.signed_in(Mode.CLINICIAN, other.account_id), MINE) == []
    assert await ids(await cast.signed_in(Mode.CLINICIAN), MINE) == []  # a role without a file


@pytest.mark.parametrize("url", [MINE, DESK, BOOKED])
@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"cursor": "bm90aGluZw"}, "invalid-cursor"),
        ({"cursor": "WyIyMDI2LTExLTI1IiwgInZzdF8wMWtqNHk4eDNoZjdhOWNxMnY1YjZuOG0wdCJd"}, "invalid-cursor"),
        ({"day": "0001-01-01"}, "invalid-input"),
        ({"day": "9999-12-31"}, "invalid-input"),
        ({"day": "tomorrow"}, "invalid-input"),
        ({"limit": 0}, "invalid-input"),
    ],
)
async def test_nonsense_is_refused(cast: Cast, url: str, params: dict[str, Any], code: str) -> None:
    client = {MINE: cast.as_nurse, DESK: cast.as_desk, BOOKED: cast.as_patient}[url]
    refused(await client.get(url, params=params), 422, code)


async def test_only_the_right_mode(cast: Cast, api: Api) -> None:
    refused(await cast.as_patient.get(MINE), 403, "not-allowed")
    refused(await cast.as_desk.get(MINE), 403, "not-allowed")
    refused(await cast.as_nurse.get(DESK), 403, "not-allowed")
    refused(await cast.as_nurse.get(BOOKED), 403, "not-allowed")
    refused(await api.get(BOOKED), 401, "unauthenticated")
    refused(await api.get(MINE), 401, "unauthenticated")
    refused(await api.get(DESK), 401, "unauthenticated")
