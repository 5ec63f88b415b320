"""Access tokens: what we issue is read, and of a corpus of hostile ones none is, nor breaks anything."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jose import jwe, jwt
from pydantic import SecretStr

from yiyuebao_api.kernel.ids import AccountId, HospitalId, SessionId
from yiyuebao_api.kernel.tokens import (
    ALGORITHM,
    AUDIENCE,
    ISSUER,
    LIFETIME,
    REMEMBERED,
    TYPE,
    Claims,
    Mode,
    Refused,
    Tokens,
)
from yiyuebao_api.settings import DEVELOPMENT_SECRET, Secrets

KEY = "a key of this test alone, and longer than 32 characters"
OLD = "the key of the month before, also longer than 32 characters"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
TOKENS = Tokens(Secrets(token_key=SecretStr(KEY), token_key_id="t2", old_token_keys={"t1": SecretStr(OLD)}))
CLAIMS = Claims(AccountId.new(), SessionId.new(), Mode.DESK, HospitalId.new())
GOOD = TOKENS.issue(CLAIMS, now=NOW)

HEADER: dict[str, Any] = {"alg": ALGORITHM, "typ": TYPE, "kid": "t2"}
BODY: dict[str, Any] = {
    "iss": ISSUER, "aud": AUDIENCE, "sub": str(CLAIMS.account_id), "sid": str(CLAIMS.session_id), "mode": "desk",
    "hsp": str(CLAIMS.hospital_id), "iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 900, "jti": "x",
}  # fmt: skip


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def part(value: Any) -> str:
    return b64(value if isinstance(value, bytes) else json.dumps(value).encode())


def signed(header: Any = HEADER, body: Any = BODY, *, key: str | bytes = KEY, digest: str = "sha256") -> str:
    """Signed with our own key unless told otherwise: what must be refused is refused for its content."""
    message = f"{part(header)}.{part(body)}"
    raw = key.encode() if isinstance(key, str) else key
    return f"{message}.{b64(hmac.new(raw, message.encode(), digest).digest())}"


def head(**changes: Any) -> str:
    return signed({name: value for name, value in (HEADER | changes).items() if value is not ...})


def says(**changes: Any) -> str:
    return signed(body={name: value for name, value in (BODY | changes).items() if value is not ...})


def corpus() -> Iterator[tuple[str, str]]:
    h, b, s = GOOD.split(".")

    # what is no token at all
    yield "empty", ""
    yield "one part", h
    yield "two parts", f"{h}.{b}"
    yield "no signature", f"{h}.{b}."
    yield "four parts", f"{GOOD}.{s}"
    yield "dots", ".." * 20
    yield "blanks around", f" {GOOD} "
    yield "line end", f"{GOOD}\n"
    yield "NUL inside", f"{h}\x00.{b}.{s}"
    yield "other letters", GOOD.replace(".", "。")
    yield "a lone surrogate", "\ud800" + GOOD[1:]
    yield "very long", f"{h}.{'A' * 100_000}.{s}"
    yield "long header", f"{'A' * 401}.{b}.{s}"
    yield "deep nesting", f"{b64(b'[' * 2000)}.{b}.{s}"
    yield "deep nesting that fits", signed(b"[" * 250)
    yield "deep objects that fit", signed(b'{"a":' * 55)
    yield "deep nesting in a signed body", signed(body=b"[" * 1150)
    yield "deep objects in a signed body", signed(body=b'{"a":' * 230)
    yield "encrypted, five parts", jwe.encrypt(b"{}", hashlib.sha256(b"k").digest(), encryption="A256GCM").decode()

    # one token has one spelling
    yield "padded", f"{h}.{b}.{s}="
    yield "standard alphabet", f"{h}.{b}.{'+/' + s[2:]}"
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for step in (1, 2, 3):
        yield f"spare bits of the signature {step}", GOOD[:-1] + last[last.index(GOOD[-1]) // 4 * 4 + step - (
            1 if last.index(GOOD[-1]) % 4 >= step else 0
        )]  # fmt: skip
    yield "spare bits of the header", signed(b'{"alg":"HS256","typ":"at+jwt","kid":"t2" }').replace("fQ.", "fR.", 1)

    # the signature
    yield "flipped bit", f"{h}.{b}.{('B' if s[0] != 'B' else 'C') + s[1:]}"
    yield "zeros", f"{h}.{b}.{'A' * 43}"
    yield "another's signature", f"{h}.{b}.{says(jti='y').split('.')[2]}"
    yield "unknown key", signed(key="somebody else's key, which is also long enough")
    yield "the development key", signed(key=DEVELOPMENT_SECRET)
    yield "the empty key", signed(key="")
    yield "the key's name as the key", signed(key="t2")
    yield "body swapped", f"{h}.{says(mode='operator').split('.')[1]}.{s}"
    yield "header swapped", f"{head(kid='t1').split('.')[0]}.{b}.{s}"
    yield "old key under the new name", signed(key=OLD)
    yield "new key under the old name", head(kid="t1")

    # the algorithm
    for name in ("none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", "HS256 "):
        yield f"alg {name!r}", head(alg=name)
    yield "alg none, unsigned", f"{part(HEADER | {'alg': 'none'})}.{b}."
    yield "alg missing", head(alg=...)
    for odd in (None, 256, ["HS256"], {"a": 1}, True):
        yield f"alg {odd!r}", head(alg=odd)
    yield "HS512 really", signed(HEADER | {"alg": "HS512"}, digest="sha512")
    yield "HS512 cut to size", signed(HEADER | {"alg": "HS512"}, digest="sha512")[: len(GOOD)]
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = rsa_key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    private = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    yield "RS256 with a key of the attacker's", jwt.encode(BODY, private, "RS256", headers={"typ": TYPE, "kid": "t2"})
    yield "public key as HMAC secret, PEM", signed(key=pem)
    yield "public key as HMAC secret, DER", signed(key=der)
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    ).decode()  # fmt: skip
    yield "ES256 with a key of the attacker's", jwt.encode(BODY, curve, "ES256", headers={"typ": TYPE, "kid": "t2"})

    # the header
    for kind in ("JWT", "jwt", "at+JWT", "application/at+jwt", "refresh+jwt", "", None, 1):
        yield f"typ {kind!r}", head(typ=kind)
    yield "typ missing", head(typ=...)
    for kid in ("t3", "", "T2", "../../dev/null", "' OR 1=1 --", "t2\x00", None, 2, ["t2"], {"t2": 1}):
        yield f"kid {kid!r}", head(kid=kid)
    yield "kid missing", head(kid=...)
    yield "crit", head(crit=["b64"])
    yield "b64 false", head(b64=False)
    yield "jku", head(jku="https://evil.example/keys")
    yield "jwk", head(jwk={"kty": "oct", "k": b64(KEY.encode())})
    yield "x5u", head(x5u="https://evil.example/cert")
    yield "zip", head(zip="DEF")
    yield "header is a list", signed([HEADER])
    yield "header is a text", signed("HS256 at+jwt t2 and some more")
    yield "header is no JSON", signed(b"alg=HS256;typ=at+jwt;kid=t2")
    yield "header is no UTF-8", signed(b'{"alg":"HS256","typ":"at+jwt","kid":"\xff"}')
    yield "alg twice", signed(b'{"alg":"HS256","alg":"none","typ":"at+jwt","kid":"t2"}')

    # the claims, signed with the right key
    for name in ("iss", "aud", "sub", "sid", "mode", "iat", "nbf", "exp", "jti"):
        yield f"{name} missing", says(**{name: ...})
        yield f"{name} null", says(**{name: None})
    yield "a claim too many", says(admin=True)
    yield "scope", says(scope="operator")
    yield "another issuer", says(iss="evil")
    yield "another audience", says(aud="partner-api")
    yield "body is a list", signed(body=[BODY])
    yield "body is a number", signed(body=b"123456789012345678901234567890")
    yield "body is no JSON", signed(body=b"sub=acc_1; mode=operator; exp=9999999999")
    yield "body is no UTF-8", signed(body=b'{"sub":"\xff\xfe\xfd\xfc\xfb\xfa"}')
    for name, value in {
        "sub": "acc_1", "sid": str(CLAIMS.account_id), "mode": "god", "hsp": str(CLAIMS.account_id),
    }.items():  # fmt: skip
        yield f"{name} {value}", says(**{name: value})
    yield "sub of another kind", says(sub=str(CLAIMS.session_id))
    yield "sub a number", says(sub=1)
    yield "sub a list", says(sub=[str(CLAIMS.account_id)])
    yield "sub with an overflow", says(sub="acc_" + "z" * 26)
    yield "mode in capitals", says(mode="DESK")
    yield "mode a list", says(mode=["desk", "operator"])
    yield "hsp null", says(hsp=None)

    # the times
    yield "expired", says(iat=SECONDS - 901, nbf=SECONDS - 901, exp=SECONDS - 1)
    yield "expires now", says(iat=SECONDS - 900, nbf=SECONDS - 900, exp=SECONDS)
    yield "not yet", says(iat=SECONDS + 61, nbf=SECONDS + 61, exp=SECONDS + 900)
    yield "issued in the future", says(iat=SECONDS + 61)
    yield "lives too long", says(exp=SECONDS + 901)
    yield "lives for ever", says(exp=32503680000)
    yield "expires before it was issued", says(iat=32503680000, exp=SECONDS + 315_360_000)
    for end in (str(SECONDS + 900), SECONDS + 899.5, True, [SECONDS + 900], -1, 0, 10**40):
        yield f"exp {end!r}", says(exp=end)
    for word in (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"9" * 500):
        yield f"exp {word[:9]!r}", signed(body=json.dumps(BODY).encode().replace(str(SECONDS + 900).encode(), word))
    yield "iat a text", says(iat=str(SECONDS))
    yield "nbf a float", says(nbf=float(SECONDS))


CORPUS = dict(corpus())


def test_what_we_issue_is_read() -> None:
    assert TOKENS.read(GOOD, now=NOW) == CLAIMS
    person = Claims(AccountId.new(), SessionId.new(), Mode.PATIENT, None)
    assert TOKENS.read(TOKENS.issue(person, now=NOW), now=NOW) == person
    assert signed().count(".") == 2
    assert TOKENS.read(signed(), now=NOW) == CLAIMS  # the corpus is forged well enough to be read when it is true


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_survives_the_journey(mode: Mode) -> None:
    claims = Claims(AccountId.new(), SessionId.new(), mode, HospitalId.new())
    assert TOKENS.read(TOKENS.issue(claims, now=NOW), now=NOW) == claims


def test_a_token_lives_fifteen_minutes_and_not_before_its_time() -> None:
    for at, fits in (
        (timedelta(seconds=-61), False), (timedelta(seconds=-60), True), (timedelta(), True),
        (LIFETIME - timedelta(seconds=1), True), (LIFETIME, False),
    ):  # fmt: skip
        if fits:
            assert TOKENS.read(GOOD, now=NOW + at) == CLAIMS
        else:
            with pytest.raises(Refused):
                TOKENS.read(GOOD, now=NOW + at)


def test_a_key_that_was_replaced_still_reads_and_no_longer_writes() -> None:
    before = Tokens(Secrets(token_key=SecretStr(OLD), token_key_id="t1"))
    assert TOKENS.read(before.issue(CLAIMS, now=NOW), now=NOW) == CLAIMS
    with pytest.raises(Refused):
        before.read(GOOD, now=NOW)


def test_a_crowd_of_tokens_is_read_with_bounded_memory_and_each_still_ends() -> None:
    """Signatures once checked are remembered; were that unbounded, a night of sign-ins would fill the process."""
    tokens = Tokens(Secrets(token_key=SecretStr(KEY)))
    issued = [tokens.issue(CLAIMS, now=NOW) for _ in range(REMEMBERED + 10)]
    assert {tokens.read(each, now=NOW) for each in issued} == {CLAIMS}
    assert len(tokens._known) == REMEMBERED
    for each in (issued[0], issued[-1]):  # forgotten, and remembered
        with pytest.raises(Refused):
            tokens.read(each, now=NOW + LIFETIME)


def test_no_two_tokens_are_equal() -> None:
    assert len({TOKENS.issue(CLAIMS, now=NOW) for _ in range(20)}) == 20


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 100
    assert GOOD not in CORPUS.values()


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_token_is_refused_and_nothing_else_is_raised(name: str) -> None:
    with pytest.raises(Refused):
        TOKENS.read(CORPUS[name], now=NOW)


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(Refused):
        TOKENS.read(text, now=NOW)


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("ABCDabcd0189-_."))
def test_no_single_letter_can_be_changed(position: int, letter: str) -> None:
    changed = GOOD[:position] + letter + GOOD[position + 1 :]
    if changed != GOOD:
        with pytest.raises(Refused):
            TOKENS.read(changed, now=NOW)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(HEADER)), _json)
def test_no_header_value_breaks_it(name: str, value: Any) -> None:
    if value != HEADER[name]:
        with pytest.raises(Refused):
            TOKENS.read(head(**{name: value}), now=NOW)


@given(st.sampled_from(sorted(BODY)), _json)
def test_no_claim_breaks_it(name: str, value: Any) -> None:
    try:
        TOKENS.read(says(**{name: value}), now=NOW)
    except Refused:
        return
    assert name in {"jti", "iat", "nbf", "exp"}  # a value that happens to fit
