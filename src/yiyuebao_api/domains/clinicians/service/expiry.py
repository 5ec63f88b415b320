"""What runs out: warned of in time, once each; who has no valid licence is off-line the same day (RULE-23, A09)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians import queries, rules
from yiyuebao_api.domains.clinicians.events import PaperRunsOut
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState, ExpiryWarning, Qualification
from yiyuebao_api.domains.clinicians.rules import Paper, QualificationState
from yiyuebao_api.domains.clinicians.service.clinicians import suspend
from yiyuebao_api.kernel.database import Begin, is_duplicate
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import ClinicianId, RowId

#: How many clinicians are looked at per read; each is then handled in a transaction of its own.
AT_ONCE = 500
#: Who was verified longer ago than this may be due for a warning about the next verification (RULE-21).
RECHECK_WATCHED = timedelta(days=rules.Gate().recheck_after_days) - rules.FARTHEST_WARNING


async def watch_expiry(begin: Begin, *, now: datetime) -> int:
    """Look at everybody who can be sent; returns how many were warned or taken off-line. Safe to repeat at any time."""
    touched, after = 0, None
    async with begin() as tx:
        await _expire_papers(tx, now=now)
    while True:
        async with begin() as tx:
            ids = await queries.list_expiring(
                tx, rules.day_of(now) + rules.FARTHEST_WARNING, verified_before=now - RECHECK_WATCHED, after=after,
                limit=AT_ONCE,
            )  # fmt: skip
        for each in ids:
            async with begin() as tx:
                touched += await _watch(tx, each, now=now)
        if len(ids) < AT_ONCE:
            return touched
        after = ids[-1]


async def _expire_papers(tx: AsyncSession, *, now: datetime) -> None:
    ended = (
        update(Qualification)
        .where(Qualification.state == QualificationState.APPROVED, Qualification.valid_until < rules.day_of(now))
        .values(state=QualificationState.EXPIRED, version=Qualification.version + 1)
    )
    await tx.execute(ended, execution_options={"synchronize_session": False})


async def _watch(tx: AsyncSession, clinician_id: ClinicianId, *, now: datetime) -> bool:
    clinician = await queries.lock_clinician(tx, clinician_id)
    if clinician.state is not ClinicianState.VERIFIED:
        return False
    today, touched = rules.day_of(now), False
    for paper, last_day in rules.last_days(clinician).items():
        days = rules.warning_due(paper, last_day, today)
        if days is not None:
            touched |= await _warn(tx, clinician, paper, days, now=now)
    if clinician.licence_valid_until < today:
        await suspend(tx, clinician, "执业证书已过有效期，更新证书并重新审核后恢复。", why="licence_expired", now=now)
        return True
    return touched


async def _warn(tx: AsyncSession, clinician: Clinician, paper: Paper, days: int, *, now: datetime) -> bool:
    last_day = rules.last_days(clinician)[paper]
    warning = ExpiryWarning(
        id=RowId.new(), clinician_id=clinician.id, paper=paper, last_day=last_day, days_before=days, given_at=now
    )
    try:
        async with tx.begin_nested():
            tx.add(warning)
    except IntegrityError as error:
        if is_duplicate(error, "uq_expiry_warning_clinician_id_paper_last_day_days_before"):
            return False
        raise
    await announce(
        tx,
        PaperRunsOut(
            clinician.id, clinician.account_id, clinician.hospital_id, clinician.name, paper, last_day, days, now
        ),
    )
    return True
