"""Visits: consents to a service, signed before it begins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "visits_2"
down_revision = "privacy_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "visit_agreement",
        sa.Column("visit_id", mysql.BINARY(16), nullable=False, comment="for which visit"),
        sa.Column("template", sa.Integer(), nullable=False, comment="version of the wording: see rules.TEMPLATE"),
        sa.Column(
            "service_version_id", mysql.BINARY(16), nullable=False, comment="the version of the service that it describes"
        ),
        sa.Column("sha256", mysql.BINARY(32), nullable=False, comment="of the text that was shown"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who signed"),
        sa.Column(
            "signer", sa.Enum("self", "guardian", "representative", name="signer", native_enum=False, length=32),
            nullable=False, comment="self, guardian, representative",
        ),
        sa.Column(
            "method", sa.Enum("tap", "signature", "desk", name="method", native_enum=False, length=32), nullable=False,
            comment="tap, signature",
        ),
        sa.Column(
            "signature_file_id", mysql.BINARY(16), nullable=True,
            comment="picture of the signature; asked for where risk is high",
        ),
        sa.Column("read_at", mysql.DATETIME(fsp=6), nullable=False, comment="when the text was opened"),
        sa.Column("signed_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was signed"),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_agreement_visit_id_visit")),
        sa.PrimaryKeyConstraint("visit_id"),
        comment="Consents to a service, signed before it begins (RULE-47, V08); never changed.",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("visit_agreement")
