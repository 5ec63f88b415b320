"""Archives: what a job has packed, sealed in the store under a key of its own; each attempt writes an object of its own.

The key lies in a row of whoever asked for the archive, and is committed together with the word that it is there: an
object whose row has no key is noise, and the sweep of its owner removes it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import structlog

from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.object_store import ObjectStore
from yiyuebao_api.kernel import envelope
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.ids import Id, RowId
from yiyuebao_api.kernel.problems import NotFound, ProviderDown

#: An object that no row names is a killed attempt's; longer than any attempt takes.
ATTEMPT_LIFE = timedelta(hours=1)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Archive:
    """Which object it is, among those of its prefix, and the key that opens it."""

    attempt: RowId
    data_key: str


async def put_archive(store: ObjectStore, prefix: str, content: bytes) -> Archive:
    """Seal and write one. Raises ProviderUnavailable, ProviderRefused: the job comes again."""
    made = Archive(RowId.new(), envelope.new_data_key())
    name = f"{prefix}/{made.attempt}"
    await store.put(name, await asyncio.to_thread(envelope.seal, made.data_key, name, content))
    return made


async def read_archive(store: ObjectStore, prefix: str, archive: Archive) -> bytes:
    """What was packed. Raises NotFound, ProviderDown; Unreadable if it was changed."""
    name = f"{prefix}/{archive.attempt}"
    try:
        sealed = await store.get(name)
    except ProviderRefused as refused:
        log.error("archive not readable", object=name, code=refused.code)
        raise (NotFound if refused.code == "missing" else ProviderDown) from None
    except ProviderUnavailable as error:
        log.warning("store", error=str(error))
        raise ProviderDown(retry_after=5) from None
    return await asyncio.to_thread(envelope.unseal, archive.data_key, name, sealed)


async def forget_archives(
    store: ObjectStore, prefix: str, known: Callable[[Collection[RowId]], Awaitable[set[RowId]]], *, system_now: datetime
) -> int:
    """Remove the objects that no row names and no attempt can still be writing; returns how many. Safe to repeat."""
    gone = 0
    async for objects in store.listed(prefix):
        quiet = [each.name for each in objects if each.modified_at < system_now - ATTEMPT_LIFE]
        old = {RowId.parse(name.removeprefix(f"{prefix}/")): name for name in quiet}
        named = await known(old)
        forgotten = [name for attempt, name in old.items() if attempt not in named]
        if forgotten:
            await store.delete(forgotten)
            gone += len(forgotten)
    return gone


def told_as_json(value: Any, *, indent: int | None = None) -> str:
    """Rows as JSON: ids as on the wire, moments in Shanghai's time, days, and bytes in hexadecimal."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_told)


def _told(value: Any) -> str:
    """What JSON has no word for."""
    match value:
        case Id():
            return str(value)
        case datetime():
            return value.astimezone(SHANGHAI).isoformat()
        case date():
            return value.isoformat()
        case bytes():
            return value.hex()
    raise TypeError(f"no word for {type(value).__name__}")
