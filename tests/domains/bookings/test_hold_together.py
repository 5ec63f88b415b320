"""Holds that share a transaction: each is decided by itself, and nothing is ever half done."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from tests.client import Api
from tests.plans import Statements, numbers
from tests.scenes.bookings import Customer, Offered, make_customer, make_offer
from tests.scenes.files import uploaded
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts.models import Account
from yiyuebao_api.domains.accounts.rules import AccountStatus
from yiyuebao_api.domains.bookings.models import Booking, BookingLine, BookingMove
from yiyuebao_api.domains.bookings.rules import BookingState, Told
from yiyuebao_api.domains.bookings.service import AskedHold, Wish, hold_line, hold_together, prepare_hold
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import FileState, Purpose
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.idempotency import Answered, Once
from yiyuebao_api.kernel.ids import FileId
from yiyuebao_api.kernel.outbox import OutboxJob

EVERYTHING = (Booking, BookingLine, BookingMove, Claim, Once, OutboxJob)


async def asked(
    context: Context, customer: Customer, offered: Offered, starts_at: datetime | None = None, *,
    proofs: Sequence[FileId] = (),
) -> AskedHold:  # fmt: skip
    """A hold that lacks nothing but its place, under a key of its own."""
    wish = Wish(
        offered.service.id, Place.HOME, starts_at or offered.starts_at(), customer.patient.id,
        customer.address.id, Told(proof_ids=tuple(proofs)),
    )  # fmt: skip
    async with context.begin() as tx:
        hold = await prepare_hold(
            tx, context.begin, customer.account_id, wish, context.settings.business, now=clock.now()
        )
    key = Answered(f"patient:{customer.account_id}", secrets.token_hex(8), secrets.token_bytes(32), 201, "{}")
    return AskedHold(hold, key)


async def together(context: Context, some: Sequence[AskedHold]) -> list[str]:
    """The outcomes by name."""
    async with context.database.begin_wire() as wire:
        return [type(each).__name__ for each in await hold_together(wire, some)]


async def counts(context: Context) -> dict[str, int]:
    async with context.begin() as tx:
        return {
            model.__name__: (await tx.scalar(select(func.count()).select_from(model))) or 0 for model in EVERYTHING
        }


async def test_the_last_place_goes_to_the_first_and_the_others_are_told(api: Api, context: Context) -> None:
    offered = await make_offer(api, context, capacity=2)
    some = [await asked(context, await make_customer(api, context), offered) for _ in range(5)]
    assert await together(context, some) == ["Booking", "Booking", "SlotTaken", "SlotTaken", "SlotTaken"]
    lines = len(some[0].hold.lines)
    assert await counts(context) == {
        "Booking": 2, "BookingLine": 2 * lines, "BookingMove": 2, "Claim": 2, "Once": 2, "OutboxJob": 2,
    }  # fmt: skip


async def test_what_was_written_is_what_was_prepared(api: Api, context: Context) -> None:
    """Rows go past the session: every column of a booking reads back through it as it was meant."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    one = await asked(context, customer, offered)
    assert await together(context, [one]) == ["Booking"]
    async with context.begin() as tx:
        row = (await tx.scalars(select(Booking))).one()
        claim = (await tx.scalars(select(Claim))).one()
        job = (await tx.scalars(select(OutboxJob))).one()
        move = (await tx.scalars(select(BookingMove))).one()
        bill = list(await tx.scalars(select(BookingLine).order_by(BookingLine.position)))
    names = [column.key for column in Booking.__table__.columns]
    meant = one.hold.booking
    assert {name: getattr(row, name) for name in names} == {name: getattr(meant, name) for name in names}
    assert (claim.id, claim.subject, claim.held_until) == (meant.claim_id, str(meant.id), meant.hold_until)
    assert (claim.starts_at, claim.day) == (meant.starts_at, one.hold.want.day[1])
    assert (job.type, job.payload, job.run_at) == ("bookings.expire", {"id": str(meant.id)}, meant.hold_until)
    assert (move.to_state, move.actor_id, move.at) == (BookingState.HELD, str(customer.account_id), meant.created_at)
    assert [(line.kind, line.amount_fen) for line in bill] == list(one.hold.lines)


async def test_who_asks_for_many_is_counted_within_the_group(api: Api, context: Context) -> None:
    """Five of one account in one transaction: the fourth and the fifth meet the limit, whoever else is among them."""
    offered = await make_offer(api, context, capacity=9)
    eager, other = await make_customer(api, context), await make_customer(api, context)
    some = [await asked(context, eager, offered, offered.starts_at(hour=9 + hour)) for hour in range(5)]
    some.append(await asked(context, other, offered))
    assert await together(context, some) == [*["Booking"] * 3, *["TooManyHolds"] * 2, "Booking"]


async def test_a_patient_who_is_booked_within_the_group_is_booked(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context, capacity=9), await make_customer(api, context)
    some = [await asked(context, customer, offered) for _ in range(2)]
    assert await together(context, some) == ["Booking", "PatientAlreadyBooked"]


async def test_one_key_twice_in_a_group_is_one_booking(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context, capacity=9), await make_customer(api, context)
    first, second = [await asked(context, customer, offered, offered.starts_at(hour=hour)) for hour in (9, 12)]
    assert await together(context, [first, AskedHold(second.hold, first.answer)]) == ["Booking", "RequestInProgress"]


async def test_an_account_that_was_closed_meanwhile_books_nothing(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    hold = await asked(context, customer, offered)
    async with context.begin() as tx:
        await tx.execute(
            update(Account).where(Account.id == customer.account_id).values(status=AccountStatus.CLOSED)
        )
    assert await together(context, [hold]) == ["Unauthenticated"]
    assert not any((await counts(context)).values())


async def test_a_key_that_was_used_meanwhile_undoes_the_group_and_the_others_are_served_alone(
    api: Api, context: Context
) -> None:
    offered = await make_offer(api, context, capacity=9)
    some = [await asked(context, await make_customer(api, context), offered) for _ in range(4)]
    late = AskedHold((await asked(context, await make_customer(api, context), offered)).hold, some[0].answer)
    assert await together(context, some[:1]) == ["Booking"]
    with pytest.raises(IntegrityError):
        await together(context, [some[1], late])
    assert (await counts(context))["Booking"] == (await counts(context))["Claim"] == 1
    line = hold_line(context.database.begin_wire)
    outcomes = await asyncio.gather(
        *(line(each.hold.want.day, each) for each in [some[1], late, some[2], some[3]]), return_exceptions=True
    )
    assert [type(each).__name__ for each in outcomes] == ["Booking", "RequestInProgress", "Booking", "Booking"]
    assert (await counts(context))["Booking"] == (await counts(context))["Claim"] == (await counts(context))["Once"] == 4


async def test_a_proof_that_has_gone_meanwhile_stops_nobody_else(api: Api, context: Context) -> None:
    offered = await make_offer(api, context, capacity=9)
    one, other = await make_customer(api, context), await make_customer(api, context)
    proof = (await uploaded(context, one.account_id, Purpose.PRESCRIPTION)).id
    hold, plain = await asked(context, one, offered, proofs=[proof]), await asked(context, other, offered)
    async with context.begin() as tx:
        await tx.execute(update(File).where(File.id == proof).values(state=FileState.DELETING))
    line = hold_line(context.database.begin_wire)
    outcomes = await asyncio.gather(
        *(line(each.hold.want.day, each) for each in [hold, plain]), return_exceptions=True
    )
    assert [type(each).__name__ for each in outcomes] == ["FileNotFound", "Booking"]
    assert (await counts(context))["Booking"] == (await counts(context))["Claim"] == 1


async def test_a_line_sells_every_place_once(api: Api, context: Context) -> None:
    """Two lines, as two processes have them: forty want three hours of four places, which overlap by their buffers."""
    offered = await make_offer(api, context, capacity=4)
    customers = [await make_customer(api, context) for _ in range(40)]
    hours = [9, 10, 11, 10]
    some = [
        await asked(context, each, offered, offered.starts_at(hour=hours[number % 4]))
        for number, each in enumerate(customers)
    ]
    lines = [hold_line(context.database.begin_wire) for _ in range(2)]
    outcomes = await asyncio.gather(
        *(lines[number % 2](each.hold.want.day, each) for number, each in enumerate(some)), return_exceptions=True
    )
    told = Counter(type(each).__name__ for each in outcomes)
    assert told == {"Booking": told["Booking"], "SlotTaken": 40 - told["Booking"]}
    async with context.begin() as tx:
        claims = list(await tx.scalars(select(Claim)))
    assert len(claims) == told["Booking"]
    for moment in {claim.busy_from for claim in claims}:
        assert sum(claim.busy_from <= moment < claim.busy_until for claim in claims) <= 4


async def test_the_number_of_statements_does_not_grow_with_the_group(api: Api, context: Context) -> None:
    offered = await make_offer(api, context, capacity=30)
    assert await together(context, [await asked(context, await make_customer(api, context), offered)]) == ["Booking"]
    sizes: list[int] = []
    for size in (2, 12):
        some = [await asked(context, await make_customer(api, context), offered) for _ in range(size)]
        heard = Statements(context.database, "")
        assert set(await together(context, some)) == {"Booking"}
        sizes.append(len(heard.stop()))
    assert sizes[0] == sizes[1], sizes


async def test_what_is_asked_under_the_lock_goes_by_keys(api: Api, context: Context) -> None:
    """Among two thousand bookings of others."""
    offered = await make_offer(api, context, capacity=30)
    some = [await asked(context, await make_customer(api, context), offered) for _ in range(4)]
    assert await together(context, [await asked(context, await make_customer(api, context), offered)]) == ["Booking"]
    changed = {
        name: f"UNHEX(LEFT(SHA2(CONCAT('{name}', seq), 256), 32))" for name in ("id", "account_id", "claim_id")
    } | {"order_no": "CONCAT('B', seq)"}
    columns = [column.name for column in Booking.__table__.columns]
    copied = ", ".join(changed.get(name, f"booking.{name}") for name in columns)
    async with context.begin() as tx:
        connection = await tx.connection()
        await connection.exec_driver_sql(
            f"INSERT INTO booking ({', '.join(columns)}) SELECT {copied} FROM booking, {numbers(4)} WHERE seq < 2000"
        )
        await connection.exec_driver_sql("ANALYZE TABLE booking")
    heard = Statements(context.database)
    await together(context, some)
    plans = await heard.plans()
    used = {table: {row["key"] for row in rows} for table, rows in plans.items() if table}
    assert used["booking"] <= {"ix_booking_account", "ix_booking_patient"}
    assert used["pool_day"] == used["account"] == {"PRIMARY"}
