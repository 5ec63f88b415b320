"""Bookings: until when the hospital takes its next step, whichever that is; who is assigned or has come is watched too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "bookings_act_by"
down_revision = "consultations_export_parts"
branch_labels = None
depends_on = None

_JOBS = {"bookings.remind_desk": "bookings.remind", "bookings.end_unaccepted": "bookings.end_in_silence"}


def _rename(before: str, after: str, comment: str, was: str) -> None:
    op.alter_column(
        "booking", before, new_column_name=after, existing_type=mysql.DATETIME(fsp=6), existing_nullable=True,
        comment=comment, existing_comment=was,
    )  # fmt: skip


def upgrade() -> None:
    _rename(
        "accept_by", "act_by", "until when the hospital takes its next step; null until paid (RULE-64, 67)",
        "until when the hospital accepts it; null until paid (RULE-64)",
    )  # fmt: skip
    _rename(
        "desk_reminded_at", "reminded_at", "when somebody was reminded of that step; null: not yet",
        "when the desk was reminded of that; null: not yet",
    )  # fmt: skip
    for before, after in _JOBS.items():
        op.execute(sa.text("UPDATE outbox SET type = :after WHERE type = :before").bindparams(before=before, after=after))


def downgrade() -> None:
    for before, after in _JOBS.items():
        op.execute(sa.text("UPDATE outbox SET type = :before WHERE type = :after").bindparams(before=before, after=after))
    _rename(
        "reminded_at", "desk_reminded_at", "when the desk was reminded of that; null: not yet",
        "when somebody was reminded of that step; null: not yet",
    )  # fmt: skip
    _rename(
        "act_by", "accept_by", "until when the hospital accepts it; null until paid (RULE-64)",
        "until when the hospital takes its next step; null until paid (RULE-64, 67)",
    )  # fmt: skip
