"""The clock: one source, aware, moved for every process at once in development, and never for signatures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.kernel import clock

DAY = timedelta(days=1)
CLOSE = timedelta(seconds=5)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "clock"
    clock.use_file(path)
    yield path
    clock.use_file(None)


def test_times_are_aware() -> None:
    """A naive time is eight hours of doubt."""
    assert clock.now().utcoffset() == timedelta()
    assert clock.system_now().utcoffset() == timedelta()


def test_the_business_clock_moves_and_the_system_s_does_not(file: Path) -> None:
    """WeChat refuses signatures of next week: only the business may live there."""
    assert clock.move(7 * DAY) == 7 * DAY
    assert clock.move(DAY) == 8 * DAY, "from where it stands"
    assert abs(clock.now() - clock.system_now() - 8 * DAY) < CLOSE
    assert abs(clock.system_now() - datetime.now(UTC)) < CLOSE
    clock.move(-8 * DAY)
    assert abs(clock.now() - clock.system_now()) < CLOSE


def test_every_process_that_follows_the_file_moves(file: Path) -> None:
    """API and worker in different weeks would release money that is still disputed."""
    mover = "import sys, datetime, pathlib; from yiyuebao_api.kernel import clock; "
    mover += "clock.use_file(pathlib.Path(sys.argv[1])); clock.move(datetime.timedelta(days=3))"
    subprocess.run([sys.executable, "-c", mover, str(file)], check=True, timeout=60)
    assert abs(clock.now() - clock.system_now() - 3 * DAY) < CLOSE


def test_a_move_leaves_no_half_written_file_behind(file: Path) -> None:
    """A reader that meets an empty file would jump back a week for one request."""
    clock.move(DAY)
    assert [each.name for each in file.parent.iterdir()] == ["clock"]


@pytest.mark.parametrize("content", ["", "nonsense", "nan", "inf", "1e400", "-1e300"])
def test_a_broken_file_does_not_break_the_clock(file: Path, content: str) -> None:
    """Somebody edits it by hand; every request of the machine asks what time it is."""
    clock.move(DAY)
    file.write_text(content)
    assert clock.offset() in (DAY, timedelta())
    clock.now()


def test_a_file_that_is_gone_keeps_the_last_time_it_told(file: Path) -> None:
    """Time that jumps back while somebody looks is worse than time that stands where it was moved."""
    clock.move(DAY)
    assert clock.offset() == DAY
    file.unlink()
    assert clock.offset() == DAY


def test_without_a_file_nothing_can_be_moved() -> None:
    """In production the clock is the system's."""
    with pytest.raises(RuntimeError, match="YIYUEBAO_CLOCK_FILE"):
        clock.move(DAY)
    assert clock.offset() == timedelta()


@given(st.integers(min_value=0, max_value=7_000_000_000_000_000))
def test_a_day_begins_at_midnight_in_shanghai(microseconds: int) -> None:
    """A day by UTC would give the slots of 07:00 to yesterday."""
    moment = datetime(1992, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    begins = clock.today(moment)
    assert begins <= moment < begins + DAY
    assert begins.astimezone(clock.SHANGHAI).strftime("%H:%M:%S.%f") == "00:00:00.000000"
    assert begins.tzinfo is UTC
