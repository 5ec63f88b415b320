"""Warned in time and once each; off-line the day the licence has ended; the desk hears which visits need somebody else."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.scenes.clinicians import make_clinician
from tests.scenes.hospitals import make_hospital
from yiyuebao_api.domains.accounts.queries import list_roles
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState, ExpiryWarning, Qualification
from yiyuebao_api.domains.clinicians.rules import Paper, QualificationKind, QualificationState, day_of
from yiyuebao_api.domains.clinicians.service import watch_expiry
from yiyuebao_api.domains.hospitals.models import Hospital
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import QualificationId


@pytest.fixture
async def hospital(database: Database) -> Hospital:
    return await make_hospital(database)


def _day(days: int) -> date:
    return day_of(clock.now()) + timedelta(days=days)


async def _given(database: Database, clinician: Clinician) -> list[tuple[Paper, int]]:
    async with database.begin() as tx:
        rows = await tx.scalars(select(ExpiryWarning).where(ExpiryWarning.clinician_id == clinician.id))
        return sorted((row.paper, row.days_before) for row in rows)


async def _told(database: Database, **where: Any) -> list[str]:
    async with database.begin() as tx:
        return list(await tx.scalars(select(Notice.kind).filter_by(**where).order_by(Notice.id)))


async def test_each_warning_is_given_once(database: Database, hospital: Hospital) -> None:
    nurse = await make_clinician(database, hospital.id, licence_valid_until=_day(60), accident_until=_day(5))
    await make_clinician(database, hospital.id)
    assert await watch_expiry(database.begin, now=clock.now()) == 1
    assert await watch_expiry(database.begin, now=clock.now()) == 0
    assert await _given(database, nurse) == [(Paper.ACCIDENT, 7), (Paper.LICENCE, 60)]
    assert await _told(database, account_id=nurse.account_id) == ["clinician.paper_runs_out"] * 2
    assert await _told(database, hospital_id=hospital.id) == ["clinician.paper_runs_out"] * 2
    assert await watch_expiry(database.begin, now=clock.now() + timedelta(days=30)) == 1
    assert (Paper.LICENCE, 30) in await _given(database, nurse)


async def test_a_licence_that_ended_takes_its_holder_offline(database: Database, hospital: Hospital) -> None:
    last = await make_clinician(database, hospital.id, licence_valid_until=_day(0))
    ended = await make_clinician(database, hospital.id, licence_valid_until=_day(-1))
    assert await watch_expiry(database.begin, now=clock.now()) == 2
    async with database.begin() as tx:
        assert (await tx.get_one(Clinician, last.id)).state is ClinicianState.VERIFIED
        row = await tx.get_one(Clinician, ended.id)
        assert (row.state, row.version) == (ClinicianState.SUSPENDED, 2)
        assert await list_roles(tx, ended.account_id) == []
    assert await _told(database, account_id=ended.account_id) == ["clinician.paper_ended"]
    assert await watch_expiry(database.begin, now=clock.now()) == 0


async def test_an_insurance_that_ended_is_said_and_suspends_nobody(database: Database, hospital: Hospital) -> None:
    nurse = await make_clinician(database, hospital.id, liability_until=_day(-1))
    await watch_expiry(database.begin, now=clock.now())
    assert await _given(database, nurse) == [(Paper.LIABILITY, 0)]
    async with database.begin() as tx:
        assert (await tx.get_one(Clinician, nurse.id)).state is ClinicianState.VERIFIED


async def test_the_next_verification_is_asked_for_in_time(database: Database, hospital: Hospital) -> None:
    nurse = await make_clinician(database, hospital.id, verified_at=clock.now() - timedelta(days=175))
    await watch_expiry(database.begin, now=clock.now())
    assert await _given(database, nurse) == [(Paper.VERIFICATION, 7)]


async def test_certificates_expire_with_their_last_day(database: Database, hospital: Hospital) -> None:
    nurse = await make_clinician(database, hospital.id)
    papers = [
        Qualification(
            photo_ids=[], id=QualificationId.new(), clinician_id=nurse.id, kind=kind, state=state, pending=None, holder_name="王海燕",
            number="201846010023", number_index=bytes(32), issued_on=None, valid_until=_day(days), title=None,
            practice_place=None, recognised=None, fault=None, reason=None, submitted_at=None, decided_at=None,
            decided_by=None, version=1, created_at=clock.now(),
        )
        for kind, state, days in [
            (QualificationKind.NURSE_LICENCE, QualificationState.APPROVED, -1),
            (QualificationKind.CERTIFICATE, QualificationState.APPROVED, 0),
            (QualificationKind.TITLE, QualificationState.REJECTED, -1),
        ]
    ]  # fmt: skip
    async with database.begin() as tx:
        tx.add_all(papers)
    await watch_expiry(database.begin, now=clock.now())
    async with database.begin() as tx:
        states = [(await tx.get_one(Qualification, each.id)).state for each in papers]
    assert states == [QualificationState.EXPIRED, QualificationState.APPROVED, QualificationState.REJECTED]


async def test_two_watches_at_once_warn_once(database: Database, hospital: Hospital) -> None:
    people = [await make_clinician(database, hospital.id, licence_valid_until=_day(7 - n)) for n in range(9)]
    touched = await asyncio.gather(*(watch_expiry(database.begin, now=clock.now()) for _ in range(3)))
    assert sum(touched) == len(people)
    async with database.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(ExpiryWarning)) == len(people)
        gone = select(func.count()).select_from(Clinician).where(Clinician.state == ClinicianState.SUSPENDED)
        assert await tx.scalar(gone) == 1
