"""Tickets of the live socket and presence leases: who may open a socket, and who is connected."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "live_1"
down_revision = "0001"
branch_labels = None
depends_on = None

_OPTIONS = {
    "mariadb_charset": "utf8mb4", "mariadb_collate": "utf8mb4_unicode_ci",
    "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_unicode_ci",
}


def upgrade() -> None:
    op.create_table(
        "live_ticket",
        sa.Column("hash", sa.BINARY(length=32), nullable=False, comment="SHA-256 of the ticket"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who asked for it"),
        sa.Column("session_id", mysql.BINARY(16), nullable=False, comment="the session it was asked for in"),
        sa.Column(
            "mode",
            sa.Enum("patient", "clinician", "desk", "operator", "auditor", name="mode", native_enum=False, length=32),
            nullable=False,
            comment="as what",
        ),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=True, comment="tenant of that mode"),
        sa.Column("until", mysql.DATETIME(fsp=6), nullable=False, comment="end of the access token, and of the socket"),
        sa.Column("expires_at", mysql.DATETIME(fsp=6), nullable=False, comment="thirty seconds after it was made"),
        sa.Column("used_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was shown, once"),
        sa.PrimaryKeyConstraint("hash"),
        comment="Tickets of the live socket: each opens one socket once.",
        **_OPTIONS,
    )
    op.create_index(op.f("ix_live_ticket_expires_at"), "live_ticket", ["expires_at"])
    op.create_table(
        "presence_lease",
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who"),
        sa.Column("device", sa.BINARY(length=32), nullable=False, comment="SHA-256 of the device's own id"),
        sa.Column("socket_id", mysql.BINARY(16), nullable=False, comment="the connection that holds it"),
        sa.Column("process_id", mysql.BINARY(16), nullable=False, comment="the process that renews it"),
        sa.Column("busy", sa.Boolean(), nullable=False, comment="the person asked not to be disturbed"),
        sa.Column("seen_at", mysql.DATETIME(fsp=6), nullable=False, comment="last renewed, or when the device left"),
        sa.Column(
            "until", mysql.DATETIME(fsp=6), nullable=False, comment="online before; in the past once the device left"
        ),
        sa.PrimaryKeyConstraint("account_id", "device"),
        comment="Presence leases: a device of an account that is, or was, connected to a process.",
        **_OPTIONS,
    )
    op.create_index(op.f("ix_presence_lease_process_id"), "presence_lease", ["process_id"])
    op.create_index(op.f("ix_presence_lease_until"), "presence_lease", ["until"])


def downgrade() -> None:
    op.drop_table("presence_lease")
    op.drop_table("live_ticket")
