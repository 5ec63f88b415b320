"""Why an operation is refused."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class ClaimedByAnother(Problem):
    status, code = 409, "claimed-by-another"
    title = Words("他人正在处理", "Somebody is at it")
    detail = Words("另一位同事正在处理该事项，请处理下一项。", "A colleague is at work on this; take the next one.")


class JobNotDead(Problem):
    status, code = 409, "job-not-dead"
    title = Words("该任务不在死信中", "Not a dead letter")
    detail = Words("该任务已完成、正在执行或已被重新启动。", "This job is done, running, or was revived already.")
