"""From a request to its endpoint by the shortest way.

FastAPI matches the path of an included router twice, one pattern after another, and solves a tree of dependencies anew at
every request. `Branches` looks at the prefix first and matches once. A GET route whose dependencies are plain (awaited, or
opened until the endpoint has returned, as `Tx` is) is solved by a plan that was made when the route was: the same
dependencies in the same order, the same values, the same refusals; the published contract does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, cast

from fastapi import APIRouter
from fastapi._compat import (
    Undefined,
    field_annotation_is_sequence,
    get_missing_field_error,
    lenient_issubclass,
)
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import _get_param_aliases
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, serialize_response
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send


class Branches(BaseRoute):
    """The routes of many routers, each looked for among those of its own domain; their order is kept."""

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        self._routes: dict[str, list[BaseRoute]] = {}
        for route in (route for router in routers for route in router.routes):
            self._routes.setdefault(_domain(str(getattr(route, "path", ""))), []).append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The first route that answers this path and method; else the first of this path."""
        partial: tuple[Match, Scope] = (Match.NONE, {})
        for route in self._routes.get(_domain(scope["path"]), ()):
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, {**found, "route": route}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = match, {**found, "route": route}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The route is in the scope since it matched."""
        route: BaseRoute = scope["route"]
        await route.handle(scope, receive, send)


def _domain(path: str) -> str:
    """`/v1/bookings/bkg_…/cancel` → `bookings`, `/v1/hospital/bookings/…` → `hospital bookings`."""
    _, _, first, second, *_ = (*path.split("/", 4), "", "", "")
    return f"{first} {second}" if first in _AUDIENCES else first


_AUDIENCES = frozenset({"hospital", "operator", "partner"})


class _Wrong:
    """What a step gave whose parameters could not be read."""


_WRONG = _Wrong()


@dataclass(frozen=True, slots=True)
class _Param:
    """One parameter of the path, the query or the headers that holds one value."""

    name: str
    alias: str
    loc: tuple[str, str]
    required: bool
    default: Any
    field: Any

    def read(self, received: Mapping[str, Any], found: dict[str, Any]) -> list[Any]:
        """Put it among what was found; the validator's errors when it cannot be."""
        if self.alias not in received:
            if self.required:
                return [get_missing_field_error(loc=self.loc)]
            found[self.name] = self.default
            return []
        value, errors = self.field.validate(received[self.alias], found, loc=self.loc)
        if errors:
            return cast("list[Any]", errors)
        found[self.name] = value
        return []


def _param(field: Any) -> _Param | None:
    """None for one that FastAPI reads in a way of its own: lists, models, several names, a default that can be changed."""
    info, kind = field.field_info, field.field_info.in_.value
    aliases = _get_param_aliases(field)
    plain = lenient_issubclass(info.annotation, BaseModel) or field_annotation_is_sequence(info.annotation)
    if plain or len(aliases) != 1 or not isinstance(info.default, _CONSTANT) or info.default_factory or info.validate_default:
        return None
    required = info.is_required()
    return _Param(field.name, aliases[0][1], (kind, aliases[0][1]), required, None if required else info.default, field)


_CONSTANT = (type(None), bool, int, float, str, Enum, type(Undefined))
_GROUPS = (
    ("path_params", "path_params"), ("query_params", "query_params"), ("header_params", "headers"),
    ("cookie_params", "cookies"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Step:
    """One dependency: what is called, with which parameters, and with the outcome of which earlier steps."""

    call: Callable[..., Any]
    opens: bool  # it ends when the endpoint has returned: a transaction
    params: tuple[tuple[str, tuple[_Param, ...]], ...]
    takes: tuple[tuple[str, int], ...]
    whole: tuple[str, ...]  # parameters that take the request itself


@dataclass(slots=True)
class _Planner:
    """Lays a tree of dependencies out in the order in which FastAPI solves it, each only once."""

    steps: list[_Step] = field(default_factory=list)
    known: dict[Any, int] = field(default_factory=dict)

    def lay(self, dependant: Dependant) -> int | None:
        """The number of its step; None where something in it needs more than a plan."""
        takes: list[tuple[str, int]] = []
        for each in dependant.dependencies:
            number = self.known.get(each.call) if each.use_cache else None
            if number is None:
                number = self.lay(each)
            if number is None:
                return None
            if each.name is not None:
                takes.append((each.name, number))
        call = dependant.call
        if call is None or not _is_plain(dependant):
            return None
        opens = isasyncgenfunction(call)
        params = []
        for group, where in _GROUPS:
            read = [_param(each) for each in getattr(dependant, group)]
            if None in read:
                return None
            if read:
                params.append((where, tuple(each for each in read if each is not None)))
        whole = (dependant.request_param_name, dependant.http_connection_param_name)
        names = tuple(name for name in whole if name)
        self.steps.append(
            _Step(asynccontextmanager(call) if opens else call, opens, tuple(params), tuple(takes), names)
        )
        self.known[call] = len(self.steps) - 1
        return len(self.steps) - 1


def _is_plain(dependant: Dependant) -> bool:
    """It is awaited, or opened until the endpoint has returned; and it asks for nothing but parameters and the request."""
    call = dependant.call
    awaited = iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004
    if not (awaited or (isasyncgenfunction(call) and dependant.scope == "function")):
        return False
    return not (
        dependant.body_params or dependant.websocket_param_name or dependant.background_tasks_param_name
        or dependant.response_param_name or dependant.security_scopes_param_name or dependant.concurrency is not None
    )  # fmt: skip


class DirectRoute(APIRoute):
    """The route class of the house: what only reads is answered by a plan where one can be made."""

    #: The plan; None when FastAPI solves the dependencies itself.
    steps: tuple[_Step, ...] | None = None

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        planner = _Planner()
        if self.methods == {"GET"} and not self.body_field and planner.lay(self.dependant) is not None:
            self.steps = tuple(planner.steps)
            self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        async with AsyncExitStack() as opened:
            response = await self._respond(request, opened)
        await response(scope, receive, send)

    async def _respond(self, request: Request, opened: AsyncExitStack) -> Response:
        value = await self._value(request, opened)
        if isinstance(value, Response):
            return value
        body = await serialize_response(
            field=self.response_field, response_content=value, dump_json=True, by_alias=self.response_model_by_alias
        )
        return Response(body, self.status_code or 200, media_type="application/json")

    async def _value(self, request: Request, opened: AsyncExitStack) -> Any:
        """What the endpoint returns. A step whose parameters are wrong is left out, with all that take it."""
        errors: list[Any] = []
        values: list[Any] = []
        for step in self.steps or ():
            arguments = {name: values[number] for name, number in step.takes}
            wrong = any(value is _WRONG for value in arguments.values())
            for where, params in step.params:
                received = getattr(request, where)
                for param in params:
                    if found := param.read(received, arguments):
                        errors += found
                        wrong = True
            for name in step.whole:
                arguments[name] = request
            if wrong:
                values.append(_WRONG)
            elif step.opens:
                values.append(await opened.enter_async_context(step.call(**arguments)))
            else:
                values.append(await step.call(**arguments))
        if (reader := getattr(request.state, "reader", None)) is not None:
            await reader.settle()  # before a word about the parameters: whoever is signed out hears just that
        if errors:
            raise RequestValidationError(errors)
        return values[-1]
