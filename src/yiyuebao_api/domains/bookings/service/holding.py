"""Holding a place: everything is looked up and written out before, then those who want the same day are served together.

The places of a pool's day are decided under one lock, so whoever books there waits for whoever came first. What a hold
needs before is read without a transaction; then the holds of one process for one day, as many as have come meanwhile,
share a transaction that locks the day, decides each by itself and writes them all: booking, claim, bill, history, the end
of the hold, and the answer under its Idempotency-Key, in one commit. Processes meet at the day's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from yiyuebao_api.domains.accounts import queries as accounts
from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Booking, BookingLine
from yiyuebao_api.domains.bookings.problems import QuoteOutdated
from yiyuebao_api.domains.bookings.rules import ActorKind, BilledLine, BookingState, Commitments
from yiyuebao_api.domains.bookings.service.offer import Offer, Wish, judge_wish
from yiyuebao_api.domains.bookings.service.telling import move_of
from yiyuebao_api.domains.consents.queries import find_missing, require_consents
from yiyuebao_api.domains.consents.rules import NEEDED_TO_BOOK
from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.schedules import service as schedules
from yiyuebao_api.domains.schedules.problems import SlotTaken
from yiyuebao_api.domains.schedules.service import Day, Seats, Want
from yiyuebao_api.kernel import clock, idempotency, outbox
from yiyuebao_api.kernel.database import Begin, is_away, is_duplicate
from yiyuebao_api.kernel.grouped import Grouped, GroupedBy
from yiyuebao_api.kernel.idempotency import Answered, RequestInProgress
from yiyuebao_api.kernel.ids import AccountId, BookingId, ClaimId, new_number
from yiyuebao_api.kernel.money import Fen, yuan
from yiyuebao_api.kernel.problems import Problem, Unauthenticated
from yiyuebao_api.kernel.reading import Asks
from yiyuebao_api.kernel.wire import Wire, insert_of
from yiyuebao_api.settings import Business

#: So many holds are decided in one transaction: its work keeps the loop, and all others, from theirs.
TOGETHER = 32


@dataclass(frozen=True, slots=True)
class Hold:
    """A booking that lacks nothing but its place."""

    booking: Booking
    lines: Sequence[BilledLine]
    want: Want
    proofs: Sequence[File]
    most: int  # unpaid ones of the account


@dataclass(frozen=True, slots=True)
class AskedHold:
    """A hold, and what is answered under which key once it is made."""

    hold: Hold
    answer: Answered | None = None


async def prepare_hold(
    asks: Asks, begin: Begin, account_id: AccountId, wish: Wish, business: Business, *, now: datetime
) -> Hold:
    """Everything about a hold but its place. Changes nothing and locks nothing; what is sold out is refused here.

    Raises the problems of the offer, QuoteOutdated, SlotTaken, SlotNotOffered, TooManyHolds, PatientAlreadyBooked,
    ConsentMissing.
    """
    offer = await judge_wish(asks, account_id, wish, business, now=now)
    if wish.quoted not in (None, offer.version.id):
        raise QuoteOutdated(
            total_fen=offer.total_fen, total=yuan(offer.total_fen), service_version_id=str(offer.version.id)
        )
    if await find_missing(asks, account_id, wish.patient_id, NEEDED_TO_BOOK) is not None:
        async with begin() as tx:  # says which notice to show
            await require_consents(tx, account_id, wish.patient_id, *NEEDED_TO_BOOK)
    fit = schedules.need_of(offer.service, offer.version).fit
    crew = await schedules.require_crew(asks, offer.draw, now=now)
    booking = _booking(account_id, wish, offer, now, hold_until=now + timedelta(minutes=business.hold_minutes))
    want = Want(crew, fit, wish.starts_at, booking.claim_id, booking.hold_until, str(booking.id))
    lines = [BilledLine(line.kind.value, line.amount_fen) for line in offer.lines]
    hold = Hold(booking, lines, want, offer.proofs, business.open_holds_per_account)
    try:
        await schedules.require_left(asks, want, now=now)
    except SlotTaken:
        _check(await _commitments(asks, [hold], now), hold)  # perhaps by this very patient
        raise
    return hold


def hold_line(begin: Callable[[], AbstractAsyncContextManager[Wire]]) -> GroupedBy[Day, AskedHold, Booking]:
    """Where holds of one process wait for each other, by the pool's day they want; await it with `want.day` and the hold."""

    async def serve(asked: Sequence[AskedHold]) -> Sequence[Booking | Exception]:
        try:
            async with begin() as wire:
                return await hold_together(wire, asked)
        except IntegrityError as error:
            if not is_duplicate(error, "PRIMARY"):
                raise
            raise RequestInProgress(retry_after=1) from None  # somebody was served under one of the keys meanwhile

    return GroupedBy[Day, AskedHold, Booking](
        lambda: Grouped(serve, hopeless=is_away, most=TOGETHER, lanes=1)
    )


async def hold_together(wire: Wire, asked: Sequence[AskedHold]) -> Sequence[Booking | Problem]:
    """Hold a place for each, in this order, until it is paid or fifteen minutes have passed; each is refused by itself.

    Locks the accounts (their holds are counted), then the schedule's days. Outcomes: the booking, TooManyHolds,
    PatientAlreadyBooked, SlotTaken, SlotNotOffered, RequestInProgress, Unauthenticated (the account was closed). Raises
    FileNotFound and, at the latest at the commit, IntegrityError for a key that is there: then nothing has happened to any.
    """
    holds = [each.hold for each in asked]
    now = max(hold.booking.created_at for hold in holds)
    active = await accounts.lock_active(wire, (hold.booking.account_id for hold in holds))
    commitments = await _commitments(wire, holds, now)
    seats = await schedules.lock_seats(wire, (hold.want.day for hold in holds), now=now)
    keys, outcomes, made = set[tuple[str, str]](), list[Booking | Problem](), list[AskedHold]()
    for each in asked:
        hold, booking = each.hold, each.hold.booking
        try:
            if booking.account_id not in active:
                raise Unauthenticated
            if each.answer is not None and each.answer.name in keys:
                raise RequestInProgress(retry_after=1)
            _check(commitments, hold)
            seats.take(hold.want)
        except Problem as refusal:
            outcomes.append(refusal)
            continue
        commitments.note(booking.account_id, booking.patient_id, booking.starts_at, booking.ends_at)
        keys |= {each.answer.name} if each.answer is not None else set()
        outcomes.append(booking)
        made.append(each)
    if made:
        await _write(wire, seats, made)
    return outcomes


async def _write(wire: Wire, seats: Seats, made: Sequence[AskedHold]) -> None:
    """All of it in one packet, with the commit."""
    holds = [each.hold for each in made]
    bookings = [hold.booking for hold in holds]
    await files.keep_all(wire, [proof.id for hold in holds for proof in hold.proofs])
    await idempotency.keep(wire, [each.answer for each in made if each.answer is not None])
    await seats.write(wire)
    await wire.put(*insert_of(bookings))
    await wire.put(*insert_of([
        BookingLine(booking_id=hold.booking.id, position=position, kind=line.kind, amount_fen=line.amount_fen)
        for hold in holds for position, line in enumerate(hold.lines)
    ]))  # fmt: skip
    await wire.put(*insert_of([
        move_of(each, None, BookingState.HELD, actor=ActorKind.PATIENT, actor_id=each.account_id, now=each.created_at)
        for each in bookings
    ]))  # fmt: skip
    await wire.put(*insert_of([
        outbox.job_of("bookings.expire", each.id, now=each.created_at, run_at=each.hold_until) for each in bookings
    ]))  # fmt: skip


async def _commitments(asks: Asks, holds: Sequence[Hold], now: datetime) -> Commitments:
    bookings = [hold.booking for hold in holds]
    return await queries.commitments_of(
        asks, (each.account_id for each in bookings), (each.patient_id for each in bookings),
        min(each.starts_at for each in bookings), max(each.ends_at for each in bookings), now=now,
    )  # fmt: skip


def _check(commitments: Commitments, hold: Hold) -> None:
    booking = hold.booking
    commitments.check(booking.account_id, booking.patient_id, booking.starts_at, booking.ends_at, most=hold.most)


def _booking(account_id: AccountId, wish: Wish, offer: Offer, now: datetime, *, hold_until: datetime) -> Booking:
    address, patient = offer.address, offer.patient
    snapshot = None
    if address is not None:
        snapshot = {
            "recipient": address.recipient, "phone": address.phone, "adcode": address.adcode,
            "district": address.district, "detail": address.detail, "lat": address.point.lat, "lng": address.point.lng,
        }  # fmt: skip
    return Booking(
        id=BookingId.new(), order_no=new_number("B" + now.astimezone(clock.SHANGHAI).strftime("%y%m%d")),
        account_id=account_id, patient_id=patient.id, hospital_id=offer.service.hospital_id, site_id=offer.service.site_id,
        service_id=offer.service.id, service_version_id=offer.version.id, service_code=offer.service.code,
        service_name=offer.version.name, place=wish.place, address_id=address.id if address else None, address=snapshot,
        contact={"name": patient.name, "phone": patient.phone}, note=wish.told.note,
        screening=wish.told.as_row(offer.review), staff_sex=wish.staff_sex, starts_at=wish.starts_at,
        ends_at=offer.ends_at, state=BookingState.HELD, visit_stage=None, hold_until=hold_until, claim_id=ClaimId.new(),
        total_fen=offer.total_fen, policy=offer.policy.as_row(), payment_id=None, paid_at=None, act_by=None,
        reminded_at=None, reschedules=0, refunded_fen=Fen(0), refund_due_fen=Fen(0), created_at=now,
    )  # fmt: skip
