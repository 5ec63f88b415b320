"""Files: what people uploaded, for what, and the sealed keys of the encrypted objects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "files_1"
down_revision = "audit_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "file",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7; names the objects"),
        sa.Column("owner_id", mysql.BINARY(16), nullable=False, comment="who uploaded it"),
        sa.Column(
            "purpose",
            sa.Enum(
                "id_card", "licence", "hospital_licence", "prescription", "disease_proof", "wound_photo", "signature",
                "record", "consultation_image", "consultation_file", "portrait",
                name="filepurpose", native_enum=False, length=32,
            ),
            nullable=False,
            comment="what it may be used for (RULE-109)",
        ),
        sa.Column(
            "state",
            sa.Enum("uploading", "ready", "deleting", name="filestate", native_enum=False, length=32),
            nullable=False,
            comment="uploading, ready, deleting",
        ),
        sa.Column(
            "kind",
            sa.Enum("picture", "document", name="filekind", native_enum=False, length=32),
            nullable=False,
            comment="picture (JPEG) or document (PDF), as it is served",
        ),
        sa.Column("size_bytes", sa.Integer(), nullable=False, comment="bytes of what is served"),
        sa.Column("width", sa.Integer(), nullable=True, comment="pixels; null for a document"),
        sa.Column("height", sa.Integer(), nullable=True, comment="pixels; null for a document"),
        sa.Column("pages", sa.Integer(), nullable=True, comment="pages; null for a picture"),
        sa.Column("sha256", sa.BINARY(length=32), nullable=False, comment="of what is served"),
        sa.Column("original_sha256", sa.BINARY(length=32), nullable=False, comment="of what was sent (RULE-109)"),
        sa.Column("data_key", mysql.VARBINARY(240), nullable=False, comment="key of its objects, sealed (RULE-149)"),
        sa.Column("has_original", sa.Boolean(), nullable=False, comment="what was sent is kept, encrypted, never served"),
        sa.Column("kept", sa.Boolean(), nullable=False, comment="a use case holds on to it; the sweep removes the others"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was sent"),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("fk_file_owner_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Files that people uploaded: owner, purpose and what is needed to read the encrypted objects.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_file_owner", "file", ["owner_id", "created_at"], unique=False)
    op.create_index("ix_file_sweep", "file", ["state", "kept", "created_at"], unique=False)


def downgrade() -> None:
    op.drop_table("file")
