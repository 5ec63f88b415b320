"""Jobs on the wire."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from yiyuebao_api.kernel.ids import JobId
from yiyuebao_api.kernel.outbox import JobState, OutboxJob
from yiyuebao_api.kernel.schema import Moment, Out


class JobOut(Out):
    """A job that waits, runs or gave up; done ones are gone."""

    id: JobId
    type: str = Field(examples=["payments.refund"])
    subject: str = Field(description="What it is about.", examples=["rfd_01kj4y8x3hf7a9cq2v5b6n8m0t"])
    state: JobState
    attempts: int
    last_error: str | None = Field(description="Class and reason of the last failure; no personal data.")
    run_at: Moment = Field(description="Not before.")
    created_at: Moment

    @classmethod
    def of(cls, job: OutboxJob) -> Self:
        return cls(
            id=job.id, type=job.type, subject=job.aggregateid, state=job.state, attempts=job.attempts,
            last_error=job.last_error, run_at=job.run_at, created_at=job.created_at,
        )  # fmt: skip
