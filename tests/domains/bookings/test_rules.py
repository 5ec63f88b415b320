"""The state machine and the cancellation matrix, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.domains.bookings.problems import (
    BookingStateRefused,
    RescheduledTooOften,
    TooLateToReschedule,
    VisitAlreadyArrived,
)
from yiyuebao_api.domains.bookings.rules import (
    MOVES,
    BookingState,
    Keeping,
    Paid,
    Policy,
    VisitStage,
    cancellation,
    check_move,
    check_reschedule,
    effective,
    refusal,
)
from yiyuebao_api.kernel.money import Fen

NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
LINES = [("visit_fee", Fen(3000)), ("item_fee", Fen(12000)), ("material_fee", Fen(900)), ("travel_fee", Fen(2000))]
S: TypeAlias = BookingState
V: TypeAlias = VisitStage


def paid(state: S, stage: V | None = None, *, starts_in: timedelta = timedelta(days=1), **policy: int) -> Paid:
    return Paid(state, stage, NOW + starts_in, LINES, Policy(**policy))


@pytest.mark.parametrize(
    ("facts", "refund", "kept", "because"),
    [
        (paid(S.HELD), 0, 0, Keeping.NOTHING_PAID),
        (paid(S.PAID), 17900, 0, Keeping.NOT_ACCEPTED),
        (paid(S.PAID, starts_in=timedelta(minutes=1), late_fee_fen=3000), 17900, 0, Keeping.NOT_ACCEPTED),
        (paid(S.ACCEPTED, starts_in=timedelta(hours=4), late_fee_fen=3000), 17900, 0, Keeping.IN_TIME),
        (paid(S.ACCEPTED, starts_in=timedelta(hours=4) - timedelta(seconds=1)), 17900, 0, Keeping.LATE),
        (paid(S.ASSIGNED, V.ASSIGNED, starts_in=timedelta(hours=3), late_fee_fen=2500), 15400, 2500, Keeping.LATE),
        (paid(S.ASSIGNED, V.ASSIGNED, starts_in=timedelta(hours=3), late_fee_fen=9999), 14900, 3000, Keeping.LATE),
        (paid(S.UNDER_WAY, V.DEPARTED, starts_in=timedelta(minutes=20)), 12900, 5000, Keeping.DEPARTED),
        (paid(S.UNDER_WAY, V.DEPARTED, starts_in=-timedelta(minutes=31)), 17900, 0, Keeping.CLINICIAN_LATE),
        (paid(S.ACCEPTED, starts_in=-timedelta(minutes=31)), 17900, 0, Keeping.CLINICIAN_LATE),
    ],
)
def test_cancellation_matrix(facts: Paid, refund: int, kept: int, because: Keeping) -> None:
    """RULE-64, 65, 67."""
    found = cancellation(facts, NOW)
    assert (found.refund_fen, found.kept_fen, found.because) == (refund, kept, because)


@pytest.mark.parametrize("stage", [V.ARRIVED, V.STARTED])
def test_at_the_door_nothing_is_cancelled_or_refused(stage: V) -> None:
    with pytest.raises(VisitAlreadyArrived):
        cancellation(paid(S.UNDER_WAY, stage), NOW)
    with pytest.raises(VisitAlreadyArrived):
        refusal(paid(S.UNDER_WAY, stage))


@pytest.mark.parametrize("state", [S.EXPIRED, S.CANCELLED, S.REFUSED])
def test_what_has_ended_stays_ended(state: S) -> None:
    with pytest.raises(BookingStateRefused):
        cancellation(paid(state), NOW)
    with pytest.raises(BookingStateRefused):
        refusal(paid(state))


@given(
    st.lists(st.tuples(st.sampled_from(["visit_fee", "item_fee", "material_fee", "travel_fee"]), st.integers(0, 10**7)), max_size=6),
    st.sampled_from([S.PAID, S.ACCEPTED, S.ASSIGNED, S.UNDER_WAY]),
    st.integers(-2000, 2000), st.integers(0, 10**6),
)  # fmt: skip
def test_refund_and_kept_add_up_and_only_call_out_is_ever_kept(
    lines: list[tuple[str, int]], state: S, minutes: int, late_fee: int
) -> None:
    stage = V.DEPARTED if state is S.UNDER_WAY else None
    priced = [(kind, Fen(amount)) for kind, amount in lines]
    facts = Paid(state, stage, NOW + timedelta(minutes=minutes), priced, Policy(late_fee_fen=late_fee))
    found = cancellation(facts, NOW)
    assert found.refund_fen + found.kept_fen == sum(amount for _, amount in lines)
    assert 0 <= found.kept_fen <= sum(amount for kind, amount in lines if kind in ("visit_fee", "travel_fee"))


def test_every_move_is_either_legal_or_refused() -> None:
    for before in S:
        for after in S:
            if after in MOVES[before]:
                check_move(before, after)
            else:
                with pytest.raises(BookingStateRefused):
                    check_move(before, after)


def test_a_hold_ends_at_its_very_moment() -> None:
    assert effective(S.HELD, NOW + timedelta(microseconds=1), NOW) is S.HELD
    assert effective(S.HELD, NOW, NOW) is S.EXPIRED
    assert effective(S.PAID, NOW, NOW) is S.PAID


def test_a_policy_survives_its_row_and_fields_it_does_not_know() -> None:
    row = Policy(late_fee_fen=500).as_row() | {"of_a_later_version": 1}
    assert Policy.of(row) == Policy(late_fee_fen=500)


def test_a_new_time_is_asked_for_in_good_time_and_not_too_often() -> None:
    """RULE-66."""
    check_reschedule(Policy(), NOW + timedelta(hours=6), 1, NOW)
    with pytest.raises(TooLateToReschedule):
        check_reschedule(Policy(), NOW + timedelta(hours=6) - timedelta(seconds=1), 0, NOW)
    with pytest.raises(RescheduledTooOften):
        check_reschedule(Policy(), NOW + timedelta(days=1), 2, NOW)
