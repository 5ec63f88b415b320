"""Moving a consultation and telling of it: the state, its history row, the devices and the inboxes, in one transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consultations.events import ConsultationMoved, MarksMoved, MessageRecalled, MessagesSent
from yiyuebao_api.domains.consultations.models import Consultation, ConsultationMove, Mark, Message
from yiyuebao_api.domains.consultations.rules import Actor, ConsultKind, ConsultState, EndReason, Said, check_move
from yiyuebao_api.domains.grants import service as grants
from yiyuebao_api.domains.grants.rules import Basis, Scope
from yiyuebao_api.domains.notices import service as notices
from yiyuebao_api.domains.partners import service as partners
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import RowId
from yiyuebao_api.kernel.problems import Words

_SCOPES = {
    ConsultKind.HEALTH_ADVICE: (Scope.CARE,),
    ConsultKind.ONLINE_FOLLOW_UP: (Scope.CARE, Scope.RECORDS, Scope.VITALS),
}
_EVENTS = {
    ConsultState.WAITING: "consultation.paid", ConsultState.ENDED: "consultation.ended",
    ConsultState.REFUNDED: "consultation.refunded",
}  # fmt: skip
_OVER = (ConsultState.ENDED, ConsultState.EXPIRED, ConsultState.REFUNDED)


async def move(
    tx: AsyncSession, consultation: Consultation, to: ConsultState, *, actor: Actor, now: datetime,
    reason: str | None = None, because: EndReason | None = None,
) -> None:  # fmt: skip
    """The one way a consultation changes its state. The caller holds the row's lock. Raises ConsultationStateRefused."""
    check_move(consultation.state, to)
    note(tx, consultation, consultation.state, to, actor=actor, reason=reason, now=now)
    consultation.state = to
    consultation.end_reason = because
    consultation.ended_at = now if to in _OVER else None
    await tx.flush()
    if to is ConsultState.WAITING:
        await grant_clinician(tx, consultation, now)
    elif to in _OVER:
        await grants.close_grants(tx, basis=Basis.CONSULTATION, subject=consultation.id, now=now)
    await tell_moved(tx, consultation, now)
    if to in _EVENTS:
        await _publish(tx, consultation, _EVENTS[to], now)


async def _publish(tx: AsyncSession, consultation: Consultation, event: str, now: datetime) -> None:
    """The hospital's systems hear how it stands, and not a word of what was said."""
    data = {
        "consultation_id": consultation.id, "order_no": consultation.order_no, "kind": consultation.kind.value,
        "clinician_id": consultation.clinician_id, "state": consultation.state.value, "price_fen": consultation.price_fen,
    }  # fmt: skip
    await partners.publish(tx, consultation.hospital_id, event, data, subject=consultation.id, now=now)


async def grant_clinician(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    """Paid: who answers may see what this is about; a follow-up shows records and vital signs too, until it is over."""
    for scope in _SCOPES[consultation.kind]:
        await grants.open_grant(
            tx, patient_id=consultation.patient_id, grantee=consultation.clinician_id, basis=Basis.CONSULTATION,
            scope=scope, subject=consultation.id, now=now,
        )  # fmt: skip


def note(
    tx: AsyncSession, consultation: Consultation, before: ConsultState | None, after: ConsultState, *, actor: Actor,
    now: datetime, reason: str | None = None,
) -> None:  # fmt: skip
    """A history row."""
    tx.add(ConsultationMove(
        id=RowId.new(), consultation_id=consultation.id, from_state=before, to_state=after, actor=actor, reason=reason,
        at=now,
    ))  # fmt: skip


async def tell_moved(tx: AsyncSession, consultation: Consultation, now: datetime) -> None:
    """The devices of both read it again."""
    await announce(
        tx, ConsultationMoved(consultation.id, consultation.accounts, consultation.state, consultation.closes_at, now)
    )


async def tell_message(tx: AsyncSession, consultation: Consultation, message: Message, *, origin: str = "") -> None:
    """The devices of both hear the message; nobody else's (RULE-84)."""
    said = Said(
        consultation.id, consultation.accounts, message.id, message.seq, message.sender, message.sender_id,
        message.client_msg_id, message.kind, message.body, message.sent_at, origin,
    )  # fmt: skip
    await announce(tx, MessagesSent([said]))


async def tell_recalled(
    tx: AsyncSession, consultation: Consultation, message: Message, tombstone: Message, now: datetime
) -> None:
    """Devices that show the message hide it; those that are away find the tombstone in the log."""
    await announce(
        tx, MessageRecalled(consultation.id, consultation.accounts, message.id, message.seq, tombstone.seq, now)
    )


async def tell_marks(tx: AsyncSession, consultation: Consultation, mark: Mark, now: datetime) -> None:
    """Both see how far that device is."""
    await announce(tx, MarksMoved(
        consultation.id, consultation.accounts, mark.account_id, mark.device_id, mark.delivered_seq, mark.read_seq, now
    ))  # fmt: skip


async def tell_patient(
    tx: AsyncSession, consultation: Consultation, kind: str, title: Words, body: Words, now: datetime
) -> None:
    """A notice to who asked. No clinical word: it may show on a lock screen (RULE-158)."""
    await notices.tell_account(tx, consultation.account_id, kind, title=title, body=body, subject=consultation.id, now=now)


async def tell_clinician(
    tx: AsyncSession, consultation: Consultation, kind: str, title: Words, body: Words, now: datetime
) -> None:
    """A notice to who answers."""
    account_id = consultation.clinician_account_id
    await notices.tell_account(tx, account_id, kind, title=title, body=body, subject=consultation.id, now=now)


async def tell_hospital(
    tx: AsyncSession, consultation: Consultation, kind: str, title: Words, body: Words, now: datetime
) -> None:
    """A notice at the desk of who is paid."""
    await notices.tell_hospital(tx, consultation.hospital_id, kind, title=title, body=body, subject=consultation.id, now=now)
