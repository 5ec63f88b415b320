"""Addresses a visit may go to; a place is given by the phone or looked up on the map."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.queries import lock_account
from yiyuebao_api.domains.patients.models import Address
from yiyuebao_api.domains.patients.problems import AddressNotFound, PlaceOutsideChina, TooManyAddresses
from yiyuebao_api.domains.patients.queries import count_addresses, lock_address, require_address
from yiyuebao_api.domains.patients.rules import MAX_ADDRESSES, city_of, lies_in
from yiyuebao_api.domains.patients.schemas import AddressIn
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.maps import Maps
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.editing import Precondition
from yiyuebao_api.kernel.geo import Point, to_gcj02
from yiyuebao_api.kernel.idempotency import Claim
from yiyuebao_api.kernel.ids import AccountId, AddressId
from yiyuebao_api.kernel.problems import ProviderDown
from yiyuebao_api.kernel.schema import e164
from yiyuebao_api.kernel.secrets import blind

log = structlog.get_logger("yiyuebao.patients")


async def create_address(
    begin: Begin, gateway: Maps, account_id: AccountId, given: AddressIn, *, claim: Claim | None, now: datetime
) -> Address:
    """Add an address; with a claim once, whatever crashes in between.

    Raises TooManyAddresses, PlaceOutsideChina, AddressNotFound, ProviderDown.
    """
    address_id = AddressId.new()
    async with begin() as tx:
        if claim is not None:
            address_id = AddressId.of((await claim.take(tx, lease=True)).bytes)
            if made := await tx.get(Address, address_id):
                return made  # by a run that died before it could answer
        await _require_room(tx, account_id)  # nobody pays for a look at the map that cannot be kept
    place = await _locate(gateway, given)
    async with begin() as tx:
        await lock_account(tx, account_id)
        await _require_room(tx, account_id)
        address = Address(id=address_id, account_id=account_id, version=1, created_at=now, deleted_at=None)
        _write(address, given, place)
        tx.add(address)
    return address


async def update_address(
    begin: Begin, gateway: Maps, account_id: AccountId, address_id: AddressId, given: AddressIn, *,
    expected: Precondition,
) -> Address:  # fmt: skip
    """Replace an address; bookings keep the place they were made for.

    Raises NotFound, PreconditionFailed, PlaceOutsideChina, AddressNotFound, ProviderDown.
    """
    if given.lat is None:
        async with begin() as tx:
            expected.require((await require_address(tx, account_id, address_id)).version)
    place = await _locate(gateway, given)
    async with begin() as tx:
        address = await lock_address(tx, account_id, address_id)
        expected.require(address.version)
        _write(address, given, place)
        address.version += 1
    return address


async def delete_address(tx: AsyncSession, account_id: AccountId, address_id: AddressId, *, now: datetime) -> None:
    """Hide an address; bookings keep theirs. Raises NotFound."""
    address = await lock_address(tx, account_id, address_id)
    address.deleted_at = now


@dataclass(frozen=True, slots=True)
class _Located:
    point: Point
    precise: bool


async def _locate(gateway: Maps, given: AddressIn) -> _Located:
    if given.lat is not None and given.lng is not None:
        try:
            return _Located(to_gcj02(given.lat, given.lng, given.coord_type), precise=True)
        except ValueError:
            raise PlaceOutsideChina from None
    try:
        found = await gateway.geocode(f"{given.district}{given.detail}", city=city_of(given.adcode))
    except ProviderUnavailable as error:
        log.warning("maps unavailable", error=str(error))
        raise ProviderDown(retry_after=5) from None
    except ProviderRefused as error:
        log.error("maps refused", error=str(error))
        raise ProviderDown(retry_after=60) from None
    if found is None or not lies_in(found.address.adcode, given.adcode):
        raise AddressNotFound
    return _Located(found.point, found.precise)


async def _require_room(tx: AsyncSession, account_id: AccountId) -> None:
    if await count_addresses(tx, account_id) >= MAX_ADDRESSES:
        raise TooManyAddresses(most=MAX_ADDRESSES)


def _write(address: Address, given: AddressIn, place: _Located) -> None:
    phone = e164(given.phone)
    address.recipient, address.phone, address.phone_index = given.recipient, phone, blind("addresses.phone", phone)
    address.adcode, address.district, address.detail = given.adcode, given.district, given.detail
    address.point, address.precise = place.point, place.precise
