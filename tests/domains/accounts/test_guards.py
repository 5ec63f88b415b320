"""Who may call: every mode at every guard, and the look at the session however a route speaks to the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from tests.scenes.accounts import SignedIn, sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts import guards, service
from yiyuebao_api.domains.accounts.guards import Anyone, Auditor, Clinician, HospitalDesk, Member, Operator, Patient
from yiyuebao_api.kernel import clock, problems
from yiyuebao_api.kernel.database import Database, Transactions, Tx, assert_no_transaction, current_attempt
from yiyuebao_api.kernel.idempotency import Offered, OnceRoute
from yiyuebao_api.kernel.ids import AccountId, HospitalId
from yiyuebao_api.kernel.retry import WholeRequestRetry
from yiyuebao_api.kernel.tokens import Claims, Mode

router = APIRouter(route_class=OnceRoute)
ran: list[str] = []


async def _guard_without_caller(tx: Tx) -> AsyncSession:
    return tx


@router.get("/anyone")
async def anyone(caller: Anyone) -> str:
    return "anyone"


@router.get("/member")
async def member(caller: Member, tx: Tx) -> str:
    return str(caller.account_id)


@router.get("/patient")
async def patient(caller: Patient, tx: Tx) -> str:
    return str(caller.account_id)


@router.get("/clinician")
async def clinician(caller: Clinician, tx: Tx) -> str:
    return str(caller.hospital_id)


@router.get("/desk")
async def desk(caller: HospitalDesk, tx: Tx) -> str:
    return str(caller.hospital_id)


@router.get("/operator")
async def operator(caller: Operator, tx: Tx) -> str:
    return str(caller.account_id)


@router.get("/auditor")
async def auditor(caller: Auditor, tx: Tx) -> str:
    return str(caller.account_id)


@router.get("/styles/caller-first")
async def caller_first(caller: Member, tx: Tx) -> str:
    ran.append("caller-first")
    return str(caller.account_id)


@router.get("/styles/transaction-first")
async def transaction_first(tx: Tx, caller: Member) -> str:
    ran.append("transaction-first")
    return str(caller.account_id)


@router.get("/styles/guard-first")
async def guard_first(it: Annotated[AsyncSession, Depends(_guard_without_caller)], caller: Member) -> str:
    ran.append("guard-first")
    return str(caller.account_id)


@router.get("/styles/begin")
async def begins(caller: Member, begin: Transactions) -> str:
    assert_no_transaction()  # a provider may be called
    attempt = current_attempt.get()
    assert attempt is not None
    assert not attempt.committed  # and the whole request may still be run again
    ran.append("begin")
    return str(caller.account_id)


@router.get("/styles/neither")
async def neither(caller: Member) -> str:
    ran.append("neither")
    return str(caller.account_id)


@router.post("/once")
async def once(caller: Member, tx: Tx, claim: Offered) -> str:
    ran.append("once")
    return str(len(ran))


@pytest.fixture
async def client(context: Context, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(router)
    app.add_middleware(WholeRequestRetry)
    app.state.tokens, app.state.database, app.state.settings = context.tokens, context.database, context.settings
    ran.clear()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as made:
        yield made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("mode", list(Mode))
async def test_every_mode_at_every_guard(
    client: httpx.AsyncClient, database: Database, context: Context, mode: Mode
) -> None:
    held = await sign_in(database, context.tokens, mode=mode)
    for guarded in Mode:
        answer = await client.get(f"/{guarded.value}", headers=bearer(held.access_token))
        assert answer.status_code == (200 if guarded is mode else 403)
        if guarded is not mode:
            assert answer.json()["code"] == "not-allowed"
    for public in ("anyone", "member"):
        assert (await client.get(f"/{public}", headers=bearer(held.access_token))).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "},
        {"Authorization": "Bearer x"}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer é".encode("latin-1")},
    ],
)  # fmt: skip
async def test_without_a_token(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for mode in [*Mode, "member"]:
        answer = await client.get(f"/{mode}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await client.get("/anyone", headers=headers)).status_code == 200


STYLES = ["caller-first", "transaction-first", "guard-first", "begin", "neither"]


@pytest.mark.parametrize("style", STYLES)
async def test_signing_out_acts_on_the_next_request_of_every_style(
    client: httpx.AsyncClient, database: Database, context: Context, style: str
) -> None:
    held = await sign_in(database, context.tokens)
    url, headers = f"/styles/{style}", bearer(held.access_token)
    assert (await client.get(url, headers=headers)).json() == str(held.account_id)
    async with database.begin() as tx:
        await service.delete_sessions(tx, held.account_id, now=clock.now())
    assert (await client.get(url, headers=headers)).status_code == 401
    assert ran == [style]  # nothing ran the second time


@pytest.mark.parametrize("style", STYLES)
async def test_a_token_that_says_more_than_its_session(
    client: httpx.AsyncClient, database: Database, context: Context, style: str
) -> None:
    """Signed by us, yet of another mode, tenant or account than the row: left over from before a switch."""
    held = await sign_in(database, context.tokens)
    truth = Claims(held.account_id, held.session_id, Mode.PATIENT, None)
    lies = [
        Claims(AccountId.new(), held.session_id, Mode.PATIENT, None),
        Claims(held.account_id, held.session_id, Mode.OPERATOR, None),
        Claims(held.account_id, held.session_id, Mode.PATIENT, HospitalId.new()),
        Claims(held.account_id, type(held.session_id).new(), Mode.PATIENT, None),
    ]
    for claims, status in [(truth, 200), *((each, 401) for each in lies)]:
        token = context.tokens.issue(claims, now=clock.now())
        assert (await client.get(f"/styles/{style}", headers=bearer(token))).status_code == status
    assert len(ran) == 1


async def test_an_answer_that_was_kept_is_not_given_to_who_is_signed_out(
    client: httpx.AsyncClient, database: Database, context: Context
) -> None:
    held: SignedIn = await sign_in(database, context.tokens)
    headers = bearer(held.access_token) | {"Idempotency-Key": "k"}
    first, again = [await client.post("/once", headers=headers) for _ in range(2)]
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    async with database.begin() as tx:
        await service.delete_sessions(tx, held.account_id, now=clock.now())
    assert (await client.post("/once", headers=headers)).status_code == 401


def test_every_caller_says_what_it_is() -> None:
    marked = {
        name: getattr(guards, name).__metadata__[0].dependency.caller_kinds
        for name in ("Anyone", "Member", "Patient", "Clinician", "HospitalDesk", "Operator", "Auditor")
    }
    assert marked == {
        "Anyone": ("anyone",), "Member": ("member",), "Patient": ("patient",), "Clinician": ("clinician",),
        "HospitalDesk": ("desk",), "Operator": ("operator",), "Auditor": ("auditor",),
    }  # fmt: skip
