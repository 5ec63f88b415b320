"""Offers, customers, and bookings in every state, made through the service itself."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select

from tests.client import Api
from tests.scenes.accounts import make_account, make_staff, sign_in
from tests.scenes.catalogue import make_service
from tests.scenes.hospitals import make_hospital, make_site
from tests.scenes.patients import make_address, make_patient
from tests.scenes.schedules import make_pool
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts.models import WeChatIdentity
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.catalogue.models import Service, ServiceVersion
from yiyuebao_api.domains.hospitals.models import Hospital, Site
from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.domains.schedules.models import Pool
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId, BookingId, RowId
from yiyuebao_api.kernel.schema import wire_time
from yiyuebao_api.kernel.tokens import Mode


@dataclass(frozen=True, slots=True)
class Offered:
    """One published item with a schedule, and the desk that offers it."""

    hospital: Hospital
    site: Site
    service: Service
    version: ServiceVersion
    pool: Pool
    desk: Api

    def starts_at(self, *, days: int = 2, hour: int = 9) -> datetime:
        """A slot that is offered: on the full hour between 8 and 18, Shanghai."""
        return clock.today(clock.now()) + timedelta(days=days, hours=hour)


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody signed in on the phone, with a verified patient, an address and a bound WeChat."""

    account_id: AccountId
    api: Api
    patient: Patient
    address: Address
    openid: str

    def wish(self, offered: Offered, starts_at: datetime | None = None, *, place: str = "home") -> dict[str, Any]:
        """The body of a booking."""
        return {
            "service_id": str(offered.service.id), "place": place,
            "starts_at": wire_time(starts_at or offered.starts_at()), "patient_id": str(self.patient.id),
            "address_id": str(self.address.id) if place == "home" else None,
        }  # fmt: skip


async def make_offer(
    api: Api, context: Context, *, capacity: int = 1, sub_mchid: str | None = None, **content: Any
) -> Offered:
    """A hospital with a merchant, a site in Haikou, a published item and a pool open from 8 to 18 every day."""
    database = context.database
    sub_mchid = sub_mchid or f"19{secrets.randbelow(10**8):08d}"
    hospital = await make_hospital(database, sub_mchid=sub_mchid)
    site = await make_site(database, hospital.id)
    service, version = await make_service(database, site=site, **content)
    pool = await make_pool(database, service, capacity=capacity)
    staff = await make_staff(database, f"desk-{secrets.token_hex(4)}", hospital_id=hospital.id)
    signed = await sign_in(database, context.tokens, staff.id, mode=Mode.DESK, hospital_id=hospital.id)
    return Offered(hospital, site, service, version, pool, api.signed_in(signed.access_token))


async def make_customer(api: Api, context: Context, *, verified: bool = True) -> Customer:
    """A patient's phone, ready to book."""
    database = context.database
    account = await make_account(database)
    signed = await sign_in(database, context.tokens, account.id)
    patient = await make_patient(database, account.id, verified=verified)
    address = await make_address(database, account.id)
    openid = await bind_wechat(context, account.id)
    return Customer(account.id, api.signed_in(signed.access_token), patient, address, openid)


async def bind_wechat(context: Context, account_id: AccountId) -> str:
    """Give an account an openid in our mini-program; returns it."""
    openid = "o" + secrets.token_urlsafe(20)
    async with context.begin() as tx:
        tx.add(WeChatIdentity(
            id=RowId.new(), account_id=account_id, appid=context.settings.wechat_pay.mini_appid, openid=openid,
            bound_at=clock.now(),
        ))  # fmt: skip
    return openid


async def hold(
    customer: Customer, offered: Offered, starts_at: datetime | None = None, **options: Any
) -> dict[str, Any]:
    """A held booking, as the API answers it."""
    body = customer.wish(offered, starts_at, **options)
    made = await customer.api.post("/v1/bookings", key=secrets.token_hex(8), json=body)
    assert made.status_code == 201, made.text
    booking: dict[str, Any] = made.json()
    return booking


async def prepay(customer: Customer, booking_id: str, channel: str = "mini") -> dict[str, Any]:
    """What the phone gets to pay with."""
    asked = await customer.api.post(
        f"/v1/bookings/{booking_id}/payment", key=secrets.token_hex(8), json={"channel": channel}
    )
    assert asked.status_code == 201, asked.text
    prepaid: dict[str, Any] = asked.json()
    return prepaid


async def tap_pay(context: Context, prepaid: dict[str, Any]) -> None:
    """The phone pays; the sandbox sends its notification on its own."""
    async with httpx.AsyncClient(base_url=context.settings.wechat_pay.base_url) as sandbox:
        paid = await sandbox.post("/_sandbox/phone/pay", json=prepaid["parameters"])
        assert paid.status_code == 200, paid.text


async def pay(context: Context, customer: Customer, booking_id: str, channel: str = "mini") -> dict[str, Any]:
    """Pay a held booking and wait until the notification has been applied; the booking as it then is."""
    await tap_pay(context, await prepay(customer, booking_id, channel))
    return await eventually(customer, booking_id, lambda booking: booking["state"] != "held")


async def eventually(
    customer: Customer, booking_id: str, wanted: Callable[[dict[str, Any]], bool], *, within: float = 5.0
) -> dict[str, Any]:
    """The booking, once it is as wanted."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        booking: dict[str, Any] = (await customer.api.get(f"/v1/bookings/{booking_id}")).json()
        if wanted(booking):
            return booking
        assert asyncio.get_running_loop().time() < deadline, f"did not become as wanted: {booking}"
        await asyncio.sleep(0.02)


async def until(wanted: Callable[[], Awaitable[bool]], *, within: float = 5.0) -> None:
    """Wait for something that is going to happen."""
    deadline = asyncio.get_running_loop().time() + within
    while not await wanted():
        assert asyncio.get_running_loop().time() < deadline, "did not happen"
        await asyncio.sleep(0.02)


async def accepted(api: Api, context: Context) -> tuple[Offered, Customer, dict[str, Any]]:
    """A booking that was paid and accepted."""
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    booking = await pay(context, customer, (await hold(customer, offered))["id"])
    answer = await offered.desk.post(f"/v1/hospital/bookings/{booking['id']}/accept")
    assert answer.status_code == 200, answer.text
    return offered, customer, answer.json()


async def row_of(database: Database, booking_id: str) -> Booking:
    """The booking's row."""
    async with database.begin() as tx:
        return (await tx.scalars(select(Booking).where(Booking.id == BookingId.parse(booking_id)))).one()
