"""One consultation as a regulator is given it: every act in order, and with `words` what was asked, said and written (RULE-83)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consultations import queries, rules
from yiyuebao_api.domains.consultations.models import (
    Consultation,
    ConsultationMove,
    ConsultationPilot,
    Extension,
    Flag,
    Message,
    Summary,
)
from yiyuebao_api.domains.consultations.rules import ConsultKind
from yiyuebao_api.domains.consultations.service.offers import day_of
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.ids import ConsultationId, ConsultationPilotId
from yiyuebao_api.kernel.schema import masked_name

Row = TypeVar("Row", ConsultationMove, Message, Extension, Flag)
Told = dict[str, Any]


async def acts_of(
    tx: AsyncSession, consultations: Sequence[Consultation], pilots: Mapping[ConsultationPilotId, ConsultationPilot], *,
    words: bool, now: datetime,
) -> list[Told]:  # fmt: skip
    """Some consultations, all of one kind of openness, with everything that belongs to them; eight selects in all.

    With `words` they are online follow-ups: of health advice nobody is told what was said.
    """
    assert not words or all(each.kind is ConsultKind.ONLINE_FOLLOW_UP for each in consultations)
    ids = [each.id for each in consultations]
    moves = _by_consultation(await queries.moves_of(tx, ids, words=words))
    messages = _by_consultation(await queries.messages_of(tx, ids, words=words))
    extensions = _by_consultation(await queries.extensions_of(tx, ids))
    flags = _by_consultation(await queries.flags_of(tx, ids))
    summaries = {each.consultation_id: each for each in await queries.summaries_of(tx, ids, words=words)}
    looks: dict[str, list[AuditEntry]] = defaultdict(list)
    for each in await queries.looks_at(tx, consultations):
        looks[each.subject].append(each)
    return [
        {
            "consultation": _consultation(row, pilots, words, now), "patient": _patient(row),
            "clinician": {"id": row.clinician_id, "name": row.people["clinician"], "title": row.people["title"]},
            "moves": [_move(each, words) for each in moves[row.id]],
            "messages": [_message(each, words) for each in messages[row.id]],
            "extensions": [_extension(each) for each in extensions[row.id]],
            "summary": _summary(summaries[row.id], words) if row.id in summaries else None,
            "flags": [_flag(each) for each in flags[row.id]],
            "looks": [{"at": each.at, "mode": each.mode, "action": each.action} for each in looks[str(row.id)]],
        }
        for row in consultations
    ]  # fmt: skip


def _by_consultation(rows: Iterable[Row]) -> dict[ConsultationId, list[Row]]:
    found: dict[ConsultationId, list[Row]] = defaultdict(list)
    for each in rows:
        found[each.consultation_id].append(each)
    return found


def _consultation(
    row: Consultation, pilots: Mapping[ConsultationPilotId, ConsultationPilot], words: bool, now: datetime
) -> Told:
    found, pilot = row.standing(now), row.first_visit_pilot_id
    told: Told = {
        "id": row.id, "order_no": row.order_no, "kind": row.kind,
        "pilot_document_no": pilots[pilot].document_no if pilot is not None else None, "state": found.state,
        "end_reason": found.reason or row.end_reason, "measure": row.measure, "quantity": row.quantity,
        "price_fen": row.price_fen, "refund_due_fen": row.refund_due_fen, "refunded_fen": row.refunded_fen,
        "agreed_at": row.agreed_at, "asked_at": row.created_at, "paid_at": row.paid_at, "answer_by": row.answer_by,
        "accepted_at": row.accepted_at, "answered_at": row.answered_at, "ended_at": found.since or row.ended_at,
        "diagnosed_on": row.diagnosed_on, "proof_shown": row.proof_file_id is not None,
    }  # fmt: skip
    if words:
        told |= {"complaint": row.complaint, "diagnosis": row.diagnosis, "proof_file_id": row.proof_file_id}
    return told


def _patient(row: Consultation) -> Told:
    """Known again by the hospital, which has the id; by nobody else."""
    born = date.fromisoformat(row.people["born"])
    return {
        "id": row.patient_id, "name": masked_name(row.people["patient"]), "sex": row.people["sex"],
        "age": rules.age_on(born, day_of(row.created_at)), "relation": row.patient_relation,
    }  # fmt: skip


def _move(row: ConsultationMove, words: bool) -> Told:
    told: Told = {"from": row.from_state, "to": row.to_state, "actor": row.actor, "at": row.at}
    return told | {"reason": row.reason} if words else told


def _message(row: Message, words: bool) -> Told:
    """What was recalled or withheld is kept, and told as what it is."""
    told: Told = {
        "seq": row.seq, "sender": row.sender, "kind": row.kind, "sent_at": row.sent_at, "recalled_by": row.recalled_by,
        "withheld_at": row.withheld_at,
    }  # fmt: skip
    return told | {"body": row.body} if words else told


def _extension(row: Extension) -> Told:
    return {"quantity": row.quantity, "price_fen": row.price_fen, "state": row.state, "added_at": row.added_at}


def _summary(row: Summary, words: bool) -> Told:
    told: Told = {"author_id": row.author_id, "written_at": row.written_at, "filed_at": row.filed_at}
    return told | {"content": row.content} if words else told


def _flag(row: Flag) -> Told:
    return {
        "seq": row.seq, "kind": row.kind, "rule": row.rule, "state": row.state, "raised_at": row.created_at,
        "decided_at": row.decided_at,
    }  # fmt: skip
