"""HTTP of clinicians: who patients may see, the desk's staff, the operator's queue."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from yiyuebao_api.domains.accounts import guards
from yiyuebao_api.domains.clinicians import queries, service
from yiyuebao_api.domains.clinicians.guards import OwnQualification
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind, ClinicianState, Qualification
from yiyuebao_api.domains.clinicians.problems import (
    CertificateNotReadable,
    ClinicianAlreadyRegistered,
    ClinicianBarred,
    ClinicianStateRefused,
    ClinicianUnqualified,
    QualificationAlreadyOpen,
    QualificationNotAcceptable,
    QualificationOfOtherKind,
    QualificationStateRefused,
    TitleOfOtherKind,
)
from yiyuebao_api.domains.clinicians.rules import QualificationState, may_serve, read_certificate
from yiyuebao_api.domains.clinicians.schemas import (
    AdverseRecordIn,
    ClinicianFileIn,
    ClinicianFileOut,
    ClinicianIn,
    ClinicianOut,
    GrantedItemsIn,
    PhotoIn,
    QualificationApprovalIn,
    QualificationFieldsIn,
    QualificationFileOut,
    QualificationIn,
    QualificationOut,
    QualificationRejectionIn,
    ReadinessIn,
    ReadingOut,
    RecognisedIn,
)
from yiyuebao_api.domains.files.problems import FileNotFound
from yiyuebao_api.domains.files.queries import find_file
from yiyuebao_api.domains.files.schemas import FileLinkOut
from yiyuebao_api.domains.files.service import signed_link
from yiyuebao_api.domains.hospitals.queries import require_open_hospital
from yiyuebao_api.domains.hospitals.schemas import DecisionReasonIn
from yiyuebao_api.gateways.identity_ocr import IdentityGateway
from yiyuebao_api.gateways.object_store import Store
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions, Tx
from yiyuebao_api.kernel.editing import IfMatch, PreconditionFailed, PreconditionRequired, tag, tagged
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import ClinicianId, FileId, HospitalId, QualificationId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, ProviderDown, merge, refuses

public = APIRouter(prefix="/v1/clinicians", tags=["clinicians"], route_class=OnceRoute)
desk = APIRouter(prefix="/v1/hospital/clinicians", tags=["clinicians"], route_class=OnceRoute)
operator = APIRouter(prefix="/v1/operator/clinicians", tags=["clinicians"], route_class=OnceRoute)


def _file(clinician: Clinician, response: Response, now: Now) -> ClinicianFileOut:
    tag(response, clinician.version)
    return ClinicianFileOut.file(clinician, may_serve(clinician, service.day_of(now)))


def _paper(paper: Qualification, response: Response) -> QualificationOut:
    tag(response, paper.version)
    return QualificationOut.of(paper)


async def _photographed(tx: Tx, paper: Qualification, response: Response, now: Now) -> QualificationFileOut:
    tag(response, paper.version)
    photos = []
    for each in paper.photo_ids:
        file = await find_file(tx, FileId.parse(each))
        if file is not None:
            link = signed_link(file, now=now)
            photos.append(FileLinkOut(url=link.url, expires_at=link.expires_at))
    return QualificationFileOut.file(paper, photos)


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


@public.get("/mine", summary="我的全部执业登记")
async def list_my_files(caller: guards.Member, tx: Tx, now: Now) -> list[ClinicianFileOut]:
    """What the caller is at every hospital that registered them, verified or not yet."""
    today = service.day_of(now)
    rows = await queries.list_clinicians_of_account(tx, caller.account_id)
    return [ClinicianFileOut.file(row, may_serve(row, today)) for row in rows]


@public.post("/qualifications/reading", summary="识别证书文字")
async def read_qualification(caller: guards.Member, body: RecognisedIn) -> ReadingOut:
    """Fill in a certificate from recognised lines, for the person to confirm; nothing is kept."""
    return ReadingOut.of(read_certificate(body.kind, body.lines))


@public.post(
    "/qualifications/photo-reading", summary="识别证书照片",
    responses=refuses(FileNotFound, CertificateNotReadable, ProviderDown),
)
async def read_certificate_photo(
    caller: guards.Member, body: PhotoIn, begin: Transactions, store: Store, reader: IdentityGateway
) -> ReadingOut:
    """Fill in a certificate from its photograph, for the person to confirm; nothing is kept."""
    lines = await service.read_photo(begin, store, reader, caller.account_id, body.file_id)
    return ReadingOut.of(read_certificate(body.kind, lines))


@public.post(
    "/qualifications",
    status_code=201,
    summary="填写执业证书",
    responses=merge(
        refuses(NotFound, ClinicianStateRefused, QualificationOfOtherKind, QualificationAlreadyOpen, FileNotFound),
        tagged(201),
    ),
)
async def begin_qualification(
    caller: guards.Member, body: QualificationIn, response: Response, tx: Tx, now: Now
) -> QualificationOut:
    """Begin a certificate of one's own file, as a draft."""
    return _paper(await service.begin_qualification(tx, caller.account_id, body, now=now), response)


@public.get("/qualifications", summary="我的证书", responses=refuses(InvalidCursor))
async def list_qualifications(caller: guards.Member, paging: Pages, tx: Tx) -> Page[QualificationOut]:
    """The certificates of the caller's own files, in every state."""
    rows = await queries.list_qualifications_of(tx, caller.account_id, paging)
    return page(rows, paging, QualificationOut.of, lambda row: row.id)


@public.get("/qualifications/{qualification_id}", summary="证书详情", responses=merge(refuses(NotFound), tagged()))
async def show_qualification(
    paper: OwnQualification, response: Response, tx: Tx, now: Now
) -> QualificationFileOut:
    """One of the caller's own certificates, with its photographs."""
    return await _photographed(tx, paper, response, now)


@public.put(
    "/qualifications/{qualification_id}",
    summary="修改证书",
    responses=merge(
        refuses(NotFound, QualificationStateRefused, FileNotFound, PreconditionRequired, PreconditionFailed), tagged()
    ),
)
async def edit_qualification(
    paper: OwnQualification, expected: IfMatch, body: QualificationFieldsIn, response: Response, tx: Tx
) -> QualificationOut:
    """Correct a draft or a rejected certificate; a submitted one is withdrawn first."""
    return _paper(await service.edit_qualification(tx, paper.id, body, expected), response)


@public.post(
    "/qualifications/{qualification_id}/submit",
    summary="提交证书审核",
    responses=merge(refuses(NotFound, QualificationStateRefused, QualificationNotAcceptable), tagged()),
)
async def submit_qualification(paper: OwnQualification, response: Response, tx: Tx, now: Now) -> QualificationOut:
    """Ask the operator to decide."""
    return _paper(await service.submit_qualification(tx, paper.id, now=now), response)


@public.post(
    "/qualifications/{qualification_id}/withdraw",
    summary="撤回证书",
    responses=merge(refuses(NotFound, QualificationStateRefused), tagged()),
)
async def withdraw_qualification(paper: OwnQualification, response: Response, tx: Tx) -> QualificationOut:
    """Take a submitted certificate back to correct it."""
    return _paper(await service.withdraw_qualification(tx, paper.id), response)


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
    responses=merge(refuses(NotFound, TitleOfOtherKind, ClinicianAlreadyRegistered, ClinicianBarred), tagged(201)),
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


@desk.put(
    "/{clinician_id}/readiness",
    summary="登记培训与保险",
    responses=merge(refuses(NotFound, ClinicianStateRefused, PreconditionRequired, PreconditionFailed), tagged()),
)
async def set_readiness(
    clinician_id: ClinicianId, caller: guards.HospitalDesk, expected: IfMatch, body: ReadinessIn, response: Response,
    tx: Tx, now: Now,
) -> ClinicianFileOut:  # fmt: skip
    """Say what was trained and insured; nobody is sent without (RULE-27)."""
    return _file(await service.set_readiness(tx, caller.hospital_id, clinician_id, body, expected), response, now)


@desk.put(
    "/{clinician_id}/items",
    summary="授权服务项目",
    responses=merge(refuses(NotFound, ClinicianStateRefused, PreconditionRequired, PreconditionFailed), tagged()),
)
async def set_items(
    clinician_id: ClinicianId, caller: guards.HospitalDesk, expected: IfMatch, body: GrantedItemsIn, response: Response,
    tx: Tx, now: Now,
) -> ClinicianFileOut:  # fmt: skip
    """Say which items they are able to do; nobody is sent for another (RULE-46)."""
    return _file(await service.set_items(tx, caller.hospital_id, clinician_id, body.item_codes, expected), response, now)


# ── for the operator ─────────────────────────────────────────────────────────────────────────────────────────────────


@operator.get("", summary="医护资质审核队列", responses=refuses(InvalidCursor))
async def list_clinician_files(
    caller: guards.Operator, paging: Pages, tx: Tx, now: Now, state: ClinicianState = ClinicianState.SUBMITTED
) -> Page[ClinicianFileOut]:
    """Files in one state, of all hospitals."""
    rows = await queries.list_by_state(tx, paging, state=state)
    today = service.day_of(now)
    return page(rows, paging, lambda row: ClinicianFileOut.file(row, may_serve(row, today)), lambda row: row.id)


@operator.get("/qualifications", summary="证书审核队列", responses=refuses(InvalidCursor))
async def list_submitted_qualifications(
    caller: guards.Operator, paging: Pages, tx: Tx, state: QualificationState = QualificationState.SUBMITTED
) -> Page[QualificationOut]:
    """Certificates in one state, of all hospitals."""
    rows = await queries.list_qualifications(tx, paging, state=state)
    return page(rows, paging, QualificationOut.of, lambda row: row.id)


@operator.get(
    "/qualifications/{qualification_id}", summary="待审核证书", responses=merge(refuses(NotFound), tagged())
)
async def show_submitted_qualification(
    qualification_id: QualificationId, caller: guards.Operator, response: Response, tx: Tx, now: Now
) -> QualificationFileOut:
    """One certificate of anybody, its photographs beside what was read of them; the look is in the audit."""
    paper = await queries.require_qualification(tx, qualification_id)
    service.note_look(tx, paper, caller.account_id, now=now)
    return await _photographed(tx, paper, response, now)


@operator.post(
    "/qualifications/{qualification_id}/approve",
    summary="证书审核通过",
    responses=merge(
        refuses(
            NotFound, QualificationStateRefused, QualificationNotAcceptable, PreconditionRequired, PreconditionFailed
        ),
        tagged(),
    ),
)
async def approve_qualification(
    qualification_id: QualificationId, caller: guards.Operator, expected: IfMatch, body: QualificationApprovalIn,
    response: Response, tx: Tx, now: Now,
) -> QualificationOut:  # fmt: skip
    """Accept the version that was looked at; what it says becomes the clinician's file."""
    done = await service.approve_qualification(
        tx, qualification_id, body, expected, operator=caller.account_id, now=now
    )
    return _paper(done, response)


@operator.post(
    "/qualifications/{qualification_id}/reject",
    summary="证书审核退回",
    responses=merge(refuses(NotFound, QualificationStateRefused), tagged()),
)
async def reject_qualification(
    qualification_id: QualificationId, caller: guards.Operator, body: QualificationRejectionIn, response: Response,
    tx: Tx, now: Now,
) -> QualificationOut:  # fmt: skip
    """Send a certificate back and name the clause."""
    done = await service.reject_qualification(
        tx, qualification_id, body.fault, body.reason, operator=caller.account_id, now=now
    )
    return _paper(done, response)


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


@operator.post(
    "/{clinician_id}/adverse-records",
    summary="登记不良执业记录",
    responses=merge(refuses(NotFound), tagged()),
)
async def record_adverse(
    clinician_id: ClinicianId, caller: guards.Operator, body: AdverseRecordIn, response: Response, tx: Tx, now: Now
) -> ClinicianFileOut:
    """Write down what was found; the person leaves every hospital here at once (RULE-28)."""
    done = await service.record_adverse(
        tx, clinician_id, body.kind, body.reason, happened_on=body.happened_on, operator=caller.account_id, now=now
    )
    return _file(done, response, now)


ROUTERS: list[APIRouter] = [public, desk, operator]
