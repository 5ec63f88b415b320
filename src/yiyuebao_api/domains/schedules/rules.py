"""Slots of a day from template, exceptions, roster, leave and claims: pure arithmetic on whole minutes.

Everything that comes in or goes out is an aware moment or a minute after midnight in Shanghai (0 to 1440); no daylight
saving since 1991. Sources: RULE-44 (lead time, horizon, opening hours), RULE-45 (buffers are busy), RULE-51 (holds).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import NamedTuple, Protocol

from yiyuebao_api.domains.catalogue.rules import in_season
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.ids import ClinicianId, PoolId, ServiceId

DAY_MINUTES = 1440
#: RULE-44 (b): the hours a pool may open without having said that it works at night.
DAYTIME = (8 * 60, 20 * 60)
LEAD_MINUTES, HORIZON_DAYS = 240, 14
#: No pool offers farther ahead; claims are kept much longer.
MOST_DAYS_AHEAD = 60
_MIDNIGHT, _AHEAD = time(tzinfo=UTC), SHANGHAI.utcoffset(None)
LISTED_AT_MOST = timedelta(days=31)


class ExceptionKind(StrEnum):
    """What an exception does to its hours."""

    CLOSED = "closed"
    OPEN = "open"


class Fit(NamedTuple):
    """What decides into which slots a visit fits: minutes, the buffers being busy time around it, and its season."""

    duration_min: int
    buffer_before_min: int
    buffer_after_min: int
    lead_minutes: int
    season_from: date | None = None
    season_until: date | None = None


class Need(NamedTuple):
    """What a visit for one service asks of a schedule."""

    service_id: ServiceId
    fit: Fit


@dataclass(frozen=True, slots=True)
class Window:
    """Opening hours within one day. Slots start at `anchor` + n × `step`; `capacity` None is the pool's own."""

    start: int
    end: int
    step: int
    capacity: int | None
    anchor: int


@dataclass(frozen=True, slots=True)
class Weekly:
    """Opening hours of one weekday, 0 Monday to 6 Sunday."""

    weekday: int
    start: int
    end: int
    step: int
    capacity: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """An exception of one day: hours closed, or hours opened with their own step and capacity."""

    kind: ExceptionKind
    start: int
    end: int
    step: int
    capacity: int | None


@dataclass(frozen=True, slots=True)
class Shift:
    """A clinician's weekly hours in a pool."""

    clinician_id: ClinicianId
    weekday: int
    start: int
    end: int
    max_visits: int


@dataclass(frozen=True, slots=True)
class Away:
    """A clinician's leave, half-open."""

    clinician_id: ClinicianId
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Duty:
    """Whether somebody works at a time; `max_visits` that day, None when no roster says."""

    on_duty: bool
    max_visits: int | None


@dataclass(frozen=True, slots=True)
class Crew:
    """All there is to know of a pool except its claims. A pool without any shift is limited by its capacity alone."""

    pool_id: PoolId
    capacity: int
    lead_minutes: int
    horizon_days: int
    active: bool
    week: Mapping[int, tuple[Window, ...]]
    changes: Mapping[date, tuple[Change, ...]] = field(default_factory=dict)
    shifts: tuple[Shift, ...] = ()
    away: tuple[Away, ...] = ()
    days: dict[date, Hours] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Busy:
    """Minutes of a day that so many live claims take, buffers included; half-open."""

    start: int
    end: int
    claims: int = 1


#: The live claims of some pools on some days.
TakenPlaces = Mapping[tuple[PoolId, date], Sequence[Busy]]


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that can be booked while `left` is above zero."""

    starts_at: datetime
    ends_at: datetime
    left: int


# ── days ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def day_of(moment: datetime) -> date:
    """The calendar day in Shanghai."""
    return moment.astimezone(SHANGHAI).date()


@lru_cache(maxsize=8192)
def moment_of(day: date, minute: int) -> datetime:
    """Aware UTC of a minute after midnight in Shanghai; 1440 is the next midnight."""
    return datetime.combine(day, _MIDNIGHT) + timedelta(minutes=minute) - _AHEAD


def minute_of(day: date, moment: datetime) -> float:
    """Minutes from the day's midnight in Shanghai; negative before it."""
    return (moment - moment_of(day, 0)).total_seconds() / 60


def busy_of(day: date, busy_from: datetime, busy_until: datetime, claims: int = 1) -> Busy:
    """Claims' minutes of their day, rounded outwards."""
    start, end = minute_of(day, busy_from), minute_of(day, busy_until)
    return Busy(int(start // 1), int(-(-end // 1)), claims)


def days_between(first: datetime, last: datetime) -> list[date]:
    """Every day in Shanghai that the half-open period touches."""
    if last <= first:
        return []
    start, end = day_of(first), day_of(last - timedelta(microseconds=1))
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def is_listable(first: datetime, last: datetime) -> bool:
    """Whether slots of this half-open period are listed in one answer."""
    return timedelta() < last - first <= LISTED_AT_MOST


# ── opening hours ────────────────────────────────────────────────────────────────────────────────────────────────────


def windows_of(crew: Crew, day: date) -> tuple[Window, ...]:
    """The opening hours of a day: the template of its weekday, then its exceptions, a later one over an earlier one."""
    windows = crew.week.get(day.weekday(), ())
    for change in crew.changes.get(day, ()):
        windows = tuple(_cut(windows, change.start, change.end))
        if change.kind is ExceptionKind.OPEN:
            opened = Window(change.start, change.end, change.step, change.capacity, change.start)
            windows = (*windows, opened)
    return tuple(sorted(windows, key=lambda window: window.start))


def _cut(windows: Iterable[Window], start: int, end: int) -> Iterator[Window]:
    for window in windows:
        if window.end <= start or window.start >= end:
            yield window
            continue
        if window.start < start:
            yield Window(window.start, start, window.step, window.capacity, window.anchor)
        if window.end > end:
            yield Window(end, window.end, window.step, window.capacity, window.anchor)


def overlap(spans: Iterable[tuple[int, int]]) -> bool:
    """Whether any two half-open spans share a minute."""
    ordered = sorted(spans)
    return any(before[1] > after[0] for before, after in pairwise(ordered))


def at_night(start: int, end: int) -> bool:
    """Whether hours leave the daytime of RULE-44."""
    return start < DAYTIME[0] or end > DAYTIME[1]


# ── counting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def peak(taken: Iterable[Busy], start: int, end: int) -> int:
    """The largest number of claims that are busy at one moment of the half-open span."""
    inside = [busy for busy in taken if busy.start < end and busy.end > start]
    turns = {start, *(busy.start for busy in inside if busy.start > start)}
    return max((_claims_at(turn, inside) for turn in turns), default=0)


def _claims_at(turn: int, taken: Iterable[Busy]) -> int:
    return sum(busy.claims for busy in taken if busy.start <= turn < busy.end)


def room(capacity: int, windows: Sequence[Window], taken: Iterable[Busy], start: int, end: int) -> int:
    """How many more claims fit into the whole span: the least of capacity minus claims over its moments.

    A window with a capacity of its own counts with that; elsewhere (a buffer before opening, say) the pool's counts.
    May be negative when a desk has lowered the capacity below what was sold.
    """
    inside = [busy for busy in taken if busy.start < end and busy.end > start]
    own = [window for window in windows if window.capacity is not None and window.start < end and window.end > start]
    if not inside and not own:
        return capacity
    turns = {start, *(busy.start for busy in inside)}
    turns.update(edge for window in own for edge in (window.start, window.end))
    return min(
        next((w.capacity for w in own if w.start <= turn < w.end and w.capacity is not None), capacity)
        - _claims_at(turn, inside)
        for turn in turns
        if start <= turn < end
    )


@dataclass(frozen=True, slots=True)
class Hours:
    """One day of one pool whatever is taken: its opening hours, its shifts, and the visits its staff make at most."""

    windows: tuple[Window, ...]
    shifts: tuple[Shift, ...]
    visits: int | None
    ends: int  # the minute at which the last window closes


def hours_of(crew: Crew, day: date) -> Hours:
    """Worked out once for each day of a crew, and forgotten with it."""
    known = crew.days.get(day)
    if known is None:
        if len(crew.days) >= _DAYS_KEPT:
            crew.days.clear()
        known = crew.days[day] = _hours(crew, day)
    return known


#: More than one answer looks at; days that have passed do not pile up.
_DAYS_KEPT = 100


def _hours(crew: Crew, day: date) -> Hours:
    windows = windows_of(crew, day)
    ends = max((window.end for window in windows), default=0)
    if not crew.shifts:
        return Hours(windows, (), None, ends)
    shifts = tuple(shift for shift in crew.shifts if shift.weekday == day.weekday())
    most: dict[ClinicianId, int] = {}
    for shift in shifts:
        if not _away(crew, shift, day, shift.start, shift.end, whole=True):
            most[shift.clinician_id] = max(shift.max_visits, most.get(shift.clinician_id, 0))
    return Hours(windows, shifts, sum(most.values()), ends)


def _places_left(crew: Crew, day: date, taken: Sequence[Busy], visit: tuple[int, int], busy: tuple[int, int]) -> int:
    """For a visit; zero or below when there is none."""
    hours = hours_of(crew, day)
    places = room(crew.capacity, hours.windows, taken, *busy)
    if hours.visits is None:
        return places
    on_duty = {
        shift.clinician_id
        for shift in hours.shifts
        if shift.start <= visit[0] and visit[1] <= shift.end and not _away(crew, shift, day, *visit, whole=False)
    }
    return min(places, len(on_duty) - peak(taken, *visit), hours.visits - sum(each.claims for each in taken))


def _away(crew: Crew, shift: Shift, day: date, start: int, end: int, *, whole: bool) -> bool:
    """Whether the clinician's leave touches the span (or, with `whole`, covers all of it)."""
    first, last = moment_of(day, start), moment_of(day, end)
    for leave in crew.away:
        if leave.clinician_id != shift.clinician_id:
            continue
        if (leave.first <= first and last <= leave.last) if whole else (leave.first < last and first < leave.last):
            return True
    return False


def slots_of(
    crew: Crew, fit: Fit, days: Iterable[date], taken: TakenPlaces, now: datetime, *,
    at: datetime | None = None,
) -> Iterator[Slot]:  # fmt: skip
    """Every time of those days at which a visit may start (with `at`, only then), in order, full ones with `left` 0.

    `taken` are the live claims by pool and day. Inside opening hours, after the lead time of pool and item (the longer
    one), within the horizon counted in days, in season, and with its buffers inside the same day in Shanghai.
    """
    if not crew.active:
        return
    earliest = now + timedelta(minutes=max(crew.lead_minutes, fit.lead_minutes))
    horizon = day_of(now) + timedelta(days=crew.horizon_days)
    last = DAY_MINUTES - fit.buffer_after_min - fit.duration_min
    for day in days:
        if day > horizon or not in_season(fit, day):
            continue
        hours, first = hours_of(crew, day), minute_of(day, earliest)
        if first > hours.ends:
            continue
        first, busies = max(first, fit.buffer_before_min), taken.get((crew.pool_id, day), ())
        for window in hours.windows:
            steps = ceil((max(window.start, first) - window.anchor) / window.step)
            end = min(window.end - fit.duration_min, last)
            for start in range(window.anchor + steps * window.step, end + 1, window.step):
                starts_at = moment_of(day, start)
                if at is not None and at != starts_at:
                    continue
                visit = start, start + fit.duration_min
                busy = start - fit.buffer_before_min, visit[1] + fit.buffer_after_min
                left = _places_left(crew, day, busies, visit, busy)
                yield Slot(starts_at, moment_of(day, visit[1]), max(0, left))


def slot_at(
    crew: Crew, fit: Fit, starts_at: datetime, taken: TakenPlaces, now: datetime
) -> Slot | None:
    """The slot that starts then, full or not; None when there is none. The very slots that are listed."""
    # In Python a moment of a repeated hour (a zone's night back to winter) equals no moment of another zone.
    moment = starts_at.astimezone(UTC)
    return next(slots_of(crew, fit, [day_of(moment)], taken, now, at=moment), None)


def seats_again(
    crew: Crew, starts_at: datetime, ends_at: datetime, busy: Busy, *, taken: Sequence[Busy], now: datetime
) -> bool:
    """Whether a claim that lost its place can have it back: still ahead, still inside opening hours, still room.

    Lead time and horizon are not asked again: they were met when the place was held.
    """
    day = day_of(starts_at)
    start, end = int(minute_of(day, starts_at)), int(minute_of(day, ends_at))
    is_open = any(window.start <= start and end <= window.end for window in hours_of(crew, day).windows)
    left = _places_left(crew, day, taken, (start, end), (busy.start, busy.end))
    return crew.active and starts_at > now and is_open and left > 0


def duty_at(shifts: Sequence[Shift], away: Sequence[Away], starts_at: datetime, ends_at: datetime) -> Duty:
    """Whether a clinician's hours hold the whole visit and no leave touches it; without hours, leave alone counts."""
    free = all(leave.last <= starts_at or leave.first >= ends_at for leave in away)
    if not shifts:
        return Duty(free, None)
    day = day_of(starts_at)
    today = [shift for shift in shifts if shift.weekday == day.weekday()]
    start, end = minute_of(day, starts_at), minute_of(day, ends_at)
    inside = any(shift.start <= start and end <= shift.end for shift in today)
    return Duty(free and inside, max((shift.max_visits for shift in today), default=0))


class Taken(Protocol):
    """The part of a claim's life that decides whether it counts."""

    @property
    def held_until(self) -> datetime | None: ...
    @property
    def kept_at(self) -> datetime | None: ...
    @property
    def lapsed_at(self) -> datetime | None: ...
    @property
    def released_at(self) -> datetime | None: ...


def is_live(claim: Taken, now: datetime) -> bool:
    """Whether a claim counts: not given back, and kept or held until later than now (RULE-51, read-time expiry)."""
    if claim.released_at is not None:
        return False
    return claim.kept_at is not None or (
        claim.lapsed_at is None and claim.held_until is not None and claim.held_until > now
    )
