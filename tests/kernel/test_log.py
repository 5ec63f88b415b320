"""The log: one JSON object a line, the request's id on each, nobody's data on any."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import structlog
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from tests.kernel.bank import Entry
from yiyuebao_api.kernel import log
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import BookingId

PHONE, CARD = "13800138000", "46010619900307663X"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the process writes to standard error."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    log.configure("INFO")
    yield out
    root.handlers[:], root.level = before, level


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(each) for each in written.getvalue().split("\n")[:-1]]


def test_one_json_object_a_line(written: io.StringIO) -> None:
    """Two lines for one event, or half a line, are lost in every log store."""
    structlog.get_logger("a").info("first\nline", number=7, word="中文", odd="\u2028\x1b[31m")
    logging.getLogger("b").warning("a %s", "word\nand more")
    one, two = lines(written)
    assert (one["event"], one["number"], one["word"], one["level"]) == ("first\nline", 7, "中文", "info")
    assert (two["event"], two["level"]) == ("a word\nand more", "warning")
    assert one["timestamp"].endswith("Z")
    assert "中文" in written.getvalue(), "readable without a decoder"
    assert "\x1b" not in written.getvalue()


def test_the_request_s_id_is_on_each_line(written: io.StringIO) -> None:
    """The patient reads it from the screen; everything of that request must be found by it."""
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        structlog.get_logger().info("ours")
        logging.getLogger("library").error("theirs")
    structlog.get_logger().info("after")
    assert [each.get("request_id") for each in lines(written)] == ["req_1", "req_1", None]


@pytest.mark.parametrize("name", sorted(log._NEVER))
def test_named_personal_data_is_withheld(written: io.StringIO, name: str) -> None:
    """Written by somebody in a hurry, read by everybody who reads logs."""
    structlog.get_logger().info("said", **{name: "ABCDEFG"})
    assert lines(written)[0][name] == "[withheld]"
    assert "ABCDEFG" not in written.getvalue()


@pytest.mark.parametrize("told", [PHONE, f"+86{PHONE}", CARD, f"call {PHONE}, card {CARD}!", f"电话{PHONE}。"])
def test_phones_and_cards_are_withheld_wherever_they_stand(written: io.StringIO, told: str) -> None:
    """In a message, under a harmless name, in a list, in an exception's words, in a library's line."""

    def fail() -> None:
        raise RuntimeError(told)

    structlog.get_logger().info(told, note=told, parts=[told], nested={"deep": told})
    logging.getLogger("library").warning("heard of %s", told)
    for logger in (structlog.get_logger(), logging.getLogger("library")):
        try:
            fail()
        except RuntimeError:
            logger.exception("failed")
    assert PHONE not in written.getvalue()
    assert CARD not in written.getvalue()
    assert len(lines(written)) == 4


@pytest.mark.parametrize(
    "told", ["req_01kj4y8x3hf7a9cq2v5b6n8m0t", "P26112313800138000ABC", "1763888523123", "4200001234567890123456789012"]
)
def test_ids_and_numbers_stay(written: io.StringIO, told: str) -> None:
    """Without them nobody can look anything up."""
    structlog.get_logger().info("x", about=told)
    assert lines(written)[0]["about"] == told


def test_a_traceback_says_where_and_never_what_the_variables_held(written: io.StringIO) -> None:
    """Locals are headers, tokens and people's data."""

    def inner(token: str) -> None:
        secret = token + "-SECRET"
        raise RuntimeError(len(secret))

    for logger in (structlog.get_logger(), logging.getLogger("library")):
        try:
            inner("ABCDEFG")
        except RuntimeError:
            logger.exception("failed")
    first, second = lines(written)
    for each in (first, second):
        assert each["exception"][0]["exc_type"] == "RuntimeError"
        assert each["exception"][0]["frames"][-1]["name"] == "inner"
        assert "locals" not in each["exception"][0]["frames"][-1]
    assert "ABCDEFG" not in written.getvalue()


async def test_the_database_s_errors_carry_no_values(store: Database, written: io.StringIO) -> None:
    """`Duplicate entry '<what the patient typed>'`, and the statement's parameters."""
    row = {"id": BookingId.new(), "what": "x", "once": "HARMLESS-ABCDEFG"}
    with suppress(DBAPIError):
        async with store.begin() as tx:
            await tx.execute(insert(Entry).values(**row))
            await tx.execute(insert(Entry).values(**{**row, "id": BookingId.new()}))
    try:
        async with store.begin() as tx:
            await tx.execute(insert(Entry).values(**row))
            await tx.execute(insert(Entry).values(**{**row, "id": BookingId.new()}))
    except DBAPIError:
        structlog.get_logger().exception("failed")
    assert len(lines(written)) == 1
    assert "Duplicate entry" in written.getvalue()
    assert "uq_bank_entry_once" in written.getvalue(), "which key it was is what we want to know"
    assert "ABCDEFG" not in written.getvalue()


def test_the_pool_s_cancelled_connections_are_no_errors_of_ours(written: io.StringIO) -> None:
    """One traceback for each phone that hung up would hide the real ones."""
    logging.getLogger("sqlalchemy.pool").error("Exception terminating connection")
    logging.getLogger("sqlalchemy.pool.impl.AsyncAdaptedQueuePool").error("Exception terminating connection")
    assert written.getvalue() == ""


def test_a_connection_that_leaks_is_an_error_of_ours(written: io.StringIO) -> None:
    """The pool tells it through the same logger; unheard, the service ends when the pool is empty."""
    logging.getLogger("sqlalchemy.pool.impl.AsyncAdaptedQueuePool").error(
        "The garbage collector is trying to clean up non-checked-in connection %r", object()
    )
    assert len(lines(written)) == 1


def test_libraries_that_log_addresses_are_silent(written: io.StringIO) -> None:
    """httpx logs every URL at INFO: codes and openids stand in some."""
    for name in ("httpx", "httpcore", "httpcore.connection", "uvicorn.access"):
        logging.getLogger(name).info("GET https://x/?js_code=ABCDEFG")
    assert written.getvalue() == ""
