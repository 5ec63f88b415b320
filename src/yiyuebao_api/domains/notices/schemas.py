"""Notices on the wire."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.notices.rules import UNTOLD
from yiyuebao_api.kernel.ids import NoticeId
from yiyuebao_api.kernel.schema import Moment, Out


class NoticeOut(Out):
    """One notice. `subject_kind` and `subject_id` say what to open when it is tapped."""

    id: NoticeId
    kind: str = Field(examples=["booking.paid"])
    title: str = Field(examples=["预约成功"])
    body: str = Field(examples=["您预约的上门服务已支付成功，等待医院接单。"])
    title_en: str = Field(examples=["Booked and paid"])
    body_en: str = Field(
        description="As complete as `body`; names of items and what people wrote stay as they are.",
        examples=["Booked and paid: the hospital will answer."],
    )
    subject_kind: str = Field(examples=["booking"])
    subject_id: str = Field(examples=["bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"])
    created_at: Moment
    read_at: Moment | None

    @classmethod
    def of(cls, notice: Notice) -> Self:
        title, body = UNTOLD
        return cls(
            id=notice.id, kind=notice.kind, title=notice.title, body=notice.body,
            title_en=notice.title_en or title.en, body_en=notice.body_en or body.en,
            subject_kind=notice.subject_kind, subject_id=notice.subject_id, created_at=notice.created_at,
            read_at=notice.read_at,
        )  # fmt: skip


class UnreadOut(Out):
    """How many notices nobody has read yet; counted up to 999."""

    unread: int = Field(ge=0, le=999, examples=[3])
