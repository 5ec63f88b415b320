"""Consultations: exports for a regulator; their contents are objects of the store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "consultations_exports"
down_revision = "bookings_staff_sex"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consultation_export",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose consultations"),
        sa.Column(
            "scope", sa.Enum("acts", "records", name="exportscope", native_enum=False, length=32), nullable=False,
            comment="acts, records",
        ),
        sa.Column("first_day", sa.Date(), nullable=False, comment="paid from this day on, Shanghai, inclusive"),
        sa.Column("last_day", sa.Date(), nullable=False, comment="to this day, inclusive"),
        sa.Column("authority", sa.String(length=100), nullable=False, comment="which authority asked"),
        sa.Column(
            "document_no", sa.String(length=60, collation="utf8mb4_bin"), nullable=False, comment="number of its letter"
        ),
        sa.Column("asked_by", mysql.BINARY(16), nullable=False, comment="operator who asked for it"),
        sa.Column(
            "pending_for", mysql.BINARY(16), nullable=True,
            comment="the hospital until it is made: one at a time; then null",
        ),
        sa.Column(
            "state", sa.Enum("pending", "ready", "expired", name="regulatorexportstate", native_enum=False, length=32),
            nullable=False, comment="pending, ready, expired; read together with expires_at",
        ),
        sa.Column("attempt", mysql.BINARY(16), nullable=True, comment="the attempt that made it; names the object"),
        sa.Column(
            "data_key", mysql.VARBINARY(240), nullable=True,
            comment="key of the object, sealed; null when it is no longer kept",
        ),
        sa.Column("consultations", sa.Integer(), nullable=True, comment="how many are in it"),
        sa.Column("size_bytes", sa.Integer(), nullable=True, comment="bytes of the zip"),
        sa.Column("sha256", mysql.BINARY(32), nullable=True, comment="digest of the zip: what was handed over"),
        sa.Column("asked_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was asked for"),
        sa.Column("made_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was made"),
        sa.Column("expires_at", mysql.DATETIME(fsp=6), nullable=True, comment="until when it is kept; the row stays"),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_consultation_export_window")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_consultation_export_hospital_id_hospital")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("pending_for", name=op.f("uq_consultation_export_pending_for")),
        comment="Regulator exports: one hospital's consultations of some days, packed for an authority that asked (RULE-83).",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip
    op.create_index("ix_consultation_export_hospital", "consultation_export", ["hospital_id", "id"], unique=False)
    op.create_index("ix_consultation_export_state", "consultation_export", ["state", "expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("consultation_export")
