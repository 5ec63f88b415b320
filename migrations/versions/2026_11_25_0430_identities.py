"""Identities: submissions of ID cards, and what a person decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "identities_1"
down_revision = "clinicians_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who submitted it"),
        sa.Column("patient_id", mysql.BINARY(16), nullable=False, comment="whose card"),
        sa.Column(
            "open_for", mysql.BINARY(16), nullable=True, comment="the patient while undecided: one at a time; then null"
        ),
        sa.Column(
            "state", sa.Enum("submitted", "verified", "rejected", name="identitystate", native_enum=False, length=32),
            nullable=False, comment="submitted, verified, rejected",
        ),
        sa.Column("front_file_id", mysql.BINARY(16), nullable=False, comment="picture of the side with the person"),
        sa.Column("back_file_id", mysql.BINARY(16), nullable=False, comment="picture of the side with the validity"),
        sa.Column("name", mysql.VARBINARY(264), nullable=False, comment="the patient's name then, sealed"),
        sa.Column("id_no", mysql.VARBINARY(136), nullable=False, comment="the patient's ID number then, sealed"),
        sa.Column("id_index", mysql.BINARY(32), nullable=False, comment="blind index of the ID number"),
        sa.Column("reading", mysql.BLOB(65535), nullable=True, comment="what was read, sealed"),
        sa.Column(
            "doubt_list", sa.String(length=500), nullable=False, comment="codes of what is in doubt, comma-separated"
        ),
        sa.Column("reason", mysql.VARBINARY(2064), nullable=True, comment="why it was rejected, sealed"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was submitted"),
        sa.Column("decided_at", mysql.DATETIME(fsp=6), nullable=True, comment="when a person decided"),
        sa.Column("decided_by", mysql.BINARY(16), nullable=True, comment="which operator"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_identity_account_id_account")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_identity_patient_id_patient")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("open_for", name=op.f("uq_identity_open_for")),
        comment="Identities: submissions of both sides of an ID card, and what a person decided (RULE-07).",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip
    op.create_index("ix_identity_patient_id_id", "identity", ["patient_id", "id"], unique=False)
    op.create_index("ix_identity_state_id", "identity", ["state", "id"], unique=False)
    op.create_index("ix_identity_id_index", "identity", ["id_index"], unique=False)


def downgrade() -> None:
    op.drop_table("identity")
