"""Every table with a person in it says whose its rows are, who gets a copy, and what becomes of them at the end."""

from __future__ import annotations

from yiyuebao_api import tables
from yiyuebao_api.domains.privacy.holdings import ELSEWHERE, HOLDINGS
from yiyuebao_api.domains.privacy.rules import Fate
from yiyuebao_api.kernel.secrets import Sealed, SealedJson

_PERSON = ("account_id", "patient_id", "owner_id", "sender_id", "author_id", "reporter_id")


def test_every_table_with_a_person_is_placed() -> None:
    """The accident: an export that had been right for a year left out the newest feature, and nobody knew."""
    placed = {each.name for each in HOLDINGS} | set(ELSEWHERE)
    lost = [
        table.name for table in tables.metadata.tables.values()
        if table.name not in placed
        and any(column.name in _PERSON or isinstance(column.type, (Sealed, SealedJson)) for column in table.columns)
    ]  # fmt: skip
    assert lost == [], f"place {lost} in privacy.holdings"


def test_what_is_placed_exists_once() -> None:
    names = [each.name for each in HOLDINGS]
    assert len(names) == len(set(names))
    for each in HOLDINGS:
        columns = set(each.model.__table__.columns.keys())
        assert each.hidden <= columns, each.name
        assert (each.emptied is not None) == (each.fate is Fate.EMPTIED), each.name
        assert each.why
    assert set(ELSEWHERE) <= set(tables.metadata.tables)


def test_no_blind_index_and_no_key_is_shown() -> None:
    for each in HOLDINGS:
        shown = set(each.model.__table__.columns.keys()) - each.hidden if each.shown else set()
        assert not {name for name in shown if name.endswith("_index") or "key" in name or "hash" in name}, each.name
