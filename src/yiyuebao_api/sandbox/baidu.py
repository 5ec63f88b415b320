"""Baidu AI Cloud: tokens that are really checked, OCR that reads the test cards, and a register of names.

The cards are drawn by the project itself (`seed/cards.py`); what is "recognised" stands in a square code on them. The
register knows every name under every number with a right form, except the pairs that
`POST /_sandbox/baidu/register {"number": …, "name": …}` binds: then only that name belongs to the number.
`POST /_sandbox/baidu/quota {"left": 3}` leaves so many calls (null: no end); `DELETE /_sandbox/baidu/tokens` revokes all.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import zxingcpp
from PIL import Image, UnidentifiedImageError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from yiyuebao_api.sandbox import faults
from yiyuebao_api.sandbox.faults import Endpoint, Fault

API_KEY, SECRET_KEY = "sandbox-baidu-key", "sandbox-baidu-secret"
MARK = "YIYUEBAO-TEST-CARD:"
TOKEN_LIFE_S = 2592000
MAX_BASE64 = 4 * 1024 * 1024
MESSAGES = {
    1: "Unknown error", 2: "Service temporarily unavailable", 4: "Open api request limit reached",
    6: "No permission to access data", 17: "Open api daily request limit reached",
    18: "Open api qps request limit reached", 19: "Open api total request limit reached",
    110: "Access token invalid or no longer valid", 111: "Access token expired", 216100: "invalid param",
    216200: "empty image", 216201: "image format error", 216202: "image size error", 216630: "recognize error",
    216633: "recognize id card error", 222351: "id number and name not match or id number not exist",
    222360: "invalid name or id number", 282000: "internal error",
}  # fmt: skip


@dataclass(slots=True)
class Baidu:
    """Everything this provider remembers."""

    faults: list[Fault] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)
    register: dict[str, str] = field(default_factory=dict)
    left: int | None = None
    calls: Counter[str] = field(default_factory=Counter)


def start(app: Starlette, home: Path) -> None:
    """Begin with no tokens, an empty register and no quota."""
    app.state.baidu = Baidu()


def routes() -> list[BaseRoute]:
    return [
        Route("/oauth/2.0/token", faults.breakable("baidu", give_token, _error), methods=["GET", "POST"]),
        Route("/rest/2.0/ocr/v1/idcard", _provided(read_card), methods=["POST"]),
        Route("/rest/2.0/ocr/v1/general_basic", _provided(read_text), methods=["POST"]),
        Route("/rest/2.0/face/v3/person/idmatch", _provided(match), methods=["POST"]),
        Route("/_sandbox/baidu/register", bind, methods=["POST"]),
        Route("/_sandbox/baidu/quota", set_quota, methods=["POST"]),
        Route("/_sandbox/baidu/tokens", revoke, methods=["DELETE"]),
        Route("/_sandbox/baidu/calls", count_calls, methods=["GET"]),
        *faults.routes("baidu"),
    ]


# ── the provider ──────────────────────────────────────────────────────────────────────────────────


async def give_token(request: Request) -> Response:
    here, given = _of(request), request.query_params
    here.calls["/oauth/2.0/token"] += 1
    if given.get("client_id") != API_KEY or given.get("client_secret") != SECRET_KEY:
        return JSONResponse({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
    token = f"24.{secrets.token_hex(16)}.{TOKEN_LIFE_S}.{int(time.time()) + TOKEN_LIFE_S}.282335-10000000"
    here.tokens[token] = time.time() + TOKEN_LIFE_S
    scope = "public vis-ocr_ocr brain_all_scope brain_ocr_general"
    return JSONResponse({"access_token": token, "expires_in": TOKEN_LIFE_S, "scope": scope})


async def read_card(request: Request) -> Response:
    form = await _form(request)
    image = _image(form)
    if isinstance(image, int):
        return _error(image)
    if form.get("id_card_side") not in ("front", "back"):
        return _error(216100)
    said = await run_in_threadpool(_seen, image)
    if said is None:
        return _error(216201)
    return JSONResponse(_card(said, form))


def _card(said: dict[str, Any], form: dict[str, str]) -> dict[str, Any]:
    status = said.get("image_status", "normal")
    if said.get("side") not in ("front", "back"):
        status = "other_type_card" if said else "non_idcard"
    elif said["side"] != form["id_card_side"]:
        status = "reversed_side"
    read = said["words"] if status in ("normal", "blurred") else {}
    answer: dict[str, Any] = {
        "log_id": secrets.randbelow(2**62), "direction": 0, "image_status": status, "words_result_num": len(read),
        "idcard_number_type": 1 if "公民身份号码" in read else -1,
        "words_result": {name: {"words": words, "location": _BOX} for name, words in read.items()},
    }  # fmt: skip
    if form.get("detect_risk") == "true":
        answer["risk_type"] = said.get("risk_type", "normal")
        if "edit_tool" in said:
            answer["edit_tool"] = said["edit_tool"]
    if form.get("detect_quality") == "true":
        answer["card_quality"] = {
            "IsClear": int(status != "blurred"), "IsComplete": int("incomplete" not in said),
            "IsNoCover": int("covered" not in said),
        }  # fmt: skip
    return answer


_BOX = {"top": 1, "left": 2, "width": 3, "height": 4}


async def read_text(request: Request) -> Response:
    image = _image(await _form(request))
    if isinstance(image, int):
        return _error(image)
    said = await run_in_threadpool(_seen, image)
    if said is None:
        return _error(216201)
    lines = said.get("lines") or [f"{name} {words}" for name, words in said.get("words", {}).items()]
    read = [{"words": line} for line in lines]
    return JSONResponse({"log_id": secrets.randbelow(2**62), "words_result_num": len(read), "words_result": read})


async def match(request: Request) -> Response:
    try:
        given = await request.json()
        name, number = str(given["name"]), str(given["id_card_number"])
    except (ValueError, KeyError, TypeError):
        return _error(216100)
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", number) or not name:
        return _error(222360)
    if _of(request).register.get(number, name) != name:
        return _error(222351)
    return JSONResponse({"error_code": 0, "error_msg": "SUCCESS", "log_id": secrets.randbelow(2**62)})


# ── the hand behind the curtain ───────────────────────────────────────────────────────────────────


async def bind(request: Request) -> Response:
    """From now on only this name belongs to that number."""
    try:
        given = await request.json()
        _of(request).register[str(given["number"])] = str(given["name"])
    except (ValueError, KeyError, TypeError):
        return JSONResponse({"error": "number and name"}, 422)
    return Response(status_code=204)


async def set_quota(request: Request) -> Response:
    try:
        left = (await request.json())["left"]
    except (ValueError, KeyError, TypeError):
        left = ""
    if left is not None and not isinstance(left, int):
        return JSONResponse({"error": "left: how many, or null"}, 422)
    _of(request).left = left
    return Response(status_code=204)


async def revoke(request: Request) -> Response:
    _of(request).tokens.clear()
    return Response(status_code=204)


async def count_calls(request: Request) -> Response:
    """How often each path of the provider was called."""
    return JSONResponse(dict(_of(request).calls))


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────


def _provided(serve: Endpoint) -> Endpoint:
    async def guarded(request: Request) -> Response:
        here = _of(request)
        here.calls[request.url.path] += 1
        until = here.tokens.get(request.query_params.get("access_token", ""))
        if until is None:
            return _error(110)
        if until < time.time():
            return _error(111)
        if here.left is not None:
            if here.left <= 0:
                return _error(17)
            here.left -= 1
        return await serve(request)

    return faults.breakable("baidu", guarded, _error)


def _of(request: Request) -> Baidu:
    here: Baidu = request.app.state.baidu
    return here


def _error(code: int | str) -> Response:
    number = int(code)
    said = {"error_code": number, "error_msg": MESSAGES.get(number, "error"), "log_id": secrets.randbelow(2**62)}
    return JSONResponse(said)


async def _form(request: Request) -> dict[str, str]:
    read = parse_qs((await request.body()).decode(errors="replace"))
    return {name: values[-1] for name, values in read.items()}


def _image(form: dict[str, str]) -> bytes | int:
    """The picture of a form, or the code of the error."""
    given = form.get("image", "")
    if not given:
        return 216200
    if len(given) > MAX_BASE64:
        return 216202
    try:
        return base64.b64decode(given, validate=True)
    except binascii.Error:
        return 216201


def _seen(image: bytes) -> dict[str, Any] | None:
    """What the code on a test card says; empty when there is none, None when it is no picture."""
    try:
        with Image.open(io.BytesIO(image), formats=("JPEG", "PNG", "BMP")) as opened:
            found = zxingcpp.read_barcodes(opened.convert("L"))
    except (UnidentifiedImageError, OSError):
        return None
    for each in found:
        if each.text.startswith(MARK):
            said: dict[str, Any] = json.loads(each.text.removeprefix(MARK))
            return said
    return {}
