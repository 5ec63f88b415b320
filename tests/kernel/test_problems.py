"""Refusals and the front door: every answer that is no success is a problem, in the reader's language, with an id."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from scripts.servers import free_port
from tests.kernel.bank import LIMIT, AccountEmpty, chunks
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.front import FrontDoor
from yiyuebao_api.kernel.problems import (
    EVERYWHERE,
    MEDIA_TYPE,
    TYPE_PREFIX,
    InvalidInput,
    NotFound,
    Problem,
    ProblemOut,
    ProviderDown,
    TooManyRequests,
    Unauthenticated,
    merge,
    refuses,
)

JSON = {"Content-Type": "application/json"}


def judged(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The whole form of a problem, whichever it is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["content-language"] in ("zh-CN", "en")
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answer.json()
    ProblemOut.model_validate(body)
    assert (body["status"], body["code"], body["type"]) == (status, code, TYPE_PREFIX + code)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert re.fullmatch(r"req_[0-9a-z]{26}", body["request_id"])
    assert body["title"]
    assert body["detail"]
    return body


# ── which refusal ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_unknown_address(client: httpx.AsyncClient) -> None:
    """A framework's own {"detail": …} breaks every client that reads `code`."""
    judged(await client.get("/v1/bank/no-such-thing"), 404, "not-found")
    judged(await client.get("/%00/..%2f"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/bank/entries", {"GET", "POST"}),
        ("PATCH", "/v1/bank/echo", {"POST", "PUT"}),
        ("GET", "/v1/bank/transfers", {"POST"}),
        ("DELETE", "/v1/bank/entries/bkg_01kj4y8x3hf7a9cq2v5b6n8m0t", {"GET", "PUT"}),
        ("BREW", "/v1/bank/echo", {"POST", "PUT"}),
    ],
)
async def test_another_method_names_all_that_are_served(
    client: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    """RFC 9110 §15.5.6; Starlette names the methods of the first route of that path only."""
    answer = await client.request(method, path)
    judged(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


async def test_a_body_that_says_it_is_too_large(client: httpx.AsyncClient, scene: Any) -> None:
    """Refused before a byte of it is read."""
    body = judged(await client.post("/v1/bank/echo", content=b"x" * (LIMIT + 1), headers=JSON), 413, "body-too-large")
    assert body["limit_bytes"] == LIMIT
    assert str(LIMIT) in body["detail"]
    judged(await client.post("/v1/bank/uploads", headers={**JSON, "Content-Length": str(1 << 60)}), 413, "body-too-large")
    judged(await client.post("/v1/bank/echo", headers={**JSON, "Content-Length": "-1"}), 413, "body-too-large")


@pytest.mark.parametrize(("path", "limit"), [("/v1/bank/echo", LIMIT), ("/v1/bank/uploads?source=1&target=2", 1 << 20)])
async def test_a_body_that_does_not_say_how_large_it_is(client: httpx.AsyncClient, path: str, limit: int) -> None:
    """Chunked: counted while it comes, and refused at the first byte too many, under the limit of that address."""
    head = b"" if "echo" in path else b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    pieces = chunks(head, *[b" " * 1000] * (limit // 1000 + 2))
    media = "application/json" if "echo" in path else "multipart/form-data; boundary=x"
    body = judged(await client.post(path, content=pieces, headers={"Content-Type": media}), 413, "body-too-large")
    assert body["limit_bytes"] == limit


async def test_a_body_of_exactly_the_limit_is_taken(client: httpx.AsyncClient) -> None:
    """A limit that is told must be the limit that holds."""
    body = json.dumps({"text": "x"}).encode().ljust(LIMIT)
    assert (await client.post("/v1/bank/echo", content=body, headers=JSON)).status_code == 200
    assert (await client.post("/v1/bank/echo", content=chunks(body[:5], body[5:]), headers=JSON)).status_code == 200


MARK = "ABCDEFG-MARK"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"text": "%s"' % MARK.encode(), "/body/"),
        (b'{"text": "%s", "price": 1}' % MARK.encode(), "/body/price"),
        (b'{"text": ["%s"]}' % MARK.encode(), "/body/text"),
        (b'{"text": "%s\\u0000"}' % MARK.encode(), "/body/text"),
        (b'{"text": "%s\\ud800"}' % MARK.encode(), "/body/text"),
        (b'{"text": "x", "%s\\ud800": 1}' % MARK.encode(), "/body"),
        (b'{"text": "x", "at": "%s"}' % MARK.encode(), "/body/at"),
        (b'{"text": "x", "at": "2026-11-23T09:00:00"}', "/body/at"),
        (b'{"text": "x", "at": "0001-01-01T00:00:00Z"}', "/body/at"),
        (b'{"text": "x", "at": 1e300}', "/body/at"),
        (b'{"text": "x", "at": 99999999999999999999999999}', "/body/at"),
        (b'{"text": "x", "colour": "%s"}' % MARK.encode(), "/body/colour"),
        (b'{"text": NaN}', "/body/text"),
        (b'{"text": -Infinity}', "/body/text"),
        (b'{"text": "x", "at": NaN}', "/body/at"),
        (b'{"text": "x", "at": Infinity}', "/body/at"),
        (b"[]", "/body"), (b"null", "/body"), (b'"%s"' % MARK.encode(), "/body"), (b"", "/body"), (b"{}", "/body/text"),
        (b'{"text": "' + b"x" * 101 + b'"}', "/body/text"),
        (b'{"text": "x", "text": 7}', "/body/text"),
    ],
)  # fmt: skip
async def test_input_that_is_wrong_is_located_and_never_repeated(
    client: httpx.AsyncClient, body: bytes, pointer: str
) -> None:
    """What the client sent may be somebody's card number: it must not come back, nor reach a log by way of us."""
    answer = await client.post("/v1/bank/echo", content=body, headers=JSON)
    told = judged(answer, 422, "invalid-input")
    assert told["errors"][0]["pointer"].startswith(pointer), told
    assert all(set(each) == {"pointer", "code", "detail"} and each["detail"] for each in told["errors"])
    assert MARK not in answer.text
    assert "input" not in json.dumps(told["errors"][0].get("ctx", {}))


@pytest.mark.parametrize("fen", [b"NaN", b"Infinity", b"1e400", b"1.5", b'"5"', b"true", b"-1", b"10000001", b"1" + b"0" * 400])
async def test_numbers_that_are_no_amount(client: httpx.AsyncClient, store: Database, fen: bytes) -> None:
    """Money is a whole number within its range, however JSON spells it."""
    answer = await client.post("/v1/bank/transfers", content=b'{"source": 1, "target": 2, "fen": %s}' % fen, headers=JSON)
    assert judged(answer, 422, "invalid-input")["errors"][0]["pointer"] == "/body/fen"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 4000, b'{"text":' * 450, b'{"text": ' + b"[" * 1500 + b"]" * 1500 + b"}", b'{"text": ' + b"9" * 4050 + b"}",
        b'{"text": "\xff\xfe"}', b"\xff\xfe{\x00}\x00", b"\x00" * 50, b'{"text": "x"}garbage',
    ],
)  # fmt: skip
async def test_what_no_parser_likes_is_a_refusal_and_no_failure(client: httpx.AsyncClient, body: bytes) -> None:
    """Deep nesting, endless digits, other encodings: 400 or 422, never 500 and never a crash."""
    answer = await client.post("/v1/bank/echo", content=body, headers=JSON)
    assert answer.status_code in (400, 422), answer.text
    judged(answer, answer.status_code, {400: "malformed-request", 422: "invalid-input"}[answer.status_code])


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "nonsense", ""]
)
async def test_a_body_of_another_kind(client: httpx.AsyncClient, media: str) -> None:
    """A form from a foreign page must not book (CSRF), nor make us guess."""
    answer = await client.post("/v1/bank/echo", content=b'{"text": "x"}', headers={"Content-Type": media})
    assert answer.status_code in (400, 422), answer.text
    judged(answer, answer.status_code, {400: "malformed-request", 422: "invalid-input"}[answer.status_code])


async def test_many_mistakes_are_told_up_to_a_number(client: httpx.AsyncClient) -> None:
    """A small request must not order a large answer."""
    body = json.dumps({"text": "x", **{f"f{number}": 1 for number in range(200)}})
    told = judged(await client.post("/v1/bank/echo", content=body, headers=JSON), 422, "invalid-input")
    assert len(told["errors"]) == 50
    long = json.dumps({"text": "x", "f" * 3000: 1})
    told = judged(await client.post("/v1/bank/echo", content=long, headers=JSON), 422, "invalid-input")
    assert len(told["errors"][0]["pointer"]) <= 200


@pytest.mark.parametrize("path", ["/v1/bank/entries/pat_01kj4y8x3hf7a9cq2v5b6n8m0t", "/v1/bank/entries/7", "/v1/bank/entries/%ED%A0%80"])
async def test_an_address_with_another_kind_of_id(client: httpx.AsyncClient, path: str) -> None:
    """Told as a wrong id; not looked up, and not a 500 for half a character."""
    told = judged(await client.get(path), 422, "invalid-input")
    assert told["errors"][0] == {"pointer": "/path/entry_id", "code": "id", "detail": "编号格式不正确"}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [({}, 428, "precondition-required"), ({"If-Match": '"2"'}, 412, "precondition-failed"),
     ({"If-Match": 'W/"3"'}, 412, "precondition-failed"), ({"If-Match": "3"}, 412, "precondition-failed"),
     ({"If-Match": '"3'}, 412, "precondition-failed")],
)  # fmt: skip
async def test_editing_without_having_read(client: httpx.AsyncClient, headers: dict[str, str], status: int, code: str) -> None:
    """Two people at one desk: the later must not undo the earlier in silence."""
    path = "/v1/bank/entries/bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"
    judged(await client.put(path, json={"text": "x"}, headers=headers), status, code)


# ── in whose words ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        (None, "zh-CN"), ("zh-CN", "zh-CN"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"), ("en", "en"), ("en-US,en;q=0.9", "en"),
        ("EN-gb", "en"), ("fr", "zh-CN"), ("", "zh-CN"), ("\xff\xfe", "zh-CN"), ("*", "zh-CN"),
    ],
)  # fmt: skip
async def test_the_reader_s_language(client: httpx.AsyncClient, asked: str | None, language: str) -> None:
    """Chinese, unless English is asked for first."""
    headers = [(b"Accept-Language", asked.encode("latin-1"))] if asked is not None else []
    answer = await client.get("/v1/bank/no-such-thing", headers=headers)
    body = judged(answer, 404, "not-found")
    assert answer.headers["content-language"] == language
    words = NotFound.detail
    assert body["detail"] == (words.en if language == "en" else words.zh)


async def test_every_mistake_is_told_in_that_language(client: httpx.AsyncClient) -> None:
    """A Chinese sentence inside an English answer helps nobody."""
    for body in ({}, {"text": ""}, {"text": "x", "more": 1}, {"text": "x", "colour": "pink"}, {"text": 7}):
        answer = await client.post("/v1/bank/echo", json=body, headers={"Accept-Language": "en"})
        told = judged(answer, 422, "invalid-input")
        assert all(each["detail"].isascii() for each in told["errors"]), told


@pytest.mark.parametrize("problem", [*EVERYWHERE, NotFound, TooManyRequests, ProviderDown, AccountEmpty])
def test_every_problem_speaks_both_languages(problem: type[Problem]) -> None:
    """And its placeholders are the same in both."""
    fields = re.findall(r"{(\w+)}", problem.detail.zh)
    assert sorted(fields) == sorted(re.findall(r"{(\w+)}", problem.detail.en))
    body = problem(**dict.fromkeys(fields, 7)).body("en", "req_x")
    assert body["detail"].isascii()
    assert "{" not in body["detail"]


def test_fields_go_on_the_wire_as_they_are() -> None:
    """Programs compute with them; the sentence shows them."""
    body = AccountEmpty(left_fen=7).body("zh", "req_x")
    assert (body["left_fen"], body["detail"]) == (7, "余额只有 7 分。")


def test_headers_that_tell_what_to_do() -> None:
    """A phone that is told when to come again does not come at once."""
    assert TooManyRequests(retry_after=30).headers == {"Retry-After": "30"}
    assert Unauthenticated().headers == {"WWW-Authenticate": "Bearer"}


def test_the_published_form() -> None:
    """Every declared problem stands under its status, whichever order declared it, and none is lost in a merge."""
    one = refuses(NotFound, AccountEmpty)
    assert set(one) == {404, 409}
    both = merge(refuses(AccountEmpty), refuses(TooManyRequests), refuses(InvalidInput, AccountEmpty))
    assert set(both) == {409, 422, 429}
    assert set(both[409]["content"][MEDIA_TYPE]["examples"]) == {"account-empty"}


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_bug_is_a_500_without_a_word_of_it(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """The exception's words hold data and the way in; the log has where it happened, once, under the same id."""
    answer = await client.get("/v1/bank/broken")
    body = judged(answer, 500, "internal-error")
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    told = [each for each in caplog.records if each.levelname == "ERROR"]
    assert len(told) == 1
    assert isinstance(told[0].msg, dict)
    assert told[0].msg["request_id"] == body["request_id"]


async def test_each_request_has_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    """Success or not; and nobody outside may choose it and hide among another's lines."""
    headers = {"X-Request-Id": "req_chosen"}
    answers = await asyncio.gather(*(client.get("/v1/bank/entries", headers=headers) for _ in range(10)))
    ids = {each.headers["x-request-id"] for each in answers}
    assert len(ids) == 10
    assert "req_chosen" not in ids
    assert {each.headers["x-content-type-options"] for each in answers} == {"nosniff"}


async def test_an_answer_that_has_begun_ends_there() -> None:
    """A second status line would be read as the body."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await FrontDoor(app, limit=10)({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
    assert [each["type"] for each in sent] == ["http.response.start"]


# ── over a real connection ───────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[int]:
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off", access_log=False, http="httptools")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await serving


async def test_the_connection_lives_on_after_every_refusal(bank: FastAPI) -> None:
    """An error raised out of the app makes uvicorn close the connection under the client's next request."""
    async with listening(bank) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        ends = set()
        for method, path, body, status in [
            ("GET", "/v1/bank/broken", b"", 500), ("GET", "/nothing", b"", 404), ("PUT", "/v1/bank/entries", b"", 405),
            ("POST", "/v1/bank/echo", b"{", 422), ("GET", "/v1/bank/killed", b"", 503), ("GET", "/v1/bank/broken", b"", 500),
            ("POST", "/v1/bank/echo", b'{"text": "x"}', 200),
        ]:  # fmt: skip
            answer = await client.request(method, path, content=body, headers=JSON)
            assert answer.status_code == status
            ends.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
        assert len(ends) == 1, "one connection for all of them"


async def test_a_body_too_large_is_answered_while_it_is_still_coming(bank: FastAPI) -> None:
    """Whoever announces a gigabyte hears 413 at once, not after the gigabyte."""
    async with listening(bank) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/bank/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{")
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()


async def test_what_is_no_http_does_not_hurt(bank: FastAPI) -> None:
    """Scanners knock at every port of the Internet."""
    async with listening(bank) as port:
        for words in (b"\x16\x03\x01\x00\x00", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\n" * 99):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as door:
                door.sendall(words)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            assert (await client.post("/v1/bank/echo", json={"text": "x"})).status_code == 200
