"""The check-in code: six digits that only the patient's app shows, derived and never stored (RULE-54)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from yiyuebao_api.domains.schedules.rules import DAY_MINUTES, day_of, moment_of
from yiyuebao_api.domains.visits.models import Visit
from yiyuebao_api.domains.visits.problems import VisitStepOutOfOrder
from yiyuebao_api.domains.visits.rules import CODE_WANTED
from yiyuebao_api.kernel.ids import VisitId
from yiyuebao_api.kernel.secrets import code_hash, same

#: A code read out before midnight may be typed a little after it.
_GRACE = timedelta(minutes=10)


def code_of(visit_id: VisitId, day: date) -> str:
    """Six digits for one visit and one day in Shanghai; unknowable without the pepper."""
    digest = code_hash("visits.check_in", f"{visit_id}:{day.isoformat()}")
    return f"{int.from_bytes(digest[:8]) % 10**6:06d}"


def is_code(visit_id: VisitId, code: str, now: datetime) -> bool:
    """Whether that is the code of the day."""
    days = {day_of(now), day_of(now - _GRACE)}
    return any(same(code_of(visit_id, day).encode(), code.encode()) for day in days)


def show_visit_code(visit: Visit, *, now: datetime) -> tuple[str, datetime]:
    """Today's code and the midnight it ends at. Raises VisitStepOutOfOrder once nobody needs it."""
    if visit.stage not in CODE_WANTED:
        raise VisitStepOutOfOrder(stage=visit.stage.value)
    day = day_of(now)
    return code_of(visit.id, day), moment_of(day, DAY_MINUTES)
