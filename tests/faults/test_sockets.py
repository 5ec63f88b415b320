"""Sockets over several processes: one message, two processes; a process that ends, and one that is killed."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from tests.client import Api
from tests.faults.processes import Process, two
from tests.scenes.consultations import make_consultation, make_pair, say
from tests.servers import Redis
from tests.sockets import Device
from yiyuebao_api.context import Context
from yiyuebao_api.domains.consultations.models import Consultation
from yiyuebao_api.kernel import clock, presence
from yiyuebao_api.kernel.ids import AccountId
from yiyuebao_api.kernel.presence import Presence


async def seen(context: Context, account_id: AccountId) -> presence.Seen:
    async with context.begin() as tx:
        return (await presence.seen(tx, [account_id], now=clock.system_now()))[account_id]


async def talk_of(api: Api, context: Context) -> tuple[Api, Api, Consultation]:
    pair = await make_pair(api, context)
    return pair.asking, pair.answering, await make_consultation(context.database, pair)


async def test_two_talk_through_two_processes(
    api: Api, context: Context, env: Mapping[str, str], redis: Redis, tmp_path: Path
) -> None:
    asking, answering, talk = await talk_of(api, context)
    async with two(tmp_path, env, redis) as (one, other), Device(one.url, asking) as phone, Device(other.url, answering) as doctor:
        for number in range(1, 6):
            await phone.send(talk.id, f"问 {number}")
            await doctor.send(talk.id, f"答 {number}")
        await phone.hears("message.new", seq=10)
        await doctor.hears("message.new", seq=9)
        assert [seq for seq, _ in phone.messages] == [2, 4, 6, 8, 10]
        assert [seq for seq, _ in doctor.messages] == [1, 3, 5, 7, 9]
        await doctor.say("typing", consultation_id=str(talk.id))
        await phone.hears("typing", sender="clinician")
        # Signing out at one process closes the socket at the other.
        assert (await answering.delete("/v1/accounts/sessions")).status_code == 204
        redis.kill()
        redis.start()
        await phone.hears("resync", within=10)


async def test_a_device_that_comes_back_elsewhere_leaves_its_old_socket(
    api: Api, context: Context, env: Mapping[str, str], redis: Redis, tmp_path: Path
) -> None:
    asking, _, talk = await talk_of(api, context)
    async with (
        two(tmp_path, env, redis) as (one, other), Device(one.url, asking, device_id="phone") as before,
        Device(other.url, asking, device_id="phone", cursors={str(talk.id): 0}) as after,
    ):  # fmt: skip
        assert await before.closed() == (4409, "replaced")
        await after.hears("caught_up")
        await asyncio.sleep(2.5)
        assert (await seen(context, talk.account_id)).presence is Presence.ONLINE


async def test_a_process_that_is_asked_to_end_sends_its_sockets_elsewhere(
    api: Api, context: Context, env: Mapping[str, str], redis: Redis, tmp_path: Path
) -> None:
    """F14: 1012, at most twelve seconds, and nobody is shown as online who is gone."""
    asking, _, talk = await talk_of(api, context)
    async with two(tmp_path, env, redis) as (one, other):
        phone = Device(one.url, asking)
        await phone.__aenter__()
        await phone.send(talk.id, "第一句")
        assert one.process is not None
        began = time.monotonic()
        one.process.send_signal(signal.SIGTERM)
        assert (await phone.closed())[0] == 1012
        assert await asyncio.to_thread(one.ended, within=12) in (0, -signal.SIGTERM)
        assert time.monotonic() - began < 12
        assert (await seen(context, talk.account_id)).presence is Presence.OFFLINE
        await say(context, talk, talk.clinician_account_id, "答")
        async with Device(other.url, asking, device_id=phone.device_id, cursors={str(talk.id): 1}) as back:
            await back.hears("caught_up", seq=2)
            assert back.messages == [(2, "答")]


async def test_a_process_that_is_killed_keeps_nobody_online(
    api: Api, context: Context, env: Mapping[str, str], redis: Redis, tmp_path: Path
) -> None:
    """C19: within the 45 seconds of a lease; the other one of an open consultation is told."""
    asking, answering, talk = await talk_of(api, context)
    async with two(tmp_path, env, redis) as (one, other), Device(other.url, asking) as phone:
        doctor = Device(one.url, answering)
        await doctor.__aenter__()
        await phone.hears("presence", presence="online", who="clinician")
        one.kill()
        killed = time.monotonic()
        assert (await seen(context, talk.clinician_account_id)).presence is Presence.ONLINE, "nobody said goodbye"

        async def ping() -> None:
            while True:
                await phone.say("ping")
                await asyncio.sleep(5)

        pinging = asyncio.create_task(ping())
        while (await seen(context, talk.clinician_account_id)).presence is not Presence.OFFLINE:
            await asyncio.sleep(0.5)
            assert time.monotonic() - killed < 46
        await phone.hears("presence", presence="offline", who="clinician", within=20)
        pinging.cancel()


async def test_several_processes_without_redis_are_refused(env: Mapping[str, str], tmp_path: Path) -> None:
    """The accident: half of the patients heard half of the doctors, depending on which process they had reached."""
    with Process(tmp_path, env, "serve", "--workers", "2") as refused:
        assert await asyncio.to_thread(refused.ended, within=60) == 2
        assert "YIYUEBAO_REDIS__URL" in refused.last_words()
