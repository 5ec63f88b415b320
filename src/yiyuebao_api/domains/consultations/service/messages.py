"""What is said: stored in its place before anybody hears of it, read from the log, marked, and taken back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consultations import queries, rules
from yiyuebao_api.domains.consultations.events import MessagesSent
from yiyuebao_api.domains.consultations.models import Consultation, Flag, Mark, Message
from yiyuebao_api.domains.consultations.problems import ClinicianNotServing, PairBlocked, TooManyDevices
from yiyuebao_api.domains.consultations.queries import Talk
from yiyuebao_api.domains.consultations.rules import FlagKind, FlagState, MessageKind, Said, SenderRole, Spoken
from yiyuebao_api.domains.consultations.service.course import note_turn
from yiyuebao_api.domains.consultations.service.telling import tell_marks, tell_message, tell_recalled
from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.problems import FileNotFound
from yiyuebao_api.domains.files.queries import find_file, lock_file, require_file
from yiyuebao_api.domains.files.rules import FileState, Purpose
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import AccountId, ConsultationFlagId, ConsultationId, FileId, MessageId
from yiyuebao_api.kernel.problems import NotFound, Problem
from yiyuebao_api.kernel.secrets import SealedJson
from yiyuebao_api.kernel.wire import Wire, column, marks

_INSERT = """
INSERT INTO consultation_message
  (consultation_id, seq, id, sender_id, sender, client_msg_id, kind, body, sent_at) VALUES
"""
#: What a file must have been uploaded for, to go with a message of that kind.
_PURPOSES = {MessageKind.IMAGE: Purpose.CONSULTATION_IMAGE, MessageKind.FILE: Purpose.CONSULTATION_FILE}
#: Messages of one page of the log, at most.
MAX_PAGE = 200


class SentMessage(NamedTuple):
    """The acknowledgement: where the message stands in the log. The same number again gives the same words."""

    consultation_id: ConsultationId
    client_msg_id: str
    message_id: MessageId
    seq: int
    sent_at: datetime


class Sending(NamedTuple):
    """A message on its way in. `origin` is the socket that is answered directly."""

    consultation_id: ConsultationId
    sender: AccountId
    client_msg_id: str
    kind: MessageKind
    body: Mapping[str, Any]
    origin: str = ""

    @property
    def number(self) -> queries.MessageNumber:
        return self.consultation_id.bytes, self.sender.bytes, self.client_msg_id


@dataclass(frozen=True, slots=True)
class _Room:
    """What several messages need to know, asked once: the locked consultations, and what was sent before."""

    wire: Wire
    tx: AsyncSession | None
    talks: Mapping[bytes, Talk]
    sent: dict[queries.MessageNumber, SentMessage]
    now: datetime
    spoken: dict[bytes, Talk] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    aside: set[bytes] = field(default_factory=set)


class _NotPlain(Exception):
    """The message moves more than the counters."""


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
    ConsultationStateRefused, PairBlocked, RoundsUsedUp, AcceptFirst, ClinicianNotServing, FileNotFound.
    """
    sending = Sending(consultation_id, sender, client_msg_id, kind, body, origin)
    (outcome,) = await send_messages(tx, [sending], now=now)
    if isinstance(outcome, Problem):
        raise outcome
    return outcome


async def send_messages(
    tx: AsyncSession, sendings: Sequence[Sending], *, now: datetime
) -> list[SentMessage | Problem]:
    """`send_message` for several at once: each gets its own acknowledgement or refusal, as if they came one by one.

    Locks the consultations in key order. What the database is asked does not grow with the number of messages.
    """
    outcomes = await _send_all(await Wire.of(tx), tx, sendings, now)
    return [each for each in outcomes if each is not None]


async def send_plain_messages(
    wire: Wire, sendings: Sequence[Sending], *, now: datetime
) -> list[SentMessage | Problem | None]:
    """`send_messages` where no session is open, for what most messages are: words that move nothing but the counters.

    None for one with a file, with words that somebody should look at, for a first answer or a last round, and for
    whatever follows it in the same consultation: nothing of it was stored, `send_messages` does it.
    """
    return await _send_all(wire, None, sendings, now)


async def _send_all(
    wire: Wire, tx: AsyncSession | None, sendings: Sequence[Sending], now: datetime
) -> list[SentMessage | Problem | None]:
    numbers = [each.number for each in sendings]
    talks, sent = await queries.lock_talks(wire, numbers)
    before = {
        number: SentMessage(ConsultationId.of(number[0]), number[2], each.id, each.seq, each.sent_at)
        for number, each in sent.items()
    }
    room = _Room(wire, tx, talks, before, now)
    outcomes: list[SentMessage | Problem | None] = []
    for sending, number in zip(sendings, numbers, strict=True):
        try:
            outcomes.append(await _send(room, sending, number))
        except Problem as problem:
            outcomes.append(problem)
        except _NotPlain:
            room.aside.add(number[0])
            outcomes.append(None)
    if room.said:
        await _store(room)
        await announce(wire, MessagesSent(room.said))
    return outcomes


async def _store(room: _Room) -> None:
    """What every message moves, of all these consultations in one statement, and what was said, in another."""
    at = column(room.now)
    when = " ".join(["WHEN %s THEN %s"] * len(room.spoken))
    changes = ", ".join(f"{name} = CASE id {when} END" for name in ("last_seq", "rounds_used", "asked"))
    moved = f"UPDATE consultation SET spoken_at = %s, {changes} WHERE id IN ({marks(len(room.spoken))})"  # noqa: S608 (names and marks)
    seqs: list[Any] = []
    used: list[Any] = []
    asked: list[Any] = []
    for key, talk in room.spoken.items():
        seqs += (key, talk.last_seq)
        used += (key, talk.rounds.used)
        asked += (key, talk.rounds.asked)
    await room.wire.put(moved, [at, *seqs, *used, *asked, *room.spoken])
    seal = cast("SealedJson", Message.__table__.c.body.type).seal
    rows: list[Any] = []
    for each in room.said:
        rows += (
            each.consultation_id.bytes, each.seq, each.message_id.bytes, each.sender_id.bytes, str(each.sender),
            each.client_msg_id, str(each.kind), seal(each.body), at,
        )  # fmt: skip
    await room.wire.put(_INSERT + marks(len(room.said), len(rows) // len(room.said)), rows)


async def _send(room: _Room, sending: Sending, number: queries.MessageNumber) -> SentMessage:
    rules.check_number(sending.client_msg_id)
    content = rules.check_body(sending.kind, sending.body)
    talk = room.talks.get(number[0])
    role = talk.role_of(sending.sender) if talk is not None else None
    if talk is None or role is None:
        raise NotFound
    if known := room.sent.get(number):
        return known
    if talk.blocked:
        raise PairBlocked
    if role is SenderRole.CLINICIAN and not talk.verified:
        raise ClinicianNotServing
    now = room.now
    spoken = rules.speak(talk.course, talk.kind, talk.quantity, talk.rounds, role, now, accepted=talk.accepted)
    suspicions = rules.suspicions(" ".join([content[name] for name in ("text", "title", "name") if name in content]))
    message = Said(
        talk.id, talk.accounts, MessageId.new(), talk.last_seq + 1, role, sending.sender, sending.client_msg_id, sending.kind,
        content, now, sending.origin,
    )  # fmt: skip
    if spoken.starts or spoken.closes or suspicions or sending.kind in _PURPOSES or number[0] in room.aside:
        await _move_more(room, talk, message, spoken, suspicions)
    talk.rounds, talk.last_seq = spoken.rounds, message.seq
    room.spoken[number[0]] = talk
    room.said.append(message)
    sent = room.sent[number] = SentMessage(talk.id, sending.client_msg_id, message.message_id, message.seq, now)
    return sent


async def _move_more(
    room: _Room, talk: Talk, message: Said, spoken: Spoken, suspicions: Mapping[FlagKind, str]
) -> None:
    """Its file, a turn of the consultation, flags. Raises FileNotFound, or _NotPlain where no session is open."""
    tx = room.tx
    if tx is None:
        raise _NotPlain
    file = await _locked_file(tx, message)
    if spoken.starts or spoken.closes:
        await _take_turn(tx, talk, spoken, message.at)
    if file is not None:
        await files.keep(tx, file)
    _raise_flags(tx, message, suspicions)


async def _take_turn(tx: AsyncSession, talk: Talk, spoken: Spoken, now: datetime) -> None:
    """What moves more than the counters is done with the whole row, and seen by the messages that follow."""
    consultation = await queries.lock_course(tx, talk.id)
    await note_turn(tx, consultation, spoken, now)
    await tx.flush()
    talk.course = consultation.course


async def _locked_file(tx: AsyncSession, message: Said) -> File | None:
    """The picture or document a message carries: the sender's own, uploaded for this. Raises FileNotFound."""
    purpose = _PURPOSES.get(message.kind)
    if purpose is None:
        return None
    file = await require_file(tx, FileId.parse(str(message.body["file_id"])), owner=message.sender_id, purpose=purpose)
    locked = await lock_file(tx, file.id, FileState.READY)
    if locked is None:  # the sweep was faster
        raise FileNotFound
    return locked


async def require_message_file(tx: AsyncSession, consultation_id: ConsultationId, message_id: MessageId) -> File:
    """What a message carries. Raises NotFound, also where it is hidden."""
    message = await queries.require_message(tx, consultation_id, message_id)
    if message.is_hidden or message.kind not in _PURPOSES:
        raise NotFound
    file = await find_file(tx, FileId.parse(str(message.body["file_id"])))
    if file is None:
        raise NotFound
    return file


async def list_messages(
    tx: AsyncSession, consultation_id: ConsultationId, reader: AccountId, after_seq: int, limit: int
) -> Sequence[Message]:
    """What follows a seq, in order, at most `MAX_PAGE`; told to the two only. Raises NotFound."""
    await queries.require_party(tx, reader, consultation_id)
    return await queries.list_messages(tx, consultation_id, after_seq, min(limit, MAX_PAGE))


async def checksum(tx: AsyncSession, consultation_id: ConsultationId, until: int) -> str:
    """SHA-256, in hex, over one line `seq message_id` and a newline for each message up to a seq (C20)."""
    lines = [f"{seq} {message_id}\n" for seq, message_id in await queries.list_numbers(tx, consultation_id, until)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


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
    role = _role_of(consultation, account_id)
    if role is None:
        raise NotFound
    return consultation, role


def _role_of(consultation: Consultation | None, account_id: AccountId) -> SenderRole | None:
    """None for everybody but the two."""
    if consultation is not None and consultation.account_id == account_id:
        return SenderRole.PATIENT
    if consultation is not None and consultation.clinician_account_id == account_id and consultation.paid_at is not None:
        return SenderRole.CLINICIAN
    return None


async def _append(
    tx: AsyncSession, consultation: Consultation, sender: AccountId, role: SenderRole, number: str, kind: MessageKind,
    body: dict[str, Any], now: datetime,
) -> Message:  # fmt: skip
    message = _next(consultation, sender, role, number, kind, body, now)
    tx.add(message)
    await tx.flush()
    return message


def _next(
    consultation: Consultation, sender: AccountId, role: SenderRole, number: str, kind: MessageKind,
    body: dict[str, Any], now: datetime,
) -> Message:  # fmt: skip
    consultation.last_seq += 1
    return Message(
        consultation_id=consultation.id, seq=consultation.last_seq, id=MessageId.new(), sender_id=sender, sender=role,
        client_msg_id=number, kind=kind, body=body, sent_at=now, recalled_by=None, withheld_at=None,
    )  # fmt: skip


def _raise_flags(tx: AsyncSession, message: Said, suspicions: Mapping[FlagKind, str]) -> None:
    """RULE-86: it is delivered, and somebody looks at it."""
    for kind, rule in suspicions.items():
        tx.add(Flag(
            id=ConsultationFlagId.new(), consultation_id=message.consultation_id, seq=message.seq, kind=kind, rule=rule,
            words=None, reporter_id=None, state=FlagState.OPEN, decided_by=None, decision=None, decided_at=None,
            created_at=message.at,
        ))  # fmt: skip
