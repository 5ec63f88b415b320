"""The sandbox's own keys: made once, kept in its home folder, readable by their owner only."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

MCHID = "1900000001"
MINI_APPID = "wx0000000000000001"
APP_APPID = "wx0000000000000002"

_MERCHANT_KEY = "merchant_key.pem"
_WECHAT_KEY = "wechat_pay_key.pem"
_WECHAT_PUBLIC_KEY = "wechat_pay_public_key.pem"
_NUMBERS = "wechat_pay.json"
_ENVIRONMENT = "sandbox.env"


@dataclass(frozen=True, slots=True)
class Keys:
    """What one merchant (or service provider) and WeChat Pay know of each other; the sandbox is both sides."""

    mchid: str
    mini_appid: str
    app_appid: str
    cert_serial: str
    apiv3_key: str
    public_key_id: str
    merchant: RSAPrivateKey
    wechat: RSAPrivateKey


def load(home: Path) -> Keys:
    """The keys kept in `home`; made on the first call, by one process even when several ask at once."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(home):
        if not (home / _NUMBERS).exists():
            _make(home)
    numbers = json.loads((home / _NUMBERS).read_text())
    return Keys(
        **numbers,
        merchant=cast("RSAPrivateKey", load_pem_private_key((home / _MERCHANT_KEY).read_bytes(), None)),
        wechat=cast("RSAPrivateKey", load_pem_private_key((home / _WECHAT_KEY).read_bytes(), None)),
    )


def prepare(home: Path, base_url: str) -> dict[str, str]:
    """The environment that makes the service speak to the sandbox at `base_url`; also written to `home/sandbox.env`."""
    home = home.absolute()
    keys = load(home)
    environment = {
        "YIYUEBAO_WECHAT_PAY__BASE_URL": base_url,
        "YIYUEBAO_WECHAT_PAY__MCHID": keys.mchid,
        "YIYUEBAO_WECHAT_PAY__MINI_APPID": keys.mini_appid,
        "YIYUEBAO_WECHAT_PAY__APP_APPID": keys.app_appid,
        "YIYUEBAO_WECHAT_PAY__CERT_SERIAL": keys.cert_serial,
        "YIYUEBAO_WECHAT_PAY__PRIVATE_KEY_FILE": str(home / _MERCHANT_KEY),
        "YIYUEBAO_WECHAT_PAY__APIV3_KEY": keys.apiv3_key,
        "YIYUEBAO_WECHAT_PAY__PUBLIC_KEY_FILE": str(home / _WECHAT_PUBLIC_KEY),
        "YIYUEBAO_WECHAT_PAY__PUBLIC_KEY_ID": keys.public_key_id,
        "YIYUEBAO_MINI_PROGRAM__BASE_URL": base_url,
        "YIYUEBAO_MINI_PROGRAM__APPID": keys.mini_appid,
        "YIYUEBAO_SMS__BASE_URL": base_url,
        "YIYUEBAO_MAPS__BASE_URL": base_url,
        "YIYUEBAO_BAIDU_OCR__BASE_URL": base_url,
    }
    write_private(home / _ENVIRONMENT, _as_lines(environment).encode())
    return environment


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, mode 0600; a killed process leaves the old one (a power cut may leave neither)."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    draft.replace(path)


def _make(home: Path) -> None:
    merchant, wechat = (generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    for name, key in ((_MERCHANT_KEY, merchant), (_WECHAT_KEY, wechat)):
        write_private(home / name, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = wechat.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_private(home / _WECHAT_PUBLIC_KEY, public)
    numbers = {
        "mchid": MCHID,
        "mini_appid": MINI_APPID,
        "app_appid": APP_APPID,
        "cert_serial": secrets.token_hex(20).upper(),
        "apiv3_key": secrets.token_hex(16),
        "public_key_id": "PUB_KEY_ID_01" + "".join(secrets.choice("0123456789") for _ in range(32)),
    }
    write_private(home / _NUMBERS, json.dumps(numbers, indent=1).encode())  # last: its presence says that all is there


def _as_lines(environment: Mapping[str, str]) -> str:
    """For a shell's `.` and for dotenv alike: both take single quotes literally."""
    if broken := [name for name, value in environment.items() if "'" in value or "\n" in value]:
        raise ValueError(f"cannot be written to an environment file: {', '.join(broken)}")
    lines = (f"{name}='{value}'" if " " in value else f"{name}={value}" for name, value in environment.items())
    return "\n".join(lines) + "\n"


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    with (home / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
