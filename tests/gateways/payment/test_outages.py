"""WeChat slow, broken, overloaded or impersonated: every time it is said whether asking again may help."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starlette.responses import JSONResponse, Response

from scripts.servers import free_port
from tests.gateways.payment.scene import HOSPITAL, number, order
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.payment import Merchant, RefundOrder, TransactionState
from yiyuebao_api.gateways.payment.wechat import WeChatPayGateway
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.sandbox import keys
from yiyuebao_api.sandbox.app import create_sandbox

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
        {"status": 401, "code": "SIGN_ERROR"},
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
    """Somebody in the path with a certificate of his own gets no order from us."""
    ours, strangers = certificate(tmp_path / "ours"), certificate(tmp_path / "strangers")
    port = free_port()
    base_url = f"https://127.0.0.1:{port}"
    with running_sandbox(tmp_path / "sandbox", port, ours) as environment:
        given = {name: environment[f"YIYUEBAO_WECHAT_PAY__{name.upper()}"] for name in FROM_THE_SANDBOX}
        trusting = await open_gateway(**given, base_url=base_url, ca_bundle=ours)
        assert (await trusting.query(number(), HOSPITAL)).state is TransactionState.UNKNOWN
        for bundle in (strangers, None):
            wary = await open_gateway(**given, base_url=base_url, ca_bundle=bundle)
            with pytest.raises(ProviderUnavailable):
                await wary.query(number(), HOSPITAL)


FROM_THE_SANDBOX = ["cert_serial", "private_key_file", "apiv3_key", "public_key_file", "public_key_id"]


def certificate(path: Path) -> Path:
    """A self-signed certificate of 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return path


@contextmanager
def running_sandbox(home: Path, port: int, certified: Path) -> Iterator[dict[str, str]]:
    """A sandbox behind TLS."""
    environment = keys.prepare(home, f"https://127.0.0.1:{port}")
    config = uvicorn.Config(
        create_sandbox(home), host="127.0.0.1", port=port, log_level="critical", ssl_certfile=certified
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield environment
    finally:
        server.should_exit = True
        thread.join(timeout=5)


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
