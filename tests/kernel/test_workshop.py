"""The workshop: what crashes, hangs or eats memory there ends there, and the next piece of work is done."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from yiyuebao_api.kernel import workshop as house
from yiyuebao_api.kernel.media import Flaw, Kind, Unfit, clean
from yiyuebao_api.kernel.workshop import WorkFailed, Workshop, WorkshopBusy


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    made = Workshop(1, seconds=1)
    yield made
    await made.aclose()


async def test_the_work_is_done_elsewhere(workshop: Workshop) -> None:
    assert await workshop.run(os.getpid) != os.getpid()
    with pytest.raises(Unfit) as refused:
        await workshop.run(clean, Kind.PNG, b"\x89PNG\r\n\x1a\n")
    assert refused.value.flaw is Flaw.UNREADABLE


async def test_a_crash_costs_one_piece_of_work(workshop: Workshop) -> None:
    before = await workshop.run(os.getpid)
    with pytest.raises(WorkFailed):
        await workshop.run(signal.raise_signal, signal.SIGKILL)
    assert await workshop.run(os.getpid) not in (before, os.getpid())


async def test_what_never_ends_is_ended(workshop: Workshop) -> None:
    began = time.monotonic()
    with pytest.raises(WorkFailed):
        await workshop.run(time.sleep, 60.0)
    assert time.monotonic() - began < 30
    assert await workshop.run(abs, -1) == 1


async def test_memory_has_an_end(workshop: Workshop) -> None:
    with pytest.raises(MemoryError):
        await workshop.run(bytearray, house.MEMORY)
    assert await workshop.run(abs, -1) == 1


async def test_who_would_wait_too_long_is_told_at_once(workshop: Workshop) -> None:
    most = 1 + house.WAITING_EACH
    crowd = await asyncio.gather(*(workshop.run(time.sleep, 0.01) for _ in range(most + 3)), return_exceptions=True)
    assert [type(each) for each in crowd] == [type(None)] * most + [WorkshopBusy] * 3


async def test_the_loop_does_not_wait(workshop: Workshop) -> None:
    await workshop.run(abs, 1)  # started
    working, longest = asyncio.ensure_future(workshop.run(time.sleep, 0.5)), 0.0
    while not working.done():
        before = time.monotonic()
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - before)
    assert longest < 0.4
