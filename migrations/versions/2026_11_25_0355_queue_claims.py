"""Who is at work on what waits in the operator's queues (O05)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "queues_1"
down_revision = "grants_1"
branch_labels = None
depends_on = None

_KINDS = ("clinician", "hospital_licence", "consultation_flag", "dead_letter")


def upgrade() -> None:
    op.create_table(
        "queue_claim",
        sa.Column(
            "kind",
            sa.Enum(*_KINDS, name="queuekind", native_enum=False, length=32),
            nullable=False,
            comment="which queue",
        ),
        sa.Column(
            "subject",
            mysql.VARCHAR(charset="utf8mb4", collation="utf8mb4_bin", length=40),
            nullable=False,
            comment="id of what waits",
        ),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="which operator"),
        sa.Column("claimed_at", mysql.DATETIME(fsp=6), nullable=False, comment="when they took it"),
        sa.Column("claimed_until", mysql.DATETIME(fsp=6), nullable=False, comment="when it is free again"),
        sa.PrimaryKeyConstraint("kind", "subject"),
        comment="Claims on queued work: an operator looks at it, so that two do not do the same; one ends by itself.",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
    )


def downgrade() -> None:
    op.drop_table("queue_claim")
