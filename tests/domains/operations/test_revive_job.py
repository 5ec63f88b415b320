"""A job that gave up is seen by the operator and gets a fresh start, once."""

from __future__ import annotations

import httpx
from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.accounts import make_staff, sign_in
from tests.scenes.bookings import hold, make_customer, make_offer, prepay, until
from yiyuebao_api.context import Context
from yiyuebao_api.domains.payments.models import Payment
from yiyuebao_api.kernel.inbox import InboxMessage
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.tokens import Mode


async def test_a_dead_letter_is_shown_and_revived(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context]
) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    await prepay(customer, (await hold(customer, offered))["id"])
    async with context.begin() as tx:
        payment = (await tx.scalars(select(Payment))).one()
    await control.post(f"/orders/{payment.out_trade_no}/notify", json={"forge": "other_amount"})

    async def taken() -> bool:
        async with context.begin() as tx:
            return (await tx.scalars(select(InboxMessage.id))).first() is not None

    await until(taken)
    await worker.drain("inbox.apply", early=True)
    staff = await make_staff(context.database, "operator-1", mode=Mode.OPERATOR)
    token = (await sign_in(context.database, context.tokens, staff.id, mode=Mode.OPERATOR)).access_token
    operator = api.signed_in(token)
    (job,) = (await operator.get("/v1/operator/operations/jobs")).json()["items"]
    assert (job["type"], job["state"]) == ("inbox.apply", "dead")
    assert "amount_fen" in job["last_error"]
    path = f"/v1/operator/operations/jobs/{job['id']}/revive"
    refused(await customer.api.post(path), 403, "not-allowed")
    refused(await offered.desk.get("/v1/operator/operations/jobs"), 403, "not-allowed")
    assert (await operator.post(path)).status_code == 204
    refused(await operator.post(path), 409, "job-not-dead")
    assert (await operator.get("/v1/operator/operations/jobs")).json()["items"] == []
    await worker.drain("inbox.apply")
    assert len((await operator.get("/v1/operator/operations/jobs")).json()["items"]) == 1, "a lie stays a lie"
