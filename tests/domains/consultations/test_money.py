"""The money of consultations: in time, late, twice, back whole and once, shared at the end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.bookings import tap_pay, until
from tests.scenes.clinicians import make_clinician
from tests.scenes.consultations import (
    Pair,
    as_clinician,
    make_pair,
    offer,
    once_it_is,
    opened,
    paid,
    prepaid,
    row_of,
    seen,
    spoken,
)
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind, ClinicianState
from yiyuebao_api.domains.consultations import service
from yiyuebao_api.domains.consultations.models import Consultation, Extension
from yiyuebao_api.domains.consultations.rules import ConsultState, EndReason, ExtensionState
from yiyuebao_api.domains.grants.queries import has_grant
from yiyuebao_api.domains.grants.rules import Scope
from yiyuebao_api.domains.partners.models import PartnerEvent
from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.settlements.models import Accrual
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import ClinicianId, ConsultationId
from yiyuebao_api.kernel.outbox import Again, Worker


async def rows(context: Context, model: type[Any]) -> list[Any]:
    async with context.begin() as tx:
        return list((await tx.scalars(select(model).order_by(model.id))).all())


async def watch(context: Context, consultation_id: str, after: timedelta, *, idle: bool = False) -> None:
    await service.watch_consultation(
        context.begin, ConsultationId.parse(consultation_id), idle=idle, now=clock.now() + after
    )


async def act(who: Api, consultation_id: str, verb: str, **body: Any) -> httpx.Response:
    return await who.post(f"/v1/consultations/{consultation_id}/{verb}", json=body or None)


SUMMARY = {
    "complaint": "晨起血压偏高", "findings": "150/95 mmHg", "advice": "低盐饮食", "follow_up": "一周后复测", "messages": [1],
}  # fmt: skip


async def test_paid_it_waits_for_an_answer_and_both_are_told(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    assert all(made[name] for name in ("answer_by", "refund_at", "payment_id"))
    kinds = [each["kind"] for each in (await pair.asking.get("/v1/notices")).json()["items"]]
    assert kinds == ["consultation.paid"]
    assert [each["id"] for each in (await pair.answering.get("/v1/consultations/mine")).json()["items"]] == [made["id"]]
    (payment,) = await rows(context, Payment)
    assert (payment.subject_id, payment.amount_fen, payment.sub_mchid) == (made["id"], 3000, pair.hospital.sub_mchid)
    again = await pair.asking.post(f"/v1/consultations/{made['id']}/payment", key="again", json={"channel": "mini"})
    assert refused(again, 409, "consultation-state-refused")


async def test_the_clinician_may_look_from_the_payment_to_the_end(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    assert await may_look(context, pair, pair.clinician.id)
    async with context.begin() as tx:
        (await tx.get_one(Consultation, ConsultationId.parse(made["id"]))).answer_by = clock.now()
    doctor, who, cheap = await another(api, context, pair, 2000)
    assert (await act(pair.asking, made["id"], "change", offer_id=cheap)).status_code == 200
    assert not await may_look(context, pair, pair.clinician.id)
    assert await may_look(context, pair, doctor.id)
    assert (await act(who, made["id"], "decline", reason="在手术中")).status_code == 200
    assert not await may_look(context, pair, doctor.id)


async def may_look(context: Context, pair: Pair, clinician_id: ClinicianId) -> bool:
    async with context.begin() as tx:
        return await has_grant(tx, pair.patient.id, clinician_id, Scope.CARE, clock.now())


async def test_served_it_is_shared_and_rated(api: Api, context: Context, control: httpx.AsyncClient) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    assert refused(await act(pair.asking, made["id"], "rating", stars=5), 409, "consultation-state-refused")
    await spoken(pair.answering, made["id"], "您好，平时吃什么药？")
    assert (await seen(pair.asking, made["id"]))["state"] == "active"
    assert refused(await act(pair.answering, made["id"], "decline", reason="x"), 409, "consultation-state-refused")
    refusal = await act(pair.answering, made["id"], "close", **SUMMARY, diagnosis="高血压")
    assert refused(refusal, 409, "diagnosis-forbidden")
    assert refused(await act(pair.answering, made["id"], "close", **{**SUMMARY, "messages": [9]}), 404, "not-found")
    assert (await row_of(context.database, made["id"])).state is ConsultState.ACTIVE
    closed = await act(pair.answering, made["id"], "close", **SUMMARY)
    assert closed.status_code == 200, closed.text
    assert refused(await act(pair.answering, made["id"], "close", **SUMMARY), 409, "summary-already-written")
    done = await seen(pair.asking, made["id"])
    assert (done["state"], done["end_reason"], done["refund_due_fen"]) == ("ended", "clinician", 0)
    (accrual,) = await rows(context, Accrual)
    assert (accrual.subject_id, accrual.net_fen, accrual.platform_fen) == (made["id"], 3000, 150)
    told = await rows(context, PartnerEvent)
    assert [(each.type.value, each.data["state"]) for each in told] == [
        ("consultation.paid", "waiting"), ("consultation.ended", "ended"),
    ]  # fmt: skip
    assert told[0].data["order_no"] == done["order_no"]
    assert "头晕" not in str([each.data for each in told])
    note = (await pair.asking.get(f"/v1/consultations/{made['id']}/summary")).json()
    assert (note["advice"], note["machine_made"], note["filed_at"]) == ("低盐饮食", False, None)
    filed = await pair.asking.post(f"/v1/consultations/{made['id']}/summary/file")
    assert filed.json()["filed_at"]
    assert (await act(pair.asking, made["id"], "rating", stars=5, words="很清楚")).status_code == 200
    assert refused(await act(pair.asking, made["id"], "rating", stars=1), 409, "already-rated")
    offers = await pair.asking.get("/v1/consultations/offers", params={"hospital_id": str(pair.hospital.id)})
    assert [(each["stars"], each["ratings"]) for each in offers.json()["items"]] == [(5.0, 1)]
    assert (await pair.asking.delete(f"/v1/consultations/{made['id']}")).status_code == 204
    assert (await pair.asking.get("/v1/consultations")).json()["items"] == []
    assert len((await pair.answering.get(f"/v1/consultations/{made['id']}/messages")).json()["items"]) == 1


async def test_whoever_leaves_unanswered_gets_everything_back_once(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    assert refused(await pair.asking.delete(f"/v1/consultations/{made['id']}"), 409, "consultation-state-refused")
    answers = await asyncio.gather(*(act(pair.asking, made["id"], "leave") for _ in range(10)))
    assert {each.status_code for each in answers} == {200}
    left = await seen(pair.asking, made["id"])
    assert (left["state"], left["end_reason"], left["refund_due_fen"]) == ("refunded", "patient", 3000)
    (refund,) = await rows(context, Refund)
    assert refund.amount_fen == 3000

    async def returned() -> bool:
        await worker.drain("payments.refund", early=True)
        return bool((await seen(pair.asking, made["id"]))["refunded_fen"] == 3000)

    await until(returned)
    assert await rows(context, Accrual) == []
    said = {"client_msg_id": "m", "kind": "text", "body": {"text": "?"}}
    answer = await pair.answering.post(f"/v1/consultations/{made['id']}/messages", json=said)
    assert refused(answer, 409, "consultation-state-refused")


async def test_an_answer_and_a_refund_at_the_same_moment_are_one_of_the_two(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    said = {"client_msg_id": "m", "kind": "text", "body": {"text": "您好"}}
    left, answered = await asyncio.gather(
        act(pair.asking, made["id"], "leave"),
        pair.answering.post(f"/v1/consultations/{made['id']}/messages", json=said),
    )
    assert left.status_code == 200
    row = await row_of(context.database, made["id"])
    refunds, accruals = await rows(context, Refund), await rows(context, Accrual)
    if answered.status_code == 200:
        assert (row.state, len(refunds), len(accruals)) == (ConsultState.ENDED, 0, 1)
    else:
        assert (row.state, len(refunds), len(accruals)) == (ConsultState.REFUNDED, 1, 0)


async def test_no_answer_in_half_an_hour_gives_a_choice(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    assert refused(await act(pair.asking, made["id"], "wait"), 409, "answer-not-due")
    offer_id = await offer(api, context, pair)
    assert refused(await act(pair.asking, made["id"], "change", offer_id=offer_id), 409, "answer-not-due")
    await watch(context, made["id"], timedelta(minutes=29))
    await watch(context, made["id"], timedelta(minutes=30))
    await watch(context, made["id"], timedelta(minutes=31))
    kinds = [each["kind"] for each in (await pair.asking.get("/v1/notices")).json()["items"]]
    assert kinds.count("consultation.unanswered") == 1
    async with context.begin() as tx:
        waiting = await service.wait_on(tx, ConsultationId.parse(made["id"]), now=clock.now() + timedelta(minutes=31))
        assert waiting.answer_by is not None
        assert waiting.answer_by > clock.now() + timedelta(minutes=60)


async def test_no_answer_in_a_day_gives_everything_back_by_itself(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    await asyncio.gather(*(watch(context, made["id"], timedelta(hours=24, seconds=1)) for _ in range(5)))
    row = await row_of(context.database, made["id"])
    assert (row.state, row.end_reason, row.refund_due_fen) == (ConsultState.REFUNDED, EndReason.NO_ANSWER, 3000)
    assert [each.amount_fen for each in await rows(context, Refund)] == [3000]


async def test_the_clinician_declines_or_sends_to_the_hospital(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    for _ in range(2):
        assert (await act(pair.answering, made["id"], "decline", reason="在手术中")).status_code == 200
    assert (await row_of(context.database, made["id"])).end_reason is EndReason.DECLINED
    second = await paid(api, context, pair)
    await spoken(pair.answering, second["id"])
    for _ in range(2):
        assert (await act(pair.answering, second["id"], "terminate", reason="需要当面检查")).status_code == 200
    row = await row_of(context.database, second["id"])
    assert (row.state, row.end_reason) == (ConsultState.REFUNDED, EndReason.UNFIT)
    assert [each.amount_fen for each in await rows(context, Refund)] == [3000, 3000]
    kinds = [each["kind"] for each in (await pair.asking.get("/v1/notices")).json()["items"]]
    assert "consultation.go_to_hospital" in kinds


async def another(api: Api, context: Context, pair: Pair, price: int) -> tuple[Clinician, Api, str]:
    doctor = await make_clinician(context.database, pair.hospital.id, kind=ClinicianKind.DOCTOR, name="林小芳")
    who = await as_clinician(api, context, doctor)
    body = {"quantity": 5, "price_fen": price, "is_open": True}
    made = await who.put("/v1/consultations/offers/health_advice/rounds", json=body)
    return doctor, who, made.json()["id"]


async def test_another_clinician_takes_it_and_the_difference_goes_back(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    _, _, dear = await another(api, context, pair, 3001)
    doctor, who, cheap = await another(api, context, pair, 2000)
    async with context.begin() as tx:
        row = await tx.get_one(Consultation, ConsultationId.parse(made["id"]))
        row.answer_by = clock.now()
    assert (await seen(pair.asking, made["id"]))["choices"] == ["wait", "change", "refund"]
    assert refused(await act(pair.asking, made["id"], "change", offer_id=dear), 409, "offer-too-dear")
    assert refused(await act(pair.asking, made["id"], "change", offer_id=str(row.offer_id)), 409, "offer-too-dear")
    changed = await act(pair.asking, made["id"], "change", offer_id=cheap)
    assert changed.status_code == 200, changed.text
    found = changed.json()
    assert (found["clinician_id"], found["clinician_name"]) == (str(doctor.id), "林小芳")
    assert (found["quantity"], found["refund_due_fen"], found["extension_price_fen"]) == (5, 1000, 2000)
    assert refused(await pair.answering.get(f"/v1/consultations/{made['id']}"), 404, "not-found")
    assert refused(await act(pair.asking, made["id"], "wait"), 409, "answer-not-due")
    assert (await spoken(who, made["id"]))["seq"] == 1
    assert (await act(who, made["id"], "terminate", reason="请到医院")).status_code == 200
    assert [each.amount_fen for each in await rows(context, Refund)] == [1000, 2000]


async def test_money_that_comes_late_begins_it_or_goes_back(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair)
    first, second, third = [await opened(pair, offer_id) for _ in range(3)]
    phones = [await prepaid(pair, each["id"]) for each in (first, second, third)]
    await watch(context, first["id"], timedelta(minutes=15))
    assert (await row_of(context.database, first["id"])).state is ConsultState.EXPIRED
    await tap_pay(context, phones[0])
    late = await once_it_is(pair.asking, first["id"], "waiting")
    assert late["end_reason"] is None
    assert (await act(pair.asking, second["id"], "leave")).json()["state"] == "expired"
    await tap_pay(context, phones[1])

    async def given_back(consultation_id: str) -> bool:
        return (await row_of(context.database, consultation_id)).refund_due_fen == 3000

    await until(lambda: given_back(second["id"]))
    assert (await seen(pair.asking, second["id"]))["state"] == "expired"
    async with context.begin() as tx:
        (await tx.get_one(Clinician, pair.clinician.id)).state = ClinicianState.SUSPENDED
    await tap_pay(context, phones[2])
    await until(lambda: given_back(third["id"]))


async def test_money_that_comes_twice_goes_back_once(api: Api, context: Context, control: httpx.AsyncClient) -> None:
    pair = await make_pair(api, context)
    made = await opened(pair, await offer(api, context, pair))
    mini, app = await prepaid(pair, made["id"]), await prepaid(pair, made["id"], channel="app")
    await tap_pay(context, mini)
    await once_it_is(pair.asking, made["id"], "waiting")
    await tap_pay(context, app)

    async def given_back() -> bool:
        return len(await rows(context, Refund)) == 1

    await until(given_back)
    row = await row_of(context.database, made["id"])
    assert (str(row.payment_id), row.refund_due_fen) == (mini["payment_id"], 0)
    assert (await act(pair.asking, made["id"], "leave")).json()["refund_due_fen"] == 3000


async def test_a_payment_and_a_farewell_at_the_same_moment_lose_no_money(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await opened(pair, await offer(api, context, pair))
    phone = await prepaid(pair, made["id"])
    await asyncio.gather(tap_pay(context, phone), *(act(pair.asking, made["id"], "leave") for _ in range(5)))

    async def promised() -> bool:
        return len(await rows(context, Refund)) == 1

    await until(promised)
    row = await row_of(context.database, made["id"])
    assert row.state in (ConsultState.EXPIRED, ConsultState.REFUNDED)
    assert (row.end_reason, row.refund_due_fen) == (EndReason.PATIENT, 3000)
    assert await rows(context, Accrual) == []


async def test_an_unpaid_one_lapses_and_can_be_paid_no_more(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await opened(pair, await offer(api, context, pair))
    async with context.begin() as tx:
        (await tx.get_one(Consultation, ConsultationId.parse(made["id"]))).pay_until = clock.now()
    assert (await seen(pair.asking, made["id"]))["state"] == "expired"
    answer = await pair.asking.post(f"/v1/consultations/{made['id']}/payment", key="k", json={"channel": "mini"})
    assert refused(answer, 409, "consultation-expired")


async def test_an_extension_is_one_tap_and_is_shared_for_itself(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair, quantity=1)
    asked = await pair.asking.post(f"/v1/consultations/{made['id']}/extensions", key="e", json={"channel": "mini"})
    assert refused(asked, 409, "consultation-state-refused")
    await spoken(pair.answering, made["id"])
    assert (await seen(pair.asking, made["id"]))["closes_at"]
    said = {"client_msg_id": "m", "kind": "text", "body": {"text": "还有一问"}}
    answer = await pair.asking.post(f"/v1/consultations/{made['id']}/messages", json=said)
    assert refused(answer, 409, "rounds-used-up")
    phone = await prepaid(pair, made["id"], "extensions")
    assert (await prepaid(pair, made["id"], "extensions"))["payment_id"] == phone["payment_id"]
    await tap_pay(context, phone)

    async def extended() -> bool:
        return bool((await seen(pair.asking, made["id"]))["quantity"] == 2)

    await until(extended)
    assert (await seen(pair.asking, made["id"]))["closes_at"] is None
    await spoken(pair.asking, made["id"], "还有一问")
    given = await pair.answering.post(f"/v1/consultations/{made['id']}/extensions/give", json={"quantity": 3})
    assert given.json()["quantity"] == 5
    assert (await act(pair.answering, made["id"], "close", **SUMMARY)).status_code == 200
    assert sorted(each.net_fen for each in await rows(context, Accrual)) == [3000, 3000]
    assert [each.state for each in await rows(context, Extension)] == [ExtensionState.PAID, ExtensionState.GIVEN]


async def test_an_extension_that_is_paid_after_the_end_goes_back(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    await spoken(pair.answering, made["id"])
    phone = await prepaid(pair, made["id"], "extensions")
    assert (await act(pair.asking, made["id"], "leave")).json()["state"] == "ended"
    await tap_pay(context, phone)

    async def given_back() -> bool:
        return [each.state for each in await rows(context, Extension)] == [ExtensionState.RETURNED]

    await until(given_back)
    assert [each.amount_fen for each in await rows(context, Refund)] == [3000]
    assert [each.net_fen for each in await rows(context, Accrual)] == [3000]


async def test_stopped_with_an_extension_all_of_it_goes_back(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    await spoken(pair.answering, made["id"])
    await tap_pay(context, await prepaid(pair, made["id"], "extensions"))

    async def extended() -> bool:
        return bool((await seen(pair.asking, made["id"]))["quantity"] == 6)

    await until(extended)
    await asyncio.gather(*(act(pair.answering, made["id"], "terminate", reason="请到医院") for _ in range(5)))
    assert (await row_of(context.database, made["id"])).refund_due_fen == 6000
    assert [each.amount_fen for each in await rows(context, Refund)] == [3000, 3000]


async def test_minutes_run_out_with_a_warning_and_silence_ends_it(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair, measure="minutes", quantity=15)
    await spoken(pair.answering, made["id"])
    await watch(context, made["id"], timedelta(minutes=9))
    assert (await row_of(context.database, made["id"])).warned_at is None
    with pytest.raises(Again):
        await watch(context, made["id"], timedelta(minutes=11), idle=True)
    assert (await row_of(context.database, made["id"])).warned_at is not None
    await watch(context, made["id"], timedelta(minutes=16))
    row = await row_of(context.database, made["id"])
    assert (row.state, row.end_reason, row.ended_at) == (ConsultState.ENDED, EndReason.TIME_UP, row.closes_at)
    assert [each.net_fen for each in await rows(context, Accrual)] == [3000]
    second = await paid(api, context, pair)
    await spoken(pair.answering, second["id"])
    await watch(context, second["id"], timedelta(hours=48, seconds=1), idle=True)
    assert (await row_of(context.database, second["id"])).end_reason is EndReason.IDLE


@pytest.mark.parametrize("purpose", ["online_consultation", "sensitive_health_data"])
@pytest.mark.parametrize("answered", [False, True])
async def test_what_rests_on_a_consent_ends_with_it(
    api: Api, context: Context, control: httpx.AsyncClient, purpose: str, answered: bool
) -> None:
    """RULE-144: unanswered all of it goes back, answered it ends and is paid for; nobody says another word."""
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    if answered:
        await spoken(pair.answering, made["id"], "您好")
    body = {"purpose": purpose, "patient_id": str(pair.patient.id)}
    taken = await asyncio.gather(*(pair.asking.post("/v1/consents/withdraw", json=body) for _ in range(3)))
    assert {each.status_code for each in taken} == {200}
    done = await seen(pair.asking, made["id"])
    expected = ("ended", "patient", 0) if answered else ("refunded", "patient", 3000)
    assert (done["state"], done["end_reason"], done["refund_due_fen"]) == expected
    assert not await may_look(context, pair, pair.clinician.id)
    late = await pair.answering.post(
        f"/v1/consultations/{made['id']}/messages", json={"client_msg_id": "late", "kind": "text", "body": {"text": "在吗"}}
    )
    assert refused(late, 409, "consultation-state-refused")


async def test_marketing_taken_back_ends_nothing(api: Api, context: Context, control: httpx.AsyncClient) -> None:
    pair = await make_pair(api, context)
    made = await paid(api, context, pair)
    assert (await pair.asking.post("/v1/consents/withdraw", json={"purpose": "location"})).status_code == 200
    assert (await seen(pair.asking, made["id"]))["state"] == "waiting"
