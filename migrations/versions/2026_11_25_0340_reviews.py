"""Reviews of visits, what they add up to in the search, and which staff a hospital has (RULE-63, G06)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "reviews_1"
down_revision = "consents_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "booking_review",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("booking_id", mysql.BINARY(16), nullable=False, comment="which visit"),
        sa.Column("service_id", mysql.BINARY(16), nullable=False, comment="of what"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="by whom it was done"),
        sa.Column("stars", sa.Integer(), nullable=False, comment="1 to 5"),
        sa.Column("words", mysql.VARBINARY(2064), nullable=True, comment="what they wrote, sealed"),
        sa.Column("author", mysql.VARBINARY(264), nullable=False, comment="their name as shown: masked; sealed"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was written"),
        sa.Column("reply", mysql.VARBINARY(2064), nullable=True, comment="the hospital's answer, sealed"),
        sa.Column("replied_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the hospital answered"),
        sa.Column(
            "fold_reason",
            sa.String(length=200),
            nullable=True,
            comment="legal reason for which it is folded; null: shown",
        ),
        sa.Column("folded_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the operator folded it"),
        sa.Column("folded_by", mysql.BINARY(16), nullable=True, comment="which operator"),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name=op.f("ck_booking_review_stars")),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_booking_review_booking_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("booking_id", name=op.f("uq_booking_review_booking_id")),
        comment="Reviews: what somebody thought of a visit, one a booking; never deleted, folded for a legal reason (RULE-63).",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_booking_review_service", "booking_review", ["service_id", "id"])
    op.create_index("ix_booking_review_hospital", "booking_review", ["hospital_id", "id"])
    zero = {"nullable": False, "server_default": "0"}
    op.add_column("nearby_offer", sa.Column("stars", sa.Integer(), comment="stars of all reviews added up (G06)", **zero))
    op.add_column("nearby_offer", sa.Column("reviews", sa.Integer(), comment="how many reviews", **zero))
    sexes = "sexes among its verified clinicians: bit 0 female, bit 1 male (G06)"
    op.add_column("nearby_site", sa.Column("staff_sexes", sa.SmallInteger(), comment=sexes, **zero))


def downgrade() -> None:
    op.drop_column("nearby_site", "staff_sexes")
    op.drop_column("nearby_offer", "reviews")
    op.drop_column("nearby_offer", "stars")
    op.drop_table("booking_review")
