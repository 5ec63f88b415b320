"""Pages: every row once, whatever is inserted meanwhile, and a cursor nobody can break."""

from __future__ import annotations

import base64
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.bank import Entry
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import BookingId, PatientId
from yiyuebao_api.kernel.paging import InvalidCursor, Paging, cursor_of, page


async def put_entries(store: Database, number: int) -> list[str]:
    made = [Entry(id=BookingId.new(), what=str(each)) for each in range(number)]
    async with store.begin() as tx:
        tx.add_all(made)
    return [str(each.id) for each in reversed(made)]


async def read_on(client: httpx.AsyncClient, limit: int, cursor: str | None = None) -> tuple[list[str], str | None]:
    answer = await client.get("/v1/bank/entries", params={"limit": limit, **({"cursor": cursor} if cursor else {})})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]], answer.json()["next_cursor"]


@pytest.mark.parametrize(("rows", "limit"), [(0, 5), (1, 1), (5, 5), (6, 5), (11, 5), (12, 100)])
async def test_every_row_is_shown_once_and_newest_first(
    client: httpx.AsyncClient, store: Database, rows: int, limit: int
) -> None:
    """Rows lost at the edge of two pages are bookings a desk never sees."""
    expected, seen, cursor = await put_entries(store, rows), list[str](), None
    for _ in range(1 + rows):
        items, cursor = await read_on(client, limit, cursor)
        assert len(items) <= limit
        seen += items
        if cursor is None:
            break
    assert seen == expected


async def test_what_comes_meanwhile_moves_nothing(client: httpx.AsyncClient, store: Database) -> None:
    """With page numbers the desk sees the tenth booking twice and misses the new one's neighbour."""
    expected = await put_entries(store, 6)
    first, cursor = await read_on(client, 3)
    newer = await put_entries(store, 4)
    second, end = await read_on(client, 3, cursor)
    assert first + second == expected
    assert end is None
    assert (await read_on(client, 4))[0] == newer


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "AAAA", "W10", cursor_of(str(PatientId.new())), cursor_of(7), cursor_of(None), cursor_of(True),
        cursor_of(BookingId.new(), BookingId.new()), cursor_of([str(BookingId.new())]), cursor_of({"a": 1}),
        cursor_of(str(BookingId.new()) + " "), "_" * 400, "e30", "bnVsbA", "MTIz", "Ww" * 200, "AAA",
        base64.urlsafe_b64encode(b"[" * 290).decode().rstrip("="),
    ],
)  # fmt: skip
async def test_a_cursor_that_is_none_of_ours_is_told_so(client: httpx.AsyncClient, cursor: str) -> None:
    """A cursor is input like any other: neither a 500 nor somebody else's first page."""
    answer = await client.get("/v1/bank/entries", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor"), answer.text


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=-1", "limit=1e3", "limit=", "limit=x", "cursor=", "cursor=a%00", "cursor=" + "a" * 401]
)
async def test_limits_of_a_page(client: httpx.AsyncClient, query: str) -> None:
    """A million rows in one answer is an outage that anybody can order."""
    answer = await client.get(f"/v1/bank/entries?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-input")


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=400))
def test_no_text_breaks_a_cursor(text: str) -> None:
    """Whatever it is, it is a cursor of ours or it is refused."""
    try:
        held = Paging(10, text).after(str, float, BookingId)
    except InvalidCursor:
        return
    assert held is not None
    assert [type(each) for each in held] == [str, float, BookingId]


@given(st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers()), max_size=4))
def test_no_content_breaks_a_cursor(values: list[object]) -> None:
    """It is base64 of JSON, as everybody can see; people will edit it."""
    text = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    try:
        held = Paging(10, text).after(str, int)
    except InvalidCursor:
        return
    assert held is not None
    assert [type(each) for each in held] == [str, int]


@given(st.text(max_size=20), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_holds_exactly_what_was_put_in(text: str, number: float, whole: int) -> None:
    """A distance that comes back rounded skips or repeats the hospital at the edge."""
    cursor = cursor_of(text, number, whole)
    assert Paging(10, cursor).after(str, float, int) == [text, number, whole]
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "9223372036854775808", "-9223372036854775809"])
def test_numbers_no_column_holds_are_refused(value: str) -> None:
    """NaN compares with nothing: an endless list or a server's error."""
    text = base64.urlsafe_b64encode(f"[{value}]".encode()).decode().rstrip("=")
    with pytest.raises(InvalidCursor):
        Paging(10, text).after(float if "." in value or "n" in value.lower() or "e" in value else int)


def test_half_a_character_is_refused() -> None:
    """JSON can spell it, no column can hold it: the driver's error would be a 500."""
    text = base64.urlsafe_b64encode(rb'["\ud800"]').decode().rstrip("=")
    with pytest.raises(InvalidCursor):
        Paging(10, text).after(str)


def test_the_last_page_says_so() -> None:
    """A cursor to an empty page is one more request for each list of each phone."""
    full = page([1, 2, 3], Paging(3, None), str, lambda row: row)
    assert (full.items, full.next_cursor) == (["1", "2", "3"], None)
    more = page([1, 2, 3, 4], Paging(3, None), str, lambda row: row)
    assert more.items == ["1", "2", "3"]
    assert more.next_cursor is not None
    assert Paging(3, more.next_cursor).after(int) == [3]
