"""HTTP of clinicians: who patients may see, the desk's staff, the operator's queue."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from yiyuebao_api.domains.accounts import guards
from yiyuebao_api.domains.clinicians import queries, service
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind, ClinicianState
from yiyuebao_api.domains.clinicians.problems import (
    ClinicianAlreadyRegistered,
    ClinicianStateRefused,
    ClinicianUnqualified,
    TitleOfOtherKind,
)
from yiyuebao_api.domains.clinicians.rules import may_serve
from yiyuebao_api.domains.clinicians.schemas import (
    ClinicianFileIn,
    ClinicianFileOut,
    ClinicianIn,
    ClinicianOut,
)
from yiyuebao_api.domains.hospitals.queries import require_open_hospital
from yiyuebao_api.domains.hospitals.schemas import DecisionReasonIn
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.editing import IfMatch, PreconditionFailed, PreconditionRequired, tag, tagged
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import ClinicianId, HospitalId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, merge, refuses

public = APIRouter(prefix="/v1/clinicians", tags=["clinicians"], route_class=OnceRoute)
desk = APIRouter(prefix="/v1/hospital/clinicians", tags=["clinicians"], route_class=OnceRoute)
operator = APIRouter(prefix="/v1/operator/clinicians", tags=["clinicians"], route_class=OnceRoute)


def _file(clinician: Clinician, response: Response, now: Now) -> ClinicianFileOut:
    tag(response, clinician.version)
    return ClinicianFileOut.file(clinician, may_serve(clinician, service.day_of(now)))


# ── for everybody, and for oneself ───────────────────────────────────────────────────────────────────────────────────


@public.get("", summary="医护人员列表", responses=refuses(NotFound, InvalidCursor))
async def list_clinicians(
    caller: guards.Anyone, paging: Pages, tx: Tx, now: Now,
    hospital_id: Annotated[HospitalId, Query(description="Whose staff.")],
    kind: ClinicianKind | None = None,
) -> Page[ClinicianOut]:  # fmt: skip
    """Verified staff of a hospital that is open today."""
    await require_open_hospital(tx, hospital_id, on=service.day_of(now))
    rows = await queries.list_staff(tx, hospital_id, paging, state=ClinicianState.VERIFIED, kind=kind)
    return page(rows, paging, ClinicianOut.of, lambda row: row.id)


@public.get("/me", summary="我的执业资料", responses=merge(refuses(NotFound), tagged()))
async def show_my_file(caller: guards.Clinician, response: Response, tx: Tx, now: Now) -> ClinicianFileOut:
    """The caller's own file at the hospital they are signed in for."""
    clinician = await queries.clinician_of_account(tx, caller.account_id, caller.hospital_id)
    if clinician is None:
        raise NotFound
    return _file(clinician, response, now)


@public.get("/{clinician_id}", summary="医护人员主页", responses=refuses(NotFound))
async def show_clinician(clinician_id: ClinicianId, caller: guards.Anyone, tx: Tx, now: Now) -> ClinicianOut:
    """A verified clinician of a hospital that is open today."""
    clinician = await queries.require_verified(tx, clinician_id)
    await require_open_hospital(tx, clinician.hospital_id, on=service.day_of(now))
    return ClinicianOut.of(clinician)


# ── for the desk ─────────────────────────────────────────────────────────────────────────────────────────────────────


@desk.get("", summary="本院医护人员", responses=refuses(InvalidCursor))
async def list_own_clinicians(
    caller: guards.HospitalDesk, paging: Pages, tx: Tx, now: Now, state: ClinicianState | None = None,
    kind: ClinicianKind | None = None,
) -> Page[ClinicianFileOut]:  # fmt: skip
    """The hospital's staff in every state."""
    rows = await queries.list_staff(tx, caller.hospital_id, paging, state=state, kind=kind)
    today = service.day_of(now)
    return page(rows, paging, lambda row: ClinicianFileOut.file(row, may_serve(row, today)), lambda row: row.id)


@desk.post(
    "",
    status_code=201,
    summary="登记医护人员",
    responses=merge(refuses(NotFound, TitleOfOtherKind, ClinicianAlreadyRegistered), tagged(201)),
)
async def register_clinician(
    caller: guards.HospitalDesk, body: ClinicianIn, response: Response, tx: Tx, now: Now
) -> ClinicianFileOut:
    """Register a nurse or doctor by phone number, as a draft."""
    return _file(await service.register_clinician(tx, caller.hospital_id, body, now=now), response, now)


@desk.get("/{clinician_id}", summary="医护人员资料", responses=merge(refuses(NotFound), tagged()))
async def show_own_clinician(
    clinician_id: ClinicianId, caller: guards.HospitalDesk, response: Response, tx: Tx, now: Now
) -> ClinicianFileOut:
    """One of the hospital's staff."""
    return _file(await queries.require_clinician_of(tx, caller.hospital_id, clinician_id), response, now)


@desk.put(
    "/{clinician_id}",
    summary="修改医护人员资料",
    responses=merge(
        refuses(NotFound, TitleOfOtherKind, ClinicianStateRefused, PreconditionRequired, PreconditionFailed), tagged()
    ),
)
async def edit_clinician(
    clinician_id: ClinicianId, caller: guards.HospitalDesk, expected: IfMatch, body: ClinicianFileIn,
    response: Response, tx: Tx, now: Now,
) -> ClinicianFileOut:  # fmt: skip
    """Replace a file; what was verified must be verified again."""
    edited = await service.edit_clinician(tx, caller.hospital_id, clinician_id, body, expected, now=now)
    return _file(edited, response, now)


@desk.post(
    "/{clinician_id}/submit",
    summary="提交资质审核",
    responses=merge(refuses(NotFound, ClinicianStateRefused), tagged()),
)
async def submit_clinician(
    clinician_id: ClinicianId, caller: guards.HospitalDesk, response: Response, tx: Tx, now: Now
) -> ClinicianFileOut:
    """Ask the operator to verify a file."""
    return _file(await service.submit_clinician(tx, caller.hospital_id, clinician_id), response, now)


@desk.post(
    "/{clinician_id}/suspend",
    summary="停用本院医护人员",
    responses=merge(refuses(NotFound, ClinicianStateRefused), tagged()),
)
async def suspend_own_clinician(
    clinician_id: ClinicianId, caller: guards.HospitalDesk, body: DecisionReasonIn, response: Response, tx: Tx, now: Now
) -> ClinicianFileOut:
    """Take one of the hospital's staff out of service at once."""
    done = await service.suspend_clinician_of(tx, caller.hospital_id, clinician_id, body.reason, now=now)
    return _file(done, response, now)


# ── for the operator ─────────────────────────────────────────────────────────────────────────────────────────────────


@operator.get("", summary="医护资质审核队列", responses=refuses(InvalidCursor))
async def list_clinician_files(
    caller: guards.Operator, paging: Pages, tx: Tx, now: Now, state: ClinicianState = ClinicianState.SUBMITTED
) -> Page[ClinicianFileOut]:
    """Files in one state, of all hospitals."""
    rows = await queries.list_by_state(tx, paging, state=state)
    today = service.day_of(now)
    return page(rows, paging, lambda row: ClinicianFileOut.file(row, may_serve(row, today)), lambda row: row.id)


@operator.get("/{clinician_id}", summary="医护人员资质", responses=merge(refuses(NotFound), tagged()))
async def show_clinician_file(
    clinician_id: ClinicianId, caller: guards.Operator, response: Response, tx: Tx, now: Now
) -> ClinicianFileOut:
    """One file of any hospital."""
    return _file(await queries.require_clinician(tx, clinician_id), response, now)


@operator.post(
    "/{clinician_id}/verify",
    summary="资质审核通过",
    responses=merge(refuses(NotFound, ClinicianStateRefused, ClinicianUnqualified), tagged()),
)
async def verify_clinician(
    clinician_id: ClinicianId, caller: guards.Operator, response: Response, tx: Tx, now: Now
) -> ClinicianFileOut:
    """Accept a file and let the clinician sign in as one; also ends a suspension."""
    return _file(await service.verify_clinician(tx, clinician_id, now=now), response, now)


@operator.post(
    "/{clinician_id}/reject",
    summary="资质审核退回",
    responses=merge(refuses(NotFound, ClinicianStateRefused), tagged()),
)
async def reject_clinician(
    clinician_id: ClinicianId, caller: guards.Operator, body: DecisionReasonIn, response: Response, tx: Tx, now: Now
) -> ClinicianFileOut:
    """Send a file back."""
    return _file(await service.reject_clinician(tx, clinician_id, body.reason), response, now)


@operator.post(
    "/{clinician_id}/suspend",
    summary="停用医护人员",
    responses=merge(refuses(NotFound, ClinicianStateRefused), tagged()),
)
async def suspend_clinician(
    clinician_id: ClinicianId, caller: guards.Operator, body: DecisionReasonIn, response: Response, tx: Tx, now: Now
) -> ClinicianFileOut:
    """Take somebody out of service at once."""
    return _file(await service.suspend_clinician(tx, clinician_id, body.reason, now=now), response, now)


ROUTERS: list[APIRouter] = [public, desk, operator]
