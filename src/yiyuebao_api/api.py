"""The table of contents: every router of the service, in reading order, and the promises each route must keep.

A route without a caller does not start; what a caller implies (401, 403) and what every route may answer is added to its
published responses here, so that a route names only its own reasons to refuse.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from yiyuebao_api.domains.accounts import routes as accounts
from yiyuebao_api.domains.bookings import routes as bookings
from yiyuebao_api.domains.catalogue import routes as catalogue
from yiyuebao_api.domains.clinicians import routes as clinicians
from yiyuebao_api.domains.consents import routes as consents
from yiyuebao_api.domains.consultations import routes as consultations
from yiyuebao_api.domains.files import routes as files
from yiyuebao_api.domains.grants import routes as grants
from yiyuebao_api.domains.hospitals import routes as hospitals
from yiyuebao_api.domains.identities import routes as identities
from yiyuebao_api.domains.nearby import routes as nearby
from yiyuebao_api.domains.notices import routes as notices
from yiyuebao_api.domains.operations import routes as platform
from yiyuebao_api.domains.partners import routes as partners
from yiyuebao_api.domains.patients import routes as patients
from yiyuebao_api.domains.payments import routes as payments
from yiyuebao_api.domains.privacy import routes as privacy
from yiyuebao_api.domains.schedules import routes as schedules
from yiyuebao_api.domains.settlements import routes as settlements
from yiyuebao_api.domains.visits import routes as visits
from yiyuebao_api.kernel.idempotency import IdempotencyKeyReused, OnceRoute, RequestInProgress
from yiyuebao_api.kernel.problems import EVERYWHERE, MEDIA_TYPE, NotAllowed, Unauthenticated, merge, refuses

ROUTERS: list[APIRouter] = [
    *accounts.ROUTERS,      # who calls
    *patients.ROUTERS,      # who is cared for, and where
    *consents.ROUTERS,      # what they agreed to
    *files.ROUTERS,         # what they show
    *identities.ROUTERS,    # who they are
    *grants.ROUTERS,        # who may see their data
    *nearby.ROUTERS,        # what there is near by
    *hospitals.ROUTERS,     # who offers it
    *clinicians.ROUTERS,    # who comes
    *catalogue.ROUTERS,     # what is offered
    *schedules.ROUTERS,     # when
    *bookings.ROUTERS,      # the promise
    *payments.ROUTERS,      # the money
    *visits.ROUTERS,        # the visit
    *consultations.ROUTERS, # the talk
    *settlements.ROUTERS,   # the shares
    *notices.ROUTERS,       # who was told
    *privacy.ROUTERS,       # what is held of me
    *partners.ROUTERS,      # whose systems were told
    *platform.ROUTERS,      # what waits for a person
]  # fmt: skip


class RouteWithoutCaller(Exception):
    """A route names nobody who may call it; `Anyone` is a word one must write."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of `python -m yiyuebao_api routes`."""

    method: str
    path: str
    name: str
    callers: tuple[str, ...]
    problems: tuple[str, ...]
    where: str


@cache
def routers() -> list[APIRouter]:
    """Every router, its routes checked and their published responses completed."""
    for route in _routes():
        callers = callers_of(route)
        common = [*EVERYWHERE]
        if "anyone" not in callers:
            common += [Unauthenticated, NotAllowed] if set(callers) != {"member"} else [Unauthenticated]
            if isinstance(route, OnceRoute) and route.methods == {"POST"}:
                common += [IdempotencyKeyReused, RequestInProgress]
        route.responses = merge(refuses(*common), route.responses)
        route.operation_id = route.unique_id = route.name  # in every document, whoever generates it
    return ROUTERS


def _routes() -> Iterator[APIRoute]:
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield route


def callers_of(route: APIRoute) -> tuple[str, ...]:
    """Who may call a route, from the dependencies it declares. Raises RouteWithoutCaller."""
    found = tuple(dict.fromkeys(_caller_kinds(route.dependant)))
    if not found:
        raise RouteWithoutCaller(f"{route.name} {route.path} names no caller")
    return found


def _caller_kinds(dependant: Dependant) -> Iterator[str]:
    yield from getattr(dependant.call, "caller_kinds", ())
    for each in dependant.dependencies:
        yield from _caller_kinds(each)


def operations() -> list[Operation]:
    """Every operation, for the table of routes and for the house tests."""
    routers()
    listed = []
    for route in _routes():
        codes = [
            code
            for entry in route.responses.values()
            for code in entry.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
        ]
        endpoint = inspect.unwrap(route.endpoint)
        file = Path(inspect.getfile(endpoint)).relative_to(Path(__file__).parent)
        where = f"{file}:{inspect.getsourcelines(endpoint)[1]}"
        listed += [
            Operation(method, route.path, route.name, callers_of(route), tuple(codes), where)
            for method in sorted(route.methods or ())
        ]
    return listed
