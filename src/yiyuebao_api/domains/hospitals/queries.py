"""Named selects over hospitals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.hospitals.models import (
    DeskMember,
    Hospital,
    HospitalMove,
    HospitalState,
    LicenceReview,
    LicenceReviewState,
    Site,
)
from yiyuebao_api.domains.hospitals.rules import adcode_range, is_open
from yiyuebao_api.kernel.ids import AccountId, HospitalId, RowId, SiteId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound


async def require_hospital(tx: AsyncSession, hospital_id: HospitalId) -> Hospital:
    """In any state. Raises NotFound."""
    hospital = await tx.get(Hospital, hospital_id)
    if hospital is None:
        raise NotFound
    return hospital


async def require_open_hospital(tx: AsyncSession, hospital_id: HospitalId, *, on: date) -> Hospital:
    """A hospital that patients may see on that Shanghai day. Raises NotFound."""
    hospital = await require_hospital(tx, hospital_id)
    if not is_open(hospital, on):
        raise NotFound
    return hospital


async def lock_hospital(tx: AsyncSession, hospital_id: HospitalId) -> Hospital:
    """The hospital's row, locked. Raises NotFound."""
    locked = select(Hospital).where(Hospital.id == hospital_id).with_for_update()
    hospital = (await tx.scalars(locked.execution_options(populate_existing=True))).one_or_none()
    if hospital is None:
        raise NotFound
    return hospital


async def list_open_hospitals(
    tx: AsyncSession, paging: Paging, *, adcode_prefix: str | None, on: date
) -> Sequence[Hospital]:
    """Hospitals that are open on that day and have a site in that region, newest first, one more than asked."""
    statement = select(Hospital).where(Hospital.state == HospitalState.OPEN, Hospital.licence_valid_until >= on)
    if adcode_prefix is not None:
        first, last = adcode_range(adcode_prefix)
        statement = statement.where(Hospital.id.in_(select(Site.hospital_id).where(Site.adcode.between(first, last))))
    return (await tx.scalars(newest_first(statement, Hospital.id, HospitalId, paging))).all()


async def list_hospitals(tx: AsyncSession, paging: Paging, *, state: HospitalState | None) -> Sequence[Hospital]:
    """All hospitals, or those in one state, newest first, one more than asked."""
    statement = select(Hospital)
    if state is not None:
        statement = statement.where(Hospital.state == state)
    return (await tx.scalars(newest_first(statement, Hospital.id, HospitalId, paging))).all()


async def require_site(tx: AsyncSession, site_id: SiteId) -> Site:
    """Raises NotFound."""
    site = await tx.get(Site, site_id)
    if site is None:
        raise NotFound
    return site


async def require_site_of(tx: AsyncSession, hospital_id: HospitalId, site_id: SiteId) -> Site:
    """A site of that hospital; another hospital's is not there. Raises NotFound."""
    site = await require_site(tx, site_id)
    if site.hospital_id != hospital_id:
        raise NotFound
    return site


async def lock_site_of(tx: AsyncSession, hospital_id: HospitalId, site_id: SiteId) -> Site:
    """A site of that hospital, locked. Raises NotFound."""
    locked = (
        select(Site).where(Site.id == site_id, Site.hospital_id == hospital_id).with_for_update()
        .execution_options(populate_existing=True)
    )  # fmt: skip
    site = (await tx.scalars(locked)).one_or_none()
    if site is None:
        raise NotFound
    return site


async def sites_of(tx: AsyncSession, hospital_ids: Iterable[HospitalId]) -> dict[HospitalId, list[Site]]:
    """The sites of some hospitals, oldest first; a hospital without one has an empty list."""
    wanted = list(hospital_ids)
    found: dict[HospitalId, list[Site]] = {hospital_id: [] for hospital_id in wanted}
    for site in await tx.scalars(select(Site).where(Site.hospital_id.in_(wanted)).order_by(Site.id)):
        found[site.hospital_id].append(site)
    return found


async def count_sites(tx: AsyncSession, hospital_id: HospitalId) -> int:
    """How many sites a hospital has."""
    return await tx.scalar(select(func.count()).select_from(Site).where(Site.hospital_id == hospital_id)) or 0


async def find_pending_licence(tx: AsyncSession, hospital_id: HospitalId) -> LicenceReview | None:
    """The licence of a hospital that waits for a decision."""
    waiting = select(LicenceReview).where(
        LicenceReview.hospital_id == hospital_id, LicenceReview.state == LicenceReviewState.PENDING
    )
    return (await tx.scalars(waiting.order_by(LicenceReview.id.desc()).limit(1))).one_or_none()


async def list_licence_reviews(
    tx: AsyncSession, paging: Paging, *, state: LicenceReviewState
) -> Sequence[LicenceReview]:
    """Proposed licences in one state, newest first, one more than asked."""
    statement = select(LicenceReview).where(LicenceReview.state == state)
    return (await tx.scalars(newest_first(statement, LicenceReview.id, RowId, paging))).all()


async def list_moves(tx: AsyncSession, hospital_id: HospitalId, paging: Paging) -> Sequence[HospitalMove]:
    """A hospital's history, newest first, one more than asked."""
    statement = select(HospitalMove).where(HospitalMove.hospital_id == hospital_id)
    return (await tx.scalars(newest_first(statement, HospitalMove.id, RowId, paging))).all()


async def list_desk_members(tx: AsyncSession, hospital_id: HospitalId, paging: Paging) -> Sequence[DeskMember]:
    """Who works at a hospital's desk today, newest first, one more than asked."""
    statement = select(DeskMember).where(DeskMember.hospital_id == hospital_id, DeskMember.removed_at.is_(None))
    return (await tx.scalars(newest_first(statement, DeskMember.account_id, AccountId, paging))).all()


async def require_desk_member(tx: AsyncSession, hospital_id: HospitalId, account_id: AccountId) -> DeskMember:
    """Raises NotFound."""
    member = await tx.get(DeskMember, account_id)
    if member is None or member.hospital_id != hospital_id or member.removed_at is not None:
        raise NotFound
    return member
