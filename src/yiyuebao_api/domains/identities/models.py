"""Rows of identities."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BINARY, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.identities.rules import Doubt, IdentityState
from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import AccountId, FileId, IdentityId, PatientId
from yiyuebao_api.kernel.secrets import Sealed, SealedJson


class Identity(Model):
    """Identities: submissions of both sides of an ID card, and what a person decided (RULE-07)."""

    __tablename__ = "identity"
    __table_args__ = (
        UniqueConstraint("open_for"),
        Index(None, "patient_id", "id"),
        Index(None, "state", "id"),
        Index(None, "id_index"),
    )

    id: Mapped[IdentityId] = mapped_column(primary_key=True, comment="UUIDv7")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="who submitted it")
    patient_id: Mapped[PatientId] = mapped_column(ForeignKey("patient.id"), comment="whose card")
    open_for: Mapped[PatientId | None] = mapped_column(comment="the patient while undecided: one at a time; then null")
    state: Mapped[IdentityState] = mapped_column(comment="submitted, verified, rejected")
    front_file_id: Mapped[FileId] = mapped_column(comment="picture of the side with the person")
    back_file_id: Mapped[FileId] = mapped_column(comment="picture of the side with the validity")
    name: Mapped[str] = mapped_column(Sealed("identities.name", 50), comment="the patient's name then, sealed")
    id_no: Mapped[str] = mapped_column(Sealed("identities.id_no", 18), comment="the patient's ID number then, sealed")
    id_index: Mapped[bytes] = mapped_column(BINARY(32), comment="blind index of the ID number")
    reading: Mapped[dict[str, Any] | None] = mapped_column(SealedJson("identities.reading"), comment="what was read, sealed")
    doubt_list: Mapped[str] = mapped_column(String(500), comment="codes of what is in doubt, comma-separated")
    reason: Mapped[str | None] = mapped_column(Sealed("identities.reason", 500), comment="why it was rejected, sealed")
    created_at: Mapped[datetime] = mapped_column(comment="when it was submitted")
    decided_at: Mapped[datetime | None] = mapped_column(comment="when a person decided")
    decided_by: Mapped[AccountId | None] = mapped_column(comment="which operator")

    @property
    def doubts(self) -> list[Doubt]:
        return [Doubt(each) for each in self.doubt_list.split(",") if each]

    @doubts.setter
    def doubts(self, found: set[Doubt]) -> None:
        self.doubt_list = ",".join(sorted(found))
