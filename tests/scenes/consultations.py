"""Consultations in every state, and the two who talk in them."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.client import Api
from tests.scenes.accounts import make_account, sign_in
from tests.scenes.bookings import bind_wechat, tap_pay
from tests.scenes.clinicians import make_clinician
from tests.scenes.files import uploaded
from tests.scenes.hospitals import as_desk, as_operator, make_hospital
from tests.scenes.patients import make_patient
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind
from yiyuebao_api.domains.consultations import service
from yiyuebao_api.domains.consultations.models import Consultation
from yiyuebao_api.domains.consultations.rules import ConsultKind, ConsultState, Measure, MessageKind, Terms
from yiyuebao_api.domains.consultations.service import SentMessage
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.domains.hospitals.models import Hospital
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId, ConsultationId, ConsultationOfferId, PaymentId, new_number
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.tokens import Mode


@dataclass(frozen=True, slots=True)
class Pair:
    """The two of a consultation, signed in, and the place they are at."""

    hospital: Hospital
    clinician: Clinician
    patient: Patient
    asker: AccountId
    answerer: AccountId
    asking: Api
    answering: Api
    openid: str


async def make_pair(api: Api, context: Context, *, verified: bool = True, **clinician: Any) -> Pair:
    """A patient's phone and a doctor's, at an open hospital with a merchant."""
    database = context.database
    hospital = await make_hospital(database, sub_mchid=f"19{secrets.randbelow(10**8):08d}")
    doctor = await make_clinician(database, hospital.id, **{"kind": ClinicianKind.DOCTOR, **clinician})
    account = await make_account(database)
    patient = await make_patient(database, account.id, verified=verified)
    openid = await bind_wechat(context, account.id)
    asking = api.signed_in((await sign_in(database, context.tokens, account.id)).access_token)
    return Pair(
        hospital, doctor, patient, account.id, doctor.account_id, asking, await as_clinician(api, context, doctor), openid
    )


async def as_clinician(api: Api, context: Context, clinician: Clinician) -> Api:
    """The service as called by that clinician, now."""
    signed = await sign_in(
        context.database, context.tokens, clinician.account_id, mode=Mode.CLINICIAN, hospital_id=clinician.hospital_id
    )
    return api.signed_in(signed.access_token)


async def make_consultation(
    database: Database, pair: Pair, *, state: ConsultState = ConsultState.WAITING, now: datetime | None = None,
    **changes: Any,
) -> Consultation:  # fmt: skip
    """A row as it would be after `state` was reached a moment ago; paid unless it awaits that."""
    now = now or clock.now()
    paid = state is not ConsultState.AWAITING_PAYMENT
    active = state is ConsultState.ACTIVE
    values: dict[str, Any] = {
        "id": ConsultationId.new(), "order_no": new_number("C261125"), "kind": ConsultKind.HEALTH_ADVICE,
        "account_id": pair.asker, "patient_id": pair.patient.id, "clinician_id": pair.clinician.id,
        "clinician_account_id": pair.answerer, "hospital_id": pair.hospital.id,
        "people": {
            "patient": "陈秀英", "sex": "female", "born": "1958-03-02", "relation": "self", "clinician": pair.clinician.name,
            "title": pair.clinician.title.value, "hospital": pair.hospital.name,
        },
        "complaint": "血压有些高", "diagnosis": None, "diagnosed_on": None, "proof_file_id": None,
        "first_visit_pilot_id": None, "agreed_at": None,
        "offer_id": ConsultationOfferId.new(), "measure": Measure.ROUNDS, "quantity": 20, "price_fen": Fen(3000),
        "terms": Terms().as_row(), "state": state, "pay_until": now + timedelta(minutes=15),
        "payment_id": PaymentId.new() if paid else None, "paid_at": now if paid else None,
        "answer_by": now + timedelta(minutes=30) if paid else None,
        "refund_at": now + timedelta(hours=24) if paid else None, "accepted_at": None,
        "answered_at": now if active else None, "rounds_used": 0, "asked": True, "closes_at": None, "warned_at": None,
        "spoken_at": now if active else None, "ended_at": None, "end_reason": None, "last_seq": 0,
        "refund_due_fen": Fen(0), "refunded_fen": Fen(0), "hidden_at": None, "created_at": now, **changes,
    }  # fmt: skip
    made = Consultation(**values)
    async with database.begin() as tx:
        tx.add(made)
    return made


async def say(
    context: Context, consultation: Consultation, sender: AccountId, text: str = "您好", *, number: str | None = None,
    now: datetime | None = None,
) -> SentMessage:  # fmt: skip
    """A text, as the socket or the HTTP route would send it."""
    async with context.begin() as tx:
        return await service.send_message(
            tx, consultation_id=consultation.id, sender=sender, client_msg_id=number or secrets.token_hex(8),
            kind=MessageKind.TEXT, body={"text": text}, now=now or clock.now(),
        )  # fmt: skip


async def row_of(database: Database, consultation_id: ConsultationId | str) -> Consultation:
    """The row as it is now."""
    wanted = ConsultationId.parse(consultation_id) if isinstance(consultation_id, str) else consultation_id
    async with database.begin() as tx:
        return await tx.get_one(Consultation, wanted)


async def offer(
    api: Api, context: Context, pair: Pair, *, kind: str = "health_advice", measure: str = "rounds", quantity: int = 3,
    price_fen: int = 3000,
) -> str:  # fmt: skip
    """The hospital opens the kind and the clinician sets a price, as both would; the offer's id."""
    desk = await as_desk(api, context.database, pair.hospital.id)
    if kind == "online_follow_up":
        operator = await as_operator(api, context.database)
        seen_by_operator = {"approval_no": "琼网医许2026-018", "valid_until": "2029-12-31"}
        path = f"/v1/operator/consultations/approvals/{pair.hospital.id}"
        assert (await operator.put(path, json=seen_by_operator)).status_code == 200
    terms = {"is_open": True, "min_fen": 1000, "max_fen": 20000}
    assert (await desk.put(f"/v1/hospital/consultations/terms/{kind}", json=terms)).status_code == 200
    body = {"quantity": quantity, "price_fen": price_fen, "is_open": True}
    made = await pair.answering.put(f"/v1/consultations/offers/{kind}/{measure}", json=body)
    assert made.status_code == 200, made.text
    return str(made.json()["id"])


def asked(pair: Pair, offer_id: str, **changes: Any) -> dict[str, Any]:
    """The body of a consultation."""
    return {
        "offer_id": offer_id, "patient_id": str(pair.patient.id), "complaint": "血压最近偏高，早上 150/95", **changes
    }  # fmt: skip


async def opened(pair: Pair, offer_id: str, **changes: Any) -> dict[str, Any]:
    """A consultation that waits for its payment, as the API answers it."""
    made = await pair.asking.post("/v1/consultations", key=secrets.token_hex(8), json=asked(pair, offer_id, **changes))
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def prepaid(pair: Pair, consultation_id: str, what: str = "payment", channel: str = "mini") -> dict[str, Any]:
    """What the phone gets to pay with; `what` is payment or extensions."""
    made = await pair.asking.post(
        f"/v1/consultations/{consultation_id}/{what}", key=secrets.token_hex(8), json={"channel": channel}
    )
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def seen(who: Api, consultation_id: str) -> dict[str, Any]:
    """The consultation as one of the two sees it."""
    answer = await who.get(f"/v1/consultations/{consultation_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def once_it_is(who: Api, consultation_id: str, state: str, *, within: float = 5.0) -> dict[str, Any]:
    """The consultation, once it is in that state."""
    deadline = asyncio.get_running_loop().time() + within
    while (found := await seen(who, consultation_id))["state"] != state:
        assert asyncio.get_running_loop().time() < deadline, f"not {state}: {found}"
        await asyncio.sleep(0.02)
    return found


async def paid(api: Api, context: Context, pair: Pair, **options: Any) -> dict[str, Any]:
    """A consultation that was offered, asked for and paid: the clinician's turn."""
    made = await opened(pair, await offer(api, context, pair, **options))
    await tap_pay(context, await prepaid(pair, made["id"]))
    return await once_it_is(pair.asking, made["id"], "waiting")


async def spoken(who: Api, consultation_id: str, text: str = "您好") -> dict[str, Any]:
    """A text over HTTP."""
    body = {"client_msg_id": secrets.token_hex(8), "kind": "text", "body": {"text": text}}
    sent = await who.post(f"/v1/consultations/{consultation_id}/messages", json=body)
    assert sent.status_code == 200, sent.text
    found: dict[str, Any] = sent.json()
    return found


async def proof(context: Context, pair: Pair) -> dict[str, Any]:
    """An earlier diagnosis with its proof, uploaded for it."""
    file = await uploaded(context, pair.asker, Purpose.DISEASE_PROOF)
    return {"diagnosis": "2 型糖尿病", "diagnosed_on": "2025-03-02", "proof_file_id": str(file.id)}


def pilot_in(hospital: Hospital, speciality: str, **changes: Any) -> dict[str, Any]:
    """The body that puts a hospital's specialty on the pilot, from yesterday for a year."""
    today = service.day_of(clock.now())
    return {
        "hospital_id": str(hospital.id), "specialty": speciality, "document_no": "京卫医〔2026〕8号",
        "first_day": (today - timedelta(days=1)).isoformat(), "last_day": (today + timedelta(days=365)).isoformat(), **changes,
    }  # fmt: skip


async def make_pilot(api: Api, context: Context, pair: Pair, **changes: Any) -> dict[str, Any]:
    """The clinician's specialty on the pilot, as the operator records it; the hospital has its approval."""
    operator = await as_operator(api, context.database)
    body = pilot_in(pair.hospital, pair.clinician.specialty, **changes)
    made = await operator.post("/v1/operator/consultations/pilots", key=secrets.token_hex(8), json=body)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found
