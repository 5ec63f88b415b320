"""What the tables must be: explained, typed by enums, whole fen, sealed where they hold a person."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from sqlalchemy import JSON, BigInteger, Column, DateTime, Double, Enum, Float, LargeBinary, Numeric, String
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.orm import Mapped, Mapper

from tests.house.sources import ours
from yiyuebao_api import api, tables
from yiyuebao_api.kernel.database import Model, UtcDateTime
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.secrets import Sealed, SealedJson

#: Columns that hold a word of an open vocabulary, or one that must stay as it was when it was written.
OPEN_WORDS = {
    "booking_line.kind": "a price line as it was shown and agreed; a kind that is renamed must not change it",
    "nearby_change.kind": "names a counter",
    "notice.kind": "every domain has its own kinds of notices",
    "notice.subject_kind": "the prefix of any id",
}
_WORDS = {
    "state", "status", "kind", "mode", "place", "stage", "level", "listing", "method", "channel", "type", "scenario",
    "grade", "relation", "sex", "audience", "subject_kind", "from_state", "to_state", "actor", "title",
}  # fmt: skip

#: Names of columns that, on a person, hold what the person must be able to trust us with.
_PERSONAL = {
    "name", "recipient", "phone", "mobile", "contact", "id_no", "id_number", "licence_no", "address", "detail",
    "coordinates", "lat", "lng", "position", "note", "record", "content", "body", "emergency_contact", "email",
}  # fmt: skip
#: Tables whose rows are organisations, places or goods: their names, phones and addresses are on their doors.
NOBODY = {
    "hospital": "an organisation", "site": "a place open to the public", "nearby_site": "a site, for the search",
    "nearby_offer": "an item, for the search", "service": "an item", "service_version": "an item",
    "pool": "a group's name, 上门护理组", "licence_review": "the licence of an organisation",
    "category": "a heading, and its place in the list",
    "booking_line": "its place in the list",
}  # fmt: skip


def _columns() -> Iterator[tuple[str, Column[Any]]]:
    for table in tables.metadata.sorted_tables:
        for column in table.columns:
            yield f"{table.name}.{column.name}", column


def _mappers() -> list[Mapper[Any]]:
    """The product's; tests have small tables of their own."""
    product = [each for each in Model.registry.mappers if each.class_.__module__.startswith("yiyuebao_api.")]
    return sorted(product, key=lambda mapper: mapper.class_.__name__)


def _kinds(mapper: Mapper[Any]) -> Iterator[tuple[str, type[Any], Column[Any]]]:
    """Every column of a model with the Python type it is written with; null left out."""
    hints = get_type_hints(mapper.class_, include_extras=True)
    for attribute in mapper.column_attrs:
        written = hints[attribute.key]
        assert get_origin(written) is Mapped, f"{mapper.class_.__name__}.{attribute.key}"
        kind = get_args(written)[0]
        if get_origin(kind) in (Union, UnionType):
            kind = next(each for each in get_args(kind) if each is not type(None))
        column = attribute.columns[0]
        assert isinstance(column, Column)
        yield f"{column.table}.{column.name}", kind, column


def test_every_table_and_column_is_explained() -> None:
    """The accident: `flag2` was set to 3 by something, and the only person who knew why had left the company."""
    mute = [f"table {table.name}" for table in tables.metadata.sorted_tables if not (table.comment or "").strip()]
    mute += [name for name, column in _columns() if not (column.comment or "").strip()]
    assert mute == []


def test_every_state_is_an_enum_in_python_and_checked_on_the_way_in() -> None:
    """The accident: a state column loaded plain text, `state is State.PAID` was never true, and it was paid twice."""
    wrong = []
    for mapper in _mappers():
        for name, kind, column in _kinds(mapper):
            if isinstance(kind, type) and issubclass(kind, StrEnum):
                given = column.type
                typed = isinstance(given, Enum) and given.enum_class is kind and not given.native_enum
                values = getattr(given, "enums", []) == [each.value for each in kind]
                if not (typed and values and getattr(given, "validate_strings", False)):
                    wrong.append(name)
    assert wrong == []


def test_no_column_of_words_is_plain_text() -> None:
    """The accident: one writer said "canceled", one reader asked for "cancelled"."""
    loose = {
        name
        for name, column in _columns()
        if column.name in _WORDS and isinstance(column.type, String) and not isinstance(column.type, Enum)
    }
    texts = {name for name in loose if name.endswith(".title")}  # a notice's headline is a sentence
    assert loose - texts - {"outbox.type"} == set(OPEN_WORDS)  # jobs: checked against wiring.JOBS


def test_money_is_whole_fen_in_every_table() -> None:
    """The accident: a FLOAT column made 19.99 of 20 yuan, once in eleven thousand orders."""
    wrong = []
    for mapper in _mappers():
        for name, kind, column in _kinds(mapper):
            if column.name.endswith("_fen") and (kind is not Fen or not isinstance(column.type, BigInteger)):
                wrong.append(name)
            if kind is Fen and not column.name.endswith("_fen"):
                wrong.append(name)
    assert wrong == []
    allowed = {"lat", "lng"}
    numbers = [name for name, column in _columns() if isinstance(column.type, (Float, Numeric, Double))]
    assert [name for name in numbers if name.rpartition(".")[2] not in allowed] == []


def test_money_is_whole_fen_on_the_wire() -> None:
    """The accident: a client sent 199.0, the server read 199 yuan where 199 fen were meant."""
    wrong = []
    for model in _schemas():
        for field, info in model.model_fields.items():
            if not field.endswith("_fen"):
                continue
            schema = model.model_json_schema()["properties"][field]
            kinds = {each.get("type") for each in schema.get("anyOf", [schema])} - {"null"}
            if kinds != {"integer"}:
                wrong.append(f"{model.__module__}.{model.__name__}.{field}: {info.annotation}")
    assert wrong == []


def test_moments_are_aware_in_every_table() -> None:
    """The accident: a naive moment was written in Shanghai's time and read as UTC; the nurse came eight hours late."""
    wrong = [
        name
        for name, column in _columns()
        if isinstance(column.type, (DateTime, DATETIME)) and not isinstance(column.type, UtcDateTime)
    ]
    assert wrong == []


def test_values_are_set_in_python_and_rows_know_no_other_rows() -> None:
    """The accident: a lazy relationship asked the database once per row of a page, inside somebody's serialiser."""
    assert [name for name, column in _columns() if column.server_default is not None] == []
    assert [mapper.class_.__name__ for mapper in _mappers() if mapper.relationships] == []


def test_what_belongs_to_a_person_is_sealed() -> None:
    """The accident: a backup was copied to a laptop, and every patient's name, phone and door stood in it."""
    open_ = [
        name
        for name, column in _columns()
        if column.name in _PERSONAL
        and column.table.name not in NOBODY
        and isinstance(column.type, (String, JSON, LargeBinary, Float, Numeric, Double, Sealed, SealedJson))
        and not isinstance(column.type, (Sealed, SealedJson))
        and not isinstance(column.type, Enum)
    ]
    assert open_ == []
    assert set(NOBODY) <= set(tables.metadata.tables), "a table that no longer exists needs no excuse"


def test_a_seal_of_one_column_opens_no_other() -> None:
    """The accident: a value copied from one column into another opened there, and one patient had another's number."""
    labels: dict[str, set[str]] = {}
    for name, column in _columns():
        if isinstance(column.type, (Sealed, SealedJson)):
            labels.setdefault(column.type.label, set()).add(name)
    assert {label: names for label, names in labels.items() if len(names) > 1} == {}


def _schemas() -> set[type[BaseModel]]:
    """Every model that is defined in a room of schemas."""
    api.routers()
    return {
        each
        for source in ours()
        if source.path.name == "schemas.py"
        for each in vars(source.module).values()
        if isinstance(each, type) and issubclass(each, BaseModel) and each.__module__ == source.module.__name__
    }
