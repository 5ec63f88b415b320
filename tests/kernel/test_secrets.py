"""Sealed columns, blind indexes, codes and passwords: useless without the keys, and bound to their place."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import insert, select, text
from sqlalchemy.exc import StatementError

from tests.kernel.bank import Entry
from yiyuebao_api.kernel import secrets
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import BookingId
from yiyuebao_api.kernel.secrets import KeyRing, Unreadable
from yiyuebao_api.settings import Secrets


def key(letter: str) -> SecretStr:
    return SecretStr(base64.b64encode(letter.encode() * 32).decode())


def ring_of(current: str = "k1", *, index: str = "index", **keys: str) -> KeyRing:
    given = {name: key(letter) for name, letter in (keys or {"k1": "a"}).items()}
    return KeyRing(Secrets(keys=given, current=current, index_key=SecretStr(index)))


RING = ring_of()


@pytest.fixture
def kept_ring() -> Iterator[None]:
    before = secrets._ring
    yield
    secrets._ring = before


@given(st.binary(max_size=500), st.text(min_size=1, max_size=20).filter(lambda each: each.isprintable()))
def test_what_is_sealed_opens_again(plain: bytes, label: str) -> None:
    """A name that does not come back is a patient nobody can visit."""
    sealed = RING.seal(label, plain)
    assert RING.open(label, sealed) == plain
    assert len(plain) < 4 or plain not in sealed


def test_equal_values_look_different_each_time() -> None:
    """Otherwise a stolen table shows who shares an address."""
    assert len({RING.seal("x", b"same") for _ in range(50)}) == 50


@given(st.data())
def test_one_changed_bit_anywhere_is_noticed(data: st.DataObject) -> None:
    """Somebody who can write the table must not be able to write a patient's address."""
    sealed = RING.seal("label", b"13800138000")
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    forged = bytearray(sealed)
    forged[at // 8] ^= 1 << at % 8
    with pytest.raises(Unreadable):
        RING.open("label", bytes(forged))


@given(st.binary(max_size=80))
def test_nonsense_is_unreadable_and_nothing_else(nonsense: bytes) -> None:
    """A column that holds what nobody sealed must say so in one known way, not as an IndexError."""
    with pytest.raises(Unreadable):
        RING.open("label", nonsense)


@given(st.integers(0, 40))
def test_a_value_that_was_cut_is_unreadable(length: int) -> None:
    """A column too short for its value must be noticed at the first reading."""
    sealed = RING.seal("label", b"13800138000")
    with pytest.raises(Unreadable):
        RING.open("label", sealed[: min(length, len(sealed) - 1)])


def test_a_value_of_one_column_does_not_open_in_another() -> None:
    """Copied from notes to phone by somebody who may update both, it would be shown where phones are shown."""
    with pytest.raises(Unreadable):
        RING.open("patients.phone", RING.seal("patients.name", b"x"))


def test_rotation_writes_with_the_new_key_and_reads_both() -> None:
    """A key is changed while the service runs; last year's patients still have names."""
    old = ring_of("k1", k1="a")
    both = ring_of("k2", k1="a", k2="b")
    new = ring_of("k2", k2="b")
    before, after = old.seal("x", b"before"), both.seal("x", b"after")
    assert (both.open("x", before), both.open("x", after)) == (b"before", b"after")
    assert new.open("x", after) == b"after"
    with pytest.raises(Unreadable, match="no key 'k1'"):
        new.open("x", before)
    with pytest.raises(Unreadable, match="no key 'k2'"):
        old.open("x", after)


def test_a_key_of_the_same_name_is_not_the_same_key() -> None:
    """Two installations that swap dumps learn nothing of each other."""
    with pytest.raises(Unreadable):
        ring_of(k1="b").open("x", ring_of(k1="a").seal("x", b"plain"))


def test_the_blind_index_finds_and_tells_nothing() -> None:
    """The same phone is found again; without the key nobody can try all phones; columns do not compare."""
    phone = "+8613800138000"
    assert RING.blind("phone", phone) == ring_of().blind("phone", phone)
    assert len(RING.blind("phone", phone)) == 32
    assert RING.blind("phone", phone) != RING.blind("other", phone)
    assert RING.blind("phone", phone) != ring_of(index="other").blind("phone", phone)
    assert RING.blind("a", "b") != RING.blind("a\0b", ""), "label and value cannot be shifted"
    assert ring_of("k2", k1="a", k2="b").blind("phone", phone) == RING.blind("phone", phone), "rotation keeps it"


@pytest.mark.parametrize(
    "given", [{"keys": {"k1": key("a")}, "current": "k2"}, {"keys": {"k1": SecretStr("c2hvcnQ=")}}, {"keys": {}}]
)
def test_a_ring_that_cannot_write_is_not_made(given: dict[str, object]) -> None:
    """Found at the start, not at the first patient."""
    with pytest.raises(ValueError):
        KeyRing(Secrets(**given))


def test_without_a_ring_nothing_is_sealed_in_plain(kept_ring: None) -> None:
    """A process that forgot its keys must stop, not write names in clear."""
    secrets._ring = None
    with pytest.raises(RuntimeError):
        secrets.blind("x", "y")


async def test_the_column_holds_no_plain_word(store: Database) -> None:
    """A dump on somebody's laptop must be useless."""
    entry = Entry(id=BookingId.new(), what="x", secret="张三丰-ABCDEFG", document={"phone": "13800138000", "名": "三"})
    async with store.begin() as tx:
        tx.add(entry)
    async with store.begin() as tx:
        raw = (await tx.execute(text("SELECT secret, document FROM bank_entry"))).one()
        assert "张三丰".encode() not in raw.secret
        assert b"ABCDEFG" not in raw.secret
        assert b"13800138000" not in raw.document
        read = await tx.get_one(Entry, entry.id)
        assert (read.secret, read.document) == ("张三丰-ABCDEFG", {"phone": "13800138000", "名": "三"})


async def test_a_value_moved_to_another_column_does_not_open(store: Database, kept_ring: None) -> None:
    """The label is the column's: SQL that copies between columns is noticed."""
    entry = Entry(id=BookingId.new(), what="x", secret="geheim", document={"a": 1})
    async with store.begin() as tx:
        tx.add(entry)
    async with store.begin() as tx:
        await tx.execute(text("UPDATE bank_entry SET document = secret"))
    with pytest.raises(Unreadable):
        async with store.begin() as tx:
            await tx.get_one(Entry, entry.id)


async def test_the_longest_plain_text_fits_its_column(store: Database) -> None:
    """Fifty characters of four bytes each, under a key with a long name."""
    value = "𠮷" * 50
    async with store.begin() as tx:
        await tx.execute(insert(Entry).values(id=BookingId.new(), what="x", secret=value))
    async with store.begin() as tx:
        assert (await tx.scalars(select(Entry.secret))).one() == value


async def test_a_broken_value_is_no_500_of_the_driver(store: Database) -> None:
    """A lone surrogate cannot be written: it must fail before it is half written."""
    with pytest.raises((UnicodeEncodeError, StatementError)):
        async with store.begin() as tx:
            tx.add(Entry(id=BookingId.new(), what="x", secret="\ud800"))


def test_codes_and_tokens() -> None:
    """Six digits with leading zeros, hashed with a pepper: a million guesses over a stolen table find nothing."""
    codes = [secrets.new_code() for _ in range(500)]
    assert all(len(each) == 6 and each.isdecimal() for each in codes)
    assert len(set(codes)) > 480
    assert RING.pepper("sms", "123456") != RING.pepper("check-in", "123456")
    assert RING.pepper("sms", "123456") != RING.blind("sms", "123456")
    assert len({secrets.new_token() for _ in range(100)}) == 100
    assert len(secrets.token_hash("x")) == 32
    assert secrets.same(b"a", b"a")
    assert not secrets.same(b"a", b"b")


async def test_passwords() -> None:
    """argon2id with a salt of its own; a broken hash in the table is a wrong password, not a 500."""
    one, other = await asyncio.gather(secrets.hash_password("correct horse"), secrets.hash_password("correct horse"))
    assert one != other
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await secrets.password_fits("correct horse", one)
    assert not await secrets.password_fits("wrong horse", one)
    for broken in ("", "nonsense", "$argon2id$", one[:-5]):
        assert not await secrets.password_fits("correct horse", broken)
    for odd in ("", "\0", "a\0b", "\ud800", "長" * 5000):
        assert not await secrets.password_fits(odd, one)


async def test_an_account_that_does_not_exist_takes_as_long() -> None:
    """Otherwise the time of the answer tells who has a login."""
    stored = await secrets.hash_password("correct horse")

    async def quickest(of: str | None) -> float:
        times = []
        for _ in range(7):
            began = time.perf_counter()
            await secrets.password_fits("wrong", of)
            times.append(time.perf_counter() - began)
        return min(times)

    real, none = await quickest(stored), await quickest(None)
    assert 0.3 < none / real < 3, (real, none)


async def test_the_loop_goes_on_while_a_password_is_checked() -> None:
    """Twenty milliseconds of argon2 in the loop would be fifty requests a second at best."""
    stored, turns = await secrets.hash_password("x"), 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await secrets.password_fits("y", stored)
    counting.cancel()
    assert turns > 20
