"""Holding on to files, letting them go, and the sweep that removes what nobody holds on to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.problems import FileInUse, FileNotFound
from yiyuebao_api.domains.files.queries import list_known, lock_file, lock_forsaken_files
from yiyuebao_api.domains.files.rules import PREFIX, UPLOAD_LIFE, FileState, file_of
from yiyuebao_api.gateways import ProviderError
from yiyuebao_api.gateways.object_store import ObjectStore
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import AccountId, FileId
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.wire import Wire, marks

SWEPT_AT_ONCE = 100
log = structlog.get_logger()


async def keep(tx: AsyncSession, file: File) -> None:
    """Hold on to a file, in the transaction that makes use of it; again is fine. Raises FileNotFound if it has just gone."""
    mine = await lock_file(tx, file.id, FileState.READY)
    if mine is None:
        raise FileNotFound
    mine.kept = True


_STATES = "SELECT state FROM file WHERE id IN ({0}) ORDER BY id FOR UPDATE"
_KEEP = "UPDATE file SET kept = TRUE WHERE id IN ({0})"


async def keep_all(wire: Wire, file_ids: Iterable[FileId]) -> None:
    """The same for several, by their keys. Raises FileNotFound."""
    some = [file_id.bytes for file_id in sorted(set(file_ids))]
    if not some:
        return
    rows = await wire.ask(_STATES.format(marks(len(some))), some)
    if [state for (state,) in rows] != [FileState.READY.value] * len(some):
        raise FileNotFound
    await wire.put(_KEEP.format(marks(len(some))), some)


async def delete_file(begin: Begin, store: ObjectStore, file_id: FileId, *, owner: AccountId) -> None:
    """Remove an own file that nothing holds on to. Raises NotFound, FileInUse. A store that is down is the sweep's care."""
    async with begin() as tx:
        file = await lock_file(tx, file_id, FileState.READY)
        if file is None or file.owner_id != owner:
            raise NotFound
        if file.kept:
            raise FileInUse
        file.state = FileState.DELETING
    await _remove(begin, store, [file])


async def sweep(begin: Begin, store: ObjectStore, *, now: datetime, system_now: datetime) -> int:
    """Remove half-finished, unused and half-deleted files, objects without a row, and half-written objects.

    `system_now` is the time the store's own clock shows. Safe to repeat and to run twice at once; returns how many
    files and objects went. Raises ProviderError when the store is down: the next sweep goes on.
    """
    gone = 0
    while True:
        async with begin() as tx:
            files = await lock_forsaken_files(tx, now=now, limit=SWEPT_AT_ONCE)
            for file in files:
                file.state = FileState.DELETING
        if not files or not await _remove(begin, store, files):
            break
        gone += len(files)
    quiet = system_now - UPLOAD_LIFE
    async for objects in store.listed(PREFIX):
        gone += await _remove_orphans(begin, store, [each.name for each in objects if each.modified_at < quiet])
    return gone + await store.forget_halves(older_than=quiet)


async def _remove(begin: Begin, store: ObjectStore, files: Iterable[File]) -> bool:
    """Objects first, then the row: a crash between leaves a row in `deleting`, which the sweep finds."""
    for file in files:
        try:
            await store.delete(file.object_names())
        except ProviderError as error:
            log.warning("objects stay for the next sweep", file=str(file.id), error=str(error))
            return False
        async with begin() as tx:
            await tx.execute(delete(File).where(File.id == file.id))  # nothing leaves `deleting` but this way
    return True


async def _remove_orphans(begin: Begin, store: ObjectStore, names: Sequence[str]) -> int:
    """Objects whose row is gone: put by a process that stood still for an hour, or newer than a restored database."""
    owners = {name: file_of(name) for name in names}
    async with begin() as tx:
        known = await list_known(tx, {each for each in owners.values() if each is not None})
    orphans = [name for name, file_id in owners.items() if file_id is not None and file_id not in known]
    if orphans:
        log.warning("objects without a row", count=len(orphans))
        await store.delete(orphans)
    return len(orphans)
