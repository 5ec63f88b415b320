"""What a look at the audit leaves, and reading all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.kernel import audit
from yiyuebao_api.kernel.audit import AuditEntry, Wanted
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import AccountId, AuditId
from yiyuebao_api.kernel.tokens import Mode

#: Rows that an export reads at a time.
AT_ONCE = 500


def note_audit_search(tx: AsyncSession, wanted: Wanted, auditor: AccountId, action: str, *, now: datetime) -> None:
    """The auditor's look at the audit is a look like any other."""
    audit.note(
        tx, actor=auditor, mode=Mode.AUDITOR, action=action, subject_patient=wanted.patient_id,
        subject=wanted.actor_id or wanted.hospital_id or "audit", basis="duty", now=now,
    )  # fmt: skip


async def every_entry(begin: Begin, wanted: Wanted, *, until: datetime) -> AsyncIterator[AuditEntry]:
    """Rows from before `until`, oldest first, in short transactions: nobody waits for a slow reader."""
    after: AuditId | None = None
    while True:
        async with begin() as tx:
            rows = await audit.entries_after(tx, wanted, after, until=until, most=AT_ONCE)
        for row in rows:
            yield row
        if len(rows) < AT_ONCE:
            return
        after = rows[-1].id
