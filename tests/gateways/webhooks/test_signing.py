"""Signatures as Standard Webhooks 1.0 publishes them, and as its own library verifies them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from yiyuebao_api.gateways.webhooks.signing import new_secret, signed

#: From the specification's repository (libraries/testdata) and from its manual-verification example.
VECTORS = [
    (
        1696200454,
        ('{"type": "example.created", "timestamp":"2023-09-28T19:20:22+00:00", '
        '"data":{"str":"string","bool":true,"int":42}}'),
        "v1,GgjvufBlIj71MBIVQotYGb+xEC3LNXCsIZp0HsDC8qs=",
    ),
    (1614265330, '{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
]
KEY = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize(("timestamp", "body", "signature"), VECTORS)
def test_the_reference_vectors_come_out(timestamp: int, body: str, signature: str) -> None:
    headers = signed(ID, body.encode(), ["whsec_" + KEY], at=datetime.fromtimestamp(timestamp, UTC))
    assert headers == {"webhook-id": ID, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def test_a_new_secret_is_32_random_bytes_and_verifies_what_it_signed() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret != new_secret()
    body = '{"type":"booking.paid","data":{"名":"值"}}'.encode()
    headers = signed(ID, body, [secret], at=datetime.now(UTC))
    assert Webhook(secret).verify(body, headers)["type"] == "booking.paid"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers | {"webhook-id": "evt_other"})


def test_while_two_secrets_rotate_either_verifies_and_a_third_does_not() -> None:
    old, new = new_secret(), new_secret()
    headers = signed(ID, b"{}", [new, old], at=datetime.now(UTC))
    assert len(headers["webhook-signature"].split(" ")) == 2
    Webhook(old).verify(b"{}", headers)
    Webhook(new).verify(b"{}", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(b"{}", headers)
