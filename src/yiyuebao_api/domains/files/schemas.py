"""Files on the wire."""

from __future__ import annotations

from typing import Self

from fastapi import UploadFile
from pydantic import Field

from yiyuebao_api.domains.files.models import File, FileKind
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.kernel.ids import FileId
from yiyuebao_api.kernel.schema import In, Moment, Out, example


class UploadIn(In):
    """A form with one file: JPEG, PNG, WebP or PDF, at most 20 MB, 40 megapixels and 12 000 pixels a side."""

    model_config = example(purpose="id_card", file="（文件内容）")

    purpose: Purpose
    file: UploadFile


class FileLinkOut(Out):
    """Where the file can be fetched, by anybody who holds the link, until it expires. The path is of this service."""

    url: str = Field(examples=["/v1/files/fil_01kj4y8x3hf7a9cq2v5b6n8m0t/content?expires=1795395600&signature=…"])
    expires_at: Moment


class FileOut(Out):
    """A file of the caller's. Pictures are served as JPEG with a thumbnail, documents as PDF."""

    id: FileId
    purpose: Purpose
    kind: FileKind
    size_bytes: int = Field(examples=[412_345])
    width: int | None = Field(description="Pixels; null for a document.", examples=[3000])
    height: int | None = Field(description="Pixels; null for a document.", examples=[4000])
    pages: int | None = Field(description="Null for a picture.", examples=[None])
    sha256: str = Field(description="Of what is served, in hexadecimal.", examples=["9f86d081884c7d65…"])
    kept: bool = Field(description="Part of something submitted; a file that is not is removed after 24 hours.")
    created_at: Moment
    link: FileLinkOut
    thumbnail: FileLinkOut | None = Field(description="Null for a document.")

    @classmethod
    def of(cls, file: File, *, link: FileLinkOut, thumbnail: FileLinkOut | None) -> Self:
        return cls(
            id=file.id, purpose=file.purpose, kind=file.kind, size_bytes=file.size_bytes, width=file.width,
            height=file.height, pages=file.pages, sha256=file.sha256.hex(), kept=file.kept, created_at=file.created_at,
            link=link, thumbnail=thumbnail,
        )  # fmt: skip
