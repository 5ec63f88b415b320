"""A booking from the path, fetched and authorised, or 404."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from yiyuebao_api.domains.accounts.guards import HospitalDesk, Patient
from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import BookingId
from yiyuebao_api.kernel.turnstile import Turnstile


async def access_own_booking(caller: Patient, booking_id: BookingId, tx: Tx) -> Booking:
    """The caller's own booking."""
    return await queries.require_own_booking(tx, caller.account_id, booking_id)


async def access_hospital_booking(caller: HospitalDesk, booking_id: BookingId, tx: Tx) -> Booking:
    """A paid booking at the caller's hospital."""
    return await queries.require_hospital_booking(tx, caller.hospital_id, booking_id)


OwnBooking = Annotated[Booking, Depends(access_own_booking)]
HospitalBooking = Annotated[Booking, Depends(access_hospital_booking)]


async def wait_for_the_slot(request: Request) -> AsyncIterator[None]:
    """Whoever wants one slot stands in line without a connection, so that all others book undisturbed. See `Turnstile`."""
    try:
        body = await request.json()  # read already, for the route itself
        wanted = (str(body["service_id"]), str(body["starts_at"]))
    except (ValueError, KeyError, TypeError):  # the route says what is wrong with it
        yield
        return
    turnstile: Turnstile = request.app.state.turnstile
    async with turnstile.through(wanted):
        yield
