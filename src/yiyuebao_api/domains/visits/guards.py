"""A visit from the path, or 404: one that the caller booked, is sent to, or whose hospital's desk the caller is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from yiyuebao_api.domains.accounts.guards import Clinician, HospitalDesk, Member, Patient
from yiyuebao_api.domains.visits import queries
from yiyuebao_api.domains.visits.models import Visit, VisitSheet
from yiyuebao_api.domains.visits.rules import Viewer
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import VisitId
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.tokens import Mode


@dataclass(frozen=True, slots=True)
class Seen:
    """A visit, and through whose eyes."""

    sheet: VisitSheet
    viewer: Viewer


async def access_own_visit(visit_id: VisitId, caller: Patient, tx: Tx) -> Visit:
    """A visit that the caller booked."""
    return await queries.require_visit_of_account(tx, caller.account_id, visit_id)


async def access_sent_visit(visit_id: VisitId, caller: Clinician, tx: Tx) -> Visit:
    """A visit the caller is sent to, for the hospital they are signed in for."""
    return await queries.require_visit_of_clinician(tx, caller.account_id, caller.hospital_id, visit_id)


async def access_desk_visit(visit_id: VisitId, caller: HospitalDesk, tx: Tx) -> Visit:
    """A visit of the caller's hospital."""
    return await queries.require_visit_of_hospital(tx, caller.hospital_id, visit_id)


async def access_seen_visit(visit_id: VisitId, caller: Member, tx: Tx) -> Seen:
    """A visit that the caller booked, or is sent to; nobody else finds it here."""
    if caller.mode is Mode.PATIENT:
        await queries.require_visit_of_account(tx, caller.account_id, visit_id)
        viewer = Viewer.PATIENT
    elif caller.mode is Mode.CLINICIAN and caller.hospital_id is not None:
        await queries.require_visit_of_clinician(tx, caller.account_id, caller.hospital_id, visit_id)
        viewer = Viewer.CLINICIAN
    else:
        raise NotFound
    return Seen(await queries.require_sheet(tx, visit_id), viewer)


OwnVisit = Annotated[Visit, Depends(access_own_visit)]
SentVisit = Annotated[Visit, Depends(access_sent_visit)]
DeskVisit = Annotated[Visit, Depends(access_desk_visit)]
SeenVisit = Annotated[Seen, Depends(access_seen_visit)]
