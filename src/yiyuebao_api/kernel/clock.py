"""The only module that reads the system clock.

`now()` is the business clock. In development it can be moved forward, for every process at once, by the file named in
`YIYUEBAO_CLOCK_FILE`, which holds a number of seconds (`python -m yiyuebao_api clock +7d` writes it): so a demo can
watch seven days pass. `system_now()` cannot be moved: signatures exchanged with the outside world live by it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

from fastapi import Depends

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")  # no daylight saving since 1991

_file: Path | None = None
_read: tuple[int, timedelta] = (0, timedelta())


def use_file(path: Path | None) -> None:
    """Let the clock follow `path` from now on; None for the plain system clock."""
    global _file, _read
    _file, _read = path, (0, timedelta())


def system_now() -> datetime:
    """Aware UTC, never moved."""
    return datetime.now(UTC)


def now() -> datetime:
    """Aware UTC of the business clock."""
    return system_now() + offset() if _file is not None else system_now()


def offset() -> timedelta:
    """How far the business clock is ahead of the system's."""
    global _read
    if _file is None:
        return timedelta()
    try:
        stamp = _file.stat().st_mtime_ns
        if stamp != _read[0]:
            _read = (stamp, timedelta(seconds=float(_file.read_text() or 0)))
    except (FileNotFoundError, ValueError, OverflowError):  # gone, or written by hand: the last time it told holds
        return _read[1]
    return _read[1]


def move(by: timedelta) -> timedelta:
    """Move the business clock of every process that follows the same file; returns the new offset."""
    if _file is None:
        raise RuntimeError("the clock follows no file: set YIYUEBAO_CLOCK_FILE (development only)")
    moved = offset() + by
    half = _file.with_suffix(".half")
    half.write_text(f"{moved.total_seconds():.6f}")
    half.replace(_file)  # nobody ever reads an empty file, which would be an unmoved clock
    return moved


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def in_english(moment: datetime) -> str:
    """`25 Nov 09:00`, in China, for people who read English; whatever the machine's language."""
    local = moment.astimezone(SHANGHAI)
    return f"{local.day} {_MONTHS[local.month - 1]} {local:%H:%M}"


def today(moment: datetime) -> datetime:
    """The midnight in Shanghai that begins the day `moment` lies in, as aware UTC."""
    return moment.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


async def _request_now() -> datetime:
    return now()


Now = Annotated[datetime, Depends(_request_now)]
