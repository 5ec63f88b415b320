"""Ids: what the wire holds is what the column holds, in order of birth, and one kind is never another."""

from __future__ import annotations

import re
import threading
import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from yiyuebao_api.kernel.ids import BookingId, Id, PatientId, new_number

WIRE = TypeAdapter(BookingId)


@given(st.integers(min_value=0, max_value=2**128 - 1))
def test_wire_and_column_are_the_same_id(number: int) -> None:
    """An id that changes on its way out and back books for somebody else."""
    made = BookingId(int=number)
    assert BookingId.parse(str(made)) == made
    assert BookingId.of(made.bytes) == made
    assert WIRE.validate_python(str(made)) == made
    assert WIRE.dump_json(made) == f'"{made}"'.encode()
    assert re.fullmatch(WIRE.json_schema()["pattern"], str(made))


@given(st.integers(min_value=0, max_value=2**128 - 1), st.integers(min_value=0, max_value=2**128 - 1))
def test_the_order_of_the_wire_is_the_order_of_the_column(one: int, other: int) -> None:
    """Pages are ordered by id: two orders would lose rows between two pages."""
    assert (str(BookingId(int=one)) < str(BookingId(int=other))) is (one < other)
    assert (BookingId(int=one).bytes < BookingId(int=other).bytes) is (one < other)


@given(st.text(max_size=40) | st.from_regex(r"bkg_[0-9a-z]{25,27}", fullmatch=True))
def test_what_is_accepted_is_the_one_spelling(text: str) -> None:
    """Two spellings of one id are two keys of one cache, and two idempotency hashes of one request."""
    try:
        made = BookingId.parse(text)
    except ValueError:
        return
    assert str(made) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "bkg", "bkg_", "_" * 30, str(PatientId.new()), str(UUID(int=7)), str(BookingId.new()).upper(),
        f" {BookingId.new()}", f"{BookingId.new()}\n", "bkg_8zzzzzzzzzzzzzzzzzzzzzzzzz", "bkg_0000000000000000000000000l",
        "x_" + str(BookingId.new()), "bkg_" + "٣" * 26, "bkg_" + "\ud800" * 26,
    ],
)  # fmt: skip
def test_what_is_no_booking_s_id_is_refused(text: str) -> None:
    """A patient's id where a booking's is expected must be a 422, not somebody's booking."""
    with pytest.raises(ValueError):
        BookingId.parse(text)
    with pytest.raises(ValidationError) as caught:
        WIRE.validate_python(text)
    assert caught.value.errors()[0]["type"] == "id"


@pytest.mark.parametrize("value", [None, 7, 7.5, b"bkg", [], {}, PatientId.new()])
def test_other_kinds_of_values_are_refused(value: object) -> None:
    """JSON holds anything; none of it may become a 500."""
    with pytest.raises(ValidationError):
        WIRE.validate_python(value)


def test_every_entity_has_a_prefix_of_its_own() -> None:
    """Two kinds with one prefix are one kind to the API."""
    kinds = Id.__subclasses__()
    assert len({kind.prefix for kind in kinds}) == len(kinds)
    assert all(re.fullmatch(r"[a-z]{3}", kind.prefix) for kind in kinds)


def test_ids_are_born_in_order_even_from_many_threads() -> None:
    """ "Newest first" is the order of ids: a later row with a smaller id would never be seen by who pages on."""
    made = [BookingId.new() for _ in range(20_000)]
    assert made == sorted(made)
    together: list[BookingId] = []
    threads = [threading.Thread(target=lambda: together.extend(BookingId.new() for _ in range(2_000))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(together)) == 8_000


def test_an_id_is_a_uuid_of_version_seven() -> None:
    """Other systems read its time; MySQL clusters rely on the order."""
    before = time.time_ns() // 1_000_000
    made = BookingId.new()
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert before - 1 <= made.int >> 80 <= time.time_ns() // 1_000_000 + 50


def test_a_number_for_people_is_short_and_cannot_be_guessed() -> None:
    """WeChat takes 32 characters of [0-9A-Za-z]; a neighbour's order must not be one step away."""
    made = {new_number("P261123") for _ in range(2_000)}
    assert len(made) == 2_000
    assert all(re.fullmatch(r"P261123[0-9A-HJKMNP-TV-Z]{14}", each) for each in made)
