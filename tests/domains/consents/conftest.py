"""Somebody who has agreed to nothing yet, with a parent to care for, and the notices every installation comes with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from tests.client import Api
from tests.scenes.accounts import sign_in
from tests.scenes.patients import make_patient
from yiyuebao_api.context import Context
from yiyuebao_api.domains.consents.rules import CONCERNS, Concerns, Purpose
from yiyuebao_api.domains.consents.service import ensure_notices
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.patients.rules import Relation
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """A caller, their client, and whom they care for."""

    account_id: AccountId
    api: Api
    patient: Patient

    async def notice(self, purpose: Purpose, audience: str = "general") -> Json:
        """The current notice, as it is shown."""
        answer = await self.api.get("/v1/consents/notices", params={"purpose": purpose.value})
        return next(each for each in answer.json() if each["audience"] == audience)

    async def body(self, purpose: Purpose, audience: str = "general", **other: Any) -> Json:
        """An answer to the current notice, about the patient where the purpose wants one."""
        notice = await self.notice(purpose, audience)
        about = None if CONCERNS[purpose] is Concerns.ACCOUNT else str(self.patient.id)
        return {"notice_id": notice["id"], "patient_id": about, "read_at": notice["served_at"], **other}

    async def give(self, purpose: Purpose) -> Json:
        """Agree, and the row that was written."""
        answer = await self.api.post("/v1/consents", json=await self.body(purpose))
        assert answer.status_code == 201, answer.text
        given: Json = answer.json()
        return given

    async def given(self) -> set[str]:
        """The purposes that stand, of the account and its patients together."""
        return {each["purpose"] for each in (await self.api.get("/v1/consents")).json() if each["given"]}


async def _person(api: Api, context: Context, **patient: Any) -> Person:
    async with context.begin() as tx:
        await ensure_notices(tx, now=clock.now())
    held = await sign_in(context.database, context.tokens)
    listed = await make_patient(context.database, held.account_id, agreed=False, **patient)
    return Person(held.account_id, api.signed_in(held.access_token), listed)


@pytest.fixture
async def me(api: Api, context: Context) -> Person:
    return await _person(api, context)


@pytest.fixture
async def stranger(api: Api, context: Context) -> Person:
    return await _person(api, context)


@pytest.fixture
async def mother(api: Api, context: Context) -> Person:
    """She cares for a child of eight."""
    born = clock.now().date().replace(day=1)
    return await _person(api, context, relation=Relation.CHILD, birth_date=date(born.year - 8, born.month, 1))
