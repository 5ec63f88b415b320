"""HTTP of hospitals: the public page, the desk's own file, the operator's register."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.requests import HTTPConnection

from yiyuebao_api.domains.accounts.guards import Anyone, HospitalDesk, Operator
from yiyuebao_api.domains.accounts.problems import LoginTaken
from yiyuebao_api.domains.hospitals import queries, service
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalState, LicenceReviewState
from yiyuebao_api.domains.hospitals.problems import (
    HospitalNotReady,
    HospitalStateRefused,
    LicenceExpired,
    MerchantTaken,
    NoLicenceToReview,
    UsccTaken,
)
from yiyuebao_api.domains.hospitals.schemas import (
    DecisionReasonIn,
    DeskMemberIn,
    DeskMemberOut,
    HospitalBriefOut,
    HospitalFileOut,
    HospitalIn,
    HospitalMoveOut,
    HospitalOut,
    HospitalRowOut,
    LicenceIn,
    LicenceReviewOut,
    MerchantIn,
    NewDeskMemberOut,
    OwnHospitalIn,
    Region,
    RegistrationIn,
    SiteIn,
    SiteOut,
)
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.editing import IfMatch, PreconditionFailed, PreconditionRequired, tag, tagged
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import AccountId, HospitalId, SiteId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, merge, refuses
from yiyuebao_api.settings import PaymentMode

public = APIRouter(prefix="/v1/hospitals", tags=["hospitals"], route_class=OnceRoute)
desk = APIRouter(prefix="/v1/hospital/hospitals", tags=["hospitals"], route_class=OnceRoute)
operator = APIRouter(prefix="/v1/operator/hospitals", tags=["hospitals"], route_class=OnceRoute)

_STALE = (PreconditionRequired, PreconditionFailed)


async def _merchant_needed(connection: HTTPConnection) -> bool:
    """In partner mode every hospital is paid as a sub-merchant of its own (RULE-71)."""
    return bool(connection.app.state.settings.wechat_pay.mode is PaymentMode.PARTNER)


MerchantNeeded = Annotated[bool, Depends(_merchant_needed)]


async def _file(tx: Tx, hospital: Hospital, response: Response, merchant_needed: bool, now: Now) -> HospitalFileOut:
    tag(response, hospital.version)
    sites = (await queries.sites_of(tx, [hospital.id]))[hospital.id]
    review = await queries.find_pending_licence(tx, hospital.id)
    missing = await service.missing_of(tx, hospital, merchant_needed=merchant_needed, now=now)
    return HospitalFileOut.file(hospital, sites, review, list(missing))


# ── for everybody ────────────────────────────────────────────────────────────────────────────────────────────────────


@public.get("", summary="医院列表", responses=refuses(InvalidCursor))
async def list_hospitals(
    caller: Anyone, paging: Pages, tx: Tx, now: Now,
    adcode: Annotated[Region | None, Query(description="Only with a site in this region: 2, 4 or 6 digits.")] = None,
) -> Page[HospitalBriefOut]:  # fmt: skip
    """Hospitals that are open today."""
    today = now.astimezone(clock.SHANGHAI).date()
    rows = await queries.list_open_hospitals(tx, paging, adcode_prefix=adcode, on=today)
    sites = await queries.sites_of(tx, [row.id for row in rows])
    return page(rows, paging, lambda row: HospitalBriefOut.of(row, sites[row.id]), lambda row: row.id)


@public.get("/{hospital_id}", summary="医院主页", responses=refuses(NotFound))
async def show_hospital(hospital_id: HospitalId, caller: Anyone, tx: Tx, now: Now) -> HospitalOut:
    """A hospital that is open today, with its sites and licence (RULE-20)."""
    hospital = await queries.require_open_hospital(tx, hospital_id, on=now.astimezone(clock.SHANGHAI).date())
    return HospitalOut.page(hospital, (await queries.sites_of(tx, [hospital.id]))[hospital.id])


# ── for its desk ─────────────────────────────────────────────────────────────────────────────────────────────────────


@desk.get("/own", summary="本院资料", responses=merge(refuses(NotFound), tagged()))
async def show_own_hospital(
    caller: HospitalDesk, response: Response, merchant_needed: MerchantNeeded, tx: Tx, now: Now
) -> HospitalFileOut:
    """The desk's own hospital in any state."""
    hospital = await queries.require_hospital(tx, caller.hospital_id)
    return await _file(tx, hospital, response, merchant_needed, now)


@desk.put("/own", summary="修改本院资料", responses=merge(refuses(NotFound, *_STALE), tagged()))
async def edit_own_hospital(
    caller: HospitalDesk, expected: IfMatch, body: OwnHospitalIn, response: Response, merchant_needed: MerchantNeeded,
    tx: Tx, now: Now,
) -> HospitalFileOut:  # fmt: skip
    """Replace introduction, telephone, opening hours and departments."""
    hospital = await service.edit_own_hospital(tx, caller.hospital_id, body, expected)
    return await _file(tx, hospital, response, merchant_needed, now)


@desk.put("/own/licence", summary="提交执业许可证", responses=refuses(NotFound, LicenceExpired))
async def propose_licence(caller: HospitalDesk, body: LicenceIn, tx: Tx, now: Now) -> LicenceReviewOut:
    """Ask for a new licence to be checked; the licence in force stays until the operator approves."""
    return LicenceReviewOut.of(await service.propose_licence(tx, caller.hospital_id, caller.account_id, body, now=now))


@desk.get("/sites", summary="本院院区")
async def list_own_sites(caller: HospitalDesk, tx: Tx) -> list[SiteOut]:
    """Every site of the desk's hospital."""
    return [SiteOut.of(site) for site in (await queries.sites_of(tx, [caller.hospital_id]))[caller.hospital_id]]


@desk.post("/sites", status_code=201, summary="新增院区", responses=merge(refuses(NotFound), tagged(201)))
async def add_site(caller: HospitalDesk, body: SiteIn, response: Response, tx: Tx, now: Now) -> SiteOut:
    """Add a site with its service area."""
    site = await service.add_site(tx, caller.hospital_id, body, now=now)
    tag(response, site.version)
    return SiteOut.of(site)


@desk.get("/sites/{site_id}", summary="院区详情", responses=merge(refuses(NotFound), tagged()))
async def show_own_site(site_id: SiteId, caller: HospitalDesk, response: Response, tx: Tx) -> SiteOut:
    """One site of the desk's hospital."""
    site = await queries.require_site_of(tx, caller.hospital_id, site_id)
    tag(response, site.version)
    return SiteOut.of(site)


@desk.put("/sites/{site_id}", summary="修改院区", responses=merge(refuses(NotFound, *_STALE), tagged()))
async def edit_site(
    site_id: SiteId, caller: HospitalDesk, expected: IfMatch, body: SiteIn, response: Response, tx: Tx
) -> SiteOut:
    """Replace a site and its service area."""
    site = await service.edit_site(tx, caller.hospital_id, site_id, body, expected)
    tag(response, site.version)
    return SiteOut.of(site)


# ── for the operator ─────────────────────────────────────────────────────────────────────────────────────────────────


@operator.get("", summary="医院登记簿", responses=refuses(InvalidCursor))
async def list_registered_hospitals(
    caller: Operator, paging: Pages, tx: Tx, state: HospitalState | None = None
) -> Page[HospitalRowOut]:
    """All hospitals, or those in one state."""
    rows = await queries.list_hospitals(tx, paging, state=state)
    return page(rows, paging, HospitalRowOut.of, lambda row: row.id)


@operator.post("", status_code=201, summary="登记医院", responses=merge(refuses(UsccTaken, MerchantTaken), tagged(201)))
async def onboard_hospital(
    caller: Operator, body: HospitalIn, response: Response, merchant_needed: MerchantNeeded, tx: Tx, now: Now
) -> HospitalFileOut:
    """Register a hospital as a draft; `missing` says what it lacks, `warnings` what looks unusual."""
    hospital = await service.onboard_hospital(tx, body, account_id=caller.account_id, now=now)
    return await _file(tx, hospital, response, merchant_needed, now)


@operator.get("/licence-reviews", summary="待审核许可证", responses=refuses(InvalidCursor))
async def list_licence_reviews(
    caller: Operator, paging: Pages, tx: Tx, state: LicenceReviewState = LicenceReviewState.PENDING
) -> Page[LicenceReviewOut]:
    """Licences that desks proposed."""
    rows = await queries.list_licence_reviews(tx, paging, state=state)
    return page(rows, paging, LicenceReviewOut.of, lambda row: row.id)


@operator.get("/{hospital_id}", summary="医院登记资料", responses=merge(refuses(NotFound), tagged()))
async def show_registered_hospital(
    hospital_id: HospitalId, caller: Operator, response: Response, merchant_needed: MerchantNeeded, tx: Tx, now: Now
) -> HospitalFileOut:
    """A hospital in any state."""
    return await _file(tx, await queries.require_hospital(tx, hospital_id), response, merchant_needed, now)


@operator.put(
    "/{hospital_id}",
    summary="修改登记资料",
    responses=merge(refuses(NotFound, UsccTaken, HospitalNotReady, *_STALE), tagged()),
)
async def edit_registration(
    hospital_id: HospitalId, caller: Operator, expected: IfMatch, body: RegistrationIn, response: Response,
    merchant_needed: MerchantNeeded, tx: Tx, now: Now,
) -> HospitalFileOut:  # fmt: skip
    """Correct name, level, numbers, licence and home mode."""
    hospital = await service.edit_registration(tx, hospital_id, body, expected, now=now)
    return await _file(tx, hospital, response, merchant_needed, now)


@operator.put(
    "/{hospital_id}/merchant",
    summary="设置特约商户",
    responses=merge(refuses(NotFound, MerchantTaken, *_STALE), tagged()),
)
async def set_merchant(
    hospital_id: HospitalId, caller: Operator, expected: IfMatch, body: MerchantIn, response: Response,
    merchant_needed: MerchantNeeded, tx: Tx, now: Now,
) -> HospitalFileOut:  # fmt: skip
    """Say which sub-merchant is paid for this hospital."""
    hospital = await service.set_merchant(tx, hospital_id, body, expected)
    return await _file(tx, hospital, response, merchant_needed, now)


@operator.post(
    "/{hospital_id}/open",
    summary="开通医院",
    responses=merge(refuses(NotFound, HospitalStateRefused, HospitalNotReady), tagged()),
)
async def open_hospital(
    hospital_id: HospitalId, caller: Operator, response: Response, merchant_needed: MerchantNeeded, tx: Tx, now: Now
) -> HospitalFileOut:
    """Open a hospital to patients; refused with everything it still lacks."""
    hospital = await service.open_hospital(
        tx, hospital_id, merchant_needed=merchant_needed, account_id=caller.account_id, now=now
    )
    return await _file(tx, hospital, response, merchant_needed, now)


@operator.post(
    "/{hospital_id}/suspend", summary="暂停医院", responses=merge(refuses(NotFound, HospitalStateRefused), tagged())
)
async def suspend_hospital(
    hospital_id: HospitalId, caller: Operator, body: DecisionReasonIn, response: Response, merchant_needed: MerchantNeeded,
    tx: Tx, now: Now,
) -> HospitalFileOut:  # fmt: skip
    """Take a hospital off the lists; what was booked stays booked."""
    hospital = await service.suspend_hospital(tx, hospital_id, body.reason, account_id=caller.account_id, now=now)
    return await _file(tx, hospital, response, merchant_needed, now)


@operator.post(
    "/{hospital_id}/licence/approve",
    summary="许可证审核通过",
    responses=merge(refuses(NotFound, NoLicenceToReview, LicenceExpired), tagged()),
)
async def approve_licence(
    hospital_id: HospitalId, caller: Operator, response: Response, merchant_needed: MerchantNeeded, tx: Tx, now: Now
) -> HospitalFileOut:
    """Put the proposed licence in force."""
    hospital = await service.approve_licence(tx, hospital_id, account_id=caller.account_id, now=now)
    return await _file(tx, hospital, response, merchant_needed, now)


@operator.post(
    "/{hospital_id}/licence/refuse",
    summary="许可证审核退回",
    responses=merge(refuses(NotFound, NoLicenceToReview), tagged()),
)
async def refuse_licence(
    hospital_id: HospitalId, caller: Operator, body: DecisionReasonIn, response: Response, merchant_needed: MerchantNeeded,
    tx: Tx, now: Now,
) -> HospitalFileOut:  # fmt: skip
    """Refuse the proposed licence; the one in force stays."""
    hospital = await service.refuse_licence(tx, hospital_id, body.reason, account_id=caller.account_id, now=now)
    return await _file(tx, hospital, response, merchant_needed, now)


@operator.get("/{hospital_id}/history", summary="医院状态历史", responses=refuses(NotFound, InvalidCursor))
async def show_hospital_history(
    hospital_id: HospitalId, caller: Operator, paging: Pages, tx: Tx
) -> Page[HospitalMoveOut]:
    """Every change of state, newest first."""
    await queries.require_hospital(tx, hospital_id)
    rows = await queries.list_moves(tx, hospital_id, paging)
    return page(rows, paging, HospitalMoveOut.of, lambda row: row.id)


@operator.get("/{hospital_id}/members", summary="后台人员", responses=refuses(NotFound, InvalidCursor))
async def list_desk_members(hospital_id: HospitalId, caller: Operator, paging: Pages, tx: Tx) -> Page[DeskMemberOut]:
    """Who works at a hospital's desk."""
    await queries.require_hospital(tx, hospital_id)
    rows = await queries.list_desk_members(tx, hospital_id, paging)
    return page(rows, paging, DeskMemberOut.of, lambda row: row.account_id)


@operator.post(
    "/{hospital_id}/members", status_code=201, summary="新增后台人员", responses=refuses(NotFound, LoginTaken)
)
async def add_desk_member(
    hospital_id: HospitalId, caller: Operator, body: DeskMemberIn, tx: Tx, now: Now
) -> NewDeskMemberOut:
    """Make an account for a hospital's desk; its password and TOTP secret are shown this once."""
    password, totp_secret = service.new_credentials()
    member = await service.add_desk_member(
        tx, hospital_id, login=body.login, name=body.name, password=password, totp_secret=totp_secret, now=now
    )
    return NewDeskMemberOut(**dict(DeskMemberOut.of(member)), password=password, totp_secret=totp_secret)


@operator.delete(
    "/{hospital_id}/members/{account_id}", status_code=204, summary="移除后台人员", responses=refuses(NotFound)
)
async def remove_desk_member(
    hospital_id: HospitalId, account_id: AccountId, caller: Operator, tx: Tx, now: Now
) -> None:
    """End somebody's right to work at a hospital's desk."""
    await service.remove_desk_member(tx, hospital_id, account_id, now=now)


ROUTERS: list[APIRouter] = [public, desk, operator]
