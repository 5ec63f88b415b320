"""The desk's roster and leave: what people do not work is not offered, and other hospitals' people are not there."""

from __future__ import annotations

from datetime import date, timedelta

from tests.client import Api, refused
from tests.domains.schedules.conftest import Desk
from tests.scenes.catalogue import make_service
from tests.scenes.clinicians import make_clinician
from tests.scenes.schedules import at, make_pool
from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.domains.schedules.service import duty_of, list_slots
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import LeaveId, PoolId, ServiceId

ROSTER, LEAVE = "/v1/hospital/schedules/roster", "/v1/hospital/schedules/leave"


def shift(pool_id: PoolId, weekday: int, start: str = "08:00", end: str = "12:00", most: int = 6) -> dict[str, object]:
    return {"pool_id": str(pool_id), "weekday": weekday, "start": start, "end": end, "max_visits_a_day": most}


async def left(database: Database, service_id: ServiceId, day: date) -> list[int]:
    async with database.begin() as tx:
        first, last = at(day, "00:00"), at(day, "24:00")
        slots = await list_slots(tx, service_id, first=first, last=last, place=Place.HOME, now=clock.now())
    return [slot.left for slot in slots]


async def test_roster_and_leave_change_what_is_offered(desk: Desk, database: Database) -> None:
    service, _ = await make_service(database, site=desk.site, duration_min=60, buffer_after_min=0)
    pool = await make_pool(database, service, capacity=5, hours=(480, 840))
    nurse = await make_clinician(database, desk.site.hospital_id)
    day = day_of(clock.now()) + timedelta(2)
    assert await left(database, service.id, day) == [5, 5, 5, 5, 5, 5]
    empty = await desk.api.get(f"{ROSTER}/{nurse.id}")
    assert empty.json()["shifts"] == []
    body = {"shifts": [shift(pool.id, weekday) for weekday in range(7)]}
    version = empty.json()["version"]
    refused(await desk.api.put(f"{ROSTER}/{nurse.id}", json=body), 428, "precondition-required")
    refused(await desk.api.put(f"{ROSTER}/{nurse.id}", json=body, version=version + 1), 412, "precondition-failed")
    written = await desk.api.put(f"{ROSTER}/{nurse.id}", json=body, version=version)
    assert len(written.json()["shifts"]) == 7
    refused(await desk.api.put(f"{ROSTER}/{nurse.id}", json=body, version=version), 412, "precondition-failed")
    assert await left(database, service.id, day) == [1, 1, 1, 1, 0, 0]

    first, last = (at(day, clock_).astimezone(SHANGHAI).isoformat() for clock_ in ("09:00", "10:00"))
    away = {"clinician_id": str(nurse.id), "first": first, "last": last, "reason": "体检"}
    leave = await desk.api.post(LEAVE, json=away)
    assert leave.status_code == 201
    assert await left(database, service.id, day) == [1, 0, 1, 1, 0, 0]
    today = {
        "from": at(day, "00:00").astimezone(SHANGHAI).isoformat(),
        "to": at(day, "24:00").astimezone(SHANGHAI).isoformat(),
    }
    assert (await desk.api.get(LEAVE, params=today)).json() == [leave.json()]
    lines = (await desk.api.get(ROSTER, params={"day": str(day)})).json()["items"]
    assert [(line["clinician_name"], line["leave"]) for line in lines] == [("王海燕", [leave.json()])]
    async with database.begin() as tx:
        assert not (await duty_of(tx, nurse.id, starts_at=at(day, "09:30"), ends_at=at(day, "10:30"))).on_duty
        assert (await duty_of(tx, nurse.id, starts_at=at(day, "10:30"), ends_at=at(day, "11:30"))).on_duty
    assert (await desk.api.delete(f"{LEAVE}/{leave.json()['id']}")).status_code == 204
    assert await left(database, service.id, day) == [1, 1, 1, 1, 0, 0]


async def test_shifts_of_a_day_do_not_overlap(desk: Desk, database: Database) -> None:
    service, _ = await make_service(database, site=desk.site)
    pool = await make_pool(database, service)
    nurse = await make_clinician(database, desk.site.hospital_id)
    version = (await desk.api.get(f"{ROSTER}/{nurse.id}")).json()["version"]
    body = {"shifts": [shift(pool.id, 0), shift(pool.id, 0, "11:00", "13:00")]}
    refused(await desk.api.put(f"{ROSTER}/{nurse.id}", json=body, version=version), 409, "hours-overlap")


async def test_strangers(api: Api, desk: Desk, stranger: Desk, database: Database) -> None:
    service, _ = await make_service(database, site=stranger.site)
    pool = await make_pool(database, service)
    nurse = await make_clinician(database, desk.site.hospital_id)
    theirs = await make_clinician(database, stranger.site.hospital_id)
    version = (await desk.api.get(f"{ROSTER}/{nurse.id}")).json()["version"]
    refused(
        await desk.api.put(f"{ROSTER}/{nurse.id}", json={"shifts": [shift(pool.id, 0)]}, version=version),
        404,
        "not-found",
    )
    refused(await desk.api.get(f"{ROSTER}/{theirs.id}"), 404, "not-found")
    refused(await desk.api.put(f"{ROSTER}/{theirs.id}", json={"shifts": []}, version=1), 404, "not-found")
    away = {"clinician_id": str(theirs.id), "first": "2030-01-01T08:00:00+08:00", "last": "2030-01-02T08:00:00+08:00"}
    refused(await desk.api.post(LEAVE, json=away), 404, "not-found")
    leave = (await stranger.api.post(LEAVE, json=away)).json()
    refused(await desk.api.delete(f"{LEAVE}/{leave['id']}"), 404, "not-found")
    refused(await desk.api.delete(f"{LEAVE}/{LeaveId.new()}"), 404, "not-found")
    refused(await api.get(ROSTER, params={"day": "2030-01-01"}), 401, "unauthenticated")
    refused(await desk.api.post(LEAVE, json={**away, "last": away["first"]}), 422, "invalid-input")
    long = {"from": "2030-01-01T08:00:00+08:00", "to": "2031-01-01T08:00:00+08:00"}
    refused(await desk.api.get(LEAVE, params=long), 422, "period-not-listable")
    assert (await desk.api.get(ROSTER, params={"day": "2030-01-01"})).json()["items"] == []
