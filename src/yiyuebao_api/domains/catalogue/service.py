"""What desks do with their services, and the operator with the regional policy."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue import queries, rules
from yiyuebao_api.domains.catalogue.events import OfferChanged
from yiyuebao_api.domains.catalogue.models import (
    Category,
    Listing,
    Place,
    RegionalPolicy,
    Service,
    ServiceMove,
    ServiceState,
    ServiceVersion,
)
from yiyuebao_api.domains.catalogue.problems import (
    CategoryUnknown,
    HomeModeMissing,
    NothingToPublish,
    PolicyEndsTooEarly,
    ServiceIncomplete,
    ServiceStateRefused,
    TooManyProposals,
)
from yiyuebao_api.domains.catalogue.rules import OPEN_PROPOSALS, Content
from yiyuebao_api.domains.catalogue.schemas import DraftIn, PolicyEndIn, PolicyIn, ServiceIn, content_of
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.problems import ClinicianUnqualified
from yiyuebao_api.domains.clinicians.queries import lock_clinician
from yiyuebao_api.domains.clinicians.rules import may_practise
from yiyuebao_api.domains.hospitals.models import Hospital, Site
from yiyuebao_api.domains.hospitals.problems import HospitalNotOpen
from yiyuebao_api.domains.hospitals.queries import require_hospital, require_site_of
from yiyuebao_api.domains.hospitals.rules import is_open
from yiyuebao_api.domains.notices import service as notices
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.editing import Precondition
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import (
    AccountId,
    ClinicianId,
    HospitalId,
    RegionalPolicyId,
    RowId,
    ServiceId,
    ServiceVersionId,
)
from yiyuebao_api.kernel.problems import Words


def day_of(now: datetime) -> date:
    """The Shanghai day of a moment."""
    return now.astimezone(clock.SHANGHAI).date()


# ── services ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def propose_service(
    tx: AsyncSession, clinician: Clinician, body: ServiceIn, *, now: datetime
) -> Service:
    """A draft of a clinician's, told to the desk, which edits, publishes or retires it like its own.

    Raises ClinicianUnqualified (RULE-22, RULE-24), TooManyProposals, NotFound for another hospital's site, CategoryUnknown.
    """
    if clauses := may_practise(clinician, day_of(now)):
        raise ClinicianUnqualified(clauses=[each.value for each in clauses])
    await lock_clinician(tx, clinician.id)
    if await queries.count_proposed(tx, clinician.id) >= OPEN_PROPOSALS:
        raise TooManyProposals(most=OPEN_PROPOSALS)
    service = await draft_service(tx, clinician.hospital_id, body, now=now, proposed_by=clinician.id)
    await notices.tell_hospital(
        tx, clinician.hospital_id, "catalogue.proposed", title=Words("医护人员提交了服务项目", "An item is proposed"),
        body=Words(
            f"{clinician.name} 建议开设“{body.name}”，请审核后发布或停用。",
            f"{clinician.name} proposes “{body.name}”: publish it or retire it.",
        ),
        subject=service.id, now=now,
    )  # fmt: skip
    return service


async def draft_service(
    tx: AsyncSession, hospital_id: HospitalId, body: ServiceIn, *, now: datetime, proposed_by: ClinicianId | None = None
) -> Service:
    """A new service that nobody sees yet. Raises NotFound for another hospital's site, CategoryUnknown."""
    site = await require_site_of(tx, hospital_id, body.site_id)
    if await queries.find_category(tx, body.category_code) is None:
        raise CategoryUnknown
    service = Service(
        id=ServiceId.new(), hospital_id=hospital_id, site_id=site.id, category_code=body.category_code, code=body.code,
        state=ServiceState.DRAFT, current=None, version=1, created_at=now, draft=_stored(body), proposed_by=proposed_by,
        **_shown(body.content()),
    )  # fmt: skip
    tx.add(service)
    await tx.flush()
    return service


async def edit_service(
    tx: AsyncSession, hospital_id: HospitalId, service_id: ServiceId, body: DraftIn, expected: Precondition
) -> Service:
    """Replace the draft; what is published stays as it is until the draft is. Raises ServiceStateRefused."""
    service = await queries.lock_service_of(tx, hospital_id, service_id)
    expected.require(service.version)
    if service.state is ServiceState.RETIRED:
        raise ServiceStateRefused(state=service.state.value)
    service.draft = _stored(body)
    if service.current is None:
        _show(service, body.content())
    service.version += 1
    return service


async def publish_service(
    tx: AsyncSession, hospital_id: HospitalId, service_id: ServiceId, *, account_id: AccountId | None, now: datetime
) -> Service:
    """Freeze the draft as the next version and offer it; a suspended service without edits is offered again as it was.

    Raises ServiceStateRefused, NothingToPublish, ServiceIncomplete, HospitalNotOpen, HomeModeMissing, ItemNotPermitted.
    """
    service = await queries.lock_service_of(tx, hospital_id, service_id)
    rules.check_move(service.state, ServiceState.PUBLISHED)
    draft = content_of(service.draft) if service.draft is not None else None
    if draft is None and (service.state is ServiceState.PUBLISHED or service.current is None):
        raise NothingToPublish
    if draft is not None and (missing := rules.missing_to_publish(draft)):
        raise ServiceIncomplete(missing=[each.value for each in missing])
    hospital = await require_hospital(tx, hospital_id)
    site = await require_site_of(tx, hospital_id, service.site_id)
    place = draft.place if draft is not None else service.place
    await _require_right(tx, service, hospital, site, place, now)
    if draft is not None:
        version = _version(service.id, await queries.count_versions(tx, service.id) + 1, draft, account_id, now)
        tx.add(version)
        await tx.flush()
        service.current, service.draft = version.id, None
        _show(service, draft)
    await _move(tx, service, ServiceState.PUBLISHED, None, account_id, now)
    return service


async def suspend_service(
    tx: AsyncSession,
    hospital_id: HospitalId,
    service_id: ServiceId,
    reason: str,
    *,
    account_id: AccountId,
    now: datetime,
) -> Service:
    """Take it off the lists; what was paid for stays booked (H06). Raises ServiceStateRefused."""
    service = await queries.lock_service_of(tx, hospital_id, service_id)
    rules.check_move(service.state, ServiceState.SUSPENDED)
    await _move(tx, service, ServiceState.SUSPENDED, reason, account_id, now)
    return service


async def retire_service(
    tx: AsyncSession, hospital_id: HospitalId, service_id: ServiceId, *, account_id: AccountId, now: datetime
) -> Service:
    """End it for good; its versions stay for those who bought them. Raises ServiceStateRefused."""
    service = await queries.lock_service_of(tx, hospital_id, service_id)
    rules.check_move(service.state, ServiceState.RETIRED)
    service.draft = None
    await _move(tx, service, ServiceState.RETIRED, None, account_id, now)
    return service


async def _require_right(
    tx: AsyncSession, service: Service, hospital: Hospital, site: Site, place: Place, now: datetime
) -> None:
    today = day_of(now)
    if not is_open(hospital, today):
        raise HospitalNotOpen
    if place is Place.HOSPITAL:
        return
    if not hospital.home_mode or not site.open_for_home:
        raise HomeModeMissing
    await queries.require_permitted(tx, item_code=service.code, adcode=site.adcode, hospital_id=hospital.id, on=today)


async def _move(
    tx: AsyncSession, service: Service, state: ServiceState, reason: str | None, by: AccountId | None, now: datetime
) -> None:
    service.state = state
    service.version += 1
    move = ServiceMove(
        id=RowId.new(), service_id=service.id, state=state, version_id=service.current, reason=reason, account_id=by,
        at=now,
    )  # fmt: skip
    tx.add(move)
    await tx.flush()
    await announce(tx, OfferChanged(service.id))


def _stored(body: DraftIn) -> dict[str, Any]:
    return body.model_dump(mode="json", include=set(DraftIn.model_fields))


def _shown(content: Content) -> dict[str, Any]:
    return {
        "name": content.name, "place": content.place, "price_fen": content.price_fen,
        "season_from": content.season_from, "season_until": content.season_until,
    }  # fmt: skip


def _show(service: Service, content: Content) -> None:
    for name, value in _shown(content).items():
        setattr(service, name, value)


def _version(
    service_id: ServiceId, number: int, content: Content, account_id: AccountId | None, now: datetime
) -> ServiceVersion:
    told = {name: getattr(content, name) for name in Content.__dataclass_fields__}
    return ServiceVersion(
        id=ServiceVersionId.new(), service_id=service_id, number=number, published_at=now, published_by=account_id,
        price_fen=content.price_fen, **{**told, "skills": list(content.skills)},
    )  # fmt: skip


# ── regional policy ──────────────────────────────────────────────────────────────────────────────────────────────────


async def add_policy(
    tx: AsyncSession, body: PolicyIn, *, account_id: AccountId | None, now: datetime
) -> RegionalPolicy:
    """Write an entry down; services already published are judged by it at their next order. Raises NotFound."""
    if body.hospital_id is not None:
        await require_hospital(tx, body.hospital_id)
    policy = RegionalPolicy(
        id=RegionalPolicyId.new(), created_by=account_id, created_at=now,
        **{name: getattr(body, name) for name in PolicyIn.model_fields},
    )  # fmt: skip
    tx.add(policy)
    await tx.flush()
    return policy


async def end_policy(tx: AsyncSession, policy_id: RegionalPolicyId, body: PolicyEndIn) -> RegionalPolicy:
    """Say on which day an entry ends. Raises NotFound, PolicyEndsTooEarly."""
    policy = await queries.lock_policy(tx, policy_id)
    if body.effective_until < policy.effective_from:
        raise PolicyEndsTooEarly
    policy.effective_until = body.effective_until
    return policy


async def ensure_reference(tx: AsyncSession, *, now: datetime) -> int:
    """Write down the categories and the country's lists that are not there yet; returns how many rows were new.

    Every installation needs them, production too; what an operator changed since is left alone.
    """
    known = {category.code for category in await queries.list_categories(tx)}
    new: list[Category | RegionalPolicy] = [
        Category(code=code, scenario=scenario, name_zh=zh, name_en=en, position=position)
        for position, (code, scenario, zh, en) in enumerate(rules.CATEGORIES)
        if code not in known
    ]
    listed = await queries.national_codes(tx)
    for listing, items in ((Listing.POSITIVE, rules.LISTED_AT_HOME), (Listing.NEGATIVE, rules.FORBIDDEN_AT_HOME)):
        said = "列入上门护理项目目录" if listing is Listing.POSITIVE else "不得上门开展"
        new += [
            RegionalPolicy(
                id=RegionalPolicyId.new(), adcode_prefix="", hospital_id=None, item_code=code, listing=listing,
                reason=f"{name}：{said}。", effective_from=rules.LISTS_SINCE, effective_until=None, created_by=None,
                created_at=now,
            )
            for code, name in items.items()
            if code not in listed
        ]  # fmt: skip
    tx.add_all(new)
    await tx.flush()
    return len(new)
