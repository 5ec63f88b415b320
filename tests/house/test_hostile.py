"""What nobody sends who means well, sent to every operation: no 5xx, always a problem, never a word of it sent back.

Each operation is called by somebody who may call it, with one part of a good request at a time made bad.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.client import Api
from tests.house.calls import Call, call_of
from tests.scenes.accounts import sign_in
from yiyuebao_api import api as contents
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.problems import MEDIA_TYPE
from yiyuebao_api.kernel.tokens import Mode

#: In everything that is sent as text; an answer that holds it has sent it back.
MARK = "zqxjkvbp"
LONG = MARK * 625  # 5 000 characters
OPERATIONS = {f"{each.method} {each.path}": each for each in contents.operations()}

#: JSON texts in the place of one field: some are no JSON at all, and Python's reader takes them nevertheless.
VALUES = {
    "not a number": "NaN",
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "beyond doubles": "1e400",
    "beyond 64 bits": str(10**30),
    "beyond what Python reads": "9" * 5_000,
    "below zero": "-1",
    "half": "0.5",
    "null": "null",
    "yes": "true",
    "empty text": '""',
    "text": json.dumps(MARK),
    "long text": json.dumps(LONG),
    "a NUL byte": json.dumps(f"{MARK}\0{MARK}"),
    "a lone surrogate": f'"{MARK}\\ud800"',
    "turned around": json.dumps(f"\u202e{MARK}\u200b\ufeff"),
    "a formula": json.dumps(f"{{0.__class__}}%s${{{MARK}}}' OR 1=1 --"),
    "a list": json.dumps([MARK]),
    "an object": json.dumps({MARK: MARK}),
    "far too deep": "[" * 3_000 + "]" * 3_000,
    "the last day": '"9999-12-31"',
    "the first day": '"0001-01-01"',
    "the end of time": '"9999-12-31T23:59:59.999999+00:00"',
    "the beginning of time": '"0001-01-01T00:00:00+14:00"',
}
BODIES = {
    "nothing": b"",
    "no JSON": b"{" + MARK.encode(),
    "not UTF-8": b'{"a": "\xff\xfe' + MARK.encode() + b'"}',
    "UTF-16": json.dumps({"a": MARK}).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a list": json.dumps([MARK]).encode(),
    "a number": b"NaN",
    "null": b"null",
    "unknown fields": json.dumps({MARK: MARK, "__proto__": {}, "\ud800": 1}).encode(),
    "far too deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "the same field twice": b'{"a": 1, "a": 2}',
}
TYPES = (
    "text/plain",
    "application/xml",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "x",
    "",
)
WORDS = {
    "empty": "",
    "text": MARK,
    "long": LONG,
    "a NUL byte": f"{MARK}\0",
    "a formula": f"{MARK}' OR 1=1 --%_",
    "not a number": "NaN",
    "infinity": "Infinity",
    "beyond doubles": "1e400",
    "beyond 64 bits": "9" * 400,
    "below zero": "-1",
    "the end of time": "9999-12-31T23:59:59Z",
    "the last day": "9999-12-31",
    "the first day": "0001-01-01",
    "another kind of id": "ses_01kj4y8x3hf7a9cq2v5b6n8m0t",
    "too large an id": "bkg_zzzzzzzzzzzzzzzzzzzzzzzzzz",
}
RAW = {
    "not UTF-8": "%ff%fe",
    "a lone surrogate": "%ed%a0%80",
    "a path": f"..%2f..%2f{MARK}",
    "an escaped escape": "%2500",
}


def _cursor(content: str) -> str:
    return base64.urlsafe_b64encode(content.encode("utf-8", "surrogatepass")).decode().rstrip("=")


CURSORS = {
    "no base64": "A", "no JSON": _cursor(MARK), "not UTF-8": base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode(),
    "no list": _cursor('{"a": 1}'), "empty": _cursor("[]"), "numbers": _cursor("[1]"), "huge": _cursor(f"[{10**40}]"),
    "not a number": _cursor("[NaN]"), "nulls": _cursor("[null]"), "true": _cursor("[true]"),
    "another kind of id": _cursor('["ses_01kj4y8x3hf7a9cq2v5b6n8m0t"]'), "text": _cursor(json.dumps([MARK])),
    "a lone surrogate": _cursor(r'["\ud800"]'), "deep": _cursor("[" * 140), "two": _cursor(json.dumps([MARK, 1])),
    "a NUL byte": _cursor(json.dumps(["\0"])), "a list in a list": _cursor("[[[]]]"), "many": _cursor("[1,2,3,4,5]"),
    "numbers and an id": _cursor('[-1, "bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"]'),
}  # fmt: skip


@dataclass(frozen=True)
class Attempt:
    """One bad request."""

    what: str
    url: str
    query: Any
    content: bytes | None
    headers: dict[str, str] = field(default_factory=dict)


def _attempts(call: Call) -> Iterator[Attempt]:
    yield from _bad_paths(call)
    yield from _bad_queries(call)
    yield from _bad_headers(call)
    if call.body is not None:
        yield from _bad_bodies(call)


def _share(values: dict[str, str], number: int, of: int) -> dict[str, str]:
    """All of them where there are few places; of many places each gets its share, and together they get all."""
    step = 1 + of // 4
    return dict(list(values.items())[number % step :: step])


def _good_body(call: Call) -> bytes | None:
    return None if call.body is None else json.dumps(call.body).encode()


def _bad_paths(call: Call) -> Iterator[Attempt]:
    for name in call.values:
        words = {what: text for what, text in WORDS.items() if text and not text[0].isdigit()}
        texts = {**{what: quote(text, safe="") for what, text in words.items()}, **RAW}
        for what, text in texts.items():
            url = call.path.format_map({**call.values, name: text})
            yield Attempt(f"path {name}: {what}", url, call.query, _good_body(call))


def _bad_queries(call: Call) -> Iterator[Attempt]:
    for number, name in enumerate(names := (*call.query, *call.optional)):
        words = CURSORS if name == "cursor" else _share(WORDS, number, len(names))
        for what, text in words.items():
            yield Attempt(f"query {name}: {what}", call.url, {**call.query, name: text}, _good_body(call))
        for what, text in RAW.items():
            rest = "".join(f"&{key}={quote(value)}" for key, value in call.query.items() if key != name)
            yield Attempt(f"query {name}: {what}", f"{call.url}?{name}={text}{rest}", None, _good_body(call))
        twice = [*call.query.items(), (name, MARK), (name, MARK)]
        yield Attempt(f"query {name}: twice", call.url, twice, _good_body(call))


def _bad_headers(call: Call) -> Iterator[Attempt]:
    texts = {"text": MARK, "long": LONG, "a formula": f"{MARK}{{0}}%s", "empty": "", "star": "*"}
    names = sorted({*call.headers, "accept-language", "idempotency-key"})
    for number, name in enumerate(names):
        for what, text in _share(texts, number, 4 + len(names)).items():
            yield Attempt(f"header {name}: {what}", call.url, call.query, _good_body(call), {name: text})


def _bad_bodies(call: Call) -> Iterator[Attempt]:
    for what, content in BODIES.items():
        yield Attempt(f"body: {what}", call.url, call.query, content)
    for kind in TYPES:
        yield Attempt(f"content type: {kind}", call.url, call.query, _good_body(call), {"content-type": kind})
    if not isinstance(call.body, dict):
        return
    for number, name in enumerate(call.body):
        rest = {key: value for key, value in call.body.items() if key != name}
        yield Attempt(f"field {name}: left out", call.url, call.query, json.dumps(rest).encode())
        for what, value in _share(VALUES, number, len(call.body)).items():
            fields = [f"{json.dumps(key)}: {json.dumps(kept)}" for key, kept in rest.items()]
            text = "{" + ", ".join([*fields, f"{json.dumps(name)}: {value}"]) + "}"
            yield Attempt(f"field {name}: {what}", call.url, call.query, text.encode())


@pytest.mark.parametrize("name", OPERATIONS)
async def test_nothing_bad_breaks_it(api: Api, database: Database, name: str) -> None:
    """The accidents: `NaN` in a body was a 500; a lone surrogate killed the logger; an error page quoted a phone number."""
    operation = OPERATIONS[name]
    call = call_of(api.app, operation.method, operation.path)
    asked = set(operation.callers) - {"anyone"}
    mode = Mode.PATIENT if asked == {"member"} else Mode(min(asked)) if asked else None
    wrong = []
    here = await _as(api, database, mode)
    for number, attempt in enumerate(_attempts(call)):
        headers = {
            "content-type": "application/json",
            **call.headers,
            "idempotency-key": f"key-{number}",
            **attempt.headers,
        }
        if attempt.content is None:
            headers.pop("content-type", None)
        answer = await here.request(
            call.method, attempt.url, params=attempt.query, content=attempt.content, headers=headers
        )
        if found := _wrong(answer):
            wrong.append(f"{attempt.what}: {found}: {answer.status_code} {answer.text[:160]}")
        if answer.status_code < 300 and "accounts/sessions" in operation.path:
            here = await _as(api, database, mode)  # that one signed out
    assert wrong == []


async def _as(api: Api, database: Database, mode: Mode | None) -> Api:
    if mode is None:
        return api
    return api.signed_in((await sign_in(database, api.app.state.tokens, mode=mode)).access_token)


def _wrong(answer: httpx.Response) -> str | None:
    if answer.status_code >= 500:
        return "a server error"
    if answer.status_code < 400:
        return None
    if answer.headers.get("content-type") != MEDIA_TYPE:
        return "no problem document"
    if MARK in answer.text or MARK in str(answer.headers):
        return "sent back what it got"
    return None
