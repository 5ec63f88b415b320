"""What every route promises, whoever writes it."""

from __future__ import annotations

import inspect
from collections import Counter

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Match

from tests.house.sources import PACKAGE
from yiyuebao_api import api
from yiyuebao_api.kernel import idempotency
from yiyuebao_api.kernel.ids import Id
from yiyuebao_api.kernel.tokens import Mode

AUDIENCES = {"hospital": "desk", "operator": "operator", "partner": "partner"}
#: Whose creations cost money or take a place: a second one, from a second tap, must not happen.
CLAIMED = ("bookings", "payments", "settlements", "entitlements", "signings", "consultations")


def _routes() -> list[APIRoute]:
    return [route for router in api.routers() for route in router.routes if isinstance(route, APIRoute)]


def _segments(route: APIRoute) -> tuple[str, str]:
    """Audience (or "") and the segment after it."""
    parts = route.path.strip("/").split("/")[1:]
    return (parts[0], parts[1]) if parts[0] in AUDIENCES else ("", parts[0])


def test_every_route_names_its_caller() -> None:
    """The accident: somebody forgot one dependency, and a list of patients was public until a newspaper called."""
    known = {*Mode, "anyone", "member"}
    strange = [f"{route.name}: {kinds}" for route in _routes() if not set(kinds := api.callers_of(route)) <= known]
    assert strange == []


def test_a_route_without_a_caller_does_not_start() -> None:
    """The accident: the rule above was only a test, and the test was skipped in the release that mattered."""

    async def forgotten() -> None:
        """Nobody is named."""

    with pytest.raises(api.RouteWithoutCaller):
        api.callers_of(APIRoute("/v1/forgotten", forgotten))


def test_an_audience_is_called_by_its_own_people() -> None:
    """The accident: a route below /v1/operator asked for a desk; every hospital could suspend every other."""
    wrong = [
        f"{route.path}: {api.callers_of(route)}"
        for route in _routes()
        if (audience := _segments(route)[0])
        and not set(api.callers_of(route)) <= {AUDIENCES[audience], *({"auditor"} if audience == "operator" else ())}
    ]
    assert wrong == []


def test_the_first_segment_names_the_domain() -> None:
    """The accident: `/v1/orders` lived in `trade/views/purchase.py`, and a fix took a morning of searching."""
    lost = [
        f"{route.path} in {route.endpoint.__module__}"
        for route in _routes()
        if route.endpoint.__module__ != f"yiyuebao_api.domains.{_segments(route)[1]}.routes"
        or route.tags != [_segments(route)[1]]
    ]
    assert lost == []
    assert {_segments(route)[1] for route in _routes()} <= {each.name for each in (PACKAGE / "domains").iterdir()}


def test_an_operation_is_called_what_its_function_is_called() -> None:
    """The accident: generated clients called one thing `getBookingV2`, the log another, and the code a third."""
    assert [route.path for route in _routes() if route.name != inspect.unwrap(route.endpoint).__name__] == []
    assert [route.path for route in _routes() if route.operation_id not in (None, route.name)] == []
    assert [name for name, times in Counter(route.name for route in _routes()).items() if times > 1] == []
    assert len(api.operations()) == len(_routes()), "one route, one method"


def test_what_costs_money_or_takes_a_place_is_asked_for_once() -> None:
    """The accident: a phone in a lift sent the same order three times, and three nurses rang at one door."""
    creations = [
        route
        for route in _routes()
        if route.methods == {"POST"} and route.status_code == 201 and _segments(route)[1] in CLAIMED
    ]
    assert {route.name for route in creations} >= {"create_booking", "pay_booking"}
    assert [route.name for route in creations if not _needs_key(route.dependant)] == []


def test_a_post_with_a_body_honours_a_key() -> None:
    """The accident: the app sent its key everywhere, one router had forgotten the route class, and the key did nothing."""
    deaf = [
        route.name
        for route in _routes()
        if route.methods == {"POST"}
        and not isinstance(route, idempotency.OnceRoute)
        and "anyone" not in api.callers_of(route)
    ]
    assert deaf == []


def test_only_methods_that_the_app_can_send() -> None:
    """The accident: the app's HTTP client has no PATCH; the feature worked in every test and on no phone."""
    assert {method for route in _routes() for method in route.methods or ()} <= {"GET", "POST", "PUT", "DELETE"}


def test_no_route_is_hidden_behind_another() -> None:
    """The accident: `/visits/{visit_id}` stood above `/visits/mine`, and every nurse's list was a 422."""
    hidden = []
    for route in _routes():
        path = _with_ids(route)
        scope = {"type": "http", "method": min(route.methods or ()), "path": path, "root_path": ""}
        first = next(each for each in _routes() if each.matches(scope)[0] is Match.FULL)
        if first is not route:
            hidden.append(f"{route.path} behind {first.path}")
    assert hidden == []


def test_every_id_in_a_path_is_of_its_own_kind() -> None:
    """The accident: `/patients/{patient_id}` took a plain string; a booking's id found nothing, and a quote found all."""
    loose = [
        f"{route.path} {field.name}"
        for route in _routes()
        for dependant in _all(route.dependant)
        for field in dependant.path_params
        if field.name.endswith("_id")
        and not (isinstance(field.field_info.annotation, type) and issubclass(field.field_info.annotation, Id))
    ]
    assert loose == []


def test_one_prefix_one_kind_of_id() -> None:
    """The accident: two entities shared `vst_`; the API accepted the one where the other was meant."""
    kinds = [kind for kind in Id.__subclasses__() if kind.__module__.startswith("yiyuebao_api")]
    assert [prefix for prefix, times in Counter(kind.prefix for kind in kinds).items() if times > 1] == []


def _with_ids(route: APIRoute) -> str:
    path = route.path
    for dependant in _all(route.dependant):
        for field in dependant.path_params:
            kind = field.field_info.annotation
            made = str(kind.new()) if isinstance(kind, type) and issubclass(kind, Id) else "x"
            path = path.replace(f"{{{field.alias}}}", made)
    return path


def _all(dependant: Dependant) -> list[Dependant]:
    return [dependant, *(each for below in dependant.dependencies for each in _all(below))]


def _needs_key(dependant: Dependant) -> bool:
    return any(each.call is idempotency._required for each in _all(dependant))
