"""Whether a person is free is found by index, however many visits there are."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert, text

from tests.plans import Statements
from tests.scenes.visits import Cast
from yiyuebao_api.domains.visits import queries
from yiyuebao_api.domains.visits.models import Visit
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.kernel.ids import AccountId, BookingId, ClinicianId, HospitalId, PatientId, VisitId
from yiyuebao_api.kernel.paging import Paging


async def many_visits(cast: Cast, count: int) -> None:
    """Of forty clinicians of four hospitals over fifty days."""
    people = [(HospitalId.new(), ClinicianId.new(), AccountId.new()) for _ in range(39)]
    people.append((cast.site.hospital_id, cast.nurse.id, cast.nurse.account_id))
    template = await cast.row(await cast.assign())
    same = {column.key: getattr(template, column.key) for column in Visit.__table__.columns}
    rows = []
    for number in range(count):
        hospital_id, clinician_id, account_id = people[number % 40]
        shift = timedelta(hours=2 * (number // 40) + 4)
        rows.append(same | {
            "id": VisitId.new(), "booking_id": BookingId.new(), "hospital_id": hospital_id,
            "clinician_id": clinician_id, "clinician_account_id": account_id, "patient_id": PatientId.new(),
            "account_id": AccountId.new(), "stage": Stage.CONFIRMED,
            **{name: same[name] + shift for name in ("starts_at", "ends_at", "busy_from", "busy_until")},
        })  # fmt: skip
    async with cast.database.begin() as tx:
        await tx.execute(text("SET SESSION foreign_key_checks=0"))
        await tx.execute(insert(Visit), rows)
        await tx.execute(text("SET SESSION foreign_key_checks=1"))
        await tx.execute(text("ANALYZE TABLE visit"))


async def test_everything_goes_by_index(cast: Cast) -> None:
    await many_visits(cast, 4000)
    booking, nurse = cast.booking, cast.nurse
    first, last = queries.period_of(booking.starts_at.date())
    statements = Statements(cast.database)
    async with cast.database.begin() as tx:
        await queries.busy_among(tx, [nurse.account_id], booking.starts_at, booking.ends_at, but=booking.id)
        await queries.visits_on(tx, [nurse.id], first, last, but=booking.id)
        await queries.who_knows(tx, booking.patient_id, booking.hospital_id)
        await queries.lock_visit_of(tx, booking.id)
        await queries.list_visits_of_account(tx, booking.account_id, Paging(20, None), first=first, last=last)
    plans = (await statements.plans())["visit"]
    used = [plan["key"] for plan in plans]
    assert used[:4] == ["ix_visit_person", "ix_visit_clinician", "ix_visit_patient", "uq_visit_booking_id"]
    assert set(used[4].split("|")) <= {"ix_visit_account", "uq_visit_booking_id"}  # few bookings: by way of theirs
    assert all(int(str(plan["rows"]).split()[0]) <= 30 for plan in plans)  # "1 (0%)" with a filter by a second index
