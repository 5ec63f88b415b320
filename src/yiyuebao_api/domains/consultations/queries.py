"""Named selects of consultations."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer, load_only

from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState
from yiyuebao_api.domains.consultations.models import (
    Block,
    Consultation,
    ConsultationApproval,
    ConsultationMove,
    ConsultationOffer,
    ConsultationPilot,
    ConsultationTerms,
    Extension,
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
    ConsultKind,
    ConsultState,
    Course,
    ExtensionState,
    FlagState,
    Measure,
    MessageKind,
    RegulatorExportState,
    Rounds,
    SenderRole,
    Terms,
)
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import FileState
from yiyuebao_api.kernel.audit import AuditEntry
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
    RegulatorExportId,
    RowId,
)
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.presence import RANKED, Presence, Seen, presences
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.wire import Wire, marks, moment

_FRESH = {"populate_existing": True}
#: Who takes part and how far it has come.
_COURSE = (
    Consultation.kind, Consultation.account_id, Consultation.patient_id, Consultation.clinician_id,
    Consultation.clinician_account_id, Consultation.hospital_id, Consultation.measure, Consultation.quantity,
    Consultation.terms, Consultation.state, Consultation.pay_until, Consultation.paid_at, Consultation.answer_by,
    Consultation.refund_at, Consultation.accepted_at, Consultation.answered_at, Consultation.rounds_used,
    Consultation.asked, Consultation.closes_at, Consultation.warned_at, Consultation.spoken_at, Consultation.ended_at,
    Consultation.end_reason, Consultation.last_seq,
)  # fmt: skip


# ── the consultation ─────────────────────────────────────────────────────────────────────────────────────────────────


async def lock_consultation(tx: AsyncSession, consultation_id: ConsultationId) -> Consultation:
    """The one way to lock a consultation: its state, its clock and its counter of messages. Raises NotFound."""
    locked = select(Consultation).where(Consultation.id == consultation_id).with_for_update()
    found = (await tx.scalars(locked.execution_options(**_FRESH))).one_or_none()
    if found is None:
        raise NotFound
    return found


async def lock_course(tx: AsyncSession, consultation_id: ConsultationId) -> Consultation:
    """`lock_consultation` with the course only: no sealed word is opened, and to ask for one is a mistake that shows at once."""
    locked = select(Consultation).where(Consultation.id == consultation_id).with_for_update()
    locked = locked.options(load_only(*_COURSE, raiseload=True))
    return (await tx.scalars(locked.execution_options(**_FRESH))).one()


@dataclass(slots=True)
class Talk:
    """A locked consultation as its messages see it; `course`, `rounds` and `last_seq` move with them."""

    id: ConsultationId
    patient: AccountId
    clinician: AccountId
    paid: bool
    verified: bool
    blocked: bool
    kind: ConsultKind
    quantity: int
    accepted: bool
    course: Course
    rounds: Rounds
    last_seq: int

    @property
    def accounts(self) -> tuple[AccountId, AccountId]:
        """The two who may read and write: who pays, who answers."""
        return self.patient, self.clinician

    def role_of(self, account_id: AccountId) -> SenderRole | None:
        """None for everybody but the two."""
        if account_id == self.patient:
            return SenderRole.PATIENT
        return SenderRole.CLINICIAN if self.paid and account_id == self.clinician else None


#: Whether the clinician may serve and whether either has blocked the other is read in the same breath, without a lock.
_TALKS = """
SELECT c.id, c.account_id, c.clinician_account_id, c.paid_at IS NOT NULL,
  (SELECT k.state FROM clinician AS k WHERE k.id = c.clinician_id),
  EXISTS (SELECT 1 FROM consultation_block AS b WHERE b.account_id = c.account_id AND b.blocked_id = c.clinician_account_id)
  OR EXISTS (SELECT 1 FROM consultation_block AS b WHERE b.account_id = c.clinician_account_id AND b.blocked_id = c.account_id),
  c.kind, c.quantity, c.accepted_at IS NOT NULL, c.rounds_used, c.asked, c.last_seq,
  c.state, c.measure, c.terms, c.pay_until, c.refund_at, c.closes_at, IF(c.answered_at IS NULL, NULL, c.spoken_at)
FROM consultation AS c WHERE c.id IN ({}) ORDER BY c.id FOR UPDATE
"""


#: Left to itself, the server reads whole consultations instead.
_SENT = """
SELECT consultation_id, sender_id, client_msg_id, id, seq, sent_at
FROM consultation_message FORCE INDEX (uq_consultation_message_consultation_id_sender_id_client_msg_id)
WHERE (consultation_id, sender_id, client_msg_id) IN ({})
"""
#: What makes a message one message: consultation, sender, the sender's own number; as the columns hold them.
MessageNumber = tuple[bytes, bytes, str]


class SentBefore(NamedTuple):
    """Where a message stands in the log."""

    id: MessageId
    seq: int
    sent_at: datetime


async def lock_talks(
    wire: Wire, numbers: Sequence[MessageNumber]
) -> tuple[dict[bytes, Talk], dict[MessageNumber, SentBefore]]:
    """The consultations of these messages, locked in key order, and what was sent under these numbers before.

    Those that do not exist are left out. Asked with every message: at once, and no sealed word is opened for it.
    """
    ids = sorted({number[0] for number in numbers})
    talks, sent = await wire.ask_all(
        (_TALKS.format(marks(len(ids))), ids), (_SENT.format(marks(len(numbers), 3)), [*chain.from_iterable(numbers)])
    )
    found = {
        (consultation, sender, own): SentBefore(MessageId.of(message_id), seq, sent_at.replace(tzinfo=UTC))
        for consultation, sender, own, message_id, seq, sent_at in sent
    }
    return {row[0]: _talk(row) for row in talks}, found


#: What a word of the column means: asking the enumeration itself takes ten times as long.
_STATES, _MEASURES, _KINDS = {str(s): s for s in ConsultState}, {str(m): m for m in Measure}, {str(k): k for k in ConsultKind}


def _talk(row: Sequence[Any]) -> Talk:
    (
        consultation_id, patient, clinician, paid, staff, blocked, kind, quantity, accepted, used, asked, last_seq,
        state, measure, terms, pay_until, refund_at, closes_at, spoken_at,
    ) = row  # fmt: skip
    silent = None if spoken_at is None else spoken_at + _idle_for(terms)
    course = Course(
        _STATES[state], _MEASURES[measure], pay_until.replace(tzinfo=UTC), moment(refund_at), moment(closes_at), moment(silent)
    )
    return Talk(
        ConsultationId.of(consultation_id), AccountId.of(patient), AccountId.of(clinician), bool(paid),
        staff == ClinicianState.VERIFIED, bool(blocked), _KINDS[kind], quantity, bool(accepted), course,
        Rounds(used, bool(asked)), last_seq,
    )  # fmt: skip


@lru_cache(maxsize=256)  # what is promised is the same in thousands of consultations
def _idle_for(terms: str) -> timedelta:
    return Terms.of(json.loads(terms)).idle_for


async def require_consultation(tx: AsyncSession, consultation_id: ConsultationId) -> Consultation:
    """Anybody's: for the operator. Raises NotFound."""
    found = await tx.get(Consultation, consultation_id)
    if found is None:
        raise NotFound
    return found


async def require_own(tx: AsyncSession, account_id: AccountId, consultation_id: ConsultationId) -> Consultation:
    """The one this account asked for, or 404."""
    found = await require_consultation(tx, consultation_id)
    if found.account_id != account_id:
        raise NotFound
    return found


async def require_served(
    tx: AsyncSession, account_id: AccountId, hospital_id: HospitalId, consultation_id: ConsultationId
) -> Consultation:
    """A paid one that this clinician answers for that hospital, or 404; an unpaid one is nobody's business there."""
    found = await require_consultation(tx, consultation_id)
    if (found.clinician_account_id, found.hospital_id) != (account_id, hospital_id) or found.paid_at is None:
        raise NotFound
    return found


#: Who takes part, and how long the log is.
_PARTY = (
    Consultation.account_id, Consultation.clinician_account_id, Consultation.paid_at, Consultation.last_seq,
)  # fmt: skip


async def require_party(tx: AsyncSession, account_id: AccountId, consultation_id: ConsultationId) -> Consultation:
    """One that the account takes part in, on either side, or 404 (RULE-84).

    Asked with every mark and every page of the log: no sealed word is opened, and to ask for one is a mistake that shows.
    """
    wanted = select(Consultation).where(Consultation.id == consultation_id).options(load_only(*_PARTY, raiseload=True))
    found = (await tx.scalars(wanted)).one_or_none()
    if found is None or account_id not in (found.account_id, found.clinician_account_id if found.paid_at else None):
        raise NotFound
    return found


async def list_own(tx: AsyncSession, account_id: AccountId, paging: Paging) -> Sequence[Consultation]:
    mine = select(Consultation).where(Consultation.account_id == account_id, Consultation.hidden_at.is_(None))
    return (await tx.scalars(newest_first(mine, Consultation.id, ConsultationId, paging))).all()


async def list_served(
    tx: AsyncSession, account_id: AccountId, hospital_id: HospitalId, states: Collection[ConsultState], paging: Paging
) -> Sequence[Consultation]:
    """Paid ones of a clinician at a hospital, newest first."""
    mine = select(Consultation).where(
        Consultation.clinician_account_id == account_id, Consultation.hospital_id == hospital_id,
        Consultation.paid_at.is_not(None),
    )  # fmt: skip
    if states:
        mine = mine.where(Consultation.state.in_(states))
    return (await tx.scalars(newest_first(mine, Consultation.id, ConsultationId, paging))).all()


async def list_of_hospital(tx: AsyncSession, hospital_id: HospitalId, paging: Paging) -> Sequence[Consultation]:
    """Paid ones of a hospital, newest first."""
    found = select(Consultation).where(Consultation.hospital_id == hospital_id, Consultation.paid_at.is_not(None))
    return (await tx.scalars(newest_first(found, Consultation.id, ConsultationId, paging))).all()


async def timeline_of(tx: AsyncSession, consultation_id: ConsultationId) -> Sequence[ConsultationMove]:
    moves = select(ConsultationMove).where(ConsultationMove.consultation_id == consultation_id)
    return (await tx.scalars(moves.order_by(ConsultationMove.id))).all()


class Talking(NamedTuple):
    """A consultation that is waiting or active, and the two of it."""

    id: ConsultationId
    patient: AccountId
    clinician: AccountId


async def list_talking(tx: AsyncSession, account_ids: Collection[AccountId]) -> list[Talking]:
    """Every consultation of these accounts, on either side, that is waiting or active."""
    found = select(Consultation.id, Consultation.account_id, Consultation.clinician_account_id).where(
        or_(Consultation.account_id.in_(account_ids), Consultation.clinician_account_id.in_(account_ids)),
        Consultation.state.in_([ConsultState.WAITING, ConsultState.ACTIVE]),
    )  # fmt: skip
    return [Talking(*row) for row in (await tx.execute(found.order_by(Consultation.id))).all()]


async def count_unpaid(tx: AsyncSession, account_id: AccountId, now: datetime) -> int:
    """Consultations of an account that can still be paid."""
    waiting = select(func.count()).where(
        Consultation.account_id == account_id, Consultation.state == ConsultState.AWAITING_PAYMENT,
        Consultation.pay_until > now,
    )  # fmt: skip
    return (await tx.scalar(waiting)) or 0


# ── messages and marks ───────────────────────────────────────────────────────────────────────────────────────────────


async def list_messages(
    tx: AsyncSession, consultation_id: ConsultationId, after_seq: int, limit: int
) -> Sequence[Message]:
    """The messages that follow a seq, in order."""
    after = select(Message).where(Message.consultation_id == consultation_id, Message.seq > after_seq)
    return (await tx.scalars(after.order_by(Message.seq).limit(limit))).all()


async def files_of(tx: AsyncSession, messages: Iterable[Message]) -> dict[FileId, File]:
    """The files that visible messages carry, with one select."""
    named = [str(each.body["file_id"]) for each in messages if not each.is_hidden and "file_id" in each.body]
    if not named:
        return {}
    found = select(File).where(File.id.in_([FileId.parse(each) for each in named]), File.state == FileState.READY)
    return {each.id: each for each in (await tx.scalars(found)).all()}


async def list_numbers(
    tx: AsyncSession, consultation_id: ConsultationId, until: int
) -> list[tuple[int, MessageId]]:
    """Seq and id of every message up to a seq, in order."""
    found = select(Message.seq, Message.id).where(Message.consultation_id == consultation_id, Message.seq <= until)
    return [(seq, message_id) for seq, message_id in (await tx.execute(found.order_by(Message.seq))).all()]


async def require_message(tx: AsyncSession, consultation_id: ConsultationId, message_id: MessageId) -> Message:
    """A message of that consultation that was said, not a tombstone. Raises NotFound."""
    found = (await tx.scalars(select(Message).where(Message.id == message_id))).one_or_none()
    if found is None or found.consultation_id != consultation_id or found.kind is MessageKind.RECALL:
        raise NotFound
    return found


async def require_message_at(tx: AsyncSession, consultation_id: ConsultationId, seq: int) -> Message:
    """Raises NotFound."""
    found = await tx.get(Message, (consultation_id, seq))
    if found is None:
        raise NotFound
    return found


async def lock_mark(
    tx: AsyncSession, consultation_id: ConsultationId, account_id: AccountId, device_id: str
) -> Mark:
    """The mark of one device, locked; made when there is none."""
    key = {"consultation_id": consultation_id, "account_id": account_id, "device_id": device_id}
    fresh = {"delivered_seq": 0, "delivered_at": None, "read_seq": 0, "read_at": None}
    locked = select(Mark).filter_by(**key).with_for_update().execution_options(**_FRESH)
    found = (await tx.scalars(locked)).one_or_none()
    if found is None:  # two at once: the second one's insert changes nothing
        await tx.execute(insert(Mark).values(**key, **fresh).on_duplicate_key_update(delivered_seq=Mark.delivered_seq))
        found = (await tx.scalars(locked)).one()
    return found


async def count_devices(tx: AsyncSession, consultation_id: ConsultationId, account_id: AccountId) -> int:
    counted = select(func.count()).where(Mark.consultation_id == consultation_id, Mark.account_id == account_id)
    return (await tx.scalar(counted)) or 0


async def list_marks(tx: AsyncSession, consultation_id: ConsultationId) -> Sequence[Mark]:
    return (await tx.scalars(select(Mark).where(Mark.consultation_id == consultation_id).order_by(Mark.device_id))).all()


async def read_seqs(
    tx: AsyncSession, account_id: AccountId, consultation_ids: Sequence[ConsultationId]
) -> dict[ConsultationId, int]:
    """How far an account has read, over all its devices."""
    if not consultation_ids:
        return {}
    furthest = select(Mark.consultation_id, func.max(Mark.read_seq)).where(
        Mark.account_id == account_id, Mark.consultation_id.in_(consultation_ids)
    )
    found = (await tx.execute(furthest.group_by(Mark.consultation_id))).all()
    return {consultation_id: int(seq) for consultation_id, seq in found}


# ── offers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def require_offer(tx: AsyncSession, offer_id: ConsultationOfferId) -> ConsultationOffer:
    """Raises NotFound."""
    found = await tx.get(ConsultationOffer, offer_id)
    if found is None:
        raise NotFound
    return found


async def lock_offer(
    tx: AsyncSession, clinician_id: ClinicianId, kind: ConsultKind, measure: Measure
) -> ConsultationOffer | None:
    """A clinician's offer of that kind and measure, locked. The caller holds the clinician's row lock."""
    same = select(ConsultationOffer).where(
        ConsultationOffer.clinician_id == clinician_id, ConsultationOffer.kind == kind,
        ConsultationOffer.measure == measure,
    )  # fmt: skip
    return (await tx.scalars(same.with_for_update().execution_options(**_FRESH))).one_or_none()


async def list_offers_of(tx: AsyncSession, clinician_id: ClinicianId) -> Sequence[ConsultationOffer]:
    mine = select(ConsultationOffer).where(ConsultationOffer.clinician_id == clinician_id)
    return (await tx.scalars(mine.order_by(ConsultationOffer.id))).all()


class OpenOffer(NamedTuple):
    """An offer, whose it is, and whether that person is there; `rank` is its place in the order of presence."""

    offer: ConsultationOffer
    clinician: Clinician
    rank: int
    seen: Seen


async def list_open_offers(
    tx: AsyncSession, hospital_id: HospitalId, kind: ConsultKind | None, approved: bool, paging: Paging, *,
    there: Presence | None, moment: datetime,
) -> list[OpenOffer]:  # fmt: skip
    """What verified staff of a hospital offers within today's terms, one more than asked: who is online first, newest first.

    `there` keeps only those; presence is read at `moment` of the machine's clock.
    """
    terms = ConsultationTerms
    staff = select(Clinician.account_id).where(Clinician.hospital_id == hospital_id)
    here = presences(moment, among=staff)
    rank = func.coalesce(here.c.rank, RANKED.index(Presence.OFFLINE))
    both = cast("Select[Any]", select(ConsultationOffer, Clinician, rank, here.c.seen_at))
    found = (
        both.join(Clinician, Clinician.id == ConsultationOffer.clinician_id)
        .join(here, here.c.account_id == Clinician.account_id, isouter=True)
        .join(terms, (terms.hospital_id == ConsultationOffer.hospital_id) & (terms.kind == ConsultationOffer.kind))
        .where(
            ConsultationOffer.hospital_id == hospital_id, ConsultationOffer.is_open.is_(True), terms.is_open.is_(True),
            Clinician.state == ClinicianState.VERIFIED,
            ConsultationOffer.price_fen.between(terms.min_fen, terms.max_fen),
        )
    )  # fmt: skip
    if kind is not None:
        found = found.where(ConsultationOffer.kind == kind)
    if not approved:
        found = found.where(ConsultationOffer.kind == ConsultKind.HEALTH_ADVICE)
    if there is not None:
        found = found.where(rank == RANKED.index(there))
    if after := paging.after(int, ConsultationOfferId):
        found = found.where(or_(rank > after[0], (rank == after[0]) & (ConsultationOffer.id < after[1])))
    rows = await tx.execute(found.order_by(rank, ConsultationOffer.id.desc()).limit(paging.limit + 1))
    return [
        OpenOffer(offer, clinician, int(ranked), Seen(RANKED[int(ranked)], seen_at))
        for offer, clinician, ranked, seen_at in rows.all()
    ]


async def terms_of(tx: AsyncSession, hospital_id: HospitalId, kind: ConsultKind) -> ConsultationTerms | None:
    return await tx.get(ConsultationTerms, (hospital_id, kind))


async def list_terms(tx: AsyncSession, hospital_id: HospitalId) -> Sequence[ConsultationTerms]:
    found = select(ConsultationTerms).where(ConsultationTerms.hospital_id == hospital_id)
    return (await tx.scalars(found.order_by(ConsultationTerms.kind))).all()


async def is_approved(tx: AsyncSession, hospital_id: HospitalId, on: date) -> bool:
    """Whether a hospital may diagnose online on that Shanghai day (RULE-76)."""
    found = await tx.get(ConsultationApproval, hospital_id)
    return found is not None and on <= found.valid_until


async def list_standing_pilots(
    tx: AsyncSession, hospital_id: HospitalId, *, held: bool = False
) -> Sequence[ConsultationPilot]:
    """A hospital's pilots that nobody has ended, past and future ones too; `held`: nor will before the transaction's end."""
    standing = select(ConsultationPilot).where(
        ConsultationPilot.hospital_id == hospital_id, ConsultationPilot.ended_at.is_(None)
    )
    if held:
        standing = standing.with_for_update(read=True).execution_options(**_FRESH)
    return (await tx.scalars(standing.order_by(ConsultationPilot.id))).all()


async def pilots_in_force(
    tx: AsyncSession, hospital_id: HospitalId, on: date, *, held: bool = False
) -> dict[str, ConsultationPilot]:
    """By specialty, where a hospital may take first visits online on that Shanghai day (RULE-77)."""
    standing = await list_standing_pilots(tx, hospital_id, held=held)
    return {each.specialty: each for each in standing if each.is_in_force(on)}


async def list_waiting_first_visits(tx: AsyncSession, pilot: ConsultationPilot) -> Sequence[ConsultationId]:
    """First visits of that hospital and specialty that no doctor has accepted, under whichever of its pilots."""
    same = select(ConsultationPilot.id).where(
        ConsultationPilot.hospital_id == pilot.hospital_id, ConsultationPilot.specialty == pilot.specialty
    )
    waiting = select(Consultation.id).where(
        Consultation.first_visit_pilot_id.in_(same), Consultation.accepted_at.is_(None),
        Consultation.state.in_((ConsultState.AWAITING_PAYMENT, ConsultState.WAITING)),
    )  # fmt: skip
    return (await tx.scalars(waiting)).all()


async def list_pilots(
    tx: AsyncSession, hospital_id: HospitalId | None, paging: Paging
) -> Sequence[ConsultationPilot]:
    """Pilots of one hospital or of all, newest first, one more than asked; ended ones too."""
    found = select(ConsultationPilot)
    if hospital_id is not None:
        found = found.where(ConsultationPilot.hospital_id == hospital_id)
    return (await tx.scalars(newest_first(found, ConsultationPilot.id, ConsultationPilotId, paging))).all()


async def lock_pilot(tx: AsyncSession, pilot_id: ConsultationPilotId) -> ConsultationPilot:
    """Raises NotFound."""
    locked = select(ConsultationPilot).where(ConsultationPilot.id == pilot_id).with_for_update()
    found = (await tx.scalars(locked.execution_options(**_FRESH))).one_or_none()
    if found is None:
        raise NotFound
    return found


# ── what belongs to a consultation ───────────────────────────────────────────────────────────────────────────────────


async def lock_extension(tx: AsyncSession, extension_id: ExtensionId) -> Extension:
    """Lock its consultation first. Raises NotFound."""
    locked = select(Extension).where(Extension.id == extension_id).with_for_update()
    found = (await tx.scalars(locked.execution_options(**_FRESH))).one_or_none()
    if found is None:
        raise NotFound
    return found


async def consultation_of_extension(tx: AsyncSession, extension_id: ExtensionId) -> ConsultationId:
    """Unlocked. Raises NotFound."""
    found = await tx.get(Extension, extension_id)
    if found is None:
        raise NotFound
    return found.consultation_id


async def find_asked_extension(
    tx: AsyncSession, consultation_id: ConsultationId, now: datetime
) -> Extension | None:
    """The extension that can still be paid."""
    asked = select(Extension).where(
        Extension.consultation_id == consultation_id, Extension.state == ExtensionState.ASKED, Extension.pay_until > now
    )
    return (await tx.scalars(asked.order_by(Extension.id.desc()).limit(1))).one_or_none()


async def list_extensions(tx: AsyncSession, consultation_id: ConsultationId) -> Sequence[Extension]:
    found = select(Extension).where(Extension.consultation_id == consultation_id).order_by(Extension.id)
    return (await tx.scalars(found)).all()


async def find_summary(tx: AsyncSession, consultation_id: ConsultationId) -> Summary | None:
    return await tx.get(Summary, consultation_id)


async def require_summary(tx: AsyncSession, consultation_id: ConsultationId) -> Summary:
    """Raises NotFound."""
    found = await find_summary(tx, consultation_id)
    if found is None:
        raise NotFound
    return found


async def ratings_of(tx: AsyncSession, clinician_ids: Collection[ClinicianId]) -> dict[ClinicianId, Rated]:
    """What patients thought of some clinicians, from the index alone; those nobody rated are left out."""
    stars = select(Rating.clinician_id, func.avg(Rating.stars), func.count()).where(Rating.clinician_id.in_(clinician_ids))
    rows = await tx.execute(stars.group_by(Rating.clinician_id))
    return {clinician_id: Rated(round(float(mean), 1), many) for clinician_id, mean, many in rows}


async def list_running_of(
    tx: AsyncSession, account_id: AccountId, patient_id: PatientId
) -> Sequence[ConsultationId]:
    """What about that patient is not over."""
    running = select(Consultation.id).where(
        Consultation.account_id == account_id, Consultation.patient_id == patient_id, Consultation.ended_at.is_(None)
    )
    return (await tx.scalars(running.order_by(Consultation.id))).all()


async def find_rating(tx: AsyncSession, consultation_id: ConsultationId) -> Rating | None:
    return await tx.get(Rating, consultation_id)


async def are_blocked(tx: AsyncSession, one: AccountId, other: AccountId) -> bool:
    """Whether either has blocked the other."""
    either = or_(
        (Block.account_id == one) & (Block.blocked_id == other), (Block.account_id == other) & (Block.blocked_id == one)
    )
    return (await tx.scalar(select(Block.account_id).where(either).limit(1))) is not None


async def list_flags(tx: AsyncSession, state: FlagState, paging: Paging) -> Sequence[Flag]:
    """Flags in one state, newest first, one more than asked."""
    found = select(Flag).where(Flag.state == state)
    return (await tx.scalars(newest_first(found, Flag.id, ConsultationFlagId, paging))).all()


async def find_open_report(
    tx: AsyncSession, consultation_id: ConsultationId, reporter: AccountId, rule: str, seq: int | None
) -> Flag | None:
    """The same complaint of the same person, while it waits. The caller holds the consultation's row lock."""
    same = select(Flag).where(
        Flag.consultation_id == consultation_id, Flag.reporter_id == reporter, Flag.rule == rule,
        Flag.state == FlagState.OPEN, Flag.seq.is_(None) if seq is None else Flag.seq == seq,
    )  # fmt: skip
    return (await tx.scalars(same.limit(1))).one_or_none()


async def require_flag(tx: AsyncSession, flag_id: ConsultationFlagId) -> Flag:
    """Raises NotFound."""
    found = await tx.get(Flag, flag_id)
    if found is None:
        raise NotFound
    return found


async def lock_flag(tx: AsyncSession, flag_id: ConsultationFlagId) -> Flag:
    """Lock its consultation first. Raises NotFound."""
    locked = select(Flag).where(Flag.id == flag_id).with_for_update()
    found = (await tx.scalars(locked.execution_options(**_FRESH))).one_or_none()
    if found is None:
        raise NotFound
    return found


# ── exports for a regulator (RULE-83) ────────────────────────────────────────────────────────────────────────────────

#: Sealed words of what was asked: not even opened for an export of acts.
_WORDS = (Consultation.complaint, Consultation.diagnosis)


def _paid_between(hospital_id: HospitalId, since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(Consultation.hospital_id == hospital_id, Consultation.paid_at >= since, Consultation.paid_at < until)


async def count_paid_between(tx: AsyncSession, hospital_id: HospitalId, since: datetime, until: datetime) -> int:
    """Consultations of a hospital that were paid in a half-open period."""
    counted = select(func.count()).select_from(Consultation).where(_paid_between(hospital_id, since, until))
    return (await tx.scalar(counted)) or 0


class Head(NamedTuple):
    """What is known of a consultation before it is read."""

    id: ConsultationId
    patient_id: PatientId
    kind: ConsultKind
    messages: int


async def heads_between(
    tx: AsyncSession, hospital_id: HospitalId, since: datetime, until: datetime, *, after: ConsultationId | None, most: int
) -> list[Head]:
    """Some of them in key order, after one."""
    found = select(Consultation.id, Consultation.patient_id, Consultation.kind, Consultation.last_seq).where(
        _paid_between(hospital_id, since, until)
    )
    if after is not None:
        found = found.where(Consultation.id > after)
    return [Head(*row) for row in await tx.execute(found.order_by(Consultation.id).limit(most))]


async def is_paid_between(
    tx: AsyncSession, consultation_id: ConsultationId, hospital_id: HospitalId, since: datetime, until: datetime
) -> bool:
    """Whether this one is among them."""
    one = select(Consultation.id).where(Consultation.id == consultation_id, _paid_between(hospital_id, since, until))
    return (await tx.scalars(one)).one_or_none() is not None


async def list_consultations(
    tx: AsyncSession, ids: Collection[ConsultationId], *, words: bool
) -> Sequence[Consultation]:
    """These, in key order; without `words` what the patients asked stays sealed."""
    found = select(Consultation).where(Consultation.id.in_(ids)).order_by(Consultation.id)
    if not words:
        found = found.options(*(defer(each, raiseload=True) for each in _WORDS))
    return (await tx.scalars(found)).all()


async def moves_of(
    tx: AsyncSession, ids: Collection[ConsultationId], *, words: bool
) -> Sequence[ConsultationMove]:
    """What happened to some, in order; the reasons with `words` only."""
    found = select(ConsultationMove).where(ConsultationMove.consultation_id.in_(ids))
    if not words:
        found = found.options(defer(ConsultationMove.reason, raiseload=True))
    return (await tx.scalars(found.order_by(ConsultationMove.consultation_id, ConsultationMove.id))).all()


async def messages_of(tx: AsyncSession, ids: Collection[ConsultationId], *, words: bool) -> Sequence[Message]:
    """Every message of some, in order; without `words` no body is opened."""
    found = select(Message).where(Message.consultation_id.in_(ids))
    if not words:
        found = found.options(defer(Message.body, raiseload=True))
    return (await tx.scalars(found.order_by(Message.consultation_id, Message.seq))).all()


async def extensions_of(tx: AsyncSession, ids: Collection[ConsultationId]) -> Sequence[Extension]:
    found = select(Extension).where(Extension.consultation_id.in_(ids))
    return (await tx.scalars(found.order_by(Extension.consultation_id, Extension.id))).all()


async def summaries_of(tx: AsyncSession, ids: Collection[ConsultationId], *, words: bool) -> Sequence[Summary]:
    """Without `words` no note is opened."""
    found = select(Summary).where(Summary.consultation_id.in_(ids))
    if not words:
        found = found.options(defer(Summary.content, raiseload=True))
    return (await tx.scalars(found.order_by(Summary.consultation_id))).all()


async def flags_of(tx: AsyncSession, ids: Collection[ConsultationId]) -> Sequence[Flag]:
    """Without what the reporters wrote."""
    found = select(Flag).where(Flag.consultation_id.in_(ids)).options(defer(Flag.words, raiseload=True))
    return (await tx.scalars(found.order_by(Flag.consultation_id, Flag.id))).all()


async def looks_at(tx: AsyncSession, consultations: Sequence[Consultation]) -> Sequence[AuditEntry]:
    """Who looked at some of them, in order."""
    found = select(AuditEntry).where(
        AuditEntry.patient_id.in_({each.patient_id for each in consultations}),
        AuditEntry.subject.in_([str(each.id) for each in consultations]),
    )
    return (await tx.scalars(found.order_by(AuditEntry.id))).all()


async def pilots_of(tx: AsyncSession, hospital_id: HospitalId) -> Sequence[ConsultationPilot]:
    """Every pilot a hospital ever had, oldest first."""
    found = select(ConsultationPilot).where(ConsultationPilot.hospital_id == hospital_id)
    return (await tx.scalars(found.order_by(ConsultationPilot.id))).all()


async def find_approval(tx: AsyncSession, hospital_id: HospitalId) -> ConsultationApproval | None:
    return await tx.get(ConsultationApproval, hospital_id)


async def require_export(tx: AsyncSession, export_id: RegulatorExportId) -> RegulatorExport:
    """Raises NotFound."""
    found = await tx.get(RegulatorExport, export_id)
    if found is None:
        raise NotFound
    return found


async def lock_export(tx: AsyncSession, export_id: RegulatorExportId) -> RegulatorExport | None:
    """The row, locked."""
    locked = select(RegulatorExport).where(RegulatorExport.id == export_id).with_for_update()
    return (await tx.scalars(locked.execution_options(**_FRESH))).one_or_none()


async def list_exports(
    tx: AsyncSession, hospital_id: HospitalId | None, paging: Paging
) -> Sequence[RegulatorExport]:
    """Of one hospital or of all, newest first, one more than asked."""
    found = select(RegulatorExport)
    if hospital_id is not None:
        found = found.where(RegulatorExport.hospital_id == hospital_id)
    return (await tx.scalars(newest_first(found, RegulatorExport.id, RegulatorExportId, paging))).all()


async def list_expired_exports(tx: AsyncSession, *, now: datetime, limit: int) -> Sequence[RegulatorExportId]:
    """Those that are no longer kept."""
    over = select(RegulatorExport.id).where(
        RegulatorExport.state == RegulatorExportState.READY, RegulatorExport.expires_at <= now
    )
    return (await tx.scalars(over.limit(limit))).all()


async def find_last_part(tx: AsyncSession, export_id: RegulatorExportId) -> RegulatorExportPart | None:
    mine = select(RegulatorExportPart).where(RegulatorExportPart.export_id == export_id)
    return (await tx.scalars(mine.order_by(RegulatorExportPart.number.desc()).limit(1))).one_or_none()


async def parts_of(
    tx: AsyncSession, export_ids: Collection[RegulatorExportId]
) -> dict[RegulatorExportId, list[RegulatorExportPart]]:
    """What there is of some exports, in order."""
    found: dict[RegulatorExportId, list[RegulatorExportPart]] = {each: [] for each in export_ids}
    mine = select(RegulatorExportPart).where(RegulatorExportPart.export_id.in_(export_ids))
    for part in await tx.scalars(mine.order_by(RegulatorExportPart.export_id, RegulatorExportPart.number)):
        found[part.export_id].append(part)
    return found


async def require_part(tx: AsyncSession, export_id: RegulatorExportId, number: int) -> RegulatorExportPart:
    """Raises NotFound."""
    found = await tx.get(RegulatorExportPart, (export_id, number))
    if found is None:
        raise NotFound
    return found


async def known_attempts(tx: AsyncSession, attempts: Collection[RowId]) -> set[RowId]:
    """Which of these made a part that is still kept."""
    kept = select(RegulatorExportPart.attempt).where(
        RegulatorExportPart.attempt.in_(attempts), RegulatorExportPart.data_key.is_not(None)
    )
    return set(await tx.scalars(kept))
