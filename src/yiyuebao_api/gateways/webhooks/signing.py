"""Standard Webhooks 1.0: secrets and the three headers by which a receiver knows that a message is ours."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime

from standardwebhooks import Webhook

_PREFIX = "whsec_"


def new_secret() -> str:
    """32 random bytes as receivers paste them into their library: `whsec_…`."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed(message_id: str, body: bytes, keys: Iterable[str], *, at: datetime) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` and one v1 signature (HMAC-SHA256) per key, newest key first.

    `at` is the real time of this very attempt: receivers refuse what is more than five minutes off.
    """
    signatures = [str(Webhook(key).sign(message_id, at, body.decode())) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
