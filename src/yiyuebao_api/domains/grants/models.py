"""Rows of grants."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.grants.rules import Basis, GranteeKind, Scope
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import GrantId, PatientId


class Grant(Model):
    """Grants: who may see whose data, by what right, until when (RULE-101, RULE-107)."""

    __tablename__ = "access_grant"
    __table_args__ = (UniqueConstraint("subject", "grantee", "scope"), Index("ix_access_grant_patient", "patient_id", "id"))

    id: Mapped[GrantId] = mapped_column(primary_key=True, comment="UUIDv7")
    patient_id: Mapped[PatientId] = mapped_column(comment="whose data")
    grantee_kind: Mapped[GranteeKind] = mapped_column(comment="clinician, hospital")
    grantee: Mapped[str] = mapped_column(code_column(40), comment="id of the clinician or the hospital")
    basis: Mapped[Basis] = mapped_column(comment="booking, contract, consultation, followup, share, break_glass")
    scope: Mapped[Scope] = mapped_column(comment="care, records, vitals")
    subject: Mapped[str] = mapped_column(code_column(40), comment="id of the booking, contract, ... it comes from")
    from_at: Mapped[datetime] = mapped_column(comment="open from, inclusive")
    until_at: Mapped[datetime | None] = mapped_column(comment="open until, exclusive; null while it is needed")
    revoked_at: Mapped[datetime | None] = mapped_column(comment="when the patient's side took it back")
