"""Named selects over files. Only `ready` ones are anybody's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.problems import FileNotFound
from yiyuebao_api.domains.files.rules import UNUSED_LIFE, UPLOAD_LIFE, FileState, Purpose, is_forsaken
from yiyuebao_api.kernel.ids import AccountId, FileId
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.reading import Asks, Read, one_of


async def find_file(tx: AsyncSession, file_id: FileId) -> File | None:
    """A ready file, whoever owns it."""
    return (await tx.scalars(select(File).where(File.id == file_id, File.state == FileState.READY))).one_or_none()


_READY = Read(select(*File.__table__.columns).where(File.id == bindparam("file_id"), File.state == FileState.READY))


async def read_file(asks: Asks, file_id: FileId) -> File | None:
    """The same, to be looked at and nothing else, in a transaction or outside."""
    return await one_of(asks, _READY, file_id=file_id)


async def require_file(tx: AsyncSession, file_id: FileId, *, owner: AccountId, purpose: Purpose) -> File:
    """A file that a body names: ready, the caller's, uploaded for this. Raises FileNotFound for anything else."""
    file = await find_file(tx, file_id)
    if file is None or file.owner_id != owner or file.purpose is not purpose:
        raise FileNotFound
    return file


async def require_own_file(tx: AsyncSession, owner: AccountId, file_id: FileId) -> File:
    """Raises NotFound, for another's file too."""
    file = await find_file(tx, file_id)
    if file is None or file.owner_id != owner:
        raise NotFound
    return file


async def lock_file(tx: AsyncSession, file_id: FileId, state: FileState) -> File | None:
    """The row, locked, if it is in that state.

    By its key alone: with the state beside it the server may come through an index, and two who lock one row by
    different ways are a deadlock.
    """
    found = select(File).where(File.id == file_id).with_for_update().execution_options(populate_existing=True)
    file = (await tx.scalars(found)).one_or_none()
    return file if file is not None and file.state is state else None


async def count_files_since(tx: AsyncSession, owner: AccountId, since: datetime) -> int:
    """How many files of an account were sent since."""
    recent = select(func.count()).select_from(File).where(File.owner_id == owner, File.created_at > since)
    return (await tx.scalars(recent)).one()


async def lock_forsaken_files(tx: AsyncSession, *, now: datetime, limit: int) -> Sequence[File]:
    """Rows that the sweep removes: half-finished, unused or half-deleted; what another process holds is passed over."""
    forsaken = or_(
        and_(File.state == FileState.UPLOADING, File.created_at < now - UPLOAD_LIFE),
        and_(File.state == FileState.READY, File.kept.is_(False), File.created_at < now - UNUSED_LIFE),
        File.state == FileState.DELETING,
    )
    found = (await tx.scalars(select(File.id).where(forsaken).limit(limit))).all()
    if not found:
        return []
    rows = select(File).where(File.id.in_(found)).order_by(File.id).with_for_update(skip_locked=True)
    rows = rows.execution_options(populate_existing=True)
    return [each for each in await tx.scalars(rows) if is_forsaken(each.state, each.kept, each.created_at, now)]


async def list_known(tx: AsyncSession, file_ids: Iterable[FileId]) -> set[FileId]:
    """Which of these have a row, in whatever state."""
    return set((await tx.scalars(select(File.id).where(File.id.in_(file_ids)))).all())
