"""Rows of privacy: copies that were asked for; their contents are objects of the store."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.privacy.rules import ExportState
from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import AccountId, ExportId, RowId
from yiyuebao_api.kernel.secrets import Sealed


class Export(Model):
    """Copies of a person's data: asked for by the account, made by a job, fetched within seven days (RULE-146)."""

    __tablename__ = "privacy_export"
    __table_args__ = (
        UniqueConstraint("pending_for"),
        Index(None, "account_id", "id"),
        Index(None, "state", "expires_at"),
    )

    id: Mapped[ExportId] = mapped_column(primary_key=True, comment="UUIDv7")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="whose data")
    pending_for: Mapped[AccountId | None] = mapped_column(comment="the account until it is made: one at a time; then null")
    state: Mapped[ExportState] = mapped_column(comment="pending, ready, expired; read together with expires_at")
    attempt: Mapped[RowId | None] = mapped_column(comment="the attempt that made it; names the object")
    data_key: Mapped[str | None] = mapped_column(Sealed("privacy.data_key", 44), comment="key of the object, sealed")
    size_bytes: Mapped[int | None] = mapped_column(comment="bytes of the zip")
    asked_at: Mapped[datetime] = mapped_column(comment="when it was asked for")
    made_at: Mapped[datetime | None] = mapped_column(comment="when it was made")
    expires_at: Mapped[datetime | None] = mapped_column(comment="until when it can be fetched")

    def standing(self, now: datetime) -> ExportState:
        """The state as it is read at a moment."""
        if self.state is ExportState.READY and self.expires_at is not None and self.expires_at <= now:
            return ExportState.EXPIRED
        return self.state
