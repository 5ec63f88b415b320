"""What grants are made of, and when one is open."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from yiyuebao_api.domains.grants.problems import GrantNeededByBooking, GrantNeededByConsultation

#: How long whoever served somebody still sees them whole after the confirmation: questions come the day after.
AFTERWARDS = timedelta(hours=24)


class GranteeKind(StrEnum):
    """Who may look."""

    CLINICIAN = "clinician"
    HOSPITAL = "hospital"


class Basis(StrEnum):
    """By what right (RULE-101)."""

    BOOKING = "booking"
    CONTRACT = "contract"
    CONSULTATION = "consultation"
    FOLLOWUP = "followup"
    SHARE = "share"
    BREAK_GLASS = "break_glass"


class Scope(StrEnum):
    """What may be seen. `care`: name, phone, address and note of the one thing the grant is about."""

    CARE = "care"
    RECORDS = "records"
    VITALS = "vitals"


def is_open(from_at: datetime, until_at: datetime | None, revoked_at: datetime | None, now: datetime) -> bool:
    """Half-open: at `until_at` it is closed."""
    return revoked_at is None and from_at <= now and (until_at is None or now < until_at)


def check_revocable(basis: Basis, scope: Scope, until_at: datetime | None, subject: str) -> None:
    """What is needed to carry out what was agreed stays open until that is over; records and vital signs never must.

    Raises GrantNeededByBooking, GrantNeededByConsultation.
    """
    if until_at is not None or scope is not Scope.CARE:
        return
    if basis is Basis.BOOKING:
        raise GrantNeededByBooking(subject=subject)
    if basis is Basis.CONSULTATION:
        raise GrantNeededByConsultation(subject=subject)


#: What an audit row's action means to the person whose data it was.
DEEDS: dict[str, str] = {
    "bookings.read": "查看预约信息",
    "bookings.accept": "接单",
    "bookings.refuse": "拒单",
    "visits.read": "查看服务任务",
    "visits.list": "查看任务列表",
    "visits.depart": "出发",
    "visits.arrive": "到达",
    "visits.check_in": "核验签到",
    "visits.start": "开始服务",
    "visits.finish": "完成服务",
    "visits.read_record": "查看护理记录",
    "operations.list_audit": "审计查询",
    "operations.export_audit": "审计导出",
    "consultations.read": "查看咨询",
    "consultations.read_proof": "查看诊断证明",
    "consultations.review": "平台审核咨询内容",
}
OTHER_DEED = "查看资料"
