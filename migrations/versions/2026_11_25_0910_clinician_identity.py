"""Clinicians: when their own ID card was approved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "clinicians_3"
down_revision = "clinicians_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "when their own ID card was approved (RULE-07)"
    column = sa.Column("identity_checked_at", mysql.DATETIME(fsp=6), nullable=True, comment=comment)
    op.add_column("clinician", column)


def downgrade() -> None:
    op.drop_column("clinician", "identity_checked_at")
