"""Whoever wants the same waits in line without a connection; whoever wants something else does not wait at all."""

from __future__ import annotations

import asyncio

import pytest

from yiyuebao_api.kernel.problems import ServiceUnavailable
from yiyuebao_api.kernel.turnstile import Turnstile


async def test_so_many_at_once_and_in_order() -> None:
    turnstile, inside, most, order = Turnstile(at_once=2), 0, 0, list[int]()

    async def go(number: int) -> None:
        nonlocal inside, most
        async with turnstile.through("slot"):
            inside += 1
            most = max(most, inside)
            order.append(number)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(go(number) for number in range(20)))
    assert (most, order, len(turnstile)) == (2, list(range(20)), 0)


async def test_another_door_is_open() -> None:
    turnstile = Turnstile(at_once=1)
    async with turnstile.through("stormed"), asyncio.timeout(1), turnstile.through("other"):
        assert len(turnstile) == 2


async def test_patience_ends_and_leaves_nothing_behind() -> None:
    turnstile = Turnstile(at_once=1, patience_s=0.01)
    async with turnstile.through("slot"):
        with pytest.raises(ServiceUnavailable):
            async with turnstile.through("slot"):
                raise AssertionError("the door was closed")
    async with turnstile.through("slot"):
        pass
    assert len(turnstile) == 0


async def test_who_gives_up_holds_nobody_up() -> None:
    turnstile = Turnstile(at_once=1)

    async def go() -> None:
        async with turnstile.through("slot"):
            pass

    async with turnstile.through("slot"):
        waiting = [asyncio.create_task(go()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
    assert [type(each).__name__ for each in await asyncio.gather(*waiting, return_exceptions=True)] == [
        "CancelledError", "NoneType", "NoneType",
    ]  # fmt: skip
    assert len(turnstile) == 0


async def test_a_failure_inside_opens_the_door_again() -> None:
    turnstile = Turnstile(at_once=1)
    with pytest.raises(ValueError, match="inside"):
        async with turnstile.through("slot"):
            raise ValueError("inside")
    assert len(turnstile) == 0
