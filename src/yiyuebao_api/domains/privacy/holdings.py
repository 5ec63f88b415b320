"""What is held of a person, table by table: whose a row is, whether they get a copy, and its fate at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from yiyuebao_api.domains.accounts.models import Account, RefreshToken, Role, Session, WeChatIdentity
from yiyuebao_api.domains.accounts.rules import AccountStatus
from yiyuebao_api.domains.bookings.models import Assessment, Booking, BookingLine, BookingMove, Review
from yiyuebao_api.domains.clinicians.models import AdverseRecord, Clinician, Qualification
from yiyuebao_api.domains.consents.models import Consent
from yiyuebao_api.domains.consultations.models import (
    Block,
    Consultation,
    ConsultationMove,
    Extension,
    Mark,
    Message,
    Rating,
    Summary,
)
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.domains.grants.models import Grant
from yiyuebao_api.domains.hospitals.models import DeskMember
from yiyuebao_api.domains.identities.models import Identity
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.privacy.models import Export
from yiyuebao_api.domains.privacy.rules import Fate
from yiyuebao_api.domains.visits.models import Agreement, Visit, VisitStep
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.ids import AccountId, PatientId
from yiyuebao_api.kernel.presence import PresenceLease
from yiyuebao_api.kernel.tickets import LiveTicket


@dataclass(frozen=True, slots=True)
class Person:
    """An account and the people it cares for."""

    account_id: AccountId
    patient_ids: Sequence[PatientId]


Whose = Callable[[Person], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Holding:
    """One table. `hidden` are columns that are no copy of the person's data; `emptied` what an EMPTIED row says instead."""

    model: Any
    whose: Whose
    fate: Fate
    why: str
    shown: bool = True
    hidden: frozenset[str] = frozenset()
    emptied: Callable[[datetime], Mapping[str, Any]] | None = None

    @property
    def name(self) -> str:
        return str(self.model.__tablename__)


def _account(column: Any) -> Whose:
    return lambda person: column == person.account_id


def _patients(column: Any) -> Whose:
    return lambda person: column.in_(person.patient_ids)


_BOOKINGS, _TALKS, _PAID = _account(Booking.account_id), _account(Consultation.account_id), _account(Payment.account_id)


def _of_bookings(column: Any) -> Whose:
    return lambda person: column.in_(select(Booking.id).where(_BOOKINGS(person)))


def _of_talks(column: Any) -> Whose:
    return lambda person: column.in_(select(Consultation.id).where(_TALKS(person)))


_CLOSED, _BLANK = "已注销", bytes(32)
_RECORD, _DEAL, _TALK = "病历资料，依法保存 15 年以上", "交易记录，依法保存 3 年以上", "咨询记录，依法保存 3 年以上"
_STAFF = "从业资料，由医院依法保存"
#: Pictures that nothing obliges us to keep.
SHREDDED = (Purpose.ID_CARD, Purpose.PORTRAIT)

#: In the order in which they are emptied and erased: what refers to others first.
HOLDINGS: tuple[Holding, ...] = (
    Holding(
        RefreshToken, lambda person: RefreshToken.session_id.in_(select(Session.id).where(Session.account_id == person.account_id)),
        Fate.ERASED, "登录凭证", shown=False,
    ),
    Holding(Session, _account(Session.account_id), Fate.EMPTIED, "登录记录", emptied=lambda _: {"device": _CLOSED}),
    Holding(WeChatIdentity, _account(WeChatIdentity.account_id), Fate.ERASED, "微信绑定"),
    Holding(LiveTicket, _account(LiveTicket.account_id), Fate.ERASED, "连接凭证", shown=False),
    Holding(PresenceLease, _account(PresenceLease.account_id), Fate.ERASED, "在线状态", shown=False),
    Holding(Role, _account(Role.account_id), Fate.KEPT, _STAFF),
    Holding(Notice, _account(Notice.account_id), Fate.ERASED, "消息"),
    Holding(Identity, _account(Identity.account_id), Fate.ERASED, "身份证核验", hidden=frozenset({"id_index", "decided_by"})),
    Holding(Address, _account(Address.account_id), Fate.ERASED, "地址", hidden=frozenset({"phone_index"})),
    Holding(
        Patient, _account(Patient.account_id), Fate.EMPTIED, "就诊人", hidden=frozenset({"name_index", "phone_index", "id_index"}),
        emptied=lambda now: {
            "name": _CLOSED, "name_index": _BLANK, "phone": "", "phone_index": _BLANK, "id_no": None, "id_index": None,
            "deleted_at": now,
        },
    ),
    Holding(Consent, _account(Consent.account_id), Fate.KEPT, "同意凭证，保存 3 年以上"),
    Holding(Grant, _patients(Grant.patient_id), Fate.KEPT, "授权记录，保存 3 年以上"),
    Holding(AuditEntry, _patients(AuditEntry.patient_id), Fate.KEPT, "访问审计，依法保存 3 年以上", hidden=frozenset({"proof"})),
    Holding(Booking, _BOOKINGS, Fate.KEPT, _DEAL),
    Holding(BookingLine, _of_bookings(BookingLine.booking_id), Fate.KEPT, _DEAL),
    Holding(BookingMove, _of_bookings(BookingMove.booking_id), Fate.KEPT, _DEAL),
    Holding(Assessment, _patients(Assessment.patient_id), Fate.KEPT, _RECORD),
    Holding(
        Review, _of_bookings(Review.booking_id), Fate.EMPTIED, "评价", emptied=lambda _: {"author": f"{_CLOSED}用户"}
    ),
    Holding(Visit, _account(Visit.account_id), Fate.KEPT, _RECORD),
    Holding(
        VisitStep, lambda person: VisitStep.visit_id.in_(select(Visit.id).where(Visit.account_id == person.account_id)),
        Fate.KEPT, _RECORD,
    ),
    Holding(
        Agreement, lambda person: Agreement.visit_id.in_(select(Visit.id).where(Visit.account_id == person.account_id)),
        Fate.KEPT, _RECORD,
    ),
    Holding(Payment, _PAID, Fate.KEPT, _DEAL),
    Holding(Refund, lambda person: Refund.payment_id.in_(select(Payment.id).where(_PAID(person))), Fate.KEPT, _DEAL),
    Holding(Consultation, _TALKS, Fate.KEPT, _TALK),
    Holding(ConsultationMove, _of_talks(ConsultationMove.consultation_id), Fate.KEPT, _TALK),
    Holding(Message, _of_talks(Message.consultation_id), Fate.KEPT, _TALK),
    Holding(Extension, _of_talks(Extension.consultation_id), Fate.KEPT, _TALK),
    Holding(Summary, _of_talks(Summary.consultation_id), Fate.KEPT, _RECORD),
    Holding(Rating, _of_talks(Rating.consultation_id), Fate.KEPT, _TALK),
    Holding(Mark, _account(Mark.account_id), Fate.ERASED, "已读位置", shown=False),
    Holding(
        Block, lambda person: or_(Block.account_id == person.account_id, Block.blocked_id == person.account_id), Fate.ERASED,
        "屏蔽名单", shown=False,
    ),
    Holding(Clinician, _account(Clinician.account_id), Fate.KEPT, _STAFF),
    Holding(
        Qualification,
        lambda person: Qualification.clinician_id.in_(select(Clinician.id).where(Clinician.account_id == person.account_id)),
        Fate.KEPT, _STAFF, hidden=frozenset({"number_index", "decided_by"}),
    ),
    Holding(AdverseRecord, _account(AdverseRecord.account_id), Fate.KEPT, _STAFF, hidden=frozenset({"recorded_by"})),
    Holding(DeskMember, _account(DeskMember.account_id), Fate.KEPT, _STAFF),
    Holding(
        File, _account(File.owner_id), Fate.KEPT, "与病历、咨询有关的图片和文件；身份证照片与头像除外",
        hidden=frozenset({"data_key", "original_sha256"}),
    ),
    Holding(Export, _account(Export.account_id), Fate.KEPT, "副本申请记录", hidden=frozenset({"data_key", "pending_for", "attempt"})),
    Holding(
        Account, _account(Account.id), Fate.EMPTIED, "账户", hidden=frozenset({"phone_index"}),
        emptied=lambda _: {"phone": None, "phone_index": None, "status": AccountStatus.CLOSED},
    ),
)  # fmt: skip

#: Tables that name a person and are not placed above, each with its reason.
ELSEWHERE: Mapping[str, str] = {
    "staff_credential": "a login with a password belongs to a role, and closes with it",
    "hospital_move": "who of the staff decided about a hospital",
    "service_move": "who of the staff published a service",
    "queue_claim": "which operator is at work on what, for a quarter of an hour",
    "consultation_export_part": "the key of its object",
    "consultation_export": "an authority's export of a hospital; names the operator, and no patient (RULE-83)",
    "consultation_flag": "moderation: kept from both sides (RULE-86)",
    "consultation_message": "the clinician's words stand in the patient's copy",
    "clinician_leave": "the hospital's rota",
    "idempotency_key": "answers for a day, under the caller's own key",
    "inbox": "what providers told, until it is applied",
    "webhook_delivery": "ids and amounts only",
    "webhook_endpoint": "a hospital's system",
    "consultation_summary": "placed by its consultation",
}
