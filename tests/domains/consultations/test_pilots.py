"""First visits online: closed but where a pilot opens them, at every step until the doctor has accepted (RULE-77)."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from tests.client import Api, refused
from tests.scenes.bookings import tap_pay
from tests.scenes.clinicians import make_clinician
from tests.scenes.consultations import (
    Pair,
    as_clinician,
    asked,
    make_pair,
    make_pilot,
    offer,
    once_it_is,
    opened,
    pilot_in,
    prepaid,
    proof,
    row_of,
    seen,
    spoken,
)
from tests.scenes.hospitals import as_desk, as_operator, as_patient, make_hospital
from tests.scenes.patients import make_patient
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import ClinicianKind
from yiyuebao_api.domains.consultations import service
from yiyuebao_api.domains.consultations.models import Consultation, ConsultationApproval, ConsultationPilot
from yiyuebao_api.domains.consultations.rules import ConsultState, EndReason, overlap
from yiyuebao_api.domains.patients.rules import Relation
from yiyuebao_api.domains.payments.models import Refund
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.outbox import Worker

PILOTS = "/v1/operator/consultations/pilots"
FITS, MEETS = {"fits_first_visit": True}, {"meets_follow_up": True}


async def ask(pair: Pair, offer_id: str, **changes: Any) -> httpx.Response:
    body = asked(pair, offer_id, first_visit=True, **changes)
    return await pair.asking.post("/v1/consultations", key=secrets.token_hex(8), json=body)


async def record(who: Api, body: dict[str, Any]) -> httpx.Response:
    return await who.post(PILOTS, key=secrets.token_hex(8), json=body)


async def counted(context: Context, model: type[Model]) -> int:
    async with context.begin() as tx:
        return (await tx.scalar(select(func.count()).select_from(model))) or 0


async def ended(api: Api, context: Context, pilot_id: str) -> dict[str, Any]:
    operator = await as_operator(api, context.database)
    answer = await operator.post(f"{PILOTS}/{pilot_id}/end", json={"why": "主管部门通知暂停试点"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def shown_offers(api: Api, pair: Pair) -> list[dict[str, Any]]:
    listed = await api.get("/v1/consultations/offers", params={"hospital_id": str(pair.hospital.id)})
    items: list[dict[str, Any]] = listed.json()["items"]
    return items


# ── the first visit ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_within_a_pilot_a_first_visit_is_asked_paid_accepted_and_answered(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context, specialty="儿科")
    offer_id, advice = await offer(api, context, pair, kind="online_follow_up"), await offer(api, context, pair)
    assert [each["first_visit"] for each in await shown_offers(api, pair)] == [False, False]
    pilot = await make_pilot(api, context, pair)
    assert {each["id"]: each["first_visit"] for each in await shown_offers(api, pair)} == {offer_id: True, advice: False}
    made = await opened(pair, offer_id, first_visit=True)
    assert (made["kind"], made["first_visit"], made["diagnosis"]) == ("online_follow_up", True, None)
    assert "首诊试点" in made["disclaimer"]
    await tap_pay(context, await prepaid(pair, made["id"]))
    await once_it_is(pair.asking, made["id"], "waiting")
    path = f"/v1/consultations/{made['id']}"
    said = {"client_msg_id": "m", "kind": "text", "body": {"text": "您好"}}
    assert refused(await pair.answering.post(f"{path}/messages", json=said), 409, "accept-first")
    assert refused(await pair.answering.post(f"{path}/accept", json=MEETS), 409, "first-visit-unconfirmed")
    for both in ({}, {**FITS, **MEETS}, {"fits_first_visit": False}):
        assert refused(await pair.answering.post(f"{path}/accept", json=both), 422, "invalid-input")
    assert (await row_of(context.database, made["id"])).accepted_at is None
    accepted = await pair.answering.post(f"{path}/accept", json=FITS)
    assert accepted.status_code == 200, accepted.text
    assert (await pair.answering.post(f"{path}/accept", json=FITS)).json()["accepted_at"] == accepted.json()["accepted_at"]
    await ended(api, context, pilot["id"])  # what a doctor has accepted goes on
    await spoken(pair.answering, made["id"])
    note = {"complaint": "发热", "findings": "咽红", "diagnosis": "急性上呼吸道感染", "advice": "多饮水", "follow_up": "三日后"}
    closed = await pair.answering.post(f"{path}/close", json=note)
    assert (closed.json()["diagnosis"], "首诊试点" in closed.json()["disclaimer"]) == ("急性上呼吸道感染", True)
    desk = await as_desk(api, context.database, pair.hospital.id)
    (listed,) = (await desk.get("/v1/hospital/consultations")).json()["items"]
    assert listed["first_visit"] is True


@pytest.mark.parametrize(
    "pilot",
    [
        {"specialty": "小儿内科"},
        {"first_day": "2099-01-01", "last_day": "2099-12-31"},
        {"hospital": True},
    ],
    ids=["another specialty", "not yet", "another hospital"],
)  # fmt: skip
async def test_outside_of_hospital_specialty_and_days_it_is_refused(
    api: Api, context: Context, pilot: dict[str, Any]
) -> None:
    pair = await make_pair(api, context, specialty="儿科")
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    at = pair
    if pilot.pop("hospital", False):
        at = await make_pair(api, context, specialty="儿科")
        await offer(api, context, at, kind="online_follow_up")
    await make_pilot(api, context, at, **pilot)
    assert refused(await ask(pair, offer_id), 409, "first-visit-refused")
    assert [each["first_visit"] for each in await shown_offers(api, pair)] == [False]
    assert await counted(context, Consultation) == 0


async def test_a_pilot_that_is_over_opens_nothing_and_everybody_else_is_as_before(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    assert refused(await ask(pair, offer_id), 409, "first-visit-refused")
    await make_pilot(api, context, pair)
    async with context.begin() as tx:
        await tx.execute(update(ConsultationPilot).values(last_day=service.day_of(clock.now()) - timedelta(days=1)))
    assert refused(await ask(pair, offer_id), 409, "first-visit-refused")
    plain = asked(pair, offer_id)
    answer = await pair.asking.post("/v1/consultations", key=secrets.token_hex(8), json=plain)
    assert refused(answer, 409, "first-visit-refused")
    made = await opened(pair, offer_id, earlier=await proof(context, pair))
    assert (made["first_visit"], made["diagnosis"]) == (False, "2 型糖尿病")


async def test_a_pilot_opens_no_other_gate(api: Api, context: Context) -> None:
    """Who says nothing, or shows a proof and calls it a first visit; no real name, a small child, no approval."""
    pair = await make_pair(api, context, specialty="儿科")
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    await make_pilot(api, context, pair)
    silent = await pair.asking.post("/v1/consultations", key="silent", json=asked(pair, offer_id))
    assert refused(silent, 409, "first-visit-refused")
    assert refused(await ask(pair, offer_id, earlier=await proof(context, pair)), 422, "invalid-input")
    unknown = await make_patient(context.database, pair.asker, name="陈大山", verified=False)
    assert refused(await ask(replace(pair, patient=unknown), offer_id), 409, "real-name-needed")
    born = service.day_of(clock.now()).replace(day=1) - timedelta(days=5 * 365)
    child = await make_patient(context.database, pair.asker, relation=Relation.AUTHORISED, birth_date=born, name="陈小宝")
    assert refused(await ask(replace(pair, patient=child), offer_id), 409, "under-six-refused")
    async with context.begin() as tx:
        (await tx.get_one(ConsultationApproval, pair.hospital.id)).valid_until = date(2026, 1, 1)
    assert refused(await ask(pair, offer_id), 409, "consultation-not-offered")
    assert await counted(context, Consultation) == 0


async def test_who_asks_for_a_child_is_shown_as_its_guardian(api: Api, context: Context) -> None:
    """RULE-79: to the doctor too, and as it was then."""
    pair = await make_pair(api, context, specialty="儿科")
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    await make_pilot(api, context, pair)
    born = service.day_of(clock.now()).replace(day=1) - timedelta(days=5 * 365)
    child = await make_patient(context.database, pair.asker, relation=Relation.CHILD, birth_date=born, name="陈小宝")
    made = await opened(replace(pair, patient=child), offer_id, first_visit=True)
    assert made["patient_relation"] == "child"
    assert (await opened(pair, offer_id, first_visit=True))["patient_relation"] == pair.patient.relation.value


async def test_health_advice_is_no_visit_at_all(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    made = await opened(pair, await offer(api, context, pair), first_visit=True)
    assert (made["kind"], made["first_visit"]) == ("health_advice", False)


async def test_a_follow_up_is_not_accepted_as_a_first_visit(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    await make_pilot(api, context, pair)
    made = await opened(pair, offer_id, earlier=await proof(context, pair))
    await tap_pay(context, await prepaid(pair, made["id"]))
    await once_it_is(pair.asking, made["id"], "waiting")
    path = f"/v1/consultations/{made['id']}/accept"
    assert refused(await pair.answering.post(path, json=FITS), 409, "first-visit-unconfirmed")
    assert (await row_of(context.database, made["id"])).accepted_at is None


async def test_ended_before_it_is_paid_nothing_is_paid(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    pilot = await make_pilot(api, context, pair)
    made = await opened(pair, offer_id, first_visit=True)
    await ended(api, context, pilot["id"])
    answer = await pair.asking.post(f"/v1/consultations/{made['id']}/payment", key="k", json={"channel": "mini"})
    assert refused(answer, 409, "first-visit-refused")
    assert (await seen(pair.asking, made["id"]))["payment_id"] is None


async def test_ended_while_the_money_is_on_its_way_it_goes_back(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    pilot = await make_pilot(api, context, pair)
    made = await opened(pair, offer_id, first_visit=True)
    phone = await prepaid(pair, made["id"])
    await ended(api, context, pilot["id"])
    await tap_pay(context, phone)
    for _ in range(200):
        if await counted(context, Refund):
            break
        await asyncio.sleep(0.02)
    row = await row_of(context.database, made["id"])
    assert (row.paid_at, row.refund_due_fen) == (None, 3000)
    async with context.begin() as tx:
        (refund,) = (await tx.scalars(select(Refund))).all()
    assert (refund.amount_fen, refund.reason) == (3000, "首诊试点已结束退款")


async def waiting(api: Api, context: Context, **days: Any) -> tuple[Pair, dict[str, Any], dict[str, Any]]:
    """A first visit that is paid and that no doctor has accepted, under a pilot."""
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    pilot = await make_pilot(api, context, pair, **days)
    made = await opened(pair, offer_id, first_visit=True)
    await tap_pay(context, await prepaid(pair, made["id"]))
    return pair, pilot, await once_it_is(pair.asking, made["id"], "waiting")


async def test_ended_while_it_waits_the_patient_hears_it_at_once(
    api: Api, context: Context, worker: Worker[Context], control: httpx.AsyncClient
) -> None:
    pair, pilot, made = await waiting(api, context)
    other = replace(pair, patient=await make_patient(context.database, pair.asker))
    unpaid = await opened(other, str((await row_of(context.database, made["id"])).offer_id), first_visit=True)
    await worker.drain()
    assert (await seen(pair.asking, made["id"]))["state"] == "waiting"
    await ended(api, context, pilot["id"])
    await worker.drain("consultations.watch")
    over = await seen(pair.asking, made["id"])
    assert (over["state"], over["end_reason"], over["refund_due_fen"]) == ("refunded", "pilot_over", made["price_fen"])
    over = await seen(pair.asking, unpaid["id"])
    assert (over["state"], over["end_reason"], over["refund_due_fen"]) == ("expired", "pilot_over", 0)
    told = (await pair.asking.get("/v1/notices")).json()["items"]
    assert [each["kind"] for each in told] == ["consultation.pilot_over"] * 2 + ["consultation.paid"]
    assert [("原路退回" in each["body"], "goes back" in each["body_en"]) for each in told[:2]].count((True, True)) == 1
    theirs = (await pair.answering.get("/v1/notices")).json()["items"]
    assert [each["kind"] for each in theirs] == ["consultation.cancelled", "consultation.paid"]
    path = f"/v1/consultations/{made['id']}"
    assert refused(await pair.answering.post(f"{path}/accept", json=FITS), 409, "consultation-state-refused")
    await worker.drain("consultations.watch")
    assert await counted(context, Refund) == 1


async def test_after_its_last_day_it_is_over_by_itself(
    api: Api, context: Context, worker: Worker[Context], control: httpx.AsyncClient
) -> None:
    clock.move(clock.today(clock.now()) + timedelta(days=1, hours=23) - clock.now())  # an hour before midnight
    _, _, made = await waiting(api, context, last_day=service.day_of(clock.now()).isoformat())
    clock.move(timedelta(minutes=59))
    await worker.drain()
    assert (await row_of(context.database, made["id"])).state is ConsultState.WAITING
    clock.move(timedelta(minutes=2))
    await worker.drain("consultations.watch")
    row = await row_of(context.database, made["id"])
    assert (row.state, row.end_reason, row.refund_due_fen) == (ConsultState.REFUNDED, EndReason.PILOT_OVER, row.price_fen)


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "renewed"])
async def test_what_may_go_on_goes_on(
    api: Api, context: Context, worker: Worker[Context], control: httpx.AsyncClient, accepted: bool
) -> None:
    """A doctor has accepted it; or another document of the same specialty is in force, which may end later."""
    pair, pilot, made = await waiting(api, context)
    if accepted:
        assert (await pair.answering.post(f"/v1/consultations/{made['id']}/accept", json=FITS)).status_code == 200
        await ended(api, context, pilot["id"])
        await worker.drain("consultations.watch")
        assert (await seen(pair.asking, made["id"]))["state"] == "waiting"
        return
    await ended(api, context, pilot["id"])
    renewed = await make_pilot(api, context, pair, document_no="京卫医〔2027〕2号")
    await worker.drain("consultations.watch")
    assert (await seen(pair.asking, made["id"]))["state"] == "waiting"
    await ended(api, context, renewed["id"])
    await worker.drain("consultations.watch")
    assert (await seen(pair.asking, made["id"]))["state"] == "refunded"


async def test_it_ends_while_the_money_comes(
    api: Api, context: Context, worker: Worker[Context], control: httpx.AsyncClient
) -> None:
    """Whoever is first, nobody waits for a doctor who may not accept, and all money is on its way back."""
    for number in range(6):
        pair = await make_pair(api, context)
        offer_id = await offer(api, context, pair, kind="online_follow_up")
        pilot = await make_pilot(api, context, pair)
        made = await opened(pair, offer_id, first_visit=True)
        phone = await prepaid(pair, made["id"])

        async def later(wait: float = number * 0.01, pilot: dict[str, Any] = pilot) -> None:
            await asyncio.sleep(wait)
            await ended(api, context, pilot["id"])

        await asyncio.gather(tap_pay(context, phone), later())
        for _ in range(200):
            await worker.drain("consultations.watch")
            if await counted(context, Refund) == number + 1:
                break
            await asyncio.sleep(0.02)
        row = await row_of(context.database, made["id"])
        assert (row.state in (ConsultState.REFUNDED, ConsultState.EXPIRED), row.refund_due_fen) == (True, row.price_fen)


async def test_ended_while_it_waits_it_is_not_accepted_and_all_goes_back(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    pilot = await make_pilot(api, context, pair)
    made = await opened(pair, offer_id, first_visit=True)
    await tap_pay(context, await prepaid(pair, made["id"]))
    await once_it_is(pair.asking, made["id"], "waiting")
    await ended(api, context, pilot["id"])
    path = f"/v1/consultations/{made['id']}"
    assert refused(await pair.answering.post(f"{path}/accept", json=FITS), 409, "first-visit-refused")
    assert (await row_of(context.database, made["id"])).accepted_at is None
    declined = await pair.answering.post(f"{path}/decline", json={"reason": "试点已结束"})
    assert (declined.json()["state"], declined.json()["refund_due_fen"]) == ("refunded", 3000)


async def test_a_renewed_pilot_takes_over(api: Api, context: Context, control: httpx.AsyncClient) -> None:
    """Asked for on the last day of one document, accepted on the first of the next."""
    pair = await make_pair(api, context)
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    pilot = await make_pilot(api, context, pair)
    made = await opened(pair, offer_id, first_visit=True)
    await ended(api, context, pilot["id"])
    await make_pilot(api, context, pair, document_no="京卫医〔2027〕2号")
    await tap_pay(context, await prepaid(pair, made["id"]))
    await once_it_is(pair.asking, made["id"], "waiting")
    accepted = await pair.answering.post(f"/v1/consultations/{made['id']}/accept", json=FITS)
    assert accepted.status_code == 200, accepted.text


async def test_unanswered_it_changes_hands_within_the_pilot_only(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair = await make_pair(api, context, specialty="儿科")
    offer_id = await offer(api, context, pair, kind="online_follow_up")
    pilot = await make_pilot(api, context, pair)
    others = []
    for specialty in ("内分泌科", "儿科"):
        doctor = await make_clinician(
            context.database, pair.hospital.id, kind=ClinicianKind.DOCTOR, specialty=specialty
        )
        other = replace(pair, clinician=doctor, answering=await as_clinician(api, context, doctor))
        others.append(await offer(api, context, other, kind="online_follow_up"))
    made = await opened(pair, offer_id, first_visit=True)
    await tap_pay(context, await prepaid(pair, made["id"]))
    await once_it_is(pair.asking, made["id"], "waiting")
    async with context.begin() as tx:
        await tx.execute(update(Consultation).values(answer_by=clock.now() - timedelta(minutes=1)))
    path = f"/v1/consultations/{made['id']}/change"
    assert refused(await pair.asking.post(path, json={"offer_id": others[0]}), 409, "first-visit-refused")
    row = await row_of(context.database, made["id"])
    assert (row.clinician_id, str(row.first_visit_pilot_id)) == (pair.clinician.id, pilot["id"])
    changed = await pair.asking.post(path, json={"offer_id": others[1]})
    assert (changed.status_code, changed.json()["first_visit"]) == (200, True), changed.text


# ── the operator's setting ───────────────────────────────────────────────────────────────────────────────────────────


async def test_recording_and_ending_are_audited_and_the_desk_sees_its_own(api: Api, context: Context) -> None:
    pair, elsewhere = await make_pair(api, context), await make_pair(api, context)
    for each in (pair, elsewhere):
        await offer(api, context, each, kind="online_follow_up")
    pilot, other = await make_pilot(api, context, pair), await make_pilot(api, context, elsewhere)
    assert (pilot["in_force"], pilot["document_no"]) == (True, "京卫医〔2026〕8号")
    first, again = await ended(api, context, pilot["id"]), await ended(api, context, pilot["id"])
    assert first == again
    assert (first["in_force"], first["ended_why"]) == (False, "主管部门通知暂停试点")
    async with context.begin() as tx:
        noted = (await tx.scalars(select(AuditEntry).where(AuditEntry.subject == pilot["id"]).order_by(AuditEntry.id))).all()
    assert [(each.action, each.hospital_id) for each in noted] == [
        ("consultations.record_pilot", pair.hospital.id), ("consultations.end_pilot", pair.hospital.id)
    ]  # fmt: skip
    desk = await as_desk(api, context.database, pair.hospital.id)
    mine = (await desk.get("/v1/hospital/consultations/pilots")).json()["items"]
    assert [each["id"] for each in mine] == [pilot["id"]]
    operator = await as_operator(api, context.database)
    assert [each["id"] for each in (await operator.get(PILOTS)).json()["items"]] == [other["id"], pilot["id"]]
    only = await operator.get(PILOTS, params={"hospital_id": str(elsewhere.hospital.id)})
    assert [each["id"] for each in only.json()["items"]] == [other["id"]]


async def test_what_is_not_recorded(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    operator = await as_operator(api, context.database)
    body = pilot_in(pair.hospital, "儿科")
    assert refused(await record(operator, body), 409, "approval-missing")
    await offer(api, context, pair, kind="online_follow_up")
    today = service.day_of(clock.now())
    for first, last in (
        (today, today - timedelta(days=1)), (today - timedelta(days=9), today - timedelta(days=1)),
        (today, today + timedelta(days=4 * 366)),
    ):  # fmt: skip
        wrong = {**body, "first_day": first.isoformat(), "last_day": last.isoformat()}
        assert refused(await record(operator, wrong), 422, "pilot-period-refused")
    nowhere = {**body, "hospital_id": "hsp_01kj4y8x3hf7a9cq2v5b6n8m0t"}
    assert refused(await record(operator, nowhere), 404, "not-found")
    missing = f"{PILOTS}/cpl_01kj4y8x3hf7a9cq2v5b6n8m0t/end"
    assert refused(await operator.post(missing, json={"why": "撤销"}), 404, "not-found")
    assert await counted(context, ConsultationPilot) == 0
    assert (await record(operator, body)).status_code == 201
    assert refused(await record(operator, body), 409, "pilot-overlaps")
    later = {**body, "first_day": body["last_day"], "last_day": "2028-01-01"}
    assert refused(await record(operator, later), 409, "pilot-overlaps")
    assert (await record(operator, {**body, "specialty": "小儿外科"})).status_code == 201
    assert await counted(context, ConsultationPilot) == 2


async def test_two_operators_at_once_record_one(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    await offer(api, context, pair, kind="online_follow_up")
    operators = [await as_operator(api, context.database) for _ in range(4)]
    body = pilot_in(pair.hospital, "儿科")
    answers = await asyncio.gather(*(record(each, body) for each in operators))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    assert await counted(context, ConsultationPilot) == 1


async def test_nobody_but_the_operator_sets_it(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    await offer(api, context, pair, kind="online_follow_up")
    pilot = await make_pilot(api, context, pair)
    body = pilot_in(pair.hospital, "小儿外科")
    own = await as_desk(api, context.database, pair.hospital.id)
    callers = [own, pair.answering, pair.asking, await as_patient(api, context.database)]
    for who in callers:
        assert refused(await record(who, body), 403, "not-allowed")
        assert refused(await who.post(f"{PILOTS}/{pilot['id']}/end", json={"why": "撤销"}), 403, "not-allowed")
        assert refused(await who.get(PILOTS), 403, "not-allowed")
    assert refused(await record(api, body), 401, "unauthenticated")
    other = await as_desk(api, context.database, (await make_hospital(context.database)).id)
    assert (await other.get("/v1/hospital/consultations/pilots")).json()["items"] == []
    async with context.begin() as tx:
        (row,) = (await tx.scalars(select(ConsultationPilot))).all()
    assert row.ended_at is None


def test_periods_overlap_by_a_day() -> None:
    one = (date(2026, 1, 1), date(2026, 12, 31))
    assert overlap(one, (date(2026, 12, 31), date(2027, 6, 1)))
    assert overlap((date(2025, 1, 1), date(2026, 1, 1)), one)
    assert not overlap(one, (date(2027, 1, 1), date(2027, 6, 1)))
