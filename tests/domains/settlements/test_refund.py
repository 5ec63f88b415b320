"""Refunds and shares: promised before or after the confirmation, arrived or not, nobody is paid from money owed back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import select

from tests.client import Api
from tests.scenes.bookings import Customer, Offered, accepted, row_of, until
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.queries import lock_booking
from yiyuebao_api.domains.bookings.rules import ActorKind, VisitStage
from yiyuebao_api.domains.bookings.service import note_visit_stage
from yiyuebao_api.domains.payments.models import Refund
from yiyuebao_api.domains.payments.rules import RefundState
from yiyuebao_api.domains.settlements import queries as books
from yiyuebao_api.domains.settlements import service
from yiyuebao_api.domains.settlements.models import Accrual, LedgerNote
from yiyuebao_api.domains.settlements.rules import LedgerAccount as A
from yiyuebao_api.kernel import clock, outbox
from yiyuebao_api.kernel.ids import BookingId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.outbox import JobState, OutboxJob, Worker


async def promise(context: Context, booking: dict[str, Any], amount: int, cause: str = "dispute") -> None:
    row = await row_of(context.database, booking["id"])
    assert row.payment_id is not None
    async with context.begin() as tx:
        await service.refund(tx, row.payment_id, Fen(amount), cause=cause, reason="纠纷退款", now=clock.now())


async def arrive(context: Context, worker: Worker[Context]) -> None:
    async def arrived() -> bool:
        await worker.drain("payments.refund", early=True)
        async with context.begin() as tx:
            return set(await tx.scalars(select(Refund.state))) == {RefundState.SUCCEEDED}

    await until(arrived)


async def go(context: Context, booking: dict[str, Any], *stages: VisitStage) -> None:
    async with context.begin() as tx:
        for stage in stages:
            row = await lock_booking(tx, BookingId.parse(booking["id"]))
            await note_visit_stage(tx, row, stage, actor=ActorKind.CLINICIAN, actor_id=None, now=clock.now())


async def accrual_of(context: Context) -> Accrual:
    async with context.begin() as tx:
        return (await tx.scalars(select(Accrual))).one()


async def balances(context: Context, offered: Offered) -> dict[A, int]:
    async with context.begin() as tx:
        found = await books.balances(tx, offered.hospital.id)
    assert sum(found.values()) == 0
    return {account: int(amount) for account, amount in found.items()}


async def check(context: Context, offered: Offered, *, net: int, clearing: int) -> None:
    accrual, found = await accrual_of(context), await balances(context, offered)
    assert (accrual.net_fen, accrual.platform_fen) == (net, net * 500 // 10_000)
    assert found[A.CLEARING] == clearing
    assert found[A.HOSPITAL_SHARE] == -accrual.hospital_fen
    assert found[A.PLATFORM_SHARE] == -accrual.platform_fen
    assert found[A.UNEARNED] == net - clearing, "what is not shared is exactly what is still owed back"


async def test_a_refund_that_arrived_before_the_confirmation(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    offered, _, booking = await accepted(api, context)
    back, total = 1001, booking["total_fen"]
    await promise(context, booking, back)
    await arrive(context, worker)
    await go(context, booking, *VisitStage)
    await check(context, offered, net=total - back, clearing=total - back)


async def test_a_refund_promised_before_the_confirmation_that_arrives_after_it(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    offered, _, booking = await accepted(api, context)
    back, total = 1001, booking["total_fen"]
    await promise(context, booking, back)
    await go(context, booking, *VisitStage)
    await check(context, offered, net=total - back, clearing=total)
    await arrive(context, worker)
    await check(context, offered, net=total - back, clearing=total - back)


async def test_what_is_promised_back_is_not_released(api: Api, context: Context, worker: Worker[Context]) -> None:
    """The worker that refunds is dead for a week: the shares that are released are without what is owed back."""
    offered, _, booking = await accepted(api, context)
    back, total = 1001, booking["total_fen"]
    await go(context, booking, *VisitStage)
    await promise(context, booking, back)
    await check(context, offered, net=total - back, clearing=total)
    clock.move(timedelta(days=7, minutes=1))
    await worker.drain("settlements.release")
    found = await balances(context, offered)
    assert found[A.HOSPITAL_RELEASED] + found[A.PLATFORM_RELEASED] == -(total - back)
    await arrive(context, worker)
    assert (await balances(context, offered))[A.UNEARNED] == 0


async def test_a_refund_after_the_release_is_noted_for_a_person(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    offered, _, booking = await accepted(api, context)
    total = booking["total_fen"]
    await go(context, booking, *VisitStage)
    clock.move(timedelta(days=7, minutes=1))
    await worker.drain("settlements.release")
    await promise(context, booking, total)
    await arrive(context, worker)
    async with context.begin() as tx:
        assert len((await tx.scalars(select(LedgerNote))).all()) == 1
    found = await balances(context, offered)
    assert (found[A.CLEARING], found[A.UNEARNED]) == (0, 0)
    assert found[A.HOSPITAL_SHARE] + found[A.HOSPITAL_RELEASED] == 0
    assert found[A.PLATFORM_SHARE] + found[A.PLATFORM_RELEASED] == 0


async def test_the_fee_a_cancellation_keeps_is_shared_like_any_other(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    """RULE-65, RULE-70: cancelled after departure; the call-out is earned, and does not lie unearned for ever."""
    offered, customer, booking = await accepted(api, context)
    await go(context, booking, VisitStage.ASSIGNED, VisitStage.DEPARTED)
    kept = offered.version.visit_fee_fen + offered.version.travel_fee_fen
    ended = await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "突发情况"})
    assert ended.status_code == 200, ended.text
    await check(context, offered, net=kept, clearing=booking["total_fen"])
    await arrive(context, worker)
    await check(context, offered, net=kept, clearing=kept)


async def test_a_confirmation_and_an_arriving_refund_at_once(
    api: Api, context: Context, worker: Worker[Context]
) -> None:
    """One locks the booking and then the payment, the other might the other way round: both survive, the sum is right."""
    scenes: list[tuple[Offered, Customer, dict[str, Any]]] = [await accepted(api, context) for _ in range(6)]
    for _, _, booking in scenes:
        await promise(context, booking, 700)
        await go(context, booking, *list(VisitStage)[:-1])

    async def confirm(booking: dict[str, Any]) -> None:
        for _ in range(5):
            try:
                return await go(context, booking, VisitStage.CONFIRMED)
            except Exception as error:  # a victim runs again, as a request does
                if "1213" not in str(error) and "1205" not in str(error):
                    raise
        raise AssertionError("five times a victim")

    await asyncio.gather(worker.drain("payments.refund", early=True), *(confirm(each) for _, _, each in scenes))
    await arrive(context, worker)
    async with context.begin() as tx:
        accruals = (await tx.scalars(select(Accrual))).all()
    assert {each.subject_id: each.net_fen for each in accruals} == {
        booking["id"]: booking["total_fen"] - 700 for _, _, booking in scenes
    }
    for offered, _, _ in scenes:
        assert (await balances(context, offered))[A.UNEARNED] == 0


async def test_a_refund_wechat_closed_is_seen_and_can_be_asked_for_again(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    """Closed means that nothing was returned: the promise stands, a person sees it, and reviving keeps it."""
    _, customer, booking = await accepted(api, context)
    await control.post("/behaviour", json={"refund_outcome": "CLOSED", "refund_delay_s": 0})
    await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "x"})

    async def dead() -> list[OutboxJob]:
        async with context.begin() as tx:
            found = await tx.scalars(select(OutboxJob).where(OutboxJob.type == "payments.refund"))
            return [job for job in found if job.state is JobState.DEAD]

    async def given_up() -> bool:
        await worker.drain("payments.refund", early=True)
        return len(await dead()) == 1

    await until(given_up)
    row = await row_of(context.database, booking["id"])
    assert (row.refund_due_fen, row.refunded_fen) == (booking["total_fen"], 0)
    payment = (await customer.api.get(f"/v1/payments/{booking['payment_id']}")).json()
    assert payment["refunds"][0]["state"] == "requested", "what is owed is still on its way, for all the payer is told"
    await control.post("/behaviour", json={"refund_outcome": "SUCCESS", "refund_delay_s": 0})
    (job,) = await dead()
    async with context.begin() as tx:
        assert await outbox.revive(tx, job.id, now=clock.now())
    await arrive(context, worker)
    row = await row_of(context.database, booking["id"])
    assert (row.refund_due_fen, row.refunded_fen) == (booking["total_fen"], booking["total_fen"])
    sent = (await control.get("/refunds")).json()
    assert len({each["out_refund_no"] for each in sent}) == 2
    assert sum(each["refund"] for each in sent if each["status"] == "SUCCESS") == booking["total_fen"]
