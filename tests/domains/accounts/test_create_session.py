"""Signing in with a code: once, in time, five tries, whoever guesses in parallel."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.sandbox_server import SandboxServer
from tests.scenes.accounts import make_account, new_phone, read_code
from yiyuebao_api.domains.accounts.models import Account, RefreshToken, Session, SmsCode
from yiyuebao_api.domains.accounts.queries import find_account_by_phone, phone_of
from yiyuebao_api.domains.accounts.rules import AccountStatus
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId

URL = "/v1/accounts/sessions"


async def ask_code(api: Api, sandbox: SandboxServer, phone: str) -> str:
    assert (await api.post("/v1/accounts/sms-codes", json={"phone": phone})).status_code == 202
    return await read_code(sandbox.base_url, phone)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def count(database: Database, kind: type) -> int:
    async with database.begin() as tx:
        return (await tx.scalars(select(func.count()).select_from(kind))).one()


async def test_the_first_sign_in_makes_the_account(api: Api, database: Database, sandbox: SandboxServer) -> None:
    phone = new_phone()
    code = await ask_code(api, sandbox, phone)
    answer = await api.post(URL, json={"phone": phone, "code": code, "device": "HUAWEI Mate 70"})
    assert answer.status_code == 201
    body = answer.json()
    told = {name: body[name] for name in ("mode", "hospital_id", "token_type", "expires_in")}
    assert told == {"mode": "patient", "hospital_id": None, "token_type": "Bearer", "expires_in": 900}
    me = (await api.signed_in(body["access_token"]).get("/v1/accounts/me")).json()
    assert (me["account_id"], me["phone"], me["roles"]) == (body["account_id"], "+86" + phone, [])
    async with database.begin() as tx:
        assert await phone_of(tx, AccountId.parse(body["account_id"])) == "+86" + phone
        stored = (await tx.scalars(select(RefreshToken))).one()
    assert body["refresh_token"].encode() not in stored.hash


async def test_the_second_sign_in_finds_it(api: Api, database: Database, sandbox: SandboxServer) -> None:
    phone = new_phone()
    account = await make_account(database, phone)
    code = await ask_code(api, sandbox, phone)
    body = (await api.post(URL, json={"phone": "+86" + phone, "code": code, "device": "x"})).json()
    assert body["account_id"] == str(account.id)
    assert await count(database, Account) == 1


async def test_a_code_works_once(api: Api, database: Database, sandbox: SandboxServer) -> None:
    phone = new_phone()
    given = {"phone": phone, "code": await ask_code(api, sandbox, phone), "device": "x"}
    assert (await api.post(URL, json=given)).status_code == 201
    refused(await api.post(URL, json=given), 401, "code-invalid")
    assert await count(database, Session) == 1


async def test_a_code_works_once_in_parallel(api: Api, database: Database, sandbox: SandboxServer) -> None:
    phone = new_phone()
    given = {"phone": phone, "code": await ask_code(api, sandbox, phone), "device": "x"}
    answers = await asyncio.gather(*(api.post(URL, json=given) for _ in range(20)))
    assert sorted(each.status_code for each in answers) == [201] + [401] * 19
    assert (await count(database, Session), await count(database, Account)) == (1, 1)


async def test_fifty_parallel_guesses_are_five(api: Api, database: Database, sandbox: SandboxServer) -> None:
    phone = new_phone()
    code = await ask_code(api, sandbox, phone)
    guesses = [f"{(int(code) + step) % 1_000_000:06d}" for step in range(1, 51)]
    answers = await asyncio.gather(
        *(api.post(URL, json={"phone": phone, "code": guess, "device": "x"}) for guess in guesses)
    )
    bodies = [refused(each, 401, "code-invalid") for each in answers]
    assert len({(each["title"], each["detail"]) for each in bodies}) == 1
    async with database.begin() as tx:
        assert (await tx.scalars(select(SmsCode.tries))).one() == 5
    refused(await api.post(URL, json={"phone": phone, "code": code, "device": "x"}), 401, "code-invalid")
    assert (await count(database, Session), await count(database, Account)) == (0, 0)


async def test_four_wrong_guesses_leave_one(api: Api, sandbox: SandboxServer) -> None:
    phone = new_phone()
    code = await ask_code(api, sandbox, phone)
    for _ in range(4):
        refused(await api.post(URL, json={"phone": phone, "code": wrong(code), "device": "x"}), 401, "code-invalid")
    assert (await api.post(URL, json={"phone": phone, "code": code, "device": "x"})).status_code == 201


async def test_a_code_lives_five_minutes(api: Api, database: Database, sandbox: SandboxServer) -> None:
    phone = new_phone()
    code = await ask_code(api, sandbox, phone)
    clock.move(timedelta(minutes=5, seconds=1))
    refused(await api.post(URL, json={"phone": phone, "code": code, "device": "x"}), 401, "code-invalid")
    assert await count(database, Session) == 0


async def test_a_newer_code_ends_the_older(api: Api, sandbox: SandboxServer) -> None:
    phone = new_phone()
    first = await ask_code(api, sandbox, phone)
    clock.move(timedelta(seconds=61))
    second = await ask_code(api, sandbox, phone)
    if first != second:
        refused(await api.post(URL, json={"phone": phone, "code": first, "device": "x"}), 401, "code-invalid")
    assert (await api.post(URL, json={"phone": phone, "code": second, "device": "x"})).status_code == 201


async def test_a_code_is_good_for_its_own_phone_only(api: Api, database: Database, sandbox: SandboxServer) -> None:
    mine, other = new_phone(), new_phone()
    code, _ = await ask_code(api, sandbox, mine), await ask_code(api, sandbox, other)
    if code != await read_code(sandbox.base_url, other):
        refused(await api.post(URL, json={"phone": other, "code": code, "device": "x"}), 401, "code-invalid")
    refused(await api.post(URL, json={"phone": new_phone(), "code": code, "device": "x"}), 401, "code-invalid")
    assert await count(database, Account) == 0


@pytest.mark.parametrize("status", [AccountStatus.SUSPENDED, AccountStatus.CLOSED])
async def test_an_account_that_is_not_active_stays_out(
    api: Api, database: Database, sandbox: SandboxServer, status: AccountStatus
) -> None:
    phone = new_phone()
    await make_account(database, phone)
    async with database.begin() as tx:
        account = await find_account_by_phone(tx, "+86" + phone)
        assert account is not None
        account.status = status
    code = await ask_code(api, sandbox, phone)
    answer = await api.post(URL, json={"phone": phone, "code": code, "device": "x"})
    refused(answer, 403, "account-not-active")
    assert await count(database, Session) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"code": "12345"}, {"code": "1234567"}, {"code": 123456}, {"code": "12345a"}, {"code": "１２３４５６"},
        {"device": ""}, {"device": "x" * 61}, {"device": "a\x00b"}, {"mode": "operator"}, {"hospital_id": None},
        {"phone": None},
    ],
)  # fmt: skip
async def test_shapes_that_are_refused(api: Api, change: dict[str, object]) -> None:
    given = {"phone": "13800138000", "code": "123456", "device": "x"} | change
    refused(await api.post(URL, json=given), 422, "invalid-input")


async def test_english_is_answered_to_who_asks(api: Api) -> None:
    given = {"phone": new_phone(), "code": "123456", "device": "x"}
    answer = await api.post(URL, json=given, headers={"Accept-Language": "en"})
    assert refused(answer, 401, "code-invalid")["title"] == "Wrong code"
