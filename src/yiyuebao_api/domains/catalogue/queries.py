"""Named selects over the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue.models import (
    Category,
    RegionalPolicy,
    Service,
    ServiceMove,
    ServiceState,
    ServiceVersion,
)
from yiyuebao_api.domains.catalogue.problems import ItemNotPermitted, ServiceNotOffered
from yiyuebao_api.domains.catalogue.rules import in_season, verdict
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalState, Site
from yiyuebao_api.domains.hospitals.rules import is_open
from yiyuebao_api.kernel.ids import ClinicianId, HospitalId, RegionalPolicyId, RowId, ServiceId, ServiceVersionId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound


async def list_categories(tx: AsyncSession) -> Sequence[Category]:
    """In the order they are shown."""
    return (await tx.scalars(select(Category).order_by(Category.position, Category.code))).all()


async def find_category(tx: AsyncSession, code: str) -> Category | None:
    """A category by its code."""
    return await tx.get(Category, code)


async def require_offer(
    tx: AsyncSession, service_id: ServiceId, *, on: date | None = None
) -> tuple[Service, ServiceVersion]:
    """A published service of an open hospital with the version in force. Raises NotFound, ServiceNotOffered.

    With `on`, a Shanghai day, the hospital's licence must cover it and the service be in season then.
    """
    found = (
        await tx.execute(
            select(Service, ServiceVersion, Hospital)
            .join(Hospital, Hospital.id == Service.hospital_id)
            .outerjoin(ServiceVersion, ServiceVersion.id == Service.current)
            .where(Service.id == service_id)
        )
    ).one_or_none()
    if found is None:
        raise NotFound
    service: Service = found[0]
    return service, check_offer(service, found[1], found[2], on=on)


def check_offer(
    service: Service, version: ServiceVersion | None, hospital: Hospital, *, on: date | None
) -> ServiceVersion:
    """The same of rows that have been read. Raises ServiceNotOffered."""
    if version is None or service.state is not ServiceState.PUBLISHED or hospital.state is not HospitalState.OPEN:
        raise ServiceNotOffered
    if on is not None and not (is_open(hospital, on) and in_season(version, on)):
        raise ServiceNotOffered
    return version


@dataclass(frozen=True, slots=True)
class OfferPage:
    """Everything a service's public page shows."""

    service: Service
    version: ServiceVersion
    category: Category
    hospital: Hospital
    site: Site


async def require_page(tx: AsyncSession, service_id: ServiceId, *, on: date) -> OfferPage:
    """A service as patients see it on that Shanghai day, also out of season. Raises NotFound unless it is offered."""
    found = (
        await tx.execute(
            select(Service, ServiceVersion, Category, Hospital, Site)
            .join(ServiceVersion, ServiceVersion.id == Service.current)
            .join(Category, Category.code == Service.category_code)
            .join(Hospital, Hospital.id == Service.hospital_id)
            .join(Site, Site.id == Service.site_id)
            .where(Service.id == service_id, Service.state == ServiceState.PUBLISHED)
        )
    ).one_or_none()
    if found is None or not is_open(found[3], on):
        raise NotFound
    return OfferPage(*found)


async def require_version(tx: AsyncSession, version_id: ServiceVersionId) -> ServiceVersion:
    """Whatever became of its service since. Raises NotFound."""
    version = await tx.get(ServiceVersion, version_id)
    if version is None:
        raise NotFound
    return version


async def require_service(tx: AsyncSession, service_id: ServiceId) -> Service:
    """In any state. Raises NotFound."""
    service = await tx.get(Service, service_id)
    if service is None:
        raise NotFound
    return service


async def require_service_of(tx: AsyncSession, hospital_id: HospitalId, service_id: ServiceId) -> Service:
    """A hospital's service in any state; another hospital's is not there. Raises NotFound."""
    service = await require_service(tx, service_id)
    if service.hospital_id != hospital_id:
        raise NotFound
    return service


async def lock_service_of(tx: AsyncSession, hospital_id: HospitalId, service_id: ServiceId) -> Service:
    """A hospital's service, locked. Raises NotFound."""
    locked = select(Service).where(Service.id == service_id, Service.hospital_id == hospital_id).with_for_update()
    service = (await tx.scalars(locked.execution_options(populate_existing=True))).one_or_none()
    if service is None:
        raise NotFound
    return service


async def list_proposed(tx: AsyncSession, clinician_id: ClinicianId, paging: Paging) -> Sequence[Service]:
    """What a clinician proposed, newest first, one more than asked."""
    mine = select(Service).where(Service.proposed_by == clinician_id)
    return (await tx.scalars(newest_first(mine, Service.id, ServiceId, paging))).all()


async def count_proposed(tx: AsyncSession, clinician_id: ClinicianId) -> int:
    """Those that wait for the desk."""
    waiting = select(func.count()).where(Service.proposed_by == clinician_id, Service.state == ServiceState.DRAFT)
    return (await tx.scalars(waiting)).one()


async def list_services_of(
    tx: AsyncSession, hospital_id: HospitalId, paging: Paging, *, state: ServiceState | None = None
) -> Sequence[Service]:
    """A hospital's services, newest first, one more than asked."""
    statement = select(Service).where(Service.hospital_id == hospital_id)
    if state is not None:
        statement = statement.where(Service.state == state)
    return (await tx.scalars(newest_first(statement, Service.id, ServiceId, paging))).all()


async def list_offers_of(tx: AsyncSession, hospital_id: HospitalId, paging: Paging, *, on: date) -> Sequence[Service]:
    """What an open hospital offers in season on that day, newest first, one more than asked."""
    statement = select(Service).join(Hospital, Hospital.id == Service.hospital_id).where(
        Service.hospital_id == hospital_id,
        Service.state == ServiceState.PUBLISHED,
        or_(Service.season_from.is_(None), Service.season_from <= on),
        or_(Service.season_until.is_(None), Service.season_until >= on),
        Hospital.state == HospitalState.OPEN,
        Hospital.licence_valid_until >= on,
    )  # fmt: skip
    return (await tx.scalars(newest_first(statement, Service.id, ServiceId, paging))).all()


async def list_versions(tx: AsyncSession, service_id: ServiceId, paging: Paging) -> Sequence[ServiceVersion]:
    """A service's versions, newest first, one more than asked."""
    statement = select(ServiceVersion).where(ServiceVersion.service_id == service_id)
    return (await tx.scalars(newest_first(statement, ServiceVersion.id, ServiceVersionId, paging))).all()


async def versions_of(
    tx: AsyncSession, version_ids: Iterable[ServiceVersionId]
) -> dict[ServiceVersionId, ServiceVersion]:
    """Some versions by their ids."""
    wanted = select(ServiceVersion).where(ServiceVersion.id.in_(list(version_ids)))
    return {version.id: version for version in await tx.scalars(wanted)}


async def count_versions(tx: AsyncSession, service_id: ServiceId) -> int:
    """The number of the newest version, 0 before the first."""
    return await tx.scalar(select(func.max(ServiceVersion.number)).where(ServiceVersion.service_id == service_id)) or 0


async def list_moves(tx: AsyncSession, service_id: ServiceId, paging: Paging) -> Sequence[ServiceMove]:
    """A service's history, newest first, one more than asked."""
    statement = select(ServiceMove).where(ServiceMove.service_id == service_id)
    return (await tx.scalars(newest_first(statement, ServiceMove.id, RowId, paging))).all()


# ── regional policy ──────────────────────────────────────────────────────────────────────────────────────────────────


async def policies_at(tx: AsyncSession, *, adcode: str) -> Sequence[RegionalPolicy]:
    """Every entry about a district or a region around it, the country included, whenever it holds."""
    return (await tx.scalars(select(RegionalPolicy).where(RegionalPolicy.adcode_prefix.in_(_around(adcode))))).all()


def _around(adcode: str) -> list[str]:
    """A district and the regions around it, from the whole country inwards."""
    return [adcode[:digits] for digits in (0, 2, 4, 6)]


async def national_codes(tx: AsyncSession) -> set[str]:
    """The items that some entry for the whole country names."""
    return set(await tx.scalars(select(RegionalPolicy.item_code).where(RegionalPolicy.adcode_prefix == "")))


async def require_permitted(
    tx: AsyncSession, *, item_code: str, adcode: str, hospital_id: HospitalId, on: date
) -> None:
    """That an item may be done at home in that district on that Shanghai day; asked at publication and at the order.

    Raises ItemNotPermitted with the rule in words (RULE-31, RULE-32).
    """
    found = await policies_at(tx, adcode=adcode)
    said = verdict(found, item_code=item_code, adcode=adcode, hospital_id=hospital_id, on=on)
    if not said.permitted:
        raise ItemNotPermitted(item_code=item_code, rule=said.rule, reason=said.reason)


async def list_policies(
    tx: AsyncSession, paging: Paging, *, adcode: str | None = None, item_code: str | None = None
) -> Sequence[RegionalPolicy]:
    """Entries of the regional policy, newest first, one more than asked; of a district with all regions around it."""
    statement = select(RegionalPolicy)
    if adcode is not None:
        statement = statement.where(RegionalPolicy.adcode_prefix.in_(_around(adcode)))
    if item_code is not None:
        statement = statement.where(RegionalPolicy.item_code == item_code)
    return (await tx.scalars(newest_first(statement, RegionalPolicy.id, RegionalPolicyId, paging))).all()


async def lock_policy(tx: AsyncSession, policy_id: RegionalPolicyId) -> RegionalPolicy:
    """One entry, locked. Raises NotFound."""
    locked = select(RegionalPolicy).where(RegionalPolicy.id == policy_id).with_for_update()
    policy = (await tx.scalars(locked.execution_options(populate_existing=True))).one_or_none()
    if policy is None:
        raise NotFound
    return policy
