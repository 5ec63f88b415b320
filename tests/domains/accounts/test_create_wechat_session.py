"""Signing in from the mini-program: the openid comes from WeChat alone and belongs to one account."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.sandbox_server import SandboxServer
from tests.scenes.accounts import make_account, new_phone, plan_fault
from yiyuebao_api.domains.accounts.models import Account, Session, WeChatIdentity
from yiyuebao_api.domains.accounts.queries import find_account_by_phone, openid_of
from yiyuebao_api.domains.accounts.rules import AccountStatus
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.settings import Settings

URL = "/v1/accounts/sessions/wechat"


class Phone:
    """A phone with WeChat on it, as the sandbox plays it."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.openid = ""

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=f"{self.base_url}/_sandbox/mini-program", trust_env=False) as client:
            answer = await client.post(path, json=body)
        answer.raise_for_status()
        decoded: dict[str, Any] = answer.json()
        return decoded

    async def login_code(self) -> str:
        issued = await self._post("/codes", {"openid": self.openid} if self.openid else {})
        self.openid = issued["openid"]
        return str(issued["code"])

    async def phone_code(self, number: str) -> str:
        return str((await self._post("/phone-codes", {"phone": number, "openid": self.openid}))["code"])

    async def body(self, number: str | None = None) -> dict[str, Any]:
        login = await self.login_code()
        given = {"login_code": login, "device": "微信小程序"}
        return given | ({"phone_code": await self.phone_code(number)} if number else {})


@pytest.fixture
def wechat(sandbox: SandboxServer) -> Phone:
    return Phone(sandbox.base_url)


async def count(database: Database, kind: type) -> int:
    async with database.begin() as tx:
        return (await tx.scalars(select(func.count()).select_from(kind))).one()


async def test_the_first_time_binds_the_openid_to_the_phone(
    api: Api, database: Database, wechat: Phone, settings: Settings
) -> None:
    number = new_phone()
    answer = await api.post(URL, json=await wechat.body(number))
    assert answer.status_code == 201
    async with database.begin() as tx:
        account = await find_account_by_phone(tx, "+86" + number)
        assert account is not None
        assert str(account.id) == answer.json()["account_id"]
        assert await openid_of(tx, account.id, settings.mini_program.appid) == wechat.openid
        assert await openid_of(tx, account.id, "wx-another-app") is None
    assert (await api.signed_in(answer.json()["access_token"]).get("/v1/accounts/me")).json()["wechat_bound"] is True


async def test_later_the_login_code_is_enough(api: Api, database: Database, wechat: Phone) -> None:
    first = (await api.post(URL, json=await wechat.body(new_phone()))).json()
    second = (await api.post(URL, json=await wechat.body())).json()
    assert first["account_id"] == second["account_id"]
    assert (await count(database, Account), await count(database, WeChatIdentity)) == (1, 1)


async def test_the_account_of_the_phone_is_the_one_sms_made(api: Api, database: Database, wechat: Phone) -> None:
    number = new_phone()
    account = await make_account(database, number)
    assert (await api.post(URL, json=await wechat.body(number))).json()["account_id"] == str(account.id)


async def test_an_unknown_user_is_asked_for_the_phone(api: Api, database: Database, wechat: Phone) -> None:
    refused(await api.post(URL, json=await wechat.body()), 409, "phone-needed")
    assert await count(database, Session) == 0


async def test_a_bound_openid_cannot_be_taken_to_another_phone(api: Api, database: Database, wechat: Phone) -> None:
    await api.post(URL, json=await wechat.body(new_phone()))
    refused(await api.post(URL, json=await wechat.body(new_phone())), 409, "wechat-bound-elsewhere")
    # neither the second account nor a second identity was left behind
    counted = [await count(database, kind) for kind in (Account, WeChatIdentity, Session)]
    assert counted == [1, 1, 1]


async def test_a_second_openid_cannot_take_a_phone_over(
    api: Api, database: Database, wechat: Phone, sandbox: SandboxServer
) -> None:
    number = new_phone()
    await api.post(URL, json=await wechat.body(number))
    thief = Phone(sandbox.base_url)
    refused(await api.post(URL, json=await thief.body(number)), 409, "another-wechat-bound")
    assert await count(database, Session) == 1


async def test_two_first_times_at_once_are_one_account(api: Api, database: Database, wechat: Phone) -> None:
    number = new_phone()
    bodies = [await wechat.body(number) for _ in range(8)]
    answers = await asyncio.gather(*(api.post(URL, json=body) for body in bodies))
    assert [each.status_code for each in answers] == [201] * 8
    assert len({each.json()["account_id"] for each in answers}) == 1
    assert (await count(database, Account), await count(database, WeChatIdentity)) == (1, 1)


async def test_of_two_openids_that_want_one_phone_one_gets_it(
    api: Api, database: Database, sandbox: SandboxServer
) -> None:
    number = new_phone()
    bodies = [await Phone(sandbox.base_url).body(number) for _ in range(6)]
    answers = await asyncio.gather(*(api.post(URL, json=body) for body in bodies))
    assert sorted(each.status_code for each in answers) == [201] + [409] * 5
    assert (await count(database, Account), await count(database, WeChatIdentity)) == (1, 1)


async def test_codes_work_once_and_only_for_their_user(api: Api, wechat: Phone, sandbox: SandboxServer) -> None:
    body = await wechat.body(new_phone())
    assert (await api.post(URL, json=body)).status_code == 201
    refused(await api.post(URL, json=body), 401, "wechat-code-invalid")
    refused(await api.post(URL, json={"login_code": "made-up", "device": "x"}), 401, "wechat-code-invalid")
    other = Phone(sandbox.base_url)
    await other.login_code()
    stolen = (await wechat.body()) | {"phone_code": await other.phone_code(new_phone())}
    refused(await api.post(URL, json=stolen), 401, "wechat-code-invalid")


async def test_an_openid_in_the_body_is_an_unknown_field(api: Api) -> None:
    body = {"login_code": "x", "openid": "oABC", "device": "x"}
    refused(await api.post(URL, json=body), 422, "invalid-input")


async def test_a_number_from_abroad(api: Api, database: Database, wechat: Phone) -> None:
    refused(await api.post(URL, json=await wechat.body("+85291234567")), 422, "phone-not-supported")
    assert await count(database, Account) == 0


async def test_a_suspended_account_stays_out(api: Api, database: Database, wechat: Phone) -> None:
    number = new_phone()
    await make_account(database, number)
    async with database.begin() as tx:
        account = await find_account_by_phone(tx, "+86" + number)
        assert account is not None
        account.status = AccountStatus.SUSPENDED
    refused(await api.post(URL, json=await wechat.body(number)), 403, "account-not-active")
    assert await count(database, WeChatIdentity) == 0


@pytest.mark.parametrize(
    ("errcode", "status", "code"),
    [
        ("40226", 403, "wechat-blocked"), ("45011", 429, "too-many-requests"), ("40125", 503, "provider-unavailable"),
        ("-1", 503, "provider-unavailable"),
    ],
)  # fmt: skip
async def test_what_wechat_refuses(
    api: Api, wechat: Phone, sandbox: SandboxServer, errcode: str, status: int, code: str
) -> None:
    body = await wechat.body()
    await plan_fault(sandbox.base_url, "mini-program", kind="code", code=errcode)
    refused(await api.post(URL, json=body), status, code)
