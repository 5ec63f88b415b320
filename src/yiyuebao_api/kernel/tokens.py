"""Access tokens: JWT through python-jose with the strictness it lacks (fixed algorithm, required claims, bounded shape).

python-jose accepts tokens without `exp`, without the expected `aud`, with unknown `crit`, and dies of deep nesting, so the
shape is checked before it is asked and the claims after. Its JWE and JWK sides are not used.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from jose import jwt
from starlette.requests import HTTPConnection

from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId, HospitalId, SessionId
from yiyuebao_api.settings import Secrets

ALGORITHM, TYPE, ISSUER, AUDIENCE = "HS256", "at+jwt", "yiyuebao", "yiyuebao-api"
LIFETIME = timedelta(minutes=15)
#: How many genuine tokens one process remembers.
REMEMBERED = 4096
_SHAPE = re.compile(r"[A-Za-z0-9_-]{20,400}\.[A-Za-z0-9_-]{20,1600}\.[A-Za-z0-9_-]{43}")
_CLAIMS = {"iss", "aud", "sub", "sid", "mode", "iat", "nbf", "exp", "jti"}


class Mode(StrEnum):
    """As what somebody is signed in; a token carries exactly one."""

    PATIENT = "patient"
    CLINICIAN = "clinician"
    DESK = "desk"
    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Claims:
    """Who calls. `hospital_id` is the tenant of a clinician or a desk."""

    account_id: AccountId
    session_id: SessionId
    mode: Mode
    hospital_id: HospitalId | None
    expires_at: datetime | None = field(default=None, compare=False)  # of the token they were read from

    @property
    def key(self) -> str:
        """The caller, as the owner of idempotency keys."""
        return f"{self.mode}:{self.account_id}"


class Refused(Exception):
    """The token is not ours, not of this kind, or no longer valid."""


@dataclass(frozen=True, slots=True)
class _Genuine:
    """What a token with a right signature says, and between which seconds it may be believed."""

    claims: Claims
    not_before: int
    expires: int


class Tokens:
    """Issues and reads access tokens with the keys of the settings; old keys still read while they rotate."""

    def __init__(self, settings: Secrets) -> None:
        self._current = settings.token_key_id
        self._keys = {name: key.get_secret_value() for name, key in settings.old_token_keys.items()}
        self._keys[self._current] = settings.token_key.get_secret_value()
        self._known: OrderedDict[str, _Genuine] = OrderedDict()

    def issue(self, claims: Claims, *, now: datetime) -> str:
        """A token that lives fifteen minutes."""
        issued = int(now.timestamp())
        body: dict[str, Any] = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": str(claims.account_id), "sid": str(claims.session_id),
            "mode": claims.mode.value, "iat": issued, "nbf": issued, "exp": issued + int(LIFETIME.total_seconds()),
            "jti": str(SessionId.new()),
        }  # fmt: skip
        if claims.hospital_id is not None:
            body["hsp"] = str(claims.hospital_id)
        headers = {"typ": TYPE, "kid": self._current}
        return str(jwt.encode(body, self._keys[self._current], ALGORITHM, headers=headers))

    def read(self, token: str, *, now: datetime) -> Claims:
        """Raises Refused, and nothing else, whatever the token holds."""
        try:
            genuine = self._known.get(token) or self._remember(token)
        except Refused:
            raise
        except Exception:
            raise Refused from None
        if not genuine.not_before - 60 <= now.timestamp() < genuine.expires:
            raise Refused
        return genuine.claims

    def _remember(self, token: str) -> _Genuine:
        """A signature is the same at every request of its fifteen minutes; only genuine tokens are remembered."""
        genuine = self._check(token)
        self._known[token] = genuine
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return genuine

    def _check(self, token: str) -> _Genuine:
        """Everything that does not depend on the hour."""
        if not _SHAPE.fullmatch(token):
            raise Refused
        parts = token.split(".")
        if any(_canonical(_bytes(part)) != part for part in parts):  # one token, one spelling
            raise Refused
        header = _object(parts[0])
        if set(header) != {"alg", "typ", "kid"} or header["alg"] != ALGORITHM or header["typ"] != TYPE:
            raise Refused
        key = self._keys.get(header["kid"])
        if key is None:
            raise Refused
        # The times are checked against the business clock, which jose does not know.
        body = jwt.decode(
            token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require_aud": True, "require_iss": True},
        )  # fmt: skip
        if not _CLAIMS <= set(body) <= _CLAIMS | {"hsp"}:
            raise Refused
        times = [body["iat"], body["nbf"], body["exp"]]
        if any(type(each) is not int for each in times) or not 0 < body["exp"] - body["iat"] <= LIFETIME.total_seconds():
            raise Refused
        hospital = HospitalId.parse(body["hsp"]) if "hsp" in body else None
        ends = datetime.fromtimestamp(body["exp"], UTC)
        claims = Claims(AccountId.parse(body["sub"]), SessionId.parse(body["sid"]), Mode(body["mode"]), hospital, ends)
        return _Genuine(claims, max(body["nbf"], body["iat"]), body["exp"])

    def expires(self, now: datetime) -> datetime:
        return datetime.fromtimestamp(int(now.timestamp()), UTC) + LIFETIME


def _bytes(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise Refused from None


def _canonical(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise Refused from None
    if not isinstance(value, dict):
        raise Refused
    return value


def claims_of(connection: HTTPConnection) -> Claims | None:
    """Who the `Authorization` header says is calling; None without a valid token. No database is asked."""
    header = connection.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        claims: Claims = connection.app.state.tokens.read(token, now=clock.now())
    except Refused:
        return None
    return claims
