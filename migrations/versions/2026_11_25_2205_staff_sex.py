"""Bookings: a wish for a woman or a man."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "bookings_staff_sex"
down_revision = "booked_visits_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("booking", sa.Column(
        "staff_sex", sa.Enum("male", "female", name="sex", native_enum=False, length=32), nullable=True,
        comment="the patient wishes for a man or a woman (RULE-46); null: anybody",
    ))  # fmt: skip


def downgrade() -> None:
    op.drop_column("booking", "staff_sex")
