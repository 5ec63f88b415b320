"""A copy for its person: asked for, made by a job, fetched, forgotten after a week (RULE-146)."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.files.models import FileKind
from yiyuebao_api.domains.notices import service as notices
from yiyuebao_api.domains.privacy import queries
from yiyuebao_api.domains.privacy.holdings import HOLDINGS
from yiyuebao_api.domains.privacy.models import Export
from yiyuebao_api.domains.privacy.problems import ExportExpired, ExportNotReady, ExportPending
from yiyuebao_api.domains.privacy.rules import EXPORT_LIFE, PREFIX, ExportState
from yiyuebao_api.domains.privacy.service.proof import prove
from yiyuebao_api.gateways.object_store import ObjectStore
from yiyuebao_api.kernel import outbox
from yiyuebao_api.kernel.database import Begin, is_duplicate
from yiyuebao_api.kernel.ids import AccountId, ExportId, RowId
from yiyuebao_api.kernel.problems import NotFound, Words

_SWEPT_AT_ONCE = 100
_READ_ME = (
    "医约宝 个人信息副本 · a copy of your personal data\n\n"
    "data/*.json   每张表一个文件；字段名见公开的接口文档 · one file a table\n"
    "files/        您上传的图片与文件 · what you uploaded\n"
    "kept.json     注销账户后各类数据的去向 · what becomes of it when the account is closed\n"
)


async def ask_for_export(begin: Begin, account_id: AccountId, code: str, *, now: datetime) -> Export:
    """Ask for a copy. Raises ProofInvalid, ExportPending."""
    await prove(begin, account_id, code, now=now)
    async with begin() as tx:
        export = Export(
            id=ExportId.new(), account_id=account_id, pending_for=account_id, state=ExportState.PENDING, attempt=None,
            data_key=None, size_bytes=None, asked_at=now, made_at=None, expires_at=None,
        )  # fmt: skip
        tx.add(export)
        try:
            await tx.flush()
        except IntegrityError as error:
            if is_duplicate(error, "uq_privacy_export_pending_for"):
                raise ExportPending from None
            raise
        await outbox.put(tx, "privacy.export", export.id, now=now)
    return export


async def make_export(begin: Begin, store: ObjectStore, export_id: ExportId, *, now: datetime) -> None:
    """Read, pack, encrypt, and only then say that it is there. Safe to repeat and to run twice at once.

    Raises ProviderUnavailable, ProviderRefused, ProviderDown: the job comes again.
    """
    async with begin() as tx:
        export = await queries.lock_export(tx, export_id)
        if export is None or export.state is not ExportState.PENDING:
            return
        person = await queries.person_of(tx, export.account_id)
        held = {each.name: await queries.rows_of(tx, each, person) for each in HOLDINGS if each.shown}
        uploaded = await queries.files_of(tx, person)
    pictures = {}
    for file in uploaded:
        ending = "jpg" if file.kind is FileKind.PICTURE else "pdf"
        try:
            pictures[f"files/{file.id}.{ending}"] = await files.read_file(begin, store, file.id)
        except NotFound:  # swept a moment ago
            continue
    packed = await asyncio.to_thread(_packed, held, pictures)
    made = await files.put_archive(store, PREFIX, packed)
    async with begin() as tx:
        export = await queries.lock_export(tx, export_id)
        if export is None or export.state is not ExportState.PENDING:  # another attempt was faster; the sweep takes ours
            return
        export.state, export.pending_for = ExportState.READY, None
        export.attempt, export.data_key = made.attempt, made.data_key
        export.size_bytes, export.made_at, export.expires_at = len(packed), now, now + EXPORT_LIFE
        await notices.tell_account(
            tx, export.account_id, "privacy.export_ready",
            title=Words("个人信息副本已生成", "Your copy is ready"),
            body=Words("您申请的个人信息副本已生成，请在 7 天内下载。", "The copy of your data is ready; fetch it within 7 days."),
            subject=export.id, now=now,
        )  # fmt: skip


def _packed(held: Mapping[str, list[dict[str, Any]]], pictures: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as box:
        box.writestr("README.txt", _READ_ME)
        for name, rows in held.items():
            box.writestr(f"data/{name}.json", files.told_as_json(rows, indent=1))
        kept = [{"table": each.name, "fate": each.fate.value, "why": each.why} for each in HOLDINGS]
        box.writestr("kept.json", files.told_as_json(kept, indent=1))
        for name, content in pictures.items():
            box.writestr(name, content, zipfile.ZIP_STORED)
    return out.getvalue()


async def read_export(
    begin: Begin, store: ObjectStore, account_id: AccountId, export_id: ExportId, *, now: datetime
) -> bytes:
    """The zip. Raises NotFound, ExportNotReady, ExportExpired, ProviderDown."""
    async with begin() as tx:
        export = await queries.require_own_export(tx, account_id, export_id)
    state = export.standing(now)
    if state is ExportState.PENDING:
        raise ExportNotReady
    if state is ExportState.EXPIRED or export.attempt is None or export.data_key is None:
        raise ExportExpired
    try:
        return await files.read_archive(store, PREFIX, files.Archive(export.attempt, export.data_key))
    except NotFound:
        raise ExportExpired from None


async def sweep(begin: Begin, store: ObjectStore, *, now: datetime, system_now: datetime) -> int:
    """Forget copies whose week is over, and what killed attempts left; returns how many objects went. Safe to repeat."""
    async with begin() as tx:
        expired = await queries.list_expired(tx, now=now, limit=_SWEPT_AT_ONCE)
    for export_id in expired:
        async with begin() as tx:
            export = await queries.lock_export(tx, export_id)
            if export is not None:
                export.state, export.data_key = ExportState.EXPIRED, None  # without its key the object is noise

    async def known(attempts: Collection[RowId]) -> set[RowId]:
        async with begin() as tx:
            return await queries.known_attempts(tx, attempts)

    return await files.forget_archives(store, PREFIX, known, system_now=system_now)
