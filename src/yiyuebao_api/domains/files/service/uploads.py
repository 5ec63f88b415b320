"""Uploading: check and write anew, then the row, then its objects, then `ready`; each step committed before the next."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete

from yiyuebao_api.domains.files.models import File, FileKind
from yiyuebao_api.domains.files.problems import StorageFull, UploadLimit
from yiyuebao_api.domains.files.queries import count_files_since, lock_file
from yiyuebao_api.domains.files.rules import FileState, Part, Purpose, object_name, refusal, require_kind
from yiyuebao_api.gateways import ProviderError, ProviderRefused
from yiyuebao_api.gateways.object_store import ObjectStore
from yiyuebao_api.kernel import envelope, media
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import AccountId, FileId
from yiyuebao_api.kernel.media import Cleaned, Kind
from yiyuebao_api.kernel.problems import ProviderDown, ServiceUnavailable
from yiyuebao_api.kernel.workshop import WorkFailed, Workshop, WorkshopBusy

_DAY = timedelta(days=1)
log = structlog.get_logger()


async def upload_file(
    begin: Begin, store: ObjectStore, workshop: Workshop, content: bytes, *, owner: AccountId, purpose: Purpose,
    per_day: int, now: datetime,
) -> File:  # fmt: skip
    """Take a picture or a document; what is refused leaves nothing behind.

    Raises the problems of `require_kind` and `refusal`, UploadLimit, StorageFull, ProviderDown, ServiceUnavailable.
    """
    kind = require_kind(content, purpose)
    async with begin() as tx:
        if await count_files_since(tx, owner, now - _DAY) >= per_day:
            raise UploadLimit(retry_after=3600, most=per_day)
    cleaned = await _cleaned(workshop, kind, content)
    file = _row(kind, cleaned, content, owner=owner, purpose=purpose, now=now)
    objects = await asyncio.to_thread(_sealed, file, cleaned, content)
    async with begin() as tx:
        tx.add(file)
    try:
        for name, sealed in objects.items():
            await store.put(name, sealed)
    except ProviderError as error:
        await _undo(begin, store, file)
        log.error("upload failed", file=str(file.id), error=str(error))
        if isinstance(error, ProviderRefused) and error.code == "full":
            raise StorageFull(retry_after=60) from None
        raise ProviderDown(retry_after=5) from None
    async with begin() as tx:
        ready = await lock_file(tx, file.id, FileState.UPLOADING)
        if ready is not None:
            ready.state = FileState.READY
    if ready is None:  # an hour went by between two steps, and the sweep took the row
        await _undo(begin, store, file)
        raise ServiceUnavailable(retry_after=1)
    return ready


async def _cleaned(workshop: Workshop, kind: Kind, content: bytes) -> Cleaned:
    try:
        return await workshop.run(media.clean, kind, content)
    except media.Unfit as unfit:
        raise refusal(kind, unfit.flaw) from None
    except (WorkshopBusy, WorkFailed) as error:
        log.warning("workshop", error=type(error).__name__, kind=kind.value)
        raise ServiceUnavailable(retry_after=2) from None


def _row(
    kind: Kind, cleaned: Cleaned, content: bytes, *, owner: AccountId, purpose: Purpose, now: datetime
) -> File:
    return File(
        id=FileId.new(), owner_id=owner, purpose=purpose, state=FileState.UPLOADING,
        kind=FileKind.DOCUMENT if kind is Kind.PDF else FileKind.PICTURE, size_bytes=len(cleaned.content),
        width=cleaned.width, height=cleaned.height, pages=cleaned.pages, sha256=hashlib.sha256(cleaned.content).digest(),
        original_sha256=hashlib.sha256(content).digest(), data_key=envelope.new_data_key(),
        has_original=purpose is Purpose.RECORD, kept=False, created_at=now,
    )  # fmt: skip


def _sealed(file: File, cleaned: Cleaned, content: bytes) -> dict[str, bytes]:
    held = {Part.MAIN: cleaned.content, Part.THUMBNAIL: cleaned.thumbnail, Part.ORIGINAL: content}
    sealed = {}
    for part in file.parts():
        plain = held[part]
        assert plain is not None
        name = object_name(file.id, part)
        sealed[name] = envelope.seal(file.data_key, name, plain)
    return sealed


async def _undo(begin: Begin, store: ObjectStore, file: File) -> None:
    """Objects first, then the row: what cannot be removed now keeps its row, and the sweep finds it."""
    try:
        await store.delete(file.object_names())
    except ProviderError:
        return
    async with begin() as tx:
        await tx.execute(delete(File).where(File.id == file.id))
