"""First assessments: whether somebody may be served at home, by whom it was found, until when it stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "assessments_1"
down_revision = "screening_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "booking_assessment",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("booking_id", mysql.BINARY(16), nullable=False, comment="for which booking it was made"),
        sa.Column("patient_id", mysql.BINARY(16), nullable=False, comment="of whom"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="at which hospital it stands"),
        sa.Column(
            "category_code", sa.String(length=20, collation="utf8mb4_bin"), nullable=False,
            comment="for which category of services it stands",
        ),
        sa.Column("assessor_id", mysql.BINARY(16), nullable=False, comment="who assessed: licensed, of that hospital"),
        sa.Column("recorded_by", mysql.BINARY(16), nullable=False, comment="which account of the desk wrote it down"),
        sa.Column(
            "findings", sa.LargeBinary(length=65535), nullable=False,
            comment="condition, needs, risk, Barthel items; sealed",
        ),
        sa.Column("barthel", sa.Integer(), nullable=False, comment="Barthel index, 0 to 100"),
        sa.Column(
            "level",
            sa.Enum("able", "light", "moderate", "heavy", name="dependence", native_enum=False, length=32),
            nullable=False, comment="able, light, moderate, heavy",
        ),
        sa.Column(
            "decision", sa.Enum("home_ok", "to_hospital", "reject", name="decision", native_enum=False, length=32),
            nullable=False, comment="home_ok, to_hospital, reject",
        ),
        sa.Column("assessed_at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.Column("valid_until", mysql.DATETIME(fsp=6), nullable=False, comment="90 days later, exclusive"),
        sa.Column(
            "voided_at", mysql.DATETIME(fsp=6), nullable=True,
            comment="when it fell: adverse event, hospital stay, new diagnosis",
        ),
        sa.Column("void_reason", mysql.VARBINARY(864), nullable=True, comment="why; sealed"),
        sa.CheckConstraint("barthel BETWEEN 0 AND 100", name=op.f("ck_booking_assessment_barthel")),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_booking_assessment_booking_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="First assessments: whether somebody may be served at home, for one category of services (RULE-39).",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
    )  # fmt: skip
    op.create_index("ix_booking_assessment_booking", "booking_assessment", ["booking_id"])
    op.create_index(
        "ix_booking_assessment_patient", "booking_assessment", ["patient_id", "hospital_id", "category_code"]
    )


def downgrade() -> None:
    op.drop_table("booking_assessment")
