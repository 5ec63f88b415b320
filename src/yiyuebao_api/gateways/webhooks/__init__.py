"""Webhooks: the one place that posts to addresses which hospitals give us (Standard Webhooks 1.0).

Whoever may name an address may try to reach our own network through us, so an address is judged twice: by its
words when it is saved (`accepts`), and by what its name resolves to when it is called (`post`), on the very
connection that is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable


class Fault(StrEnum):
    """Why there is no answer; shown to the hospital, whose system it is."""

    ADDRESS = "address-not-allowed"
    NAME = "name-not-resolved"
    CONNECTION = "connection-failed"
    TLS = "tls-failed"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol-error"


class Unreached(ProviderUnavailable):
    """No answer came, or none that is HTTP; the receiver may have got the message all the same."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class AddressRefused(ProviderRefused):
    """The address is not one that we call; nothing was sent."""

    fault = Fault.ADDRESS

    def __init__(self) -> None:
        super().__init__(Fault.ADDRESS.value)


@dataclass(frozen=True, slots=True)
class Letter:
    """One attempt at one message. `id` stays the same over all attempts; every secret signs (two while they rotate)."""

    id: str
    url: str
    body: bytes
    secrets: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said. `retry_after` is its own wish, `excerpt` the beginning of its body."""

    status: int
    retry_after: timedelta | None
    excerpt: str


class WebhookPoster(Protocol):
    """Posts signed messages to addresses nobody has vouched for."""

    def accepts(self, url: str) -> bool:
        """Whether this is an address that may be called, as far as its words tell; asks no name server."""
        ...

    def lane(self, key: str, at_most: int, *, patience_s: float) -> AbstractAsyncContextManager[bool]:
        """A place for one call among those of `key` in this process; False when all `at_most` stay taken for so long.

        So a receiver that hangs holds up its own messages and nobody else's.
        """
        ...

    async def post(self, letter: Letter) -> Answer:
        """Sign, send and read the answer's beginning, within 15 s. Raises Unreached, AddressRefused."""
        ...
