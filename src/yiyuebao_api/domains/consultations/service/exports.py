"""An export for a regulator: asked for by an operator, packed by a job, fetched with a row in the audit each time (RULE-83)."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consultations import queries, rules
from yiyuebao_api.domains.consultations.models import RegulatorExport
from yiyuebao_api.domains.consultations.problems import (
    RegulatorExportExpired,
    RegulatorExportNotReady,
    RegulatorExportPending,
    RegulatorExportTooLarge,
)
from yiyuebao_api.domains.consultations.rules import (
    EXPORT_KEPT_FOR,
    EXPORT_PREFIX,
    MAX_EXPORTED,
    ConsultKind,
    ExportScope,
    RegulatorExportState,
)
from yiyuebao_api.domains.consultations.service.acts import acts_of
from yiyuebao_api.domains.consultations.service.offers import day_of
from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.hospitals.queries import require_hospital
from yiyuebao_api.gateways.object_store import ObjectStore
from yiyuebao_api.kernel import audit, outbox
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.database import Begin, is_duplicate
from yiyuebao_api.kernel.ids import AccountId, ConsultationId, HospitalId, PatientId, RegulatorExportId, RowId
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.tokens import Mode

#: Consultations that are read in one short transaction.
AT_ONCE = 100
_SWEPT_AT_ONCE = 100
_LEFT_OUT = "手机号、身份证号、地址、出生日期与姓名全称不在导出之内；患者以编号对应，由医院依法查验。健康咨询不含内容。图片只列编号。"


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
        pending_for=wish.hospital_id, state=RegulatorExportState.PENDING, attempt=None, data_key=None, consultations=None,
        size_bytes=None, sha256=None, asked_at=now, made_at=None, expires_at=None,
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
    """The job: read, pack, seal, and only then say that it is there. Safe to repeat and to run twice at once.

    With the key, and in one transaction with it, every patient gets a row in the audit: their data was given away.
    Raises ProviderUnavailable, ProviderRefused, ProviderDown: the job comes again.
    """
    async with begin() as tx:
        export = await queries.lock_export(tx, export_id)
        if export is None or export.state is not RegulatorExportState.PENDING:
            return
    held, given = await _packed(begin, export, now)
    made = await files.put_archive(store, EXPORT_PREFIX, held)
    digest = await asyncio.to_thread(lambda: hashlib.sha256(held).digest())
    async with begin() as tx:
        export = await queries.lock_export(tx, export_id)
        if export is None or export.state is not RegulatorExportState.PENDING:  # another was faster; the sweep takes ours
            return
        export.state, export.pending_for = RegulatorExportState.READY, None
        export.attempt, export.data_key = made.attempt, made.data_key
        export.consultations, export.size_bytes, export.sha256 = len(given), len(held), digest
        export.made_at, export.expires_at = now, now + EXPORT_KEPT_FOR
        for consultation_id, patient_id in given:
            audit.note(
                tx, actor=export.asked_by, mode=Mode.OPERATOR, hospital=export.hospital_id, action="consultations.export",
                subject_patient=patient_id, subject=consultation_id, basis="regulator", now=now,
            )  # fmt: skip


async def _packed(
    begin: Begin, export: RegulatorExport, now: datetime
) -> tuple[bytes, list[tuple[ConsultationId, PatientId]]]:
    """The zip, and whose consultations are in it; read in short transactions, one line a consultation."""
    out, given, after = io.BytesIO(), list[tuple[ConsultationId, PatientId]](), None
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as box:
        with box.open("consultations.jsonl", "w", force_zip64=True) as lines:
            while True:
                ids, told = await _some(begin, export, after, now)
                given += ids
                await asyncio.to_thread(lines.write, "".join(files.told_as_json(each) + "\n" for each in told).encode())
                if len(ids) < AT_ONCE:
                    break
                after = ids[-1][0]
        about = await _about(begin, export, len(given), now)
        box.writestr("about.json", files.told_as_json(about, indent=1))
    return out.getvalue(), given


async def _some(
    begin: Begin, export: RegulatorExport, after: ConsultationId | None, now: datetime
) -> tuple[list[tuple[ConsultationId, PatientId]], list[dict[str, Any]]]:
    records = export.scope is ExportScope.RECORDS
    async with begin() as tx:
        rows = await queries.list_paid_between(
            tx, export.hospital_id, *_period(export.first_day, export.last_day), after=after, most=AT_ONCE, words=records
        )
        pilots = {each.id: each for each in await queries.pilots_of(tx, export.hospital_id)}
        read = [each for each in rows if records and each.kind is ConsultKind.ONLINE_FOLLOW_UP]
        unread = [each for each in rows if each not in read]
        told = [*await acts_of(tx, read, pilots, words=True, now=now), *await acts_of(tx, unread, pilots, words=False, now=now)]
    told.sort(key=lambda each: each["consultation"]["id"].bytes)
    return [(each.id, each.patient_id) for each in rows], told


async def _about(begin: Begin, export: RegulatorExport, found: int, now: datetime) -> dict[str, Any]:
    """Whose, of when, for whom and what: the first thing to read."""
    async with begin() as tx:
        hospital = await require_hospital(tx, export.hospital_id)
        approval = await queries.find_approval(tx, export.hospital_id)
        pilots: Sequence[Any] = await queries.pilots_of(tx, export.hospital_id)
    return {
        "export": export.id, "scope": export.scope, "first_day": export.first_day, "last_day": export.last_day,
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


async def fetch_export(
    begin: Begin, store: ObjectStore, export_id: RegulatorExportId, *, operator: AccountId, now: datetime
) -> bytes:
    """The zip; the row in the audit is committed before a byte of it is read.

    Raises NotFound, RegulatorExportNotReady, RegulatorExportExpired, ProviderDown.
    """
    async with begin() as tx:
        export = await queries.require_export(tx, export_id)
        state = export.standing(now)
        if state is RegulatorExportState.PENDING:
            raise RegulatorExportNotReady
        if state is RegulatorExportState.EXPIRED or export.attempt is None or export.data_key is None:
            raise RegulatorExportExpired
        _note(tx, export, "consultations.fetch_export", operator, now)
    try:
        return await files.read_archive(store, EXPORT_PREFIX, files.Archive(export.attempt, export.data_key))
    except NotFound:
        raise RegulatorExportExpired from None


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
                export.state, export.data_key = RegulatorExportState.EXPIRED, None  # without its key the object is noise

    async def known(attempts: Collection[RowId]) -> set[RowId]:
        async with begin() as tx:
            return await queries.known_attempts(tx, attempts)

    return await files.forget_archives(store, EXPORT_PREFIX, known, system_now=system_now)


def _note(tx: AsyncSession, export: RegulatorExport, action: str, operator: AccountId, now: datetime) -> None:
    audit.note(
        tx, actor=operator, mode=Mode.OPERATOR, hospital=export.hospital_id, action=action, subject_patient=None,
        subject=export.id, basis="regulator", now=now,
    )  # fmt: skip
