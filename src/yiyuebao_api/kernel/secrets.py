"""Hashes, encrypted columns and blind indexes.

`Sealed("patients.name")` is a column type: AES-256-GCM under the current key, the key's id in front, the label as
associated data, so that a value cut out of one column does not open in another. Rows are found through `blind(label, …)`,
a keyed HMAC that says nothing without the key. The key ring is installed once per process from the settings.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets as random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from passlib.context import CryptContext
from passlib.exc import UnknownHashError
from pydantic_core import to_json
from sqlalchemy import LargeBinary
from sqlalchemy.dialects.mysql import VARBINARY
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from yiyuebao_api.settings import Secrets

_NONCE = 12


class Unreadable(Exception):
    """A sealed value was written under a key that is not on the ring, or was changed."""


class KeyRing:
    """The keys of encrypted columns: one writes, all read."""

    def __init__(self, settings: Secrets) -> None:
        self._keys = {name: AESGCM(_raw(key.get_secret_value())) for name, key in settings.keys.items()}
        self._current = settings.current
        if self._current not in self._keys:
            raise ValueError(f"secrets.current names no key of the ring: {self._current}")
        self._index = settings.index_key.get_secret_value().encode()
        self._pepper = settings.code_pepper.get_secret_value().encode()
        self._witness = settings.audit_key.get_secret_value().encode()

    def seal(self, label: str, plain: bytes) -> bytes:
        """key id length · key id · nonce · ciphertext with tag."""
        nonce, name = os.urandom(_NONCE), self._current.encode()
        return bytes([len(name)]) + name + nonce + self._keys[self._current].encrypt(nonce, plain, label.encode())

    @property
    def prefix(self) -> bytes:
        """What every value begins with that was sealed under the current key."""
        name = self._current.encode()
        return bytes([len(name)]) + name

    def open(self, label: str, sealed: bytes) -> bytes:
        """Raises Unreadable."""
        length = sealed[0] + 1 if sealed else 0
        name, nonce = sealed[1:length].decode("ascii", "replace"), sealed[length : length + _NONCE]
        if name not in self._keys:
            raise Unreadable(f"{label}: no key {name!r} on the ring")
        try:
            return self._keys[name].decrypt(nonce, sealed[length + _NONCE :], label.encode())
        except (InvalidTag, ValueError):  # changed, or cut
            raise Unreadable(f"{label}: the value was changed") from None

    def blind(self, label: str, value: str) -> bytes:
        return hmac.digest(self._index, f"{label}\0{value}".encode(), "sha256")

    def witness(self, label: str, content: bytes) -> bytes:
        """The digest of the audit's rows and seals: nobody without the key makes another that fits."""
        return hmac.digest(self._witness, label.encode() + b"\0" + content, "sha256")

    def pepper(self, label: str, value: str) -> bytes:
        return hmac.digest(self._pepper, f"{label}\0{value}".encode(), "sha256")


def _raw(key: str) -> bytes:
    raw = base64.b64decode(key)
    if len(raw) != 32:
        raise ValueError("a column key is 32 bytes in base64")
    return raw


_ring: KeyRing | None = None


def install(settings: Secrets) -> None:
    """Give this process its keys."""
    global _ring
    _ring = KeyRing(settings)


def ring() -> KeyRing:
    """The keys of this process."""
    if _ring is None:
        raise RuntimeError("secrets.install was not called")
    return _ring


def blind(label: str, value: str) -> bytes:
    """32 bytes by which a sealed value is found again; equal values of one label give equal bytes."""
    return ring().blind(label, value)


def code_hash(label: str, code: str) -> bytes:
    """The stored form of a short code (SMS, check-in): peppered, since six digits are guessed in a second otherwise."""
    return ring().pepper(label, code)


def token_hash(token: str) -> bytes:
    """The stored form of a long random token."""
    return hashlib.sha256(token.encode()).digest()


def new_token() -> str:
    """256 random bits for URLs and headers."""
    return random.token_urlsafe(32)


def new_code(digits: int = 6) -> str:
    """A short numeric code."""
    return f"{random.randbelow(10**digits):0{digits}d}"


def same(left: bytes, right: bytes) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(left, right)


class Sealed(TypeDecorator[str]):
    """An encrypted text column. `length` bounds the plain text in characters."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, label: str, length: int = 100) -> None:
        super().__init__()
        self.label, self.length = label, length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(cast("TypeEngine[Any]", VARBINARY(self.length * 4 + 64)))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else ring().seal(self.label, value.encode())

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else ring().open(self.label, bytes(value)).decode()


class SealedJson(TypeDecorator[dict[str, Any]]):
    """An encrypted JSON object, up to about 60 KB."""

    impl = LargeBinary(65535)
    cache_ok = True

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label

    def seal(self, value: Mapping[str, Any]) -> bytes:
        """As the column holds it."""
        return ring().seal(self.label, to_json(value))

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else self.seal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> dict[str, Any] | None:
        return None if value is None else cast("dict[str, Any]", json.loads(ring().open(self.label, bytes(value))))


# ── passwords: desk and operator accounts only ───────────────────────────────────────────────────────────────────────

_context = CryptContext(
    ["argon2"], argon2__type="ID", argon2__memory_cost=19456, argon2__time_cost=2, argon2__parallelism=1
)
_pool = ThreadPoolExecutor(2, thread_name_prefix="argon2")


async def hash_password(password: str) -> str:
    """argon2id, m=19 MiB, t=2, p=1; in a pool of two threads so that the loop never waits."""
    return await asyncio.get_running_loop().run_in_executor(_pool, _context.hash, password)


async def password_fits(password: str, stored: str | None) -> bool:
    """Takes the same time for an account that does not exist (`stored` None)."""

    def check() -> bool:
        if stored is None:
            _context.dummy_verify()
            return False
        try:
            return bool(_context.verify(password, stored))
        except (UnknownHashError, ValueError):
            return False

    return await asyncio.get_running_loop().run_in_executor(_pool, check)
