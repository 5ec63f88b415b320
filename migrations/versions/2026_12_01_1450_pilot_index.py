"""Consultations: who waits for a first visit under a pilot is found when it ends."""

from __future__ import annotations

from alembic import op

revision = "consultations_pilot_index"
down_revision = "bookings_act_by"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_consultation_pilot", "consultation", ["first_visit_pilot_id"])


def downgrade() -> None:
    op.drop_index("ix_consultation_pilot", table_name="consultation")
