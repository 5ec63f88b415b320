"""/v1/grants: who may see my patients' data, who did, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from yiyuebao_api.domains.accounts.guards import Patient
from yiyuebao_api.domains.grants import queries, service
from yiyuebao_api.domains.grants.guards import OwnGrant
from yiyuebao_api.domains.grants.models import Grant
from yiyuebao_api.domains.grants.problems import GrantNeededByBooking, GrantNeededByConsultation
from yiyuebao_api.domains.grants.rules import GranteeKind
from yiyuebao_api.domains.grants.schemas import GrantOut, LookOut
from yiyuebao_api.domains.patients.guards import OwnPatient
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import ClinicianId, HospitalId, PatientId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, refuses

router = APIRouter(prefix="/v1/grants", tags=["grants"], route_class=OnceRoute)


@router.get("", summary="授权列表", responses=refuses(InvalidCursor))
async def list_grants(
    caller: Patient, paging: Pages, tx: Tx, now: Now,
    patient_id: Annotated[PatientId | None, Query(description="Only on this patient.")] = None,
    ended: Annotated[bool, Query(description="Also those that are closed or revoked.")] = False,
) -> Page[GrantOut]:  # fmt: skip
    """Who may see the data of my patients, newest first."""
    rows = await queries.list_grants(
        tx, caller.account_id, paging, patient_id=patient_id, only_open=not ended, now=now
    )
    shown = {each.id: each for each in await _shown(tx, rows, now)}
    return page(rows, paging, lambda row: shown[row.id], lambda row: row.id)


@router.get("/access-log", summary="谁看过我的资料", responses=refuses(NotFound, InvalidCursor))
async def list_access_log(caller: Patient, patient: OwnPatient, paging: Pages, tx: Tx) -> Page[LookOut]:
    """Who saw or changed one patient's data, newest first; what the account itself did is left out."""
    rows = await queries.list_looks(tx, patient.id, caller.account_id, paging)
    hospitals = await queries.names_of_hospitals(tx, {row.hospital_id for row in rows if row.hospital_id is not None})
    staff = await queries.names_of_staff(
        tx, {(row.actor_id, row.hospital_id) for row in rows if row.actor_id is not None and row.hospital_id is not None}
    )
    return page(rows, paging, lambda row: LookOut.of(row, hospitals, staff), lambda row: row.id)


@router.post(
    "/{grant_id}/revoke", summary="撤销授权",
    responses=refuses(NotFound, GrantNeededByBooking, GrantNeededByConsultation),
)  # fmt: skip
async def revoke_grant(caller: Patient, grant: OwnGrant, tx: Tx, now: Now) -> GrantOut:
    """Take a grant back; it counts from the next request on. What is still needed is closed by what needs it."""
    revoked = await service.revoke_grant(tx, grant, account_id=caller.account_id, now=now)
    return (await _shown(tx, [revoked], now))[0]


async def _shown(tx: Tx, rows: Sequence[Grant], now: datetime) -> list[GrantOut]:
    """With the names of who may look, by two selects for a page."""
    people = {ClinicianId.parse(row.grantee) for row in rows if row.grantee_kind is GranteeKind.CLINICIAN}
    clinicians = await queries.names_of_clinicians(tx, people)
    places = {HospitalId.parse(row.grantee) for row in rows if row.grantee_kind is GranteeKind.HOSPITAL}
    hospitals = await queries.names_of_hospitals(tx, places | {hospital_id for _, hospital_id in clinicians.values()})
    return [GrantOut.of(row, hospitals, clinicians, now) for row in rows]


ROUTERS = [router]
