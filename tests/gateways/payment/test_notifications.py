"""What claims to come from WeChat: believed only when it does, and heard however it arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.gateways.payment.scene import ALONE, HOSPITAL, Ear, order
from yiyuebao_api.gateways.payment import Prepay, TransactionState
from yiyuebao_api.gateways.payment.wechat import WeChatPayGateway
from yiyuebao_api.kernel import clock
from yiyuebao_api.sandbox.wechat_pay_notifications import FORGERIES
from yiyuebao_api.settings import WeChatPay

REFUSED = [name for name, forgery in FORGERIES.items() if forgery.change is None]
BELIEVED_YET_FALSE = [name for name in FORGERIES if name not in REFUSED]


async def prepaid(gateway: WeChatPayGateway, *, pay_with: httpx.AsyncClient | None = None) -> Prepay:
    asked = order(merchant=HOSPITAL if gateway._partner else ALONE)
    await gateway.prepay(asked)
    if pay_with:
        (await pay_with.post(f"/orders/{asked.out_trade_no}/pay")).raise_for_status()
    return asked


async def post_of(control: httpx.AsyncClient, asked: Prepay, **choice: object) -> tuple[dict[str, str], bytes]:
    """Headers and body of a notification, not sent."""
    answer = await control.post(f"/orders/{asked.out_trade_no}/notify", json={"send": False, **choice})
    return answer.json()[0]["headers"], answer.json()[0]["body"].encode()


@pytest.mark.parametrize("forgery", REFUSED)
async def test_a_forgery_is_refused(gateway: WeChatPayGateway, control: httpx.AsyncClient, forgery: str) -> None:
    asked = await prepaid(gateway)
    headers, body = await post_of(control, asked, forge=forgery)
    calls = (await control.get("/calls")).json()
    assert gateway.read_notification(headers, body) is None
    assert (await control.get("/calls")).json() == calls  # nothing was fetched from WeChat to find out


@pytest.mark.parametrize("forgery", BELIEVED_YET_FALSE)
async def test_what_wechat_signed_is_handed_on_for_comparison(
    gateway: WeChatPayGateway, control: httpx.AsyncClient, forgery: str
) -> None:
    asked = await prepaid(gateway, pay_with=control)
    true = gateway.read_notification(*await post_of(control, asked))
    lie = gateway.read_notification(*await post_of(control, asked, forge=forgery))
    assert true is not None
    assert lie is not None
    differs = forgery != "other_sub_mchid" or gateway._partner
    assert (true.transaction != lie.transaction) == differs
    if forgery == "other_amount":
        assert lie.transaction is not None
        assert lie.transaction.amount_fen == 10_002


async def test_five_minutes_are_the_window(hospital_gateway: WeChatPayGateway, control: httpx.AsyncClient) -> None:
    asked = await prepaid(hospital_gateway, pay_with=control)
    for age, believed in ((0, True), (290, True), (-290, True), (302, False), (-302, False), (31_536_000, False)):
        headers, body = await post_of(control, asked, age_s=age)
        assert (hospital_gateway.read_notification(headers, body) is not None) is believed, age


async def test_a_moved_business_clock_moves_no_window(
    hospital_gateway: WeChatPayGateway, control: httpx.AsyncClient, tmp_path: Path
) -> None:
    headers, body = await post_of(control, await prepaid(hospital_gateway, pay_with=control))
    file, before = tmp_path / "clock", clock._file
    file.write_text("604800")
    clock.use_file(file)
    try:
        assert hospital_gateway.read_notification(headers, body)
    finally:
        clock.use_file(before)


async def test_another_merchants_key_reads_nothing(
    hospital_gateway: WeChatPayGateway, control: httpx.AsyncClient, pay_settings: Callable[..., WeChatPay]
) -> None:
    headers, body = await post_of(control, await prepaid(hospital_gateway, pay_with=control))
    assert WeChatPayGateway(pay_settings(apiv3_key="0" * 32)).read_notification(headers, body) is None
    assert WeChatPayGateway(pay_settings(public_key_id="PUB_KEY_ID_1")).read_notification(headers, body) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Wechatpay-Timestamp", ""), ("Wechatpay-Timestamp", "now"), ("Wechatpay-Timestamp", "１７００００００００"),
        ("Wechatpay-Timestamp", "9" * 5000), ("Wechatpay-Serial", ""), ("Wechatpay-Serial", "zz"),
        ("Wechatpay-Signature", ""), ("Wechatpay-Signature", "不"), ("Wechatpay-Signature", "=" * 9),
        ("Wechatpay-Signature-Type", ""), ("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3"),
        ("Wechatpay-Nonce", ""), ("Wechatpay-Nonce", "other"),
    ],
)  # fmt: skip
async def test_a_broken_header_is_a_refusal(
    hospital_gateway: WeChatPayGateway, control: httpx.AsyncClient, name: str, value: str
) -> None:
    headers, body = await post_of(control, await prepaid(hospital_gateway, pay_with=control))
    assert hospital_gateway.read_notification(headers, body) is not None
    assert hospital_gateway.read_notification({**headers, name: value}, body) is None
    without = {key: held for key, held in headers.items() if key != name}
    assert hospital_gateway.read_notification(without, body) is None


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"resource":1}'])
async def test_no_body_makes_it_raise(
    hospital_gateway: WeChatPayGateway, control: httpx.AsyncClient, body: bytes
) -> None:
    headers, _ = await post_of(control, await prepaid(hospital_gateway, pay_with=control))
    assert hospital_gateway.read_notification(headers, body) is None
    assert hospital_gateway.read_notification({}, body) is None
    django = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    assert hospital_gateway.read_notification(django, body) is None


async def test_headers_are_read_in_any_case(hospital_gateway: WeChatPayGateway, control: httpx.AsyncClient) -> None:
    headers, body = await post_of(control, await prepaid(hospital_gateway, pay_with=control))
    for change in (str.lower, str.upper):
        assert hospital_gateway.read_notification({change(name): held for name, held in headers.items()}, body)


async def test_wechat_tells_again_until_it_is_heard(
    gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient
) -> None:
    (await control.post("/behaviour", json={"notify_scale": 0.001})).raise_for_status()
    ear.deaf = 2
    asked = await prepaid(gateway, pay_with=control)
    heard = await ear.next()
    assert heard.transaction is not None
    assert heard.transaction.out_trade_no == asked.out_trade_no
    await asyncio.sleep(0.1)
    (told,) = (await control.get("/notifications")).json()
    assert [attempt["status"] for attempt in told["attempts"]] == [500, 500, 204]
    assert told["state"] == "delivered"


async def test_it_may_come_many_times_under_one_id(
    gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient
) -> None:
    (await control.post("/faults/notifications", json={"duplicate": 4})).raise_for_status()
    await prepaid(gateway, pay_with=control)
    heard = [await ear.next() for _ in range(5)]
    assert len({notification.id for notification in heard}) == 1


async def test_it_may_never_come(gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient) -> None:
    (await control.post("/faults/notifications", json={"drop": True})).raise_for_status()
    asked = await prepaid(gateway, pay_with=control)
    await asyncio.sleep(0.2)
    assert ear.heard.empty()
    assert (await gateway.query(asked.out_trade_no, asked.merchant)).state is TransactionState.SUCCEEDED


async def test_they_may_come_in_another_order(gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient) -> None:
    (await control.post("/faults/notifications", json={"reorder": 3, "times": 3})).raise_for_status()
    asked = [await prepaid(gateway, pay_with=control) for _ in range(3)]
    heard = [(await ear.next()).transaction for _ in range(3)]
    told = [transaction.out_trade_no for transaction in heard if transaction]
    assert told == [one.out_trade_no for one in reversed(asked)]


async def test_it_may_come_late_and_behind_a_lie(
    gateway: WeChatPayGateway, ear: Ear, control: httpx.AsyncClient
) -> None:
    fault = {"forge": "wrong_signature", "delay_s": 0.4}
    (await control.post("/faults/notifications", json=fault)).raise_for_status()
    begun = time.monotonic()
    await prepaid(gateway, pay_with=control)
    assert await asyncio.wait_for(ear.heard.get(), 5) is None
    assert await asyncio.wait_for(ear.heard.get(), 5) is not None
    assert time.monotonic() - begun >= 0.4
