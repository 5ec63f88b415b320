"""Copies and closing on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from yiyuebao_api.domains.privacy.holdings import HOLDINGS
from yiyuebao_api.domains.privacy.models import Export
from yiyuebao_api.domains.privacy.rules import ExportState, Fate, OpenThing
from yiyuebao_api.kernel.ids import ExportId, Id
from yiyuebao_api.kernel.schema import In, Moment, Out, example


class ProofIn(In):
    """A code that was just sent to the account's phone (`POST /v1/accounts/sms-codes` with purpose `privacy`)."""

    model_config = example(code="142857")

    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class ExportOut(Out):
    """A copy of everything that is held of the account and its patients."""

    id: ExportId
    state: ExportState
    size_bytes: int | None = Field(examples=[412_345])
    asked_at: Moment
    made_at: Moment | None
    expires_at: Moment | None = Field(description="Until when it can be fetched.")

    @classmethod
    def of(cls, export: Export, now: datetime) -> Self:
        return cls(
            id=export.id, state=export.standing(now), size_bytes=export.size_bytes, asked_at=export.asked_at,
            made_at=export.made_at, expires_at=export.expires_at,
        )  # fmt: skip


class OpenOut(Out):
    """Something that must end first."""

    kind: OpenThing
    id: str = Field(examples=["bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"])


class FateOut(Out):
    """What becomes of one kind of data."""

    table: str = Field(examples=["address"])
    fate: Fate
    why: str = Field(examples=["地址"])


class ClosingOut(Out):
    """What closing would mean, before anything is done."""

    open: list[OpenOut]
    data: list[FateOut]

    @classmethod
    def of(cls, running: Sequence[tuple[OpenThing, Id]]) -> Self:
        return cls(
            open=[OpenOut(kind=kind, id=str(each)) for kind, each in running],
            data=[FateOut(table=each.name, fate=each.fate, why=each.why) for each in HOLDINGS],
        )
