"""Named selects over notices and the ledger of consents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.models import Session
from yiyuebao_api.domains.consents.models import Consent, ConsentNotice
from yiyuebao_api.domains.consents.problems import ConsentMissing
from yiyuebao_api.domains.consents.rules import CONCERNS, Answer, Audience, Concerns, Purpose, Standing, is_child
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId, ConsentId, ConsentNoticeId, PatientId, SessionId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.reading import Asks, padded, rows_of

Key = tuple[bytes, Purpose]


def subject_of(account_id: AccountId, patient_id: PatientId | None, purpose: Purpose) -> bytes:
    """Under whose sixteen bytes the answers to a purpose are kept."""
    if patient_id is None or CONCERNS[purpose] is Concerns.ACCOUNT:
        return account_id.bytes
    return patient_id.bytes


# ── notices ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def find_notice(tx: AsyncSession, notice_id: ConsentNoticeId) -> ConsentNotice | None:
    return await tx.get(ConsentNotice, notice_id)


async def require_notice(tx: AsyncSession, notice_id: ConsentNoticeId) -> ConsentNotice:
    """Raises NotFound."""
    notice = await find_notice(tx, notice_id)
    if notice is None:
        raise NotFound
    return notice


async def list_current_notices(tx: AsyncSession, purpose: Purpose | None = None) -> Sequence[ConsentNotice]:
    """The newest version for each purpose and audience."""
    newest = select(ConsentNotice.purpose, ConsentNotice.audience, func.max(ConsentNotice.version)).group_by(
        ConsentNotice.purpose, ConsentNotice.audience
    )
    kept = tuple_(ConsentNotice.purpose, ConsentNotice.audience, ConsentNotice.version).in_(newest)
    wanted = select(ConsentNotice).where(kept)
    if purpose is not None:
        wanted = wanted.where(ConsentNotice.purpose == purpose)
    return sorted(await tx.scalars(wanted), key=lambda row: (list(Purpose).index(row.purpose), row.audience.value))


async def find_current_notice(tx: AsyncSession, purpose: Purpose, audience: Audience) -> ConsentNotice | None:
    wanted = select(ConsentNotice).where(ConsentNotice.purpose == purpose, ConsentNotice.audience == audience)
    return (await tx.scalars(wanted.order_by(ConsentNotice.version.desc()).limit(1))).one_or_none()


async def lock_current_notice(tx: AsyncSession, purpose: Purpose, audience: Audience) -> ConsentNotice | None:
    """The newest version, locked: two operators who publish at once come one after the other."""
    wanted = select(ConsentNotice).where(ConsentNotice.purpose == purpose, ConsentNotice.audience == audience)
    newest = wanted.order_by(ConsentNotice.version.desc()).limit(1).with_for_update()
    return (await tx.scalars(newest)).one_or_none()


async def list_notices(tx: AsyncSession, purpose: Purpose | None, paging: Paging) -> Sequence[ConsentNotice]:
    """Every version, newest first, one more than asked."""
    wanted = select(ConsentNotice)
    if purpose is not None:
        wanted = wanted.where(ConsentNotice.purpose == purpose)
    return (await tx.scalars(newest_first(wanted, ConsentNotice.id, ConsentNoticeId, paging))).all()


# ── the ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────


#: The newest answer of some subjects to some purposes, and the oldest version that still counts.
_STANDING = (
    "SELECT c.subject, c.purpose, c.answer, c.notice_version, c.answered_at, (SELECT MAX(n.version) FROM consent_notice n"
    " WHERE n.purpose = c.purpose AND n.audience = c.audience AND n.renews)"
    " FROM consent c WHERE c.subject IN ({0}) AND c.purpose IN ({1}) AND c.number = (SELECT MAX(later.number)"
    " FROM consent later WHERE later.subject = c.subject AND later.purpose = c.purpose)"
)


async def standing_of(asks: Asks, subjects: Iterable[bytes], purposes: Iterable[Purpose]) -> Mapping[Key, Standing]:
    """What stands for some subjects and purposes, with one select; nothing for what was never answered."""
    who, what = padded(list(dict.fromkeys(subjects))), [each.value for each in purposes]
    statement = _STANDING.format(",".join(["%s"] * len(who)), ",".join(["%s"] * len(what)))
    return {
        (bytes(subject), Purpose(purpose)): Standing(Answer(answer), version, at.replace(tzinfo=UTC), needed or 1)
        for subject, purpose, answer, version, at, needed in await rows_of(asks, statement, [*who, *what])
    }


async def find_missing(
    asks: Asks, account_id: AccountId, patient_id: PatientId | None, purposes: Sequence[Purpose]
) -> Purpose | None:
    """The first of these for which no consent stands, asked with one select."""
    keys = {purpose: subject_of(account_id, patient_id, purpose) for purpose in purposes}
    standing = await standing_of(asks, keys.values(), purposes)
    found = (standing.get((subject, purpose)) for purpose, subject in keys.items())
    return next((purpose for purpose, each in zip(purposes, found, strict=True) if each is None or not each.given), None)


async def has_consent(
    tx: AsyncSession, account_id: AccountId, patient_id: PatientId | None, purpose: Purpose
) -> bool:
    """Whether consent stands. For a purpose of the account `patient_id` is of no account."""
    subject = subject_of(account_id, patient_id, purpose)
    standing = (await standing_of(tx, [subject], [purpose])).get((subject, purpose))
    return standing is not None and standing.given


async def require_consents(
    tx: AsyncSession, account_id: AccountId, patient_id: PatientId | None, *purposes: Purpose
) -> None:
    """Every one of these, asked with one select. Raises ConsentMissing, which names the first that is missing."""
    purpose = await find_missing(tx, account_id, patient_id, purposes)
    if purpose is not None:
        concerned = None if subject_of(account_id, patient_id, purpose) == account_id.bytes else patient_id
        notice = await find_current_notice(tx, purpose, await audience_for(tx, concerned))
        raise ConsentMissing(
            purpose=purpose.value, notice_id=None if notice is None else str(notice.id),
            patient_id=None if concerned is None else str(concerned),
        )  # fmt: skip


async def audience_for(tx: AsyncSession, patient_id: PatientId | None) -> Audience:
    """Which notice the person concerned must be shown today."""
    patient = None if patient_id is None else await tx.get(Patient, patient_id)
    today = clock.now().astimezone(clock.SHANGHAI).date()
    return Audience.CHILD if patient is not None and is_child(patient.birth_date, today) else Audience.GENERAL


async def find_newest(tx: AsyncSession, subject: bytes, purpose: Purpose) -> Consent | None:
    """The answer that stands; ask it with the account's row locked before appending another."""
    mine = select(Consent).where(Consent.subject == subject, Consent.purpose == purpose)
    return (await tx.scalars(mine.order_by(Consent.number.desc()).limit(1))).one_or_none()


async def list_answers(tx: AsyncSession, account_id: AccountId, paging: Paging) -> Sequence[Consent]:
    """What an account answered, newest first, one more than asked."""
    mine = select(Consent).where(Consent.account_id == account_id)
    return (await tx.scalars(newest_first(mine, Consent.id, ConsentId, paging))).all()


async def require_own_consent(tx: AsyncSession, account_id: AccountId, consent_id: ConsentId) -> Consent:
    """Raises NotFound for another's."""
    found = await tx.get(Consent, consent_id)
    if found is None or found.account_id != account_id:
        raise NotFound
    return found


async def list_concerned(tx: AsyncSession, account_id: AccountId) -> Sequence[Patient]:
    """The patients of an account, whom consents may be about, oldest first."""
    mine = select(Patient).where(Patient.account_id == account_id, Patient.deleted_at.is_(None))
    return (await tx.scalars(mine.order_by(Patient.id))).all()


async def device_of(tx: AsyncSession, session_id: SessionId) -> str:
    """How the device of a session calls itself."""
    return (await tx.scalars(select(Session.device).where(Session.id == session_id))).one()
