"""Clinicians: which items they may do; who is there already keeps all that their hospital offers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "clinicians_item_codes"
down_revision = "consultations_pilot_index"
branch_labels = None
depends_on = None

_COMMENT = "codes of the items that the hospital lets them do, such as N05 (RULE-46)"


def upgrade() -> None:
    op.add_column("clinician", sa.Column("item_codes", sa.JSON(), nullable=True, comment=_COMMENT))
    op.execute(
        "UPDATE clinician SET item_codes = COALESCE((SELECT JSON_ARRAYAGG(offered.code) FROM"
        " (SELECT DISTINCT hospital_id, code FROM service) AS offered"
        " WHERE offered.hospital_id = clinician.hospital_id), JSON_ARRAY())"
    )
    op.alter_column("clinician", "item_codes", existing_type=sa.JSON(), nullable=False, existing_comment=_COMMENT)


def downgrade() -> None:
    op.drop_column("clinician", "item_codes")
