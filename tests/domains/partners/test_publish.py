"""An event, its deliveries and their jobs exist if and only if the change committed."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from tests.scenes.partners import booking_data, deliveries_of, make_endpoint, publish_booking
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.notices.service import tell_account, tell_hospital
from yiyuebao_api.domains.partners.models import Delivery, PartnerEvent
from yiyuebao_api.domains.partners.queries import lock_endpoint, lock_feed
from yiyuebao_api.domains.partners.rules import DeliveryState, EndpointState
from yiyuebao_api.domains.partners.service import DELIVER, publish
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId, BookingId, ClinicianId, HospitalId, VisitId
from yiyuebao_api.kernel.outbox import OutboxJob
from yiyuebao_api.kernel.problems import Words

URL = "https://his.example.com/hook"
WORDS = Words("新订单", "New order")


async def _counted(database: Database) -> dict[str, int]:
    async with database.begin() as tx:
        return {
            model.__tablename__: (await tx.scalar(select(func.count()).select_from(model))) or 0
            for model in (PartnerEvent, Delivery, OutboxJob, Notice)
        }


async def _paid(database: Database, hospital_id: HospitalId, *, fails: bool) -> None:
    booking_id = BookingId.new()
    async with database.begin() as tx:
        now = clock.now()
        await publish(tx, hospital_id, "booking.paid", booking_data(booking_id), subject=booking_id, now=now)
        for tell in (
            tell_hospital(tx, hospital_id, "booking.paid", title=WORDS, body=WORDS, subject=booking_id, now=now),
            tell_account(tx, AccountId.new(), "booking.paid", title=WORDS, body=WORDS, subject=booking_id, now=now),
        ):
            await tell
        await tx.flush()
        if fails:
            raise RuntimeError("the change did not happen")


async def test_a_committed_change_leaves_event_delivery_job_and_notices(database: Database) -> None:
    hospital_id = HospitalId.new()
    await make_endpoint(database, hospital_id, URL)
    await make_endpoint(database, hospital_id, URL + "/2")
    await _paid(database, hospital_id, fails=False)
    assert await _counted(database) == {"partner_event": 1, "webhook_delivery": 2, "outbox": 2, "notice": 2}
    [first, second] = await deliveries_of(database)
    assert {first.state, second.state} == {DeliveryState.PENDING}
    async with database.begin() as tx:
        jobs = (await tx.scalars(select(OutboxJob))).all()
    assert {(job.type, job.payload["id"]) for job in jobs} == {(DELIVER, str(first.id)), (DELIVER, str(second.id))}


async def test_a_rolled_back_change_leaves_nothing(database: Database) -> None:
    hospital_id = HospitalId.new()
    await make_endpoint(database, hospital_id, URL)
    with pytest.raises(RuntimeError):
        await _paid(database, hospital_id, fails=True)
    assert await _counted(database) == {"partner_event": 0, "webhook_delivery": 0, "outbox": 0, "notice": 0}


async def test_only_active_endpoints_of_the_hospital_that_listen_are_told(database: Database) -> None:
    hospital_id = HospitalId.new()
    all_of_it = await make_endpoint(database, hospital_id, URL)
    paid_only = await make_endpoint(database, hospital_id, URL, event_types=["booking.paid"])
    await make_endpoint(database, hospital_id, URL, event_types=["visit.arrived"])
    await make_endpoint(database, hospital_id, URL, state=EndpointState.PAUSED)
    await make_endpoint(database, hospital_id, URL, state=EndpointState.DISABLED)
    await make_endpoint(database, hospital_id, URL, deleted_at=clock.now())
    await make_endpoint(database, HospitalId.new(), URL)
    await publish_booking(database, hospital_id)
    assert {each.endpoint_id for each in await deliveries_of(database)} == {all_of_it.id, paid_only.id}


async def test_an_event_is_kept_for_the_feed_even_when_nobody_listens(database: Database) -> None:
    await publish_booking(database, HospitalId.new())
    assert (await _counted(database))["partner_event"] == 1


async def test_what_does_not_fit_the_published_shape_is_a_mistake_of_ours(database: Database) -> None:
    hospital_id, booking_id = HospitalId.new(), BookingId.new()
    for kind, data in [
        ("booking.paid", booking_data(patient_name="张三")),
        ("booking.paid", booking_data(total_fen=-1)),
        ("booking.paid", booking_data(booking_id=None) | {"booking_id": VisitId.new()}),
        ("booking.paid", {}),
        ("booking.unheard-of", booking_data()),
    ]:
        with pytest.raises(ValueError):
            async with database.begin() as tx:
                await publish(tx, hospital_id, kind, data, subject=booking_id, now=clock.now())
    assert (await _counted(database))["partner_event"] == 0


async def test_data_is_stored_as_it_goes_on_the_wire(database: Database) -> None:
    booking_id, clinician_id, hospital_id = BookingId.new(), ClinicianId.new(), HospitalId.new()
    async with database.begin() as tx:
        event_id = await publish(
            tx, hospital_id, "booking.assigned", booking_data(booking_id, state="assigned", clinician_id=clinician_id),
            subject=booking_id, now=clock.now(),
        )  # fmt: skip
    async with database.begin() as tx:
        event = await tx.get_one(PartnerEvent, event_id)
    assert event.subject == str(booking_id)
    assert event.data["booking_id"] == str(booking_id)
    assert event.data["clinician_id"] == str(clinician_id)
    assert event.data["starts_at"] == "2026-11-25T09:00:00+08:00"
    assert event.data["reason"] is None


async def test_publishing_holds_no_lock_that_a_delivery_waits_for(database: Database) -> None:
    """A long transaction that has published does not stop another from writing its endpoint's health down."""
    hospital_id = HospitalId.new()
    endpoint = await make_endpoint(database, hospital_id, URL)
    published, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.begin() as tx:
            subject = BookingId.new()
            await publish(tx, hospital_id, "booking.paid", booking_data(), subject=subject, now=clock.now())
            await tx.flush()
            published.set()
            await go.wait()

    holding = asyncio.create_task(slow())
    await published.wait()
    try:
        async with asyncio.timeout(1), database.begin() as tx:
            await lock_endpoint(tx, endpoint.id)
            await lock_feed(tx, hospital_id)
        await publish_booking(database, hospital_id)
    finally:
        go.set()
        await holding
    assert len(await deliveries_of(database)) == 2
