"""What a visit would be, holding its place, and moving it to another time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts import queries as accounts
from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.problems import (
    AddressNeeded,
    BookingExpired,
    OutOfArea,
    PatientAlreadyBooked,
    PatientNotVerified,
    PlaceNotOffered,
    ScreeningIncomplete,
)
from yiyuebao_api.domains.bookings.rules import (
    AWAITED,
    ActorKind,
    BookingState,
    Policy,
    Told,
    check_reschedule,
    effective,
    missing_proofs,
    screen,
)
from yiyuebao_api.domains.bookings.service.ending import RESCHEDULABLE, require_state
from yiyuebao_api.domains.bookings.service.proofs import require_proof
from yiyuebao_api.domains.bookings.service.staff import require_staff
from yiyuebao_api.domains.bookings.service.telling import note, tell_hospital
from yiyuebao_api.domains.bookings.service.waiting import await_hospital
from yiyuebao_api.domains.catalogue import rules as catalogue
from yiyuebao_api.domains.catalogue.models import Service, ServiceVersion
from yiyuebao_api.domains.catalogue.queries import check_offer, require_offer, require_version
from yiyuebao_api.domains.catalogue.rules import Place, PriceLine, Screening
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.hospitals.models import Hospital, Site
from yiyuebao_api.domains.hospitals.rules import ServiceArea, covers
from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.domains.patients.queries import require_own
from yiyuebao_api.domains.patients.rules import RealName, Sex
from yiyuebao_api.domains.schedules import service as schedules
from yiyuebao_api.domains.schedules.problems import SlotNotOffered
from yiyuebao_api.domains.schedules.queries import Draw
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.kernel.ids import (
    AccountId,
    AddressId,
    BookingId,
    ClaimId,
    PatientId,
    ServiceId,
    ServiceVersionId,
)
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.problems import Words
from yiyuebao_api.kernel.reading import Asks
from yiyuebao_api.settings import Business


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for. There is no price in it."""

    service_id: ServiceId
    place: Place
    starts_at: datetime
    patient_id: PatientId
    address_id: AddressId | None
    told: Told
    quoted: ServiceVersionId | None = None
    staff_sex: Sex | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What the wish amounts to, judged by today's rows."""

    service: Service
    version: ServiceVersion
    hospital: Hospital
    patient: Patient
    address: Address | None
    lines: Sequence[PriceLine]
    total_fen: Fen
    ends_at: datetime
    policy: Policy
    review: Sequence[str]
    proofs: Sequence[File]
    draw: Draw | None


async def quote_booking(tx: AsyncSession, account_id: AccountId, wish: Wish, business: Business, *, now: datetime) -> Offer:
    """Everything the patient must know before paying; saves nothing, and refuses what booking would refuse."""
    offer = await judge_wish(tx, account_id, wish, business, now=now)
    await _check_patient(tx, wish.patient_id, wish.starts_at, offer.ends_at, now)
    day = clock.today(wish.starts_at)
    slots = await schedules.list_slots(
        tx, wish.service_id, first=day, last=day + timedelta(days=1), place=wish.place, now=now
    )
    if not any(slot.starts_at == wish.starts_at and slot.left > 0 for slot in slots):
        raise SlotNotOffered
    return offer


async def reschedule_booking(
    tx: AsyncSession, booking_id: BookingId, starts_at: datetime, *, account_id: AccountId, now: datetime
) -> Booking:
    """Free the old time and take the new one in one step; content and price stay (B12, RULE-66).

    Until somebody is assigned, in good time before the old start and not too often, to a slot that is free and still
    offered. Locks the booking, the account (its patients' other bookings are looked at), then the schedule's days.
    Raises BookingStateRefused, BookingExpired, TooLateToReschedule, RescheduledTooOften, ServiceNotOffered, SlotTaken,
    SlotNotOffered, PatientAlreadyBooked, StaffSexNotOffered.
    """
    booking = await queries.lock_booking(tx, booking_id)
    if effective(booking.state, booking.hold_until, now) is BookingState.EXPIRED:
        raise BookingExpired
    require_state(booking, RESCHEDULABLE)
    check_reschedule(Policy.of(booking.policy), booking.starts_at, booking.reschedules, now)
    await accounts.lock_account(tx, booking.account_id)
    new_end = starts_at + (booking.ends_at - booking.starts_at)
    if await queries.overlaps(tx, booking.patient_id, starts_at, new_end, now, but=booking.id):
        raise PatientAlreadyBooked
    service, _ = await require_offer(tx, booking.service_id, on=starts_at.astimezone(clock.SHANGHAI).date())
    await require_staff(tx, booking.hospital_id, booking.staff_sex, starts_at.astimezone(clock.SHANGHAI).date())
    version = await require_version(tx, booking.service_version_id)
    claim_id = ClaimId.new()
    claim = await schedules.claim_place(
        tx, service=schedules.need_of(service, version), place=booking.place, starts_at=starts_at, claim_id=claim_id,
        held_until=booking.hold_until, now=now, subject=str(booking.id), instead_of=booking.claim_id,
    )  # fmt: skip
    booking.claim_id, booking.starts_at, booking.ends_at = claim_id, claim.starts_at, new_end
    booking.reschedules += 1
    note(tx, booking, booking.state, booking.state, actor=ActorKind.PATIENT, actor_id=account_id, reason="改期", now=now)
    if booking.state in AWAITED:
        await await_hospital(tx, booking, now=now)
    if booking.paid_at is not None:
        await tell_hospital(tx, booking, "booking.rescheduled", Words("患者改期", "Time changed"), now=now)
    await tx.flush()
    return booking


async def judge_wish(asks: Asks, account_id: AccountId, wish: Wish, business: Business, *, now: datetime) -> Offer:
    """What a wish amounts to, with one select for all that it names; the time and the patient's other bookings apart."""
    day = wish.starts_at.astimezone(clock.SHANGHAI).date()
    wished = await queries.require_wished(asks, wish.service_id, wish.place, wish.patient_id, wish.address_id)
    service, patient = wished.service, require_own(wished.patient, account_id)
    if patient.real_name is not RealName.VERIFIED:
        raise PatientNotVerified
    if (wish.place is Place.HOME) != (wish.address_id is not None):
        raise AddressNeeded
    version = check_offer(service, wished.version, wished.hospital, on=day)
    if wish.place is Place.BOTH or wish.place not in catalogue.places_of(version.place):
        raise PlaceNotOffered
    asked = Screening.of(version.screening)
    review = screen(asked, wish.told, wish.place)
    proofs = [await require_proof(asks, account_id, each) for each in wish.told.proof_ids]
    if wish.place is Place.HOME:
        missing = missing_proofs(asked, [(each.purpose, each.created_at) for each in proofs], now)
        if missing:
            raise ScreeningIncomplete(missing=missing)
    await require_staff(asks, service.hospital_id, wish.staff_sex, day)
    address = None
    if wish.address_id is not None:
        address = require_own(wished.address, account_id)
        if not wished.site.open_for_home or not covers(_area(wished.site), address.point, address.adcode):
            raise OutOfArea
    lines = catalogue.price_lines(version, wish.place)
    total = Fen(sum(line.amount_fen for line in lines))
    if not total:  # at the hospital only item and material are charged, and WeChat takes no zero
        raise PlaceNotOffered
    policy = Policy(
        release_after_days=business.release_after_days, platform_rate_bp=business.platform_rate_bp,
        accept_within_minutes=business.accept_within_minutes,
        accept_before_start_minutes=business.accept_before_start_minutes,
        accept_reminder_minutes=business.accept_reminder_minutes,
        assign_before_start_minutes=business.assign_before_start_minutes, come_within_minutes=business.come_within_minutes,
    )  # fmt: skip
    ends_at = wish.starts_at + timedelta(minutes=version.duration_min)
    return Offer(service, version, wished.hospital, patient, address, lines, total, ends_at, policy, review, proofs, wished.draw)


def _area(site: Site) -> ServiceArea:
    return ServiceArea(Point(site.lat, site.lng), site.radius_m, tuple(site.adcodes))


async def _check_patient(
    tx: AsyncSession, patient_id: PatientId, starts_at: datetime, ends_at: datetime, now: datetime
) -> None:
    if await queries.overlaps(tx, patient_id, starts_at, ends_at, now):
        raise PatientAlreadyBooked
