"""Rows of consultations: offers, the consultations themselves, what was said, who read it, and what is looked at."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BINARY, JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.consultations.rules import (
    Actor,
    ConsultKind,
    ConsultState,
    Course,
    EndReason,
    ExportScope,
    ExtensionState,
    FlagKind,
    FlagState,
    Measure,
    MessageKind,
    RegulatorExportState,
    SenderRole,
    Standing,
    Terms,
    standing,
)
from yiyuebao_api.domains.patients.rules import Relation
from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import (
    AccountId,
    ClinicianId,
    ConsultationFlagId,
    ConsultationId,
    ConsultationOfferId,
    ConsultationPilotId,
    ExtensionId,
    FileId,
    HospitalId,
    MessageId,
    PatientId,
    PaymentId,
    RegulatorExportId,
    RowId,
)
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.secrets import Sealed, SealedJson


class ConsultationTerms(Model):
    """What a hospital allows its staff: which kinds are open, and between which prices."""

    __tablename__ = "consultation_terms"
    __table_args__ = (CheckConstraint("0 < min_fen AND min_fen <= max_fen", name="limits"),)

    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), primary_key=True, comment="whose terms")
    kind: Mapped[ConsultKind] = mapped_column(primary_key=True, comment="health_advice, online_follow_up (RULE-75)")
    is_open: Mapped[bool] = mapped_column(comment="whether staff may offer it now")
    min_fen: Mapped[Fen] = mapped_column(comment="lowest price, fen")
    max_fen: Mapped[Fen] = mapped_column(comment="highest price, fen")
    changed_at: Mapped[datetime] = mapped_column(comment="last change")


class ConsultationApproval(Model):
    """Approvals for online diagnosis, recorded by the operator; without one a hospital gives health advice only."""

    __tablename__ = "consultation_approval"

    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), primary_key=True, comment="whose approval")
    approval_no: Mapped[str] = mapped_column(code_column(40), comment="number of the approval (RULE-76)")
    valid_until: Mapped[date] = mapped_column(comment="last day, Shanghai, inclusive")
    recorded_by: Mapped[AccountId] = mapped_column(comment="operator who saw it")
    recorded_at: Mapped[datetime] = mapped_column(comment="when")


class ConsultationPilot(Model):
    """Pilots: a hospital may take first visits online in one specialty for a time, as a document says (RULE-77)."""

    __tablename__ = "consultation_pilot"
    __table_args__ = (
        Index("ix_consultation_pilot_hospital", "hospital_id", "id"),
        CheckConstraint("first_day <= last_day", name="period"),
    )

    id: Mapped[ConsultationPilotId] = mapped_column(primary_key=True, comment="UUIDv7")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="which hospital takes part")
    specialty: Mapped[str] = mapped_column(String(100), comment="which speciality, word for word as its clinicians' files say")
    document_no: Mapped[str] = mapped_column(code_column(60), comment="number of the document that opens it")
    first_day: Mapped[date] = mapped_column(comment="first day, Shanghai, inclusive")
    last_day: Mapped[date] = mapped_column(comment="last day, Shanghai, inclusive")
    recorded_by: Mapped[AccountId] = mapped_column(comment="operator who saw the document")
    recorded_at: Mapped[datetime] = mapped_column(comment="when")
    ended_at: Mapped[datetime | None] = mapped_column(comment="when it was ended before its last day")
    ended_by: Mapped[AccountId | None] = mapped_column(comment="operator who ended it")
    ended_why: Mapped[str | None] = mapped_column(String(100), comment="why, in the operator's words")

    def is_in_force(self, on: date) -> bool:
        """Whether it opens first visits on that Shanghai day."""
        return self.ended_at is None and self.first_day <= on <= self.last_day

    @property
    def over_at(self) -> datetime:
        """When its last day is over, unless it was ended before."""
        return datetime.combine(self.last_day, time.min, SHANGHAI) + timedelta(days=1)


class ConsultationOffer(Model):
    """Offers: what a clinician asks for a consultation, one per kind and measure."""

    __tablename__ = "consultation_offer"
    __table_args__ = (
        UniqueConstraint("clinician_id", "kind", "measure"),
        Index("ix_consultation_offer_hospital", "hospital_id", "is_open", "id"),
        CheckConstraint("price_fen > 0 AND quantity > 0", name="something"),
    )

    id: Mapped[ConsultationOfferId] = mapped_column(primary_key=True, comment="UUIDv7")
    clinician_id: Mapped[ClinicianId] = mapped_column(ForeignKey("clinician.id"), comment="who offers it")
    hospital_id: Mapped[HospitalId] = mapped_column(comment="at which hospital, which receives the money")
    kind: Mapped[ConsultKind] = mapped_column(comment="health_advice, online_follow_up")
    measure: Mapped[Measure] = mapped_column(comment="rounds, minutes")
    quantity: Mapped[int] = mapped_column(comment="how many rounds or minutes one purchase is")
    price_fen: Mapped[Fen] = mapped_column(comment="price of one purchase, fen")
    is_open: Mapped[bool] = mapped_column(comment="whether new ones are taken now")
    changed_at: Mapped[datetime] = mapped_column(comment="last change")


class Consultation(Model):
    """Consultations: one patient and one clinician, paid, with a counter for its messages."""

    __tablename__ = "consultation"
    __table_args__ = (
        UniqueConstraint("order_no"),
        Index("ix_consultation_account", "account_id", "id"),
        Index("ix_consultation_clinician", "clinician_account_id", "hospital_id", "id"),
        Index("ix_consultation_hospital", "hospital_id", "id"),
        Index("ix_consultation_pilot", "first_visit_pilot_id"),
        CheckConstraint("price_fen > 0", name="price_positive"),
        CheckConstraint("last_seq >= 0", name="seq_grows"),
    )

    id: Mapped[ConsultationId] = mapped_column(primary_key=True, comment="UUIDv7")
    order_no: Mapped[str] = mapped_column(code_column(24), comment="number for people: date and 14 random characters")
    kind: Mapped[ConsultKind] = mapped_column(comment="health_advice, online_follow_up (RULE-75)")
    account_id: Mapped[AccountId] = mapped_column(comment="who asks and pays")
    patient_id: Mapped[PatientId] = mapped_column(ForeignKey("patient.id"), comment="whom it is about")
    clinician_id: Mapped[ClinicianId] = mapped_column(ForeignKey("clinician.id"), comment="who answers")
    clinician_account_id: Mapped[AccountId] = mapped_column(comment="their account: the other participant")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="who is paid")
    people: Mapped[dict[str, Any]] = mapped_column(
        SealedJson("consultation.people"), comment="names, sex and birth day as they were, sealed"
    )
    complaint: Mapped[str] = mapped_column(Sealed("consultation.complaint", 1000), comment="what the patient asks about, sealed")
    diagnosis: Mapped[str | None] = mapped_column(
        Sealed("consultation.diagnosis", 200), comment="earlier diagnosis as stated, sealed (RULE-76)"
    )
    diagnosed_on: Mapped[date | None] = mapped_column(comment="day of that diagnosis")
    proof_file_id: Mapped[FileId | None] = mapped_column(comment="proof of that diagnosis (RULE-76)")
    first_visit_pilot_id: Mapped[ConsultationPilotId | None] = mapped_column(
        comment="the pilot that opened it as a first visit; null: it is none (RULE-77)"
    )
    agreed_at: Mapped[datetime | None] = mapped_column(comment="informed consent before the first message (RULE-79)")
    offer_id: Mapped[ConsultationOfferId] = mapped_column(comment="the offer it was bought from")
    measure: Mapped[Measure] = mapped_column(comment="rounds, minutes")
    quantity: Mapped[int] = mapped_column(comment="rounds or minutes bought and given, extensions included")
    price_fen: Mapped[Fen] = mapped_column(comment="price as it was shown, without extensions, fen")
    terms: Mapped[dict[str, Any]] = mapped_column(JSON, comment="promises as they were shown: see rules.Terms")
    state: Mapped[ConsultState] = mapped_column(comment="see rules.MOVES; read together with the deadlines")
    pay_until: Mapped[datetime] = mapped_column(comment="until when it can be paid")
    payment_id: Mapped[PaymentId | None] = mapped_column(comment="the payment that counted")
    paid_at: Mapped[datetime | None] = mapped_column(comment="when it was paid")
    answer_by: Mapped[datetime | None] = mapped_column(comment="promise of a first answer (RULE-85)")
    refund_at: Mapped[datetime | None] = mapped_column(comment="when all goes back if there was no answer (RULE-85)")
    accepted_at: Mapped[datetime | None] = mapped_column(comment="when the doctor found the follow-up fit (RULE-76)")
    answered_at: Mapped[datetime | None] = mapped_column(comment="first answer: the clock runs from here")
    rounds_used: Mapped[int] = mapped_column(comment="questions that were answered")
    asked: Mapped[bool] = mapped_column(comment="whether the patient spoke last: a question is open")
    closes_at: Mapped[datetime | None] = mapped_column(comment="end of the minutes, or of the grace after the last round")
    warned_at: Mapped[datetime | None] = mapped_column(comment="when both were told of the end")
    spoken_at: Mapped[datetime | None] = mapped_column(comment="last message, for the end by silence")
    ended_at: Mapped[datetime | None] = mapped_column(comment="when it was over")
    end_reason: Mapped[EndReason | None] = mapped_column(comment="why it was over")
    last_seq: Mapped[int] = mapped_column(comment="seq of its last message; the next is one more")
    refund_due_fen: Mapped[Fen] = mapped_column(comment="promised back, extensions included, fen")
    refunded_fen: Mapped[Fen] = mapped_column(comment="arrived back, fen")
    hidden_at: Mapped[datetime | None] = mapped_column(comment="when the patient removed it from the list; kept (RULE-82)")
    created_at: Mapped[datetime] = mapped_column(comment="when it was asked for")

    @property
    def accounts(self) -> tuple[AccountId, AccountId]:
        """The two who may read and write: who pays, who answers."""
        return self.account_id, self.clinician_account_id

    @property
    def is_first_visit(self) -> bool:
        """Whether there was no diagnosis before it (RULE-77)."""
        return self.first_visit_pilot_id is not None

    @property
    def patient_relation(self) -> Relation | None:
        """What the patient is to who asks (RULE-79); None where it was not noted yet."""
        told = self.people.get("relation")
        return None if told is None else Relation(told)

    @property
    def promises(self) -> Terms:
        return Terms.of(self.terms)

    @property
    def idle_at(self) -> datetime | None:
        """When silence ends it."""
        if self.spoken_at is None or self.answered_at is None:
            return None
        return self.spoken_at + self.promises.idle_for

    def is_overdue(self, now: datetime) -> bool:
        """Whether the promised moment of a first answer has passed without one (RULE-85)."""
        return self.answered_at is None and self.answer_by is not None and self.answer_by <= now

    @property
    def course(self) -> Course:
        """What its state is read from."""
        return Course(self.state, self.measure, self.pay_until, self.refund_at, self.closes_at, self.idle_at)

    def standing(self, now: datetime) -> Standing:
        """The state as it is read at a moment."""
        return standing(self.course, now)


class ConsultationMove(Model):
    """History of consultations: one row a move, never changed."""

    __tablename__ = "consultation_move"
    __table_args__ = (Index("ix_consultation_move_consultation", "consultation_id", "id"),)

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    consultation_id: Mapped[ConsultationId] = mapped_column(ForeignKey("consultation.id"), comment="its consultation")
    from_state: Mapped[ConsultState | None] = mapped_column(comment="null for the first")
    to_state: Mapped[ConsultState] = mapped_column(comment="where it went")
    actor: Mapped[Actor] = mapped_column(comment="who")
    reason: Mapped[str | None] = mapped_column(Sealed("consultation_move.reason", 500), comment="why, as told; sealed")
    at: Mapped[datetime] = mapped_column(comment="when")


class Message(Model):
    """Messages: what was said, in order without gaps; never changed, never deleted (RULE-82, RULE-84)."""

    __tablename__ = "consultation_message"
    __table_args__ = (
        UniqueConstraint("id"),
        UniqueConstraint("consultation_id", "sender_id", "client_msg_id"),
        CheckConstraint("seq > 0", name="seq_positive"),
    )

    consultation_id: Mapped[ConsultationId] = mapped_column(primary_key=True, comment="its consultation (no foreign key: hot)")
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="1, 2, 3 … within the consultation")
    id: Mapped[MessageId] = mapped_column(comment="UUIDv7")
    sender_id: Mapped[AccountId] = mapped_column(comment="who said it, as the session told")
    sender: Mapped[SenderRole] = mapped_column(comment="patient, clinician")
    client_msg_id: Mapped[str] = mapped_column(code_column(64), comment="the sender's own number: the same again is the same message")
    kind: Mapped[MessageKind] = mapped_column(comment="text, image, file, card, recall")
    body: Mapped[dict[str, Any]] = mapped_column(SealedJson("consultation_message.body"), comment="what was said, sealed")
    sent_at: Mapped[datetime] = mapped_column(comment="when it was stored")
    recalled_by: Mapped[int | None] = mapped_column(comment="seq of its tombstone; the content is kept for the legal term")
    withheld_at: Mapped[datetime | None] = mapped_column(comment="when the operator hid it from both (RULE-86)")

    @property
    def is_hidden(self) -> bool:
        """Whether the two may not read its content any more."""
        return self.recalled_by is not None or self.withheld_at is not None


class Mark(Model):
    """Marks: how far one device of one participant has received and read, and since when."""

    __tablename__ = "consultation_mark"

    consultation_id: Mapped[ConsultationId] = mapped_column(primary_key=True, comment="its consultation")
    account_id: Mapped[AccountId] = mapped_column(primary_key=True, comment="whose device")
    device_id: Mapped[str] = mapped_column(code_column(64), primary_key=True, comment="the device, as it calls itself")
    delivered_seq: Mapped[int] = mapped_column(comment="highest seq received; only grows")
    delivered_at: Mapped[datetime | None] = mapped_column(comment="when that was reached")
    read_seq: Mapped[int] = mapped_column(comment="highest seq read; only grows")
    read_at: Mapped[datetime | None] = mapped_column(comment="when that was reached")


class Extension(Model):
    """Extensions: further rounds or minutes of one consultation, bought by the patient or given by the clinician."""

    __tablename__ = "consultation_extension"
    __table_args__ = (
        Index("ix_consultation_extension_consultation", "consultation_id", "id"),
        CheckConstraint("price_fen >= 0 AND quantity > 0", name="something"),
    )

    id: Mapped[ExtensionId] = mapped_column(primary_key=True, comment="UUIDv7; what its payment is about")
    consultation_id: Mapped[ConsultationId] = mapped_column(ForeignKey("consultation.id"), comment="its consultation")
    quantity: Mapped[int] = mapped_column(comment="further rounds or minutes")
    price_fen: Mapped[Fen] = mapped_column(comment="its price, fen; 0 when it was given")
    state: Mapped[ExtensionState] = mapped_column(comment="asked, paid, given, returned")
    pay_until: Mapped[datetime] = mapped_column(comment="until when it can be paid")
    payment_id: Mapped[PaymentId | None] = mapped_column(comment="the payment that counted")
    added_at: Mapped[datetime | None] = mapped_column(comment="when it was added to the consultation")
    created_at: Mapped[datetime] = mapped_column(comment="when it was asked for")


class Summary(Model):
    """Summaries: the clinician's structured note at the end, with the messages it rests on."""

    __tablename__ = "consultation_summary"

    consultation_id: Mapped[ConsultationId] = mapped_column(ForeignKey("consultation.id"), primary_key=True, comment="its consultation")
    content: Mapped[dict[str, Any]] = mapped_column(SealedJson("consultation_summary.content"), comment="the note's parts, sealed")
    messages: Mapped[list[int]] = mapped_column(JSON, comment="seqs of the messages it rests on")
    author_id: Mapped[AccountId] = mapped_column(comment="who wrote it: a person (RULE-80)")
    written_at: Mapped[datetime] = mapped_column(comment="when")
    filed_at: Mapped[datetime | None] = mapped_column(comment="when the patient filed it")


class Rating(Model):
    """Ratings: what the patient thought of it, once."""

    __tablename__ = "consultation_rating"
    __table_args__ = (
        Index("ix_consultation_rating_clinician", "clinician_id", "stars"),
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars"),
    )

    consultation_id: Mapped[ConsultationId] = mapped_column(ForeignKey("consultation.id"), primary_key=True, comment="its consultation")
    clinician_id: Mapped[ClinicianId] = mapped_column(comment="who is rated")
    stars: Mapped[int] = mapped_column(comment="1 to 5")
    words: Mapped[str | None] = mapped_column(Sealed("consultation_rating.words", 500), comment="in the patient's words, sealed")
    rated_at: Mapped[datetime] = mapped_column(comment="when")


class Rated(NamedTuple):
    """The mean of somebody's ratings, to a tenth, and how many there are."""

    stars: float
    ratings: int


class Block(Model):
    """Blocks: an account that wants nothing to do with another; either way, nothing passes between the two."""

    __tablename__ = "consultation_block"
    __table_args__ = (Index("ix_consultation_block_blocked", "blocked_id"),)

    account_id: Mapped[AccountId] = mapped_column(primary_key=True, comment="who blocked")
    blocked_id: Mapped[AccountId] = mapped_column(primary_key=True, comment="whom")
    blocked_at: Mapped[datetime] = mapped_column(comment="since when")


class Flag(Model):
    """Flags: something in a consultation that a person should look at (RULE-86)."""

    __tablename__ = "consultation_flag"
    __table_args__ = (
        Index("ix_consultation_flag_state", "state", "id"),
        Index("ix_consultation_flag_consultation", "consultation_id", "id"),
    )

    id: Mapped[ConsultationFlagId] = mapped_column(primary_key=True, comment="UUIDv7")
    consultation_id: Mapped[ConsultationId] = mapped_column(ForeignKey("consultation.id"), comment="where")
    seq: Mapped[int | None] = mapped_column(comment="which message; null: the whole consultation")
    kind: Mapped[FlagKind] = mapped_column(comment="contact, abuse, illegal, report")
    rule: Mapped[str] = mapped_column(code_column(40), comment="which rule found it, or why it was reported")
    words: Mapped[str | None] = mapped_column(Sealed("consultation_flag.words", 500), comment="what the reporter wrote, sealed")
    reporter_id: Mapped[AccountId | None] = mapped_column(comment="who reported; null: found by a rule")
    state: Mapped[FlagState] = mapped_column(comment="open, dismissed, upheld")
    decided_by: Mapped[AccountId | None] = mapped_column(comment="operator who decided")
    decision: Mapped[str | None] = mapped_column(String(200), comment="why, in the operator's words")
    decided_at: Mapped[datetime | None] = mapped_column(comment="when")
    created_at: Mapped[datetime] = mapped_column(comment="when it was raised")


class RegulatorExport(Model):
    """Regulator exports: one hospital's consultations of some days, packed for an authority that asked (RULE-83)."""

    __tablename__ = "consultation_export"
    __table_args__ = (
        UniqueConstraint("pending_for"),
        Index("ix_consultation_export_hospital", "hospital_id", "id"),
        Index("ix_consultation_export_state", "state", "expires_at"),
        CheckConstraint("first_day <= last_day", name="window"),
    )

    id: Mapped[RegulatorExportId] = mapped_column(primary_key=True, comment="UUIDv7")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="whose consultations")
    scope: Mapped[ExportScope] = mapped_column(comment="acts, records")
    first_day: Mapped[date] = mapped_column(comment="paid from this day on, Shanghai, inclusive")
    last_day: Mapped[date] = mapped_column(comment="to this day, inclusive")
    authority: Mapped[str] = mapped_column(String(100), comment="which authority asked")
    document_no: Mapped[str] = mapped_column(code_column(60), comment="number of its letter")
    asked_by: Mapped[AccountId] = mapped_column(comment="operator who asked for it")
    pending_for: Mapped[HospitalId | None] = mapped_column(comment="the hospital until it is made: one at a time; then null")
    state: Mapped[RegulatorExportState] = mapped_column(comment="pending, ready, expired; read together with expires_at")
    consultations: Mapped[int | None] = mapped_column(comment="how many are in it, all parts together; null until it is made")
    asked_at: Mapped[datetime] = mapped_column(comment="when it was asked for")
    made_at: Mapped[datetime | None] = mapped_column(comment="when its last part was made")
    expires_at: Mapped[datetime | None] = mapped_column(comment="until when its parts are kept; the rows stay")

    def standing(self, now: datetime) -> RegulatorExportState:
        """The state as it is read at a moment."""
        if self.state is RegulatorExportState.READY and self.expires_at is not None and self.expires_at <= now:
            return RegulatorExportState.EXPIRED
        return self.state


class RegulatorExportPart(Model):
    """Parts of regulator exports: some of its consultations, packed in one run of the job; each is an object of the store."""

    __tablename__ = "consultation_export_part"

    export_id: Mapped[RegulatorExportId] = mapped_column(ForeignKey("consultation_export.id"), primary_key=True, comment="its export")
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="1, 2, 3 … within the export")
    last_id: Mapped[ConsultationId | None] = mapped_column(comment="its last consultation: the next part goes on from there")
    attempt: Mapped[RowId] = mapped_column(comment="the attempt that made it; names the object")
    data_key: Mapped[str | None] = mapped_column(
        Sealed("consultation_export_part.data_key", 44), comment="key of the object, sealed; null when it is no longer kept"
    )
    consultations: Mapped[int] = mapped_column(comment="how many are in it")
    size_bytes: Mapped[int] = mapped_column(comment="bytes of the zip")
    sha256: Mapped[bytes] = mapped_column(BINARY(32), comment="digest of the zip: what was handed over")
    made_at: Mapped[datetime] = mapped_column(comment="when")

    @property
    def archive(self) -> tuple[RowId, str] | None:
        """The object and the key that opens it; None when it is no longer kept."""
        return None if self.data_key is None else (self.attempt, self.data_key)
