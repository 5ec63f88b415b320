"""Maps: an address becomes a place, a place becomes an address. All coordinates are GCJ-02 (RULE-18).

Refusals (`ProviderRefused.code`):

    no-address       nothing is known at this place: the sea, a foreign country
    misconfigured    key, signature or white list is wrong; for the operator
    refused          anything else the provider is final about
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection

from yiyuebao_api.kernel.geo import Point


@dataclass(frozen=True, slots=True)
class Address:
    """Where in the country something lies.

    `adcode` is the GB/T 2260 code of six digits, of the district wherever there is one. In the four
    municipalities (直辖市) and the special regions `city` repeats the province, in a county that the province
    rules directly it repeats the county; `district` is empty in the few cities that have none (东莞, 中山).
    """

    adcode: str
    province: str
    city: str
    district: str
    formatted: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place that was found; `precise` is False when only a street, a district or a city was recognised."""

    point: Point
    address: Address
    precise: bool


class Maps(Protocol):
    """Looks addresses up in both directions. Both are read-only: repeating does no harm."""

    async def geocode(self, address: str, city: str | None = None) -> Place | None:
        """The place of a written address; `city` (name, area code or adcode) narrows the search.

        None when no place matches. Raises ProviderUnavailable, ProviderRefused.
        """
        ...

    async def reverse(self, point: Point) -> Address:
        """The address of a place. Raises ProviderUnavailable, ProviderRefused (`no-address` at sea, abroad)."""
        ...


async def get_maps(connection: HTTPConnection) -> Maps:
    """The one of this process."""
    return cast("Maps", connection.app.state.gateways.maps)


MapsGateway = Annotated[Maps, Depends(get_maps)]
