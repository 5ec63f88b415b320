"""HTTP of visits: the desk assigns, the clinician goes step by step, the patient shows a code and confirms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.requests import HTTPConnection

from yiyuebao_api.domains.accounts.guards import Clinician, HospitalDesk, Patient
from yiyuebao_api.domains.bookings.problems import AssessmentNeeded
from yiyuebao_api.domains.bookings.schemas import ShownProofOut
from yiyuebao_api.domains.bookings.service import list_proofs
from yiyuebao_api.domains.clinicians.problems import ClinicianUnqualified
from yiyuebao_api.domains.clinicians.queries import clinician_of_account
from yiyuebao_api.domains.consents.problems import GuardianNeeded
from yiyuebao_api.domains.files.problems import FileNotFound
from yiyuebao_api.domains.visits import queries, service
from yiyuebao_api.domains.visits.guards import DeskVisit, OwnVisit, SeenVisit, SentVisit
from yiyuebao_api.domains.visits.models import VisitSheet
from yiyuebao_api.domains.visits.problems import (
    AgreementChanged,
    AgreementMissing,
    AgreementNotRead,
    AgreementSigned,
    ArrivalTooFar,
    BookingNotAssignable,
    CheckInCodeBlocked,
    CheckInCodeWrong,
    ClinicianBusy,
    ClinicianFullyBooked,
    ClinicianOnLeave,
    ItemNotGranted,
    OtherSexWished,
    RecordAlreadyWritten,
    SignatureNeeded,
    VisitStepOutOfOrder,
)
from yiyuebao_api.domains.visits.rules import Stage, Viewer
from yiyuebao_api.domains.visits.schemas import (
    AgreementOut,
    ArriveIn,
    AssignIn,
    CandidateOut,
    CandidatesOut,
    CheckInCodeOut,
    CheckInIn,
    FinishIn,
    ReassignIn,
    RefuseAgreementIn,
    SentClinicianOut,
    SignIn,
    StepIn,
    UnassignIn,
    VisitDetailOut,
    VisitOut,
)
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions, Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import BookingId, VisitId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, Paging
from yiyuebao_api.kernel.problems import NotFound, refuses
from yiyuebao_api.kernel.schema import Day

app = APIRouter(prefix="/v1/visits", tags=["visits"], route_class=OnceRoute)
desk = APIRouter(prefix="/v1/hospital/visits", tags=["visits"], route_class=OnceRoute)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say of visits."""

    travel: timedelta
    confirm_after: timedelta


async def _terms(connection: HTTPConnection) -> Terms:
    business = connection.app.state.settings.business
    return Terms(timedelta(minutes=business.travel_buffer_minutes), timedelta(hours=business.confirm_after_hours))


FromSettings = Annotated[Terms, Depends(_terms)]
OfDay = Annotated[
    Day | None, Query(description="A day in Shanghai; without it: today and everything after.", examples=["2026-11-25"])
]
OfBooking = Annotated[BookingId | None, Query(description="The visit of that booking, whenever it is.")]
NO_BODY = StepIn()
UNSUITABLE = (ClinicianUnqualified, ClinicianOnLeave, ClinicianBusy, ClinicianFullyBooked, OtherSexWished, ItemNotGranted)


def _period(day: Day | None, now: datetime) -> tuple[datetime, datetime | None]:
    return (clock.today(now), None) if day is None else queries.period_of(day)


def _period_of(booking_id: BookingId | None, day: Day | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    """The visit of one booking is found whenever it was, unless a day was asked for as well."""
    return (None, None) if booking_id is not None and day is None else _period(day, now)


def _page(sheets: Sequence[VisitSheet], paging: Paging, viewer: Viewer, now: datetime) -> Page[VisitOut]:
    shown, cursor = queries.page_of(sheets, paging)
    return Page(items=[VisitOut.of(sheet, viewer=viewer, now=now) for sheet in shown], next_cursor=cursor)


# ── the desk ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@desk.post("", status_code=201, summary="派单", responses=refuses(NotFound, BookingNotAssignable, AssessmentNeeded, *UNSUITABLE))
async def assign_visit(caller: HospitalDesk, body: AssignIn, terms: FromSettings, tx: Tx, now: Now) -> VisitOut:
    """Send a clinician of the hospital to an accepted booking; the same assignment again is the same visit."""
    sheet = await service.assign_visit(
        tx, hospital_id=caller.hospital_id, desk=caller.account_id, booking_id=body.booking_id,
        clinician_id=body.clinician_id, travel=terms.travel, now=now,
    )  # fmt: skip
    return VisitOut.of(sheet, viewer=Viewer.DESK, now=now)


@desk.get("", summary="本院服务列表", responses=refuses(InvalidCursor))
async def list_hospital_visits(
    caller: HospitalDesk, paging: Pages, tx: Tx, now: Now, day: OfDay = None, stage: Stage | None = None,
    booking_id: OfBooking = None,
) -> Page[VisitOut]:  # fmt: skip
    """The hospital's visits by planned start, earliest first."""
    first, last = _period_of(booking_id, day, now)
    sheets = await queries.list_visits_of_hospital(
        tx, caller.hospital_id, paging, first=first, last=last, stage=stage, booking_id=booking_id
    )
    return _page(sheets, paging, Viewer.DESK, now)


@desk.get("/candidates", summary="可派人员", responses=refuses(NotFound))
async def list_candidates(
    caller: HospitalDesk, tx: Tx, terms: FromSettings,
    booking_id: Annotated[BookingId, Query(description="For which booking.")],
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 50,
) -> CandidatesOut:  # fmt: skip
    """Who might be sent to a booking, the most suitable first, each with every reason against it."""
    found = await service.list_candidates(
        tx, hospital_id=caller.hospital_id, booking_id=booking_id, travel=terms.travel, most=limit
    )
    return CandidatesOut(
        items=[
            CandidateOut(
                clinician=SentClinicianOut.of(each.clinician), free=not each.standing.blockers(),
                blockers=each.standing.blockers(), on_duty=each.on_duty, visits_that_day=each.standing.visits_that_day,
                knows_patient=each.knows_patient,
            )
            for each in found
        ]
    )  # fmt: skip


@desk.get("/{visit_id}", summary="本院服务详情", responses=refuses(NotFound))
async def show_hospital_visit(caller: HospitalDesk, visit: DeskVisit, tx: Tx, now: Now) -> VisitDetailOut:
    """A visit of the hospital with its nursing record and history."""
    sheet, steps = await queries.require_sheet(tx, visit.id), await queries.steps_of(tx, visit.id)
    sheet = service.show_to_desk(tx, sheet, account_id=caller.account_id, now=now)
    return VisitDetailOut.of_all(sheet, steps, viewer=Viewer.DESK, now=now)


@desk.post("/{visit_id}/reassign", summary="改派", responses=refuses(NotFound, VisitStepOutOfOrder, *UNSUITABLE))
async def reassign_visit(
    caller: HospitalDesk, visit: DeskVisit, body: ReassignIn, terms: FromSettings, tx: Tx, now: Now
) -> VisitOut:
    """Send somebody else, as long as nobody has set out."""
    sheet = await service.reassign_visit(
        tx, visit, desk=caller.account_id, clinician_id=body.clinician_id, reason=body.reason, travel=terms.travel,
        now=now,
    )  # fmt: skip
    return VisitOut.of(sheet, viewer=Viewer.DESK, now=now)


@desk.post("/{visit_id}/unassign", summary="撤回派单", responses=refuses(NotFound, VisitStepOutOfOrder))
async def unassign_visit(caller: HospitalDesk, visit: DeskVisit, body: UnassignIn, tx: Tx, now: Now) -> VisitOut:
    """Send nobody for now: the booking waits for another assignment."""
    sheet = await service.unassign_visit(tx, visit, desk=caller.account_id, reason=body.reason, now=now)
    return VisitOut.of(sheet, viewer=Viewer.DESK, now=now)


# ── the clinician ────────────────────────────────────────────────────────────────────────────────────────────────────


@app.get("/mine", summary="我的服务任务", responses=refuses(InvalidCursor))
async def list_my_visits(caller: Clinician, paging: Pages, tx: Tx, now: Now, day: OfDay = None) -> Page[VisitOut]:
    """The visits the caller is sent to by the hospital they are signed in for, earliest first."""
    clinician = await clinician_of_account(tx, caller.account_id, caller.hospital_id)
    if clinician is None:
        return Page(items=[], next_cursor=None)
    first, last = _period(day, now)
    sheets = await queries.list_visits_of_clinician(tx, clinician.id, paging, first=first, last=last)
    shown = await service.show_page_to_clinician(tx, sheets[: paging.limit], now=now)
    return _page([*shown, *sheets[paging.limit :]], paging, Viewer.CLINICIAN, now)


@app.get("/{visit_id}", summary="服务详情", responses=refuses(NotFound))
async def show_visit(seen: SeenVisit, tx: Tx, now: Now) -> VisitDetailOut:
    """A visit for whoever booked it or is sent to it, with its nursing record and history."""
    steps = await queries.steps_of(tx, seen.sheet.visit.id)
    sheet = seen.sheet
    if seen.viewer is Viewer.CLINICIAN:
        sheet = await service.show_to_clinician(tx, sheet, "visits.read", now=now)
    return VisitDetailOut.of_all(sheet, steps, viewer=seen.viewer, now=now)


@app.post(
    "/{visit_id}/depart", summary="出发",
    responses=refuses(NotFound, VisitStepOutOfOrder, ClinicianUnqualified, ItemNotGranted),
)
async def depart_visit(visit: SentVisit, tx: Tx, now: Now, body: StepIn = NO_BODY) -> VisitOut:
    """Set out for the patient's home; whether the clinician may be sent is asked once more."""
    sheet = await service.depart_visit(tx, visit, client_time=body.client_time, now=now)
    return VisitOut.of(sheet, viewer=Viewer.CLINICIAN, now=now)


@app.post("/{visit_id}/arrive", summary="到达", responses=refuses(NotFound, VisitStepOutOfOrder, ArrivalTooFar))
async def arrive_visit(visit: SentVisit, body: ArriveIn, tx: Tx, now: Now) -> VisitOut:
    """Be at the patient's home: within 500 m of the address, or with a reason."""
    sheet = await service.arrive_visit(
        tx, visit, at=body.point(), accuracy_m=body.accuracy_m, reason=body.reason, words=body.note,
        client_time=body.client_time, now=now,
    )  # fmt: skip
    return VisitOut.of(sheet, viewer=Viewer.CLINICIAN, now=now)


@app.post(
    "/{visit_id}/check-in",
    summary="核验码签到",
    responses=refuses(
        NotFound, VisitStepOutOfOrder, ClinicianUnqualified, ItemNotGranted, CheckInCodeWrong, CheckInCodeBlocked
    ),
)
async def check_in_visit(
    visit_id: VisitId, caller: Clinician, body: CheckInIn, begin: Transactions, now: Now
) -> VisitOut:
    """Type the code that the patient shows; at the hospital that is the arrival, at a door it may be."""
    sheet = await service.check_in_visit(
        begin, visit_id, account_id=caller.account_id, hospital_id=caller.hospital_id, code=body.code,
        client_time=body.client_time, now=now,
    )  # fmt: skip
    return VisitOut.of(sheet, viewer=Viewer.CLINICIAN, now=now)


@app.post("/{visit_id}/start", summary="开始服务", responses=refuses(NotFound, VisitStepOutOfOrder, AgreementMissing))
async def start_visit(visit: SentVisit, tx: Tx, now: Now, body: StepIn = NO_BODY) -> VisitOut:
    """Begin the service, once the patient's side has agreed to it."""
    sheet = await service.start_visit(tx, visit, client_time=body.client_time, now=now)
    return VisitOut.of(sheet, viewer=Viewer.CLINICIAN, now=now)


@app.post(
    "/{visit_id}/refuse-agreement", summary="登记患者拒绝签署",
    responses=refuses(NotFound, VisitStepOutOfOrder, AgreementSigned),
)  # fmt: skip
async def refuse_agreement(visit: SentVisit, body: RefuseAgreementIn, tx: Tx, now: Now) -> VisitOut:
    """The patient's side will not sign at the door: the visit ends, the call-out is kept, the rest is refunded."""
    sheet = await service.refuse_agreement(tx, visit, reason=body.reason, client_time=body.client_time, now=now)
    return VisitOut.of(sheet, viewer=Viewer.CLINICIAN, now=now)


@app.post(
    "/{visit_id}/finish", summary="完成服务", responses=refuses(NotFound, VisitStepOutOfOrder, RecordAlreadyWritten)
)
async def finish_visit(visit: SentVisit, body: FinishIn, terms: FromSettings, tx: Tx, now: Now) -> VisitOut:
    """End the service with its nursing record; the patient is asked to confirm."""
    sheet = await service.finish_visit(
        tx, visit, record=body.record.stored(), travel=terms.travel, confirm_after=terms.confirm_after,
        client_time=body.client_time, now=now,
    )  # fmt: skip
    return VisitOut.of(sheet, viewer=Viewer.CLINICIAN, now=now)


@app.get("/{visit_id}/proofs", summary="患者所附材料", responses=refuses(NotFound))
async def list_visit_proofs(visit: SentVisit, tx: Tx, now: Now) -> list[ShownProofOut]:
    """What the patient showed when booking, to whoever is sent, while they may see the patient."""
    sheet = await service.show_to_clinician(tx, await queries.require_sheet(tx, visit.id), "visits.proofs", now=now)
    if not sheet.granted:
        raise NotFound
    return [ShownProofOut.of(file, link) for file, link in await list_proofs(tx, sheet.booking, now=now)]


@app.get("/{visit_id}/agreement", summary="服务知情同意书", responses=refuses(NotFound))
async def show_agreement(seen: SeenVisit, tx: Tx, now: Now) -> AgreementOut:
    """The consent to this service: for the patient to read, for the clinician to see whether it is signed."""
    return AgreementOut.of(await service.show_agreement(tx, seen.sheet.visit), now)


# ── the patient ──────────────────────────────────────────────────────────────────────────────────────────────────────


@app.get("", summary="我的上门服务", responses=refuses(InvalidCursor))
async def list_booked_visits(
    caller: Patient, paging: Pages, tx: Tx, now: Now, day: OfDay = None, booking_id: OfBooking = None
) -> Page[VisitOut]:
    """Who comes to the people I care for, and when, earliest first; a booking has one as soon as somebody was assigned."""
    first, last = _period_of(booking_id, day, now)
    sheets = await queries.list_visits_of_account(
        tx, caller.account_id, paging, first=first, last=last, booking_id=booking_id
    )
    return _page(sheets, paging, Viewer.PATIENT, now)


@app.post(
    "/{visit_id}/agreement", summary="签署服务知情同意书",
    responses=refuses(
        NotFound, VisitStepOutOfOrder, AgreementChanged, AgreementNotRead, SignatureNeeded, GuardianNeeded, FileNotFound
    ),
)  # fmt: skip
async def sign_agreement(caller: Patient, visit: OwnVisit, body: SignIn, tx: Tx, now: Now) -> AgreementOut:
    """Agree to the service before it begins; with a picture of the signature where the risk is high."""
    shown = await service.sign_agreement(
        tx, visit, account_id=caller.account_id, sha256=bytes.fromhex(body.sha256), read_at=body.read_at,
        as_guardian=body.as_guardian, signature_file_id=body.signature_file_id, now=now,
    )  # fmt: skip
    return AgreementOut.of(shown, now)


@app.get("/{visit_id}/code", summary="核验码", responses=refuses(NotFound, VisitStepOutOfOrder))
async def show_visit_code(visit: OwnVisit, now: Now) -> CheckInCodeOut:
    """The code to show to the clinician, for today."""
    code, valid_until = service.show_visit_code(visit, now=now)
    return CheckInCodeOut(code=code, valid_until=valid_until)


@app.post("/{visit_id}/confirm", summary="确认服务完成", responses=refuses(NotFound, VisitStepOutOfOrder))
async def confirm_visit(caller: Patient, visit: OwnVisit, tx: Tx, now: Now) -> VisitOut:
    """Confirm that the visit took place as agreed; silence does the same a day later."""
    return VisitOut.of(await service.confirm_visit(tx, visit, now=now), viewer=Viewer.PATIENT, now=now)


ROUTERS: list[APIRouter] = [app, desk]
