"""Consents: versioned notices, and the ledger of answers to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "consents_1"
down_revision = "consultations_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent_notice",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column(
            "purpose",
            sa.Enum(
                "terms_and_privacy",
                "sensitive_health_data",
                "id_card_recognition",
                "location",
                "share_with_hospital",
                "online_consultation",
                "marketing",
                name="purpose",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="what it is for",
        ),
        sa.Column(
            "audience",
            sa.Enum("general", "child", name="audience", native_enum=False, length=32),
            nullable=False,
            comment="general, or child: for guardians of patients under 14",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts from 1 for each purpose and audience"),
        sa.Column("renews", sa.Boolean(), nullable=False, comment="consent to earlier versions counts no longer"),
        sa.Column("title_zh", sa.String(length=100), nullable=False, comment="headline in Chinese"),
        sa.Column("title_en", sa.String(length=200), nullable=False, comment="headline in English"),
        sa.Column("text_zh", sa.Text(), nullable=False, comment="the notice in Chinese, as shown"),
        sa.Column("text_en", sa.Text(), nullable=False, comment="the notice in English, as shown"),
        sa.Column("data_kinds", sa.JSON(), nullable=False, comment="kinds of personal data it is about"),
        sa.Column(
            "sha256", sa.BINARY(length=32), nullable=False, comment="over everything that is shown, and the version"
        ),
        sa.Column("published_at", mysql.DATETIME(fsp=6), nullable=False, comment="from when it is shown"),
        sa.Column("published_by", mysql.BINARY(16), nullable=True, comment="the operator; null for what we come with"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("purpose", "audience", "version", name=op.f("uq_consent_notice_purpose_audience_version")),
        comment="Consent notices: one published version of what is told for one purpose; never changed (RULE-145).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "consent",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column(
            "subject",
            sa.BINARY(length=16),
            nullable=False,
            comment="whom it is about: the patient's id, or the account's",
        ),
        sa.Column(
            "purpose",
            sa.Enum(
                "terms_and_privacy",
                "sensitive_health_data",
                "id_card_recognition",
                "location",
                "share_with_hospital",
                "online_consultation",
                "marketing",
                name="purpose",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="what it is for",
        ),
        sa.Column(
            "number", sa.Integer(), nullable=False, comment="counts the answers of this subject and purpose from 1"
        ),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who answered"),
        sa.Column(
            "patient_id", mysql.BINARY(16), nullable=True, comment="the patient it is about; null for the account"
        ),
        sa.Column(
            "answer",
            sa.Enum("given", "refused", "withdrawn", name="answer", native_enum=False, length=32),
            nullable=False,
            comment="given, refused, withdrawn",
        ),
        sa.Column("notice_id", mysql.BINARY(16), nullable=False, comment="what was shown"),
        sa.Column(
            "audience",
            sa.Enum("general", "child", name="audience", native_enum=False, length=32),
            nullable=False,
            comment="of that notice",
        ),
        sa.Column("notice_version", sa.Integer(), nullable=False, comment="of that notice"),
        sa.Column("sha256", sa.BINARY(length=32), nullable=False, comment="of that notice"),
        sa.Column("read_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was shown"),
        sa.Column("answered_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was answered"),
        sa.Column(
            "signer",
            sa.Enum("self", "guardian", "representative", name="signer", native_enum=False, length=32),
            nullable=False,
            comment="what who answered is to whom it is about (RULE-12)",
        ),
        sa.Column("session_id", mysql.BINARY(16), nullable=False, comment="from which sign-in"),
        sa.Column("device", sa.String(length=60), nullable=False, comment="that session's device, as it called itself"),
        sa.Column(
            "method",
            sa.Enum("tap", "signature", "desk", name="method", native_enum=False, length=32),
            nullable=False,
            comment="tap, signature, desk",
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_consent_account_id")),
        sa.ForeignKeyConstraint(["notice_id"], ["consent_notice.id"], name=op.f("fk_consent_notice_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject", "purpose", "number", name=op.f("uq_consent_subject_purpose_number")),
        comment="Consents: one row for each answer, only ever appended; the newest of a purpose stands (RULE-143).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_consent_account_id_id"), "consent", ["account_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("consent")
    op.drop_table("consent_notice")
