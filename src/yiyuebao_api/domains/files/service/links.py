"""Signed links: whoever holds one may fetch one object of one file for a few minutes, without signing in."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime

from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.problems import LinkExpired
from yiyuebao_api.domains.files.rules import LINK_LIFE, Part
from yiyuebao_api.kernel import secrets
from yiyuebao_api.kernel.ids import FileId
from yiyuebao_api.kernel.problems import NotFound


@dataclass(frozen=True, slots=True)
class FileLink:
    """A path of this service with its signature in the query."""

    url: str
    expires_at: datetime


def signed_link(file: File, *, now: datetime, thumbnail: bool = False) -> FileLink:
    """For whoever passed the guard of the domain that shows the file; valid for five minutes (RULE-08).

    A document has no thumbnail: its link is to the document.
    """
    part = Part.THUMBNAIL if thumbnail and Part.THUMBNAIL in file.parts() else Part.MAIN
    expires = int((now + LINK_LIFE).timestamp())
    query = f"part={part.value}&expires={expires}&signature={_signature(file.id, part, expires)}"
    return FileLink(f"/v1/files/{file.id}/content?{query}", datetime.fromtimestamp(expires, UTC))


def check_link(file_id: FileId, part: Part, expires: int, signature: str, *, now: datetime) -> None:
    """Raises NotFound for a link that we did not sign, LinkExpired for one whose time is over."""
    genuine = _signature(file_id, part, expires)
    if part is Part.ORIGINAL or not secrets.same(genuine.encode(), signature.encode("utf-8", "replace")):
        raise NotFound
    if expires <= now.timestamp():
        raise LinkExpired


def _signature(file_id: FileId, part: Part, expires: int) -> str:
    return base64.urlsafe_b64encode(secrets.code_hash("files.link", f"{file_id}/{part}/{expires}")).decode().rstrip("=")
