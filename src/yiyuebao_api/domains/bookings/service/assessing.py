"""The first assessment that stands between payment and acceptance of a visit at home."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Assessment, Booking
from yiyuebao_api.domains.bookings.problems import AssessmentNeeded, AssessmentNotPossible
from yiyuebao_api.domains.bookings.rules import ASSESSMENT_STANDS, BookingState, Decision, dependence
from yiyuebao_api.domains.bookings.service.ending import refuse_booking, require_state
from yiyuebao_api.domains.catalogue.queries import require_service, require_version
from yiyuebao_api.domains.catalogue.rules import Place, Screening
from yiyuebao_api.domains.clinicians.problems import ClinicianUnqualified
from yiyuebao_api.domains.clinicians.queries import require_clinician_of
from yiyuebao_api.domains.clinicians.rules import may_serve
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.kernel.ids import AccountId, AssessmentId, BookingId, ClinicianId

_WORDS = {Decision.TO_HOSPITAL: "首诊评估建议到院", Decision.REJECT: "首诊评估不适合上门"}


async def assess_booking(
    tx: AsyncSession, booking_id: BookingId, *, clinician_id: ClinicianId, condition: str, needs: str, risk: str,
    barthel: Mapping[str, int], decision: Decision, account_id: AccountId, now: datetime,
) -> Assessment:  # fmt: skip
    """Write down what a clinician of the hospital found (RULE-39); anything but `home_ok` refuses with a full refund.

    Locks the booking, so that of two at once the second is refused. Raises NotFound, BookingStateRefused,
    AssessmentNotPossible, ClinicianUnqualified.
    """
    booking = await queries.lock_booking(tx, booking_id)
    require_state(booking, (BookingState.PAID, BookingState.ACCEPTED))
    category = (await require_service(tx, booking.service_id)).category_code
    if booking.place is not Place.HOME or await queries.standing_assessments(tx, booking, category, booking.starts_at):
        raise AssessmentNotPossible
    clinician = await require_clinician_of(tx, booking.hospital_id, clinician_id)
    if clauses := may_serve(clinician, day_of(now)):
        raise ClinicianUnqualified(clauses=[clause.value for clause in clauses])
    index = sum(barthel.values())
    assessment = Assessment(
        id=AssessmentId.new(), booking_id=booking.id, patient_id=booking.patient_id, hospital_id=booking.hospital_id,
        category_code=category, assessor_id=clinician.id, recorded_by=account_id,
        findings={"condition": condition, "needs": needs, "risk": risk, "barthel": dict(barthel)}, barthel=index,
        level=dependence(index), decision=decision, assessed_at=now, valid_until=now + ASSESSMENT_STANDS,
        voided_at=None, void_reason=None,
    )  # fmt: skip
    tx.add(assessment)
    await tx.flush()
    if decision is not Decision.HOME_OK:
        await refuse_booking(tx, booking.id, reason=_WORDS[decision], account_id=account_id, now=now)
    return assessment


async def void_assessment(tx: AsyncSession, booking_id: BookingId, *, reason: str, now: datetime) -> None:
    """An adverse event, a hospital stay or a new diagnosis: no assessment of that category stands any more (RULE-39).

    Once more changes nothing.
    """
    booking = await queries.lock_booking(tx, booking_id)
    category = (await require_service(tx, booking.service_id)).category_code
    for each in await queries.standing_assessments(tx, booking, category, now):
        each.voided_at, each.void_reason = now, reason


async def require_assessed(tx: AsyncSession, booking: Booking) -> None:
    """A visit at home that needs it has an assessment that holds when it starts; an earlier one of the same patient,
    category and hospital counts. The caller holds the booking's row lock. Raises AssessmentNeeded.
    """
    if booking.place is not Place.HOME:
        return
    version = await require_version(tx, booking.service_version_id)
    if not Screening.of(version.screening).assessment_required:
        return
    category = (await require_service(tx, booking.service_id)).category_code
    if not await queries.standing_assessments(tx, booking, category, booking.starts_at):
        raise AssessmentNeeded
