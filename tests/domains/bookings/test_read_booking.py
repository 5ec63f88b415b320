"""One of my bookings: who calls, the booking and its bill in one statement, each found by its key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from tests.client import Api, refused
from tests.plans import Statements, numbers
from tests.scenes.bookings import Customer, make_customer, make_offer
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts.models import Session
from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Booking, BookingLine
from yiyuebao_api.domains.bookings.schemas import BookingOut
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import BookingId


async def booked(api: Api, context: Context) -> tuple[Customer, dict[str, Any]]:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    made = await customer.api.post("/v1/bookings", key="a", json=customer.wish(offered))
    assert made.status_code == 201, made.text
    return customer, made.json()


async def other_bills(context: Context) -> None:
    """Many of them: of the handful in an empty table a server may as well read every one."""
    bills = (
        "INSERT INTO booking_line (booking_id, position, kind, amount_fen)"
        f" SELECT UNHEX(LPAD(HEX(seq), 32, '0')), 0, 'visit_fee', 100 FROM {numbers(4)} WHERE seq < 3000"
    )
    async with context.database.engine.begin() as connection:
        for words in ("SET SESSION foreign_key_checks = 0", bills, "SET SESSION foreign_key_checks = 1"):
            await connection.exec_driver_sql(words)
    async with context.database.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE TABLE booking_line")


async def test_it_reads_what_the_unit_of_work_reads(api: Api, context: Context) -> None:
    """Two ways to the same row must tell the same, field by field, sealed ones too."""
    customer, made = await booked(api, context)
    shown = (await customer.api.get(f"/v1/bookings/{made['id']}")).json()
    async with context.begin() as tx:
        booking = await tx.get_one(Booking, BookingId.parse(made["id"]))
        lines = (await queries.lines_of(tx, [booking.id]))[booking.id]
    assert shown == BookingOut.of(booking, lines, clock.now()).model_dump(mode="json")
    assert len(shown["lines"]) == 4
    assert shown["patient_name"]


async def test_one_statement_and_each_part_is_found_by_its_key(api: Api, context: Context) -> None:
    customer, made = await booked(api, context)
    await other_bills(context)
    statements = Statements(context.database)
    assert (await customer.api.get(f"/v1/bookings/{made['id']}")).status_code == 200
    assert len(statements.sent) == 1
    plans = await statements.plans()
    found = {step["table"]: (step["type"], step["key"]) for steps in plans.values() for step in steps}
    assert found[Session.__tablename__] == found[Booking.__tablename__] == ("const", "PRIMARY")
    assert found[BookingLine.__tablename__] == ("ref", "PRIMARY")
    of_rows = {kind for table, (kind, _) in found.items() if table and not table.startswith("<")}  # MySQL: a row put aside
    assert "ALL" not in of_rows, found


async def test_signed_out_is_signed_out_at_once(api: Api, context: Context) -> None:
    customer, made = await booked(api, context)
    async with context.begin() as tx:
        await tx.execute(update(Session).where(Session.account_id == customer.account_id).values(revoked_at=clock.now()))
    refused(await customer.api.get(f"/v1/bookings/{made['id']}"), 401, "unauthenticated")
    refused(await customer.api.get(f"/v1/bookings/{BookingId.new()}"), 401, "unauthenticated")
    refused(await customer.api.get("/v1/bookings/nonsense"), 401, "unauthenticated")
