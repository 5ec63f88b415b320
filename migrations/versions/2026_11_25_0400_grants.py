"""Grants: who may see whose data, by what right, until when; asked by every guard on a patient's data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "grants_1"
down_revision = "files_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_grant",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("patient_id", mysql.BINARY(16), nullable=False, comment="whose data"),
        sa.Column(
            "grantee_kind", sa.Enum("clinician", "hospital", name="granteekind", native_enum=False, length=32),
            nullable=False, comment="clinician, hospital",
        ),
        sa.Column(
            "grantee", sa.String(length=40, collation="utf8mb4_bin"), nullable=False,
            comment="id of the clinician or the hospital",
        ),
        sa.Column(
            "basis",
            sa.Enum(
                "booking", "contract", "consultation", "followup", "share", "break_glass", name="basis",
                native_enum=False, length=32,
            ),
            nullable=False, comment="booking, contract, consultation, followup, share, break_glass",
        ),
        sa.Column(
            "scope", sa.Enum("care", "records", "vitals", name="scope", native_enum=False, length=32), nullable=False,
            comment="care, records, vitals",
        ),
        sa.Column(
            "subject", sa.String(length=40, collation="utf8mb4_bin"), nullable=False,
            comment="id of the booking, contract, ... it comes from",
        ),
        sa.Column("from_at", mysql.DATETIME(fsp=6), nullable=False, comment="open from, inclusive"),
        sa.Column(
            "until_at", mysql.DATETIME(fsp=6), nullable=True, comment="open until, exclusive; null while it is needed"
        ),
        sa.Column(
            "revoked_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the patient's side took it back"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject", "grantee", "scope", name=op.f("uq_access_grant_subject_grantee_scope")),
        comment="Grants: who may see whose data, by what right, until when (RULE-101, RULE-107).",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip
    op.create_index("ix_access_grant_patient", "access_grant", ["patient_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("access_grant")
