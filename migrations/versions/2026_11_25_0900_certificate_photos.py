"""Clinicians: photographs of certificates, and the row at which two approvals of one number meet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "clinicians_2"
down_revision = "assessments_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "ids of its photographs, in order (RULE-15)"
    op.add_column("qualification", sa.Column("photo_ids", sa.JSON(), nullable=True, comment=comment))
    op.execute("UPDATE qualification SET photo_ids = '[]'")
    op.alter_column("qualification", "photo_ids", existing_type=sa.JSON(), nullable=False, existing_comment=comment)
    op.alter_column(
        "qualification", "recognised", existing_type=mysql.BLOB(65535), existing_nullable=True,
        comment="what a machine read of the photographs as submitted, sealed; null: not yet",
    )  # fmt: skip
    op.create_table(
        "certificate_number",
        sa.Column(
            "kind",
            sa.Enum(
                "nurse_licence", "doctor_licence", "certificate", "title", name="qualificationkind", native_enum=False,
                length=32,
            ),
            nullable=False, comment="of which certificate",
        ),
        sa.Column("number_index", mysql.BINARY(32), nullable=False, comment="blind index of the number"),
        sa.Column("since", mysql.DATETIME(fsp=6), nullable=False, comment="when it was first approved"),
        sa.PrimaryKeyConstraint("kind", "number_index"),
        comment="Certificate numbers that were approved: two reviewers who accept one number for two persons meet at its row.",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("certificate_number")
    op.drop_column("qualification", "photo_ids")
