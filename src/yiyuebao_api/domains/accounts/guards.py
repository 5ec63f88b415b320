"""Who calls: the token says it without the database, one look at the session's row says whether it still holds.

The look is the first statement of the request's own transaction, before the idempotency key's claim, so that signing
out acts on the very next request and even an answer that was kept is not given again. An operation that reads without a
transaction asks it along with its first read. One that does neither (it speaks to a provider) gets the look in a short
transaction of its own, before anything else happens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

from fastapi import Depends, Security
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.queries import SESSION, seen_session
from yiyuebao_api.domains.accounts.rules import client_address
from yiyuebao_api.domains.accounts.service import check_session, judge_session, touch_session
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Begin, Transactions, asks_itself, current_attempt
from yiyuebao_api.kernel.ids import AccountId, HospitalId, SessionId
from yiyuebao_api.kernel.problems import NotAllowed, Unauthenticated
from yiyuebao_api.kernel.reading import Read
from yiyuebao_api.kernel.secrets import blind
from yiyuebao_api.kernel.tokens import Claims, Mode, claims_of


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody signed in, as what, and for which hospital."""

    account_id: AccountId
    session_id: SessionId
    mode: Mode
    hospital_id: HospitalId | None


@dataclass(frozen=True, slots=True)
class TenantCaller(Caller):
    """Somebody who acts for one hospital; the tenant comes from the token only."""

    hospital_id: HospitalId


@dataclass(frozen=True, slots=True)
class _Look:
    """The look at the session, for `Tx` to take first, or for `Reading` to ask along with its first read."""

    claims: Claims
    begin: Begin
    read: ClassVar[Read] = SESSION

    async def take(self, tx: AsyncSession) -> None:
        await check_session(tx, self.claims, now=clock.now())

    @property
    def parameters(self) -> Mapping[str, SessionId]:
        return {"session_id": self.claims.session_id}

    async def hear(self, row: Sequence[Any] | None) -> None:
        now = clock.now()
        if judge_session(seen_session(row), self.claims, now=now):
            with _nothing_done():
                async with self.begin() as tx:
                    await touch_session(tx, self.claims.session_id, now=now)


_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", bearerFormat="JWT")


async def _signed_in(
    connection: HTTPConnection, begin: Transactions, scheme: Annotated[object, Security(_BEARER)]
) -> Claims:
    claims = claims_of(connection)
    if claims is None:
        raise Unauthenticated
    look = _Look(claims, begin)
    tx: AsyncSession | None = getattr(connection.state, "tx", None)
    if tx is not None:
        await look.take(tx)
    elif asks_itself(connection.scope["route"].dependant):
        connection.state.session = look
    else:
        await _look_apart(begin, look)
    return claims


async def _look_apart(begin: Begin, look: _Look) -> None:
    with _nothing_done():
        async with begin() as tx:
            await look.take(tx)


@contextmanager
def _nothing_done() -> Iterator[None]:
    """Looking has no effect: after this commit the request may still be run again."""
    attempt = current_attempt.get()
    before = attempt.committed if attempt is not None else False
    yield
    if attempt is not None:
        attempt.committed = before


_SignedIn = Annotated[Claims, Depends(_signed_in)]
_Dependency = TypeVar("_Dependency", bound=Callable[..., Awaitable[object]])


def _called_by(*kinds: str) -> Callable[[_Dependency], _Dependency]:
    """Marks a dependency as the caller of a route, for the start-up check and the table of routes."""

    def mark(dependency: _Dependency) -> _Dependency:
        vars(dependency)["caller_kinds"] = kinds
        return dependency

    return mark


def _as(mode: Mode) -> Callable[..., Awaitable[Caller]]:
    @_called_by(mode.value)
    async def caller(claims: _SignedIn) -> Caller:
        if claims.mode is not mode:
            raise NotAllowed
        return Caller(claims.account_id, claims.session_id, claims.mode, claims.hospital_id)

    return caller


def _for_hospital(mode: Mode) -> Callable[..., Awaitable[TenantCaller]]:
    @_called_by(mode.value)
    async def caller(claims: _SignedIn) -> TenantCaller:
        if claims.mode is not mode or claims.hospital_id is None:
            raise NotAllowed
        return TenantCaller(claims.account_id, claims.session_id, claims.mode, claims.hospital_id)

    return caller


@_called_by("member")
async def _member(claims: _SignedIn) -> Caller:
    return Caller(claims.account_id, claims.session_id, claims.mode, claims.hospital_id)


@_called_by("anyone")
async def _anyone() -> None:
    return None


#: Nobody in particular: the route is public, and says so.
Anyone = Annotated[None, Depends(_anyone)]
#: Anybody signed in, in any mode.
Member = Annotated[Caller, Depends(_member)]
Patient = Annotated[Caller, Depends(_as(Mode.PATIENT))]
Clinician = Annotated[TenantCaller, Depends(_for_hospital(Mode.CLINICIAN))]
HospitalDesk = Annotated[TenantCaller, Depends(_for_hospital(Mode.DESK))]
Operator = Annotated[Caller, Depends(_as(Mode.OPERATOR))]
Auditor = Annotated[Caller, Depends(_as(Mode.AUDITOR))]


async def _client_address(connection: HTTPConnection) -> bytes:
    peer = connection.client.host if connection.client is not None else "unknown"
    trusted: tuple[str, ...] = connection.app.state.settings.http.trusted_proxies
    found = client_address(peer, connection.headers.getlist("x-forwarded-for"), trusted)
    return blind("accounts.address", found)


#: Where a request comes from, as a blind index: enough to count by, nothing to read.
ClientAddress = Annotated[bytes, Depends(_client_address)]
