"""Rows of schedules: pools, what draws from them, hours, roster, leave, and the claims on their places."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.schedules.rules import ExceptionKind
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.ids import (
    ClaimId,
    ClinicianId,
    HospitalId,
    LeaveId,
    PoolId,
    RosterId,
    RowId,
    ScheduleExceptionId,
    ServiceId,
    SiteId,
)  # fmt: skip
from yiyuebao_api.kernel.secrets import Sealed


class Pool(Model):
    """Pools (班组): people or rooms of a site that can serve so many visits at the same time."""

    __tablename__ = "pool"
    __table_args__ = (
        Index(None, "hospital_id", "id"),
        Index(None, "site_id"),
        CheckConstraint("capacity BETWEEN 0 AND 1000", name="capacity"),
    )

    id: Mapped[PoolId] = mapped_column(primary_key=True, comment="UUIDv7")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="whose pool")
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), comment="where it works or starts from")
    name: Mapped[str] = mapped_column(String(100), comment="name for the desk")
    place: Mapped[Place] = mapped_column(comment="home, hospital, both: where it serves")
    capacity: Mapped[int] = mapped_column(comment="visits at the same time, buffers included")
    lead_minutes: Mapped[int] = mapped_column(comment="least notice before a visit, minutes (RULE-44)")
    horizon_days: Mapped[int] = mapped_column(SmallInteger, comment="how many days ahead can be booked (RULE-44)")
    night: Mapped[bool] = mapped_column(comment="may open outside 08:00-20:00 (RULE-44)")
    active: Mapped[bool] = mapped_column(comment="offers slots at all")
    version: Mapped[int] = mapped_column(comment="counts every change of pool, hours, roster, leave; the ETag")


class PoolService(Model):
    """Which service draws from which pool, one pool per service and place."""

    __tablename__ = "pool_service"
    __table_args__ = (Index(None, "pool_id"),)

    service_id: Mapped[ServiceId] = mapped_column(ForeignKey("service.id"), primary_key=True, comment="the item")
    place: Mapped[Place] = mapped_column(primary_key=True, comment="home or hospital, never both")
    pool_id: Mapped[PoolId] = mapped_column(ForeignKey("pool.id"), comment="the pool it draws from")


class Template(Model):
    """Weekly opening hours of pools; slots start every `step_minutes` from the start of the window."""

    __tablename__ = "schedule_template"
    __table_args__ = (
        Index(None, "pool_id", "weekday"),
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("0 <= start_minute AND start_minute < end_minute AND end_minute <= 1440", name="hours"),
        CheckConstraint("step_minutes > 0", name="step"),
    )

    id: Mapped[RowId] = mapped_column(primary_key=True, comment="UUIDv7")
    pool_id: Mapped[PoolId] = mapped_column(ForeignKey("pool.id"), comment="whose hours")
    weekday: Mapped[int] = mapped_column(SmallInteger, comment="0 Monday to 6 Sunday, Shanghai")
    start_minute: Mapped[int] = mapped_column(SmallInteger, comment="minutes after midnight in Shanghai")
    end_minute: Mapped[int] = mapped_column(SmallInteger, comment="minutes after midnight in Shanghai, exclusive")
    step_minutes: Mapped[int] = mapped_column(SmallInteger, comment="distance between two starts")
    capacity: Mapped[int | None] = mapped_column(comment="places in these hours; null: the pool's own")


class ScheduleException(Model):
    """Hours of one day closed, or opened on top of the template; a later row goes over an earlier one."""

    __tablename__ = "schedule_exception"
    __table_args__ = (
        Index(None, "pool_id", "day"),
        CheckConstraint("0 <= start_minute AND start_minute < end_minute AND end_minute <= 1440", name="hours"),
        CheckConstraint("step_minutes > 0", name="step"),
    )

    id: Mapped[ScheduleExceptionId] = mapped_column(primary_key=True, comment="UUIDv7; the order of effect")
    pool_id: Mapped[PoolId] = mapped_column(ForeignKey("pool.id"), comment="whose hours")
    day: Mapped[date] = mapped_column(comment="day in Shanghai")
    kind: Mapped[ExceptionKind] = mapped_column(comment="closed, open")
    start_minute: Mapped[int] = mapped_column(SmallInteger, comment="minutes after midnight in Shanghai")
    end_minute: Mapped[int] = mapped_column(SmallInteger, comment="minutes after midnight in Shanghai, exclusive")
    step_minutes: Mapped[int] = mapped_column(SmallInteger, comment="distance between two starts, when open")
    capacity: Mapped[int | None] = mapped_column(comment="places when open; null: the pool's own")
    reason: Mapped[str] = mapped_column(String(200), comment="why, for the desk")
    created_at: Mapped[datetime] = mapped_column(comment="when it was entered")


class Roster(Model):
    """Weekly hours of clinicians in pools; a pool with a roster never offers more visits than people on duty."""

    __tablename__ = "roster"
    __table_args__ = (
        Index(None, "pool_id", "weekday"),
        Index(None, "clinician_id", "weekday"),
        Index(None, "hospital_id", "weekday"),
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("0 <= start_minute AND start_minute < end_minute AND end_minute <= 1440", name="hours"),
    )

    id: Mapped[RosterId] = mapped_column(primary_key=True, comment="UUIDv7")
    clinician_id: Mapped[ClinicianId] = mapped_column(ForeignKey("clinician.id"), comment="who works")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="for which hospital")
    pool_id: Mapped[PoolId] = mapped_column(ForeignKey("pool.id"), comment="in which pool")
    weekday: Mapped[int] = mapped_column(SmallInteger, comment="0 Monday to 6 Sunday, Shanghai")
    start_minute: Mapped[int] = mapped_column(SmallInteger, comment="minutes after midnight in Shanghai")
    end_minute: Mapped[int] = mapped_column(SmallInteger, comment="minutes after midnight in Shanghai, exclusive")
    max_visits_a_day: Mapped[int] = mapped_column(SmallInteger, comment="most visits of this person a day (RULE-45)")


class Leave(Model):
    """Leave of clinicians; the period is half-open."""

    __tablename__ = "clinician_leave"
    __table_args__ = (Index(None, "clinician_id", "last"), Index(None, "hospital_id", "last"))

    id: Mapped[LeaveId] = mapped_column(primary_key=True, comment="UUIDv7")
    clinician_id: Mapped[ClinicianId] = mapped_column(ForeignKey("clinician.id"), comment="who is away")
    hospital_id: Mapped[HospitalId] = mapped_column(ForeignKey("hospital.id"), comment="from which hospital")
    first: Mapped[datetime] = mapped_column(comment="from when")
    last: Mapped[datetime] = mapped_column(comment="until when, exclusive")
    reason: Mapped[str] = mapped_column(Sealed("clinician_leave.reason", 200), comment="why, for the desk; sealed")
    created_at: Mapped[datetime] = mapped_column(comment="when it was entered")


class PoolDay(Model):
    """One row per pool and day in Shanghai, made on demand; locked while a place of that day is counted and taken."""

    __tablename__ = "pool_day"

    # No foreign key: the hottest row of the house asks its parent for no lock.
    pool_id: Mapped[PoolId] = mapped_column(primary_key=True, comment="whose day")
    day: Mapped[date] = mapped_column(primary_key=True, comment="day in Shanghai")


class Claim(Model):
    """Claims: a place taken, from when to when, until when held; the only count of places taken there is."""

    __tablename__ = "claim"
    __table_args__ = (
        Index("ix_claim_count", "pool_id", "day", "released_at"),
        CheckConstraint("busy_from <= starts_at AND starts_at < ends_at AND ends_at <= busy_until", name="order"),
    )

    id: Mapped[ClaimId] = mapped_column(primary_key=True, comment="UUIDv7")
    pool_id: Mapped[PoolId] = mapped_column(comment="of which pool (no foreign key: hot)")
    day: Mapped[date] = mapped_column(comment="day in Shanghai; a claim never crosses midnight")
    starts_at: Mapped[datetime] = mapped_column(comment="start of the visit")
    ends_at: Mapped[datetime] = mapped_column(comment="end of the visit, exclusive")
    busy_from: Mapped[datetime] = mapped_column(comment="start with the buffer before")
    busy_until: Mapped[datetime] = mapped_column(comment="end with the buffer after, exclusive")
    subject: Mapped[str] = mapped_column(code_column(40), comment="by what it was taken: a booking's id")
    held_until: Mapped[datetime | None] = mapped_column(comment="until when it is held unpaid (RULE-51)")
    kept_at: Mapped[datetime | None] = mapped_column(comment="since when it is permanent")
    lapsed_at: Mapped[datetime | None] = mapped_column(comment="when somebody else was given its lapsed place")
    released_at: Mapped[datetime | None] = mapped_column(comment="when it was given back")
    created_at: Mapped[datetime] = mapped_column(comment="when it was taken")
