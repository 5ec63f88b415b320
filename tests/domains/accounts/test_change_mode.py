"""One account, several modes: a token carries one of them, and only one that is held (A10)."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.accounts import SignedIn, sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts import service
from yiyuebao_api.domains.accounts.models import RefreshToken
from yiyuebao_api.domains.accounts.rules import SignInMethod
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import HospitalId
from yiyuebao_api.kernel.tokens import Mode

URL = "/v1/accounts/mode"


async def grant(database: Database, held: SignedIn, mode: Mode, hospital: HospitalId | None) -> None:
    async with database.begin() as tx:
        await service.grant_role(tx, held.account_id, mode, hospital_id=hospital, now=clock.now())


async def test_there_and_back(api: Api, database: Database, context: Context) -> None:
    held, hospital = await sign_in(database, context.tokens), HospitalId.new()
    await grant(database, held, Mode.CLINICIAN, hospital)
    body = (await api.signed_in(held.access_token).post(URL, json={"mode": "clinician"})).json()
    assert (body["mode"], body["hospital_id"], body["session_id"]) == ("clinician", str(hospital), str(held.session_id))
    # the pair of the mode before ended at once
    refused(await api.signed_in(held.access_token).get("/v1/accounts/me"), 401, "unauthenticated")
    back = (await api.signed_in(body["access_token"]).post(URL, json={"mode": "patient"})).json()
    assert (back["mode"], back["hospital_id"]) == ("patient", None)
    assert (await api.signed_in(back["access_token"]).get("/v1/patients")).status_code == 200


async def test_the_refresh_token_before_is_a_used_one(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens)
    body = (await api.signed_in(held.access_token).post(URL, json={"mode": "patient"})).json()
    old = {"refresh_token": held.refresh_token}
    refused(await api.post("/v1/accounts/tokens/refresh", json=old), 401, "refresh-token-invalid")
    refused(await api.signed_in(body["access_token"]).get("/v1/accounts/me"), 401, "unauthenticated")


async def test_the_new_mode_is_kept_by_a_refresh(api: Api, database: Database, context: Context) -> None:
    held, hospital = await sign_in(database, context.tokens), HospitalId.new()
    await grant(database, held, Mode.CLINICIAN, hospital)
    body = (await api.signed_in(held.access_token).post(URL, json={"mode": "clinician"})).json()
    fresh = await api.post("/v1/accounts/tokens/refresh", json={"refresh_token": body["refresh_token"]})
    assert (fresh.json()["mode"], fresh.json()["hospital_id"]) == ("clinician", str(hospital))


async def test_several_hospitals_must_be_told_apart(api: Api, database: Database, context: Context) -> None:
    held, one, two = await sign_in(database, context.tokens), HospitalId.new(), HospitalId.new()
    await grant(database, held, Mode.CLINICIAN, one)
    await grant(database, held, Mode.CLINICIAN, two)
    mine = api.signed_in(held.access_token)
    refused(await mine.post(URL, json={"mode": "clinician"}), 409, "hospital-needed")
    body = (await mine.post(URL, json={"mode": "clinician", "hospital_id": str(two)})).json()
    assert body["hospital_id"] == str(two)


@pytest.mark.parametrize("mode", [Mode.CLINICIAN, Mode.DESK, Mode.OPERATOR, Mode.AUDITOR])
async def test_a_role_that_is_not_held(api: Api, database: Database, context: Context, mode: Mode) -> None:
    held = await sign_in(database, context.tokens)
    mine = api.signed_in(held.access_token)
    refused(await mine.post(URL, json={"mode": mode}), 403, "role-not-held")
    refused(await mine.post(URL, json={"mode": mode, "hospital_id": str(HospitalId.new())}), 403, "role-not-held")
    assert (await mine.get("/v1/accounts/me")).json()["mode"] == "patient"  # nothing changed


async def test_a_role_of_another_hospital(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens)
    await grant(database, held, Mode.CLINICIAN, HospitalId.new())
    asked = {"mode": "clinician", "hospital_id": str(HospitalId.new())}
    refused(await api.signed_in(held.access_token).post(URL, json=asked), 403, "role-not-held")
    asked = {"mode": "patient", "hospital_id": str(HospitalId.new())}
    refused(await api.signed_in(held.access_token).post(URL, json=asked), 403, "role-not-held")


@pytest.mark.parametrize("mode", [Mode.DESK, Mode.OPERATOR, Mode.AUDITOR])
async def test_back_ends_need_a_password(api: Api, database: Database, context: Context, mode: Mode) -> None:
    held = await sign_in(database, context.tokens, method=SignInMethod.WECHAT)
    await grant(database, held, mode, HospitalId.new() if mode is Mode.DESK else None)
    refused(await api.signed_in(held.access_token).post(URL, json={"mode": mode}), 403, "password-session-needed")
    staff = await sign_in(database, context.tokens, held.account_id, method=SignInMethod.PASSWORD)
    assert (await api.signed_in(staff.access_token).post(URL, json={"mode": mode})).json()["mode"] == mode


async def test_two_switches_at_once_leave_one_living_pair(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens)
    mine = api.signed_in(held.access_token)
    answers = await asyncio.gather(*(mine.post(URL, json={"mode": "patient"}) for _ in range(4)))
    living = [each.json()["refresh_token"] for each in answers if each.status_code == 200]
    assert len(living) == 4  # the mode stayed the same; but only the last pair can be refreshed
    async with database.begin() as tx:
        unused = select(func.count()).select_from(RefreshToken).where(RefreshToken.used_at.is_(None))
        assert (await tx.scalars(unused)).one() == 1


async def test_wrong_callers_and_shapes(api: Api, database: Database, context: Context) -> None:
    refused(await api.post(URL, json={"mode": "patient"}), 401, "unauthenticated")
    mine = api.signed_in((await sign_in(database, context.tokens)).access_token)
    for body in ({}, {"mode": "god"}, {"mode": "patient", "account_id": "x"}, {"mode": "desk", "hospital_id": "acc_1"}):
        refused(await mine.post(URL, json=body), 422, "invalid-input")


async def test_a_key_gives_the_same_pair_but_never_to_who_is_signed_out(
    api: Api, database: Database, context: Context
) -> None:
    held = await sign_in(database, context.tokens)
    mine = api.signed_in(held.access_token)
    first = await mine.post(URL, key="once", json={"mode": "patient"})
    again = await mine.post(URL, key="once", json={"mode": "patient"})
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    await mine.delete("/v1/accounts/sessions")
    refused(await mine.post(URL, key="once", json={"mode": "patient"}), 401, "unauthenticated")
