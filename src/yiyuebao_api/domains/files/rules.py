"""What a file is for, what is taken for it, and how long things last."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from yiyuebao_api.domains.files.problems import (
    DocumentActive,
    DocumentLocked,
    DocumentTooLong,
    DocumentUnreadable,
    FileEmpty,
    FileTooLarge,
    FileTypeNotSupported,
    PictureAnimated,
    PictureNeeded,
    PictureTooLarge,
    PictureUnreadable,
)
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.ids import FileId
from yiyuebao_api.kernel.media import Flaw, Kind, kind_of
from yiyuebao_api.kernel.problems import Problem

MAX_BYTES = 20 * 1024 * 1024
LINK_LIFE = timedelta(minutes=5)
#: Longer than any upload takes from its row to `ready`; what is older was left by a process that died.
UPLOAD_LIFE = timedelta(hours=1)
#: What nobody has made use of is not kept (RULE-109).
UNUSED_LIFE = timedelta(hours=24)


class FilePurpose(StrEnum):
    """What a file is for; checked at every use."""

    ID_CARD = "id_card"
    LICENCE = "licence"
    HOSPITAL_LICENCE = "hospital_licence"
    PRESCRIPTION = "prescription"
    DISEASE_PROOF = "disease_proof"
    WOUND_PHOTO = "wound_photo"
    SIGNATURE = "signature"
    RECORD = "record"
    CONSULTATION_IMAGE = "consultation_image"
    CONSULTATION_FILE = "consultation_file"
    PORTRAIT = "portrait"


#: The short name; consents have purposes too, and the published contract needs both apart.
Purpose = FilePurpose

#: Where people read and no machine does, a PDF may stand for a photo.
PAPERS = frozenset(
    {Purpose.HOSPITAL_LICENCE, Purpose.PRESCRIPTION, Purpose.DISEASE_PROOF, Purpose.RECORD, Purpose.CONSULTATION_FILE}
)


class FileState(StrEnum):
    """`uploading → ready → deleting`; a file that is not ready is nobody's."""

    UPLOADING = "uploading"
    READY = "ready"
    DELETING = "deleting"


class Part(StrEnum):
    """The objects of one file. Of these the original is never served."""

    MAIN = "main"
    THUMBNAIL = "thumbnail"
    ORIGINAL = "original"


def is_forsaken(state: FileState, kept: bool, created_at: datetime, now: datetime) -> bool:
    """Whether the sweep removes it: half-finished for an hour, unused for a day, or half-deleted."""
    match state:
        case FileState.UPLOADING:
            return created_at < now - UPLOAD_LIFE
        case FileState.READY:
            return not kept and created_at < now - UNUSED_LIFE
        case FileState.DELETING:
            return True


def require_kind(content: bytes, purpose: Purpose) -> Kind:
    """Raises FileEmpty, FileTooLarge, FileTypeNotSupported, PictureNeeded."""
    if not content:
        raise FileEmpty
    if len(content) > MAX_BYTES:
        raise FileTooLarge(limit_mb=MAX_BYTES >> 20)
    kind = kind_of(content)
    if kind is None:
        raise FileTypeNotSupported
    if kind is Kind.PDF and purpose not in PAPERS:
        raise PictureNeeded
    return kind


def refusal(kind: Kind, flaw: Flaw) -> Problem:
    """The problem a flaw is told as."""
    match flaw:
        case Flaw.TOO_MANY_PIXELS:
            return PictureTooLarge()
        case Flaw.ANIMATED:
            return PictureAnimated()
        case Flaw.LOCKED:
            return DocumentLocked()
        case Flaw.ACTIVE:
            return DocumentActive()
        case Flaw.TOO_MANY_PAGES:
            return DocumentTooLong()
        case Flaw.UNREADABLE:
            return DocumentUnreadable() if kind is Kind.PDF else PictureUnreadable()


PREFIX = "files"


def object_name(file_id: FileId, part: Part) -> str:
    """`files/2026-11-25/fil_…/main`: the day is the id's own, so that a name follows from the id alone."""
    return f"{day_prefix(file_id)}/{file_id}/{part.value}"


def day_prefix(file_id: FileId) -> str:
    """The folder of the day the id was made on, in Shanghai."""
    return f"{PREFIX}/{datetime.fromtimestamp((file_id.int >> 80) / 1000, SHANGHAI):%Y-%m-%d}"


def file_of(name: str) -> FileId | None:
    """The file an object belongs to; None for a name that is not ours."""
    parts = name.split("/")
    if len(parts) != 4 or parts[0] != PREFIX:
        return None
    try:
        return FileId.parse(parts[2])
    except ValueError:
        return None
