"""Patients and addresses over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Response

from yiyuebao_api.domains.accounts.guards import Patient
from yiyuebao_api.domains.patients import queries, service
from yiyuebao_api.domains.patients.guards import OwnAddress, OwnPatient
from yiyuebao_api.domains.patients.problems import (
    AddressNotFound,
    BirthDateInFuture,
    IdentityLocked,
    IdNumberInvalid,
    IdNumberMismatch,
    IdNumberObsolete,
    PatientAlreadyListed,
    PlaceOutsideChina,
    SelfAlreadyListed,
    TooManyAddresses,
    TooManyPatients,
)
from yiyuebao_api.domains.patients.schemas import AddressIn, AddressOut, PatientIn, PatientOut
from yiyuebao_api.gateways.maps import MapsGateway
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions, Tx
from yiyuebao_api.kernel.editing import IfMatch, PreconditionFailed, PreconditionRequired, tag, tagged
from yiyuebao_api.kernel.idempotency import Offered, OnceRoute
from yiyuebao_api.kernel.ids import AddressId, PatientId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, ProviderDown, merge, refuses

router = APIRouter(prefix="/v1/patients", tags=["patients"], route_class=OnceRoute)

_WRITTEN = (
    SelfAlreadyListed, PatientAlreadyListed, IdNumberInvalid, IdNumberObsolete, IdNumberMismatch, BirthDateInFuture,
)  # fmt: skip
_LOCATED = (PlaceOutsideChina, AddressNotFound, ProviderDown)
_EDITED = (NotFound, PreconditionRequired, PreconditionFailed)


# ── addresses: before `{patient_id}`, which would take the word for an id ────────────────────────────────────────────


@router.post(
    "/addresses", status_code=201, summary="新增服务地址",
    responses=merge(refuses(TooManyAddresses, *_LOCATED), tagged(201)),
)  # fmt: skip
async def create_address(
    caller: Patient, body: AddressIn, begin: Transactions, gateway: MapsGateway, claim: Offered, now: Now,
    response: Response,
) -> AddressOut:  # fmt: skip
    """Add an address, with coordinates or without: then the map is asked where it is."""
    address = await service.create_address(begin, gateway, caller.account_id, body, claim=claim, now=now)
    tag(response, address.version)
    return AddressOut.of(address)


@router.get("/addresses", summary="服务地址列表", responses=refuses(InvalidCursor))
async def list_addresses(caller: Patient, paging: Pages, tx: Tx) -> Page[AddressOut]:
    """The addresses of the account, newest first."""
    rows = await queries.list_addresses(tx, caller.account_id, paging)
    return page(rows, paging, AddressOut.of, lambda row: row.id)


@router.get("/addresses/{address_id}", summary="服务地址详情", responses=merge(refuses(NotFound), tagged()))
async def get_address(caller: Patient, address: OwnAddress, response: Response) -> AddressOut:
    """One address of the account."""
    tag(response, address.version)
    return AddressOut.of(address)


@router.put(
    "/addresses/{address_id}", summary="修改服务地址", responses=merge(refuses(*_EDITED, *_LOCATED), tagged())
)
async def update_address(
    caller: Patient, address_id: AddressId, expected: IfMatch, body: AddressIn, begin: Transactions,
    gateway: MapsGateway, response: Response,
) -> AddressOut:  # fmt: skip
    """Replace an address; bookings keep the place they were made for."""
    address = await service.update_address(begin, gateway, caller.account_id, address_id, body, expected=expected)
    tag(response, address.version)
    return AddressOut.of(address)


@router.delete("/addresses/{address_id}", status_code=204, summary="删除服务地址", responses=refuses(NotFound))
async def delete_address(caller: Patient, address_id: AddressId, tx: Tx, now: Now) -> None:
    """Remove an address from the list; bookings keep theirs."""
    await service.delete_address(tx, caller.account_id, address_id, now=now)


# ── patients ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@router.post(
    "", status_code=201, summary="添加就诊人", responses=merge(refuses(TooManyPatients, *_WRITTEN), tagged(201))
)
async def create_patient(caller: Patient, body: PatientIn, tx: Tx, now: Now, response: Response) -> PatientOut:
    """Add somebody the account cares for; the holder is a patient too, with relation self."""
    patient = await service.create_patient(tx, caller.account_id, body, now=now)
    tag(response, patient.version)
    return PatientOut.of(patient)


@router.get("", summary="就诊人列表", responses=refuses(InvalidCursor))
async def list_patients(caller: Patient, paging: Pages, tx: Tx) -> Page[PatientOut]:
    """The people the account cares for, newest first."""
    rows = await queries.list_patients(tx, caller.account_id, paging)
    return page(rows, paging, PatientOut.of, lambda row: row.id)


@router.get("/{patient_id}", summary="就诊人详情", responses=merge(refuses(NotFound), tagged()))
async def get_patient(caller: Patient, patient: OwnPatient, response: Response) -> PatientOut:
    """One of the people the account cares for."""
    tag(response, patient.version)
    return PatientOut.of(patient)


@router.put(
    "/{patient_id}", summary="修改就诊人", responses=merge(refuses(*_EDITED, IdentityLocked, *_WRITTEN), tagged())
)
async def update_patient(
    caller: Patient, patient_id: PatientId, expected: IfMatch, body: PatientIn, tx: Tx, now: Now, response: Response
) -> PatientOut:
    """Replace what is known of a patient; a verified identity is fixed."""
    patient = await service.update_patient(tx, caller.account_id, patient_id, body, expected=expected, now=now)
    tag(response, patient.version)
    return PatientOut.of(patient)


@router.delete("/{patient_id}", status_code=204, summary="删除就诊人", responses=refuses(NotFound))
async def delete_patient(caller: Patient, patient_id: PatientId, tx: Tx, now: Now) -> None:
    """Remove a patient from the list; what was done for them stays."""
    await service.delete_patient(tx, caller.account_id, patient_id, now=now)


ROUTERS: list[APIRouter] = [router]
