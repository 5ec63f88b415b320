"""Refresh tokens: each works once, and the second use ends the whole session, whatever is answered."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts.models import RefreshToken, Session
from yiyuebao_api.domains.accounts.rules import EndReason
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.tokens import Mode

URL = "/v1/accounts/tokens/refresh"


async def session(database: Database) -> Session:
    async with database.begin() as tx:
        return (await tx.scalars(select(Session))).one()


async def test_a_new_pair_for_an_old_one(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens)
    clock.move(timedelta(minutes=20))
    refused(await api.signed_in(held.access_token).get("/v1/accounts/me"), 401, "unauthenticated")  # expired
    body = (await api.post(URL, json={"refresh_token": held.refresh_token})).json()
    assert (body["session_id"], body["mode"]) == (str(held.session_id), "patient")
    assert body["refresh_token"] != held.refresh_token
    assert (await api.signed_in(body["access_token"]).get("/v1/accounts/me")).status_code == 200
    assert (await api.post(URL, json={"refresh_token": body["refresh_token"]})).status_code == 200


async def test_a_second_use_ends_the_session_and_stays_ended(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens)
    fresh = (await api.post(URL, json={"refresh_token": held.refresh_token})).json()
    refused(await api.post(URL, json={"refresh_token": held.refresh_token}), 401, "refresh-token-invalid")
    ended = await session(database)
    assert ended.revoked_at is not None
    assert ended.end_reason is EndReason.TOKEN_REUSED
    refused(await api.post(URL, json={"refresh_token": fresh["refresh_token"]}), 401, "refresh-token-invalid")
    refused(await api.signed_in(fresh["access_token"]).get("/v1/accounts/me"), 401, "unauthenticated")


async def test_a_double_tap_has_no_grace(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens)
    answers = await asyncio.gather(*(api.post(URL, json={"refresh_token": held.refresh_token}) for _ in range(10)))
    assert sorted(each.status_code for each in answers) == [200] + [401] * 9
    assert (await session(database)).end_reason is EndReason.TOKEN_REUSED
    async with database.begin() as tx:
        assert len((await tx.scalars(select(RefreshToken))).all()) == 2


async def test_reuse_in_one_session_leaves_the_others(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens)
    other = await sign_in(database, context.tokens, held.account_id)
    await api.post(URL, json={"refresh_token": held.refresh_token})
    await api.post(URL, json={"refresh_token": held.refresh_token})
    assert (await api.post(URL, json={"refresh_token": other.refresh_token})).status_code == 200


async def test_an_unknown_token(api: Api) -> None:
    for token in ("x", "A" * 43, "' OR 1=1 --", "é" * 43):
        refused(await api.post(URL, json={"refresh_token": token}), 401, "refresh-token-invalid")
    for body in ({}, {"refresh_token": ""}, {"refresh_token": "x" * 201}, {"refresh_token": None}):
        refused(await api.post(URL, json=body), 422, "invalid-input")


async def test_an_app_stays_signed_in_as_long_as_it_is_used(api: Api, database: Database, context: Context) -> None:
    token = (await sign_in(database, context.tokens)).refresh_token
    for _ in range(3):
        clock.move(timedelta(days=29))
        token = (await api.post(URL, json={"refresh_token": token})).json()["refresh_token"]
    clock.move(timedelta(days=30, seconds=1))
    refused(await api.post(URL, json={"refresh_token": token}), 401, "refresh-token-invalid")


async def test_staff_are_signed_out_after_thirty_idle_minutes(api: Api, database: Database, context: Context) -> None:
    token = (await sign_in(database, context.tokens, mode=Mode.DESK)).refresh_token
    clock.move(timedelta(minutes=29))
    token = (await api.post(URL, json={"refresh_token": token})).json()["refresh_token"]
    clock.move(timedelta(minutes=31))
    refused(await api.post(URL, json={"refresh_token": token}), 401, "refresh-token-invalid")


async def test_requests_keep_staff_signed_in(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens, mode=Mode.OPERATOR)
    clock.move(timedelta(minutes=14))
    assert (await api.signed_in(held.access_token).get("/v1/accounts/me")).status_code == 200
    clock.move(timedelta(minutes=20))  # 34 after signing in, 20 after the last request
    assert (await api.post(URL, json={"refresh_token": held.refresh_token})).status_code == 200


async def test_staff_type_their_password_every_twelve_hours(api: Api, database: Database, context: Context) -> None:
    token = (await sign_in(database, context.tokens, mode=Mode.AUDITOR)).refresh_token
    for _ in range(28):
        clock.move(timedelta(minutes=25))
        token = (await api.post(URL, json={"refresh_token": token})).json()["refresh_token"]
    clock.move(timedelta(minutes=25))
    refused(await api.post(URL, json={"refresh_token": token}), 401, "refresh-token-invalid")
