"""Rules of signing in: allowances, lockout, the life of a session, addresses of clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.domains.accounts.rules import (
    APP_LIFE,
    CODES_PER_PHONE,
    FRESH,
    LOCKED_FOR,
    PASSWORD_TRIES,
    STAFF_IDLE,
    STAFF_LIFE,
    Limit,
    SessionFacts,
    SignInMethod,
    Spent,
    Tries,
    Window,
    client_address,
    first_end,
    is_mainland_mobile,
    refreshed_end,
    seconds,
    spend,
    wait,
)

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
gaps = st.lists(st.integers(0, 7200).map(lambda s: timedelta(seconds=s)), max_size=120)
limits = st.builds(
    Limit, st.integers(0, 12), st.sampled_from(Window), st.integers(0, 300).map(lambda s: timedelta(seconds=s))
)


@given(limits, gaps)
def test_an_allowance_is_never_exceeded(limit: Limit, steps: list[timedelta]) -> None:
    """Whoever asks whenever: at most so many in a window, never two within the gap."""
    spent: Spent | None = None
    times: list[datetime] = []
    now = NOW
    for step in steps:
        now += step
        if not wait(spent, limit, now):
            spent = spend(spent, limit, now)
            times.append(now)
    for window in {limit.window.began(each) for each in times}:
        assert sum(limit.window.began(each) == window for each in times) <= limit.most
    assert all(later - earlier >= limit.gap for earlier, later in pairwise(times))


@given(limits.filter(lambda each: each.most > 0), gaps)
def test_who_waits_as_told_is_served(limit: Limit, steps: list[timedelta]) -> None:
    spent: Spent | None = None
    now = NOW
    for step in steps:
        now += step
        for _ in range(3):  # at most: the window, then the gap
            if not (left := wait(spent, limit, now)):
                break
            now += left
        assert not wait(spent, limit, now)
        spent = spend(spent, limit, now)


def test_a_clock_that_went_back_locks_nobody_out() -> None:
    """The accident: after the demo had travelled two days, its doctor was told to wait 60 seconds, for two days."""
    ahead = Spent(Window.DAY.began(NOW), 1, NOW + timedelta(hours=2))
    assert wait(ahead, CODES_PER_PHONE, NOW) == timedelta()
    another_host = Spent(Window.DAY.began(NOW), 1, NOW + timedelta(seconds=2))
    assert wait(another_host, CODES_PER_PHONE, NOW) == CODES_PER_PHONE.gap


def test_a_day_is_shanghais() -> None:
    assert Window.DAY.began(datetime(2026, 11, 22, 16, 0, tzinfo=UTC)) == datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
    assert Window.DAY.began(datetime(2026, 11, 22, 15, 59, tzinfo=UTC)) == datetime(2026, 11, 21, 16, 0, tzinfo=UTC)


def test_retry_after_is_whole_seconds_rounded_up() -> None:
    assert [seconds(timedelta(seconds=s)) for s in (0.2, 1, 1.1, 59.9)] == [1, 1, 2, 60]


@given(st.lists(st.sampled_from(["wrong", "first step", "wait"]), max_size=60))
def test_between_two_locks_there_are_five_tries(steps: list[str]) -> None:
    tries, now, counted = FRESH, NOW, 0
    for step in steps:
        if step == "wait":
            now += timedelta(minutes=5)
            continue
        if tries.is_locked(now):
            continue
        if tries.locked_until is not None:
            counted = 0
        tries = tries.one_more(now)
        if step == "first step":
            tries = tries.one_less()
        else:
            counted += 1
        assert counted <= PASSWORD_TRIES
        assert tries.is_locked(now) == (counted == PASSWORD_TRIES)


def test_a_lock_ends_by_itself() -> None:
    locked = Tries(5, NOW + LOCKED_FOR)
    assert locked.is_locked(NOW + LOCKED_FOR - timedelta(seconds=1))
    assert not locked.is_locked(NOW + LOCKED_FOR)
    assert locked.one_more(NOW + LOCKED_FOR) == Tries(1, None)


@pytest.mark.parametrize("method", list(SignInMethod))
def test_how_long_a_session_lives(method: SignInMethod) -> None:
    staff = method is SignInMethod.PASSWORD
    ends = first_end(method, NOW)
    assert ends == NOW + (STAFF_LIFE if staff else APP_LIFE)
    later = NOW + timedelta(hours=1)
    assert refreshed_end(method, ends, later) == (ends if staff else later + APP_LIFE)
    facts = SessionFacts(method, NOW, ends, None)
    assert facts.is_live(NOW + STAFF_IDLE) is not staff
    assert facts.is_live(NOW + STAFF_IDLE - timedelta(seconds=1))
    assert not facts.is_live(ends)
    assert not SessionFacts(method, NOW, ends, NOW).is_live(NOW)


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("+8613800138000", True), ("+8619912345678", True), ("+8612800138000", False), ("+85291234567", False),
        ("13800138000", False), ("+86138001380001", False), ("+861380013800", False), ("+8613800138000\n", False),
    ],
)  # fmt: skip
def test_mainland_mobiles(number: str, fits: bool) -> None:
    assert is_mainland_mobile(number) is fits


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "found"),
    [
        ("203.0.113.7", [], (), "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], (), "203.0.113.7"),  # nobody is believed
        ("10.0.0.2", ["198.51.100.1"], ("10.0.0.2",), "198.51.100.1"),
        ("10.0.0.2", ["1.2.3.4, 198.51.100.1"], ("10.0.0.2",), "198.51.100.1"),  # the left was written by the client
        ("10.0.0.2", ["1.2.3.4, 198.51.100.1, 10.0.0.3"], ("10.0.0.0/24",), "198.51.100.1"),
        ("10.0.0.2", ["1.2.3.4", "198.51.100.1"], ("10.0.0.2",), "198.51.100.1"),  # two header lines
        ("10.0.0.2", [], ("10.0.0.2",), "10.0.0.2"),
        ("10.0.0.2", ["nonsense"], ("10.0.0.2",), "unknown"),
        ("10.0.0.2", [""], ("10.0.0.2",), "unknown"),
        ("testclient", [], (), "unknown"),
        ("2001:db8:1:2:3:4:5:6", [], (), "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", [], (), "203.0.113.7"),
        ("::1", ["2001:db8::1"], ("::1",), "2001:db8::/64"),
    ],
)
def test_who_is_really_calling(peer: str, forwarded: list[str], trusted: tuple[str, ...], found: str) -> None:
    assert client_address(peer, forwarded, trusted) == found


@given(st.text(), st.lists(st.text(max_size=60), max_size=4))
def test_no_header_breaks_it(peer: str, forwarded: list[str]) -> None:
    assert client_address(peer, forwarded, ("127.0.0.1",))
