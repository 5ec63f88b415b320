"""Calls that share a transaction: each gets its own outcome, whatever happens to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from yiyuebao_api.kernel import grouped as grouped_
from yiyuebao_api.kernel.database import _open
from yiyuebao_api.kernel.grouped import WORTH, Grouped, GroupedBy
from yiyuebao_api.kernel.problems import NotFound, ServiceUnavailable


class Away(Exception):
    """The database is."""


def away(error: BaseException) -> bool:
    return isinstance(error, Away)


async def test_what_comes_in_one_turn_is_one_group_and_a_lone_call_does_not_wait() -> None:
    groups: list[list[int]] = []

    async def run(requests: Sequence[int]) -> Sequence[int | Exception]:
        groups.append(list(requests))
        await asyncio.sleep(0.01)
        return [NotFound() if each == 3 else each * 2 for each in requests]

    grouped = Grouped(run, hopeless=away, most=4, lanes=1)
    assert await grouped(1) == 2
    answers = await asyncio.gather(*(grouped(each) for each in range(10)), return_exceptions=True)
    assert [each if isinstance(each, int) else type(each) for each in answers] == [0, 2, 4, NotFound, 8, 10, 12, 14, 16, 18]
    assert groups == [[1], [0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert (grouped.groups, grouped.calls) == (4, 11)


async def test_a_group_that_fails_is_run_one_by_one_and_an_outage_is_everybodys_at_once() -> None:
    runs: list[int] = []

    async def run(requests: Sequence[int]) -> Sequence[int | Exception]:
        runs.append(len(requests))
        if 13 in requests:
            raise LookupError
        if -1 in requests:
            raise Away
        return list(requests)

    grouped = Grouped(run, hopeless=away)
    answers = await asyncio.gather(*map(grouped, [11, 12, 13, 14]), return_exceptions=True)
    assert [each if isinstance(each, int) else type(each) for each in answers] == [11, 12, LookupError, 14]
    assert runs == [4, 1, 1, 1, 1]
    runs.clear()
    answers = await asyncio.gather(*map(grouped, [-1, 1, 2]), return_exceptions=True)
    assert [type(each) for each in answers] == [Away] * 3
    assert runs == [3]


async def test_who_leaves_takes_nobody_along_and_too_many_are_refused() -> None:
    go_on, began = asyncio.Event(), asyncio.Event()

    async def run(requests: Sequence[int]) -> Sequence[int | Exception]:
        assert not _open.get(), "a context of its own"
        began.set()
        await go_on.wait()
        return list(requests)

    grouped = Grouped(run, hopeless=away, most=2, lanes=1, queue=3)
    marker = _open.set(True)
    calls = [asyncio.ensure_future(grouped(each)) for each in range(2)]
    _open.reset(marker)
    await began.wait()
    calls += [asyncio.ensure_future(grouped(each)) for each in range(2, 5)]
    await asyncio.sleep(0)
    with pytest.raises(ServiceUnavailable):
        await grouped(5)
    calls[0].cancel()
    calls[2].cancel()
    go_on.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [each for each in answers if isinstance(each, int)] == [1, 3, 4]
    assert grouped.calls == 4, "the one that left in time was not run"


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_second_group_begins_for_a_fair_number_or_when_the_first_is_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped_, "PATIENCE_S", 0.5)
    go_on, sizes = asyncio.Event(), list[int]()

    async def run(requests: Sequence[int]) -> Sequence[int | Exception]:
        sizes.append(len(requests))
        if -1 in requests:
            await go_on.wait()
        return list(requests)

    grouped = Grouped(run, hopeless=away)
    held = asyncio.ensure_future(grouped(-1))
    await asyncio.sleep(0)
    crowd = asyncio.gather(*map(grouped, range(WORTH)))
    await turns()
    assert crowd.done()
    few = asyncio.gather(*map(grouped, range(3)))
    await turns()
    assert not few.done()
    assert await few == [0, 1, 2]
    assert not held.done()
    go_on.set()
    assert await held == -1
    assert sizes == [1, WORTH, 3]


async def test_one_group_for_each_key_and_none_when_nobody_waits() -> None:
    """Who waits for one row holds nobody else up, and what nobody waits for is forgotten."""
    go_on, groups = asyncio.Event(), list[list[str]]()

    async def run(requests: Sequence[str]) -> Sequence[str]:
        groups.append(list(requests))
        if requests[0].startswith("held up"):
            await go_on.wait()
        return requests

    grouped = GroupedBy[str, str, str](lambda: Grouped(run, hopeless=away, lanes=1))
    slow = [asyncio.create_task(grouped("slow", f"held up {number}")) for number in range(3)]
    async with asyncio.timeout(1):
        while not groups:
            await asyncio.sleep(0)
        assert await grouped("other", "at once") == "at once"
    assert len(grouped) == 1
    go_on.set()
    assert await asyncio.gather(*slow) == ["held up 0", "held up 1", "held up 2"]
    assert groups == [["held up 0", "held up 1", "held up 2"], ["at once"]]
    async with asyncio.timeout(1):
        while len(grouped):
            await asyncio.sleep(0.01)
