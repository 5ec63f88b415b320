"""Rules of clinicians: who may be sent, and how a file moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from yiyuebao_api.domains.clinicians import rules
from yiyuebao_api.domains.clinicians.problems import ClinicianStateRefused, QualificationStateRefused
from yiyuebao_api.domains.clinicians.rules import (
    AdverseKind,
    Clause,
    ClinicianKind,
    ClinicianState,
    Fault,
    Gate,
    Paper,
    Practice,
    QualificationKind,
    QualificationState,
    Reading,
    Title,
    read_certificate,
)

TODAY = date(2026, 11, 23)


def _at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


NOON = _at(TODAY)


@dataclass(frozen=True)
class _Facts:
    kind: ClinicianKind = ClinicianKind.NURSE
    state: ClinicianState = ClinicianState.VERIFIED
    licence_valid_until: date = TODAY
    clinical_years: int = 5
    title: Title = Title.SENIOR_NURSE
    verified_at: datetime | None = NOON
    identity_checked_at: datetime | None = NOON
    licence_checked_at: datetime | None = NOON
    practice: Practice | None = Practice.REGISTERED
    e_reg_checked_on: date | None = TODAY
    title_checked_at: datetime | None = NOON
    training_passed_on: date | None = TODAY
    liability_until: date | None = TODAY
    malpractice_until: date | None = TODAY
    accident_until: date | None = TODAY


_DOCTOR = _Facts(kind=ClinicianKind.DOCTOR, clinical_years=3, title=Title.RESIDENT_DOCTOR)


@pytest.mark.parametrize(
    ("facts", "changes", "clauses"),
    [
        (_Facts(), {}, []),
        (_Facts(), {"licence_valid_until": date(2026, 11, 22)}, [Clause.LICENCE_EXPIRED]),
        (_Facts(), {"clinical_years": 4}, [Clause.TOO_FEW_YEARS]),
        (_Facts(), {"title": Title.NURSE}, [Clause.TITLE_TOO_LOW]),
        (_Facts(), {"title": Title.CHIEF_NURSE}, []),
        (_Facts(), {"title": Title.CHIEF_DOCTOR}, [Clause.TITLE_TOO_LOW]),
        (_Facts(), {"verified_at": _at(TODAY - timedelta(days=180))}, []),
        (_Facts(), {"verified_at": _at(TODAY - timedelta(days=181))}, [Clause.VERIFICATION_STALE]),
        (_Facts(), {"verified_at": None}, [Clause.VERIFICATION_STALE]),
        (_Facts(), {"identity_checked_at": None}, [Clause.IDENTITY_NOT_VERIFIED]),
        (_Facts(), {"licence_checked_at": None}, [Clause.LICENCE_NOT_APPROVED]),
        (_Facts(), {"practice": None}, [Clause.NOT_REGISTERED_HERE]),
        (_Facts(), {"practice": Practice.FILED}, []),
        (_Facts(), {"e_reg_checked_on": None}, [Clause.NOT_IN_REGISTER]),
        (_Facts(), {"title_checked_at": None}, [Clause.TITLE_NOT_APPROVED]),
        (_Facts(), {"training_passed_on": None}, [Clause.NOT_TRAINED]),
        (_Facts(), {"training_passed_on": TODAY + timedelta(days=1)}, [Clause.NOT_TRAINED]),
        (_Facts(), {"liability_until": TODAY - timedelta(days=1)}, [Clause.LIABILITY_UNINSURED]),
        (_Facts(), {"malpractice_until": None}, [Clause.MALPRACTICE_UNINSURED]),
        (_Facts(), {"accident_until": TODAY - timedelta(days=1)}, [Clause.ACCIDENT_UNINSURED]),
        (_DOCTOR, {}, []),
        (_DOCTOR, {"e_reg_checked_on": None, "title_checked_at": None}, []),
        (_DOCTOR, {"practice": None}, [Clause.NOT_REGISTERED_HERE]),
        (_DOCTOR, {"clinical_years": 2}, [Clause.TOO_FEW_YEARS]),
        (_DOCTOR, {"licence_valid_until": date(2026, 11, 22)}, [Clause.LICENCE_EXPIRED]),
        (
            _Facts(),
            {
                "state": ClinicianState.DRAFT, "licence_valid_until": date(2020, 1, 1), "clinical_years": 0,
                "title": Title.NURSE,
            },
            [Clause.NOT_VERIFIED, Clause.LICENCE_EXPIRED, Clause.TOO_FEW_YEARS, Clause.TITLE_TOO_LOW],
        ),
    ],
)  # fmt: skip
def test_everything_that_fails_is_named(facts: _Facts, changes: dict[str, Any], clauses: list[Clause]) -> None:
    assert rules.may_serve(replace(facts, **changes), TODAY) == clauses


@pytest.mark.parametrize("state", [each for each in ClinicianState if each is not ClinicianState.VERIFIED])
def test_only_the_verified_are_sent(state: ClinicianState) -> None:
    clauses = [Clause.NOT_VERIFIED] + [Clause.ADVERSE_RECORD] * (state is ClinicianState.EXITED)
    assert rules.may_serve(replace(_Facts(), state=state), TODAY) == clauses


def test_training_and_insurance_are_asked_for_before_a_visit_and_not_before() -> None:
    bare = replace(_Facts(), training_passed_on=None, liability_until=None, malpractice_until=None, accident_until=None)
    assert rules.may_practise(bare, TODAY) == []
    assert len(rules.may_serve(bare, TODAY)) == 4


def test_a_local_document_moves_the_thresholds() -> None:
    gate = Gate(nurse_years=3, nurse_titles=frozenset({Title.NURSE}))
    assert rules.may_serve(replace(_Facts(), clinical_years=3, title=Title.NURSE), TODAY, gate) == []


def test_every_title_has_a_name_and_one_profession() -> None:
    assert set(rules.TITLE_NAMES) == set(Title)
    nurses, doctors = rules.TITLES[ClinicianKind.NURSE], rules.TITLES[ClinicianKind.DOCTOR]
    assert nurses | doctors == set(Title)
    assert not nurses & doctors


def test_a_file_moves_only_along_its_states() -> None:
    draft, submitted, verified = ClinicianState.DRAFT, ClinicianState.SUBMITTED, ClinicianState.VERIFIED
    rejected, suspended = ClinicianState.REJECTED, ClinicianState.SUSPENDED
    allowed = {
        (draft, submitted), (draft, verified), (submitted, verified), (submitted, rejected), (submitted, draft),
        (verified, suspended), (verified, draft), (rejected, submitted), (rejected, draft), (suspended, verified), (verified, verified),
    } | {(each, ClinicianState.EXITED) for each in ClinicianState if each is not ClinicianState.EXITED}  # fmt: skip
    for now, wanted in product(ClinicianState, repeat=2):
        if (now, wanted) in allowed:
            rules.check_move(now, wanted)
        else:
            with pytest.raises(ClinicianStateRefused):
                rules.check_move(now, wanted)


def test_a_certificate_moves_only_along_its_states() -> None:
    draft, submitted, approved = QualificationState.DRAFT, QualificationState.SUBMITTED, QualificationState.APPROVED
    rejected, expired = QualificationState.REJECTED, QualificationState.EXPIRED
    allowed = {
        (draft, draft), (draft, submitted), (submitted, draft), (submitted, approved), (submitted, rejected),
        (rejected, draft), (approved, expired),
    }  # fmt: skip
    for now, wanted in product(QualificationState, repeat=2):
        if (now, wanted) in allowed:
            rules.check_qualification_move(now, wanted)
        else:
            with pytest.raises(QualificationStateRefused):
                rules.check_qualification_move(now, wanted)


def test_a_revoked_licence_bars_for_two_years_and_anything_else_for_good() -> None:
    assert rules.barred_until(AdverseKind.LICENCE_REVOKED, date(2026, 3, 1)) == date(2028, 3, 1)
    assert rules.barred_until(AdverseKind.LICENCE_REVOKED, date(2024, 2, 29)) == date(2026, 2, 28)
    assert rules.barred_until(AdverseKind.VIOLATION, date(2026, 3, 1)) is None
    assert rules.barred_until(AdverseKind.ADVERSE_PRACTICE, date(2026, 3, 1)) is None


@pytest.mark.parametrize(
    ("paper", "left", "due"),
    [
        (Paper.LICENCE, 91, None), (Paper.LICENCE, 90, 90), (Paper.LICENCE, 61, 90), (Paper.LICENCE, 60, 60),
        (Paper.LICENCE, 30, 30), (Paper.LICENCE, 8, 30), (Paper.LICENCE, 7, 7), (Paper.LICENCE, 0, 7),
        (Paper.LICENCE, -1, 0), (Paper.LIABILITY, 90, None), (Paper.LIABILITY, 60, 60), (Paper.VERIFICATION, 3, 7),
        (Paper.ACCIDENT, -100, 0),
    ],
)  # fmt: skip
def test_the_nearest_warning_is_due(paper: Paper, left: int, due: int | None) -> None:
    assert rules.warning_due(paper, TODAY + timedelta(days=left), TODAY) == due


def test_everything_with_a_last_day_is_watched() -> None:
    days = rules.last_days(_Facts())
    assert set(days) == set(Paper)
    assert days[Paper.VERIFICATION] == TODAY + timedelta(days=180)
    assert set(rules.last_days(replace(_Facts(), liability_until=None, verified_at=None))) == {
        Paper.LICENCE, Paper.MALPRACTICE, Paper.ACCIDENT,
    }  # fmt: skip
    assert set(rules.PAPER_NAMES) == set(rules.WARNINGS) == set(Paper)


# ── what a certificate says ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Paper:
    kind: QualificationKind = QualificationKind.NURSE_LICENCE
    holder_name: str = "王海燕"
    number: str = "201846010023"
    valid_until: date | None = TODAY
    title: Title | None = None
    issued_on: date | None = None
    practice_place: str | None = None
    photo_ids: tuple[str, ...] = ("fil_1",)


def test_only_what_was_read_can_differ() -> None:
    reading = rules.Reading(holder_name="王海燕", number="2018 46010099", valid_until=TODAY)
    assert rules.differences(reading, _Paper(title=Title.NURSE)) == ["number"]
    assert rules.differences(rules.Reading(), _Paper()) == []


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({}, []),
        ({"photo_ids": ()}, [Fault.NO_PHOTO]),
        ({"holder_name": "王 海燕"}, []),
        ({"holder_name": "王海艳"}, [Fault.NAME_DIFFERS]),
        ({"number": "2018460100"}, [Fault.NUMBER_MALFORMED]),
        ({"number": "2018460100234567"}, []),
        ({"valid_until": None}, [Fault.NO_LAST_DAY]),
        ({"valid_until": TODAY - timedelta(days=1)}, [Fault.PAST_LAST_DAY]),
        ({"kind": QualificationKind.DOCTOR_LICENCE, "number": "110460100000123"}, [Fault.WRONG_DOCUMENT]),
        ({"kind": QualificationKind.TITLE, "number": "B12345678"}, [Fault.NO_TITLE]),
        ({"kind": QualificationKind.TITLE, "number": "B12345678", "title": Title.CHIEF_DOCTOR}, [Fault.NO_TITLE]),
        ({"kind": QualificationKind.TITLE, "number": "B12345678", "title": Title.CHIEF_NURSE}, []),
    ],
)  # fmt: skip
def test_what_a_machine_can_refuse_is_named(changes: dict[str, Any], faults: list[Fault]) -> None:
    assert rules.faults_of(replace(_Paper(), **changes), name="王海燕", kind=ClinicianKind.NURSE, on=TODAY) == faults


def test_a_doctor_has_a_licence_of_fifteen_digits() -> None:
    paper = _Paper(QualificationKind.DOCTOR_LICENCE, "陈明", "110460100000123", None)
    assert rules.faults_of(paper, name="陈明", kind=ClinicianKind.DOCTOR, on=TODAY) == []
    for number in ("310460100000123", "11046010000012", "1104601000001234"):
        wrong = replace(paper, number=number)
        assert rules.faults_of(wrong, name="陈明", kind=ClinicianKind.DOCTOR, on=TODAY) == [Fault.NUMBER_MALFORMED]


_NURSE, _DOC = QualificationKind.NURSE_LICENCE, QualificationKind.DOCTOR_LICENCE
_CERT, _TITLE = QualificationKind.CERTIFICATE, QualificationKind.TITLE


@pytest.mark.parametrize(
    ("kind", "lines", "reading"),
    [
        (
            _NURSE,
            [
                "中华人民共和国护士执业证书", "姓 名：王海燕 性别：女", "护士执业证书编号：201846010023", "执业地点：海口市人民医院",
                "发证日期：2018年5月4日", "有效期至 2023年6月30日", "延续注册至 2028-06-30",
            ],
            Reading("王海燕", "201846010023", date(2018, 5, 4), date(2028, 6, 30), None, "海口市人民医院"),
        ),
        (_NURSE, ["姓名", "王海燕", "证书编号", "2018460l00Z3"], Reading("王海燕", "201846010023")),
        (_NURSE, ["姓　名：欧阳·娜娜", "编号：２０１８４６０１００２３"], Reading("欧阳·娜娜", "201846010023")),
        (_NURSE, ["姓名：王海燕", "姓名：李小红"], Reading()),
        (_NURSE, ["姓名", "性别", "女", "编号：12"], Reading()),
        (_NURSE, ["有效期：2021.02.30", "有效期限 2019/01/01-2024/01/01"], Reading(valid_until=date(2024, 1, 1))),
        (
            _DOC,
            [
                "医师执业证书", "姓名:陈明", "医师执业证书编码:110460100000123", "医师资格证书编码:199846110460100198001011234",
                "主要执业机构：海口市人民医院", "签发日期:2015年01月09日",
            ],
            Reading("陈明", "110460100000123", date(2015, 1, 9), None, None, "海口市人民医院"),
        ),
        (
            _CERT,
            ["医师资格证书", "姓名：陈明", "资格证书编码：19984611046010019800101123x"],
            Reading("陈明", "19984611046010019800101123X"),
        ),
        (
            _TITLE,
            ["姓名：王海燕", "资格名称：副主任护师", "管理号：B20-461234", "授予时间：2020年12月1日"],
            Reading("王海燕", "B20-461234", date(2020, 12, 1), None, Title.DEPUTY_CHIEF_NURSE),
        ),
        (_NURSE, [], Reading()),
        (_NURSE, ["", "   ", "：：", "姓名：", "有效期至"], Reading()),
    ],
)  # fmt: skip
def test_messy_lines_are_read(kind: QualificationKind, lines: list[str], reading: Reading) -> None:
    assert read_certificate(kind, lines) == reading


@pytest.mark.parametrize("kind", list(QualificationKind))
def test_nonsense_is_never_an_error(kind: QualificationKind) -> None:
    for text in ("\x00", "姓名" * 500, "9" * 5000, "有效期至9999年99月99日", "编号:" + "-" * 3000, "🦠编号🦠"):
        assert read_certificate(kind, [text, text]) == Reading()
