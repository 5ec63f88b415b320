"""Online follow-up: every gate before it begins, and the doctor's own word before it is answered (RULE-76…81)."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.bookings import tap_pay
from tests.scenes.consultations import (
    Pair,
    asked,
    make_consultation,
    make_pair,
    offer,
    once_it_is,
    opened,
    prepaid,
    proof,
    row_of,
    seen,
    spoken,
)
from tests.scenes.files import uploaded
from tests.scenes.patients import make_patient
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts.models import Session
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.consents.models import Consent
from yiyuebao_api.domains.consents.rules import Purpose
from yiyuebao_api.domains.consultations import service
from yiyuebao_api.domains.consultations.models import Consultation, ConsultationApproval
from yiyuebao_api.domains.consultations.rules import ConsultKind, ConsultState
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import Purpose as FilePurpose
from yiyuebao_api.domains.patients.rules import Relation
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import FileId


async def ask(pair: Pair, offer_id: str, **changes: Any) -> httpx.Response:
    return await pair.asking.post("/v1/consultations", key=secrets.token_hex(8), json=asked(pair, offer_id, **changes))


async def counted(context: Context) -> int:
    async with context.begin() as tx:
        return (await tx.scalar(select(func.count()).select_from(Consultation))) or 0


async def test_with_every_gate_open_it_is_answered_after_the_doctor_accepted(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await opened(
        pair, await offer(api, context, pair, kind="online_follow_up"), earlier=await proof(context, pair)
    )
    assert (made["kind"], made["diagnosis"]) == ("online_follow_up", "2 型糖尿病")
    await tap_pay(context, await prepaid(pair, made["id"]))
    await once_it_is(pair.asking, made["id"], "waiting")
    path = f"/v1/consultations/{made['id']}"
    said = {"client_msg_id": "m", "kind": "text", "body": {"text": "您好"}}
    assert refused(await pair.answering.post(f"{path}/messages", json=said), 409, "accept-first")
    assert refused(await pair.answering.post(f"{path}/accept", json={"meets_follow_up": False}), 422, "invalid-input")
    accepted = await pair.answering.post(f"{path}/accept", json={"meets_follow_up": True})
    assert accepted.status_code == 200, accepted.text
    again = await pair.answering.post(f"{path}/accept", json={"meets_follow_up": True})
    assert again.json()["accepted_at"] == accepted.json()["accepted_at"]
    await spoken(pair.answering, made["id"])
    note = {"complaint": "复诊", "findings": "空腹血糖 7.1", "diagnosis": "2 型糖尿病", "advice": "原方案", "follow_up": "一月后"}
    closed = await pair.answering.post(f"{path}/close", json=note)
    assert closed.json()["diagnosis"] == "2 型糖尿病"
    assert "复诊" in closed.json()["disclaimer"]


async def test_a_first_visit_is_refused(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    assert refused(await ask(pair, offer_id), 409, "first-visit-refused")
    earlier = await proof(context, pair)
    tomorrow = (service.day_of(clock.now()) + timedelta(days=1)).isoformat()
    future = await ask(pair, offer_id, earlier={**earlier, "diagnosed_on": tomorrow})
    assert refused(future, 409, "first-visit-refused")
    assert await counted(context) == 0


async def test_the_proof_is_the_askers_own_and_is_kept_and_shown_to_the_two(api: Api, context: Context) -> None:
    pair, other = await make_pair(api, context), await make_pair(api, context)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    foreign, earlier = await proof(context, other), await proof(context, pair)
    assert refused(await ask(pair, offer_id, earlier=foreign), 422, "file-not-found")
    picture = await uploaded(context, pair.asker, FilePurpose.CONSULTATION_IMAGE)
    wrong = {**earlier, "proof_file_id": str(picture.id)}
    assert refused(await ask(pair, offer_id, earlier=wrong), 422, "file-not-found")
    assert await counted(context) == 0
    made = await opened(pair, offer_id, earlier=earlier)
    path = f"/v1/consultations/{made['id']}/proof"
    shown = (await pair.asking.get(path)).json()
    assert (await api.get(shown["link"]["url"])).status_code == 200
    assert refused(await pair.answering.get(path), 404, "not-found")  # not paid yet
    assert refused(await other.asking.get(path), 404, "not-found")
    async with context.begin() as tx:
        assert (await tx.get_one(File, FileId.parse(earlier["proof_file_id"]))).kept


async def test_the_real_name_is_known(api: Api, context: Context) -> None:
    pair = await make_pair(api, context, verified=False)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    assert refused(await ask(pair, offer_id, earlier=await proof(context, pair)), 409, "real-name-needed")
    advice = await offer(api, context, pair)
    assert (await ask(pair, advice)).status_code == 201


async def test_an_approval_that_ended_or_too_few_years_close_it(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    earlier = await proof(context, pair)
    async with context.begin() as tx:
        (await tx.get_one(ConsultationApproval, pair.hospital.id)).valid_until = date(2026, 1, 1)
    assert refused(await ask(pair, offer_id, earlier=earlier), 409, "consultation-not-offered")
    shown = await api.get("/v1/consultations/offers", params={"hospital_id": str(pair.hospital.id)})
    assert shown.json()["items"] == []
    async with context.begin() as tx:
        (await tx.get_one(ConsultationApproval, pair.hospital.id)).valid_until = date(2030, 1, 1)
        (await tx.get_one(Clinician, pair.clinician.id)).clinical_years = 2
    assert refused(await ask(pair, offer_id, earlier=earlier), 409, "consultation-not-offered")


@pytest.mark.parametrize(
    ("relation", "specialty", "status"),
    [
        (Relation.CHILD, "儿科", 201), (Relation.OTHER_GUARDIAN, "小儿内科", 201), (Relation.CHILD, "内分泌科", 409),
        (Relation.AUTHORISED, "儿科", 409),
    ],
)  # fmt: skip
async def test_below_six_with_the_guardian_and_a_paediatrician_only(
    api: Api, context: Context, relation: Relation, specialty: str, status: int
) -> None:
    pair = await make_pair(api, context, specialty=specialty)
    born = service.day_of(clock.now()).replace(day=1) - timedelta(days=5 * 365)
    child = await make_patient(context.database, pair.asker, relation=relation, birth_date=born, name="陈小宝")
    pair = replace(pair, patient=child)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    answer = await ask(pair, offer_id, earlier=await proof(context, pair))
    assert answer.status_code == status, answer.text
    if status == 409:
        assert refused(answer, 409, "under-six-refused")
        assert await counted(context) == 0


async def test_without_the_informed_consent_nothing_is_asked_or_paid(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair)
    stranger = await make_patient(context.database, pair.asker, name="陈大山", agreed=False)
    missing = refused(await ask(replace(pair, patient=stranger), offer_id), 403, "consent-missing")
    assert missing["patient_id"] == str(stranger.id)
    made = await opened(pair, offer_id)
    async with context.begin() as tx:
        online = select(Consent).where(Consent.purpose == Purpose.ONLINE_CONSULTATION)
        for each in (await tx.scalars(online)).all():
            await tx.delete(each)
    answer = await pair.asking.post(f"/v1/consultations/{made['id']}/payment", key="k", json={"channel": "mini"})
    assert refused(answer, 403, "consent-missing")["purpose"] == "online_consultation"
    assert (await seen(pair.asking, made["id"]))["payment_id"] is None


async def test_an_old_sign_in_and_advice_are_not_accepted(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, kind=ConsultKind.ONLINE_FOLLOW_UP)
    async with context.begin() as tx:
        session = (await tx.scalars(select(Session).where(Session.account_id == pair.answerer))).one()
        session.created_at = clock.now() - timedelta(hours=25)
    path = f"/v1/consultations/{talk.id}/accept"
    assert refused(await pair.answering.post(path, json={"meets_follow_up": True}), 403, "sign-in-again")
    assert (await row_of(context.database, talk.id)).accepted_at is None
    advice = await make_consultation(context.database, pair)
    path = f"/v1/consultations/{advice.id}/accept"
    answer = await pair.answering.post(path, json={"meets_follow_up": True})
    assert refused(answer, 409, "consultation-of-other-kind")
    over = await make_consultation(
        context.database, pair, kind=ConsultKind.ONLINE_FOLLOW_UP, state=ConsultState.ENDED
    )
    path = f"/v1/consultations/{over.id}/accept"
    answer = await pair.answering.post(path, json={"meets_follow_up": True})
    assert refused(answer, 409, "consultation-state-refused")
