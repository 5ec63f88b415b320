"""From the confirmed visit to the released shares, in the books."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.client import Api, refused
from tests.scenes.accounts import make_staff, sign_in
from tests.scenes.bookings import Customer, Offered, accepted, row_of, until
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.queries import lock_booking
from yiyuebao_api.domains.bookings.rules import ActorKind, VisitStage
from yiyuebao_api.domains.bookings.service import note_visit_stage
from yiyuebao_api.domains.settlements import service
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import BookingId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.tokens import Mode


async def confirmed(api: Api, context: Context) -> tuple[Offered, Customer, dict[str, Any]]:
    offered, customer, booking = await accepted(api, context)
    async with context.begin() as tx:
        for stage in VisitStage:
            row = await lock_booking(tx, BookingId.parse(booking["id"]))
            await note_visit_stage(tx, row, stage, actor=ActorKind.CLINICIAN, actor_id=None, now=clock.now())
    return offered, customer, booking


async def desk_again(api: Api, context: Context, offered: Offered) -> Api:
    staff = await make_staff(context.database, f"later-{clock.now().timestamp()}", hospital_id=offered.hospital.id)
    signed = await sign_in(
        context.database, context.tokens, staff.id, mode=Mode.DESK, hospital_id=offered.hospital.id
    )
    return api.signed_in(signed.access_token)


async def test_confirmation_accrues_and_seven_days_later_the_shares_are_released(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    offered, _, booking = await confirmed(api, context)
    total = booking["total_fen"]
    (accrual,) = (await offered.desk.get("/v1/hospital/settlements/accruals")).json()["items"]
    assert (accrual["net_fen"], accrual["rate_bp"], accrual["state"]) == (total, 500, "pending")
    assert accrual["platform_fen"] == total * 500 // 10_000
    assert accrual["platform_fen"] + accrual["hospital_fen"] == total
    clock.move(timedelta(days=6, hours=23))
    await worker.drain("settlements.release")
    desk = await desk_again(api, context, offered)
    assert (await desk.get("/v1/hospital/settlements/accruals")).json()["items"][0]["state"] == "pending"
    await worker.drain("settlements.release", early=True)
    assert (await desk.get("/v1/hospital/settlements/accruals")).json()["items"][0]["state"] == "pending"
    clock.move(timedelta(hours=2))
    await worker.drain("settlements.release")
    desk = await desk_again(api, context, offered)
    assert (await desk.get("/v1/hospital/settlements/accruals")).json()["items"][0]["state"] == "released"
    ledger = (await desk.get("/v1/hospital/settlements/ledger")).json()
    assert ledger["sum_fen"] == 0
    assert ledger["balances"] == {
        "clearing": total, "unearned": 0, "hospital_share": 0, "platform_share": 0,
        "hospital_released": -accrual["hospital_fen"], "platform_released": -accrual["platform_fen"],
    }  # fmt: skip
    postings = (await desk.get(f"/v1/hospital/settlements/postings/{booking['id']}")).json()
    assert [each["kind"] for each in postings] == ["payment", "accrual", "release"]
    assert all(sum(entry["amount_fen"] for entry in each["entries"]) == 0 for each in postings)


async def test_a_refund_after_confirmation_takes_the_shares_back_pro_rata(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    """RULE-70: and one hospital's dated rate is its own."""
    offered, _, booking = await confirmed(api, context)
    row = await row_of(context.database, booking["id"])
    assert row.payment_id is not None
    back = Fen(booking["total_fen"] // 3)
    async with context.begin() as tx:
        await service.refund(tx, row.payment_id, back, cause="dispute", reason="纠纷退款", now=clock.now())

    async def refunded() -> bool:
        await worker.drain("payments.refund", early=True)
        return (await row_of(context.database, booking["id"])).refunded_fen == back

    await until(refunded)
    net = booking["total_fen"] - back
    (accrual,) = (await offered.desk.get("/v1/hospital/settlements/accruals")).json()["items"]
    assert (accrual["net_fen"], accrual["platform_fen"]) == (net, net * 500 // 10_000)
    ledger = (await offered.desk.get("/v1/hospital/settlements/ledger")).json()
    assert ledger["sum_fen"] == 0
    assert ledger["balances"]["clearing"] == net
    assert ledger["balances"]["unearned"] == 0


async def test_books_are_the_hospitals_own_and_the_operator_sees_all(api: Api, context: Context) -> None:
    offered, customer, booking = await confirmed(api, context)
    other, _, _ = await accepted(api, context)
    refused(await other.desk.get(f"/v1/hospital/settlements/postings/{booking['id']}"), 404, "not-found")
    assert (await other.desk.get("/v1/hospital/settlements/accruals")).json()["items"] == []
    refused(await customer.api.get("/v1/hospital/settlements/ledger"), 403, "not-allowed")
    refused(await offered.desk.get("/v1/operator/settlements/ledger"), 403, "not-allowed")
    staff = await make_staff(context.database, "operator", mode=Mode.OPERATOR)
    operator = api.signed_in((await sign_in(context.database, context.tokens, staff.id, mode=Mode.OPERATOR)).access_token)
    assert (await operator.get("/v1/operator/settlements/ledger")).json()["sum_fen"] == 0
    assert len((await operator.get("/v1/operator/settlements/accruals")).json()["items"]) == 1
    path = f"/v1/operator/settlements/rates/{offered.hospital.id}"
    too_much = await operator.put(path, json={"rate_bp": 3001, "valid_from": "2026-11-01"})
    assert refused(too_much, 422, "rate-too-high")["most_bp"] == 3000
    assert (await operator.put(path, json={"rate_bp": 300, "valid_from": "2026-11-01"})).json()["rate_bp"] == 300
    nowhere = "/v1/operator/settlements/rates/hsp_00000000000000000000000000"
    missing = await operator.put(nowhere, json={"rate_bp": 1, "valid_from": "2026-11-01"})
    refused(missing, 404, "not-found")


async def test_a_dated_rate_holds_from_its_day(api: Api, context: Context) -> None:
    offered, _, booking = await accepted(api, context)
    today = clock.now().astimezone(clock.SHANGHAI).date()
    async with context.begin() as tx:
        await service.set_rate(tx, offered.hospital.id, 300, valid_from=today - timedelta(days=1))
        await service.set_rate(tx, offered.hospital.id, 100, valid_from=today + timedelta(days=1))
        for stage in VisitStage:
            row = await lock_booking(tx, BookingId.parse(booking["id"]))
            await note_visit_stage(tx, row, stage, actor=ActorKind.CLINICIAN, actor_id=None, now=clock.now())
    (accrual,) = (await offered.desk.get("/v1/hospital/settlements/accruals")).json()["items"]
    assert accrual["rate_bp"] == 300
