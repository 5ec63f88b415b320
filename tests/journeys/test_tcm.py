"""中医: acupuncture at the hospital; nobody travels, and a code on the patient's phone is the arrival."""

from __future__ import annotations

from datetime import timedelta

from tests.client import Api
from tests.journeys.actors import at, make_town
from tests.scenes.visits import RECORD
from yiyuebao_api.context import Context
from yiyuebao_api.domains.catalogue.models import Place
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.outbox import Worker


async def test_acupuncture_begins_with_a_code(api: Api, context: Context, worker: Worker[Context]) -> None:
    town = await make_town(
        api, context, worker, code="C01", category_code="tcm", name="针灸治疗（到院）", place=Place.HOSPITAL,
        visit_fee_fen=Fen(0), item_fee_fen=Fen(12000), material_fee_fen=Fen(1500), travel_fee_fen=Fen(0),
    )  # fmt: skip
    starts_at = town.offered.starts_at(days=1, hour=15)
    at_home = town.customer.wish(town.offered, starts_at)
    await town.family.refused("/v1/bookings/quote", at_home, 409, "place-not-offered")

    booking = await town.pay(await town.book(starts_at, place="hospital"))
    assert [line["kind"] for line in booking["lines"]] == ["item_fee", "material_fee"], "nobody travels"
    assert (booking["total_fen"], booking["address"]) == (13500, None)
    visit = await town.accept_and_send(booking)
    path = f"/v1/visits/{visit['id']}"
    await at(starts_at - timedelta(minutes=5))
    await town.nurse.refused(f"{path}/depart", {}, 409, "visit-step-out-of-order")
    await town.nurse.refused(f"{path}/start", {}, 409, "visit-step-out-of-order")

    code = (await town.family.get(f"{path}/code"))["code"]
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    await town.nurse.refused(f"{path}/check-in", {"code": wrong}, 409, "check-in-code-wrong")
    arrived = await town.nurse.post(f"{path}/check-in", {"code": code})
    assert (arrived["stage"], arrived["departed_at"], arrived["distance_m"]) == ("arrived", None, None)
    assert arrived["checked_in_at"] is not None
    await town.step(visit, "start")
    await at(starts_at + timedelta(minutes=40))
    await town.nurse.post(f"{path}/finish", {"record": {**RECORD, "procedure": "取穴：风池、肩井、合谷，留针 30 分钟。"}})
    seen = await town.family.get(path)
    assert seen["record"]["procedure"].startswith("取穴")

    confirmed = await town.family.act(f"{path}/confirm")
    assert (confirmed["stage"], confirmed["confirmed_by"]) == ("confirmed", "patient")
    states = [move["to_state"] for move in await town.family.get(f"/v1/bookings/{booking['id']}/timeline")]
    assert states == ["held", "paid", "accepted", "assigned", "under_way", "under_way", "done", "closed"]
    (accrual,) = (await town.desk.get("/v1/hospital/settlements/accruals"))["items"]
    assert (accrual["net_fen"], accrual["platform_fen"], accrual["hospital_fen"]) == (13500, 675, 12825)
