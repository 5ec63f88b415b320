"""Cards and papers as text, and whether a name and an ID number belong together (RULE-05 to 07, A05, A06).

What is read here is a proposal: nobody is verified by it (RULE-07).

Refusals (`ProviderRefused.code`):

    over-quota       the day's or the contract's calls are used up; a person reads instead
    bad-image        no picture, a wrong format or size; for the user
    not-recognised   the provider made nothing of it
    misconfigured    key, secret or permission is wrong; for the operator
    refused          anything else the provider is final about
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Protocol, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection


class CardSide(StrEnum):
    """Front (人像面) holds the person, back (国徽面) the validity."""

    FRONT = "front"
    BACK = "back"


class CardImage(StrEnum):
    """What the picture shows; only `normal` was read as what it should be."""

    NORMAL = "normal"
    REVERSED_SIDE = "reversed_side"
    NOT_A_CARD = "not_a_card"
    OTHER_CARD = "other_card"
    BLURRED = "blurred"
    BAD_LIGHT = "bad_light"
    UNKNOWN = "unknown"


class CardRisk(StrEnum):
    """Why a picture may not be of a genuine card in somebody's hand (A06)."""

    COPY = "copy"
    TEMPORARY = "temporary"
    SCREEN = "screen"
    EDITED = "edited"
    COVERED = "covered"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class IdCardReading:
    """What was read of one side; None is what was not there or could not be read."""

    side: CardSide
    image: CardImage
    risks: frozenset[CardRisk]
    name: str | None = None
    sex: str | None = None  # 男 or 女, as printed
    nation: str | None = None
    birth_date: date | None = None
    address: str | None = None
    number: str | None = None
    issuer: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    long_term: bool = False  # 长期: no last day (RULE-06)


class IdentityOcr(Protocol):
    """Reads pictures (JPEG or PNG)."""

    async def read_id_card(self, image: bytes, side: CardSide) -> IdCardReading:
        """One side of an ID card. Safe to repeat; each call counts against the quota.

        Raises ProviderUnavailable, ProviderRefused.
        """
        ...

    async def read_text(self, image: bytes) -> Sequence[str]:
        """The lines of text of any paper, top to bottom; empty when there are none.

        Raises ProviderUnavailable, ProviderRefused.
        """
        ...


class IdentityVerifier(Protocol):
    """The two-factor check of the register (RULE-07)."""

    async def belong_together(self, name: str, id_no: str) -> bool:
        """Whether the register knows this name under this number; False too when it knows no such number.

        Raises ProviderUnavailable, ProviderRefused.
        """
        ...


class IdentityReader(IdentityOcr, IdentityVerifier, Protocol):
    """Both, from one provider."""


async def get_identity(connection: HTTPConnection) -> IdentityReader:
    """The one of this process."""
    return cast("IdentityReader", connection.app.state.gateways.identity)


IdentityGateway = Annotated[IdentityReader, Depends(get_identity)]
