"""Signing in at a back end: lockout, second step, and nothing to learn from a refusal."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.accounts import make_staff
from yiyuebao_api.domains.accounts import service
from yiyuebao_api.domains.accounts.models import Session, StaffCredential
from yiyuebao_api.domains.accounts.problems import CredentialsInvalid
from yiyuebao_api.domains.accounts.queries import require_account
from yiyuebao_api.domains.accounts.rules import AccountStatus
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import HospitalId
from yiyuebao_api.kernel.tokens import Mode

URL = "/v1/accounts/sessions/password"


def given(**changes: object) -> dict[str, object]:
    return {"login": "haikou-desk", "password": "correct horse", "device": "Chrome", **changes}


def code_of(secret: str, half_minutes: int = 0) -> str:
    """What the authenticator shows now, or so many half minutes from now."""
    return str(pyotp.TOTP(secret).at(clock.system_now() + timedelta(seconds=30 * half_minutes)))


async def credential(database: Database) -> StaffCredential:
    async with database.begin() as tx:
        return (await tx.scalars(select(StaffCredential))).one()


async def sessions(database: Database) -> int:
    async with database.begin() as tx:
        return len((await tx.scalars(select(Session.id))).all())


async def test_a_desk_signs_in_for_its_hospital(api: Api, database: Database) -> None:
    hospital = HospitalId.new()
    await make_staff(database, "Haikou-Desk", hospital_id=hospital)
    body = (await api.post(URL, json=given(login="HAIKOU-desk"))).json()
    assert (body["mode"], body["hospital_id"]) == ("desk", str(hospital))
    me = (await api.signed_in(body["access_token"]).get("/v1/accounts/me")).json()
    assert me["phone"] is None
    assert me["roles"] == [{"mode": "desk", "hospital_id": str(hospital)}]
    assert (await credential(database)).failed == 0


@pytest.mark.parametrize("mode", [Mode.OPERATOR, Mode.AUDITOR])
async def test_platform_staff_have_no_tenant(api: Api, database: Database, mode: Mode) -> None:
    await make_staff(database, "haikou-desk", mode=mode)
    body = (await api.post(URL, json=given())).json()
    assert (body["mode"], body["hospital_id"]) == (mode.value, None)


async def test_blanks_belong_to_a_password(api: Api, database: Database) -> None:
    await make_staff(database, "haikou-desk", password=" correct horse ")
    refused(await api.post(URL, json=given()), 401, "credentials-invalid")
    assert (await api.post(URL, json=given(password=" correct horse "))).status_code == 201


async def test_wrong_and_unknown_get_the_same_answer(api: Api, database: Database) -> None:
    await make_staff(database, "haikou-desk")
    wrong = refused(await api.post(URL, json=given(password="x")), 401, "credentials-invalid")
    unknown = refused(await api.post(URL, json=given(login="nobody")), 401, "credentials-invalid")
    assert wrong | {"request_id": ""} == unknown | {"request_id": ""}
    assert await sessions(database) == 0


async def test_five_failures_lock_for_fifteen_minutes(api: Api, database: Database) -> None:
    await make_staff(database, "haikou-desk")
    for _ in range(5):
        refused(await api.post(URL, json=given(password="x")), 401, "credentials-invalid")
    refused(await api.post(URL, json=given()), 401, "credentials-invalid")  # the right one, too late
    clock.move(timedelta(minutes=14))
    refused(await api.post(URL, json=given()), 401, "credentials-invalid")
    assert await sessions(database) == 0
    clock.move(timedelta(minutes=2))
    assert (await api.post(URL, json=given())).status_code == 201
    assert (await credential(database)).failed == 0


async def test_a_success_forgets_the_failures(api: Api, database: Database) -> None:
    await make_staff(database, "haikou-desk")
    for _ in range(2):
        for _ in range(4):
            await api.post(URL, json=given(password="x"))
        assert (await api.post(URL, json=given())).status_code == 201


async def test_after_a_lock_has_ended_five_more(api: Api, database: Database) -> None:
    await make_staff(database, "haikou-desk")
    for _ in range(5):
        await api.post(URL, json=given(password="x"))
    clock.move(timedelta(minutes=16))
    await api.post(URL, json=given(password="x"))
    row = await credential(database)
    assert (row.failed, row.locked_until) == (1, None)


async def test_parallel_guesses_are_five(api: Api, database: Database) -> None:
    await make_staff(database, "haikou-desk")
    guesses = [*(f"guess-{n}" for n in range(19)), "correct horse"]  # the right one comes after five wrong ones
    answers = await asyncio.gather(*(api.post(URL, json=given(password=guess)) for guess in guesses))
    assert [each.status_code for each in answers].count(201) <= 1
    row = await credential(database)
    assert row.failed == 5 or (row.failed, await sessions(database)) == (0, 1)


async def test_sixty_failures_from_one_address_are_enough(api: Api, database: Database) -> None:
    clock.move(clock.today(clock.now()) + timedelta(days=1, minutes=1) - clock.now())
    await make_staff(database, "haikou-desk")
    answers = await asyncio.gather(*(api.post(URL, json=given(login=f"nobody-{n}")) for n in range(60)))
    assert {each.status_code for each in answers} == {401}
    stopped = await api.post(URL, json=given())
    refused(stopped, 429, "too-many-requests")
    assert 0 < int(stopped.headers["retry-after"]) <= 3600
    clock.move(timedelta(hours=1))
    for _ in range(3):  # successes do not count
        assert (await api.post(URL, json=given())).status_code == 201


# ── the second step ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_second_step(api: Api, database: Database) -> None:
    secret = pyotp.random_base32()
    await make_staff(database, "haikou-desk", totp_secret=secret)
    refused(await api.post(URL, json=given()), 401, "totp-needed")
    assert (await credential(database)).failed == 0
    code = code_of(secret)
    assert (await api.post(URL, json=given(totp=code))).status_code == 201
    refused(await api.post(URL, json=given(totp=code)), 401, "credentials-invalid")  # once only
    assert await sessions(database) == 1


async def test_a_wrong_second_step_counts_as_a_failure(api: Api, database: Database) -> None:
    secret = pyotp.random_base32()
    await make_staff(database, "haikou-desk", totp_secret=secret)
    right = {code_of(secret, offset) for offset in (-2, -1, 0, 1, 2)}
    wrong = next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in right)
    for _ in range(5):
        refused(await api.post(URL, json=given(totp=wrong)), 401, "credentials-invalid")
        await api.post(URL, json=given())  # asking for the step in between gives no try back
    code = code_of(secret)
    refused(await api.post(URL, json=given(totp=code)), 401, "credentials-invalid")
    assert await sessions(database) == 0


async def test_a_wrong_password_with_a_right_code_learns_nothing(api: Api, database: Database) -> None:
    secret = pyotp.random_base32()
    await make_staff(database, "haikou-desk", totp_secret=secret)
    code = code_of(secret)
    refused(await api.post(URL, json=given(password="x", totp=code)), 401, "credentials-invalid")
    refused(await api.post(URL, json=given(password="x")), 401, "credentials-invalid")


async def test_codes_of_the_half_minutes_beside_work_but_never_backwards(database: Database) -> None:
    secret = pyotp.random_base32()
    await make_staff(database, "haikou-desk", totp_secret=secret)
    wall = clock.system_now()

    async def enter(offset: int) -> bool:
        code = pyotp.TOTP(secret).at(wall + timedelta(seconds=30 * offset))
        try:
            await service.create_password_session(
                database.begin, login="haikou-desk", password="correct horse", totp=code, device="x", address=b"a",
                now=wall, wall=wall,
            )  # fmt: skip
        except CredentialsInvalid:
            return False
        return True

    entered = [await enter(offset) for offset in (-2, -1, 0, -1, 1, 0, 2)]
    assert entered == [False, True, True, False, True, False, False]


# ── who has no business here ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_login_without_a_role_left(api: Api, database: Database) -> None:
    hospital = HospitalId.new()
    account = await make_staff(database, "haikou-desk", hospital_id=hospital)
    async with database.begin() as tx:
        await service.revoke_role(tx, account.id, Mode.DESK, hospital_id=hospital, now=clock.now())
    refused(await api.post(URL, json=given()), 403, "role-not-held")
    assert await sessions(database) == 0


async def test_a_suspended_account(api: Api, database: Database) -> None:
    account = await make_staff(database, "haikou-desk")
    async with database.begin() as tx:
        (await require_account(tx, account.id)).status = AccountStatus.SUSPENDED
    refused(await api.post(URL, json=given()), 403, "account-not-active")


@pytest.mark.parametrize(
    "change",
    [
        {"login": ""}, {"login": "x" * 65}, {"password": ""}, {"password": "x" * 129}, {"password": "a\x00b"},
        {"totp": "12345"}, {"totp": 123456}, {"mode": "operator"},
    ],
)  # fmt: skip
async def test_shapes_that_are_refused(api: Api, change: dict[str, object]) -> None:
    refused(await api.post(URL, json=given(**change)), 422, "invalid-input")


async def test_long_and_chinese_passwords_fit(api: Api, database: Database) -> None:
    password = "心安即是归处" * 20
    await make_staff(database, "haikou-desk", password=password)
    assert (await api.post(URL, json=given(password=password))).status_code == 201
