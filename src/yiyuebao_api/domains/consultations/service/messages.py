"""What is said: stored in its place before anybody hears of it, read from the log, marked, and taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians.models import ClinicianState
from yiyuebao_api.domains.clinicians.queries import require_clinician
from yiyuebao_api.domains.consultations import queries, rules
from yiyuebao_api.domains.consultations.models import Consultation, Flag, Mark, Message
from yiyuebao_api.domains.consultations.problems import (
    ClinicianNotServing,
    MessageMalformed,
    PairBlocked,
    TooManyDevices,
)
from yiyuebao_api.domains.consultations.rules import FlagState, MessageKind, SenderRole
from yiyuebao_api.domains.consultations.service.course import note_spoken
from yiyuebao_api.domains.consultations.service.telling import tell_marks, tell_message, tell_recalled
from yiyuebao_api.kernel.ids import AccountId, ConsultationFlagId, ConsultationId, MessageId
from yiyuebao_api.kernel.problems import NotFound

#: Messages of one page of the log, at most.
MAX_PAGE = 200


@dataclass(frozen=True, slots=True)
class SentMessage:
    """The acknowledgement: where the message stands in the log. The same number again gives the same words."""

    consultation_id: ConsultationId
    client_msg_id: str
    message_id: MessageId
    seq: int
    sent_at: datetime

    @classmethod
    def of(cls, message: Message) -> Self:
        return cls(message.consultation_id, message.client_msg_id, message.id, message.seq, message.sent_at)


@dataclass(frozen=True, slots=True)
class Participants:
    """The two, and nobody else."""

    patient: AccountId
    clinician: AccountId

    @property
    def accounts(self) -> tuple[AccountId, AccountId]:
        return self.patient, self.clinician


async def participants_of(tx: AsyncSession, consultation_id: ConsultationId, reader: AccountId) -> Participants:
    """Who takes part, told to one who does. Raises NotFound to everybody else."""
    found = await queries.require_party(tx, reader, consultation_id)
    return Participants(*found.accounts)


async def send_message(
    tx: AsyncSession, *, consultation_id: ConsultationId, sender: AccountId, client_msg_id: str, kind: MessageKind,
    body: Mapping[str, Any], now: datetime, origin: str = "",
) -> SentMessage:  # fmt: skip
    """Store a message with the next seq of its consultation; the other devices hear of it after the commit.

    Locks the consultation: seq has no gap. The same `client_msg_id` of the same sender gives the first acknowledgement,
    whatever has happened since. `origin` is the socket that is answered directly. Raises NotFound, MessageMalformed,
    ConsultationStateRefused, PairBlocked, RoundsUsedUp, AcceptFirst, ClinicianNotServing.
    """
    rules.check_number(client_msg_id)
    content = rules.check_body(kind, body)
    consultation, role = await _locked_by(tx, sender, consultation_id)
    if known := await queries.find_sent(tx, consultation_id, sender, client_msg_id):
        return SentMessage.of(known)
    await _check_pair(tx, consultation, role)
    if kind in (MessageKind.IMAGE, MessageKind.FILE):
        raise MessageMalformed
    await note_spoken(tx, consultation, role, now)
    message = await _append(tx, consultation, sender, role, client_msg_id, kind, content, now)
    _raise_flags(tx, message, now)
    await tell_message(tx, consultation, message, origin=origin)
    return SentMessage.of(message)


async def list_messages(
    tx: AsyncSession, consultation_id: ConsultationId, reader: AccountId, after_seq: int, limit: int
) -> Sequence[Message]:
    """What follows a seq, in order, at most `MAX_PAGE`; told to the two only. Raises NotFound."""
    await queries.require_party(tx, reader, consultation_id)
    return await queries.list_messages(tx, consultation_id, after_seq, min(limit, MAX_PAGE))


async def recall_message(
    tx: AsyncSession, *, consultation_id: ConsultationId, sender: AccountId, message_id: MessageId, now: datetime,
    origin: str = "",
) -> Message:  # fmt: skip
    """Hide one's own message from both within two minutes; its tombstone, with a seq of its own, is returned.

    The content is kept for the legal term (RULE-82). A second recall gives the same tombstone. Raises NotFound (also
    for the other's message), RecallTooLate.
    """
    consultation, role = await _locked_by(tx, sender, consultation_id)
    message = await queries.require_message(tx, consultation_id, message_id)
    if message.sender_id != sender:
        raise NotFound
    await tx.refresh(message)
    if message.recalled_by is not None:
        return await queries.require_message_at(tx, consultation_id, message.recalled_by)
    rules.check_recall(message.sent_at, now)
    body = {"message_id": str(message.id), "seq": message.seq}
    number = f"recall-{message.id}"
    tombstone = await _append(tx, consultation, sender, role, number, MessageKind.RECALL, body, now)
    message.recalled_by = tombstone.seq
    await tx.flush()
    await tell_message(tx, consultation, tombstone, origin=origin)
    await tell_recalled(tx, consultation, message, tombstone, now)
    return tombstone


async def withhold(tx: AsyncSession, consultation: Consultation, seq: int, *, now: datetime) -> None:
    """The operator hides a message from both (RULE-86); its content is kept. The caller holds the consultation's lock."""
    message = await queries.require_message_at(tx, consultation.id, seq)
    if message.withheld_at is not None or message.kind is MessageKind.RECALL:
        return
    message.withheld_at = now
    body = {"message_id": str(message.id), "seq": message.seq}
    number = f"withheld-{message.id}"
    kind, sender, role = MessageKind.RECALL, message.sender_id, message.sender
    tombstone = await _append(tx, consultation, sender, role, number, kind, body, now)
    await tell_message(tx, consultation, tombstone)
    await tell_recalled(tx, consultation, message, tombstone, now)


async def mark(
    tx: AsyncSession, consultation_id: ConsultationId, reader: AccountId, device_id: str, *, delivered: int = 0,
    read: int = 0, now: datetime,
) -> Mark:  # fmt: skip
    """How far a device has received and read; marks only grow, and what was read was received.

    A seq beyond the last message counts as the last. Locks the device's mark. Raises NotFound, MessageMalformed,
    TooManyDevices.
    """
    rules.check_number(device_id)
    consultation = await queries.require_party(tx, reader, consultation_id)
    found = await queries.lock_mark(tx, consultation_id, reader, device_id)
    if not found.delivered_seq and await queries.count_devices(tx, consultation_id, reader) > rules.MAX_DEVICES:
        raise TooManyDevices
    read = min(read, consultation.last_seq)
    delivered = max(min(delivered, consultation.last_seq), read)
    moved = delivered > found.delivered_seq or read > found.read_seq
    if delivered > found.delivered_seq:
        found.delivered_seq, found.delivered_at = delivered, now
    if read > found.read_seq:
        found.read_seq, found.read_at = read, now
    if moved:
        await tx.flush()
        await tell_marks(tx, consultation, found, now)
    return found


async def _locked_by(
    tx: AsyncSession, account_id: AccountId, consultation_id: ConsultationId
) -> tuple[Consultation, SenderRole]:
    """Lock it for one of the two; to everybody else it is not there. Raises NotFound."""
    consultation = await queries.lock_consultation(tx, consultation_id)
    if consultation.account_id == account_id:
        return consultation, SenderRole.PATIENT
    if consultation.clinician_account_id == account_id and consultation.paid_at is not None:
        return consultation, SenderRole.CLINICIAN
    raise NotFound


async def _check_pair(tx: AsyncSession, consultation: Consultation, role: SenderRole) -> None:
    if await queries.are_blocked(tx, *consultation.accounts):
        raise PairBlocked
    if role is SenderRole.CLINICIAN:
        clinician = await require_clinician(tx, consultation.clinician_id)
        if clinician.state is not ClinicianState.VERIFIED:
            raise ClinicianNotServing


async def _append(
    tx: AsyncSession, consultation: Consultation, sender: AccountId, role: SenderRole, number: str, kind: MessageKind,
    body: dict[str, Any], now: datetime,
) -> Message:  # fmt: skip
    consultation.last_seq += 1
    message = Message(
        consultation_id=consultation.id, seq=consultation.last_seq, id=MessageId.new(), sender_id=sender, sender=role,
        client_msg_id=number, kind=kind, body=body, sent_at=now, recalled_by=None, withheld_at=None,
    )  # fmt: skip
    tx.add(message)
    await tx.flush()
    return message


def _raise_flags(tx: AsyncSession, message: Message, now: datetime) -> None:
    """RULE-86: it is delivered, and somebody looks at it."""
    said = " ".join(str(message.body[name]) for name in ("text", "title", "name") if name in message.body)
    for kind, rule in rules.suspicions(said).items():
        tx.add(Flag(
            id=ConsultationFlagId.new(), consultation_id=message.consultation_id, seq=message.seq, kind=kind, rule=rule,
            words=None, reporter_id=None, state=FlagState.OPEN, decided_by=None, decision=None, decided_at=None,
            created_at=now,
        ))  # fmt: skip
