"""The audit: rows of who saw or changed whose data, what waits to be sealed, and the seals.

Triggers refuse every UPDATE and DELETE of rows and seals. A MySQL with a binary log lets nobody but an administrator make
triggers (error 1419; `log_bin_trust_function_creators`): there the migration goes on without them, and the installation
should give the application's user no UPDATE and DELETE on the two tables. Either way a change is seen by `verify-audit`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError

revision = "audit_1"
down_revision = "reviews_1"
branch_labels = None
depends_on = None

NOT_ALLOWED = (1142, 1227, 1419)


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("at", mysql.DATETIME(fsp=6), nullable=False, comment="business clock of the request"),
        sa.Column("actor_id", mysql.BINARY(16), nullable=True, comment="who; null for the service itself"),
        sa.Column(
            "mode",
            sa.Enum(
                "patient", "clinician", "desk", "operator", "auditor", name="mode", native_enum=False, length=32
            ),
            nullable=True,
            comment="signed in as what; null for the service itself",
        ),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=True, comment="for which hospital they acted"),
        sa.Column(
            "action", sa.String(length=60, collation="utf8mb4_bin"), nullable=False,
            comment="what was done, <domain>.<verb>",
        ),
        sa.Column("patient_id", mysql.BINARY(16), nullable=True, comment="whose data"),
        sa.Column(
            "subject", sa.String(length=60, collation="utf8mb4_bin"), nullable=False, comment="on which thing: its id"
        ),
        sa.Column(
            "basis", sa.String(length=60, collation="utf8mb4_bin"), nullable=False,
            comment="by what right: booking, contract, duty, ...",
        ),
        sa.Column(
            "request_id", sa.String(length=40, collation="utf8mb4_bin"), nullable=True,
            comment="request or job; the same as in the log",
        ),
        sa.Column("proof", sa.BINARY(length=32), nullable=False, comment="keyed digest of this row"),
        sa.PrimaryKeyConstraint("id"),
        comment="Audit: who saw or changed whose data; appended and never changed (RULE-102, RULE-152).",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip
    op.create_index("ix_audit_entry_patient", "audit_entry", ["patient_id", "id"], unique=False)
    op.create_index("ix_audit_entry_actor", "audit_entry", ["actor_id", "id"], unique=False)
    op.create_index("ix_audit_entry_action", "audit_entry", ["action", "id"], unique=False)
    op.create_index("ix_audit_entry_at", "audit_entry", ["at"], unique=False)
    op.create_table(
        "audit_pending",
        sa.Column("entry_id", mysql.BINARY(16), nullable=False, comment="the audit row"),
        sa.PrimaryKeyConstraint("entry_id"),
        comment="Audit rows that no seal holds yet; deleted by the sealer.",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip
    op.create_table(
        "audit_seal",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False, comment="1, 2, 3, ..."),
        sa.Column("sealed_at", mysql.DATETIME(fsp=6), nullable=False, comment="system clock"),
        sa.Column("entries", sa.Integer(), nullable=False, comment="how many rows"),
        sa.Column(
            "entry_ids", sa.LargeBinary(length=65535), nullable=False,
            comment="their ids, sixteen bytes each, in order",
        ),
        sa.Column(
            "digest", sa.BINARY(length=32), nullable=False,
            comment="keyed digest of the seal before and of the rows' proofs",
        ),
        sa.PrimaryKeyConstraint("number"),
        comment="Seals: each binds some audit rows to everything sealed before.",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci",
    )  # fmt: skip
    for table in ("audit_entry", "audit_seal"):
        for verb in ("UPDATE", "DELETE"):
            _guard(table, verb)


def _guard(table: str, verb: str) -> None:
    try:
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} FOR EACH ROW "
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit is only ever appended to'"
        )
    except DBAPIError as error:
        arguments = getattr(error.orig, "args", ())
        if not arguments or arguments[0] not in NOT_ALLOWED:
            raise


def downgrade() -> None:
    op.drop_table("audit_seal")
    op.drop_table("audit_pending")
    op.drop_table("audit_entry")
