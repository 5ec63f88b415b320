"""Consultations: pilots that open first visits online, and the pilot of each such consultation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "consultations_pilots"
down_revision = "bookings_accept_by"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consultation_pilot",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="which hospital takes part"),
        sa.Column(
            "specialty", sa.String(length=100), nullable=False,
            comment="which speciality, word for word as its clinicians' files say",
        ),
        sa.Column(
            "document_no", sa.String(length=60, collation="utf8mb4_bin"), nullable=False,
            comment="number of the document that opens it",
        ),
        sa.Column("first_day", sa.Date(), nullable=False, comment="first day, Shanghai, inclusive"),
        sa.Column("last_day", sa.Date(), nullable=False, comment="last day, Shanghai, inclusive"),
        sa.Column("recorded_by", mysql.BINARY(16), nullable=False, comment="operator who saw the document"),
        sa.Column("recorded_at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.Column("ended_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was ended before its last day"),
        sa.Column("ended_by", mysql.BINARY(16), nullable=True, comment="operator who ended it"),
        sa.Column("ended_why", sa.String(length=100), nullable=True, comment="why, in the operator's words"),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_consultation_pilot_period")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_consultation_pilot_hospital_id_hospital")),
        sa.PrimaryKeyConstraint("id"),
        comment="Pilots: a hospital may take first visits online in one specialty for a time, as a document says (RULE-77).",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip
    op.create_index("ix_consultation_pilot_hospital", "consultation_pilot", ["hospital_id", "id"], unique=False)
    op.add_column(
        "consultation",
        sa.Column(
            "first_visit_pilot_id", mysql.BINARY(16), nullable=True,
            comment="the pilot that opened it as a first visit; null: it is none (RULE-77)",
        ),
    )


def downgrade() -> None:
    op.drop_column("consultation", "first_visit_pilot_id")
    op.drop_table("consultation_pilot")
