"""Bookings on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints

from yiyuebao_api.domains.bookings.models import Assessment, Booking, BookingMove, Review
from yiyuebao_api.domains.bookings.rules import (
    AWAITED,
    ActorKind,
    BilledLine,
    BookingState,
    Cancellation,
    Decision,
    Dependence,
    Keeping,
    Policy,
    VisitStage,
    effective,
)
from yiyuebao_api.domains.catalogue.rules import Eligibility, Place
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import FilePurpose
from yiyuebao_api.domains.files.schemas import FileLinkOut
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.kernel.ids import (
    AddressId,
    AssessmentId,
    BookingId,
    ClinicianId,
    FileId,
    HospitalId,
    PatientId,
    PaymentId,
    ReviewId,
    ServiceId,
    ServiceVersionId,
    SiteId,
)
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.schema import In, Line, Moment, Out, Phone, example, masked_name, masked_phone

Finding = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
QuestionCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,29}$")]
Note = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]

_BOOK = {
    "service_id": "svc_01kj4y8x3hf7a9cq2v5b6n8m0t", "place": "home", "starts_at": "2026-11-25T09:00:00+08:00",
    "patient_id": "pat_01kj4y8x3hf7a9cq2v5b6n8m0t", "address_id": "adr_01kj4y8x3hf7a9cq2v5b6n8m0t",
    "note": "老人听力不好，请先打电话",
}  # fmt: skip


class CompanionIn(In):
    """An adult of the family who will be there (RULE-48)."""

    name: Line
    phone: Phone


class BookIn(In):
    """What, where, when and for whom. Prices are the service's own and cannot be sent."""

    model_config = example(**_BOOK)

    service_id: ServiceId
    service_version_id: ServiceVersionId | None = Field(
        None,
        description="As quoted: with it a booking is refused when another version is in force meanwhile. A quote ignores it.",
    )
    place: Place = Field(description="`home` or `hospital`.")
    starts_at: Moment
    patient_id: PatientId
    address_id: AddressId | None = Field(None, description="Needed at home, not allowed at the hospital.")
    staff_sex: Sex | None = Field(None, description="A wish for a woman or a man (RULE-46), promised when booked; null: anybody.")
    note: Note | None = None
    eligibility: list[Eligibility] = Field(
        default_factory=list, max_length=10, description="Why the patient needs a visit at home (RULE-40)."
    )
    answers: dict[QuestionCode, bool] = Field(
        default_factory=dict, max_length=20, description="Answers to the service's questions, by code (RULE-41)."
    )
    allergies: Note | None = Field(None, description="`无` when there are none (RULE-43).")
    medication: Note | None = None
    companion: CompanionIn | None = None
    proof_ids: list[FileId] = Field(
        default_factory=list, max_length=8, description="What the service asks to be shown, as uploaded files (RULE-43)."
    )


class ReasonIn(In):
    """Why, in a few words."""

    model_config = example(reason="临时住院，改期再约")

    reason: Line


class BarthelIn(In):
    """The ten items of the Barthel index; together 0 to 100 (RULE-39)."""

    feeding: Literal[0, 5, 10]
    bathing: Literal[0, 5]
    grooming: Literal[0, 5]
    dressing: Literal[0, 5, 10]
    bowels: Literal[0, 5, 10]
    bladder: Literal[0, 5, 10]
    toilet: Literal[0, 5, 10]
    transfer: Literal[0, 5, 10, 15]
    mobility: Literal[0, 5, 10, 15]
    stairs: Literal[0, 5, 10]


class AssessIn(In):
    """What a clinician of the hospital found (RULE-39)."""

    model_config = example(
        clinician_id="cln_01kj4y8x3hf7a9cq2v5b6n8m0t", condition="髋关节置换术后 10 天，伤口愈合良好", needs="换药、康复指导",
        risk="跌倒风险中等", decision="home_ok",
        barthel={"feeding": 10, "bathing": 0, "grooming": 5, "dressing": 5, "bowels": 10, "bladder": 10, "toilet": 5,
                 "transfer": 10, "mobility": 10, "stairs": 5},
    )  # fmt: skip

    clinician_id: ClinicianId
    condition: Finding
    needs: Finding
    risk: Finding
    barthel: BarthelIn
    decision: Decision


class AssessmentOut(Out):
    """A first assessment."""

    id: AssessmentId
    booking_id: BookingId
    assessor_id: ClinicianId
    condition: str
    needs: str
    risk: str
    barthel: int
    level: Dependence
    decision: Decision
    assessed_at: Moment
    valid_until: Moment

    @classmethod
    def of(cls, row: Assessment) -> Self:
        found = row.findings
        return cls(
            id=row.id, booking_id=row.booking_id, assessor_id=row.assessor_id, condition=found["condition"],
            needs=found["needs"], risk=found["risk"], barthel=row.barthel, level=row.level, decision=row.decision,
            assessed_at=row.assessed_at, valid_until=row.valid_until,
        )  # fmt: skip


class RescheduleIn(In):
    """The new time; content and price stay."""

    model_config = example(starts_at="2026-11-26T09:00:00+08:00")

    starts_at: Moment


class LineOut(Out):
    """A part of the price."""

    kind: str = Field(examples=["visit_fee"])
    amount_fen: Fen


class PolicyOut(Out):
    """What a cancellation costs, as shown before payment and kept with the booking."""

    free_until_minutes: int = Field(description="Full refund until so many minutes before the start.", examples=[240])
    late_fee_fen: Fen = Field(description="Kept when cancelled later, at most the visit fee.", examples=[0])
    late_minutes: int = Field(description="Full refund when nobody has come so many minutes after the start.")
    accept_within_minutes: int = Field(description="The hospital accepts so long after payment, or everything comes back.")
    assign_before_start_minutes: int = Field(description="Nobody assigned so long before the start: everything comes back.")
    come_within_minutes: int = Field(description="Nobody set out so long after the start: it ends, everything comes back.")
    words: str = Field(examples=["开始前 4 小时可免费取消；医护出发后取消，保留上门费与交通费；到达后不可自行取消。"])

    words_en: str = Field(examples=["Free until 4 hours before the start; after departure the call-out is kept."])

    @classmethod
    def of(cls, policy: Policy) -> Self:
        hours = policy.free_until_minutes / 60
        within, before = policy.accept_within_minutes / 60, policy.accept_before_start_minutes / 60
        words = (
            f"医院接单前取消或医院拒单，全额退款；支付后 {within:g} 小时内（最迟开始前 {before:g} 小时）未接单，自动全额退款；"
            f"开始前 {hours:g} 小时以上取消，全额退款；医护人员出发后取消，保留上门费与交通费；"
            f"到达后不可自行取消，拒绝签署知情同意书的按出发后取消处理；医护迟到超过 {policy.late_minutes} 分钟，可全额退款取消；"
            f"开始前 {policy.assign_before_start_minutes} 分钟仍未派人，"
            f"或开始后 {policy.come_within_minutes} 分钟仍无人出发，自动全额退款。"
        )
        return cls(
            free_until_minutes=policy.free_until_minutes, late_fee_fen=Fen(policy.late_fee_fen),
            late_minutes=policy.late_minutes, accept_within_minutes=policy.accept_within_minutes,
            assign_before_start_minutes=policy.assign_before_start_minutes,
            come_within_minutes=policy.come_within_minutes, words=words,
            words_en=(
                f"Everything comes back when the hospital refuses or has not accepted, and until {hours:g} hours before the "
                f"start; what is not accepted {within:g} hours after payment, or {before:g} hours before the start, ends and "
                "everything comes back; after departure the call-out and travel are kept; after arrival it cannot be cancelled by oneself, "
                "and who refuses to sign the consent pays the call-out and travel; "
                f"when nobody has come {policy.late_minutes} minutes after the start, you may cancel and everything comes back; when "
                f"nobody is assigned {policy.assign_before_start_minutes} minutes before it, or has set out "
                f"{policy.come_within_minutes} minutes after it, it ends and everything comes back."
            ),
        )  # fmt: skip


class QuoteOut(Out):
    """Everything the patient must know before paying; nothing is saved."""

    service_id: ServiceId
    service_version_id: ServiceVersionId = Field(description="Send it along with the booking (RULE-37).")
    service_name: str
    hospital_id: HospitalId
    hospital_name: str
    place: Place
    starts_at: Moment
    ends_at: Moment
    lines: list[LineOut]
    total_fen: Fen
    policy: PolicyOut
    hold_minutes: int
    review: list[str] = Field(description="Answers the hospital will look at before it accepts.")
    tips: str
    cautions: str


class CompanionOut(Out):
    """The adult who will be there."""

    name: str
    phone: str


class ToldOut(Out):
    """What was told about the patient when booking."""

    eligibility: list[Eligibility]
    answers: dict[str, bool]
    allergies: str | None
    medication: str | None
    companion: CompanionOut | None
    review: list[str] = Field(description="Answers the hospital must look at.")
    proofs: list[FileId] = Field(description="What was shown; `…/proofs` gives links.")


class ShownProofOut(Out):
    """A picture or paper that was shown when booking; the link lives for five minutes (RULE-08)."""

    id: FileId
    purpose: FilePurpose
    sent_at: Moment
    link: FileLinkOut

    @classmethod
    def of(cls, file: File, link: object) -> Self:
        return cls(id=file.id, purpose=file.purpose, sent_at=file.created_at, link=FileLinkOut.model_validate(link))


class BookingAddressOut(Out):
    """Where the visit goes, as it was when booked."""

    recipient: str
    phone: str
    adcode: str
    district: str
    detail: str | None


class BookingOut(Out):
    """One booking."""

    id: BookingId
    order_no: str = Field(description="Number for people.", examples=["B26112593K7Q0T2VXW8MAZ"])
    state: BookingState
    visit_stage: VisitStage | None
    hospital_id: HospitalId
    site_id: SiteId
    service_id: ServiceId
    service_version_id: ServiceVersionId = Field(description="In which version it was booked (RULE-37).")
    service_name: str
    place: Place
    staff_sex: Sex | None = Field(description="Who comes is of that sex; null: anybody.")
    starts_at: Moment
    ends_at: Moment
    patient_id: PatientId
    patient_name: str
    contact_phone: str
    address: BookingAddressOut | None
    note: str | None
    screening: ToldOut | None = Field(description="Null in lists of a hospital.")
    lines: list[LineOut]
    total_fen: Fen
    hold_until: Moment = Field(description="Until when an unpaid booking keeps its place.")
    policy: PolicyOut
    payment_id: PaymentId | None
    paid_at: Moment | None
    act_by: Moment | None = Field(
        description="While `paid`, `accepted`, `assigned`: not accepted, assigned, set out by then, it ends and all goes back."
    )
    refund_due_fen: Fen = Field(description="Promised back.")
    refunded_fen: Fen = Field(description="Arrived back.")
    created_at: Moment

    @classmethod
    def of(cls, booking: Booking, lines: Sequence[BilledLine], now: datetime, *, masked: bool = False) -> Self:
        """`masked` for lists of a hospital: name, phone and address to the district (RULE-148)."""
        contact = booking.contact
        return cls(
            id=booking.id, order_no=booking.order_no, state=effective(booking.state, booking.hold_until, now),
            visit_stage=booking.visit_stage, hospital_id=booking.hospital_id, site_id=booking.site_id,
            service_id=booking.service_id, service_version_id=booking.service_version_id,
            service_name=booking.service_name, place=booking.place, staff_sex=booking.staff_sex,
            starts_at=booking.starts_at, ends_at=booking.ends_at, patient_id=booking.patient_id,
            patient_name=masked_name(contact["name"]) if masked else contact["name"],
            contact_phone=masked_phone(contact["phone"]) if masked else contact["phone"],
            address=_address(booking.address, masked=masked), note=None if masked else booking.note,
            screening=None if masked or booking.screening is None else ToldOut(**booking.screening),
            lines=[LineOut(kind=line.kind, amount_fen=line.amount_fen) for line in lines], total_fen=booking.total_fen,
            hold_until=booking.hold_until, policy=PolicyOut.of(Policy.of(booking.policy)), payment_id=booking.payment_id,
            paid_at=booking.paid_at,
            act_by=booking.act_by if booking.state in AWAITED else None,
            refund_due_fen=booking.refund_due_fen, refunded_fen=booking.refunded_fen,
            created_at=booking.created_at,
        )  # fmt: skip


def _address(row: dict[str, Any] | None, *, masked: bool) -> BookingAddressOut | None:
    if row is None:
        return None
    return BookingAddressOut(
        recipient=masked_name(row["recipient"]) if masked else row["recipient"],
        phone=masked_phone(row["phone"]) if masked else row["phone"],
        adcode=row["adcode"], district=row["district"], detail=None if masked else row["detail"],
    )  # fmt: skip


class CancellationOut(Out):
    """What a cancellation at this moment gives back."""

    refund_fen: Fen
    kept_fen: Fen
    because: Keeping

    @classmethod
    def of(cls, found: Cancellation) -> Self:
        return cls(refund_fen=found.refund_fen, kept_fen=found.kept_fen, because=found.because)


class MoveOut(Out):
    """One step of a booking's history."""

    from_state: BookingState | None
    to_state: BookingState
    stage: VisitStage | None
    actor: ActorKind
    reason: str | None
    at: Moment

    @classmethod
    def of(cls, move: BookingMove) -> Self:
        return cls.model_validate(move)


class ReviewIn(In):
    """What somebody thought of the visit."""

    model_config = example(stars=5, words="护士很耐心，换药一点也不疼。")

    stars: int = Field(ge=1, le=5, strict=True)
    words: Note | None = None


class ReplyIn(In):
    """The hospital's answer, for everybody to read."""

    model_config = example(words="谢谢您的信任，祝老人早日康复。")

    words: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True, pattern=r"^[^\x00]*$")]


class ReviewOut(Out):
    """A review as everybody sees it."""

    id: ReviewId
    service_id: ServiceId
    stars: int
    words: str | None
    author: str = Field(description="Masked.", examples=["张*"])
    reply: str | None
    replied_at: Moment | None
    folded: bool = Field(description="Not shown to the public, for a legal reason.")
    created_at: Moment

    @classmethod
    def of(cls, review: Review) -> Self:
        return cls(
            id=review.id, service_id=review.service_id, stars=review.stars, words=review.words, author=review.author,
            reply=review.reply, replied_at=review.replied_at, folded=review.folded_at is not None,
            created_at=review.created_at,
        )  # fmt: skip
