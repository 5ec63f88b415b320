"""HTTP of the catalogue: what patients see, the desk's services, the operator's regional policy."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from yiyuebao_api.domains.accounts.guards import Anyone, HospitalDesk, Operator, TenantCaller
from yiyuebao_api.domains.accounts.guards import Clinician as AsClinician
from yiyuebao_api.domains.catalogue import queries, service
from yiyuebao_api.domains.catalogue.models import Service, ServiceState
from yiyuebao_api.domains.catalogue.problems import (
    CategoryUnknown,
    HomeModeMissing,
    ItemNotPermitted,
    NothingToPublish,
    PolicyEndsTooEarly,
    ServiceIncomplete,
    ServiceStateRefused,
    TooManyProposals,
)
from yiyuebao_api.domains.catalogue.schemas import (
    CategoryOut,
    DraftIn,
    ItemCode,
    PolicyEndIn,
    PolicyIn,
    RegionalPolicyOut,
    ServiceBriefOut,
    ServiceFileOut,
    ServiceIn,
    ServiceMoveOut,
    ServiceOut,
    ServiceRowOut,
    VersionOut,
)
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.problems import ClinicianUnqualified
from yiyuebao_api.domains.clinicians.queries import clinician_of_account
from yiyuebao_api.domains.hospitals.problems import HospitalNotOpen
from yiyuebao_api.domains.hospitals.queries import require_open_hospital
from yiyuebao_api.domains.hospitals.schemas import DecisionReasonIn
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.editing import IfMatch, PreconditionFailed, PreconditionRequired, tag, tagged
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import HospitalId, RegionalPolicyId, ServiceId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, merge, refuses
from yiyuebao_api.kernel.schema import Adcode

public = APIRouter(prefix="/v1/catalogue", tags=["catalogue"], route_class=OnceRoute)
desk = APIRouter(prefix="/v1/hospital/catalogue/services", tags=["catalogue"], route_class=OnceRoute)
operator = APIRouter(prefix="/v1/operator/catalogue/policies", tags=["catalogue"], route_class=OnceRoute)

_NOT_PUBLISHABLE = (
    ServiceStateRefused, NothingToPublish, ServiceIncomplete, HospitalNotOpen, HomeModeMissing, ItemNotPermitted,
)  # fmt: skip


async def _file(tx: Tx, row: Service, response: Response) -> ServiceFileOut:
    tag(response, row.version)
    current = await queries.require_version(tx, row.current) if row.current is not None else None
    return ServiceFileOut.file(row, current)


# ── for everybody ────────────────────────────────────────────────────────────────────────────────────────────────────


@public.get("/categories", summary="服务分类")
async def list_categories(caller: Anyone, tx: Tx) -> list[CategoryOut]:
    """Every category, in the order they are shown."""
    return [CategoryOut.of(row) for row in await queries.list_categories(tx)]


@public.get("/services", summary="医院服务列表", responses=refuses(NotFound, InvalidCursor))
async def list_services(
    caller: Anyone, paging: Pages, tx: Tx, now: Now,
    hospital_id: Annotated[HospitalId, Query(description="Whose services; to search by place use /v1/nearby.")],
) -> Page[ServiceBriefOut]:  # fmt: skip
    """What an open hospital offers today, with prices (RULE-20)."""
    today = service.day_of(now)
    await require_open_hospital(tx, hospital_id, on=today)
    rows = await queries.list_offers_of(tx, hospital_id, paging, on=today)
    return page(rows, paging, ServiceBriefOut.of, lambda row: row.id)


@public.get("/services/{service_id}", summary="服务详情", responses=refuses(NotFound))
async def show_service(service_id: ServiceId, caller: Anyone, tx: Tx, now: Now) -> ServiceOut:
    """A published service of an open hospital, with the version in force and its prices part by part."""
    shown = await queries.require_page(tx, service_id, on=service.day_of(now))
    return ServiceOut.page(shown.service, shown.version, shown.category, shown.hospital, shown.site)


# ── for clinicians ───────────────────────────────────────────────────────────────────────────────────────────────────


@public.post(
    "/proposals", status_code=201, summary="建议开设服务项目",
    responses=merge(refuses(NotFound, CategoryUnknown, ClinicianUnqualified, TooManyProposals), tagged(201)),
)  # fmt: skip
async def propose_service(caller: AsClinician, body: ServiceIn, response: Response, tx: Tx, now: Now) -> ServiceFileOut:
    """Propose an item to one's own hospital, as a draft; the desk decides."""
    clinician = await require_own_file(tx, caller)
    return await _file(tx, await service.propose_service(tx, clinician, body, now=now), response)


@public.get("/proposals", summary="我建议的服务项目", responses=refuses(NotFound, InvalidCursor))
async def list_proposals(caller: AsClinician, paging: Pages, tx: Tx) -> Page[ServiceRowOut]:
    """What one proposed, and what became of it: a draft waits, published was taken, retired was not."""
    clinician = await require_own_file(tx, caller)
    rows = await queries.list_proposed(tx, clinician.id, paging)
    return page(rows, paging, ServiceRowOut.row, lambda row: row.id)


async def require_own_file(tx: Tx, caller: TenantCaller) -> Clinician:
    """The caller as staff of the hospital they are signed in for. Raises NotFound."""
    found = await clinician_of_account(tx, caller.account_id, caller.hospital_id)
    if found is None:
        raise NotFound
    return found


# ── for the desk ─────────────────────────────────────────────────────────────────────────────────────────────────────


@desk.get("", summary="本院服务项目", responses=refuses(InvalidCursor))
async def list_own_services(
    caller: HospitalDesk, paging: Pages, tx: Tx, state: ServiceState | None = None
) -> Page[ServiceRowOut]:
    """The hospital's services in every state, or in one."""
    rows = await queries.list_services_of(tx, caller.hospital_id, paging, state=state)
    return page(rows, paging, ServiceRowOut.row, lambda row: row.id)


@desk.post(
    "", status_code=201, summary="新建服务项目", responses=merge(refuses(NotFound, CategoryUnknown), tagged(201))
)
async def draft_service(caller: HospitalDesk, body: ServiceIn, response: Response, tx: Tx, now: Now) -> ServiceFileOut:
    """Write a new service down as a draft; `draft.missing` says what it lacks before it can be published."""
    return await _file(tx, await service.draft_service(tx, caller.hospital_id, body, now=now), response)


@desk.get("/{service_id}", summary="服务项目资料", responses=merge(refuses(NotFound), tagged()))
async def show_own_service(service_id: ServiceId, caller: HospitalDesk, response: Response, tx: Tx) -> ServiceFileOut:
    """One of the hospital's services in any state, with its draft and the version in force."""
    return await _file(tx, await queries.require_service_of(tx, caller.hospital_id, service_id), response)


@desk.put(
    "/{service_id}",
    summary="修改服务项目草稿",
    responses=merge(refuses(NotFound, ServiceStateRefused, PreconditionRequired, PreconditionFailed), tagged()),
)
async def edit_service(
    service_id: ServiceId, caller: HospitalDesk, expected: IfMatch, body: DraftIn, response: Response, tx: Tx
) -> ServiceFileOut:
    """Replace the draft; patients see the version in force until the draft is published."""
    return await _file(tx, await service.edit_service(tx, caller.hospital_id, service_id, body, expected), response)


@desk.post(
    "/{service_id}/publish",
    summary="发布服务项目",
    responses=merge(refuses(NotFound, *_NOT_PUBLISHABLE), tagged()),
)
async def publish_service(
    service_id: ServiceId, caller: HospitalDesk, response: Response, tx: Tx, now: Now
) -> ServiceFileOut:
    """Freeze the draft as the next version and offer it; also ends a suspension."""
    done = await service.publish_service(tx, caller.hospital_id, service_id, account_id=caller.account_id, now=now)
    return await _file(tx, done, response)


@desk.post(
    "/{service_id}/suspend",
    summary="暂停服务项目",
    responses=merge(refuses(NotFound, ServiceStateRefused), tagged()),
)
async def suspend_service(
    service_id: ServiceId, caller: HospitalDesk, body: DecisionReasonIn, response: Response, tx: Tx, now: Now
) -> ServiceFileOut:
    """Take a service off the lists; paid bookings stay."""
    done = await service.suspend_service(
        tx, caller.hospital_id, service_id, body.reason, account_id=caller.account_id, now=now
    )
    return await _file(tx, done, response)


@desk.post(
    "/{service_id}/retire",
    summary="下架服务项目",
    responses=merge(refuses(NotFound, ServiceStateRefused), tagged()),
)
async def retire_service(
    service_id: ServiceId, caller: HospitalDesk, response: Response, tx: Tx, now: Now
) -> ServiceFileOut:
    """End a service for good."""
    done = await service.retire_service(tx, caller.hospital_id, service_id, account_id=caller.account_id, now=now)
    return await _file(tx, done, response)


@desk.get("/{service_id}/versions", summary="服务项目历史版本", responses=refuses(NotFound, InvalidCursor))
async def list_service_versions(service_id: ServiceId, caller: HospitalDesk, paging: Pages, tx: Tx) -> Page[VersionOut]:
    """Every version ever published, newest first."""
    await queries.require_service_of(tx, caller.hospital_id, service_id)
    rows = await queries.list_versions(tx, service_id, paging)
    return page(rows, paging, VersionOut.of, lambda row: row.id)


@desk.get("/{service_id}/history", summary="服务项目状态历史", responses=refuses(NotFound, InvalidCursor))
async def show_service_history(
    service_id: ServiceId, caller: HospitalDesk, paging: Pages, tx: Tx
) -> Page[ServiceMoveOut]:
    """Every change of state, newest first."""
    await queries.require_service_of(tx, caller.hospital_id, service_id)
    rows = await queries.list_moves(tx, service_id, paging)
    return page(rows, paging, ServiceMoveOut.of, lambda row: row.id)


# ── for the operator ─────────────────────────────────────────────────────────────────────────────────────────────────


@operator.get("", summary="上门项目目录", responses=refuses(InvalidCursor))
async def list_policies(
    caller: Operator, paging: Pages, tx: Tx,
    adcode: Annotated[Adcode | None, Query(description="Entries that hold in this district.")] = None,
    item_code: ItemCode | None = None,
) -> Page[RegionalPolicyOut]:  # fmt: skip
    """Which items may be done at home where (RULE-31, RULE-32)."""
    rows = await queries.list_policies(tx, paging, adcode=adcode, item_code=item_code)
    return page(rows, paging, RegionalPolicyOut.of, lambda row: row.id)


@operator.post("", status_code=201, summary="新增目录条目", responses=refuses(NotFound))
async def add_policy(caller: Operator, body: PolicyIn, tx: Tx, now: Now) -> RegionalPolicyOut:
    """Permit or ban an item in a region, or open it to one hospital with a reason."""
    return RegionalPolicyOut.of(await service.add_policy(tx, body, account_id=caller.account_id, now=now))


@operator.post("/{policy_id}/end", summary="终止目录条目", responses=refuses(NotFound, PolicyEndsTooEarly))
async def end_policy(policy_id: RegionalPolicyId, caller: Operator, body: PolicyEndIn, tx: Tx) -> RegionalPolicyOut:
    """Say on which day an entry ends."""
    return RegionalPolicyOut.of(await service.end_policy(tx, policy_id, body))


ROUTERS: list[APIRouter] = [public, desk, operator]
