"""Accounts, staff and roles as other domains make them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.accounts import make_account, make_staff, new_phone, sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts import service
from yiyuebao_api.domains.accounts.models import Account, RefreshToken, Role, Session, SmsCode
from yiyuebao_api.domains.accounts.problems import DutiesNotSeparate, LoginTaken
from yiyuebao_api.domains.accounts.queries import list_roles, openid_of, phone_of
from yiyuebao_api.domains.accounts.rules import CodePurpose
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import HospitalId, RowId
from yiyuebao_api.kernel.tokens import Mode


async def count(database: Database, kind: type) -> int:
    async with database.begin() as tx:
        return (await tx.scalars(select(func.count()).select_from(kind))).one()


async def test_ensure_account_is_one_account_however_many_ask(database: Database) -> None:
    phone = new_phone()
    found = await asyncio.gather(*(make_account(database, phone) for _ in range(12)))
    assert len({each.id for each in found}) == 1
    assert await count(database, Account) == 1


async def test_granting_twice_is_granting_once(database: Database) -> None:
    account, hospital = await make_account(database), HospitalId.new()

    async def grant() -> None:
        async with database.begin() as tx:
            await service.grant_role(tx, account.id, Mode.CLINICIAN, hospital_id=hospital, now=clock.now())

    await asyncio.gather(*(grant() for _ in range(8)))
    assert await count(database, Role) == 1


async def test_revoking_ends_the_sessions_of_that_role_alone(
    api: Api, database: Database, context: Context
) -> None:
    one, two = HospitalId.new(), HospitalId.new()
    here = await sign_in(database, context.tokens, mode=Mode.CLINICIAN, hospital_id=one)
    there = await sign_in(database, context.tokens, here.account_id, mode=Mode.CLINICIAN, hospital_id=two)
    at_home = await sign_in(database, context.tokens, here.account_id)
    async with database.begin() as tx:
        await service.revoke_role(tx, here.account_id, Mode.CLINICIAN, hospital_id=one, now=clock.now())
    refused(await api.signed_in(here.access_token).get("/v1/accounts/me"), 401, "unauthenticated")
    for held in (there, at_home):
        assert (await api.signed_in(held.access_token).get("/v1/accounts/me")).status_code == 200
    async with database.begin() as tx:
        assert [role.hospital_id for role in await list_roles(tx, here.account_id)] == [two]
        await service.revoke_role(tx, here.account_id, Mode.OPERATOR, hospital_id=None, now=clock.now())  # not held
        await service.grant_role(tx, here.account_id, Mode.CLINICIAN, hospital_id=one, now=clock.now())
        assert len(await list_roles(tx, here.account_id, Mode.CLINICIAN)) == 2
    assert await count(database, Role) == 2


async def test_a_login_belongs_to_one(database: Database) -> None:
    await make_staff(database, "Desk")
    with pytest.raises(LoginTaken):
        await make_staff(database, " desk ")
    assert await count(database, Account) == 1


async def test_what_others_ask(database: Database) -> None:
    phone = new_phone()
    person, staff = await make_account(database, phone), await make_staff(database, "desk")
    async with database.begin() as tx:
        assert (await phone_of(tx, person.id), await phone_of(tx, staff.id)) == ("+86" + phone, None)
        assert await openid_of(tx, person.id, "wx0000000000000001") is None


async def test_purge_forgets_what_is_over(database: Database, context: Context) -> None:
    old = await sign_in(database, context.tokens)
    now = clock.now()
    async with database.begin() as tx:
        tx.add(SmsCode(
            id=RowId.new(), phone_index=b"p" * 32, purpose=CodePurpose.LOGIN, code_hash=b"c" * 32,
            address_index=b"a" * 32, tries=0, created_at=now, expires_at=now, used_at=None,
        ))  # fmt: skip
        assert await service.purge(tx, now=now, at_most=9) == 0
    assert (await count(database, Session), await count(database, SmsCode)) == (1, 1)
    async with database.begin() as tx:
        assert await service.purge(tx, now=now + timedelta(days=61), at_most=9) == 9
        assert await service.purge(tx, now=now + timedelta(days=61), at_most=9) == 0
    counted = [await count(database, kind) for kind in (Session, RefreshToken, SmsCode, Account)]
    assert counted == [0, 0, 0, 1]
    assert old.account_id


@pytest.mark.parametrize(("first", "second"), [(Mode.OPERATOR, Mode.AUDITOR), (Mode.AUDITOR, Mode.OPERATOR)])
async def test_who_decides_is_not_who_checks(database: Database, first: Mode, second: Mode) -> None:
    """An operator who could also read the audit as its auditor would be the judge of their own decisions."""
    account = await make_account(database)
    async with database.begin() as tx:
        await service.grant_role(tx, account.id, first, hospital_id=None, now=clock.now())
    with pytest.raises(DutiesNotSeparate):
        async with database.begin() as tx:
            await service.grant_role(tx, account.id, second, hospital_id=None, now=clock.now())
    async with database.begin() as tx:
        await service.revoke_role(tx, account.id, first, hospital_id=None, now=clock.now())
        await service.grant_role(tx, account.id, second, hospital_id=None, now=clock.now())
