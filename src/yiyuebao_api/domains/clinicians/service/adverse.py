"""What ends a clinician's work here."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians import queries, rules
from yiyuebao_api.domains.clinicians.models import AdverseRecord, Clinician
from yiyuebao_api.domains.clinicians.rules import AdverseKind
from yiyuebao_api.domains.clinicians.service.clinicians import exit_clinician
from yiyuebao_api.kernel.ids import AccountId, ClinicianId, RowId


async def record_adverse(
    tx: AsyncSession, clinician_id: ClinicianId, kind: AdverseKind, reason: str, *, happened_on: date,
    operator: AccountId, now: datetime,
) -> Clinician:  # fmt: skip
    """Write down what was found: the person leaves every hospital at once, their visits are flagged (RULE-28).

    Locks everything the person is. Raises NotFound.
    """
    found = await queries.require_clinician(tx, clinician_id)
    person = await queries.lock_person(tx, found.account_id)
    tx.add(
        AdverseRecord(
            id=RowId.new(), account_id=found.account_id, clinician_id=clinician_id, kind=kind, reason=reason,
            happened_on=happened_on, barred_until=rules.barred_until(kind, happened_on), recorded_by=operator,
            recorded_at=now,
        )
    )  # fmt: skip
    for each in person:
        await exit_clinician(tx, each, reason, now=now)
    return found
