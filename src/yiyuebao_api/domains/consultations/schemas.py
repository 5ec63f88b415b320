"""Consultations on the wire."""

from __future__ import annotations

from pydantic import Field

from yiyuebao_api.kernel.schema import Moment, Out


class LiveTicketOut(Out):
    """Opens one live socket once; goes into its first frame and nowhere else."""

    ticket: str = Field(examples=["4Hq1f0cO3yJxv2m8sK7dQ0aZ"])
    expires_at: Moment = Field(description="Thirty seconds from now.")
