"""Forgetting: only what is listed and old, in small pieces, by index, whatever else goes wrong."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import pytest
from pydantic import ValidationError
from sqlalchemy import func, insert, select, text

from tests.plans import Statements, numbers
from tests.scenes.forgetting import LEFT, YEARS, made_at, make_old_and_new
from yiyuebao_api import tables
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts import service as accounts
from yiyuebao_api.domains.notices import service as notices
from yiyuebao_api.domains.notices.models import Audience, Notice
from yiyuebao_api.domains.partners import service as partners
from yiyuebao_api.domains.schedules import service as schedules
from yiyuebao_api.domains.schedules.rules import MOST_DAYS_AHEAD
from yiyuebao_api.kernel import clock, idempotency, inbox, outbox, presence, purging, tickets
from yiyuebao_api.kernel.database import Database, Model
from yiyuebao_api.kernel.ids import AccountId, NoticeId
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.settings import Keeping

#: Nothing of people, money or care is ever deleted by the hour.
UNTOUCHED = frozenset({
    "audit_entry", "audit_seal", "payment", "refund", "posting", "ledger_entry", "accrual", "booking", "booking_move", "visit",
    "consultation", "consultation_message", "consent", "account", "patient", "file",
})  # fmt: skip


async def count(database: Database, model: type[Model]) -> int:
    async with database.begin() as tx:
        return (await tx.scalar(select(func.count()).select_from(model))) or 0


async def make_notices(database: Database, old: int, new: int) -> None:
    now = clock.system_now()
    rows = [
        {
            "id": made_at(NoticeId, now - age), "audience": Audience.ACCOUNT, "account_id": AccountId.new(), "hospital_id": None,
            "kind": "booking.paid", "title": "x", "body": "x", "subject_kind": "booking", "subject_id": "x",
            "created_at": now - age, "read_at": None,
        }
        for age, times in ((YEARS, old), (timedelta(), new)) for _ in range(times)
    ]  # fmt: skip
    async with database.begin() as tx:
        await tx.execute(insert(Notice), rows)
        await tx.execute(text("ANALYZE TABLE notice"))


async def test_what_is_old_goes_and_all_else_stays(context: Context, worker: Worker[Context]) -> None:
    await make_old_and_new(context)
    assert await worker.drain("housekeeping.purge") == 1
    assert {model: await count(context.database, model) for model in LEFT} == LEFT
    await worker.drain("housekeeping.purge")
    assert {model: await count(context.database, model) for model in LEFT} == LEFT, "once more changes nothing"


async def test_two_at_once_do_not_disturb_each_other(context: Context) -> None:
    await make_notices(context.database, 2_500, 10)
    part = {"notices": partial(notices.purge, kept=timedelta(days=365), now=clock.system_now())}
    done = await asyncio.gather(*(purging.purge(context.begin, part, at_most=300) for _ in range(3)))
    assert sum(each["notices"] for each in done) == 2_500
    assert await count(context.database, Notice) == 10


async def test_a_part_that_fails_does_not_keep_the_others(context: Context) -> None:
    """The accident: one broken table, and no other was ever emptied again."""
    await make_notices(context.database, 5, 1)

    async def broken(_: object, /, *, at_most: int) -> int:
        raise RuntimeError(f"not even {at_most}")

    good = partial(notices.purge, kept=timedelta(days=365), now=clock.system_now())
    with pytest.raises(RuntimeError):
        await purging.purge(context.begin, {"broken": broken, "notices": good})
    assert await count(context.database, Notice) == 1


async def test_the_law_is_no_setting() -> None:
    """RULE-72, RULE-152: three years of what the payment provider said, half a year of logs."""
    shortest = {"provider_message_days": 1095, "claim_days": 1095, "delivery_days": 183, "event_days": 183, "notice_days": 30}
    for name, days in shortest.items():
        with pytest.raises(ValidationError):
            Keeping.model_validate({name: days - 1})


def test_no_place_is_forgotten_before_its_day() -> None:
    """The accident: a claim purged while it still counted, and one nurse sold twice."""
    assert Keeping().claim_days > 2 * MOST_DAYS_AHEAD


async def test_nothing_of_people_money_or_care_is_deleted(context: Context, worker: Worker[Context]) -> None:
    await make_old_and_new(context)
    deletes = Statements(context.database, "DELETE")
    await worker.drain("housekeeping.purge")
    emptied = {statement.split()[2].strip("`") for statement, _ in deletes.stop()}
    assert emptied == {model.__tablename__ for model in LEFT}
    assert not emptied & UNTOUCHED
    assert set(tables.metadata.tables) >= UNTOUCHED


async def test_every_delete_goes_by_index(context: Context) -> None:
    """However much there is that must stay: nothing but the old rows is read."""
    database, now = context.database, clock.system_now()
    await make_old_and_new(context)
    await make_notices(database, 20, 4_000)
    await fill(database, 4)
    statements = Statements(database, "DELETE")
    parts: dict[str, purging.Part] = {
        "keys": partial(idempotency.purge, now=now),
        "sessions": partial(accounts.purge, now=clock.now()),
        "tickets": partial(tickets.purge, now=clock.now()),
        "presence": partial(presence.purge, now=now),
        "notices": partial(notices.purge, kept=timedelta(days=365), now=now),
        "deliveries": partial(partners.purge_deliveries, kept=timedelta(days=183), now=now),
        "events": partial(partners.purge_events, kept=timedelta(days=365), now=now),
        "claims": partial(schedules.purge_claims, kept=timedelta(days=1095), now=now),
        "messages": partial(inbox.purge, kept=timedelta(days=1095), now=now),
        "jobs": partial(outbox.purge, jobs=["partners.deliver"], kept=timedelta(days=183), now=clock.now()),
    }
    await purging.purge(context.begin, parts)
    await make_old_and_new(context)
    await make_notices(database, 20, 0)
    found = await statements.plans()
    assert set(found) == {model.__tablename__ for model in LEFT}
    for plan in [plan for plans in found.values() for plan in plans]:
        assert plan["key"] is not None, plan
        assert int(plan["rows"]) < 100, plan


#: What makes a copy of the youngest row of a table another row, of the same age.
_COPY = "UNHEX(CONCAT(SUBSTR(HEX(one.{0}), 1, 16), LPAD(HEX(seq), 16, '0')))"
_COPIED = {
    "partner_event": {"id": _COPY.format("id")},
    "webhook_delivery": {"id": _COPY.format("id"), "event_id": _COPY.format("event_id")},
    "claim": {"id": _COPY.format("id"), "day": "one.day + INTERVAL (seq MOD 7) DAY"},
    "inbox": {"id": _COPY.format("id"), "external_id": "CONCAT('x', seq)"},
    "outbox": {"id": _COPY.format("id"), "state": "'ready'"},
    "idempotency_key": {"key": "CONCAT('k', seq)"},
    "sms_code": {"id": _COPY.format("id")},
    "sign_in_allowance": {"subject": "UNHEX(SHA2(seq, 256))"},
    "live_ticket": {"hash": "UNHEX(SHA2(seq, 256))"},
    "presence_lease": {"device": "UNHEX(SHA2(seq, 256))"},
    "session": {"id": _COPY.format("id")},
    "refresh_token": {"hash": "UNHEX(SHA2(seq, 256))", "session_id": _COPY.format("session_id")},
}
#: How its youngest is found; of tokens the first, which is of the session that lives.
_YOUNGEST = {
    "inbox": "received_at DESC", "sign_in_allowance": "last_at DESC", "live_ticket": "expires_at DESC",
    "presence_lease": "until DESC", "session": "expires_at DESC", "refresh_token": "issued_at",
}  # fmt: skip


async def fill(database: Database, digits: int) -> None:
    """Ten thousand young rows of each kind."""
    async with database.begin() as tx:
        for table, changed in _COPIED.items():
            names = [column.name for column in tables.metadata.tables[table].columns]
            columns = ", ".join(f"`{name}`" for name in names)
            values = ", ".join(changed.get(name, f"one.`{name}`") for name in names)
            youngest = f"SELECT * FROM `{table}` ORDER BY {_YOUNGEST.get(table, 'created_at DESC')} LIMIT 1"
            await tx.execute(text(
                f"INSERT INTO `{table}` ({columns}) SELECT {values} FROM {numbers(digits)} JOIN ({youngest}) AS one"
            ))  # fmt: skip
            await tx.execute(text(f"ANALYZE TABLE `{table}`"))
