"""The end of an account: what runs is ended first, what may go goes, what must stay leads nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.client import Api, refused
from tests.scenes.accounts import make_account, sign_in
from tests.scenes.bookings import Customer, accepted, make_customer
from tests.scenes.clinicians import make_clinician
from tests.scenes.files import uploaded
from tests.scenes.hospitals import make_hospital
from tests.scenes.privacy import CLOSING, code_for
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts.models import Account, Session
from yiyuebao_api.domains.accounts.rules import AccountStatus
from yiyuebao_api.domains.accounts.service import ensure_account
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import FileState, Purpose
from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.kernel import clock


async def _closed(context: Context, customer: Customer) -> None:
    answer = await customer.api.post(CLOSING, json={"code": await code_for(context, customer.account_id)})
    assert answer.status_code == 204, answer.text


async def _all(context: Context, statement: Any) -> Sequence[Any]:
    async with context.begin() as tx:
        return (await tx.scalars(statement)).all()


@pytest.fixture
async def customer(api: Api, context: Context) -> Customer:
    """Somebody whose booking was cancelled."""
    _, customer, booking = await accepted(api, context)
    async with context.begin() as tx:
        await tx.execute(text("UPDATE booking SET state = 'closed'"))
    assert booking["state"] == "accepted"
    return customer


async def test_what_may_go_goes_and_what_must_stay_stays(api: Api, context: Context, customer: Customer) -> None:
    card = await uploaded(context, customer.account_id, Purpose.ID_CARD)
    record = await uploaded(context, customer.account_id, Purpose.RECORD)
    await _closed(context, customer)
    refused(await customer.api.get("/v1/accounts/me"), 401, "unauthenticated")
    (account,) = await _all(context, select(Account).where(Account.id == customer.account_id))
    assert (account.phone, account.phone_index, account.status) == (None, None, AccountStatus.CLOSED)
    (patient,) = await _all(context, select(Patient).where(Patient.account_id == customer.account_id))
    assert (patient.name, patient.phone, patient.id_no, patient.deleted_at is None) == ("已注销", "", None, False)
    assert await _all(context, select(Address).where(Address.account_id == customer.account_id)) == []
    (booking,) = await _all(context, select(Booking).where(Booking.account_id == customer.account_id))
    assert booking.contact["name"] == customer.patient.name, "the record of the deal is kept for its term"
    files = {each.id: each for each in await _all(context, select(File).where(File.owner_id == customer.account_id))}
    assert (files[card.id].state, files[card.id].data_key) == (FileState.DELETING, "")
    assert files[record.id].state is FileState.READY
    sessions = await _all(context, select(Session).where(Session.account_id == customer.account_id))
    assert {each.device for each in sessions} == {"已注销"}
    assert all(each.revoked_at for each in sessions)


async def test_the_phone_begins_anew_as_somebody_else(context: Context, customer: Customer) -> None:
    async with context.begin() as tx:
        phone = (await tx.get_one(Account, customer.account_id)).phone
    assert phone is not None
    await _closed(context, customer)
    async with context.begin() as tx:
        fresh = await ensure_account(tx, phone, now=clock.now())
    assert fresh.id != customer.account_id


async def test_what_runs_is_ended_first(api: Api, context: Context) -> None:
    _, customer, booking = await accepted(api, context)
    shown = (await customer.api.get(CLOSING)).json()
    assert shown["open"] == [{"kind": "booking", "id": booking["id"]}]
    assert {each["fate"] for each in shown["data"]} == {"kept", "erased", "emptied"}
    code = await code_for(context, customer.account_id)
    problem = refused(await customer.api.post(CLOSING, json={"code": code}), 409, "account-in-use")
    assert problem["open"] == shown["open"]
    assert (await customer.api.get("/v1/accounts/me")).status_code == 200, "nothing has changed"
    assert len(await _all(context, select(Address).where(Address.account_id == customer.account_id))) == 1


async def test_it_needs_a_code_and_no_role(api: Api, context: Context, customer: Customer) -> None:
    refused(await customer.api.post(CLOSING, json={"code": "123456"}), 403, "proof-invalid")
    hospital = await make_hospital(context.database)
    nurse = await make_clinician(context.database, hospital.id)
    signed = await sign_in(context.database, context.tokens, nurse.account_id)
    mine = api.signed_in(signed.access_token)
    code = await code_for(context, nurse.account_id)
    refused(await mine.post(CLOSING, json={"code": code}), 409, "staff-account")
    assert (await mine.get("/v1/accounts/me")).status_code == 200


async def test_two_taps_close_once(context: Context, customer: Customer) -> None:
    body = {"code": await code_for(context, customer.account_id)}
    answers = await asyncio.gather(*(customer.api.post(CLOSING, json=body) for _ in range(4)))
    codes = sorted(each.status_code for each in answers)
    assert codes[0] == 204
    assert set(codes[1:]) <= {401, 403}


async def test_of_others_nothing_is_touched(api: Api, context: Context, customer: Customer) -> None:
    other = await make_customer(api, context)
    await make_account(context.database)
    await _closed(context, customer)
    assert (await other.api.get("/v1/patients")).json()["items"][0]["name"] == other.patient.name
    assert len((await other.api.get("/v1/patients/addresses")).json()["items"]) == 1
