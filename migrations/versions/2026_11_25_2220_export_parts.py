"""Consultations: an export for a regulator is made of parts, one a run of its job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "consultations_export_parts"
down_revision = "notices_en"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consultation_export_part",
        sa.Column("export_id", mysql.BINARY(16), nullable=False, comment="its export"),
        sa.Column(
            "number", sa.Integer(), autoincrement=False, nullable=False, comment="1, 2, 3 … within the export"
        ),
        sa.Column(
            "last_id", mysql.BINARY(16), nullable=True, comment="its last consultation: the next part goes on from there"
        ),
        sa.Column("attempt", mysql.BINARY(16), nullable=False, comment="the attempt that made it; names the object"),
        sa.Column(
            "data_key", mysql.VARBINARY(240), nullable=True,
            comment="key of the object, sealed; null when it is no longer kept",
        ),
        sa.Column("consultations", sa.Integer(), nullable=False, comment="how many are in it"),
        sa.Column("size_bytes", sa.Integer(), nullable=False, comment="bytes of the zip"),
        sa.Column("sha256", mysql.BINARY(32), nullable=False, comment="digest of the zip: what was handed over"),
        sa.Column("made_at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.ForeignKeyConstraint(
            ["export_id"], ["consultation_export.id"], name=op.f("fk_consultation_export_part_export_id_consultation_export")
        ),
        sa.PrimaryKeyConstraint("export_id", "number"),
        comment="Parts of regulator exports: some of its consultations, packed in one run of the job; each is an object of the store.",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip
    for name in ("attempt", "data_key", "size_bytes", "sha256"):
        op.drop_column("consultation_export", name)
    for name, kind, comment in (
        ("consultations", sa.Integer(), "how many are in it, all parts together; null until it is made"),
        ("made_at", mysql.DATETIME(fsp=6), "when its last part was made"),
        ("expires_at", mysql.DATETIME(fsp=6), "until when its parts are kept; the rows stay"),
    ):
        op.alter_column("consultation_export", name, existing_type=kind, existing_nullable=True, comment=comment)


def downgrade() -> None:
    op.drop_table("consultation_export_part")
    op.add_column("consultation_export", sa.Column("attempt", mysql.BINARY(16), nullable=True))
    op.add_column("consultation_export", sa.Column("data_key", mysql.VARBINARY(240), nullable=True))
    op.add_column("consultation_export", sa.Column("size_bytes", sa.Integer(), nullable=True))
    op.add_column("consultation_export", sa.Column("sha256", mysql.BINARY(32), nullable=True))
