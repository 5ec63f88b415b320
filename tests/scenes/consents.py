"""Scenes of consents: what people agreed to before a story begins."""

from __future__ import annotations

import asyncio

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.consents.models import Consent, ConsentNotice
from yiyuebao_api.domains.consents.queries import list_current_notices
from yiyuebao_api.domains.consents.rules import CONCERNS, Answer, Audience, Concerns, Method, Purpose, Signer
from yiyuebao_api.domains.consents.service import ensure_notices
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId, ConsentId, PatientId, SessionId

_one_at_a_time = asyncio.Lock()


async def publish(database: Database) -> None:
    """The first notices, once: a hundred patients made at the same moment would meet in a deadlock over them."""
    async with _one_at_a_time, database.begin() as tx:
        if not await list_current_notices(tx):
            await ensure_notices(tx, now=clock.now())


async def agree(tx: AsyncSession, account_id: AccountId, *patients: PatientId, child: bool = False) -> None:
    """The account agrees to everything but marketing, for itself and for each of these patients; again is once."""
    notices = {(each.purpose, each.audience): each for each in await list_current_notices(tx)}
    own = [
        _given(account_id, None, notices[purpose, Audience.GENERAL])
        for purpose in Purpose
        if CONCERNS[purpose] is not Concerns.PATIENT and purpose is not Purpose.MARKETING
    ]
    audience = Audience.CHILD if child else Audience.GENERAL
    theirs = [
        _given(account_id, patient_id, notices[purpose, audience])
        for patient_id in patients
        for purpose in Purpose
        if CONCERNS[purpose] is not Concerns.ACCOUNT
    ]
    await tx.execute(insert(Consent).prefix_with("IGNORE"), [*own, *theirs])


def _given(account_id: AccountId, patient_id: PatientId | None, notice: ConsentNotice) -> dict[str, object]:
    now = clock.now()
    return {
        "id": ConsentId.new(), "subject": (patient_id or account_id).bytes, "purpose": notice.purpose, "number": 1,
        "account_id": account_id, "patient_id": patient_id, "answer": Answer.GIVEN, "notice_id": notice.id,
        "audience": notice.audience, "notice_version": notice.version, "sha256": notice.sha256, "read_at": now,
        "answered_at": now, "signer": Signer.SELF if patient_id is None else Signer.REPRESENTATIVE,
        "session_id": SessionId.new(), "device": "test", "method": Method.TAP,
    }  # fmt: skip
