"""What desks and the operator can do with hospitals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pyotp
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts import service as accounts
from yiyuebao_api.domains.hospitals import queries, rules
from yiyuebao_api.domains.hospitals.events import HospitalChanged, SiteChanged
from yiyuebao_api.domains.hospitals.models import (
    DeskMember,
    Hospital,
    HospitalLevel,
    HospitalMove,
    HospitalState,
    LicenceReview,
    LicenceReviewState,
    Site,
)
from yiyuebao_api.domains.hospitals.problems import (
    HospitalNotReady,
    LicenceExpired,
    MerchantTaken,
    NoLicenceToReview,
    UsccTaken,
)
from yiyuebao_api.domains.hospitals.schemas import (
    HospitalIn,
    LicenceIn,
    MerchantIn,
    OwnHospitalIn,
    RegistrationIn,
    SiteIn,
)
from yiyuebao_api.kernel import clock, secrets
from yiyuebao_api.kernel.database import is_duplicate
from yiyuebao_api.kernel.editing import Precondition
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import AccountId, HospitalId, RowId, SiteId
from yiyuebao_api.kernel.tokens import Mode


def _day(now: datetime) -> date:
    return now.astimezone(clock.SHANGHAI).date()


async def missing_of(
    tx: AsyncSession, hospital: Hospital, *, merchant_needed: bool, now: datetime
) -> Sequence[rules.Requirement]:
    """What a hospital still lacks before it can open."""
    return rules.missing_to_open(
        licence_no=hospital.licence_no, licence_valid_until=hospital.licence_valid_until, home_mode=hospital.home_mode,
        sites=await queries.count_sites(tx, hospital.id), sub_mchid=hospital.sub_mchid,
        merchant_needed=merchant_needed, today=_day(now),
    )  # fmt: skip


async def _flush(tx: AsyncSession) -> None:
    """Raises UsccTaken, MerchantTaken."""
    try:
        await tx.flush()
    except IntegrityError as error:
        if is_duplicate(error, "uq_hospital_uscc"):
            raise UsccTaken from None
        if is_duplicate(error, "uq_hospital_sub_mchid"):
            raise MerchantTaken from None
        raise


# ── the desk ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def edit_own_hospital(
    tx: AsyncSession, hospital_id: HospitalId, body: OwnHospitalIn, expected: Precondition
) -> Hospital:
    """Replace what a desk may say about itself."""
    hospital = await queries.lock_hospital(tx, hospital_id)
    expected.require(hospital.version)
    hospital.intro, hospital.phone, hospital.opening = body.intro, body.phone, body.opening
    hospital.departments = list(body.departments)
    hospital.version += 1
    await announce(tx, HospitalChanged(hospital.id))
    return hospital


async def add_site(tx: AsyncSession, hospital_id: HospitalId, body: SiteIn, *, now: datetime) -> Site:
    """Give a hospital one more site."""
    await queries.require_hospital(tx, hospital_id)
    site = Site(id=SiteId.new(), hospital_id=hospital_id, version=1, created_at=now, **_told(body))
    tx.add(site)
    await tx.flush()
    await announce(tx, SiteChanged(site.id))
    return site


async def edit_site(
    tx: AsyncSession, hospital_id: HospitalId, site_id: SiteId, body: SiteIn, expected: Precondition
) -> Site:
    """Replace a site and its service area; places already booked stay booked (the address is checked at the order)."""
    site = await queries.lock_site_of(tx, hospital_id, site_id)
    expected.require(site.version)
    for name, value in _told(body).items():
        setattr(site, name, value)
    site.version += 1
    await announce(tx, SiteChanged(site.id))
    return site


def _told(body: SiteIn) -> dict[str, Any]:
    point = body.point()
    return {
        "name": body.name, "adcode": body.adcode, "address": body.address, "lat": point.lat, "lng": point.lng,
        "radius_m": body.radius_m, "adcodes": list(body.adcodes), "open_for_home": body.open_for_home,
    }  # fmt: skip


async def propose_licence(
    tx: AsyncSession, hospital_id: HospitalId, account_id: AccountId, body: LicenceIn, *, now: datetime
) -> LicenceReview:
    """Ask the operator to check a new licence; one that already waits is replaced. Raises LicenceExpired."""
    if body.licence_valid_until <= _day(now):
        raise LicenceExpired
    await queries.lock_hospital(tx, hospital_id)
    review = await queries.find_pending_licence(tx, hospital_id)
    if review is None:
        review = LicenceReview(
            id=RowId.new(), hospital_id=hospital_id, state=LicenceReviewState.PENDING, reason=None, decided_by=None,
            decided_at=None,
        )  # fmt: skip
        tx.add(review)
    review.licence_no, review.licence_valid_until = body.licence_no, body.licence_valid_until
    review.submitted_by, review.submitted_at = account_id, now
    await tx.flush()
    return review


# ── the operator ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def onboard_hospital(
    tx: AsyncSession, body: HospitalIn, *, account_id: AccountId | None, now: datetime
) -> Hospital:
    """Register a hospital as a draft. Raises UsccTaken, MerchantTaken."""
    hospital = Hospital(
        id=HospitalId.new(), name=body.name, level=body.level, intro=body.intro, phone=body.phone,
        opening=body.opening, departments=[], state=HospitalState.DRAFT, uscc=body.uscc, licence_no=body.licence_no,
        licence_valid_until=body.licence_valid_until, licence_checked_at=None, home_mode=body.home_mode,
        sub_mchid=body.sub_mchid, sub_appid=body.sub_appid, version=1, created_at=now,
    )  # fmt: skip
    tx.add(hospital)
    await _flush(tx)
    _remember(tx, hospital, None, account_id, now)
    return hospital


async def edit_registration(
    tx: AsyncSession, hospital_id: HospitalId, body: RegistrationIn, expected: Precondition, *, now: datetime
) -> Hospital:
    """Correct what was registered. An open hospital cannot lose its licence or home mode this way. Raises UsccTaken."""
    hospital = await queries.lock_hospital(tx, hospital_id)
    expected.require(hospital.version)
    level: HospitalLevel = body.level
    hospital.name, hospital.level, hospital.uscc = body.name, level, body.uscc
    hospital.licence_no, hospital.licence_valid_until = body.licence_no, body.licence_valid_until
    hospital.home_mode = body.home_mode
    hospital.version += 1
    await _flush(tx)
    if hospital.state is HospitalState.OPEN:
        _require_nothing_missing(await missing_of(tx, hospital, merchant_needed=False, now=now))
    await announce(tx, HospitalChanged(hospital.id))
    return hospital


async def set_merchant(tx: AsyncSession, hospital_id: HospitalId, body: MerchantIn, expected: Precondition) -> Hospital:
    """Say who is paid for this hospital (RULE-71); payments under way keep theirs. Raises MerchantTaken."""
    hospital = await queries.lock_hospital(tx, hospital_id)
    expected.require(hospital.version)
    hospital.sub_mchid, hospital.sub_appid = body.sub_mchid, body.sub_appid
    hospital.version += 1
    await _flush(tx)
    await announce(tx, HospitalChanged(hospital.id))
    return hospital


async def open_hospital(
    tx: AsyncSession, hospital_id: HospitalId, *, merchant_needed: bool, account_id: AccountId | None, now: datetime
) -> Hospital:
    """Let patients see and book it, again after a suspension too. Raises HospitalStateRefused, HospitalNotReady."""
    hospital = await queries.lock_hospital(tx, hospital_id)
    rules.check_move(hospital.state, HospitalState.OPEN)
    _require_nothing_missing(await missing_of(tx, hospital, merchant_needed=merchant_needed, now=now))
    hospital.state, hospital.licence_checked_at = HospitalState.OPEN, now
    hospital.version += 1
    _remember(tx, hospital, None, account_id, now)
    await announce(tx, HospitalChanged(hospital.id))
    return hospital


async def suspend_hospital(
    tx: AsyncSession, hospital_id: HospitalId, reason: str, *, account_id: AccountId | None, now: datetime
) -> Hospital:
    """Take it off the lists; what was booked stays booked. Raises HospitalStateRefused."""
    hospital = await queries.lock_hospital(tx, hospital_id)
    rules.check_move(hospital.state, HospitalState.SUSPENDED)
    hospital.state = HospitalState.SUSPENDED
    hospital.version += 1
    _remember(tx, hospital, reason, account_id, now)
    await announce(tx, HospitalChanged(hospital.id))
    return hospital


async def approve_licence(
    tx: AsyncSession, hospital_id: HospitalId, *, account_id: AccountId, now: datetime
) -> Hospital:
    """The proposed licence is good: it is the one in force from now on. Raises NoLicenceToReview, LicenceExpired."""
    hospital = await queries.lock_hospital(tx, hospital_id)
    review = await _decided(tx, hospital_id, LicenceReviewState.APPROVED, None, account_id, now)
    if review.licence_valid_until < _day(now):
        raise LicenceExpired
    hospital.licence_no, hospital.licence_valid_until = review.licence_no, review.licence_valid_until
    hospital.licence_checked_at = now
    hospital.version += 1
    await tx.flush()
    await announce(tx, HospitalChanged(hospital.id))
    return hospital


async def refuse_licence(
    tx: AsyncSession, hospital_id: HospitalId, reason: str, *, account_id: AccountId, now: datetime
) -> Hospital:
    """The proposed licence is not good; the one in force stays. Raises NoLicenceToReview."""
    hospital = await queries.lock_hospital(tx, hospital_id)
    await _decided(tx, hospital_id, LicenceReviewState.REFUSED, reason, account_id, now)
    await tx.flush()
    return hospital


async def _decided(
    tx: AsyncSession,
    hospital_id: HospitalId,
    state: LicenceReviewState,
    reason: str | None,
    by: AccountId,
    now: datetime,
) -> LicenceReview:
    review = await queries.find_pending_licence(tx, hospital_id)
    if review is None:
        raise NoLicenceToReview
    review.state, review.reason, review.decided_by, review.decided_at = state, reason, by, now
    return review


def _require_nothing_missing(missing: Sequence[rules.Requirement]) -> None:
    if missing:
        raise HospitalNotReady(missing=[each.value for each in missing])


def _remember(
    tx: AsyncSession, hospital: Hospital, reason: str | None, account_id: AccountId | None, now: datetime
) -> None:
    tx.add(
        HospitalMove(
            id=RowId.new(), hospital_id=hospital.id, state=hospital.state, reason=reason, account_id=account_id, at=now
        )
    )


async def add_desk_member(
    tx: AsyncSession, hospital_id: HospitalId, *, login: str, name: str, password: str | None = None,
    password_hash: str | None = None, totp_secret: str | None, now: datetime,
) -> DeskMember:  # fmt: skip
    """An account that signs in at a hospital's desk. Raises what `accounts.create_staff` raises for a login in use."""
    await queries.require_hospital(tx, hospital_id)
    hashed = password_hash if password_hash is not None else await secrets.hash_password(password or "")
    account = await accounts.create_staff(
        tx, login=login, password_hash=hashed, totp_secret=totp_secret, mode=Mode.DESK, hospital_id=hospital_id, now=now
    )
    member = DeskMember(
        account_id=account.id, hospital_id=hospital_id, name=name, login=login, created_at=now, removed_at=None
    )
    tx.add(member)
    await tx.flush()
    return member


async def remove_desk_member(
    tx: AsyncSession, hospital_id: HospitalId, account_id: AccountId, *, now: datetime
) -> None:
    """Their right ends now; what they did stays in the history. Raises NotFound."""
    member = await queries.require_desk_member(tx, hospital_id, account_id)
    member.removed_at = now
    await accounts.revoke_role(tx, account_id, Mode.DESK, hospital_id=hospital_id, now=now)


def new_credentials() -> tuple[str, str]:
    """A first password and a TOTP secret, shown once."""
    return secrets.new_token()[:20], pyotp.random_base32()
