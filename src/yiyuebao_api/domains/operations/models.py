"""Rows of operations: who is looking at what."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.operations.rules import QueueKind
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import AccountId, Id


class QueueClaim(Model):
    """Claims on queued work: an operator looks at it, so that two do not do the same; one ends by itself."""

    __tablename__ = "queue_claim"

    kind: Mapped[QueueKind] = mapped_column(primary_key=True, comment="which queue")
    subject: Mapped[str] = mapped_column(code_column(40), primary_key=True, comment="id of what waits")
    account_id: Mapped[AccountId] = mapped_column(comment="which operator")
    claimed_at: Mapped[datetime] = mapped_column(comment="when they took it")
    claimed_until: Mapped[datetime] = mapped_column(comment="when it is free again")


class Waiting(NamedTuple):
    """One item of a queue."""

    subject: Id
    since: datetime
    claim: QueueClaim | None
