"""What consultations announce; each names the two accounts whose devices must hear of it, and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from yiyuebao_api.domains.consultations.rules import ConsultState, Pair, Said
from yiyuebao_api.kernel.ids import AccountId, ConsultationId, MessageId


@dataclass(frozen=True, slots=True)
class MessagesSent:
    """Messages, or the tombstones of recalled ones, have their places in the log."""

    said: Sequence[Said]


@dataclass(frozen=True, slots=True)
class MessageRecalled:
    """The sender took a message back; `tombstone_seq` is the place of its tombstone."""

    consultation_id: ConsultationId
    accounts: Pair
    message_id: MessageId
    seq: int
    tombstone_seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class MarksMoved:
    """One device of one of the two has received or read further."""

    consultation_id: ConsultationId
    accounts: Pair
    reader: AccountId
    device_id: str
    delivered_seq: int
    read_seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ConsultationMoved:
    """Its state or its clock changed; the devices read it again."""

    consultation_id: ConsultationId
    accounts: Pair
    state: ConsultState
    closes_at: datetime | None
    at: datetime
