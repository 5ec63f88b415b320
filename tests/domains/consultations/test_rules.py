"""Pure rules: deadlines, rounds, ages, and what looks suspicious."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.domains.consultations.problems import (
    ConsultationStateRefused,
    PriceOutOfLimits,
    RecallTooLate,
    UnderSixRefused,
)
from yiyuebao_api.domains.consultations.rules import (
    MOVES,
    ConsultState,
    Course,
    EndReason,
    FlagKind,
    Measure,
    Rounds,
    SenderRole,
    Terms,
    age_on,
    check_child,
    check_move,
    check_price,
    check_recall,
    standing,
    suspicions,
)
from yiyuebao_api.kernel.money import Fen

NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)
S = ConsultState


def test_every_move_that_is_not_listed_is_refused() -> None:
    for before in S:
        for after in S:
            if after in MOVES[before]:
                check_move(before, after)
            else:
                with pytest.raises(ConsultationStateRefused):
                    check_move(before, after)


@pytest.mark.parametrize(
    ("state", "changes", "expected", "reason"),
    [
        (S.AWAITING_PAYMENT, {"pay_until": NOW}, S.EXPIRED, EndReason.UNPAID),
        (S.AWAITING_PAYMENT, {}, S.AWAITING_PAYMENT, None),
        (S.WAITING, {"refund_at": NOW}, S.REFUNDED, EndReason.NO_ANSWER),
        (S.WAITING, {"pay_until": NOW}, S.WAITING, None),
        (S.ACTIVE, {"closes_at": NOW}, S.ENDED, EndReason.ROUNDS_UP),
        (S.ACTIVE, {"closes_at": NOW, "measure": Measure.MINUTES}, S.ENDED, EndReason.TIME_UP),
        (S.ACTIVE, {"idle_at": NOW}, S.ENDED, EndReason.IDLE),
        (S.ACTIVE, {"idle_at": NOW, "closes_at": NOW - timedelta(hours=1)}, S.ENDED, EndReason.ROUNDS_UP),
        (S.ACTIVE, {"refund_at": NOW}, S.ACTIVE, None),
        (S.ENDED, {"closes_at": NOW}, S.ENDED, None),
    ],
)
def test_deadlines_hold_at_read_time(
    state: ConsultState, changes: dict[str, object], expected: ConsultState, reason: EndReason | None
) -> None:
    later = NOW + timedelta(microseconds=1)
    course = Course(state, Measure.ROUNDS, later, later, later, later)._replace(**changes)  # type: ignore[arg-type]
    found = standing(course, NOW)
    assert (found.state, found.reason) == (expected, reason)


@given(st.lists(st.sampled_from(SenderRole), max_size=60))
def test_a_round_is_a_question_that_was_answered(told: list[SenderRole]) -> None:
    rounds, answered, open_question = Rounds(0, asked=True), 0, True
    for sender in told:
        before = rounds.used
        rounds = rounds.after(sender)
        answered += sender is SenderRole.CLINICIAN and open_question
        open_question = sender is SenderRole.PATIENT
        assert rounds.used in (before, before + 1)
    assert rounds.used == answered


def test_six_is_counted_to_the_day() -> None:
    assert age_on(date(2020, 11, 25), date(2026, 11, 25)) == 6
    assert age_on(date(2020, 11, 26), date(2026, 11, 25)) == 5
    assert age_on(date(2020, 2, 29), date(2026, 2, 28)) == 5
    check_child(date(2020, 11, 25), date(2026, 11, 25), guardian=False, specialty="骨科")
    with pytest.raises(UnderSixRefused):
        check_child(date(2020, 11, 26), date(2026, 11, 25), guardian=False, specialty="儿科")


def test_limits_of_prices_and_of_recalls_are_inclusive() -> None:
    check_price(Fen(1000), Fen(1000), Fen(1000))
    with pytest.raises(PriceOutOfLimits):
        check_price(Fen(999), Fen(1000), Fen(1000))
    check_recall(NOW - timedelta(minutes=2), NOW)
    with pytest.raises(RecallTooLate):
        check_recall(NOW - timedelta(minutes=2, microseconds=1), NOW)


def test_terms_are_read_back_as_they_were_and_forget_what_they_do_not_know() -> None:
    terms = Terms(answer_minutes=20, piece=3, piece_fen=3000)
    assert Terms.of({**terms.as_row(), "later": 1}) == terms


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("血压 150/95，吃两片", {}),
        ("订单 20261125135791357913579 查不到", {}),
        ("我的电话是138 0013 8000", {FlagKind.CONTACT: "phone-number"}),
        ("一三八零零一三八零零零", {FlagKind.CONTACT: "phone-number"}),
        ("打 １３８００１３８０００", {FlagKind.CONTACT: "phone-number"}),
        ("加 我 微 信", {FlagKind.CONTACT: "contact-words"}),
        ("微信号：abc_12345", {FlagKind.CONTACT: "contact-words"}),
        ("见 https://example.com/x", {FlagKind.CONTACT: "contact-words"}),
        ("再不回我就去死", {FlagKind.ABUSE: "abuse-words"}),
        ("哪里能买到迷 药", {FlagKind.ILLEGAL: "illegal-words"}),
    ],
)
def test_what_looks_suspicious(text: str, found: dict[FlagKind, str]) -> None:
    assert suspicions(text) == found


@given(st.text(max_size=300))
def test_no_text_is_too_strange_to_look_at(text: str) -> None:
    assert set(suspicions(text)) <= set(FlagKind)
