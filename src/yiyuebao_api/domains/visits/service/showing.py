"""Whose eyes a visit is shown to: the grant is asked, and the audit row is written with the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.grants import queries as granted
from yiyuebao_api.domains.grants import service as grants
from yiyuebao_api.domains.grants.rules import Basis, Scope
from yiyuebao_api.domains.grants.service import Looker
from yiyuebao_api.domains.visits.models import VisitSheet
from yiyuebao_api.domains.visits.rules import Viewer, may_see_address
from yiyuebao_api.kernel.ids import AccountId
from yiyuebao_api.kernel.tokens import Mode

#: The hospital and who wrote it keep the nursing record; the law asks for it, no grant.
RECORD_KEEPING = "record_keeping"


async def show_to_clinician(tx: AsyncSession, sheet: VisitSheet, action: str, *, now: datetime) -> VisitSheet:
    """The sheet as the clinician who is sent may see it: whole while the grant is open, else masked."""
    visit, by = sheet.visit, _clinician(sheet)
    whole = _is_time(sheet, now) and await grants.look(
        tx, by, patient_id=visit.patient_id, grantee=visit.clinician_id, subject=visit.booking_id, action=action, now=now
    )
    if not whole and visit.record is not None:
        note_record(tx, sheet, by, now=now)
    return replace(sheet, granted=whole)


async def show_page_to_clinician(tx: AsyncSession, sheets: Sequence[VisitSheet], *, now: datetime) -> Sequence[VisitSheet]:
    """A page of one clinician's visits: one question for all of them, and a row for each patient who is shown whole."""
    if not sheets:
        return sheets
    subjects = {each.visit.booking_id for each in sheets if _is_time(each, now)}
    open_ = await granted.granted_among(tx, subjects, sheets[0].visit.clinician_id, Scope.CARE, now)
    shown = [replace(each, granted=_is_time(each, now) and str(each.visit.booking_id) in open_) for each in sheets]
    for each in shown:
        if each.granted:
            grants.note_look(
                tx, _clinician(each), patient_id=each.visit.patient_id, subject=each.visit.booking_id,
                action="visits.list", basis=Basis.BOOKING.value, now=now,
            )  # fmt: skip
    return shown


def note_record(tx: AsyncSession, sheet: VisitSheet, by: Looker, *, now: datetime) -> None:
    """Somebody of the hospital is shown the nursing record."""
    grants.note_look(
        tx, by, patient_id=sheet.visit.patient_id, subject=sheet.visit.id, action="visits.read_record",
        basis=RECORD_KEEPING, now=now,
    )  # fmt: skip


def show_to_desk(tx: AsyncSession, sheet: VisitSheet, *, account_id: AccountId, now: datetime) -> VisitSheet:
    """The desk sees the patient masked, and the nursing record, which leaves a row."""
    if sheet.visit.record is not None:
        note_record(tx, sheet, Looker(account_id, Mode.DESK, sheet.visit.hospital_id), now=now)
    return sheet


def _is_time(sheet: VisitSheet, now: datetime) -> bool:
    return may_see_address(Viewer.CLINICIAN, sheet.visit.stage, sheet.visit.finished_at, now)


def _clinician(sheet: VisitSheet) -> Looker:
    return Looker(sheet.visit.clinician_account_id, Mode.CLINICIAN, sheet.visit.hospital_id)
