"""The patient's side will not sign at the door: the visit ends there, the call-out is kept, both sides are told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import Customer, Offered, accepted, row_of, until
from tests.scenes.clinicians import make_clinician
from tests.scenes.visits import DOOR, sign
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.partners.models import PartnerEvent
from yiyuebao_api.domains.payments.models import Refund
from yiyuebao_api.domains.settlements.models import Accrual
from yiyuebao_api.domains.visits.models import Visit
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import VisitId
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.tokens import Mode

WHY = {"reason": "家属认为风险过高，决定改到医院处理"}


@dataclass
class AtTheDoor:
    """A paid visit, and a nurse in front of the patient."""

    offered: Offered
    customer: Customer
    booking: dict[str, Any]
    nurse: Clinician
    as_nurse: Api
    visit_id: str
    context: Context

    async def refuse(self, **changes: Any) -> Any:
        return await self.as_nurse.post(f"/v1/visits/{self.visit_id}/refuse-agreement", json=WHY | changes)

    async def seen(self) -> tuple[str, str, int, int, int]:
        """State, stage, promised back, refunds and shares."""
        booking = await row_of(self.context.database, self.booking["id"])
        async with self.context.begin() as tx:
            visit = await tx.get_one(Visit, VisitId.parse(self.visit_id))
            refunds = (await tx.scalars(select(Refund).where(Refund.payment_id == booking.payment_id))).all()
            accruals = (await tx.scalars(select(Accrual))).all()
        return booking.state.value, visit.stage.value, booking.refund_due_fen, len(refunds), len(accruals)

    async def assert_untouched(self, stage: str = "arrived") -> None:
        assert await self.seen() == ("under_way", stage, 0, 0, 0)


async def at_the_door(api: Api, context: Context, *steps: str, late: timedelta | None = None) -> AtTheDoor:
    offered, customer, booking = await accepted(api, context)
    nurse = await make_clinician(context.database, offered.hospital.id)
    sent = {"booking_id": booking["id"], "clinician_id": str(nurse.id)}
    visit = (await offered.desk.post("/v1/hospital/visits", json=sent)).json()
    if late is not None:
        clock.move(offered.starts_at() + late - clock.now())
    signed = await sign_in(
        context.database, context.tokens, nurse.account_id, mode=Mode.CLINICIAN, hospital_id=offered.hospital.id
    )
    scene = AtTheDoor(offered, customer, booking, nurse, api.signed_in(signed.access_token), visit["id"], context)
    for name in steps or ("depart", "arrive"):
        done = await scene.as_nurse.post(f"/v1/visits/{visit['id']}/{name}", json=DOOR if name == "arrive" else {})
        assert done.status_code == 200, done.text
    return scene


async def test_the_call_out_is_kept_and_the_rest_goes_back(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    scene = await at_the_door(api, context)
    kept = scene.offered.version.visit_fee_fen + scene.offered.version.travel_fee_fen
    back: int = scene.booking["total_fen"] - kept
    ended = (await scene.refuse()).json()
    assert (ended["stage"], ended["unsigned_at"] is None) == ("cancelled", False)
    assert await scene.seen() == ("cancelled", "cancelled", back, 1, 1)
    patient = scene.customer.api
    timeline = (await patient.get(f"/v1/bookings/{scene.booking['id']}/timeline")).json()
    assert (timeline[-1]["to_state"], timeline[-1]["actor"]) == ("cancelled", "clinician")
    assert WHY["reason"] in timeline[-1]["reason"]
    (told, *_) = (await patient.get("/v1/notices")).json()["items"]
    assert told["kind"] == "booking.unsigned"
    assert f"¥{kept / 100:.2f}" in told["body"]
    assert f"¥{back / 100:.2f}" in told["body"]
    desk = (await scene.offered.desk.get("/v1/hospital/notices")).json()["items"]
    assert desk[0]["kind"] == "booking.cancelled"
    async with context.begin() as tx:
        (event,) = (await tx.scalars(select(PartnerEvent).where(PartnerEvent.subject == scene.booking["id"]).order_by(
            PartnerEvent.id.desc()).limit(1))).all()  # fmt: skip
    assert (event.type.value, event.data["reason"]) == ("booking.cancelled", "agreement-refused")
    nurses = [each["kind"] for each in (await scene.as_nurse.get("/v1/notices")).json()["items"]]
    assert nurses == ["visit.assigned"], "nobody tells the one at the door that she need not go"

    async def arrived() -> bool:
        await worker.drain("payments.refund", early=True)
        return (await row_of(context.database, scene.booking["id"])).refunded_fen == back

    await until(arrived)
    async with context.begin() as tx:
        (accrual,) = (await tx.scalars(select(Accrual))).all()
    assert accrual.net_fen == kept, "the hospital earns the call-out, and its share is fixed"


async def test_a_double_tap_and_ten_at_once_end_it_once(api: Api, context: Context) -> None:
    scene = await at_the_door(api, context)
    answers = await asyncio.gather(*(scene.refuse() for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["unsigned_at"] for answer in answers}) == 1
    state, stage, _, refunds, accruals = await scene.seen()
    assert (state, stage, refunds, accruals) == ("cancelled", "cancelled", 1, 1)
    told = [each["kind"] for each in (await scene.customer.api.get("/v1/notices")).json()["items"]]
    assert told.count("booking.unsigned") == 1


async def test_who_came_too_late_keeps_nothing(api: Api, context: Context) -> None:
    """RULE-67: an hour after the planned start."""
    scene = await at_the_door(api, context, late=timedelta(hours=1))
    assert (await scene.refuse()).status_code == 200
    assert await scene.seen() == ("cancelled", "cancelled", scene.booking["total_fen"], 1, 0)


async def test_only_at_the_door_and_only_unsigned(api: Api, context: Context) -> None:
    early = await at_the_door(api, context, "depart")
    assert refused(await early.refuse(), 409, "visit-step-out-of-order")["stage"] == "departed"
    await early.assert_untouched("departed")
    scene = await at_the_door(api, context)
    refused(await scene.refuse(reason="x"), 422, "invalid-input")
    refused(await scene.refuse(kept_fen=0), 422, "invalid-input")
    await sign(scene.customer.api, scene.visit_id)
    refused(await scene.refuse(), 409, "agreement-signed")
    await scene.assert_untouched()
    assert (await scene.as_nurse.post(f"/v1/visits/{scene.visit_id}/start")).status_code == 200
    assert refused(await scene.refuse(), 409, "visit-step-out-of-order")["stage"] == "started"
    await scene.assert_untouched("started")


async def test_nobody_else_says_so(api: Api, context: Context) -> None:
    scene = await at_the_door(api, context)
    colleague = await make_clinician(context.database, scene.offered.hospital.id)
    signed = await sign_in(
        context.database, context.tokens, colleague.account_id, mode=Mode.CLINICIAN, hospital_id=scene.offered.hospital.id
    )
    path = f"/v1/visits/{scene.visit_id}/refuse-agreement"
    refused(await api.signed_in(signed.access_token).post(path, json=WHY), 404, "not-found")
    refused(await scene.customer.api.post(path, json=WHY), 403, "not-allowed")
    refused(await scene.offered.desk.post(path, json=WHY), 403, "not-allowed")
    refused(await api.post(path, json=WHY), 401, "unauthenticated")
    await scene.assert_untouched()


async def test_the_patient_signs_at_the_same_moment(api: Api, context: Context) -> None:
    """Signed and at work, or refused and over: never both."""
    for _ in range(3):
        scene = await at_the_door(api, context)
        path = f"/v1/visits/{scene.visit_id}/agreement"
        text = (await scene.customer.api.get(path)).json()
        signature = {"sha256": text["sha256"], "read_at": text["served_at"]}
        ended, signed = await asyncio.gather(scene.refuse(), scene.customer.api.post(path, json=signature))
        assert sorted((ended.status_code, signed.status_code)) == [200, 409]
        state, stage, back, refunds, _ = await scene.seen()
        if signed.status_code == 200:
            assert (state, stage, back, refunds) == ("under_way", "arrived", 0, 0)
        else:
            assert (state, stage, refunds) == ("cancelled", "cancelled", 1)
