"""Certificates of clinicians, what they prove, adverse records, and warnings of what runs out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "clinicians_1"
down_revision = "queues_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "adverse_record",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="the person, at every hospital"),
        sa.Column("clinician_id", mysql.BINARY(16), nullable=False, comment="as whose staff it was found"),
        sa.Column(
            "kind",
            sa.Enum(
                "licence_revoked", "adverse_practice", "violation", name="adversekind", native_enum=False, length=32
            ),
            nullable=False,
            comment="licence_revoked, adverse_practice, violation",
        ),
        sa.Column("reason", mysql.VARBINARY(2064), nullable=False, comment="what happened, sealed"),
        sa.Column("happened_on", sa.Date(), nullable=False, comment="day of the revocation or violation"),
        sa.Column("barred_until", sa.Date(), nullable=True, comment="last day of the bar; null: for good"),
        sa.Column("recorded_by", mysql.BINARY(16), nullable=False, comment="which operator"),
        sa.Column("recorded_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was recorded"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_adverse_record_account_id")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_adverse_record_clinician_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Adverse records: why a person serves here no more, and until when; never changed (RULE-23, RULE-28).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_adverse_record_account_id_id"), "adverse_record", ["account_id", "id"], unique=False)
    op.create_table(
        "expiry_warning",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("clinician_id", mysql.BINARY(16), nullable=False, comment="who was warned"),
        sa.Column(
            "paper",
            sa.Enum(
                "licence",
                "liability",
                "malpractice",
                "accident",
                "verification",
                name="paper",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="licence, liability, malpractice, accident, verification",
        ),
        sa.Column("last_day", sa.Date(), nullable=False, comment="the last day that was warned of"),
        sa.Column(
            "days_before",
            sa.Integer(),
            nullable=False,
            comment="which warning: 90, 60, 30 or 7 days before, 0 when it has ended",
        ),
        sa.Column("given_at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_expiry_warning_clinician_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "clinician_id",
            "paper",
            "last_day",
            "days_before",
            name=op.f("uq_expiry_warning_clinician_id_paper_last_day_days_before"),
        ),
        comment="Expiry warnings: one row for each that was given, so that none is given twice (RULE-23, A09).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "qualification",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("clinician_id", mysql.BINARY(16), nullable=False, comment="whose, at which hospital"),
        sa.Column(
            "kind",
            sa.Enum(
                "nurse_licence",
                "doctor_licence",
                "certificate",
                "title",
                name="qualificationkind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="nurse_licence, doctor_licence, certificate, title",
        ),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "submitted",
                "approved",
                "rejected",
                "expired",
                name="qualificationstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="draft, submitted, approved, rejected, expired",
        ),
        sa.Column(
            "pending",
            sa.Boolean(),
            nullable=True,
            comment="true until decided, then null: one of a kind is open at a time",
        ),
        sa.Column("holder_name", mysql.VARBINARY(264), nullable=False, comment="name on it, sealed"),
        sa.Column("number", mysql.VARBINARY(224), nullable=False, comment="its number, sealed (RULE-16, RULE-17)"),
        sa.Column("number_index", sa.BINARY(length=32), nullable=False, comment="blind index of the number"),
        sa.Column("issued_on", sa.Date(), nullable=True, comment="day of issue"),
        sa.Column("valid_until", sa.Date(), nullable=True, comment="last day, inclusive; null: without end (RULE-23)"),
        sa.Column(
            "title",
            sa.Enum(
                "nurse",
                "senior_nurse",
                "supervisor_nurse",
                "deputy_chief_nurse",
                "chief_nurse",
                "resident_doctor",
                "attending_doctor",
                "deputy_chief_doctor",
                "chief_doctor",
                name="title",
                native_enum=False,
                length=32,
            ),
            nullable=True,
            comment="the title it certifies",
        ),
        sa.Column(
            "practice_place", sa.String(length=100), nullable=True, comment="place of practice printed on it (RULE-22)"
        ),
        sa.Column(
            "recognised", sa.LargeBinary(65535), nullable=True, comment="recognised lines that filled it in, sealed"
        ),
        sa.Column(
            "fault",
            sa.Enum(
                "unreadable",
                "wrong_document",
                "altered",
                "name_differs",
                "number_malformed",
                "number_taken",
                "no_last_day",
                "past_last_day",
                "no_title",
                "not_registered_here",
                "not_in_register",
                name="fault",
                native_enum=False,
                length=32,
            ),
            nullable=True,
            comment="the clause on which it was rejected",
        ),
        sa.Column("reason", mysql.VARBINARY(2064), nullable=True, comment="why, in words; sealed"),
        sa.Column("submitted_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was last submitted"),
        sa.Column("decided_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the operator decided"),
        sa.Column("decided_by", mysql.BINARY(16), nullable=True, comment="which operator"),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts changes; the ETag"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was begun"),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_qualification_clinician_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("clinician_id", "kind", "pending", name=op.f("uq_qualification_clinician_id_kind_pending")),
        comment="Qualifications: one certificate of a clinician, from the photograph to the operator's decision.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_qualification_clinician_id_id"), "qualification", ["clinician_id", "id"], unique=False)
    op.create_index(op.f("ix_qualification_number_index"), "qualification", ["number_index"], unique=False)
    op.create_index(op.f("ix_qualification_state_id"), "qualification", ["state", "id"], unique=False)
    op.add_column(
        "clinician",
        sa.Column(
            "licence_checked_at",
            mysql.DATETIME(fsp=6),
            nullable=True,
            comment="when the photographed licence was approved",
        ),
    )
    op.add_column(
        "clinician",
        sa.Column(
            "practice",
            sa.Enum("registered", "filed", name="practice", native_enum=False, length=32),
            nullable=True,
            comment="registered or filed at this hospital (RULE-22, RULE-26)",
        ),
    )
    op.add_column(
        "clinician",
        sa.Column(
            "e_reg_checked_on",
            sa.Date(),
            nullable=True,
            comment="day of the look into the electronic register (RULE-22)",
        ),
    )
    op.add_column(
        "clinician",
        sa.Column(
            "e_reg_source", sa.String(length=100), nullable=True, comment="which register was looked into, and how"
        ),
    )
    op.add_column(
        "clinician",
        sa.Column(
            "title_checked_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the title certificate was approved"
        ),
    )
    op.add_column(
        "clinician",
        sa.Column(
            "training_passed_on",
            sa.Date(),
            nullable=True,
            comment="day the training for home visits was passed (RULE-27)",
        ),
    )
    op.add_column(
        "clinician",
        sa.Column("liability_until", sa.Date(), nullable=True, comment="last day of the liability insurance (RULE-27)"),
    )
    op.add_column(
        "clinician",
        sa.Column(
            "malpractice_until", sa.Date(), nullable=True, comment="last day of the malpractice insurance (RULE-27)"
        ),
    )
    op.add_column(
        "clinician",
        sa.Column("accident_until", sa.Date(), nullable=True, comment="last day of the accident insurance (RULE-27)"),
    )
    op.alter_column(
        "clinician",
        "state",
        existing_type=mysql.VARCHAR(length=32),
        comment="draft, submitted, verified, rejected, suspended, exited",
        existing_comment="draft, submitted, verified, rejected, suspended",
        existing_nullable=False,
    )


def downgrade() -> None:
    op.alter_column(
        "clinician",
        "state",
        existing_type=mysql.VARCHAR(length=32),
        comment="draft, submitted, verified, rejected, suspended",
        existing_comment="draft, submitted, verified, rejected, suspended, exited",
        existing_nullable=False,
    )
    op.drop_column("clinician", "accident_until")
    op.drop_column("clinician", "malpractice_until")
    op.drop_column("clinician", "liability_until")
    op.drop_column("clinician", "training_passed_on")
    op.drop_column("clinician", "title_checked_at")
    op.drop_column("clinician", "e_reg_source")
    op.drop_column("clinician", "e_reg_checked_on")
    op.drop_column("clinician", "practice")
    op.drop_column("clinician", "licence_checked_at")
    op.drop_table("qualification")
    op.drop_table("expiry_warning")
    op.drop_table("adverse_record")
