"""Tickets that open one socket once, and leases that say who is here."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import select

from yiyuebao_api.context import Context
from yiyuebao_api.kernel import clock, presence, tickets
from yiyuebao_api.kernel.ids import AccountId, RowId, SessionId
from yiyuebao_api.kernel.presence import LEASE, NEVER, Presence, PresenceLease
from yiyuebao_api.kernel.secrets import token_hash
from yiyuebao_api.kernel.tickets import LiveTicket
from yiyuebao_api.kernel.tokens import Claims, Mode

NOW = clock.system_now().replace(microsecond=0)
PHONE, TABLET = token_hash("phone"), token_hash("tablet")


def claims() -> Claims:
    return Claims(AccountId.new(), SessionId.new(), Mode.PATIENT, None)


async def test_a_ticket_works_once_whoever_shows_it_at_the_same_time(context: Context) -> None:
    mine = claims()
    async with context.begin() as tx:
        ticket = await tickets.issue(tx, mine, until=NOW + timedelta(minutes=9), now=NOW)

    async def show() -> object:
        async with context.begin() as tx:
            return await tickets.redeem(tx, ticket, now=NOW + timedelta(seconds=29))

    shown = await asyncio.gather(*(show() for _ in range(8)))
    assert [each for each in shown if each] == [(mine, NOW + timedelta(minutes=9))]
    async with context.begin() as tx:
        (row,) = (await tx.scalars(select(LiveTicket))).all()
    assert ticket.encode() not in row.hash
    assert row.used_at == NOW + timedelta(seconds=29)


async def test_a_ticket_ends_after_thirty_seconds_and_with_its_token(context: Context) -> None:
    async with context.begin() as tx:
        late = await tickets.issue(tx, claims(), until=NOW + timedelta(minutes=9), now=NOW)
        short = await tickets.issue(tx, claims(), until=NOW + timedelta(seconds=5), now=NOW)
    async with context.begin() as tx:
        assert await tickets.redeem(tx, late, now=NOW + tickets.LIFETIME) is None
        assert await tickets.redeem(tx, short, now=NOW + timedelta(seconds=5)) is None
        assert await tickets.redeem(tx, "invented", now=NOW) is None
    async with context.begin() as tx:
        await tickets.purge(tx, now=NOW + timedelta(hours=2), at_most=9)
        assert (await tx.scalars(select(LiveTicket))).all() == []


async def take(context: Context, account_id: AccountId, device: bytes, process: RowId, most: int = 5) -> RowId | None:
    socket_id = RowId.new()
    async with context.begin() as tx:
        taken = await presence.take(
            tx, account_id, device, socket_id=socket_id, process_id=process, most=most, now=NOW
        )
    return socket_id if taken else None


async def seen(context: Context, account_id: AccountId, after: timedelta = timedelta()) -> presence.Seen:
    async with context.begin() as tx:
        told = (await presence.seen(tx, [account_id], now=NOW + after))[account_id]
        rows = presence.presences(NOW + after)
        rank = await tx.scalar(select(rows.c.rank).where(rows.c.account_id == account_id))
    assert ["online", "busy", "offline"][2 if rank is None else rank] == told.presence
    return told


async def test_somebody_is_there_until_the_last_device_left(context: Context) -> None:
    account, process = AccountId.new(), RowId.new()
    assert await seen(context, account) == NEVER
    phone, tablet = await take(context, account, PHONE, process), await take(context, account, TABLET, process)
    assert phone
    assert tablet
    assert (await seen(context, account)).presence is Presence.ONLINE
    async with context.begin() as tx:
        await presence.set_busy(tx, account, busy=True)
    assert (await seen(context, account)).presence is Presence.BUSY
    async with context.begin() as tx:
        await presence.release(tx, process, [phone], now=NOW)
    assert (await seen(context, account)).presence is Presence.BUSY
    async with context.begin() as tx:
        await presence.release(tx, process, [tablet], now=NOW + timedelta(seconds=1))
    left = await seen(context, account, timedelta(seconds=2))
    assert left == presence.Seen(Presence.OFFLINE, NOW + timedelta(seconds=1))


async def test_a_process_that_died_keeps_nobody_online_for_longer_than_its_lease(context: Context) -> None:
    account, process = AccountId.new(), RowId.new()
    socket_id = await take(context, account, PHONE, process)
    assert socket_id
    assert (await seen(context, account, LEASE - timedelta(seconds=1))).presence is Presence.ONLINE
    assert (await seen(context, account, LEASE)).presence is Presence.OFFLINE
    async with context.begin() as tx:
        await presence.renew(tx, process, [socket_id], now=NOW + timedelta(seconds=15))
    assert (await seen(context, account, LEASE)).presence is Presence.ONLINE


async def test_a_device_takes_its_lease_along_to_another_process(context: Context) -> None:
    account, process = AccountId.new(), RowId.new()
    before, after = await take(context, account, PHONE, process), await take(context, account, PHONE, RowId.new())
    assert before
    assert after
    async with context.begin() as tx:
        await presence.release(tx, process, [before], now=NOW)
    assert (await seen(context, account)).presence is Presence.ONLINE, "the old process's goodbye came late"


async def test_only_so_many_devices_at_a_time_and_the_same_one_again(context: Context) -> None:
    account = AccountId.new()
    assert await take(context, account, PHONE, RowId.new(), most=2)
    assert await take(context, account, TABLET, RowId.new(), most=2)
    assert await take(context, account, token_hash("third"), RowId.new(), most=2) is None
    assert await take(context, account, PHONE, RowId.new(), most=2)
    async with context.begin() as tx:
        assert len((await tx.scalars(select(PresenceLease))).all()) == 2
        await presence.purge(tx, now=NOW + timedelta(days=40), at_most=9)
        assert (await tx.scalars(select(PresenceLease))).all() == []
