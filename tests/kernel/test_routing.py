"""The plan of a GET route against FastAPI's own way, question by question; and one look for each path."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from yiyuebao_api.kernel import problems
from yiyuebao_api.kernel.ids import BookingId
from yiyuebao_api.kernel.problems import NotAllowed, NotFound
from yiyuebao_api.kernel.routing import Branches, DirectRoute

BOOKING = str(BookingId.new())


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Told(BaseModel):
    """What the endpoint was called with."""

    booking: str
    number: int | None
    colour: Colour
    word: str
    caller: str
    order: list[str]


async def first(request: Request) -> list[str]:
    order: list[str] = []
    request.state.order = order
    request.app.state.seen = order
    order.append("first")
    return order


async def caller(
    request: Request, x_caller: Annotated[str, Header(min_length=2)], order: Annotated[list[str], Depends(first)],
    bearer: Annotated[Any, Depends(HTTPBearer(auto_error=False))] = None,
) -> str:  # fmt: skip
    order.append("caller")
    if x_caller == "nobody":
        raise NotAllowed
    return x_caller + (bearer.credentials if bearer else "")


async def held(order: Annotated[list[str], Depends(first)]) -> AsyncIterator[str]:
    order.append("opened")
    try:
        yield "held"
    except NotFound:
        order.append("rolled back")
        raise
    order.append("closed")


def make(kind: type[APIRoute]) -> FastAPI:
    """The same routes with one route class or the other."""
    router = APIRouter(prefix="/v1/things", route_class=kind)

    @router.get("/{booking_id}/told")
    async def told(
        who: Annotated[str, Depends(caller)], booking_id: BookingId, order: Annotated[list[str], Depends(first)],
        kept: Annotated[str, Depends(held, scope="function")],
        number: Annotated[int | None, Query(ge=1, le=9)] = None, colour: Colour = Colour.RED,
        word: Annotated[str, Query(alias="a-word", max_length=3)] = "abc",
    ) -> Told:  # fmt: skip
        order.append("endpoint")
        if word == "not":
            raise NotFound
        return Told(booking=str(booking_id), number=number, colour=colour, word=word + kept, caller=who, order=order)

    @router.get("/plain/{number}", status_code=203)
    async def plain(number: Annotated[int, Path(gt=0)]) -> dict[str, int]:
        return {"number": number}

    @router.get("/own")
    async def own() -> Response:
        return Response("own", 202, {"x-own": "1"}, "text/plain")

    app = FastAPI()
    problems.install(app)
    app.router.routes.append(Branches([router]))
    for route in router.routes:
        assert isinstance(route, kind)
        if isinstance(route, DirectRoute):
            assert route.steps
    return app


ASKED = [
    *(
        (f"/v1/things/{booking}/told{query}", headers)
        for booking in (BOOKING, "bkg_x", "pat_01kj4y8x3hf7a9cq2v5b6n8m0t")
        for query in (
            "", "?number=3", "?number=0", "?number=x&colour=green", "?colour=blue&colour=red", "?a-word=not", "?word=zzz",
            "?a-word=abcd", "?number=", "?a-word=%E4%B8%AD",
        )
        for headers in ({}, {"x-caller": "ann"}, {"x-caller": "nobody"}, {"x-caller": "a"},
                        {"x-caller": "ann", "authorization": "Bearer tok"})
    ),
    *((f"/v1/things/plain/{number}", dict[str, str]()) for number in ("1", "0", "x")),
    ("/v1/things/own", {}), ("/v1/things/nothing", {}), ("/v1/other", {}), ("/", {}),
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_it_answers_what_fastapi_would(method: str) -> None:
    """Another order, another refusal or another default would be a contract nobody published."""
    plan, theirs = make(DirectRoute), make(APIRoute)
    seen = set()
    for path, headers in ASKED:
        answers = []
        for app in (plan, theirs):
            app.state.seen = []
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
                answer = await client.request(method, path, headers=headers)
            answers.append((answer.status_code, answer.headers.get("content-type"), answer.text, app.state.seen))
        assert answers[0] == answers[1], (path, headers)
        seen.add(answers[0][0])
    assert seen == ({200, 202, 203, 403, 404, 422} if method == "GET" else {404, 405})


async def test_a_route_that_needs_more_is_left_to_fastapi() -> None:
    router = APIRouter(route_class=DirectRoute)

    @router.get("/lists")
    async def lists(some: Annotated[list[int], Query()]) -> list[int]:
        return some

    @router.get("/headers")
    async def headers(response: Response) -> int:
        response.headers["x-more"] = "1"
        return 1

    @router.post("/posts")
    async def posts() -> int:
        return 1

    assert [getattr(each, "steps", None) for each in router.routes] == [None, None, None]
