"""Prepay, phone, query and close, against the sandbox, in both modes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.gateways.payment.scene import ALONE, HOSPITAL, OTHER_HOSPITAL, Ear, number, order
from yiyuebao_api.gateways import ProviderRefused
from yiyuebao_api.gateways.payment import AlreadyClosed, AlreadyPaid, Channel, Merchant, OrderUnknown, TransactionState
from yiyuebao_api.gateways.payment.wechat import WeChatPayGateway
from yiyuebao_api.kernel import clock
from yiyuebao_api.settings import PaymentMode, WeChatPay


def merchant_of(gateway: WeChatPayGateway) -> Merchant:
    return HOSPITAL if gateway._partner else ALONE


@pytest.mark.parametrize("channel", Channel)
async def test_a_person_pays_on_the_phone(
    gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient, channel: Channel
) -> None:
    merchant = merchant_of(gateway)
    payer = "oPatient1" if channel is Channel.MINI else None
    asked = order(merchant=merchant, channel=channel, payer_openid=payer, attach="booking")
    prepay_id = await gateway.prepay(asked)
    assert (await gateway.query(asked.out_trade_no, merchant)).state is TransactionState.NOT_PAID

    answer = await control.post("/phone/pay?openid=oApp", json=gateway.phone_parameters(prepay_id, channel))

    assert answer.json()["errMsg"] == "requestPayment:ok"
    heard = await ear.next()
    paid = await gateway.query(asked.out_trade_no, merchant)
    assert heard.event_type == "TRANSACTION.SUCCESS"
    assert heard.transaction == paid
    assert (paid.state, paid.amount_fen, paid.currency) == (TransactionState.SUCCEEDED, 10_001, "CNY")
    assert paid.mchid == "1900000001"
    assert paid.appid == ("wx0000000000000001" if channel is Channel.MINI else "wx0000000000000002")
    assert (paid.sub_mchid, paid.sub_appid) == (merchant.sub_mchid, None)
    assert paid.payer_openid == (payer or "oApp")
    assert paid.trade_type == ("JSAPI" if channel is Channel.MINI else "APP")
    assert paid.attach == "booking"
    assert paid.paid_at is not None
    assert paid.paid_at.tzinfo is UTC
    assert abs(paid.paid_at - datetime.now(UTC)) < timedelta(seconds=10)


async def test_the_phone_parameters_have_the_names_their_platform_reads(gateway: WeChatPayGateway) -> None:
    mini = gateway.phone_parameters("wx1", Channel.MINI)
    app = gateway.phone_parameters("wx1", Channel.APP)
    assert set(mini) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert set(app) == {"appid", "partnerid", "prepayid", "package", "noncestr", "timestamp", "sign"}
    assert mini["nonceStr"] != gateway.phone_parameters("wx1", Channel.MINI)["nonceStr"]


async def test_a_hospitals_own_mini_program_takes_the_payment(
    hospital_gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient
) -> None:
    merchant = Merchant(sub_mchid="1900000109", sub_appid="wxsubapp00000109")
    asked = order(merchant=merchant, payer_openid="oSub1")
    prepay_id = await hospital_gateway.prepay(asked)

    wrong = await control.post("/phone/pay", json=hospital_gateway.phone_parameters(prepay_id, Channel.MINI))
    assert (wrong.status_code, wrong.json()["reason"]) == (400, "下单appid与支付appid不一致")

    right = hospital_gateway.phone_parameters(prepay_id, Channel.MINI, merchant)
    (await control.post("/phone/pay", json=right)).raise_for_status()
    heard = await ear.next()
    assert heard.transaction is not None
    assert (heard.transaction.payer_openid, heard.transaction.sub_appid) == ("oSub1", "wxsubapp00000109")


async def test_the_same_prepay_may_be_asked_again(gateway: WeChatPayGateway, control: httpx.AsyncClient) -> None:
    asked = order(merchant=merchant_of(gateway))
    first, second = await gateway.prepay(asked), await gateway.prepay(asked)
    assert first != second
    for prepay_id, status in ((first, 200), (second, 400)):  # either one pays, and only once
        answer = await control.post("/phone/pay", json=gateway.phone_parameters(prepay_id, Channel.MINI))
        assert answer.status_code == status


@pytest.mark.parametrize("change", [{"amount_fen": 10_002}, {"payer_openid": "oOther"}, {"profit_sharing": False}])
async def test_a_number_never_changes_its_meaning(gateway: WeChatPayGateway, change: dict[str, object]) -> None:
    asked = order(merchant=merchant_of(gateway))
    await gateway.prepay(asked)
    with pytest.raises(ProviderRefused) as refused:
        await gateway.prepay(order(out_trade_no=asked.out_trade_no, merchant=asked.merchant, **change))
    assert refused.value.code == "INVALID_REQUEST"
    assert (await gateway.query(asked.out_trade_no, asked.merchant)).state is TransactionState.NOT_PAID


async def test_a_paid_order_is_neither_prepaid_nor_closed(
    gateway: WeChatPayGateway, control: httpx.AsyncClient
) -> None:
    asked = order(merchant=merchant_of(gateway))
    await gateway.prepay(asked)
    (await control.post(f"/orders/{asked.out_trade_no}/pay")).raise_for_status()
    with pytest.raises(AlreadyPaid):
        await gateway.close(asked.out_trade_no, asked.merchant)
    with pytest.raises(AlreadyPaid):
        await gateway.prepay(asked)
    assert (await gateway.query(asked.out_trade_no, asked.merchant)).state is TransactionState.SUCCEEDED


async def test_a_closed_order_cannot_be_paid(gateway: WeChatPayGateway, control: httpx.AsyncClient) -> None:
    asked = order(merchant=merchant_of(gateway))
    prepay_id = await gateway.prepay(asked)
    await gateway.close(asked.out_trade_no, asked.merchant)
    await gateway.close(asked.out_trade_no, asked.merchant)
    assert (await gateway.query(asked.out_trade_no, asked.merchant)).state is TransactionState.CLOSED
    answer = await control.post("/phone/pay", json=gateway.phone_parameters(prepay_id, Channel.MINI))
    assert answer.status_code == 400
    with pytest.raises(AlreadyClosed):
        await gateway.prepay(asked)


async def test_an_expired_order_cannot_be_paid(gateway: WeChatPayGateway, control: httpx.AsyncClient) -> None:
    asked = order(merchant=merchant_of(gateway), expires_at=clock.now() + timedelta(seconds=2))
    prepay_id = await gateway.prepay(asked)
    expires = datetime.fromisoformat((await control.get(f"/orders/{asked.out_trade_no}")).json()["time_expire"])
    while datetime.now(UTC) < expires:
        await control.get("/behaviour")
    answer = await control.post("/phone/pay", json=gateway.phone_parameters(prepay_id, Channel.MINI))
    assert (answer.status_code, answer.json()["reason"]) == (400, "订单已过期")
    with pytest.raises(ProviderRefused):
        await gateway.prepay(asked)


async def test_the_outside_world_keeps_the_real_time(
    gateway: WeChatPayGateway, control: httpx.AsyncClient, tmp_path: Path
) -> None:
    """A demonstration that moved its clock by a week still gives its payers fifteen minutes, not a week."""
    file, before = tmp_path / "clock", clock._file
    file.write_text(str(7 * 86_400))
    clock.use_file(file)
    try:
        asked = order(merchant=merchant_of(gateway))
        await gateway.prepay(asked)
    finally:
        clock.use_file(before)
    expires = datetime.fromisoformat((await control.get(f"/orders/{asked.out_trade_no}")).json()["time_expire"])
    assert expires.utcoffset() == timedelta(hours=8)
    assert timedelta(minutes=14) < expires - datetime.now(UTC) < timedelta(minutes=16)


async def test_an_order_nobody_made_is_unknown(gateway: WeChatPayGateway) -> None:
    merchant = merchant_of(gateway)
    assert (await gateway.query(number(), merchant)).state is TransactionState.UNKNOWN
    with pytest.raises(OrderUnknown):
        await gateway.close(number(), merchant)


async def test_another_hospital_does_not_see_the_order(hospital_gateway: WeChatPayGateway) -> None:
    asked = order()
    await hospital_gateway.prepay(asked)
    seen = await hospital_gateway.query(asked.out_trade_no, OTHER_HOSPITAL)
    assert seen.state is TransactionState.UNKNOWN
    with pytest.raises(OrderUnknown):
        await hospital_gateway.close(asked.out_trade_no, OTHER_HOSPITAL)
    with pytest.raises(ProviderRefused):
        await hospital_gateway.prepay(order(out_trade_no=asked.out_trade_no, merchant=OTHER_HOSPITAL))


async def test_a_hospital_we_do_not_serve_is_refused(
    hospital_gateway: WeChatPayGateway, control: httpx.AsyncClient
) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await hospital_gateway.prepay(order(merchant=Merchant("2900000109")))
    assert refused.value.code == "NO_AUTH"
    (await control.post("/sub-merchants/1900000777", json={"served": False})).raise_for_status()
    with pytest.raises(ProviderRefused):
        await hospital_gateway.prepay(order(merchant=Merchant("1900000777")))


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("REVOKED", TransactionState.REVOKED),
        ("USERPAYING", TransactionState.PAYING),
        ("PAYERROR", TransactionState.FAILED),
    ],
)
async def test_every_state_of_wechats_has_a_word_of_ours(
    hospital_gateway: WeChatPayGateway, control: httpx.AsyncClient, said: str, state: TransactionState
) -> None:
    asked = order()
    await hospital_gateway.prepay(asked)
    (await control.post(f"/orders/{asked.out_trade_no}", json={"state": said})).raise_for_status()
    assert (await hospital_gateway.query(asked.out_trade_no, HOSPITAL)).state is state


@pytest.mark.parametrize(
    "wrong",
    [
        {"out_trade_no": "short"}, {"out_trade_no": "P|123456"}, {"out_trade_no": "P" * 33}, {"amount_fen": 0},
        {"payer_openid": None}, {"merchant": ALONE}, {"merchant": Merchant("None")}, {"description": ""},
    ],
)  # fmt: skip
async def test_nonsense_never_leaves_the_house(
    hospital_gateway: WeChatPayGateway, control: httpx.AsyncClient, wrong: dict[str, object]
) -> None:
    with pytest.raises(ValueError):
        await hospital_gateway.prepay(order(**wrong))
    assert (await control.get("/calls")).json() == []


async def test_direct_mode_knows_no_hospitals(pay_settings: Callable[..., WeChatPay]) -> None:
    async with WeChatPayGateway(pay_settings(mode=PaymentMode.DIRECT)) as gateway:
        with pytest.raises(ValueError):
            await gateway.prepay(order(merchant=HOSPITAL))
