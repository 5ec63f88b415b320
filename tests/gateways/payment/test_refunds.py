"""Giving money back: accepted, arrived, refused, repeated, in both modes."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from tests.gateways.payment.scene import ALONE, HOSPITAL, OTHER_HOSPITAL, Ear, number, order
from yiyuebao_api.gateways import ProviderRefused
from yiyuebao_api.gateways.payment import NotificationKind, RefundOrder, RefundState, TransactionState
from yiyuebao_api.gateways.payment.wechat import WeChatPayGateway


async def paid(
    gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient, amount_fen: int = 10_001
) -> RefundOrder:
    """A paid order, and the refund of all of it, not yet asked for."""
    merchant = HOSPITAL if gateway._partner else ALONE
    asked = order(merchant=merchant, amount_fen=amount_fen)
    await gateway.prepay(asked)
    (await control.post(f"/orders/{asked.out_trade_no}/pay")).raise_for_status()
    await ear.next()
    return RefundOrder(number("R"), asked.out_trade_no, amount_fen, amount_fen, "用户取消预约", merchant)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("SUCCESS", RefundState.SUCCEEDED), ("ABNORMAL", RefundState.ABNORMAL), ("CLOSED", RefundState.CLOSED)],
)
async def test_a_refund_ends_and_we_are_told(
    gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient, outcome: str, state: RefundState
) -> None:
    (await control.post("/behaviour", json={"refund_outcome": outcome, "refund_delay_s": 0.3})).raise_for_status()
    asked = await paid(gateway, ear, control)

    accepted = await gateway.refund(asked)

    assert (accepted.state, accepted.amount_fen, accepted.total_fen) == (RefundState.PROCESSING, 10_001, 10_001)
    assert (await gateway.query(asked.out_trade_no, asked.merchant)).state is TransactionState.REFUNDED
    heard = await ear.next()
    assert (heard.event_type, heard.kind) == (f"REFUND.{outcome}", NotificationKind.REFUND)
    assert heard.refund is not None
    assert (heard.refund.mchid, heard.refund.sub_mchid) == ("1900000001", asked.merchant.sub_mchid)
    queried = await gateway.query_refund(asked.out_refund_no, asked.merchant)
    assert queried == replace(heard.refund, mchid=None, sub_mchid=None)
    assert queried.state is state
    assert (queried.succeeded_at is not None) == (state is RefundState.SUCCEEDED)


async def test_the_same_refund_never_happens_twice(
    gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient
) -> None:
    asked = await paid(gateway, ear, control)
    first, again = await gateway.refund(asked), await gateway.refund(asked)
    assert first.refund_id == again.refund_id
    assert len((await control.get("/refunds")).json()) == 1
    with pytest.raises(ProviderRefused):
        await gateway.refund(replace(asked, amount_fen=1))


async def test_parts_are_given_back_until_nothing_is_left(
    gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient
) -> None:
    asked = await paid(gateway, ear, control)
    for part in (4_000, 6_000):
        await gateway.refund(replace(asked, out_refund_no=number("R"), amount_fen=part))
    with pytest.raises(ProviderRefused) as refused:
        await gateway.refund(replace(asked, out_refund_no=number("R"), amount_fen=2))
    assert "可退金额" in refused.value.message
    await gateway.refund(replace(asked, out_refund_no=number("R"), amount_fen=1))
    assert sum(refund["refund"] for refund in (await control.get("/refunds")).json()) == 10_001


async def test_an_unpaid_order_gives_nothing_back(gateway: WeChatPayGateway, control: httpx.AsyncClient) -> None:
    merchant = HOSPITAL if gateway._partner else ALONE
    asked = order(merchant=merchant)
    await gateway.prepay(asked)
    with pytest.raises(ProviderRefused):
        await gateway.refund(RefundOrder(number("R"), asked.out_trade_no, 1, asked.amount_fen, "x", merchant))
    assert (await control.get("/refunds")).json() == []


async def test_a_refund_nobody_asked_for_is_none(gateway: WeChatPayGateway) -> None:
    assert await gateway.query_refund(number("R"), HOSPITAL if gateway._partner else ALONE) is None


async def test_another_hospital_neither_refunds_nor_sees(
    hospital_gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient
) -> None:
    asked = await paid(hospital_gateway, ear, control)
    with pytest.raises(ProviderRefused):
        await hospital_gateway.refund(replace(asked, merchant=OTHER_HOSPITAL))
    await hospital_gateway.refund(asked)
    assert await hospital_gateway.query_refund(asked.out_refund_no, OTHER_HOSPITAL) is None
