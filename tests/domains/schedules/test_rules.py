"""Slots are arithmetic: hours, buffers, capacity, roster and leave, checked against minutes counted one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scenes.schedules import at, shanghai
from yiyuebao_api.domains.schedules.rules import (
    Away,
    Busy,
    Change,
    Crew,
    ExceptionKind,
    Fit,
    Shift,
    Window,
    busy_of,
    day_of,
    days_between,
    duty_at,
    is_live,
    moment_of,
    overlap,
    peak,
    room,
    seats_again,
    slot_at,
    slots_of,
    windows_of,
)
from yiyuebao_api.kernel.ids import ClinicianId, PoolId

DAY = date(2026, 11, 25)  # a Wednesday
BEFORE = datetime(2026, 11, 20, tzinfo=UTC)
NURSE, OTHER = ClinicianId.new(), ClinicianId.new()


def make_fit(duration: int = 60, before: int = 0, after: int = 0, lead: int = 0, **season: date) -> Fit:
    return Fit(duration, before, after, lead, **season)


def make_crew(*windows: Window, capacity: int = 1, lead: int = 0, horizon: int = 60, **more: object) -> Crew:
    week = dict.fromkeys(range(7), windows)
    return Crew(PoolId.new(), capacity, lead, horizon, True, week, **more)  # type: ignore[arg-type]


def hours(start: str, end: str, step: int = 60, capacity: int | None = None) -> Window:
    first, last = (int(each[:2]) * 60 + int(each[3:]) for each in (start, end))
    return Window(first, last, step, capacity, first)


def listed(
    crew: Crew, fit: Fit, taken: list[Busy] | None = None, day: date = DAY, now: datetime = BEFORE
) -> dict[str, int]:
    slots = slots_of(crew, fit, [day], {(crew.pool_id, day): taken or []}, now)
    return {shanghai(slot.starts_at)[-5:]: slot.left for slot in slots}


def test_a_visit_ends_before_the_window_does() -> None:
    assert listed(make_crew(hours("08:00", "12:00")), make_fit(90)) == {"08:00": 1, "09:00": 1, "10:00": 1}


def test_buffers_reach_outside_opening_hours_but_take_room() -> None:
    crew, fit = make_crew(hours("08:00", "12:00")), make_fit(60, before=30, after=30)
    assert listed(crew, fit) == {"08:00": 1, "09:00": 1, "10:00": 1, "11:00": 1}
    taken = [Busy(8 * 60 - 30, 9 * 60 + 30)]
    assert listed(crew, fit, taken) == {"08:00": 0, "09:00": 0, "10:00": 1, "11:00": 1}


def test_different_buffers_before_and_after() -> None:
    crew = make_crew(hours("08:00", "14:00"))
    taken = [Busy(10 * 60, 11 * 60)]
    assert listed(crew, make_fit(60, before=60), taken)["11:00"] == 0
    assert listed(crew, make_fit(60, before=60), taken)["09:00"] == 1
    assert listed(crew, make_fit(60, after=60), taken)["11:00"] == 1
    assert listed(crew, make_fit(60, after=60), taken)["09:00"] == 0


def test_nothing_crosses_midnight() -> None:
    crew = make_crew(hours("00:00", "24:00"))
    assert list(listed(crew, make_fit(60)))[-1] == "23:00"
    assert list(listed(crew, make_fit(60, after=1)))[-1] == "22:00"
    assert next(iter(listed(crew, make_fit(60, before=1)))) == "01:00"


def test_lead_time_is_the_longer_one_and_counts_from_now() -> None:
    crew = make_crew(hours("08:00", "18:00"), lead=60)
    assert next(iter(listed(crew, make_fit(lead=240), now=at(DAY, "08:00")))) == "12:00"
    assert next(iter(listed(crew, make_fit(lead=0), now=at(DAY, "08:00")))) == "09:00"
    assert next(iter(listed(crew, make_fit(lead=0), now=at(DAY, "08:01")))) == "10:00"
    assert listed(crew, make_fit(lead=240), now=at(DAY, "20:30")) == {}


def test_the_horizon_counts_days_in_shanghai() -> None:
    crew = make_crew(hours("08:00", "09:00"), horizon=14)
    late = at(DAY - timedelta(days=14), "00:01")
    assert listed(crew, make_fit(), now=late) == {"08:00": 1}
    assert listed(crew, make_fit(), now=late - timedelta(minutes=2)) == {}


@pytest.mark.parametrize(
    ("first", "last", "offered"),
    [(DAY, DAY, True), (None, DAY - timedelta(1), False), (DAY + timedelta(1), None, False)],
)
def test_season_includes_both_its_days(first: date | None, last: date | None, offered: bool) -> None:
    fit = make_fit(season_from=first, season_until=last)  # type: ignore[arg-type]
    assert bool(listed(make_crew(hours("08:00", "09:00")), fit)) is offered


def test_exceptions_close_and_open_and_the_later_wins() -> None:
    closed = Change(ExceptionKind.CLOSED, 9 * 60, 11 * 60, 60, None)
    opened = Change(ExceptionKind.OPEN, 10 * 60 + 30, 12 * 60, 30, 5)
    crew = make_crew(hours("08:00", "12:00"), changes={DAY: (closed, opened)})
    assert listed(crew, make_fit(30)) == {"08:00": 1, "10:30": 5, "11:00": 5, "11:30": 5}
    crew = make_crew(hours("08:00", "12:00"), changes={DAY: (opened, closed)})
    assert listed(crew, make_fit(30)) == {"08:00": 1, "11:00": 5, "11:30": 5}
    assert listed(crew, make_fit(30), day=DAY + timedelta(1))["09:00"] == 1


def test_what_is_left_of_a_cut_window_keeps_its_grid() -> None:
    closed = Change(ExceptionKind.CLOSED, 8 * 60 + 10, 9 * 60 + 10, 60, None)
    crew = make_crew(hours("08:00", "12:00", step=40), changes={DAY: (closed,)})
    assert list(listed(crew, make_fit(20))) == ["09:20", "10:00", "10:40", "11:20"]


def test_a_roster_limits_places_to_the_people_on_duty() -> None:
    shifts = (Shift(NURSE, 2, 8 * 60, 12 * 60, 8), Shift(OTHER, 2, 10 * 60, 14 * 60, 8))
    crew = make_crew(hours("08:00", "14:00"), capacity=5, shifts=shifts)
    assert listed(crew, make_fit()) == {"08:00": 1, "09:00": 1, "10:00": 2, "11:00": 2, "12:00": 1, "13:00": 1}
    assert set(listed(crew, make_fit(), day=DAY + timedelta(1)).values()) == {0}


def test_leave_takes_a_person_off_duty() -> None:
    shifts = (Shift(NURSE, 2, 8 * 60, 12 * 60, 8),)
    away = (Away(NURSE, at(DAY, "09:30"), at(DAY, "10:00")),)
    crew = make_crew(hours("08:00", "12:00"), shifts=shifts, away=away)
    assert listed(crew, make_fit()) == {"08:00": 1, "09:00": 0, "10:00": 1, "11:00": 1}


def test_a_day_holds_no_more_visits_than_its_people_make() -> None:
    shifts = (Shift(NURSE, 2, 8 * 60, 12 * 60, 2),)
    crew = make_crew(hours("08:00", "12:00"), capacity=3, shifts=shifts)
    assert set(listed(crew, make_fit(), [Busy(480, 540)]).values()) == {0, 1}
    assert set(listed(crew, make_fit(), [Busy(480, 540), Busy(540, 600)]).values()) == {0}


def test_a_slot_can_only_be_taken_where_it_is_listed() -> None:
    crew, fit = make_crew(hours("08:00", "12:00")), make_fit()
    assert slot_at(crew, fit, at(DAY, "09:00"), {}, BEFORE) is not None
    assert slot_at(crew, fit, at(DAY, "09:30"), {}, BEFORE) is None
    assert slot_at(crew, fit, at(DAY, "12:00"), {}, BEFORE) is None
    assert slot_at(crew, fit, at(DAY, "09:00") + timedelta(seconds=1), {}, BEFORE) is None


def test_an_inactive_pool_offers_nothing() -> None:
    crew = make_crew(hours("08:00", "12:00"))
    off = Crew(crew.pool_id, 1, 0, 60, False, crew.week)
    assert listed(off, make_fit()) == {}


def test_seating_again_asks_for_room_hours_and_future_but_no_lead() -> None:
    crew = make_crew(hours("08:00", "12:00"), lead=600)
    start, end = at(DAY, "09:00"), at(DAY, "10:00")
    busy = busy_of(DAY, start, end)
    assert seats_again(crew, start, end, busy, taken=[], now=at(DAY, "08:59"))
    assert not seats_again(crew, start, end, busy, taken=[], now=at(DAY, "09:00"))
    assert not seats_again(crew, start, end, busy, taken=[busy], now=BEFORE)
    closed = Change(ExceptionKind.CLOSED, 0, 1440, 60, None)
    shut = make_crew(hours("08:00", "12:00"), changes={DAY: (closed,)})
    assert not seats_again(shut, start, end, busy, taken=[], now=BEFORE)


def test_duty_of_one_person() -> None:
    shifts = [Shift(NURSE, 2, 8 * 60, 12 * 60, 6)]
    assert duty_at(shifts, [], at(DAY, "08:00"), at(DAY, "12:00")).on_duty
    assert not duty_at(shifts, [], at(DAY, "11:00"), at(DAY, "12:01")).on_duty
    assert not duty_at(
        shifts, [Away(NURSE, at(DAY, "09:00"), at(DAY, "10:00"))], at(DAY, "08:00"), at(DAY, "09:30")
    ).on_duty
    assert duty_at(shifts, [], at(DAY, "08:00"), at(DAY, "09:00")).max_visits == 6
    assert duty_at([], [], at(DAY, "03:00"), at(DAY, "04:00")).on_duty


class Row:
    def __init__(
        self,
        held: datetime | None = None,
        kept: datetime | None = None,
        lapsed: datetime | None = None,
        released: datetime | None = None,
    ) -> None:
        self.held_until, self.kept_at, self.lapsed_at, self.released_at = held, kept, lapsed, released


def test_a_hold_ends_at_its_moment_and_a_kept_place_does_not() -> None:
    later = BEFORE + timedelta(minutes=15)
    assert is_live(Row(held=later), BEFORE)
    assert not is_live(Row(held=later), later)
    assert is_live(Row(held=later, kept=BEFORE), later)
    assert not is_live(Row(held=later, kept=BEFORE, released=BEFORE), BEFORE)
    assert not is_live(Row(held=later, lapsed=BEFORE), BEFORE)
    assert not is_live(Row(), BEFORE)


# ── against minutes counted one by one ───────────────────────────────────────────────────────────────────────────────

spans = st.tuples(st.integers(0, 1439), st.integers(1, 300)).map(lambda pair: (pair[0], min(1440, sum(pair))))
claims = st.lists(st.builds(lambda span, count: Busy(span[0], span[1], count), spans, st.integers(1, 3)), max_size=12)


@given(claims, spans)
def test_peak_is_the_fullest_minute(taken: list[Busy], span: tuple[int, int]) -> None:
    fullest = max(
        sum(busy.claims for busy in taken if busy.start <= minute < busy.end) for minute in range(*span)
    )
    assert peak(taken, *span) == fullest


@given(claims, spans, st.lists(st.tuples(spans, st.none() | st.integers(0, 5)), max_size=4), st.integers(0, 5))
def test_room_is_the_scarcest_minute(
    taken: list[Busy], span: tuple[int, int], own: list[tuple[tuple[int, int], int | None]], capacity: int
) -> None:
    windows: list[Window] = []
    for (start, end), places in own:
        if not overlap([*((window.start, window.end) for window in windows), (start, end)]):
            windows.append(Window(start, end, 60, places, start))

    def left_at(minute: int) -> int:
        inside = (w.capacity for w in windows if w.start <= minute < w.end and w.capacity is not None)
        return next(inside, capacity) - sum(busy.claims for busy in taken if busy.start <= minute < busy.end)

    assert room(capacity, windows, taken, *span) == min(left_at(minute) for minute in range(*span))


@settings(max_examples=60)
@given(st.data())
def test_selling_what_is_listed_never_oversells(data: st.DataObject) -> None:
    """Items of different length and buffers on one pool, sold one after another as listed."""
    capacity = data.draw(st.integers(1, 3))
    crew = make_crew(
        hours("08:00", "12:00", step=30, capacity=data.draw(st.none() | st.integers(1, 3))),
        hours("13:00", "18:00", step=20),
        capacity=capacity,
    )
    items = [
        make_fit(data.draw(st.integers(10, 120)), data.draw(st.integers(0, 60)), data.draw(st.integers(0, 60)))
        for _ in range(3)
    ]
    taken: list[Busy] = []
    for _ in range(25):
        fit = data.draw(st.sampled_from(items))
        free = [slot for slot in slots_of(crew, fit, [DAY], {(crew.pool_id, DAY): taken}, BEFORE) if slot.left]
        if not free:
            continue
        slot = data.draw(st.sampled_from(free))
        assert slot_at(crew, fit, slot.starts_at, {(crew.pool_id, DAY): taken}, BEFORE) == slot
        taken.append(
            busy_of(
                DAY,
                slot.starts_at - timedelta(minutes=fit.buffer_before_min),
                slot.ends_at + timedelta(minutes=fit.buffer_after_min),
            )
        )
    windows = windows_of(crew, DAY)
    for minute in range(1440):
        limit = next((w.capacity for w in windows if w.start <= minute < w.end and w.capacity is not None), capacity)
        assert sum(busy.start <= minute < busy.end for busy in taken) <= limit


@given(st.integers(0, 730 * 86_400), st.integers(0, 1440))
def test_days_and_moments_agree(seconds: int, minute: int) -> None:
    moment = BEFORE + timedelta(seconds=seconds)
    day = day_of(moment)
    assert moment_of(day, 0) <= moment < moment_of(day, 1440)
    assert day_of(moment_of(day, minute)) == day + timedelta(days=minute // 1440)
    assert days_between(moment_of(day, 0), moment_of(day, 1440)) == [day]


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Pacific/Auckland"])
def test_a_client_in_a_zone_with_summer_time_sees_the_same_slots(zone: str) -> None:
    """The zone of a client's moment changes nothing, not even on the night its clocks change."""
    for day in (date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1), date(2026, 9, 27)):
        crew, fit = make_crew(hours("00:00", "24:00")), make_fit()
        early = moment_of(day, 0) - timedelta(days=3)
        for slot in slots_of(crew, fit, [day], {}, early):
            there = slot.starts_at.astimezone(ZoneInfo(zone))
            assert slot_at(crew, fit, there, {}, early) == slot
        assert len(list(slots_of(crew, fit, [day], {}, early))) == 24
