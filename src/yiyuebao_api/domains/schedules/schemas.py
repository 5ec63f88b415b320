"""What schedules look like on the wire; minutes of a day are written as a clock in Shanghai reads, `08:00`."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.schedules.models import Leave, Pool, Roster, ScheduleException, Template
from yiyuebao_api.domains.schedules.rules import (
    HORIZON_DAYS,
    LEAD_MINUTES,
    MOST_DAYS_AHEAD,
    Change,
    ExceptionKind,
    Shift,
    Slot,
    Weekly,
)
from yiyuebao_api.kernel.ids import ClinicianId, LeaveId, PoolId, ScheduleExceptionId, ServiceId, SiteId
from yiyuebao_api.kernel.schema import Day, In, Line, Moment, Out, Whole, example

#: A time of the day in Shanghai; `24:00` ends a day.
Clock = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"), Field(examples=["08:00"])]
Weekday = Annotated[Whole, Field(ge=0, le=6, description="0 Monday to 6 Sunday.", examples=[0])]
Step = Annotated[Whole, Field(ge=5, le=720, description="Minutes between two starts.", examples=[30])]
Places = Annotated[Whole, Field(ge=0, le=1000, description="Visits at the same time.", examples=[3])]
Reason = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f]*$"), Field(examples=["设备检修"])]


def minutes(clock: str) -> int:
    """`08:30` → 510."""
    hours, rest = clock.split(":")
    return int(hours) * 60 + int(rest)


def clock(minute: int) -> str:
    """510 → `08:30`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


class _Hours(In):
    start: Clock
    end: Clock

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if minutes(self.start) >= minutes(self.end):
            raise ValueError("结束时间必须晚于开始时间，且不能跨越零点")
        return self


# ── slots ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class SlotOut(Out):
    """A time that can be booked while `left` is above zero."""

    starts_at: Moment
    ends_at: Moment
    left: int = Field(ge=0, description="Places left; 0 means fully booked.", examples=[2])

    @classmethod
    def of(cls, slot: Slot) -> Self:
        return cls(starts_at=slot.starts_at, ends_at=slot.ends_at, left=slot.left)


class SlotsOut(Out):
    """The slots of a period, in order."""

    items: list[SlotOut]


# ── pools ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Terms(In):
    name: Line
    capacity: Places
    lead_minutes: Annotated[Whole, Field(ge=0, le=43_200, description="Least notice, minutes.")] = LEAD_MINUTES
    horizon_days: Annotated[Whole, Field(ge=0, le=MOST_DAYS_AHEAD, description="How many days ahead.")] = HORIZON_DAYS
    night: Annotated[bool, Field(description="May open outside 08:00 to 20:00.")] = False


class NewPoolIn(_Terms):
    """A pool of a site."""

    model_config = example(
        site_id="sit_01kj4y8x3hf7a9cq2v5b6n8m0t", name="居家护理一组", place="home", capacity=3, lead_minutes=240,
        horizon_days=14, night=False,
    )  # fmt: skip

    site_id: SiteId
    place: Place


class PoolIn(_Terms):
    """The terms of a pool; its site and place stay as they are."""

    model_config = example(name="居家护理一组", capacity=4, lead_minutes=240, horizon_days=14, night=False, active=True)

    active: bool


class PoolOut(Out):
    """A pool."""

    id: PoolId
    site_id: SiteId
    name: str
    place: Place
    capacity: int
    lead_minutes: int
    horizon_days: int
    night: bool
    active: bool
    version: int

    @classmethod
    def of(cls, row: Pool) -> Self:
        return cls.model_validate(row)


class HoursIn(_Hours):
    """Opening hours of one weekday; slots start every `step_minutes` from `start` on."""

    model_config = example(weekday=0, start="08:00", end="18:00", step_minutes=30, capacity=None)

    weekday: Weekday
    step_minutes: Step = 30
    capacity: Annotated[Places | None, Field(description="In these hours; null: the pool's own.")] = None

    def rule(self) -> Weekly:
        return Weekly(self.weekday, minutes(self.start), minutes(self.end), self.step_minutes, self.capacity)


class WeekIn(In):
    """The whole week; what is not in it is closed."""

    model_config = example(
        hours=[{"weekday": 0, "start": "08:00", "end": "18:00", "step_minutes": 30, "capacity": None}]
    )

    hours: Annotated[list[HoursIn], Field(max_length=100)]


class HoursOut(Out):
    """Opening hours of one weekday."""

    weekday: int
    start: str
    end: str
    step_minutes: int
    capacity: int | None

    @classmethod
    def of(cls, row: Template) -> Self:
        return cls(
            weekday=row.weekday, start=clock(row.start_minute), end=clock(row.end_minute),
            step_minutes=row.step_minutes, capacity=row.capacity,
        )  # fmt: skip


class ExceptionIn(_Hours):
    """Hours of one day closed, or opened on top of the week."""

    model_config = example(day="2026-12-01", kind="closed", start="00:00", end="24:00", reason="全院停电检修")

    day: Day
    kind: ExceptionKind
    start: Clock = "00:00"
    end: Clock = "24:00"
    step_minutes: Annotated[Step, Field(description="When open: minutes between two starts.")] = 30
    capacity: Annotated[Places | None, Field(description="When open; null: the pool's own.")] = None
    reason: Reason = ""

    def rule(self) -> Change:
        return Change(self.kind, minutes(self.start), minutes(self.end), self.step_minutes, self.capacity)


class ExceptionOut(Out):
    """Hours of one day closed, or opened on top of the week; a later one goes over an earlier one."""

    id: ScheduleExceptionId
    day: date
    kind: ExceptionKind
    start: str
    end: str
    step_minutes: int
    capacity: int | None
    reason: str

    @classmethod
    def of(cls, row: ScheduleException) -> Self:
        return cls(
            id=row.id, day=row.day, kind=row.kind, start=clock(row.start_minute), end=clock(row.end_minute),
            step_minutes=row.step_minutes, capacity=row.capacity, reason=row.reason,
        )  # fmt: skip


class PoolServicesIn(In):
    """Every item that draws from the pool."""

    model_config = example(service_ids=["svc_01kj4y8x3hf7a9cq2v5b6n8m0t"])

    service_ids: Annotated[list[ServiceId], Field(max_length=500)]


class PoolFileOut(PoolOut):
    """A pool with its items, its week and its exceptions from today on."""

    service_ids: list[ServiceId]
    hours: list[HoursOut]
    exceptions: list[ExceptionOut]

    @classmethod
    def file(
        cls, row: Pool, services: Sequence[ServiceId], week: Sequence[Template],
        exceptions: Sequence[ScheduleException],
    ) -> Self:  # fmt: skip
        return cls(
            **PoolOut.of(row).model_dump(), service_ids=list(services), hours=[HoursOut.of(each) for each in week],
            exceptions=[ExceptionOut.of(each) for each in exceptions],
        )  # fmt: skip


# ── roster and leave ─────────────────────────────────────────────────────────────────────────────────────────────────


class ShiftIn(_Hours):
    """Weekly hours in one pool."""

    model_config = example(
        pool_id="pol_01kj4y8x3hf7a9cq2v5b6n8m0t", weekday=0, start="08:00", end="18:00", max_visits_a_day=6
    )

    pool_id: PoolId
    weekday: Weekday
    max_visits_a_day: Annotated[Whole, Field(ge=0, le=50, description="Most visits on such a day (RULE-45).")] = 8

    def rule(self, clinician_id: ClinicianId) -> tuple[PoolId, Shift]:
        span = minutes(self.start), minutes(self.end)
        return self.pool_id, Shift(clinician_id, self.weekday, *span, self.max_visits_a_day)


class RosterIn(In):
    """All weekly hours of one clinician; what is not in it is off."""

    model_config = example(
        shifts=[
            {
                "pool_id": "pol_01kj4y8x3hf7a9cq2v5b6n8m0t", "weekday": 0, "start": "08:00", "end": "18:00",
                "max_visits_a_day": 6,
            }
        ]
    )  # fmt: skip

    shifts: Annotated[list[ShiftIn], Field(max_length=50)]


class ShiftOut(Out):
    """Weekly hours in one pool."""

    pool_id: PoolId
    weekday: int
    start: str
    end: str
    max_visits_a_day: int

    @classmethod
    def of(cls, row: Roster) -> Self:
        return cls(
            pool_id=row.pool_id, weekday=row.weekday, start=clock(row.start_minute), end=clock(row.end_minute),
            max_visits_a_day=row.max_visits_a_day,
        )  # fmt: skip


class RosterOut(Out):
    """All weekly hours of one clinician. `version` is a digest of them: it changes when they do."""

    clinician_id: ClinicianId
    shifts: list[ShiftOut]
    version: int

    @classmethod
    def of(cls, clinician_id: ClinicianId, rows: Sequence[Roster]) -> Self:
        shifts = [ShiftOut.of(row) for row in rows]
        digest = zlib.crc32("".join(shift.model_dump_json() for shift in shifts).encode())
        return cls(clinician_id=clinician_id, shifts=shifts, version=digest)


class LeaveIn(In):
    """Somebody is away, from `first` until before `last`."""

    model_config = example(
        clinician_id="cln_01kj4y8x3hf7a9cq2v5b6n8m0t", first="2026-12-01T08:00:00+08:00",
        last="2026-12-03T08:00:00+08:00", reason="年假",
    )  # fmt: skip

    clinician_id: ClinicianId
    first: Moment
    last: Moment
    reason: Reason = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first >= self.last:
            raise ValueError("结束时间必须晚于开始时间")
        return self


class LeaveOut(Out):
    """Somebody is away, from `first` until before `last`."""

    id: LeaveId
    clinician_id: ClinicianId
    first: Moment
    last: Moment
    reason: str

    @classmethod
    def of(cls, row: Leave) -> Self:
        return cls.model_validate(row)


class RosterLineOut(Out):
    """One shift of a day, and the leave that falls into the day."""

    clinician_id: ClinicianId
    clinician_name: str
    shift: ShiftOut
    leave: list[LeaveOut]

    @classmethod
    def of(cls, shift: Roster, clinician: Clinician, leave: Sequence[Leave]) -> Self:
        return cls(
            clinician_id=clinician.id, clinician_name=clinician.name, shift=ShiftOut.of(shift),
            leave=[LeaveOut.of(each) for each in leave],
        )  # fmt: skip


class RosterDayOut(Out):
    """Who works on a day."""

    day: date
    items: list[RosterLineOut]
