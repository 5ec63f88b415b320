"""Notices: every one is told in English too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "notices_en"
down_revision = "visits_unsigned"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notice", sa.Column(
        "title_en", sa.String(length=80), nullable=True,
        comment="the title in English; null: of before there was any",
    ))  # fmt: skip
    op.add_column("notice", sa.Column(
        "body_en", mysql.VARBINARY(4064), nullable=True,
        comment="the sentence in English, sealed; null: of before there was any",
    ))  # fmt: skip


def downgrade() -> None:
    op.drop_column("notice", "body_en")
    op.drop_column("notice", "title_en")
