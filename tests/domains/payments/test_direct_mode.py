"""One hospital that runs its own installation: it is the merchant, nobody shares (configuration, not code)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from scripts.servers import free_port
from tests.client import Api
from tests.conftest import listening
from tests.scenes.bookings import eventually, hold, make_customer, make_offer, prepay, tap_pay, until
from yiyuebao_api.app import create_app
from yiyuebao_api.context import Context, open_context
from yiyuebao_api.domains.hospitals.models import Hospital
from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.payments.rules import RefundState
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.settings import PaymentMode, Settings
from yiyuebao_api.wiring import JOBS


@pytest.fixture
async def direct(settings: Settings, database: Database) -> AsyncIterator[Context]:
    """The same installation, configured as one hospital's own."""
    port = free_port()
    pay = settings.wechat_pay.model_copy(
        update={"mode": PaymentMode.DIRECT, "notify_base_url": f"http://127.0.0.1:{port}"}
    )
    async with open_context(settings.model_copy(update={"wechat_pay": pay}), database=database) as context:
        yield context


@pytest.fixture
async def direct_app(direct: Context) -> AsyncIterator[FastAPI]:
    made = create_app(context=direct)
    async with made.router.lifespan_context(made), listening(made, int(direct.settings.wechat_pay.notify_base_url.rsplit(":", 1)[1])):
        yield made


async def test_the_hospital_itself_is_paid_and_refunds(direct: Context, direct_app: FastAPI, api: Api) -> None:
    async with Api(direct_app) as shop:
        offered, customer = await make_offer(shop, direct), await make_customer(shop, direct)
        async with direct.begin() as tx:
            (await tx.get_one(Hospital, offered.hospital.id)).sub_mchid = None
        booking = await hold(customer, offered)
        await tap_pay(direct, await prepay(customer, booking["id"]))
        paid = await eventually(customer, booking["id"], lambda each: each["state"] == "paid")
        async with direct.begin() as tx:
            payment = (await tx.scalars(select(Payment))).one()
        assert (payment.sub_mchid, payment.profit_sharing) == (None, False)
        assert payment.mchid == direct.settings.wechat_pay.mchid
        await customer.api.post(f"/v1/bookings/{paid['id']}/cancel", json={"reason": "x"})
        worker = Worker(direct.begin, direct, JOBS)

        async def returned() -> bool:
            await worker.drain("payments.refund", early=True)
            async with direct.begin() as tx:
                return (await tx.scalars(select(Refund))).one().state is RefundState.SUCCEEDED

        await until(returned)
