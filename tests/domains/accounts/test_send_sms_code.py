"""Sending SMS codes: who gets one, how often, and that nothing is learnt from the answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.sandbox_server import SandboxServer
from tests.scenes.accounts import make_account, new_phone, plan_fault, read_code
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts import service
from yiyuebao_api.domains.accounts.models import SmsCode
from yiyuebao_api.domains.accounts.problems import SmsCodeLimit
from yiyuebao_api.domains.accounts.rules import CodePurpose
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database

URL = "/v1/accounts/sms-codes"


async def count_codes(database: Database) -> int:
    async with database.begin() as tx:
        return (await tx.scalars(select(func.count()).select_from(SmsCode))).one()


async def test_a_code_reaches_the_phone_and_only_its_hash_the_database(
    api: Api, database: Database, sandbox: SandboxServer
) -> None:
    phone = new_phone()
    answer = await api.post(URL, json={"phone": phone})
    assert (answer.status_code, answer.json()) == (202, {"expires_in": 300, "next_in": 60})
    code = await read_code(sandbox.base_url, phone)
    assert len(code) == 6
    assert code.isdecimal()
    async with database.begin() as tx:
        row = (await tx.scalars(select(SmsCode))).one()
    assert code.encode() not in row.code_hash
    assert phone.encode() not in row.phone_index


async def test_known_and_unknown_numbers_get_the_same_answer(api: Api, database: Database) -> None:
    known, unknown = new_phone(), new_phone()
    await make_account(database, known)
    answers = [await api.post(URL, json={"phone": phone}) for phone in (known, unknown)]
    assert answers[0].json() == answers[1].json()
    again = [await api.post(URL, json={"phone": phone}) for phone in (known, unknown)]
    assert [each.json()["code"] for each in again] == ["sms-code-limit"] * 2


async def test_the_next_code_waits_a_minute(api: Api, database: Database) -> None:
    phone = new_phone()
    assert (await api.post(URL, json={"phone": phone})).status_code == 202
    body = refused(again := await api.post(URL, json={"phone": "+86" + phone}), 429, "sms-code-limit")
    assert 50 <= body["wait_s"] <= 60
    assert again.headers["retry-after"] == str(body["wait_s"])
    assert await count_codes(database) == 1
    clock.move(timedelta(seconds=61))
    assert (await api.post(URL, json={"phone": phone})).status_code == 202


async def test_parallel_requests_for_one_phone_send_one_code(api: Api, database: Database) -> None:
    phone = new_phone()
    answers = await asyncio.gather(*(api.post(URL, json={"phone": phone}) for _ in range(12)))
    assert sorted(each.status_code for each in answers) == [202] + [429] * 11
    assert await count_codes(database) == 1


async def test_ten_a_day_for_one_phone(api: Api, database: Database) -> None:
    phone = new_phone()
    clock.move(clock.today(clock.now()) + timedelta(days=1, minutes=1) - clock.now())  # a fresh day and hour
    for _ in range(10):
        assert (await api.post(URL, json={"phone": phone})).status_code == 202
        clock.move(timedelta(seconds=61))
    body = refused(await api.post(URL, json={"phone": phone}), 429, "sms-code-limit")
    assert body["wait_s"] > 23 * 3600
    assert await count_codes(database) == 10
    clock.move(timedelta(days=1))
    assert (await api.post(URL, json={"phone": phone})).status_code == 202


async def test_twenty_an_hour_from_one_address(api: Api, database: Database) -> None:
    clock.move(clock.today(clock.now()) + timedelta(days=1, minutes=1) - clock.now())
    for _ in range(20):
        assert (await api.post(URL, json={"phone": new_phone()})).status_code == 202
    # A header is believed only of our own proxies, and there are none.
    spoofed = {"X-Forwarded-For": "203.0.113.9"}
    body = refused(await api.post(URL, json={"phone": new_phone()}, headers=spoofed), 429, "sms-code-limit")
    assert 3000 < body["wait_s"] <= 3600
    assert await count_codes(database) == 20
    clock.move(timedelta(hours=1))
    assert (await api.post(URL, json={"phone": new_phone()})).status_code == 202


async def test_the_daily_budget_of_everybody(context: Context, database: Database) -> None:
    async def ask(address: bytes) -> None:
        await service.send_sms_code(
            database.begin, context.gateways.sms, "+86" + new_phone(), purpose=CodePurpose.LOGIN, address=address,
            template="SMS_LOGIN", daily_budget=2, now=clock.now(),
        )  # fmt: skip

    await ask(b"a")
    await ask(b"b")
    with pytest.raises(SmsCodeLimit):
        await ask(b"c")
    assert await count_codes(database) == 2


@pytest.mark.parametrize(
    "body",
    [
        {}, {"phone": "1380013800"}, {"phone": "12800138000"}, {"phone": "+85291234567"}, {"phone": 13800138000},
        {"phone": "13800138000", "purpose": "pay"}, {"phone": "13800138000", "openid": "o"}, {"phone": "\ud83d"}, [],
        {"phone": "１３８００１３８０００"}, {"phone": "13800138000\n"}, {"phone": "13800138000' OR 1=1"},
    ],
)  # fmt: skip
async def test_what_is_no_phone_is_refused(api: Api, database: Database, body: object) -> None:
    import json

    content = json.dumps(body).encode()
    answer = await api.post(URL, content=content, headers={"Content-Type": "application/json"})
    if answer.status_code == 202:  # surrounding blanks are stripped
        assert isinstance(body, dict)
        assert body["phone"].strip() == "13800138000"
        return
    refused(answer, 422, "invalid-input")
    assert await count_codes(database) == 0


async def test_an_outage_of_the_provider_is_a_503_and_the_code_counts(
    api: Api, database: Database, sandbox: SandboxServer
) -> None:
    phone = new_phone()
    await plan_fault(sandbox.base_url, "sms", kind="status", status=503)
    answer = await api.post(URL, json={"phone": phone})
    refused(answer, 503, "provider-unavailable")
    assert answer.headers["retry-after"] == "60"
    refused(await api.post(URL, json={"phone": phone}), 429, "sms-code-limit")
    assert await count_codes(database) == 1  # it may have left


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ("isv.MOBILE_NUMBER_ILLEGAL", 422, "phone-unreachable"),
        ("isv.BUSINESS_LIMIT_CONTROL", 429, "sms-code-limit"),
        ("isv.SMS_SIGNATURE_ILLEGAL", 503, "provider-unavailable"),
    ],
)
async def test_what_the_provider_refuses(api: Api, sandbox: SandboxServer, said: str, status: int, code: str) -> None:
    await plan_fault(sandbox.base_url, "sms", kind="code", code=said)
    refused(await api.post(URL, json={"phone": new_phone()}), status, code)


async def test_a_refusal_sends_nothing(api: Api, sandbox: SandboxServer) -> None:
    phone = new_phone()
    await api.post(URL, json={"phone": phone})
    await api.post(URL, json={"phone": phone})
    async with httpx.AsyncClient(base_url=sandbox.base_url, trust_env=False) as client:
        assert len((await client.get("/_sandbox/sms", params={"phone": phone})).json()) == 1
