"""Screening: what a version asks before it is booked at home, and what was answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "screening_1"
down_revision = "identities_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "service_version",
        sa.Column(
            "screening", sa.JSON(), nullable=True,
            comment="what is asked before it is booked at home; null: nothing (RULE-40, 41)",
        ),
    )  # fmt: skip
    op.add_column(
        "booking",
        sa.Column(
            "screening", sa.LargeBinary(length=65535), nullable=True,
            comment="answers, eligibility, allergies, medication, companion; sealed (RULE-43)",
        ),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_column("booking", "screening")
    op.drop_column("service_version", "screening")
