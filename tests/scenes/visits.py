"""Scenes of visits: bookings that a hospital has accepted, and everybody who takes part, signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from tests.client import Api
from tests.scenes.accounts import make_account, sign_in
from tests.scenes.catalogue import make_service
from tests.scenes.clinicians import make_clinician
from tests.scenes.hospitals import make_site
from tests.scenes.patients import HAIKOU, make_address, make_patient
from tests.scenes.schedules import at
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import BookingState, Policy
from yiyuebao_api.domains.catalogue.models import Service, ServiceVersion
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.grants.rules import Basis
from yiyuebao_api.domains.grants.service import open_grant
from yiyuebao_api.domains.hospitals.models import Site
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.domains.visits.models import Visit, VisitStep
from yiyuebao_api.domains.visits.queries import require_visit, steps_of
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId, BookingId, ClaimId, ClinicianId, VisitId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.tokens import Mode

#: At the patient's door, and two kilometres north of it; GCJ-02.
DOOR = {"lat": HAIKOU.lat, "lng": HAIKOU.lng}
FAR_AWAY = {"lat": HAIKOU.lat + 0.018, "lng": HAIKOU.lng}
#: The least that ends a visit.
RECORD: dict[str, Any] = {
    "vital_signs_before": {"temperature_c": 36.6, "pulse_bpm": 76, "systolic_mmhg": 132, "diastolic_mmhg": 84},
    "procedure": "清洁切口，更换敷料。", "observations": "切口干燥，无红肿渗液。",
    "materials": [{"name": "一次性换药包", "quantity": 1, "batch_no": "20260801"}], "advice": "保持干燥，三天后复查。",
}  # fmt: skip
_numbers = count(1)


def tomorrow() -> date:
    """The day after today in Shanghai, on which these scenes take place."""
    return day_of(clock.now()) + timedelta(days=1)


async def make_accepted_booking(
    database: Database, service: tuple[Service, ServiceVersion], *, account_id: AccountId | None = None,
    place: Place = Place.HOME, starts_at: datetime | None = None, minutes: int = 60, **changes: Any,
) -> Booking:  # fmt: skip
    """A paid booking that the service's hospital has accepted; by default tomorrow at ten, at home."""
    account_id = account_id or (await make_account(database)).id
    patient = await make_patient(database, account_id)
    address, snapshot = None, None
    if place is Place.HOME:
        address = await make_address(database, account_id)
        snapshot = {
            "recipient": address.recipient, "phone": address.phone, "adcode": address.adcode,
            "district": address.district, "detail": address.detail, "lat": address.point.lat, "lng": address.point.lng,
        }  # fmt: skip
    starts_at, now = starts_at or at(tomorrow(), "10:00"), clock.now()
    offer, version = service
    values: dict[str, Any] = {
        "id": BookingId.new(), "order_no": f"B261123{next(_numbers):014d}", "account_id": account_id,
        "patient_id": patient.id, "hospital_id": offer.hospital_id, "site_id": offer.site_id, "service_id": offer.id,
        "service_version_id": version.id, "service_code": offer.code, "service_name": version.name, "place": place,
        "address_id": address and address.id, "address": snapshot,
        "contact": {"name": patient.name, "phone": patient.phone}, "note": "请先打电话", "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=minutes), "state": BookingState.ACCEPTED, "visit_stage": None,
        "hold_until": now, "claim_id": ClaimId.new(), "total_fen": Fen(24500), "policy": Policy().as_row(),
        "payment_id": None, "paid_at": now, "reschedules": 0, "refunded_fen": Fen(0), "refund_due_fen": Fen(0), "created_at": now,
        **changes,
    }  # fmt: skip
    booking = Booking(**values)
    async with database.begin() as tx:
        tx.add(booking)
        await open_grant(
            tx, patient_id=booking.patient_id, grantee=booking.hospital_id, basis=Basis.BOOKING, subject=booking.id, now=now
        )
    return booking


async def sign(patient: Api, visit_id: VisitId | str, **changes: Any) -> dict[str, Any]:
    """The patient's side reads what is to be done and agrees to it."""
    path = f"/v1/visits/{visit_id}/agreement"
    text = (await patient.get(path)).json()
    answer = await patient.post(path, json={"sha256": text["sha256"], "read_at": text["served_at"], **changes})
    assert answer.status_code == 200, answer.text
    signed: dict[str, Any] = answer.json()
    return signed


@dataclass(frozen=True, slots=True)
class Cast:
    """An accepted booking, a nurse who may be sent to it, and everybody's own client."""

    database: Database
    context: Context
    site: Site
    service: tuple[Service, ServiceVersion]
    booking: Booking
    nurse: Clinician
    as_desk: Api
    as_nurse: Api
    as_patient: Api
    as_stranger: Api

    async def assign(self, booking: Booking | None = None, clinician_id: ClinicianId | None = None) -> VisitId:
        """The desk sends the nurse to the booking."""
        body = {"booking_id": str((booking or self.booking).id), "clinician_id": str(clinician_id or self.nurse.id)}
        answer = await self.as_desk.post("/v1/hospital/visits", json=body)
        assert answer.status_code == 201, answer.text
        return VisitId.parse(answer.json()["id"])

    async def step(self, visit_id: VisitId, *steps: str) -> dict[str, Any]:
        """The nurse does some steps in order; the last answer."""
        bodies: dict[str, Any] = {"arrive": DOOR, "finish": {"record": RECORD}}
        body: dict[str, Any] = {}
        for name in steps:
            if name == "start":
                theirs = await self.signed_in(Mode.PATIENT, (await self.row(visit_id)).account_id)
                await sign(theirs, visit_id)
            if name == "check-in":
                code = (await self.as_patient.get(f"/v1/visits/{visit_id}/code")).json()["code"]
                answer = await self.as_nurse.post(f"/v1/visits/{visit_id}/check-in", json={"code": code})
            else:
                answer = await self.as_nurse.post(f"/v1/visits/{visit_id}/{name}", json=bodies.get(name, {}))
            assert answer.status_code == 200, answer.text
            body = answer.json()
        return body

    async def another_booking(self, **changes: Any) -> Booking:
        """One more accepted booking at the hospital."""
        return await make_accepted_booking(self.database, self.service, **changes)

    async def another_nurse(self, **changes: Any) -> Clinician:
        """One more verified nurse of the hospital."""
        return await make_clinician(self.database, self.site.hospital_id, **changes)

    async def signed_in(self, mode: Mode, account_id: AccountId | None = None, *, elsewhere: bool = False) -> Api:
        """Somebody's client, in a mode of this hospital; `elsewhere` of another one."""
        tenant = None if mode in (Mode.PATIENT, Mode.OPERATOR) or elsewhere else self.site.hospital_id
        session = await sign_in(self.database, self.context.tokens, account_id, mode=mode, hospital_id=tenant)
        return self.as_desk.signed_in(session.access_token)

    async def row(self, visit_id: VisitId) -> Visit:
        """The visit as the table has it now."""
        async with self.database.begin() as tx:
            return await require_visit(tx, visit_id)

    async def steps(self, visit_id: VisitId) -> list[VisitStep]:
        """Its history."""
        async with self.database.begin() as tx:
            return list(await steps_of(tx, visit_id))

    async def booking_row(self) -> Booking:
        """The booking as the table has it now."""
        async with self.database.begin() as tx:
            return await tx.get_one(Booking, self.booking.id)


async def make_cast(
    context: Context, api: Api, *, place: Place = Place.HOME, starts_at: datetime | None = None
) -> Cast:
    """Everything a visit needs, just before the desk assigns it."""
    database = context.database
    site = await make_site(database)
    service = await make_service(database, site=site)
    booking = await make_accepted_booking(database, service, place=place, starts_at=starts_at)
    nurse = await make_clinician(database, site.hospital_id)

    async def client(mode: Mode, account_id: AccountId | None = None) -> Api:
        tenant = None if mode is Mode.PATIENT else site.hospital_id
        session = await sign_in(database, context.tokens, account_id, mode=mode, hospital_id=tenant)
        return api.signed_in(session.access_token)

    return Cast(
        database=database, context=context, site=site, service=service, booking=booking, nurse=nurse,
        as_desk=await client(Mode.DESK), as_nurse=await client(Mode.CLINICIAN, nurse.account_id),
        as_patient=await client(Mode.PATIENT, booking.account_id), as_stranger=await client(Mode.PATIENT),
    )  # fmt: skip
