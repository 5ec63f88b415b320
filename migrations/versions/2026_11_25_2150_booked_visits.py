"""A patient's side finds its visits: by account and planned start."""

from __future__ import annotations

from alembic import op

revision = "booked_visits_1"
down_revision = "consultations_pilots"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_visit_account", "visit", ["account_id", "starts_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_visit_account", table_name="visit")
