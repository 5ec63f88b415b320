"""Visits: when the patient's side refused to sign."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "visits_unsigned"
down_revision = "consultations_exports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("visit", sa.Column(
        "unsigned_at", mysql.DATETIME(fsp=6), nullable=True,
        comment="when the patient's side refused to sign, at the door",
    ))  # fmt: skip


def downgrade() -> None:
    op.drop_column("visit", "unsigned_at")
