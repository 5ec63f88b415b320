"""WeChat slow, broken, overloaded or impersonated: every time it is said whether asking again may help."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from tests.gateways.payment.scene import HOSPITAL, number, order
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.payment import Merchant, RefundOrder, TransactionState
from yiyuebao_api.gateways.payment.wechat import WeChatPayGateway
from yiyuebao_api.kernel.database import Database

Open = Callable[..., Awaitable[WeChatPayGateway]]


def calls(gateway: WeChatPayGateway) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every method that speaks to the outside, by the sandbox's name of the operation."""
    return {
        "prepay": lambda: gateway.prepay(order()),
        "query": lambda: gateway.query(number(), HOSPITAL),
        "close": lambda: gateway.close(number(), HOSPITAL),
        "refund": lambda: gateway.refund(RefundOrder(number("R"), number(), 1, 1, "x", HOSPITAL)),
        "query_refund": lambda: gateway.query_refund(number("R"), HOSPITAL),
    }


OPERATIONS = ["prepay", "query", "close", "refund", "query_refund"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500}, {"status": 503, "code": "BIZERR"}, {"status": 429, "code": "FREQUENCY_LIMITED"},
        {"status": 403, "code": "FREQUENCY_LIMITED"}, {"status": 400, "code": "SYSTEM_ERROR"},
    ],
)  # fmt: skip
async def test_an_overloaded_wechat_may_be_asked_again(
    partner: WeChatPayGateway, control: httpx.AsyncClient, operation: str, fault: dict[str, object]
) -> None:
    (await control.post("/faults/calls", json={"operation": operation, **fault})).raise_for_status()
    with pytest.raises(ProviderUnavailable):
        await calls(partner)[operation]()
    assert len((await control.get("/calls")).json()) == 1  # it never asks again by itself


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_refusal_keeps_wechats_words(
    partner: WeChatPayGateway, control: httpx.AsyncClient, operation: str
) -> None:
    fault = {"operation": operation, "status": 403, "code": "NO_AUTH", "message": "商户无权限"}
    (await control.post("/faults/calls", json=fault)).raise_for_status()
    with pytest.raises(ProviderRefused) as refused:
        await calls(partner)[operation]()
    assert (refused.value.code, refused.value.message) == ("NO_AUTH", "商户无权限")


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_slow_wechat_is_given_up(open_gateway: Open, control: httpx.AsyncClient, operation: str) -> None:
    gateway = await open_gateway(timeout_s=0.3)
    (await control.post("/faults/calls", json={"operation": operation, "hang_s": 2})).raise_for_status()
    begun = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        await calls(gateway)[operation]()
    assert time.monotonic() - begun < 1.5


async def test_what_timed_out_may_have_happened(open_gateway: Open, control: httpx.AsyncClient) -> None:
    gateway, asked = await open_gateway(timeout_s=0.4), order()
    fault = {"operation": "prepay", "hang_s": 1, "after": True}
    (await control.post("/faults/calls", json=fault)).raise_for_status()
    with pytest.raises(ProviderUnavailable):
        await gateway.prepay(asked)
    assert (await gateway.query(asked.out_trade_no, HOSPITAL)).state is TransactionState.NOT_PAID
    assert await gateway.prepay(asked)  # the same call again resolves it


@pytest.mark.parametrize("reply", ["unsigned", "forged"])
async def test_an_answer_wechat_did_not_sign_is_no_answer(
    partner: WeChatPayGateway, control: httpx.AsyncClient, reply: str
) -> None:
    asked = order()
    (await control.post("/faults/calls", json={"operation": "prepay", "reply": reply})).raise_for_status()
    with pytest.raises(ProviderUnavailable):
        await partner.prepay(asked)
    assert [call["operation"] for call in (await control.get("/calls")).json()] == ["prepay"]


async def test_nobody_there(open_gateway: Open) -> None:
    gateway = await open_gateway(base_url="http://127.0.0.1:1", timeout_s=1)
    for call in calls(gateway).values():
        with pytest.raises(ProviderUnavailable):
            await call()


@pytest.mark.parametrize(
    "answer",
    [
        Response("<h1>404 Not Found</h1>", 404),
        Response(status_code=302, headers={"Location": "https://elsewhere.example/"}),
        JSONResponse({"error": "blocked by a firewall"}, 403),
        JSONResponse({"prepay_id": "wxevil"}),
    ],
    ids=["proxy-404", "redirect", "firewall", "unsigned"],
)
async def test_something_in_between_is_not_wechat(open_gateway: Open, answer: Response) -> None:
    """A 404 of a proxy's must never read as "this order does not exist"."""
    gateway = await open_gateway(transport=httpx.ASGITransport(answer))
    for call in calls(gateway).values():
        with pytest.raises(ProviderUnavailable):
            await call()


async def test_only_the_given_authorities_are_trusted(open_gateway: Open, tmp_path: Path) -> None:
    empty = tmp_path / "authorities.pem"
    empty.write_text("")
    with pytest.raises(OSError):
        await open_gateway(ca_bundle=empty)


async def test_a_provider_is_never_called_inside_a_transaction(
    partner: WeChatPayGateway, control: httpx.AsyncClient, database: Database
) -> None:
    for call in calls(partner).values():
        with pytest.raises(AssertionError):
            async with database.begin():
                await call()
    assert (await control.get("/calls")).json() == []


async def test_it_does_not_start_without_its_keys(pay_settings: Callable[..., object]) -> None:
    for missing in ({"private_key_file": None}, {"public_key_file": None}):
        with pytest.raises(ValueError):
            WeChatPayGateway(pay_settings(**missing))  # type: ignore[arg-type]


async def test_the_sdk_never_writes_a_log(partner: WeChatPayGateway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    asked = order(merchant=Merchant("1900000109"), payer_openid="oSecretPatient")
    await partner.prepay(asked)
    assert "oSecretPatient" not in caplog.text
    assert "nonce_str=" not in caplog.text  # the Authorization header
