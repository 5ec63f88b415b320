"""Asking: what is offered, between which prices, and every gate of the two kinds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.accounts import make_account, sign_in
from tests.scenes.consultations import Pair, asked, make_pair, offer, opened, seen
from tests.scenes.hospitals import as_desk
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind, ClinicianState, Title
from yiyuebao_api.domains.consultations.models import Block, Consultation
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalState
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import ConsultationOfferId, PatientId


async def counted(context: Context) -> int:
    async with context.begin() as tx:
        return (await tx.scalar(select(func.count()).select_from(Consultation))) or 0


async def ask(pair: Pair, body: dict[str, Any], key: str = "k") -> Any:
    return await pair.asking.post("/v1/consultations", key=key, json=body)


async def test_asking_keeps_it_until_it_is_paid(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    made = await opened(pair, await offer(api, context, pair))
    assert (made["state"], made["price_fen"], made["role"], made["choices"]) == ("awaiting_payment", 3000, "patient", [])
    assert "不是诊断" in made["disclaimer"]
    listed = (await pair.asking.get("/v1/consultations")).json()["items"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert (await pair.answering.get("/v1/consultations/mine")).json()["items"] == []
    assert refused(await pair.answering.get(f"/v1/consultations/{made['id']}"), 404, "not-found")


async def test_a_double_tap_asks_once(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    body = asked(pair, await offer(api, context, pair))
    first, second = await ask(pair, body), await ask(pair, body)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert refused(await pair.asking.post("/v1/consultations", json=body), 400, "idempotency-key-missing")
    assert await counted(context) == 1


async def test_offers_are_seen_by_everybody_and_set_within_limits(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    path = "/v1/consultations/offers/health_advice/minutes"
    body = {"quantity": 15, "price_fen": 3000, "is_open": True}
    assert refused(await pair.answering.put(path, json=body), 409, "consultation-not-offered")
    await offer(api, context, pair)
    for price in (999, 20001):
        assert refused(await pair.answering.put(path, json={**body, "price_fen": price}), 422, "price-out-of-limits")
    assert (await pair.answering.put(path, json=body)).status_code == 200
    shown = (await api.get("/v1/consultations/offers", params={"hospital_id": str(pair.hospital.id)})).json()["items"]
    assert [(each["measure"], each["clinician_name"]) for each in shown] == [("minutes", "陈明"), ("rounds", "陈明")]
    desk = await as_desk(api, context.database, pair.hospital.id)
    narrow = {"is_open": True, "min_fen": 5000, "max_fen": 9000}
    assert (await desk.put("/v1/hospital/consultations/terms/health_advice", json=narrow)).status_code == 200
    assert (await api.get("/v1/consultations/offers", params={"hospital_id": str(pair.hospital.id)})).json()["items"] == []
    mine = (await pair.answering.get("/v1/consultations/offers/mine")).json()
    assert {each["price_fen"] for each in mine} == {3000}
    assert refused(await ask(pair, asked(pair, mine[0]["id"])), 409, "consultation-not-offered")
    wrong = {"is_open": True, "min_fen": 9000, "max_fen": 5000}
    assert refused(await desk.put("/v1/hospital/consultations/terms/health_advice", json=wrong), 422, "invalid-input")
    assert [each["min_fen"] for each in (await desk.get("/v1/hospital/consultations/terms")).json()] == [5000]


async def test_a_follow_up_needs_an_approval_of_the_hospital(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    desk = await as_desk(api, context.database, pair.hospital.id)
    body = {"is_open": True, "min_fen": 1000, "max_fen": 9000}
    path = "/v1/hospital/consultations/terms/online_follow_up"
    assert refused(await desk.put(path, json=body), 409, "approval-missing")
    assert (await desk.put(path, json={**body, "is_open": False})).status_code == 200


async def test_a_nurse_gives_advice_and_no_follow_up(api: Api, context: Context) -> None:
    pair = await make_pair(api, context, kind=ClinicianKind.NURSE, title=Title.SUPERVISOR_NURSE)
    await offer(api, context, pair)
    body = {"quantity": 3, "price_fen": 3000, "is_open": True}
    path = "/v1/consultations/offers/online_follow_up/rounds"
    assert refused(await pair.answering.put(path, json=body), 409, "clinician-not-serving")


async def test_what_cannot_be_had_is_refused(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair)
    body = asked(pair, offer_id)
    assert refused(await ask(pair, {**body, "offer_id": str(ConsultationOfferId.new())}, "1"), 404, "not-found")
    assert refused(await ask(pair, {**body, "patient_id": str(PatientId.new())}, "2"), 404, "not-found")
    assert refused(await ask(pair, {**body, "price_fen": 1}, "3"), 422, "invalid-input")
    async with context.begin() as tx:
        tx.add(Block(account_id=pair.answerer, blocked_id=pair.asker, blocked_at=clock.now()))
    assert refused(await ask(pair, body, "4"), 409, "consultation-not-offered")
    async with context.begin() as tx:
        await tx.delete(await tx.get_one(Block, (pair.answerer, pair.asker)))
        (await tx.get_one(Hospital, pair.hospital.id)).state = HospitalState.SUSPENDED
    assert refused(await ask(pair, body, "5"), 409, "consultation-not-offered")
    async with context.begin() as tx:
        (await tx.get_one(Hospital, pair.hospital.id)).state = HospitalState.OPEN
        (await tx.get_one(Clinician, pair.clinician.id)).state = ClinicianState.SUSPENDED
    assert refused(await ask(pair, body, "6"), 409, "consultation-not-offered")
    assert await counted(context) == 0


async def test_nobody_consults_themselves(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair)
    signed = await sign_in(context.database, context.tokens, pair.answerer)
    himself = api.signed_in(signed.access_token)
    made = await himself.post(
        "/v1/patients",
        json={"relation": "self", "name": "陈明", "phone": "13800138000", "sex": "male", "birth_date": "1980-01-01"},
    )
    assert made.status_code == 201, made.text
    body = {"offer_id": offer_id, "patient_id": made.json()["id"], "complaint": "试一试"}
    assert refused(await himself.post("/v1/consultations", key="k", json=body), 409, "own-consultation")


async def test_three_may_wait_for_payment(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair)
    for _ in range(3):
        await opened(pair, offer_id)
    answer = await ask(pair, asked(pair, offer_id))
    assert refused(answer, 409, "too-many-unpaid-consultations")["most"] == 3


async def test_strangers_find_nothing(api: Api, context: Context) -> None:
    pair, other = await make_pair(api, context), await make_pair(api, context)
    made = await opened(pair, await offer(api, context, pair))
    stranger = api.signed_in((await sign_in(context.database, context.tokens, (await make_account(context.database)).id)).access_token)
    path = f"/v1/consultations/{made['id']}"
    for who in (stranger, other.asking, other.answering, await as_desk(api, context.database, pair.hospital.id)):
        for below in ("", "/messages", "/marks", "/summary", "/timeline"):
            assert refused(await who.get(path + below), 404, "not-found")
    said = {"client_msg_id": "m", "kind": "text", "body": {"text": "?"}}
    assert refused(await other.answering.post(f"{path}/messages", json=said), 404, "not-found")
    assert refused(await stranger.post(f"{path}/leave"), 404, "not-found")
    assert refused(await other.answering.post(f"{path}/decline", json={"reason": "x"}), 404, "not-found")
    paying = await stranger.post(f"{path}/payment", key="k", json={"channel": "mini"})
    assert refused(paying, 404, "not-found")
    assert (await seen(pair.asking, made["id"]))["state"] == "awaiting_payment"
    desk = await as_desk(api, context.database, pair.hospital.id)
    assert (await desk.get("/v1/hospital/consultations")).json()["items"] == []  # never paid: nobody's business
