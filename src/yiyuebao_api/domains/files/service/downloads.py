"""Reading what was uploaded: for a use case, or for whoever holds a signed link."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import structlog

from yiyuebao_api.domains.files.models import File, FileKind
from yiyuebao_api.domains.files.queries import find_file
from yiyuebao_api.domains.files.rules import Part, object_name
from yiyuebao_api.domains.files.service.links import check_link
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.object_store import ObjectStore
from yiyuebao_api.kernel import envelope
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import FileId
from yiyuebao_api.kernel.problems import NotFound, ProviderDown

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """What a link leads to."""

    file_id: FileId
    kind: FileKind
    content: bytes


async def read_file(begin: Begin, store: ObjectStore, file_id: FileId) -> bytes:
    """The picture (JPEG) or document (PDF) as it is served. Raises NotFound, ProviderDown; Unreadable if it was changed.

    Whose file it is was asked before: `queries.require_file`.
    """
    async with begin() as tx:
        file = await find_file(tx, file_id)
    if file is None:
        raise NotFound
    return await _read(store, file, Part.MAIN)


async def read_linked_file(
    begin: Begin, store: ObjectStore, file_id: FileId, part: Part, *, expires: int, signature: str, now: datetime
) -> LinkedFile:
    """What a signed link leads to. Raises NotFound, LinkExpired, ProviderDown."""
    check_link(file_id, part, expires, signature, now=now)
    async with begin() as tx:
        file = await find_file(tx, file_id)
    if file is None or part not in file.parts():
        raise NotFound
    return LinkedFile(file.id, file.kind, await _read(store, file, part))


async def _read(store: ObjectStore, file: File, part: Part) -> bytes:
    name = object_name(file.id, part)
    try:
        sealed = await store.get(name)
    except ProviderRefused as refused:
        log.error("object not readable", object=name, code=refused.code)
        raise (NotFound if refused.code == "missing" else ProviderDown) from None
    except ProviderUnavailable as error:
        log.warning("store", error=str(error))
        raise ProviderDown(retry_after=5) from None
    return await asyncio.to_thread(envelope.unseal, file.data_key, name, sealed)
