"""Whoever holds a place when the process is killed (-9), or when its locks cross another's, holds it whole or not at all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from tests.client import Api
from tests.faults.locking import held_up, locked
from tests.faults.processes import Service
from tests.scenes.bookings import Customer, hold, make_customer, make_offer
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts.queries import lock_account
from yiyuebao_api.domains.bookings.models import Booking, BookingLine, BookingMove
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.domains.schedules.queries import lock_days
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.kernel.database import is_contention
from yiyuebao_api.kernel.idempotency import Once
from yiyuebao_api.kernel.outbox import OutboxJob

WRITTEN = (Booking, BookingLine, BookingMove, Claim, Once, OutboxJob)


async def counts(context: Context) -> list[int]:
    async with context.begin() as tx:
        return [(await tx.scalar(select(func.count()).select_from(model))) or 0 for model in WRITTEN]


@pytest.mark.parametrize("table", ["booking", "idempotency_key", "claim", "booking_line", "booking_move", "outbox"])
async def test_killed_in_the_middle_of_a_group_everybody_holds_all_of_it_or_nothing(
    api: Api, context: Context, env: Mapping[str, str], tmp_path: Path, table: str
) -> None:
    """At each table it writes. Who asks again under the same keys has a place, once: the first one, if the packet with the
    commit had left already (then the server carries it out, whoever has died), else a new one."""
    offered = await make_offer(api, context, capacity=6)
    customers = [await make_customer(api, context) for _ in range(6)]
    keys = {each.account_id: secrets.token_hex(8) for each in customers}
    before = await counts(context)

    async def ask(client: httpx.AsyncClient, who: Customer) -> httpx.Response:
        headers = {"Authorization": f"Bearer {who.api.token}", "Idempotency-Key": keys[who.account_id]}
        return await client.post("/v1/bookings", json=who.wish(offered), headers=headers)

    with Service(tmp_path, env) as service:
        await service.answers()
        async with httpx.AsyncClient(base_url=service.url, timeout=30, trust_env=False) as client:
            async with locked(context, table):
                asking = [asyncio.create_task(ask(client, each)) for each in customers]
                async with asyncio.timeout(20):
                    while not await held_up(context, 1):
                        await asyncio.sleep(0.02)
                assert service.process is not None
                service.process.kill()
                lost = await asyncio.gather(*asking, return_exceptions=True)
            assert all(isinstance(each, httpx.HTTPError) for each in lost), lost
    again = [
        await each.api.post("/v1/bookings", key=keys[each.account_id], json=each.wish(offered)) for each in customers
    ]
    assert [each.status_code for each in again] == [201] * 6
    lines = len(again[0].json()["lines"])
    assert [now - then for now, then in zip(await counts(context), before, strict=True)] == [6, 6 * lines, 6, 6, 6, 6]


async def test_killed_after_the_commit_the_answer_is_kept(
    api: Api, context: Context, env: Mapping[str, str], tmp_path: Path
) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    before = (await counts(context))[0]
    headers = {"Authorization": f"Bearer {customer.api.token}", "Idempotency-Key": "k"}
    with Service(tmp_path, env) as service:
        await service.answers()
        async with httpx.AsyncClient(base_url=service.url, timeout=30, trust_env=False) as client:
            first = await client.post("/v1/bookings", json=customer.wish(offered), headers=headers)
            assert first.status_code == 201
            assert service.process is not None
            service.process.kill()
    again = await customer.api.post("/v1/bookings", key="k", json=customer.wish(offered))
    assert (again.status_code, again.content) == (201, first.content), "byte for byte"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await counts(context))[0] == before + 1


async def test_locks_that_cross_are_nobodys_trouble(api: Api, context: Context) -> None:
    """Somebody holds the day and wants the account, while a hold has the account and wants the day: one is run again."""
    before = (await counts(context))[0]
    for _ in range(3):
        offered, customer = await make_offer(api, context), await make_customer(api, context)
        day = (offered.pool.id, day_of(offered.starts_at()))
        asking: asyncio.Task[object] | None = None
        try:
            async with context.begin() as tx:
                await lock_days(tx, [day])
                asking = asyncio.create_task(hold(customer, offered))
                await asyncio.sleep(0.3)
                await lock_account(tx, customer.account_id)
        except OperationalError as error:
            if not is_contention(error):
                raise
        assert asking is not None
        await asking
    assert (await counts(context))[0] == before + 3
