"""The order of the steps, busy ranges, who may be sent, who sees the address: without input or output."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.domains.bookings.rules import VisitStage
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.clinicians.problems import ClinicianUnqualified
from yiyuebao_api.domains.clinicians.rules import Clause
from yiyuebao_api.domains.schedules.rules import Shift
from yiyuebao_api.domains.visits.problems import (
    ClinicianBusy,
    ClinicianFullyBooked,
    ClinicianOnLeave,
    VisitStepOutOfOrder,
)
from yiyuebao_api.domains.visits.rules import (
    MOVES,
    Blocker,
    Stage,
    Standing,
    Viewer,
    busy_range,
    busy_until_after,
    check_may_be_sent,
    check_step,
    is_on_duty,
    may_see_address,
    most_visits,
)
from yiyuebao_api.kernel.ids import ClinicianId

TEN = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)  # a Wednesday, ten o'clock in Shanghai
HOUR = timedelta(hours=1)
S = Stage

LEGAL = {
    Place.HOME: {
        (S.ASSIGNED, S.DEPARTED), (S.DEPARTED, S.ARRIVED), (S.ARRIVED, S.STARTED), (S.STARTED, S.FINISHED),
        (S.FINISHED, S.CONFIRMED), (S.ASSIGNED, S.CANCELLED), (S.DEPARTED, S.CANCELLED), (S.ARRIVED, S.CANCELLED),
        (S.STARTED, S.CANCELLED), (S.CANCELLED, S.ASSIGNED),
    },
    Place.HOSPITAL: {
        (S.ASSIGNED, S.ARRIVED), (S.DEPARTED, S.ARRIVED), (S.ARRIVED, S.STARTED), (S.STARTED, S.FINISHED),
        (S.FINISHED, S.CONFIRMED), (S.ASSIGNED, S.CANCELLED), (S.DEPARTED, S.CANCELLED), (S.ARRIVED, S.CANCELLED),
        (S.STARTED, S.CANCELLED), (S.CANCELLED, S.ASSIGNED),
    },
}  # fmt: skip


@pytest.mark.parametrize("place", [Place.HOME, Place.HOSPITAL])
@pytest.mark.parametrize("now", list(Stage))
@pytest.mark.parametrize("wanted", list(Stage))
def test_only_the_next_step_is_legal(place: Place, now: Stage, wanted: Stage) -> None:
    if (now, wanted) in LEGAL[place]:
        check_step(place, now, wanted)
        return
    with pytest.raises(VisitStepOutOfOrder) as refused:
        check_step(place, now, wanted)
    assert refused.value.fields == {"stage": now.value}


def test_every_stage_has_its_moves() -> None:
    assert all(set(moves) == set(Stage) for moves in MOVES.values())


def test_the_bookings_know_every_stage_but_cancelled() -> None:
    assert {stage.value for stage in VisitStage} == {stage.value for stage in Stage} - {"cancelled"}


def test_travel_counts_at_home_only() -> None:
    half = timedelta(minutes=30)
    assert busy_range(TEN, TEN + HOUR, Place.HOME, half) == (TEN - half, TEN + HOUR + half)
    assert busy_range(TEN, TEN + HOUR, Place.HOSPITAL, half) == (TEN, TEN + HOUR)


@given(ended=st.integers(-3000, 3000), length=st.integers(1, 600), way=st.integers(0, 120))
def test_the_busy_range_only_ever_shrinks(ended: int, length: int, way: int) -> None:
    busy_from, busy_until = busy_range(TEN, TEN + timedelta(minutes=length), Place.HOME, timedelta(minutes=way))
    after = busy_until_after(TEN + timedelta(minutes=ended), busy_from, busy_until, timedelta(minutes=way))
    assert busy_from <= after <= busy_until


@pytest.mark.parametrize(
    ("viewer", "stage", "ended_ago", "seen"),
    [
        (Viewer.PATIENT, S.CONFIRMED, timedelta(days=30), True),
        (Viewer.PATIENT, S.CANCELLED, None, True),
        (Viewer.CLINICIAN, S.ASSIGNED, None, True),
        (Viewer.CLINICIAN, S.STARTED, None, True),
        (Viewer.CLINICIAN, S.FINISHED, timedelta(hours=23, minutes=59), True),
        (Viewer.CLINICIAN, S.CONFIRMED, timedelta(hours=23, minutes=59), True),
        (Viewer.CLINICIAN, S.FINISHED, timedelta(hours=24), False),
        (Viewer.CLINICIAN, S.CANCELLED, None, False),
        (Viewer.DESK, S.ASSIGNED, None, False),
    ],
)
def test_who_sees_the_address(viewer: Viewer, stage: Stage, ended_ago: timedelta | None, seen: bool) -> None:
    finished_at = None if ended_ago is None else TEN - ended_ago
    assert may_see_address(viewer, stage, finished_at, TEN) is seen


def standing(
    *clauses: Clause, busy: bool = False, on_leave: bool = False, visits: int = 0, most: int | None = None
) -> Standing:
    return Standing(clauses, busy=busy, on_leave=on_leave, visits_that_day=visits, most_visits=most)


def test_every_clause_is_a_blocker() -> None:
    assert {clause.value for clause in Clause} <= {blocker.value for blocker in Blocker}
    assert standing(*Clause).blockers() == [Blocker(clause.value) for clause in Clause]


@pytest.mark.parametrize(
    ("facts", "problem", "blockers"),
    [
        (standing(Clause.LICENCE_EXPIRED, busy=True), ClinicianUnqualified, [Blocker.LICENCE_EXPIRED, Blocker.BUSY]),
        (standing(on_leave=True), ClinicianOnLeave, [Blocker.ON_LEAVE]),
        (standing(busy=True), ClinicianBusy, [Blocker.BUSY]),
        (standing(visits=3, most=3), ClinicianFullyBooked, [Blocker.FULLY_BOOKED]),
        (standing(visits=0, most=0), ClinicianFullyBooked, [Blocker.FULLY_BOOKED]),
    ],
)
def test_whoever_has_a_blocker_is_not_sent(facts: Standing, problem: type[Exception], blockers: list[Blocker]) -> None:
    assert facts.blockers() == blockers
    with pytest.raises(problem):
        check_may_be_sent(facts)


@pytest.mark.parametrize("facts", [standing(), standing(visits=2, most=3), standing(visits=99)])
def test_whoever_has_none_is(facts: Standing) -> None:
    assert facts.blockers() == []
    check_may_be_sent(facts)


def shift(weekday: int, start: int, end: int, most: int = 4) -> Shift:
    return Shift(ClinicianId.new(), weekday, start, end, most)


def test_the_larger_of_two_shifts_counts() -> None:
    wednesday = date(2026, 11, 25)
    shifts = [shift(2, 480, 720, 3), shift(2, 780, 1080, 5), shift(3, 480, 720, 9)]
    assert most_visits(shifts, wednesday) == 5
    assert most_visits(shifts, wednesday + timedelta(days=3)) is None
    assert most_visits([], wednesday) is None


@pytest.mark.parametrize(
    ("shifts", "duty"),
    [
        ([], None),
        ([shift(2, 600, 660)], True),
        ([shift(2, 601, 700)], False),
        ([shift(2, 600, 659)], False),
        ([shift(3, 0, 1440)], False),
        ([shift(2, 480, 630), shift(2, 630, 720)], False),
    ],
)
def test_one_shift_must_cover_the_visit(shifts: list[Shift], duty: bool | None) -> None:
    assert is_on_duty(shifts, TEN, TEN + HOUR) is duty
