"""Objects under keys of their own: each opens under its own key and name only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.kernel import envelope
from yiyuebao_api.kernel.secrets import Unreadable

KEY, NAME = envelope.new_data_key(), "files/2026-11-25/a/main"


@given(st.binary(max_size=2000))
def test_there_and_back(content: bytes) -> None:
    sealed = envelope.seal(KEY, NAME, content)
    assert envelope.unseal(KEY, NAME, sealed) == content
    assert sealed != envelope.seal(KEY, NAME, content)
    if len(content) > 8:
        assert content not in sealed


@given(st.data())
def test_nothing_else_opens(data: st.DataObject) -> None:
    sealed = envelope.seal(KEY, NAME, b"content")
    at = data.draw(st.integers(0, len(sealed) - 1))
    flipped = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
    for key, name, lying in (
        (KEY, NAME, flipped), (KEY, NAME, sealed[:at]), (KEY, NAME + "x", sealed), (envelope.new_data_key(), NAME, sealed),
    ):  # fmt: skip
        with pytest.raises(Unreadable):
            envelope.unseal(key, name, lying)
