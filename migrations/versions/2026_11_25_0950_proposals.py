"""Catalogue: which clinician proposed a service."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "catalogue_2"
down_revision = "visits_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "which clinician proposed it; null: the desk's own"
    op.add_column("service", sa.Column("proposed_by", mysql.BINARY(16), nullable=True, comment=comment))
    op.create_index("ix_service_proposed_by_state", "service", ["proposed_by", "state"])


def downgrade() -> None:
    op.drop_column("service", "proposed_by")
