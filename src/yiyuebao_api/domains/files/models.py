"""Rows of files; their contents are objects of the store."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BINARY, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.files.rules import FileState, Part, Purpose, object_name
from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import AccountId, FileId
from yiyuebao_api.kernel.secrets import Sealed


class FileKind(StrEnum):
    """What is served: a JPEG, or a PDF as an attachment."""

    PICTURE = "picture"
    DOCUMENT = "document"


class File(Model):
    """Files that people uploaded: owner, purpose and what is needed to read the encrypted objects."""

    __tablename__ = "file"
    __table_args__ = (
        Index("ix_file_owner", "owner_id", "created_at"),
        Index("ix_file_sweep", "state", "kept", "created_at"),
    )

    id: Mapped[FileId] = mapped_column(primary_key=True, comment="UUIDv7; names the objects")
    owner_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="who uploaded it")
    purpose: Mapped[Purpose] = mapped_column(comment="what it may be used for (RULE-109)")
    state: Mapped[FileState] = mapped_column(comment="uploading, ready, deleting")
    kind: Mapped[FileKind] = mapped_column(comment="picture (JPEG) or document (PDF), as it is served")
    size_bytes: Mapped[int] = mapped_column(comment="bytes of what is served")
    width: Mapped[int | None] = mapped_column(comment="pixels; null for a document")
    height: Mapped[int | None] = mapped_column(comment="pixels; null for a document")
    pages: Mapped[int | None] = mapped_column(comment="pages; null for a picture")
    sha256: Mapped[bytes] = mapped_column(BINARY(32), comment="of what is served")
    original_sha256: Mapped[bytes] = mapped_column(BINARY(32), comment="of what was sent (RULE-109)")
    data_key: Mapped[str] = mapped_column(Sealed("files.data_key", 44), comment="key of its objects, sealed (RULE-149)")
    has_original: Mapped[bool] = mapped_column(comment="what was sent is kept, encrypted, never served")
    kept: Mapped[bool] = mapped_column(comment="a use case holds on to it; the sweep removes the others")
    created_at: Mapped[datetime] = mapped_column(comment="when it was sent")

    def parts(self) -> list[Part]:
        """Its objects."""
        found = [Part.MAIN] if self.kind is FileKind.DOCUMENT else [Part.MAIN, Part.THUMBNAIL]
        return [*found, Part.ORIGINAL] if self.has_original else found

    def object_names(self) -> list[str]:
        return [object_name(self.id, part) for part in self.parts()]
