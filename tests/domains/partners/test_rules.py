"""The schedule, the wishes of receivers, and who listens to what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from yiyuebao_api.domains.partners.rules import SCHEDULE, EventType, is_given_up, is_success, listens, wait_after
from yiyuebao_api.domains.partners.schemas import WEBHOOKS


def test_ten_attempts_over_75_hours_35_minutes_and_5_seconds() -> None:
    waits = [wait_after(n, status=500, retry_after=None, jitter=0) for n in range(1, 11)]
    assert waits[9] is None
    assert sum((wait for wait in waits if wait), timedelta()) == timedelta(hours=75, minutes=35, seconds=5)


@given(attempts=some.integers(1, 9), jitter=some.floats(-1, 1))
def test_jitter_moves_a_wait_by_a_tenth_at_most(attempts: int, jitter: float) -> None:
    wait = wait_after(attempts, status=None, retry_after=None, jitter=jitter)
    assert wait is not None
    assert SCHEDULE[attempts - 1] * 0.899 <= wait <= SCHEDULE[attempts - 1] * 1.101


@pytest.mark.parametrize(("status", "wished", "waits"), [
    (429, 60, 60), (503, 60, 60), (503, 1, 5), (500, 60, 5), (404, 60, 5), (None, 60, 5), (429, None, 5),
])  # fmt: skip
def test_only_429_and_503_may_ask_for_a_longer_wait(status: int | None, wished: int | None, waits: int) -> None:
    retry_after = None if wished is None else timedelta(seconds=wished)
    assert wait_after(1, status=status, retry_after=retry_after, jitter=0) == timedelta(seconds=waits)


def test_a_wish_does_not_prolong_the_number_of_attempts() -> None:
    assert wait_after(10, status=503, retry_after=timedelta(hours=1), jitter=0) is None


@pytest.mark.parametrize(("status", "success"), [
    (100, False), (199, False), (200, True), (204, True), (299, True), (300, False), (302, False), (410, False),
    (500, False),
])  # fmt: skip
def test_only_2xx_is_success(status: int, success: bool) -> None:
    assert is_success(status) is success


def test_three_days_of_failing_are_enough() -> None:
    since = datetime(2026, 11, 23, tzinfo=UTC)
    assert not is_given_up(since, since + timedelta(days=3, seconds=-1))
    assert is_given_up(since, since + timedelta(days=3))


def test_an_empty_list_listens_to_everything() -> None:
    assert listens([], "booking.paid")
    assert listens(["booking.paid"], "booking.paid")
    assert not listens(["booking.paid"], "visit.arrived")


def test_every_type_has_a_published_message() -> None:
    assert [kind for kind, _, _ in WEBHOOKS] == [each.value for each in EventType]
    names = {model.__name__ for _, model, _ in WEBHOOKS}
    assert len(names) == len(WEBHOOKS)
    for kind, model, summary in WEBHOOKS:
        schema = model.model_json_schema()
        assert schema["properties"]["type"]["const"] == kind
        assert set(schema["required"]) == {"type", "timestamp", "data"}
        assert summary
