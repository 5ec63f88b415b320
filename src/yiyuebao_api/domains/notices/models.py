"""Rows of notices."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import AccountId, HospitalId, NoticeId
from yiyuebao_api.kernel.secrets import Sealed


class Audience(StrEnum):
    """Whom a notice is told."""

    ACCOUNT = "account"
    HOSPITAL = "hospital"


class Notice(Model):
    """Notices: what an account or a hospital's desk is told inside the product."""

    __tablename__ = "notice"
    __table_args__ = (
        Index("ix_notice_account", "account_id", "id"),
        Index("ix_notice_account_unread", "account_id", "read_at"),
        Index("ix_notice_hospital", "hospital_id", "id"),
        Index("ix_notice_hospital_unread", "hospital_id", "read_at"),
        CheckConstraint(
            "(audience = 'account' AND account_id IS NOT NULL AND hospital_id IS NULL)"
            " OR (audience = 'hospital' AND hospital_id IS NOT NULL AND account_id IS NULL)",
            name="one_audience",
        ),
    )

    id: Mapped[NoticeId] = mapped_column(primary_key=True, comment="UUIDv7; newest first")
    audience: Mapped[Audience] = mapped_column(comment="account or hospital")
    account_id: Mapped[AccountId | None] = mapped_column(comment="who is told; null for a hospital")
    hospital_id: Mapped[HospitalId | None] = mapped_column(comment="whose desk is told; null for an account")
    kind: Mapped[str] = mapped_column(code_column(40), comment="what happened, for the app to choose a picture")
    title: Mapped[str] = mapped_column(String(60), comment="fit for a lock screen (RULE-158)")
    body: Mapped[str] = mapped_column(Sealed("notices.body", 500), comment="the sentence, sealed")
    title_en: Mapped[str | None] = mapped_column(String(80), comment="the title in English; null: of before there was any")
    body_en: Mapped[str | None] = mapped_column(
        Sealed("notices.body_en", 1000), comment="the sentence in English, sealed; null: of before there was any"
    )
    subject_kind: Mapped[str] = mapped_column(code_column(40), comment="kind of thing it is about")
    subject_id: Mapped[str] = mapped_column(code_column(40), comment="its id, to open it with")
    created_at: Mapped[datetime] = mapped_column(comment="when it was told")
    read_at: Mapped[datetime | None] = mapped_column(comment="first seen; null while unread")
