"""Who counts as a child, who signs, when a notice was read, what a hash covers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from yiyuebao_api.domains.consents.problems import (
    GuardianNeeded,
    NoticeNotRead,
    PatientNeeded,
    PatientNotAsked,
    WrongNotice,
)
from yiyuebao_api.domains.consents.rules import (
    CONCERNS,
    NEEDED_TO_BOOK,
    READ_WITHIN,
    Answer,
    Audience,
    Concerns,
    Purpose,
    Signer,
    Standing,
    check_audience,
    check_concerned,
    check_read,
    is_child,
    signer,
)
from yiyuebao_api.domains.consents.service.wording import FIRST_NOTICES
from yiyuebao_api.domains.patients.rules import Relation

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("born", "on", "child"),
    [
        (date(2012, 11, 25), date(2026, 11, 24), True),  # the day before the 14th birthday
        (date(2012, 11, 25), date(2026, 11, 25), False),
        (date(2012, 2, 29), date(2026, 2, 28), True),
        (date(2012, 2, 29), date(2026, 3, 1), False),
        (date(2026, 11, 25), date(2026, 11, 25), True),
    ],
)
def test_a_child_is_under_fourteen(born: date, on: date, child: bool) -> None:
    assert is_child(born, on) is child


def test_a_guardian_signs_for_a_child_and_says_so() -> None:
    for relation in (Relation.CHILD, Relation.OTHER_GUARDIAN):
        assert signer(relation, child=True, as_guardian=True) is Signer.GUARDIAN
        with pytest.raises(GuardianNeeded):
            signer(relation, child=True, as_guardian=False)
    for relation in set(Relation) - {Relation.CHILD, Relation.OTHER_GUARDIAN}:
        with pytest.raises(GuardianNeeded):
            signer(relation, child=True, as_guardian=True)
    assert signer(Relation.SELF, child=False, as_guardian=False) is Signer.SELF
    assert signer(Relation.PARENT, child=False, as_guardian=False) is Signer.REPRESENTATIVE


def test_every_purpose_says_whom_it_concerns() -> None:
    assert set(CONCERNS) == set(Purpose)
    assert Purpose.MARKETING not in NEEDED_TO_BOOK
    for purpose, concerns in CONCERNS.items():
        if concerns is Concerns.PATIENT:
            with pytest.raises(PatientNeeded):
                check_concerned(purpose, patient_named=False)
        if concerns is Concerns.ACCOUNT:
            with pytest.raises(PatientNotAsked):
                check_concerned(purpose, patient_named=True)


def test_a_child_has_a_notice_of_its_own() -> None:
    check_audience(Audience.CHILD, child=True)
    check_audience(Audience.GENERAL, child=False)
    for audience, child in ((Audience.CHILD, False), (Audience.GENERAL, True)):
        with pytest.raises(WrongNotice):
            check_audience(audience, child=child)


def test_a_notice_is_read_after_it_was_published_and_lately() -> None:
    check_read(NOW, NOW - timedelta(days=300), NOW)
    check_read(NOW - READ_WITHIN, NOW - timedelta(days=300), NOW)
    for read_at, published_at in (
        (NOW + timedelta(minutes=3), NOW - timedelta(days=1)),
        (NOW - READ_WITHIN - timedelta(seconds=1), NOW - timedelta(days=300)),
        (NOW - timedelta(hours=1), NOW),
    ):
        with pytest.raises(NoticeNotRead):
            check_read(read_at, published_at, NOW)


def test_only_consent_to_a_version_that_still_counts_stands() -> None:
    standing = Standing(Answer.GIVEN, version=2, answered_at=NOW, needed_version=2)
    assert standing.given
    assert standing.ask_again_at is None
    assert not replace(standing, needed_version=3).given
    refused = replace(standing, answer=Answer.REFUSED)
    assert not refused.given
    assert refused.ask_again_at == NOW + timedelta(days=7)  # RULE-145


def test_the_hash_covers_everything_that_is_shown() -> None:
    notice = FIRST_NOTICES[0]
    others = [
        replace(notice, title_zh="x"), replace(notice, title_en="x"), replace(notice, text_zh="x"),
        replace(notice, text_en="x"), replace(notice, data_kinds=["x"]), replace(notice, audience=Audience.CHILD),
        replace(notice, purpose=Purpose.LOCATION),
    ]  # fmt: skip
    hashes = {notice.sha256(1), notice.sha256(2), *(each.sha256(1) for each in others)}
    assert len(hashes) == 2 + len(others)


def test_every_first_notice_is_complete_in_both_languages() -> None:
    """RULE-145: who, what for, which data, how, to whom, how long, without consent, rights."""
    told = {(each.purpose, each.audience) for each in FIRST_NOTICES}
    assert len(told) == len(FIRST_NOTICES)
    assert {purpose for purpose, audience in told if audience is Audience.GENERAL} == set(Purpose)
    for each in FIRST_NOTICES:
        assert len(each.text_zh.splitlines()) == len(each.text_en.splitlines()) == (8 if each.audience is Audience.GENERAL else 9)
        assert each.data_kinds
