"""Time travel: the business clock of a development installation, moved by its documented file and put back.

Putting it back is safe as long as nothing is left to be done that was asked for in the meantime: a job asked for "now"
while the clock was ahead would wait until real time gets there. So the story waits until its webhooks, refunds and
releases are done before it goes back. Ids and idempotency keys live by the real clock and never notice; sessions and
limits allow for a clock that went back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from yiyuebao_api.demo.stage import StoryBroken
from yiyuebao_api.kernel import clock
from yiyuebao_api.settings import Settings

_SAME = timedelta(seconds=90)


class Travel:
    """Holds where the clock was at the beginning."""

    def __init__(self, file: Path) -> None:
        clock.use_file(file)
        self.file, self._began = file, clock.offset()

    @classmethod
    def prepared(cls, settings: Settings) -> Travel:
        """Raises StoryBroken when no clock may be moved here."""
        if settings.production:
            raise StoryBroken("这是生产环境：时钟不可移动，演示只在开发环境进行。")
        usual = Path(".data/run.env")
        file = settings.clock_file or (Path(".data/clock") if usual.exists() else None)
        if file is None:
            raise StoryBroken(
                "不知道时钟文件在哪里。先启动 scripts/run，再执行：. .data/run.env（它写明 YIYUEBAO_CLOCK_FILE）"
            )
        return cls(file)

    @property
    def was_moved(self) -> bool:
        """Whether somebody had moved the clock before the story began."""
        return bool(self._began)

    @property
    def is_away(self) -> bool:
        """Whether the clock is not where it was at the beginning."""
        return clock.offset() != self._began

    def to(self, moment: datetime) -> timedelta:
        """Let that moment come, if it has not yet; by how much the clock moved."""
        by = max(moment - clock.now(), timedelta())
        if by:
            clock.move(by)
        return by

    def back(self) -> None:
        """Where it was at the beginning."""
        if self.is_away:
            clock.move(self._began - clock.offset())

    def require_followed(self, moment: str) -> None:
        """`moment` is what the API has just written down as now. Raises StoryBroken when it lives by another clock."""
        if abs(datetime.fromisoformat(moment) - clock.now()) > _SAME:
            raise StoryBroken(
                f"API 没有跟随时钟文件 {self.file}：它此刻是 {moment}。"
                "演示与 API 要用同一个 YIYUEBAO_CLOCK_FILE（在启动 scripts/run 的目录里执行 . .data/run.env）。"
            )
