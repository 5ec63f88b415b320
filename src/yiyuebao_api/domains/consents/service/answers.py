"""Answers to notices: given, refused, taken back; and what stands for an account and its patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.queries import lock_account
from yiyuebao_api.domains.consents.events import ConsentWithdrawn
from yiyuebao_api.domains.consents.models import Consent, ConsentNotice
from yiyuebao_api.domains.consents.problems import NothingToWithdraw, NoticeNotFound, NoticeSuperseded
from yiyuebao_api.domains.consents.queries import (
    device_of,
    find_current_notice,
    find_newest,
    find_notice,
    list_concerned,
    list_current_notices,
    standing_of,
    subject_of,
)
from yiyuebao_api.domains.consents.rules import (
    CONCERNS,
    Answer,
    Audience,
    Concerns,
    Method,
    Purpose,
    Signer,
    Standing,
    check_audience,
    check_concerned,
    check_read,
    is_child,
    signer,
)
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.patients.queries import require_patient
from yiyuebao_api.kernel import clock, events
from yiyuebao_api.kernel.ids import AccountId, ConsentId, ConsentNoticeId, PatientId, SessionId


@dataclass(frozen=True, slots=True)
class Signature:
    """Who answers, from which sign-in, and how."""

    account_id: AccountId
    session_id: SessionId
    method: Method
    as_guardian: bool = False


async def answer_notice(
    tx: AsyncSession, by: Signature, notice_id: ConsentNoticeId, patient_id: PatientId | None, answer: Answer, *,
    read_at: datetime, now: datetime,
) -> Consent:  # fmt: skip
    """Say yes or no to what a notice asks. The same answer to the same notice again is the first one's row.

    Locks the account: its answers come one after the other. Raises NoticeNotFound, NoticeSuperseded, NoticeNotRead,
    WrongNotice, GuardianNeeded, PatientNeeded, PatientNotAsked, NotFound.
    """
    notice = await find_notice(tx, notice_id)
    if notice is None:
        raise NoticeNotFound
    check_concerned(notice.purpose, patient_named=patient_id is not None)
    signs = Signer.SELF
    if patient_id is not None:
        patient = await require_patient(tx, by.account_id, patient_id)
        child = is_child(patient.birth_date, now.astimezone(clock.SHANGHAI).date())
        check_audience(notice.audience, child=child)
        signs = signer(patient.relation, child=child, as_guardian=by.as_guardian)
    else:
        check_audience(notice.audience, child=False)
    await lock_account(tx, by.account_id)
    current = await find_current_notice(tx, notice.purpose, notice.audience)
    assert current is not None
    if current.id != notice.id:
        raise NoticeSuperseded
    check_read(read_at, notice.published_at, now)
    subject = subject_of(by.account_id, patient_id, notice.purpose)
    before = await find_newest(tx, subject, notice.purpose)
    if before is not None and (before.answer, before.notice_id) == (answer, notice.id):
        return before
    return await _append(tx, by, notice, patient_id, answer, signs, before, read_at=min(read_at, now), now=now)


async def withdraw_consent(
    tx: AsyncSession, by: Signature, purpose: Purpose, patient_id: PatientId | None, *, now: datetime
) -> Consent:
    """Take a consent back, without conditions; it holds for the next request (RULE-144).

    Who withdraws twice gets the first withdrawal. Locks the account. Raises NothingToWithdraw when nothing was ever
    given, PatientNeeded, PatientNotAsked, NotFound.
    """
    check_concerned(purpose, patient_named=patient_id is not None)
    if patient_id is not None:
        await require_patient(tx, by.account_id, patient_id)
    await lock_account(tx, by.account_id)
    before = await find_newest(tx, subject_of(by.account_id, patient_id, purpose), purpose)
    if before is None or before.answer is Answer.REFUSED:
        raise NothingToWithdraw
    if before.answer is Answer.WITHDRAWN:
        return before
    notice = await tx.get_one(ConsentNotice, before.notice_id)
    taken = await _append(
        tx, by, notice, patient_id, Answer.WITHDRAWN, before.signer, before, read_at=before.read_at, now=now
    )
    await events.announce(tx, ConsentWithdrawn(by.account_id, patient_id, purpose, now))
    return taken


async def _append(
    tx: AsyncSession, by: Signature, notice: ConsentNotice, patient_id: PatientId | None, answer: Answer, signs: Signer,
    before: Consent | None, *, read_at: datetime, now: datetime,
) -> Consent:  # fmt: skip
    consent = Consent(
        id=ConsentId.new(), subject=subject_of(by.account_id, patient_id, notice.purpose), purpose=notice.purpose,
        number=1 if before is None else before.number + 1, account_id=by.account_id, patient_id=patient_id,
        answer=answer, notice_id=notice.id, audience=notice.audience, notice_version=notice.version,
        sha256=notice.sha256, read_at=read_at, answered_at=now, signer=signs, session_id=by.session_id,
        device=await device_of(tx, by.session_id), method=by.method,
    )  # fmt: skip
    tx.add(consent)
    await tx.flush()
    return consent


@dataclass(frozen=True, slots=True)
class Asked:
    """One purpose, whom it concerns, what stands, and the notice to show."""

    purpose: Purpose
    patient_id: PatientId | None
    standing: Standing | None
    notice: ConsentNotice | None

async def list_standing(tx: AsyncSession, account_id: AccountId, *, now: datetime) -> Sequence[Asked]:
    """Every purpose of the account and of each of its patients."""
    patients = await list_concerned(tx, account_id)
    notices = {(each.purpose, each.audience): each for each in await list_current_notices(tx)}
    standing = await standing_of(tx, [account_id.bytes, *(each.id.bytes for each in patients)], Purpose)
    today = now.astimezone(clock.SHANGHAI).date()

    def asked(purpose: Purpose, patient: Patient | None) -> Asked:
        subject = subject_of(account_id, None if patient is None else patient.id, purpose)
        child = patient is not None and is_child(patient.birth_date, today)
        audience = Audience.CHILD if child else Audience.GENERAL
        return Asked(purpose, None if patient is None else patient.id, standing.get((subject, purpose)), notices.get((purpose, audience)))

    own = [asked(purpose, None) for purpose in Purpose if CONCERNS[purpose] is not Concerns.PATIENT]
    theirs = [
        asked(purpose, patient)
        for patient in patients
        for purpose in Purpose
        if CONCERNS[purpose] is not Concerns.ACCOUNT
    ]
    return [*own, *theirs]
