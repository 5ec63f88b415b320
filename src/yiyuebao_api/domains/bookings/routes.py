"""/v1/bookings for patients, /v1/hospital/bookings for the desk."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from yiyuebao_api.domains.accounts.guards import Anyone, HospitalDesk, Operator, Patient, TenantCaller
from yiyuebao_api.domains.bookings import queries, service
from yiyuebao_api.domains.bookings.guards import HospitalBooking, OwnBooking, wait_for_the_slot
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.problems import (
    AddressNeeded,
    AlreadyReviewed,
    AssessmentNeeded,
    AssessmentNotPossible,
    BookingExpired,
    BookingStateRefused,
    EmergencyFirst,
    ExcludedByAnswers,
    NotEligible,
    OutOfArea,
    PatientAlreadyBooked,
    PatientNotVerified,
    PlaceNotOffered,
    QuoteOutdated,
    RescheduledTooOften,
    ReviewAlreadyAnswered,
    ReviewPeriodOver,
    ScreeningIncomplete,
    StaffSexNotOffered,
    TooLateToReschedule,
    TooManyHolds,
    VisitAlreadyArrived,
)
from yiyuebao_api.domains.bookings.rules import SERVED, BookingState, Told
from yiyuebao_api.domains.bookings.schemas import (
    AssessIn,
    AssessmentOut,
    BookIn,
    BookingOut,
    CancellationOut,
    LineOut,
    MoveOut,
    PolicyOut,
    QuoteOut,
    ReasonIn,
    ReplyIn,
    RescheduleIn,
    ReviewIn,
    ReviewOut,
    ShownProofOut,
)
from yiyuebao_api.domains.catalogue.problems import ServiceNotOffered
from yiyuebao_api.domains.clinicians.problems import ClinicianUnqualified
from yiyuebao_api.domains.consents.problems import ConsentMissing
from yiyuebao_api.domains.files.problems import FileNotFound
from yiyuebao_api.domains.grants import service as grants
from yiyuebao_api.domains.grants.service import Looker
from yiyuebao_api.domains.payments.problems import MerchantMissing, PaymentRefused, PaymentWindowClosed, WeChatNotBound
from yiyuebao_api.domains.payments.schemas import PayIn, PrepaidOut
from yiyuebao_api.domains.schedules.problems import SlotNotOffered, SlotTaken
from yiyuebao_api.gateways.payment import Gateway
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions, Tx
from yiyuebao_api.kernel.idempotency import (
    Claimed,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    OnceRoute,
    RequestInProgress,
)
from yiyuebao_api.kernel.ids import BookingId, ReviewId, ServiceId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, ProviderDown, refuses
from yiyuebao_api.kernel.reading import Reading

router = APIRouter(prefix="/v1/bookings", tags=["bookings"], route_class=OnceRoute)
desk = APIRouter(prefix="/v1/hospital/bookings", tags=["bookings"], route_class=OnceRoute)
operator = APIRouter(prefix="/v1/operator/bookings", tags=["bookings"], route_class=OnceRoute)

_OFFER = (
    NotFound, PatientNotVerified, AddressNeeded, ServiceNotOffered, PlaceNotOffered, OutOfArea, PatientAlreadyBooked,
    SlotNotOffered, EmergencyFirst, ScreeningIncomplete, ExcludedByAnswers, NotEligible, FileNotFound, StaffSexNotOffered,
)  # fmt: skip
_ONCE = (IdempotencyKeyMissing, IdempotencyKeyReused, RequestInProgress)


@router.post("/quote", summary="预约报价", responses=refuses(*_OFFER))
async def quote_booking(caller: Patient, body: BookIn, request: Request, tx: Tx, now: Now) -> QuoteOut:
    """Everything before money: content, price lines, policy; nothing is saved."""
    business = request.app.state.settings.business
    offer = await service.quote_booking(tx, caller.account_id, _wish(body), business, now=now)
    return QuoteOut(
        service_id=offer.service.id, service_version_id=offer.version.id, service_name=offer.version.name,
        hospital_id=offer.hospital.id, hospital_name=offer.hospital.name, place=body.place, starts_at=body.starts_at, ends_at=offer.ends_at,
        lines=[LineOut(kind=line.kind.value, amount_fen=line.amount_fen) for line in offer.lines],
        total_fen=offer.total_fen, policy=PolicyOut.of(offer.policy), hold_minutes=business.hold_minutes,
        review=list(offer.review), tips=offer.version.tips, cautions=offer.version.cautions,
    )  # fmt: skip


@router.post(
    "", status_code=201, summary="提交预约", dependencies=[Depends(wait_for_the_slot)],
    responses=refuses(*_OFFER, *_ONCE, SlotTaken, TooManyHolds, ConsentMissing, QuoteOutdated),
)  # fmt: skip
async def create_booking(
    caller: Patient, once: Claimed, body: BookIn, request: Request, reader: Reading, begin: Transactions, now: Now
) -> BookingOut:
    """Hold a place; it stays held for fifteen minutes while you pay."""
    house = request.app.state
    hold = await service.prepare_hold(reader, begin, caller.account_id, _wish(body), house.settings.business, now=now)
    told = BookingOut.of(hold.booking, hold.lines, now)
    await house.holds(hold.want.day, service.AskedHold(hold, once.answered(201, told.model_dump_json())))
    return told


@router.get("", summary="我的预约", responses=refuses(InvalidCursor))
async def list_bookings(caller: Patient, paging: Pages, tx: Tx, now: Now) -> Page[BookingOut]:
    """My bookings, newest first."""
    found = await queries.list_own(tx, caller.account_id, paging)
    lines = await queries.lines_of(tx, [each.id for each in found])
    return page(found, paging, lambda each: BookingOut.of(each, lines[each.id], now), lambda each: each.id)


@router.get("/reviews", summary="服务评价", responses=refuses(InvalidCursor))
async def list_reviews(caller: Anyone, service_id: ServiceId, paging: Pages, tx: Tx) -> Page[ReviewOut]:
    """What patients wrote about a service, newest first; names are masked."""
    rows = await queries.list_reviews_of_service(tx, service_id, paging)
    return page(rows, paging, ReviewOut.of, lambda each: each.id)


@router.get("/{booking_id}", summary="预约详情", responses=refuses(NotFound))
async def read_booking(caller: Patient, booking_id: BookingId, reader: Reading, now: Now) -> BookingOut:
    """One of my bookings."""
    return BookingOut.of(*await queries.read_own_booking(reader, caller.account_id, booking_id), now)


@router.get("/{booking_id}/timeline", summary="预约进度", responses=refuses(NotFound))
async def read_timeline(booking: OwnBooking, tx: Tx) -> list[MoveOut]:
    """What happened to one of my bookings, in order."""
    return [MoveOut.of(each) for each in await queries.timeline_of(tx, booking.id)]


@router.post(
    "/{booking_id}/payment", status_code=201, summary="支付预约",
    responses=refuses(
        NotFound, BookingExpired, BookingStateRefused, ServiceNotOffered, WeChatNotBound, MerchantMissing, PaymentRefused,
        PaymentWindowClosed, ProviderDown, ConsentMissing, *_ONCE,
    ),
)  # fmt: skip
async def pay_booking(
    caller: Patient, once: Claimed, booking_id: BookingId, body: PayIn, request: Request, gateway: Gateway,
    begin: Transactions, now: Now,
) -> PrepaidOut:  # fmt: skip
    """Ask WeChat for the money; hand the answer's `parameters` to the phone."""
    payment, parameters = await service.pay_booking(
        begin, gateway, once, booking_id, channel=body.channel, account_id=caller.account_id,
        settings=request.app.state.settings.wechat_pay, now=now,
    )  # fmt: skip
    return PrepaidOut(
        payment_id=payment.id, channel=payment.channel, amount_fen=payment.amount_fen, expires_at=payment.expires_at,
        parameters=parameters,
    )  # fmt: skip


@router.get(
    "/{booking_id}/cancellation", summary="取消试算", responses=refuses(NotFound, BookingStateRefused, VisitAlreadyArrived)
)
async def quote_cancellation(booking: OwnBooking, tx: Tx, now: Now) -> CancellationOut:
    """What a cancellation right now would give back."""
    return CancellationOut.of(await service.quote_cancellation(tx, booking, now=now))


@router.post(
    "/{booking_id}/cancel", summary="取消预约", responses=refuses(NotFound, BookingStateRefused, VisitAlreadyArrived)
)
async def cancel_booking(caller: Patient, booking: OwnBooking, body: ReasonIn, tx: Tx, now: Now) -> BookingOut:
    """Cancel before the clinician has arrived; a paid one is refunded by the policy shown at booking time."""
    ended = await service.cancel_booking(tx, booking.id, reason=body.reason, account_id=caller.account_id, now=now)
    return await _out(tx, ended, now)


@router.post(
    "/{booking_id}/reschedule", summary="改期",
    responses=refuses(
        NotFound, BookingStateRefused, BookingExpired, TooLateToReschedule, RescheduledTooOften, ServiceNotOffered,
        PatientAlreadyBooked, SlotTaken, SlotNotOffered, StaffSexNotOffered,
    ),
)  # fmt: skip
async def reschedule_booking(caller: Patient, booking: OwnBooking, body: RescheduleIn, tx: Tx, now: Now) -> BookingOut:
    """Move to another free time, until somebody is assigned and in good time before the old start."""
    moved = await service.reschedule_booking(tx, booking.id, body.starts_at, account_id=caller.account_id, now=now)
    return await _out(tx, moved, now)


@router.post("/{booking_id}/accept-any-staff", summary="不再要求人员性别", responses=refuses(NotFound, BookingStateRefused))
async def accept_any_staff(caller: Patient, booking: OwnBooking, tx: Tx, now: Now) -> BookingOut:
    """Drop the wish for a woman or a man, until somebody is assigned; the hospital is told."""
    return await _out(tx, await service.accept_any_staff(tx, booking.id, account_id=caller.account_id, now=now), now)


@router.post(
    "/{booking_id}/review", summary="评价服务",
    responses=refuses(NotFound, BookingStateRefused, AlreadyReviewed, ReviewPeriodOver),
)  # fmt: skip
async def review_booking(caller: Patient, booking: OwnBooking, body: ReviewIn, tx: Tx, now: Now) -> ReviewOut:
    """Judge a visit within fifteen days after it was done; once."""
    return ReviewOut.of(await service.review_booking(tx, booking.id, stars=body.stars, words=body.words, now=now))


@router.get("/{booking_id}/review", summary="我的评价", responses=refuses(NotFound))
async def read_review(booking: OwnBooking, tx: Tx) -> ReviewOut:
    """What I wrote about the visit, and the hospital's answer."""
    return ReviewOut.of(await queries.require_review(tx, booking.id))


# ── the hospital's desk ──────────────────────────────────────────────────────────────────────────────────────────────


@desk.get("", summary="本院预约", responses=refuses(InvalidCursor))
async def list_hospital_bookings(
    caller: HospitalDesk, paging: Pages, tx: Tx, now: Now,
    state: Annotated[BookingState | None, Query(description="Only bookings in this state.")] = None,
) -> Page[BookingOut]:  # fmt: skip
    """Paid bookings of this hospital, newest first; names, phones and addresses masked."""
    found = await queries.list_of_hospital(tx, caller.hospital_id, state, paging)
    lines = await queries.lines_of(tx, [each.id for each in found])
    return page(found, paging, lambda each: BookingOut.of(each, lines[each.id], now, masked=True), lambda each: each.id)


@desk.get("/reviews", summary="本院评价", responses=refuses(InvalidCursor))
async def list_hospital_reviews(caller: HospitalDesk, paging: Pages, tx: Tx) -> Page[ReviewOut]:
    """What patients wrote about this hospital's visits, newest first."""
    rows = await queries.list_reviews_of_hospital(tx, caller.hospital_id, paging)
    return page(rows, paging, ReviewOut.of, lambda each: each.id)


@desk.get("/{booking_id}", summary="本院预约详情", responses=refuses(NotFound))
async def read_hospital_booking(caller: HospitalDesk, booking: HospitalBooking, tx: Tx, now: Now) -> BookingOut:
    """One paid booking of this hospital; name, phone and address are masked again once nobody is on the way to them."""
    return await _shown(tx, caller, booking, "bookings.read", now)


@desk.get("/{booking_id}/proofs", summary="预约所附材料", responses=refuses(NotFound))
async def list_hospital_proofs(caller: HospitalDesk, booking: HospitalBooking, tx: Tx, now: Now) -> list[ShownProofOut]:
    """What the patient showed when booking, while somebody is served; the look is in the audit."""
    whole = booking.state in SERVED and await grants.look(
        tx, Looker(caller.account_id, caller.mode, caller.hospital_id), patient_id=booking.patient_id,
        grantee=caller.hospital_id, subject=booking.id, action="bookings.proofs", now=now,
    )  # fmt: skip
    if not whole:
        raise NotFound
    return [ShownProofOut.of(file, link) for file, link in await service.list_proofs(tx, booking, now=now)]


@desk.post(
    "/{booking_id}/assess", status_code=200, summary="首诊评估",
    responses=refuses(NotFound, BookingStateRefused, VisitAlreadyArrived, AssessmentNotPossible, ClinicianUnqualified),
)  # fmt: skip
async def assess_booking(
    caller: HospitalDesk, booking: HospitalBooking, body: AssessIn, tx: Tx, now: Now
) -> AssessmentOut:
    """Write down the first assessment by a clinician of the hospital; anything but `home_ok` refunds everything."""
    assessment = await service.assess_booking(
        tx, booking.id, clinician_id=body.clinician_id, condition=body.condition, needs=body.needs, risk=body.risk,
        barthel=body.barthel.model_dump(), decision=body.decision, account_id=caller.account_id, now=now,
    )  # fmt: skip
    return AssessmentOut.of(assessment)


@desk.post("/{booking_id}/void-assessment", summary="作废首诊评估", responses=refuses(NotFound))
async def void_assessment(caller: HospitalDesk, booking: HospitalBooking, body: ReasonIn, tx: Tx, now: Now) -> BookingOut:
    """After an adverse event, a hospital stay or a new diagnosis: the patient must be assessed anew."""
    await service.void_assessment(tx, booking.id, reason=body.reason, now=now)
    return await _shown(tx, caller, booking, "bookings.void-assessment", now)


@desk.post("/{booking_id}/accept", summary="接单", responses=refuses(NotFound, BookingStateRefused, AssessmentNeeded))
async def accept_booking(caller: HospitalDesk, booking: HospitalBooking, tx: Tx, now: Now) -> BookingOut:
    """Take a paid booking on."""
    accepted = await service.accept_booking(tx, booking.id, account_id=caller.account_id, now=now)
    return await _shown(tx, caller, accepted, "bookings.accept", now)


@desk.post(
    "/{booking_id}/refuse", summary="拒单", responses=refuses(NotFound, BookingStateRefused, VisitAlreadyArrived)
)
async def refuse_booking(caller: HospitalDesk, booking: HospitalBooking, body: ReasonIn, tx: Tx, now: Now) -> BookingOut:
    """Say that it cannot be done; everything is refunded."""
    ended = await service.refuse_booking(tx, booking.id, reason=body.reason, account_id=caller.account_id, now=now)
    return await _shown(tx, caller, ended, "bookings.refuse", now)


@desk.post(
    "/reviews/{review_id}/reply", summary="回复评价", responses=refuses(NotFound, ReviewAlreadyAnswered)
)
async def answer_review(caller: HospitalDesk, review_id: ReviewId, body: ReplyIn, tx: Tx, now: Now) -> ReviewOut:
    """Answer a review of this hospital, in public and once."""
    return ReviewOut.of(await service.answer_review(tx, caller.hospital_id, review_id, words=body.words, now=now))


# ── the operator ─────────────────────────────────────────────────────────────────────────────────────────────────────


@operator.post("/reviews/{review_id}/fold", summary="折叠评价", responses=refuses(NotFound))
async def fold_review(caller: Operator, review_id: ReviewId, body: ReasonIn, tx: Tx, now: Now) -> ReviewOut:
    """Show a review no more, for a legal reason; nothing is deleted and its stars still count (RULE-63)."""
    return ReviewOut.of(
        await service.fold_review(tx, review_id, reason=body.reason, operator=caller.account_id, now=now)
    )


def _wish(body: BookIn) -> service.Wish:
    told = Told(
        eligibility=tuple(body.eligibility), answers=body.answers, allergies=body.allergies, medication=body.medication,
        companion=body.companion.model_dump() if body.companion is not None else None, note=body.note,
        proof_ids=tuple(dict.fromkeys(body.proof_ids)),
    )  # fmt: skip
    return service.Wish(
        body.service_id, body.place, body.starts_at, body.patient_id, body.address_id, told,
        quoted=body.service_version_id, staff_sex=body.staff_sex,
    )  # fmt: skip


async def _shown(tx: Tx, desk: TenantCaller, booking: Booking, action: str, now: datetime) -> BookingOut:
    """To the desk: whole while its grant is open and somebody is on the way, which leaves an audit row; else masked."""
    whole = booking.state in SERVED and await grants.look(
        tx, Looker(desk.account_id, desk.mode, desk.hospital_id), patient_id=booking.patient_id,
        grantee=desk.hospital_id, subject=booking.id, action=action, now=now,
    )  # fmt: skip
    return await _out(tx, booking, now, masked=not whole)


async def _out(tx: Tx, booking: Booking, now: Now, *, masked: bool = False) -> BookingOut:
    return BookingOut.of(booking, (await queries.lines_of(tx, [booking.id]))[booking.id], now, masked=masked)


ROUTERS = [router, desk, operator]
