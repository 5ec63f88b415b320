"""The split and the postings, for every amount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.domains.settlements import rules
from yiyuebao_api.domains.settlements.rules import LedgerAccount
from yiyuebao_api.kernel.money import Fen

fen = st.integers(1, 10**11)
rate = st.integers(0, rules.MOST_BP)


@pytest.mark.parametrize(("net", "platform", "hospital"), [(10001, 500, 9501), (20, 1, 19), (10, 0, 10), (1, 0, 1)])
def test_the_vectors_of_rule_70(net: int, platform: int, hospital: int) -> None:
    assert rules.split(Fen(net), 500) == rules.Shares(Fen(platform), Fen(hospital))


@given(fen, rate)
def test_a_split_adds_up_and_never_exceeds_the_rate(net: int, rate_bp: int) -> None:
    shares = rules.split(Fen(net), rate_bp)
    assert shares.platform + shares.hospital == net
    assert 0 <= shares.platform * 10_000 <= net * rate_bp
    assert shares.hospital >= 0


@given(fen, rate, st.data())
def test_every_posting_adds_up_to_zero_and_a_full_course_empties_the_books(
    amount: int, rate_bp: int, data: st.DataObject
) -> None:
    """Paid, partly refunded, accrued, refunded more, released: nothing is left but what was released and is held."""
    before = data.draw(st.integers(0, amount - 1))
    net = amount - before
    after = data.draw(st.integers(0, net))
    shares, rest = rules.split(Fen(net), rate_bp), rules.split(Fen(net - after), rate_bp)
    postings = [
        rules.payment_entries(Fen(amount)), rules.refund_entries(Fen(before)) if before else {},
        rules.accrual_entries(Fen(net), shares), rules.reversal_entries(shares, rest),
        rules.refund_entries(Fen(after)) if after else {}, rules.release_entries(rest),
    ]  # fmt: skip
    books = dict.fromkeys(LedgerAccount, 0)
    for posting in postings:
        assert sum(posting.values()) == 0
        for account, moved in posting.items():
            books[account] += moved
    assert books[LedgerAccount.UNEARNED] == books[LedgerAccount.HOSPITAL_SHARE] == books[LedgerAccount.PLATFORM_SHARE] == 0
    assert books[LedgerAccount.CLEARING] == net - after
    assert books[LedgerAccount.HOSPITAL_RELEASED] == -rest.hospital
    assert books[LedgerAccount.PLATFORM_RELEASED] == -rest.platform
