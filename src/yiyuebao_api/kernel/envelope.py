"""Objects outside the database, each under a key of its own (RULE-149).

A file has one random data key, kept sealed under the key ring in its row; each of its objects is AES-256-GCM under a key
derived from it and from the object's name, so that two objects changed for one another do not open.
"""

from __future__ import annotations

import base64
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yiyuebao_api.kernel.secrets import Unreadable

_VERSION, _NONCE = b"\x01", 12


def new_data_key() -> str:
    """256 random bits in base64, for a sealed column."""
    return base64.b64encode(os.urandom(32)).decode()


def seal(data_key: str, name: str, content: bytes) -> bytes:
    """version · nonce · ciphertext with tag."""
    nonce = os.urandom(_NONCE)
    return _VERSION + nonce + _cipher(data_key, name).encrypt(nonce, content, name.encode())


def unseal(data_key: str, name: str, sealed: bytes) -> bytes:
    """Raises Unreadable when the object was changed, cut, or is another's."""
    if sealed[:1] != _VERSION:
        raise Unreadable(f"{name}: an unknown version")
    nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    try:
        return _cipher(data_key, name).decrypt(nonce, rest, name.encode())
    except (InvalidTag, ValueError):
        raise Unreadable(f"{name}: the object was changed") from None


def _cipher(data_key: str, name: str) -> AESGCM:
    return AESGCM(hmac.digest(base64.b64decode(data_key), b"object\0" + name.encode(), "sha256"))
