"""Refusals: RFC 9457 `application/problem+json`, one class per reason, in Chinese and in English.

    Problem
    ├── Unauthenticated 401      ├── NotAllowed 403        ├── NotFound 404
    ├── InvalidInput 422         ├── TooManyRequests 429   ├── ServiceUnavailable 503
    └── … one class per reason in each domain's `problems`

A problem says what happened and what the reader can do. It carries only the fields its class declares, never a word of an
exception of ours, and never what the client sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:yiyuebao:problem:"


class Words(NamedTuple):
    """One sentence in the two languages of the product."""

    zh: str
    en: str

    def in_(self, language: str) -> str:
        return self.en if language == "en" else self.zh


class FieldError(BaseModel):
    """Which part of the request was wrong."""

    pointer: str = Field(description="JSON pointer into the request: /body/…, /query/…, /path/…", examples=["/body/phone"])
    code: str = Field(examples=["string_too_short"])
    detail: str = Field(examples=["长度不足"])


class ProblemOut(BaseModel):
    """RFC 9457 problem details. `code` is stable and is what programs switch on."""

    model_config = ConfigDict(title="Problem", extra="allow")

    type: str = Field(description="A stable URI that ends in the code.", examples=["urn:yiyuebao:problem:slot-taken"])
    title: str = Field(description="What kind of refusal, short.", examples=["号源已约满"])
    status: int = Field(ge=400, le=599, examples=[409])
    detail: str = Field(description="A sentence the user can act on.", examples=["该时段刚刚约满，请换一个时间。"])
    code: str = Field(examples=["slot-taken"])
    request_id: str = Field(description="Quote it when asking for help.", examples=["req_01kj4y8x3hf7a9cq2v5b6n8m0t"])
    errors: list[FieldError] | None = Field(None, description="With code invalid-input only.")


class Problem(Exception):
    """A reason to refuse. Subclasses set the four words; `fields` fill the placeholders of `detail` and go on the wire."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[Words]
    detail: ClassVar[Words]

    def __init__(self, *, retry_after: int | None = None, **fields: Any) -> None:
        super().__init__(self.code)
        self.fields = fields
        self.headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}

    def body(self, language: str, request_id: str) -> dict[str, Any]:
        """What goes on the wire."""
        plain = {name: str(value) for name, value in self.fields.items()}
        return {
            "type": TYPE_PREFIX + self.code,
            "title": self.title.in_(language),
            "status": self.status,
            "detail": self.detail.in_(language).format(**plain),
            "code": self.code,
            "request_id": request_id,
            **self.fields,
        }


# ── refusals every operation may answer ──────────────────────────────────────────────────────────────────────────────


class MalformedRequest(Problem):
    status, code = 400, "malformed-request"
    title = Words("请求无法读取", "The request cannot be read")
    detail = Words("请求内容无法读取，请检查格式后重试。", "The request could not be read; check its format.")


class Unauthenticated(Problem):
    status, code = 401, "unauthenticated"
    title = Words("请先登录", "Sign in first")
    detail = Words("登录已失效或尚未登录，请重新登录。", "You are not signed in, or the sign-in has expired.")

    def __init__(self) -> None:
        super().__init__()
        self.headers = {"WWW-Authenticate": "Bearer"}


class NotAllowed(Problem):
    status, code = 403, "not-allowed"
    title = Words("无权操作", "Not allowed")
    detail = Words("当前身份不能进行此操作，请切换身份后再试。", "This is not open to the mode you are signed in with.")


class NotFound(Problem):
    status, code = 404, "not-found"
    title = Words("未找到", "Not found")
    detail = Words("没有找到您要的内容，可能已删除或不属于您。", "There is no such thing, or it is not yours.")


class MethodNotAllowed(Problem):
    status, code = 405, "method-not-allowed"
    title = Words("请求方法不支持", "Method not allowed")
    detail = Words("该地址不支持此请求方法。", "This address does not support that method.")


class BodyTooLarge(Problem):
    status, code = 413, "body-too-large"
    title = Words("内容过大", "Too large")
    detail = Words("提交的内容超过 {limit_bytes} 字节的上限。", "What you sent is larger than {limit_bytes} bytes.")


class InvalidInput(Problem):
    status, code = 422, "invalid-input"
    title = Words("填写有误", "Invalid input")
    detail = Words("有内容填写不正确，请按提示修改后再提交。", "Some fields are not valid; see `errors`.")


class TooManyRequests(Problem):
    status, code = 429, "too-many-requests"
    title = Words("操作过于频繁", "Too many requests")
    detail = Words("操作过于频繁，请稍后再试。", "That was too often; try again later.")


class InternalError(Problem):
    status, code = 500, "internal-error"
    title = Words("系统开小差了", "Something went wrong")
    detail = Words("系统出现问题，我们已记录，请稍后再试。", "Something went wrong on our side and has been recorded.")


class ServiceUnavailable(Problem):
    status, code = 503, "service-unavailable"
    title = Words("系统繁忙", "Busy")
    detail = Words("系统繁忙，请稍后再试。", "The service is busy; try again in a moment.")


class ProviderDown(Problem):
    """WeChat, SMS or maps cannot be reached; nothing was charged and the same request may be sent again."""

    status, code = 503, "provider-unavailable"
    title = Words("外部服务暂时不可用", "An outside service is unavailable")
    detail = Words(
        "外部服务暂时没有响应，请稍后再试，不会重复扣款。",
        "An outside service did not answer; try again, nothing is charged twice.",
    )


EVERYWHERE: tuple[type[Problem], ...] = (MalformedRequest, BodyTooLarge, InvalidInput, InternalError, ServiceUnavailable)


# ── how they reach the wire and the published contract ───────────────────────────────────────────────────────────────


def refuses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route or router: the problems it can answer with, with an example of each."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for problem in sorted(set(problems), key=lambda each: (each.status, each.code)):
        entry = by_status.setdefault(
            problem.status,
            {
                "description": "",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        entry["description"] = " / ".join(filter(None, [entry["description"], problem.title.zh]))
        entry["content"][MEDIA_TYPE]["examples"][problem.code] = {
            "summary": problem.title.en,
            "value": {
                "type": TYPE_PREFIX + problem.code, "title": problem.title.zh, "status": problem.status,
                "detail": problem.detail.zh, "code": problem.code, "request_id": "req_01kj4y8x3hf7a9cq2v5b6n8m0t",
            },
        }  # fmt: skip
    return by_status


def merge(*responses: Mapping[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Several `refuses(…)` as one: FastAPI's own merge would keep only the last of a status."""
    merged: dict[int | str, dict[str, Any]] = {}
    for each in responses:
        for status, entry in each.items():
            if status not in merged or MEDIA_TYPE not in entry.get("content", {}):
                merged[status] = {**entry}
                continue
            known = merged[status]
            examples = {**known["content"][MEDIA_TYPE]["examples"], **entry["content"][MEDIA_TYPE]["examples"]}
            titles = dict.fromkeys(f"{known['description']} / {entry['description']}".split(" / "))
            schema = entry["content"][MEDIA_TYPE]["schema"]
            merged[status] = {
                "description": " / ".join(titles),
                "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
            }
    return merged


def language_of(scope: Scope) -> str:
    """`en` when the client asks for English before Chinese; else `zh`."""
    for name, value in scope.get("headers", ()):
        if name == b"accept-language":
            wanted = value.decode("latin-1").lower()
            return "en" if wanted.startswith("en") else "zh"
    return "zh"


def respond(scope: Scope, problem: Problem, *, extra: Mapping[str, Any] | None = None) -> JSONResponse:
    """The response of a problem, from anywhere that has the ASGI scope."""
    body = problem.body(language_of(scope), scope.get("state", {}).get("request_id", ""))
    headers = {"Content-Language": "en" if language_of(scope) == "en" else "zh-CN", **problem.headers}
    return JSONResponse(body | dict(extra or {}), problem.status, headers, MEDIA_TYPE)


_SAID: dict[str, Words] = {
    "missing": Words("必填", "Required"),
    "extra_forbidden": Words("不支持的字段", "Unknown field"),
    "json_invalid": Words("不是正确的 JSON", "Not valid JSON"),
    "string_too_short": Words("长度不足", "Too short"),
    "string_too_long": Words("长度超限", "Too long"),
    "string_pattern_mismatch": Words("格式不正确", "Wrong format"),
    "enum": Words("不在可选范围内", "Not one of the choices"),
    "id": Words("编号格式不正确", "Not an id of this kind"),
}


def _field_errors(errors: Iterable[Mapping[str, Any]], language: str) -> list[dict[str, str]]:
    """The validator's findings without the input they were found in."""
    told = []
    for error in list(errors)[:50]:
        code = str(error["type"])
        words = _SAID.get(code, Words("不符合要求", "Not valid"))
        own = str(error.get("msg", "")) if code == "value_error" else ""
        pointer = "/" + "/".join(str(part).encode("utf-8", "replace").decode() for part in error["loc"])
        told.append({"pointer": pointer[:200], "code": code, "detail": own.removeprefix("Value error, ") or words.in_(language)})
    return told


def _allowed_methods(request: Request) -> list[str]:
    """Every method any route of this path serves; Starlette names only the first route's."""
    found: set[str] = set()
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            found.add(method)
    return sorted(found)


async def _problem(request: Request, error: Exception) -> JSONResponse:
    return respond(request.scope, cast("Problem", error))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    found = cast("RequestValidationError", error).errors()
    return respond(request.scope, InvalidInput(), extra={"errors": _field_errors(found, language_of(request.scope))})


async def _http(request: Request, error: Exception) -> JSONResponse:
    status = cast("HTTPException", error).status_code
    kinds: Sequence[type[Problem]] = (
        MalformedRequest, Unauthenticated, NotAllowed, NotFound, MethodNotAllowed, TooManyRequests, ServiceUnavailable,
    )  # fmt: skip
    if status == 413:
        return respond(request.scope, BodyTooLarge(limit_bytes=request.scope["state"]["limit_bytes"]))
    kind = next((each for each in kinds if each.status == status), MalformedRequest if status < 500 else InternalError)
    answer = respond(request.scope, kind())
    if status == 405:
        answer.headers["Allow"] = ", ".join(_allowed_methods(request))
    if kind is InternalError:
        structlog.get_logger().error("http exception", status=status)
    return answer


def install(app: FastAPI) -> None:
    """Teach an app to answer every refusal as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
