"""A booking from the path, fetched and authorised, or 404."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from yiyuebao_api.domains.accounts.guards import HospitalDesk, Patient
from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import BookingId


async def access_own_booking(caller: Patient, booking_id: BookingId, tx: Tx) -> Booking:
    """The caller's own booking."""
    return await queries.require_own_booking(tx, caller.account_id, booking_id)


async def access_hospital_booking(caller: HospitalDesk, booking_id: BookingId, tx: Tx) -> Booking:
    """A paid booking at the caller's hospital."""
    return await queries.require_hospital_booking(tx, caller.hospital_id, booking_id)


OwnBooking = Annotated[Booking, Depends(access_own_booking)]
HospitalBooking = Annotated[Booking, Depends(access_hospital_booking)]
