"""母婴: a newborn is bathed at home; the tired mother says nothing, and a day of silence confirms the visit."""

from __future__ import annotations

from datetime import date, timedelta

from tests.client import Api
from tests.journeys.actors import at, make_town
from tests.scenes.patients import make_patient
from yiyuebao_api.context import Context
from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.domains.patients.rules import Relation, Sex
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.outbox import Worker

_RECORD = {
    "vital_signs_before": {"temperature_c": 36.9}, "procedure": "沐浴、抚触、脐部消毒。", "observations": "脐带干燥，反应好。",
    "education": "教会父母抱姿与脐部护理。", "advice": "室温 24—28℃，按需喂养。",
}  # fmt: skip


async def test_silence_confirms_a_bath(api: Api, context: Context, worker: Worker[Context]) -> None:
    town = await make_town(
        api, context, worker, code="N23", category_code="maternal", name="新生儿护理", place=Place.HOME, capacity=2,
        duration_min=60, visit_fee_fen=Fen(6000), item_fee_fen=Fen(11000), material_fee_fen=Fen(2000),
        travel_fee_fen=Fen(3000),
    )  # fmt: skip
    born = (clock.now() - timedelta(days=9)).date()
    baby = await make_patient(
        context.database, town.customer.account_id, name="林小满", relation=Relation.CHILD, sex=Sex.MALE, birth_date=born
    )
    assert born > date(2026, 1, 1)
    starts_at = town.offered.starts_at(days=1, hour=10)
    wish = {**town.customer.wish(town.offered, starts_at), "patient_id": str(baby.id)}
    booking = await town.pay(await town.family.post("/v1/bookings", wish))
    overlapping = {**wish, "starts_at": booking["ends_at"][:11] + "10:00:00+08:00"}
    await town.family.refused("/v1/bookings", overlapping, 409, "patient-already-booked")
    mother = await town.book(starts_at)
    assert mother["patient_id"] != booking["patient_id"], "the mother may be visited at the same time"

    visit = await town.accept_and_send(booking)
    await at(starts_at)
    await town.step(visit, "depart", "arrive", "start")
    done = await town.nurse.post(f"/v1/visits/{visit['id']}/finish", {"record": _RECORD})
    assert done["stage"] == "finished"

    await at(clock.now() + timedelta(hours=23, minutes=59))
    await worker.drain()
    assert (await town.family.get(f"/v1/bookings/{booking['id']}"))["state"] == "done"
    await at(clock.now() + timedelta(minutes=2))
    await worker.drain()
    quiet = await town.family.get(f"/v1/visits/{visit['id']}")
    assert (quiet["stage"], quiet["confirmed_by"]) == ("confirmed", "silence")
    assert (await town.family.get(f"/v1/bookings/{booking['id']}"))["state"] == "closed"

    (accrual,) = (await town.desk.get("/v1/hospital/settlements/accruals"))["items"]
    assert (accrual["net_fen"], accrual["platform_fen"], accrual["hospital_fen"]) == (22000, 1100, 20900)
    await at(clock.now() + timedelta(days=7))
    await worker.drain()
    last = (await town.books(booking))[-1]
    assert last[0] == "release"
    assert last[1]["hospital_released"] == -20900
