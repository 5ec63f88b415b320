"""Opening, closing, revoking and using grants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.grants import queries
from yiyuebao_api.domains.grants.models import Grant
from yiyuebao_api.domains.grants.queries import Grantee
from yiyuebao_api.domains.grants.rules import Basis, GranteeKind, Scope, check_revocable
from yiyuebao_api.kernel import audit
from yiyuebao_api.kernel.ids import AccountId, ClinicianId, GrantId, HospitalId, Id, PatientId
from yiyuebao_api.kernel.tokens import Mode


@dataclass(frozen=True, slots=True)
class Looker:
    """Somebody who looks at another's data, for one hospital."""

    account_id: AccountId
    mode: Mode
    hospital_id: HospitalId | None


async def open_grant(
    tx: AsyncSession, *, patient_id: PatientId, grantee: Grantee, basis: Basis, scope: Scope = Scope.CARE,
    from_: datetime | None = None, until: datetime | None = None, subject: Id, now: datetime,
) -> None:  # fmt: skip
    """Let somebody see a patient's data by right of one thing; open already or closed before, it is open anew.

    One statement, in the transaction of whoever gives the right; the subject's row lock keeps two from competing.
    """
    kind = GranteeKind.CLINICIAN if isinstance(grantee, ClinicianId) else GranteeKind.HOSPITAL
    opened = insert(Grant).values(
        id=GrantId.new(), patient_id=patient_id, grantee_kind=kind, grantee=str(grantee), basis=basis, scope=scope,
        subject=str(subject), from_at=from_ or now, until_at=until, revoked_at=None,
    )  # fmt: skip
    await tx.execute(
        opened.on_duplicate_key_update(
            basis=opened.inserted.basis, from_at=opened.inserted.from_at, until_at=opened.inserted.until_at, revoked_at=None
        )
    )


async def close_grants(
    tx: AsyncSession, *, basis: Basis, subject: Id, now: datetime, after: timedelta = timedelta(),
    grantee: Grantee | None = None,
) -> None:  # fmt: skip
    """What was opened by right of this thing ends now, or `after` that; what ends earlier stays so. Safe to repeat."""
    end = now + after
    ending = update(Grant).where(
        Grant.subject == str(subject), Grant.basis == basis, or_(Grant.until_at.is_(None), Grant.until_at > end)
    )
    if grantee is not None:
        ending = ending.where(Grant.grantee == str(grantee))
    await tx.execute(ending.values(until_at=end), execution_options={"synchronize_session": False})


async def look(
    tx: AsyncSession, by: Looker, *, patient_id: PatientId, grantee: Grantee, subject: Id, action: str,
    now: datetime, scope: Scope = Scope.CARE, basis: Basis = Basis.BOOKING,
) -> bool:  # fmt: skip
    """Whether the data may be shown whole to somebody who holds this subject; if so, the audit row is written with it."""
    if not await queries.has_grant(tx, patient_id, grantee, scope, now, subject=subject):
        return False
    note_look(tx, by, patient_id=patient_id, subject=subject, action=action, basis=basis.value, now=now)
    return True


def note_look(
    tx: AsyncSession, by: Looker, *, patient_id: PatientId, subject: Id, action: str, basis: str, now: datetime
) -> None:
    """Somebody is shown another's data: one audit row, once per request, thing and deed (RULE-102)."""
    audit.note(
        tx, actor=by.account_id, mode=by.mode, hospital=by.hospital_id, action=action, subject_patient=patient_id,
        subject=subject, basis=basis, now=now,
    )  # fmt: skip


async def revoke_grant(tx: AsyncSession, grant: Grant, *, account_id: AccountId, now: datetime) -> Grant:
    """The patient's side takes a grant back; from the next request on it is gone. Again, it is the same.

    Raises GrantNeededByBooking, GrantNeededByConsultation.
    """
    grant = await queries.lock_grant(tx, grant.id)
    if grant.revoked_at is None:
        check_revocable(grant.basis, grant.scope, grant.until_at, grant.subject)
        grant.revoked_at = now
        audit.note(
            tx, actor=account_id, mode=Mode.PATIENT, action="grants.revoke", subject_patient=grant.patient_id,
            subject=grant.id, basis="owner", now=now,
        )  # fmt: skip
    return grant
