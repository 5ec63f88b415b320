"""Privacy: copies of a person's data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "privacy_1"
down_revision = "clinicians_3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "privacy_export",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="whose data"),
        sa.Column(
            "pending_for", mysql.BINARY(16), nullable=True,
            comment="the account until it is made: one at a time; then null",
        ),
        sa.Column(
            "state", sa.Enum("pending", "ready", "expired", name="exportstate", native_enum=False, length=32),
            nullable=False, comment="pending, ready, expired; read together with expires_at",
        ),
        sa.Column("attempt", mysql.BINARY(16), nullable=True, comment="the attempt that made it; names the object"),
        sa.Column("data_key", mysql.VARBINARY(240), nullable=True, comment="key of the object, sealed"),
        sa.Column("size_bytes", sa.Integer(), nullable=True, comment="bytes of the zip"),
        sa.Column("asked_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was asked for"),
        sa.Column("made_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was made"),
        sa.Column("expires_at", mysql.DATETIME(fsp=6), nullable=True, comment="until when it can be fetched"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_privacy_export_account_id_account")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("pending_for", name=op.f("uq_privacy_export_pending_for")),
        comment="Copies of a person's data: asked for by the account, made by a job, fetched within seven days (RULE-146).",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip
    op.create_index("ix_privacy_export_account_id_id", "privacy_export", ["account_id", "id"], unique=False)
    op.create_index("ix_privacy_export_state_expires_at", "privacy_export", ["state", "expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("privacy_export")
