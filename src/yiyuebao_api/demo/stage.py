"""What the audience sees: acts, steps and facts, in colour where a terminal shows it."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from typing import Any, TextIO
from unicodedata import east_asian_width

from yiyuebao_api.kernel import clock

_COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_LABEL_COLUMNS = 10


class StoryBroken(Exception):
    """Something did not happen as told; the words are for the person who watches."""


class Stage:
    """Prints the story as it happens."""

    def __init__(self, out: TextIO | None = None, *, pause: float = 0.0) -> None:
        self._out, self._pause, self._steps = out or sys.stdout, pause, 0
        self._colour = self._out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def title(self, chinese: str, english: str) -> None:
        """The name of the play."""
        self._print(f"\n{self._in('bold', chinese)}  {self._in('dim', english)}")

    def act(self, chinese: str, english: str) -> None:
        """A new act."""
        line = "━" * max(4, 66 - _columns(chinese) - _columns(english))
        heading = f"{self._in('bold', chinese)} · {english} {self._in('dim', line)}"
        self._print(f"\n{self._in('cyan', '━━')} {heading}")

    async def step(self, who: str, whom: str, chinese: str, english: str) -> None:
        """Who does what to whom, after the pause that people who watch asked for."""
        if self._pause and self._steps:
            await asyncio.sleep(self._pause)
        self._steps += 1
        number = self._in("cyan", f"{self._steps:>3}")
        doing = self._in("bold", chinese)
        self._print(f"\n{number}  {who} → {whom}  {doing}  {self._in('dim', english)}")

    def call(self, method: str, path: str, status: int) -> None:
        """One request to the API, with the business clock beside it."""
        colour = "dim" if status < 400 else "yellow"
        text = f"{wire_now()}  {method} {path} → {status}"
        self._print(f"     {self._in(colour, text)}")

    def fact(self, label: str, value: object, hint: str = "") -> None:
        """Something to know, in its line."""
        gap = " " * max(1, _LABEL_COLUMNS - _columns(label))
        tail = f"  {self._in('dim', hint)}" if hint else ""
        self._print(f"     {label}{gap}{value}{tail}")

    def note(self, text: str) -> None:
        """An aside."""
        self._print(f"     {self._in('dim', text)}")

    def good(self, text: str) -> None:
        """What was hoped for."""
        self._print(f"     {self._in('green', '✓')} {text}")

    def refusal(self, problem: dict[str, Any]) -> None:
        """A kind refusal that belongs to the story."""
        self._print(f"     {self._in('yellow', '✋')} {problem['title']}：{problem['detail']}  "
                    f"{self._in('dim', problem['code'])}")  # fmt: skip

    def clock(self, text: str) -> None:
        """Time has passed."""
        self._print(f"\n     {self._in('blue', '⏩ ' + text)}")

    def broken(self, text: str) -> None:
        """The story ends here."""
        self._print(f"\n{self._in('red', '✗')} {text}")

    def line(self, text: str = "") -> None:
        """A line as it is."""
        self._print(text)

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colour else text

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def signed_yuan(fen: int) -> str:
    """`22000` → `+220.00`, for the books."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else '+' if fen else ''}{whole}.{rest:02d}"


def day_and_time(moment: str) -> str:
    """`2026-11-24T09:00:00+08:00` → `11月24日 09:00`."""
    local = datetime.fromisoformat(moment).astimezone(clock.SHANGHAI)
    return local.strftime("%m月%d日 %H:%M")


def wire_now() -> str:
    """The business clock as it goes over the wire."""
    return clock.now().astimezone(clock.SHANGHAI).isoformat(timespec="seconds")


def padded(text: str, columns: int) -> str:
    """`text` and as many blanks as a terminal needs: a Chinese character takes two columns."""
    return text + " " * max(0, columns - _columns(text))


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
