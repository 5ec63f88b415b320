"""Payment gateways in both modes that speak to the sandbox, and a certificate of nobody's."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.sandbox_server import SandboxServer
from yiyuebao_api.gateways.payment.wechat import WeChatPayGateway
from yiyuebao_api.settings import PaymentMode, WeChatPay

Opened = Callable[..., WeChatPay]


@pytest.fixture
def pay_settings(sandbox: SandboxServer) -> Opened:
    """Settings of WeChat Pay as the environment would give them, with changes."""

    def made(**changes: object) -> WeChatPay:
        start = "YIYUEBAO_WECHAT_PAY__"
        given = {
            name.removeprefix(start).lower(): value
            for name, value in sandbox.environment.items()
            if name.startswith(start)
        }
        return WeChatPay.model_validate({**given, **changes})

    return made


@pytest.fixture
async def partner(pay_settings: Opened) -> AsyncIterator[WeChatPayGateway]:
    """A service provider's gateway."""
    async with WeChatPayGateway(pay_settings()) as gateway:
        yield gateway


@pytest.fixture
async def direct(pay_settings: Opened) -> AsyncIterator[WeChatPayGateway]:
    """The gateway of one hospital that runs its own installation."""
    async with WeChatPayGateway(pay_settings(mode=PaymentMode.DIRECT)) as gateway:
        yield gateway


@pytest.fixture
async def open_gateway(pay_settings: Opened) -> AsyncIterator[Callable[..., object]]:
    """Gateways with other settings, closed after the test."""
    async with AsyncExitStack() as stack:

        async def opened(*, transport: httpx.AsyncBaseTransport | None = None, **changes: object) -> WeChatPayGateway:
            gateway = WeChatPayGateway(pay_settings(**changes), transport=transport)
            return await stack.enter_async_context(gateway)

        yield opened


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that nobody but its own bundle vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    held = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(
        held.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return file
