"""Bookings: until when the hospital accepts a paid one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "bookings_accept_by"
down_revision = "catalogue_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("booking", sa.Column(
        "accept_by", mysql.DATETIME(fsp=6), nullable=True,
        comment="until when the hospital accepts it; null until paid (RULE-64)",
    ))  # fmt: skip
    op.add_column("booking", sa.Column(
        "desk_reminded_at", mysql.DATETIME(fsp=6), nullable=True,
        comment="when the desk was reminded of that; null: not yet",
    ))  # fmt: skip


def downgrade() -> None:
    op.drop_column("booking", "desk_reminded_at")
    op.drop_column("booking", "accept_by")
