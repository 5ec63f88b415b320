"""An export for a regulator: asked for by an operator, packed by a job part by part, each fetch noted (RULE-83)."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import IO

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consultations import queries, rules
from yiyuebao_api.domains.consultations.models import RegulatorExport, RegulatorExportPart
from yiyuebao_api.domains.consultations.problems import (
    RegulatorExportExpired,
    RegulatorExportNotReady,
    RegulatorExportPending,
    RegulatorExportTooLarge,
)
from yiyuebao_api.domains.consultations.queries import Head
from yiyuebao_api.domains.consultations.rules import (
    EXPORT_KEPT_FOR,
    EXPORT_PREFIX,
    MAX_EXPORTED,
    ConsultKind,
    ExportScope,
    RegulatorExportState,
)
from yiyuebao_api.domains.consultations.service.acts import Told, acts_of
from yiyuebao_api.domains.consultations.service.offers import day_of
from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.queries import find_file
from yiyuebao_api.domains.hospitals.queries import require_hospital
from yiyuebao_api.gateways.object_store import ObjectStore
from yiyuebao_api.kernel import audit, outbox
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.database import Begin, is_duplicate
from yiyuebao_api.kernel.ids import AccountId, ConsultationId, FileId, HospitalId, RegulatorExportId, RowId
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.tokens import Mode

#: Consultations and messages of one part: a run of the job ends well before its time is over.
PART, PART_MESSAGES = 250, 20_000
#: What is read in one short transaction: nothing else of this process waits long for it.
AT_ONCE, MESSAGES_AT_ONCE = 20, 500
_SWEPT_AT_ONCE = 100
_LEFT_OUT = (
    "手机号、身份证号、地址、出生日期与姓名全称不在导出之内；患者以编号对应，由医院依法查验。"
    "健康咨询不含内容。图片与文件只列编号，由平台按编号另行提供。"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What an authority wants of which hospital; both days inclusive, Shanghai."""

    hospital_id: HospitalId
    scope: ExportScope
    first_day: date
    last_day: date
    authority: str
    document_no: str


async def ask_for_export(tx: AsyncSession, wish: Wish, *, operator: AccountId, now: datetime) -> RegulatorExport:
    """Ask for one; leaves a row in the audit. One hospital's exports are made one after the other.

    Raises NotFound, ExportWindowRefused, RegulatorExportTooLarge, RegulatorExportPending.
    """
    rules.check_export_window(wish.first_day, wish.last_day, day_of(now))
    await require_hospital(tx, wish.hospital_id)
    found = await queries.count_paid_between(tx, wish.hospital_id, *_period(wish.first_day, wish.last_day))
    if found > MAX_EXPORTED:
        raise RegulatorExportTooLarge(found=found, most=MAX_EXPORTED)
    export = RegulatorExport(
        id=RegulatorExportId.new(), hospital_id=wish.hospital_id, scope=wish.scope, first_day=wish.first_day,
        last_day=wish.last_day, authority=wish.authority, document_no=wish.document_no, asked_by=operator,
        pending_for=wish.hospital_id, state=RegulatorExportState.PENDING, consultations=None, asked_at=now, made_at=None,
        expires_at=None,
    )  # fmt: skip
    tx.add(export)
    try:
        await tx.flush()
    except IntegrityError as error:
        if is_duplicate(error, "uq_consultation_export_pending_for"):
            raise RegulatorExportPending from None
        raise
    _note(tx, export, "consultations.ask_for_export", operator, now)
    await outbox.put(tx, "consultations.export", export.id, now=now)
    return export


def _period(first_day: date, last_day: date) -> tuple[datetime, datetime]:
    """Half-open."""
    since = datetime.combine(first_day, time.min, SHANGHAI)
    return since, datetime.combine(last_day, time.min, SHANGHAI) + timedelta(days=1)


async def make_export(begin: Begin, store: ObjectStore, export_id: RegulatorExportId, *, now: datetime) -> None:
    """The job, one part a run: read, pack, seal, and only then say that it is there; the last one ends it.

    With the key, and in one transaction with it, every patient of the part gets a row in the audit: their data was given
    away. Safe to repeat and to run twice at once. Raises outbox.Again while parts are missing, and ProviderUnavailable,
    ProviderRefused, ProviderDown: the job comes again, and goes on where it was.
    """
    async with begin() as tx:
        export = await queries.require_export(tx, export_id)
        if export.state is not RegulatorExportState.PENDING:
            return
        last = await queries.find_last_part(tx, export_id)
    number, after = (1, None) if last is None else (last.number + 1, last.last_id)
    heads, is_last = await _next(begin, export, after)
    held = await _packed(begin, export, number, heads, now)
    made = await files.put_archive(store, EXPORT_PREFIX, held)
    digest = await asyncio.to_thread(lambda: hashlib.sha256(held).digest())
    async with begin() as tx:
        locked = await queries.lock_export(tx, export_id)
        before = await queries.find_last_part(tx, export_id)
        if locked is None or locked.state is not RegulatorExportState.PENDING:  # another was faster; the sweep takes ours
            return
        if (0 if before is None else before.number) != number - 1:  # in this part only; whose job it is, goes on
            raise outbox.Again(timedelta(0))
        part = RegulatorExportPart(
            export_id=export_id, number=number, last_id=heads[-1].id if heads else None, attempt=made.attempt,
            data_key=made.data_key, consultations=len(heads), size_bytes=len(held), sha256=digest, made_at=now,
        )  # fmt: skip
        tx.add(part)
        for each in heads:
            audit.note(
                tx, actor=locked.asked_by, mode=Mode.OPERATOR, hospital=locked.hospital_id, action="consultations.export",
                subject_patient=each.patient_id, subject=each.id, basis="regulator", now=now,
            )  # fmt: skip
        await tx.flush()
        if is_last:
            await _finish(tx, locked, now)
    if not is_last:
        raise outbox.Again(timedelta(0))


async def _finish(tx: AsyncSession, export: RegulatorExport, now: datetime) -> None:
    parts = (await queries.parts_of(tx, [export.id]))[export.id]
    export.state, export.pending_for = RegulatorExportState.READY, None
    export.consultations = sum(each.consultations for each in parts)
    export.made_at, export.expires_at = now, now + EXPORT_KEPT_FOR


async def _next(
    begin: Begin, export: RegulatorExport, after: ConsultationId | None
) -> tuple[list[Head], bool]:
    """What the next part is of, and whether nothing follows it."""
    async with begin() as tx:
        heads = await queries.heads_between(
            tx, export.hospital_id, *_period(export.first_day, export.last_day), after=after, most=PART + 1
        )
    some = next(_portions(heads, PART, PART_MESSAGES), [])
    return some, len(some) == len(heads)


def _portions(heads: Sequence[Head], most: int, messages: int) -> Iterator[list[Head]]:
    """Cut into pieces of so many consultations and messages, at least one in each."""
    piece: list[Head] = []
    for each in heads:
        if piece and (len(piece) == most or sum(one.messages for one in piece) + each.messages > messages):
            yield piece
            piece = []
        piece.append(each)
    if piece:
        yield piece


async def _packed(
    begin: Begin, export: RegulatorExport, number: int, heads: Sequence[Head], now: datetime
) -> bytes:
    """The zip of one part; read in short transactions, one line a consultation."""
    out, records = io.BytesIO(), export.scope is ExportScope.RECORDS
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as box:
        with box.open("consultations.jsonl", "w", force_zip64=True) as lines:
            for piece in _portions(heads, AT_ONCE, MESSAGES_AT_ONCE):
                told = await _told(begin, export.hospital_id, piece, records, now)
                await asyncio.to_thread(_write, lines, told)
        about = await _about(begin, export, number, len(heads), now)
        box.writestr("about.json", files.told_as_json(about, indent=1))
    return out.getvalue()


def _write(lines: IO[bytes], told: Sequence[Told]) -> None:
    for each in told:
        lines.write(files.told_as_json(each).encode() + b"\n")


async def _told(
    begin: Begin, hospital_id: HospitalId, piece: Sequence[Head], records: bool, now: datetime
) -> list[Told]:
    """Of health advice nobody is told what was said."""
    read = [each.id for each in piece if records and each.kind is ConsultKind.ONLINE_FOLLOW_UP]
    unread = [each.id for each in piece if each.id not in read]
    told: list[Told] = []
    async with begin() as tx:
        pilots = {each.id: each for each in await queries.pilots_of(tx, hospital_id)}
        for ids, words in ((read, True), (unread, False)):
            if ids:
                rows = await queries.list_consultations(tx, ids, words=words)
                told += await acts_of(tx, rows, pilots, words=words, now=now)
    return sorted(told, key=lambda each: each["consultation"]["id"].bytes)


async def _about(begin: Begin, export: RegulatorExport, number: int, found: int, now: datetime) -> Told:
    """Whose, of when, for whom and what: the first thing to read."""
    async with begin() as tx:
        hospital = await require_hospital(tx, export.hospital_id)
        approval = await queries.find_approval(tx, export.hospital_id)
        pilots = await queries.pilots_of(tx, export.hospital_id)
    return {
        "export": export.id, "part": number, "scope": export.scope, "first_day": export.first_day, "last_day": export.last_day,
        "authority": export.authority, "document_no": export.document_no, "asked_at": export.asked_at, "read_at": now,
        "hospital": {"id": hospital.id, "name": hospital.name, "uscc": hospital.uscc, "licence_no": hospital.licence_no},
        "approval": approval and {"approval_no": approval.approval_no, "valid_until": approval.valid_until},
        "pilots": [
            {
                "specialty": each.specialty, "document_no": each.document_no, "first_day": each.first_day,
                "last_day": each.last_day, "ended_at": each.ended_at,
            }
            for each in pilots
        ],
        "consultations": found, "fields": rules.fields_of(export.scope), "left_out": _LEFT_OUT,
    }  # fmt: skip


def _require_kept(export: RegulatorExport, now: datetime) -> None:
    """Raises RegulatorExportNotReady, RegulatorExportExpired."""
    state = export.standing(now)
    if state is RegulatorExportState.PENDING:
        raise RegulatorExportNotReady
    if state is RegulatorExportState.EXPIRED:
        raise RegulatorExportExpired


async def fetch_part(
    begin: Begin, store: ObjectStore, export_id: RegulatorExportId, number: int, *, operator: AccountId, now: datetime
) -> bytes:
    """The zip of one part; the row in the audit is committed before a byte of it is read.

    Raises NotFound, RegulatorExportNotReady, RegulatorExportExpired, ProviderDown.
    """
    async with begin() as tx:
        export = await queries.require_export(tx, export_id)
        _require_kept(export, now)
        archive = (await queries.require_part(tx, export_id, number)).archive
        if archive is None:
            raise RegulatorExportExpired
        _note(tx, export, "consultations.fetch_export", operator, now)
    try:
        return await files.read_archive(store, EXPORT_PREFIX, files.Archive(*archive))
    except NotFound:
        raise RegulatorExportExpired from None


async def require_exported_file(
    tx: AsyncSession, export_id: RegulatorExportId, consultation_id: ConsultationId, seq: int | None, *,
    operator: AccountId, now: datetime,
) -> File:  # fmt: skip
    """The picture or document of a message that an export of records names; without a seq the proof of the diagnosis.

    Leaves a row in the audit. Raises NotFound for anything that the export does not hold, RegulatorExportNotReady,
    RegulatorExportExpired.
    """
    export = await queries.require_export(tx, export_id)
    _require_kept(export, now)
    held = await queries.is_paid_between(
        tx, consultation_id, export.hospital_id, *_period(export.first_day, export.last_day)
    )
    if export.scope is not ExportScope.RECORDS or not held:
        raise NotFound
    consultation = await queries.require_consultation(tx, consultation_id)
    if consultation.kind is not ConsultKind.ONLINE_FOLLOW_UP:
        raise NotFound
    file_id = consultation.proof_file_id
    if seq is not None:
        named = (await queries.require_message_at(tx, consultation_id, seq)).body.get("file_id")
        file_id = FileId.parse(named) if named is not None else None
    file = await find_file(tx, file_id) if file_id is not None else None
    if file is None:
        raise NotFound
    audit.note(
        tx, actor=operator, mode=Mode.OPERATOR, hospital=export.hospital_id, action="consultations.fetch_exported_file",
        subject_patient=consultation.patient_id, subject=consultation_id, basis="regulator", now=now,
    )  # fmt: skip
    return file


async def sweep_exports(begin: Begin, store: ObjectStore, *, now: datetime, system_now: datetime) -> int:
    """Forget the contents of exports that are no longer kept, and what killed attempts left. Safe to repeat.

    The rows stay: who asked for what, for whom, and the digest of what was handed over.
    """
    async with begin() as tx:
        expired = await queries.list_expired_exports(tx, now=now, limit=_SWEPT_AT_ONCE)
    for export_id in expired:
        async with begin() as tx:
            export = await queries.lock_export(tx, export_id)
            if export is not None:
                export.state = RegulatorExportState.EXPIRED
                for part in (await queries.parts_of(tx, [export_id]))[export_id]:
                    part.data_key = None  # without its key the object is noise

    async def known(attempts: Collection[RowId]) -> set[RowId]:
        async with begin() as tx:
            return await queries.known_attempts(tx, attempts)

    return await files.forget_archives(store, EXPORT_PREFIX, known, system_now=system_now)


def _note(tx: AsyncSession, export: RegulatorExport, action: str, operator: AccountId, now: datetime) -> None:
    audit.note(
        tx, actor=operator, mode=Mode.OPERATOR, hospital=export.hospital_id, action=action, subject_patient=None,
        subject=export.id, basis="regulator", now=now,
    )  # fmt: skip
