"""Named selects of bookings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import JSON, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from yiyuebao_api.domains.bookings.models import Assessment, Booking, BookingLine, BookingMove, Review
from yiyuebao_api.domains.bookings.rules import LIVE, BilledLine, BookingState, Commitments, Decision
from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceVersion
from yiyuebao_api.domains.hospitals.models import Hospital, Site
from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.domains.patients.rules import point_of
from yiyuebao_api.domains.schedules.models import Pool, PoolService
from yiyuebao_api.domains.schedules.queries import Draw
from yiyuebao_api.kernel.ids import AccountId, AddressId, BookingId, HospitalId, PatientId, ReviewId, ServiceId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.reading import Asks, Read, Reader, one_of, padded, rows_of


async def lock_booking(tx: AsyncSession, booking_id: BookingId) -> Booking:
    """The one way to lock a booking; every write that depends on its state starts here. Raises NotFound."""
    locked = select(Booking).where(Booking.id == booking_id).with_for_update()
    found = (await tx.scalars(locked.execution_options(populate_existing=True))).one_or_none()
    if found is None:
        raise NotFound
    return found


async def require_own_booking(tx: AsyncSession, account_id: AccountId, booking_id: BookingId) -> Booking:
    """The booking of this account, or 404."""
    found = await tx.get(Booking, booking_id)
    if found is None or found.account_id != account_id:
        raise NotFound
    return found


async def require_hospital_booking(tx: AsyncSession, hospital_id: HospitalId, booking_id: BookingId) -> Booking:
    """The booking at this hospital, or 404; one that was never paid is nobody's business there."""
    found = await tx.get(Booking, booking_id)
    if found is None or found.hospital_id != hospital_id or found.paid_at is None:
        raise NotFound
    return found


#: Built once and read as plain rows: every answer with a booking in it asks this.
_LINES = (
    select(BookingLine.booking_id, BookingLine.kind, BookingLine.amount_fen)
    .where(BookingLine.booking_id.in_(bindparam("booking_ids", expanding=True)))
    .order_by(BookingLine.position)
)


async def lines_of(tx: AsyncSession, booking_ids: Sequence[BookingId]) -> dict[BookingId, list[BilledLine]]:
    """Price lines of some bookings, in the order of the bill, with one select."""
    found: dict[BookingId, list[BilledLine]] = {each: [] for each in booking_ids}
    if not booking_ids:
        return found
    for booking_id, kind, amount in await tx.execute(_LINES, {"booking_ids": booking_ids}):
        found[booking_id].append(BilledLine(kind, amount))
    return found


#: A booking with its bill in one row: the app asks for it every few seconds while somebody waits.
WITH_BILL = Read(
    select(
        *Booking.__table__.columns,
        select(
            func.json_arrayagg(func.json_array(BookingLine.position, BookingLine.kind, BookingLine.amount_fen), type_=JSON)
        )
        .where(BookingLine.booking_id == Booking.id)
        .scalar_subquery()
        .label("bill"),
    ).where(Booking.id == bindparam("booking_id"))
)


async def read_own_booking(
    reader: Reader, account_id: AccountId, booking_id: BookingId
) -> tuple[Booking, list[BilledLine]]:
    """The booking of this account with its bill, to be shown and nothing else; or 404."""
    row = await reader.one(WITH_BILL, booking_id=booking_id)
    if row is None or row.account_id != account_id:
        raise NotFound
    return cast("Booking", row), [BilledLine(kind, Fen(amount)) for _, kind, amount in sorted(row.bill)]


@dataclass(frozen=True, slots=True)
class Wished:
    """The rows that a wish names, read and not to be changed; None for what is not there."""

    service: Service
    version: ServiceVersion | None
    hospital: Hospital
    site: Site
    patient: Patient | None
    address: Address | None
    draw: Draw | None  # at the wished place


_WISHED_PARTS: Mapping[str, Sequence[InstrumentedAttribute[Any]]] = {
    "service": (
        Service.id, Service.hospital_id, Service.site_id, Service.code, Service.state,
    ),
    "version": (
        ServiceVersion.id, ServiceVersion.name, ServiceVersion.place, ServiceVersion.duration_min,
        ServiceVersion.buffer_before_min, ServiceVersion.buffer_after_min, ServiceVersion.lead_minutes,
        ServiceVersion.season_from, ServiceVersion.season_until, ServiceVersion.screening, ServiceVersion.tips,
        ServiceVersion.cautions, ServiceVersion.visit_fee_fen, ServiceVersion.item_fee_fen,
        ServiceVersion.material_fee_fen, ServiceVersion.travel_fee_fen,
    ),
    "hospital": (Hospital.id, Hospital.name, Hospital.state, Hospital.licence_valid_until),
    "site": (Site.id, Site.lat, Site.lng, Site.radius_m, Site.adcodes, Site.open_for_home),
    "patient": (
        Patient.id, Patient.account_id, Patient.name, Patient.phone, Patient.real_name, Patient.deleted_at,
    ),
    "address": (
        Address.id, Address.account_id, Address.recipient, Address.phone, Address.adcode, Address.district,
        Address.detail, Address.coordinates, Address.deleted_at,
    ),
    "pool": (Pool.id, Pool.version),
}  # fmt: skip
_WISHED = Read(
    select(*(column.label(f"{part}_{column.key}") for part, columns in _WISHED_PARTS.items() for column in columns))
    .select_from(Service)
    .outerjoin(ServiceVersion, ServiceVersion.id == Service.current)
    .join(Hospital, Hospital.id == Service.hospital_id)
    .join(Site, Site.id == Service.site_id)
    .outerjoin(Patient, Patient.id == bindparam("patient_id"))
    .outerjoin(Address, Address.id == bindparam("address_id"))
    .outerjoin(PoolService, and_(PoolService.service_id == Service.id, PoolService.place == bindparam("place")))
    .outerjoin(Pool, Pool.id == PoolService.pool_id)
    .where(Service.id == bindparam("service_id"))
)


async def require_wished(
    asks: Asks, service_id: ServiceId, place: Place, patient_id: PatientId, address_id: AddressId | None
) -> Wished:
    """Everything a wish is judged by that has a key in it, with one select. Raises NotFound."""
    row = await one_of(
        asks, _WISHED, service_id=service_id, place=place, patient_id=patient_id, address_id=address_id
    )
    if row is None:
        raise NotFound
    parts: dict[str, Any] = {}
    for part, columns in _WISHED_PARTS.items():
        found = SimpleNamespace(**{column.key: getattr(row, f"{part}_{column.key}") for column in columns})
        parts[part] = None if found.id is None else found
    if (address := parts["address"]) is not None:
        address.point = point_of(address.coordinates)
    pool = parts.pop("pool")
    return Wished(**parts, draw=None if pool is None else Draw(pool.id, pool.version))


async def list_own(tx: AsyncSession, account_id: AccountId, paging: Paging) -> Sequence[Booking]:
    statement = newest_first(select(Booking).where(Booking.account_id == account_id), Booking.id, BookingId, paging)
    return (await tx.scalars(statement)).all()


async def list_of_hospital(
    tx: AsyncSession, hospital_id: HospitalId, state: BookingState | None, paging: Paging
) -> Sequence[Booking]:
    """Paid bookings of a hospital, newest first."""
    statement = select(Booking).where(Booking.hospital_id == hospital_id, Booking.paid_at.is_not(None))
    if state is not None:
        statement = statement.where(Booking.state == state)
    return (await tx.scalars(newest_first(statement, Booking.id, BookingId, paging))).all()


_COMMITTED = (
    "SELECT account_id, NULL, NULL, NULL FROM booking WHERE account_id IN ({0}) AND state = 'held' AND hold_until > %s"
    " UNION ALL SELECT NULL, patient_id, starts_at, ends_at FROM booking WHERE patient_id IN ({1})"
    " AND starts_at < %s AND ends_at > %s AND state IN ({2}) AND (state <> 'held' OR hold_until > %s)"
)


async def commitments_of(
    asks: Asks, account_ids: Iterable[AccountId], patient_ids: Iterable[PatientId], first: datetime, last: datetime, *,
    now: datetime,
) -> Commitments:  # fmt: skip
    """The unpaid holds of some accounts, and the live bookings of some patients in that time, with one select."""
    accounts, patients = (padded([each.bytes for each in set(ids)]) for ids in (account_ids, patient_ids))
    statement = _COMMITTED.format(*(",".join(["%s"] * len(each)) for each in (accounts, patients, LIVE)))
    start, end, moment = (each.astimezone(UTC).replace(tzinfo=None) for each in (first, last, now))
    found = Commitments()
    live = [state.value for state in LIVE]
    for account, patient, starts_at, ends_at in await rows_of(
        asks, statement, [*accounts, moment, *patients, end, start, *live, moment]
    ):
        if account is not None:
            found.holds[AccountId.of(account)] += 1
        else:
            found.times[PatientId.of(patient)].append((starts_at.replace(tzinfo=UTC), ends_at.replace(tzinfo=UTC)))
    return found


async def overlaps(
    tx: AsyncSession, patient_id: PatientId, starts_at: datetime, ends_at: datetime, now: datetime, *,
    but: BookingId | None = None,
) -> bool:  # fmt: skip
    """Whether the patient has another live booking in that time; `but` is the one that is being moved."""
    found = select(Booking.state, Booking.hold_until).where(
        Booking.patient_id == patient_id, Booking.starts_at < ends_at, Booking.ends_at > starts_at, Booking.state.in_(LIVE)
    )
    if but is not None:
        found = found.where(Booking.id != but)
    return any(
        state is not BookingState.HELD or hold_until > now for state, hold_until in (await tx.execute(found)).all()
    )


async def timeline_of(tx: AsyncSession, booking_id: BookingId) -> Sequence[BookingMove]:
    return (
        await tx.scalars(select(BookingMove).where(BookingMove.booking_id == booking_id).order_by(BookingMove.id))
    ).all()


async def find_review(tx: AsyncSession, booking_id: BookingId) -> Review | None:
    """The review of a booking."""
    return (await tx.scalars(select(Review).where(Review.booking_id == booking_id))).one_or_none()


async def require_review(tx: AsyncSession, booking_id: BookingId) -> Review:
    """The review of a booking. Raises NotFound."""
    found = await find_review(tx, booking_id)
    if found is None:
        raise NotFound
    return found


async def lock_review(tx: AsyncSession, review_id: ReviewId, hospital_id: HospitalId | None = None) -> Review:
    """A review, locked; with a hospital only its own. Raises NotFound."""
    locked = select(Review).where(Review.id == review_id).with_for_update()
    found = (await tx.scalars(locked.execution_options(populate_existing=True))).one_or_none()
    if found is None or hospital_id not in (None, found.hospital_id):
        raise NotFound
    return found


async def list_reviews_of_service(tx: AsyncSession, service_id: ServiceId, paging: Paging) -> Sequence[Review]:
    """What is shown of a service, newest first, one more than asked."""
    shown = select(Review).where(Review.service_id == service_id, Review.folded_at.is_(None))
    return (await tx.scalars(newest_first(shown, Review.id, ReviewId, paging))).all()


async def list_reviews_of_hospital(tx: AsyncSession, hospital_id: HospitalId, paging: Paging) -> Sequence[Review]:
    """All of a hospital, folded ones too, newest first, one more than asked."""
    every = select(Review).where(Review.hospital_id == hospital_id)
    return (await tx.scalars(newest_first(every, Review.id, ReviewId, paging))).all()


async def done_at(tx: AsyncSession, booking_id: BookingId) -> datetime | None:
    """When the visit was done, by the booking's history."""
    done = select(func.min(BookingMove.at)).where(
        BookingMove.booking_id == booking_id, BookingMove.to_state == BookingState.DONE
    )
    found: datetime | None = (await tx.scalars(done)).one_or_none()
    return found


async def standing_assessments(
    tx: AsyncSession, booking: Booking, category_code: str, at: datetime
) -> Sequence[Assessment]:
    """First assessments that allow this patient this category at home and hold at that time, locked."""
    standing = select(Assessment).where(
        Assessment.patient_id == booking.patient_id, Assessment.hospital_id == booking.hospital_id,
        Assessment.category_code == category_code, Assessment.decision == Decision.HOME_OK,
        Assessment.voided_at.is_(None), Assessment.valid_until > at,
    ).order_by(Assessment.id)  # fmt: skip
    return (await tx.scalars(standing.with_for_update().execution_options(populate_existing=True))).all()
