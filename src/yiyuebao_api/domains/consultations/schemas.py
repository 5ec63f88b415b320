"""Consultations on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, StringConstraints, model_validator

from yiyuebao_api.domains.clinicians.models import Clinician, Title
from yiyuebao_api.domains.consultations.models import (
    Consultation,
    ConsultationApproval,
    ConsultationMove,
    ConsultationOffer,
    ConsultationPilot,
    ConsultationTerms,
    Flag,
    Mark,
    Message,
    Rated,
    Rating,
    RegulatorExport,
    RegulatorExportPart,
    Summary,
)
from yiyuebao_api.domains.consultations.rules import (
    MAX_MINUTES,
    MAX_TEXT,
    Actor,
    Choice,
    ConsultKind,
    ConsultState,
    EndReason,
    ExportScope,
    FlagKind,
    FlagState,
    Measure,
    MessageKind,
    RegulatorExportState,
    SenderRole,
    fields_of,
)
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import Part
from yiyuebao_api.domains.files.schemas import FileLinkOut
from yiyuebao_api.domains.files.service import signed_link
from yiyuebao_api.domains.patients.rules import Relation
from yiyuebao_api.kernel.ids import (
    ClinicianId,
    ConsultationFlagId,
    ConsultationId,
    ConsultationOfferId,
    ConsultationPilotId,
    FileId,
    HospitalId,
    MessageId,
    PatientId,
    PaymentId,
    RegulatorExportId,
)
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.presence import Presence, Seen
from yiyuebao_api.kernel.schema import Day, In, Line, Moment, Out, Text, example, masked_name

ADVICE_DISCLAIMER = "健康咨询仅供参考，不是诊断，不能代替到医院就诊；如情况紧急，请拨打 120。"
FOLLOW_UP_DISCLAIMER = "在线复诊只面向已有明确诊断的患者；如病情变化或情况紧急，请到医院就诊或拨打 120。"
FIRST_VISIT_DISCLAIMER = "本次为首诊试点；医师认为不适合在线时会终止并全额退款，请到医院就诊；如情况紧急，请拨打 120。"

Price = Annotated[Fen, Strict(), Field(ge=1, le=1_000_000, examples=[3000])]
Quantity = Annotated[int, Strict(), Field(ge=1, le=MAX_MINUTES, examples=[20])]
Seq = Annotated[int, Strict(), Field(ge=0, le=2_000_000_000, examples=[17])]
Number = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$"), Field(examples=["m-1764039600-1"])]
Paragraph = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class LiveTicketOut(Out):
    """Opens one live socket once; goes into its first frame and nowhere else."""

    ticket: str = Field(examples=["4Hq1f0cO3yJxv2m8sK7dQ0aZ"])
    expires_at: Moment = Field(description="Thirty seconds from now.")


# ── terms and offers ─────────────────────────────────────────────────────────────────────────────────────────────────


class ConsultationTermsIn(In):
    """What the hospital's staff may offer, and between which prices."""

    model_config = example(is_open=True, min_fen=1000, max_fen=20000)

    is_open: bool
    min_fen: Price
    max_fen: Price


class ConsultationTermsOut(Out):
    """What a hospital allows its staff."""

    kind: ConsultKind
    is_open: bool
    min_fen: Fen
    max_fen: Fen
    changed_at: Moment

    @classmethod
    def of(cls, terms: ConsultationTerms) -> Self:
        return cls.model_validate(terms)


class ConsultationApprovalIn(In):
    """A hospital's approval for online diagnosis, as the operator has seen it."""

    model_config = example(approval_no="琼网医许2026-018", valid_until="2029-12-31")

    approval_no: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[^\x00-\x20]+$")]
    valid_until: Day


class ConsultationApprovalOut(Out):
    """An approval for online diagnosis (RULE-76)."""

    hospital_id: HospitalId
    approval_no: str
    valid_until: date
    recorded_at: Moment

    @classmethod
    def of(cls, approval: ConsultationApproval) -> Self:
        return cls.model_validate(approval)


class ConsultationPilotIn(In):
    """A pilot, as the operator has read it in the document (RULE-77)."""

    model_config = example(
        hospital_id="hsp_01kj4y8x3hf7a9cq2v5b6n8m0t", specialty="儿科", document_no="京卫医〔2026〕8号",
        first_day="2026-01-01", last_day="2026-12-31",
    )  # fmt: skip

    hospital_id: HospitalId
    specialty: Line = Field(description="Word for word as in the files of the hospital's doctors.")
    document_no: Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x20]+$")]
    first_day: Day
    last_day: Day = Field(description="Inclusive.")


class EndPilotIn(In):
    """Why it ends before its last day."""

    model_config = example(why="主管部门通知暂停试点")

    why: Line


class ConsultationPilotOut(Out):
    """Where and how long a hospital may take first visits online (RULE-77)."""

    id: ConsultationPilotId
    hospital_id: HospitalId
    specialty: str
    document_no: str
    first_day: date
    last_day: date
    in_force: bool = Field(description="Today.")
    recorded_at: Moment
    ended_at: Moment | None = Field(description="When it was ended before its last day.")
    ended_why: str | None

    @classmethod
    def of(cls, pilot: ConsultationPilot, today: date) -> Self:
        return cls(
            id=pilot.id, hospital_id=pilot.hospital_id, specialty=pilot.specialty, document_no=pilot.document_no,
            first_day=pilot.first_day, last_day=pilot.last_day, in_force=pilot.is_in_force(today),
            recorded_at=pilot.recorded_at, ended_at=pilot.ended_at, ended_why=pilot.ended_why,
        )  # fmt: skip


class ConsultationOfferIn(In):
    """A clinician's own price."""

    model_config = example(quantity=20, price_fen=3000, is_open=True)

    quantity: Quantity = Field(description="Rounds or minutes of one purchase; an extension is as much again.")
    price_fen: Price
    is_open: bool


class ConsultationOfferOut(Out):
    """What can be bought."""

    id: ConsultationOfferId
    clinician_id: ClinicianId
    hospital_id: HospitalId
    kind: ConsultKind
    measure: Measure
    quantity: int
    price_fen: Fen
    is_open: bool

    @classmethod
    def of(cls, offer: ConsultationOffer) -> Self:
        return cls.model_validate(offer)


class OpenOfferOut(ConsultationOfferOut):
    """What can be bought, and from whom."""

    clinician_name: str
    clinician_title: Title
    specialty: str
    disclaimer: str
    first_visit: bool = Field(description="Whether a first visit is taken too, under a pilot that is in force (RULE-77).")
    presence: Presence
    last_seen_at: Moment | None = Field(description="Last connected, within a month; null when longer ago.")
    stars: float | None = Field(description="Mean of the ratings, to a tenth; null when there are none.", examples=[4.8])
    ratings: int = Field(description="How many ratings.", examples=[126])

    @classmethod
    def of_clinician(
        cls, offer: ConsultationOffer, clinician: Clinician, seen: Seen, rated: Rated | None, *, first_visit: bool
    ) -> Self:
        return cls(
            id=offer.id, clinician_id=offer.clinician_id, hospital_id=offer.hospital_id, kind=offer.kind,
            measure=offer.measure, quantity=offer.quantity, price_fen=offer.price_fen, is_open=offer.is_open,
            clinician_name=clinician.name, clinician_title=clinician.title, specialty=clinician.specialty,
            disclaimer=disclaimer(offer.kind), first_visit=first_visit, presence=seen.presence, last_seen_at=seen.last_seen_at,
            stars=None if rated is None else rated.stars, ratings=0 if rated is None else rated.ratings,
        )  # fmt: skip


def disclaimer(kind: ConsultKind, *, first_visit: bool = False) -> str:
    """RULE-75, RULE-80: what everybody reads beside it."""
    if first_visit:
        return FIRST_VISIT_DISCLAIMER
    return ADVICE_DISCLAIMER if kind is ConsultKind.HEALTH_ADVICE else FOLLOW_UP_DISCLAIMER


# ── the consultation ─────────────────────────────────────────────────────────────────────────────────────────────────


class EarlierDiagnosisIn(In):
    """A diagnosis made before, and the proof of it."""

    diagnosis: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    diagnosed_on: Day
    proof_file_id: FileId = Field(description="A file of purpose `disease_proof`.")


class ConsultIn(In):
    """What is asked, of whom and for whom. The price is the offer's and cannot be sent."""

    model_config = example(
        offer_id="cof_01kj4y8x3hf7a9cq2v5b6n8m0t", patient_id="pat_01kj4y8x3hf7a9cq2v5b6n8m0t",
        complaint="母亲血压最近偏高，早上 150/95，想请医生看看饮食和用药时间。",
    )  # fmt: skip

    offer_id: ConsultationOfferId
    patient_id: PatientId
    complaint: Paragraph
    earlier: EarlierDiagnosisIn | None = Field(None, description="Needed for an online follow-up (RULE-76, RULE-77).")
    first_visit: bool = Field(
        False, description="There was no diagnosis before: taken only where the offer says `first_visit` (RULE-77)."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.first_visit and self.earlier is not None:
            raise ValueError("首诊没有既往诊断：first_visit 与 earlier 只能填写一项")
        return self


class ConsultationOut(Out):
    """One consultation, as one of the two sees it."""

    id: ConsultationId
    order_no: str = Field(description="Number for people.", examples=["C26112593K7Q0T2VXW8MAZ"])
    kind: ConsultKind
    first_visit: bool = Field(description="A follow-up without an earlier diagnosis, under a pilot (RULE-77).")
    state: ConsultState
    end_reason: EndReason | None
    role: SenderRole = Field(description="Which of the two you are.")
    patient_id: PatientId
    patient_name: str
    patient_sex: str
    patient_born: date
    patient_relation: Relation | None = Field(
        description="What the patient is to who asks and pays: `self`, or a proxy speaks (RULE-79). Null in old ones."
    )
    clinician_id: ClinicianId
    clinician_name: str
    clinician_title: Title
    hospital_id: HospitalId
    hospital_name: str
    complaint: str
    diagnosis: str | None
    diagnosed_on: date | None
    proof_file_id: FileId | None
    measure: Measure
    quantity: int = Field(description="Rounds or minutes, extensions included.")
    rounds_used: int
    price_fen: Fen
    extension_quantity: int = Field(description="What one extension adds.")
    extension_price_fen: Fen
    pay_until: Moment
    payment_id: PaymentId | None
    paid_at: Moment | None
    answer_by: Moment | None = Field(description="The promise of a first answer.")
    refund_at: Moment | None = Field(description="When all money goes back if there was no answer.")
    choices: list[Choice] = Field(description="What the patient may do now that no answer came in time.")
    accepted_at: Moment | None
    answered_at: Moment | None
    closes_at: Moment | None = Field(description="When it ends unless extended; null while nothing is known.")
    ended_at: Moment | None
    last_seq: int
    read_seq: int = Field(description="How far you have read, over all your devices.")
    refund_due_fen: Fen
    refunded_fen: Fen
    disclaimer: str
    created_at: Moment

    @classmethod
    def of(cls, row: Consultation, role: SenderRole, now: datetime, read_seq: int) -> Self:
        found, people, terms = row.standing(now), row.people, row.promises
        overdue = found.state is ConsultState.WAITING and row.is_overdue(now)
        return cls(
            id=row.id, order_no=row.order_no, kind=row.kind, first_visit=row.is_first_visit, state=found.state,
            end_reason=found.reason or row.end_reason, role=role, patient_id=row.patient_id,
            patient_name=people["patient"], patient_sex=people["sex"],
            patient_born=date.fromisoformat(people["born"]),
            patient_relation=row.patient_relation, clinician_id=row.clinician_id,
            clinician_name=people["clinician"], clinician_title=Title(people["title"]), hospital_id=row.hospital_id,
            hospital_name=people["hospital"], complaint=row.complaint, diagnosis=row.diagnosis,
            diagnosed_on=row.diagnosed_on, proof_file_id=row.proof_file_id, measure=row.measure, quantity=row.quantity,
            rounds_used=row.rounds_used, price_fen=row.price_fen, extension_quantity=terms.piece,
            extension_price_fen=Fen(terms.piece_fen), pay_until=row.pay_until, payment_id=row.payment_id,
            paid_at=row.paid_at, answer_by=row.answer_by, refund_at=row.refund_at,
            choices=list(Choice) if overdue and role is SenderRole.PATIENT else [], accepted_at=row.accepted_at,
            answered_at=row.answered_at, closes_at=row.closes_at, ended_at=found.since or row.ended_at,
            last_seq=row.last_seq, read_seq=read_seq, refund_due_fen=row.refund_due_fen, refunded_fen=row.refunded_fen,
            disclaimer=disclaimer(row.kind, first_visit=row.is_first_visit), created_at=row.created_at,
        )  # fmt: skip


class HospitalConsultationOut(Out):
    """A consultation as the desk sees it: who, when and how much, and not a word of what was said."""

    id: ConsultationId
    order_no: str
    kind: ConsultKind
    first_visit: bool
    state: ConsultState
    end_reason: EndReason | None
    clinician_id: ClinicianId
    clinician_name: str
    patient_name: str = Field(description="Masked.", examples=["陈**"])
    price_fen: Fen
    paid_at: Moment | None
    answered_at: Moment | None
    ended_at: Moment | None
    refund_due_fen: Fen
    refunded_fen: Fen
    created_at: Moment

    @classmethod
    def of(cls, row: Consultation, now: datetime) -> Self:
        found = row.standing(now)
        return cls(
            id=row.id, order_no=row.order_no, kind=row.kind, first_visit=row.is_first_visit, state=found.state,
            end_reason=found.reason or row.end_reason, clinician_id=row.clinician_id, clinician_name=row.people["clinician"],
            patient_name=masked_name(row.people["patient"]), price_fen=row.price_fen, paid_at=row.paid_at,
            answered_at=row.answered_at, ended_at=found.since or row.ended_at, refund_due_fen=row.refund_due_fen,
            refunded_fen=row.refunded_fen, created_at=row.created_at,
        )  # fmt: skip


class ConsultationMoveOut(Out):
    """One step of a consultation's history."""

    from_state: ConsultState | None
    to_state: ConsultState
    actor: Actor
    reason: str | None
    at: Moment

    @classmethod
    def of(cls, move: ConsultationMove) -> Self:
        return cls.model_validate(move)


class ChangeClinicianIn(In):
    """Another clinician of the same hospital, at no more than was paid."""

    model_config = example(offer_id="cof_01kj4y8x3hf7a9cq2v5b6n8m0t")

    offer_id: ConsultationOfferId


class AcceptFollowUpIn(In):
    """The doctor's word, one of two: the proof was checked and the illness fits a follow-up (RULE-76), or it is a first
    visit under a pilot and fit for it (RULE-77)."""

    model_config = example(meets_follow_up=True)

    meets_follow_up: Literal[True] | None = None
    fits_first_visit: Literal[True] | None = Field(None, description="For a consultation with `first_visit`, instead.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.meets_follow_up is self.fits_first_visit:
            raise ValueError("meets_follow_up 与 fits_first_visit 须且只能填写一项")
        return self


class ConsultationReasonIn(In):
    """Why, in a few words."""

    model_config = example(reason="需要当面检查，请到医院就诊")

    reason: Line


class GiveExtensionIn(In):
    """Further rounds or minutes, for nothing."""

    model_config = example(quantity=5)

    quantity: Quantity


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class SendMessageIn(In):
    """A message. `body` is `{"text"}`, `{"file_id"}` for an image, `{"file_id", "name"}` for a file, `{"type", "title",
    "text"?, "subject"?}` for a card."""

    model_config = example(client_msg_id="m-1764039600-1", kind="text", body={"text": "您好，医生"})

    client_msg_id: Number = Field(description="Your own number of this message: sent again, it is the same message.")
    kind: Literal["text", "image", "file", "card"]
    body: dict[Annotated[str, StringConstraints(max_length=20)], Annotated[str, StringConstraints(max_length=MAX_TEXT)]] = Field(
        max_length=4, examples=[{"text": "您好，医生"}]
    )


class SentMessageOut(Out):
    """Stored; the same `client_msg_id` again gives the same words."""

    consultation_id: ConsultationId
    client_msg_id: str
    message_id: MessageId
    seq: int
    sent_at: Moment


class MessageFileOut(Out):
    """Where the picture or document of a message can be fetched for five minutes; ask again for a fresh link."""

    file_id: FileId
    link: FileLinkOut
    thumbnail: FileLinkOut | None = Field(description="Null for a document.")

    @classmethod
    def of(cls, file: File, now: datetime) -> Self:
        picture = Part.THUMBNAIL in file.parts()
        return cls(
            file_id=file.id, link=FileLinkOut.model_validate(signed_link(file, now=now)),
            thumbnail=FileLinkOut.model_validate(signed_link(file, now=now, thumbnail=True)) if picture else None,
        )  # fmt: skip


class MessageOut(Out):
    """A message in its place, as the socket's `message.new` has it; a hidden one keeps its place with an empty body."""

    seq: int
    message_id: MessageId
    client_msg_id: str
    sender: SenderRole
    kind: MessageKind
    body: dict[str, Any]
    sent_at: Moment
    hidden: bool
    file: MessageFileOut | None = Field(description="With an image or a file.")

    @classmethod
    def of(
        cls, row: Message, files: Mapping[FileId, File], now: datetime, *, original: bool = False
    ) -> Self:
        """`original` for the operator, who reads what was hidden too."""
        named = row.body.get("file_id")
        file = files.get(FileId.parse(named)) if named is not None else None
        return cls(
            file=None if file is None else MessageFileOut.of(file, now),
            seq=row.seq, message_id=row.id, client_msg_id=row.client_msg_id, sender=row.sender, kind=row.kind,
            body=row.body if original or not row.is_hidden else {}, sent_at=row.sent_at, hidden=row.is_hidden,
        )  # fmt: skip


class MessagesOut(Out):
    """Messages in order, and the last seq there is: ask again with `after_seq` until you have it."""

    items: list[MessageOut]
    last_seq: int


class ChecksumOut(Out):
    """Compare it with your own: SHA-256 over one line `seq message_id` and a newline for each message, 1 to `seq`."""

    seq: int
    sha256: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])


class MarksIn(In):
    """How far a device has received and read. Marks only grow."""

    model_config = example(device_id="iphone-7f3a", delivered_seq=17, read_seq=15)

    device_id: Number
    delivered_seq: Seq = 0
    read_seq: Seq = 0


class MarkOut(Out):
    """How far a device of the patient or the clinician has received and read, and since when."""

    reader: SenderRole
    device_id: str
    delivered_seq: int
    delivered_at: Moment | None
    read_seq: int
    read_at: Moment | None

    @classmethod
    def of(cls, mark: Mark, consultation: Consultation) -> Self:
        reader = SenderRole.PATIENT if mark.account_id == consultation.account_id else SenderRole.CLINICIAN
        return cls(
            reader=reader, device_id=mark.device_id, delivered_seq=mark.delivered_seq, delivered_at=mark.delivered_at,
            read_seq=mark.read_seq, read_at=mark.read_at,
        )  # fmt: skip


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class SummaryIn(In):
    """The clinician's structured note. Health advice holds no diagnosis (RULE-75)."""

    model_config = example(
        complaint="晨起血压偏高一周", findings="家庭自测 150/95 mmHg，无头痛胸闷", diagnosis=None,
        advice="低盐饮食，按原方案服药，每日早晚各测一次血压", follow_up="一周后复测，仍高于 140/90 请到医院就诊",
        messages=[1, 2],
    )  # fmt: skip

    complaint: Text
    findings: Text
    diagnosis: Text | None = Field(None, description="Only in an online follow-up.")
    advice: Text
    follow_up: Text
    messages: list[Annotated[int, Strict(), Field(ge=1, le=2_000_000_000)]] = Field(
        default_factory=list, max_length=100, description="Seqs of the messages it rests on."
    )


class SummaryOut(Out):
    """The clinician's structured note; written by a person, and no order or prescription."""

    consultation_id: ConsultationId
    kind: ConsultKind
    complaint: str
    findings: str
    diagnosis: str | None
    advice: str
    follow_up: str
    messages: list[int]
    clinician_name: str
    machine_made: bool = Field(description="Always false: no machine writes it (RULE-80).")
    disclaimer: str
    written_at: Moment
    filed_at: Moment | None

    @classmethod
    def of(cls, summary: Summary, consultation: Consultation) -> Self:
        content = summary.content
        return cls(
            consultation_id=summary.consultation_id, kind=consultation.kind, complaint=content["complaint"],
            findings=content["findings"], diagnosis=content.get("diagnosis"), advice=content["advice"],
            follow_up=content["follow_up"], messages=summary.messages, clinician_name=consultation.people["clinician"],
            machine_made=False, disclaimer=disclaimer(consultation.kind, first_visit=consultation.is_first_visit),
            written_at=summary.written_at,
            filed_at=summary.filed_at,
        )  # fmt: skip


class RateConsultationIn(In):
    """What the patient thought of it."""

    model_config = example(stars=5, words="回复及时，讲得很清楚")

    stars: Annotated[int, Strict(), Field(ge=1, le=5)]
    words: Words | None = None


class ConsultationRatingOut(Out):
    """What the patient thought of it."""

    stars: int
    words: str | None
    rated_at: Moment

    @classmethod
    def of(cls, rating: Rating) -> Self:
        return cls.model_validate(rating)


# ── moderation ───────────────────────────────────────────────────────────────────────────────────────────────────────


class ReportIn(In):
    """What is wrong, and in which message."""

    model_config = example(about="contact", words="对方要求加微信私下付款", message_id="msg_01kj4y8x3hf7a9cq2v5b6n8m0t")

    about: Literal["contact", "abuse", "illegal", "fraud", "other"]
    words: Words | None = None
    message_id: MessageId | None = None


class DecideFlagIn(In):
    """Upholding hides the message from both; its content is kept."""

    model_config = example(uphold=True, decision="索要私下付款，已隐藏")

    uphold: bool
    decision: Line


class ConsultationFlagOut(Out):
    """Something that a person should look at."""

    id: ConsultationFlagId
    consultation_id: ConsultationId
    seq: int | None
    kind: FlagKind
    rule: str
    words: str | None
    state: FlagState
    decision: str | None
    decided_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, flag: Flag) -> Self:
        return cls.model_validate(flag)


# ── exports for a regulator (RULE-83) ────────────────────────────────────────────────────────────────────────────────


class RegulatorExportIn(In):
    """Which hospital's consultations, of which days, for whom."""

    model_config = example(
        hospital_id="hsp_01kj4y8x3hf7a9cq2v5b6n8m0t", scope="acts", first_day="2026-11-01", last_day="2026-11-23",
        authority="海南省卫生健康委员会", document_no="琼卫监函〔2026〕31号",
    )  # fmt: skip

    hospital_id: HospitalId
    scope: ExportScope = Field(description="`acts`: who did what when; `records`: of online follow-ups also what was said.")
    first_day: Day = Field(description="Paid from this day on.")
    last_day: Day = Field(description="Inclusive, at most 31 days in all.")
    authority: Line = Field(description="Which authority asked for it.")
    document_no: Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x20]+$")]


class ExportContentOut(Out):
    """One section of every consultation in the files, and its fields."""

    section: str = Field(examples=["messages"])
    fields: list[str] = Field(examples=[["seq", "sender", "kind", "sent_at"]])


class ExportPartOut(Out):
    """One file of an export: a zip of `about.json` and `consultations.jsonl`, one consultation a line."""

    number: int
    consultations: int
    size_bytes: int
    sha256: str = Field(description="Of the zip, in hexadecimal.")
    made_at: Moment

    @classmethod
    def of(cls, part: RegulatorExportPart) -> Self:
        return cls(
            number=part.number, consultations=part.consultations, size_bytes=part.size_bytes, sha256=part.sha256.hex(),
            made_at=part.made_at,
        )  # fmt: skip


class RegulatorExportOut(Out):
    """An export, what is in it, and its files so far; they can be fetched when it is ready."""

    id: RegulatorExportId
    hospital_id: HospitalId
    scope: ExportScope
    first_day: date
    last_day: date
    authority: str
    document_no: str
    state: RegulatorExportState
    contents: list[ExportContentOut] = Field(description="All of its fields; nothing else of a person is in it.")
    parts: list[ExportPartOut]
    consultations: int | None = Field(description="How many are in it; null until it is made.")
    asked_at: Moment
    made_at: Moment | None
    expires_at: Moment | None = Field(description="Until when its content is kept, sealed.")

    @classmethod
    def of(cls, export: RegulatorExport, parts: Sequence[RegulatorExportPart], now: datetime) -> Self:
        return cls(
            id=export.id, hospital_id=export.hospital_id, scope=export.scope, first_day=export.first_day,
            last_day=export.last_day, authority=export.authority, document_no=export.document_no,
            state=export.standing(now),
            contents=[ExportContentOut(section=name, fields=list(names)) for name, names in fields_of(export.scope).items()],
            parts=[ExportPartOut.of(each) for each in parts], consultations=export.consultations,
            asked_at=export.asked_at, made_at=export.made_at, expires_at=export.expires_at,
        )  # fmt: skip
