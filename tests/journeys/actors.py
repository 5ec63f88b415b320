"""Who acts in a journey: everybody speaks HTTP only, and signs in again when the clock was moved under them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import Customer, Offered, make_customer, make_offer, prepay, tap_pay, until
from tests.scenes.clinicians import make_clinician
from tests.scenes.visits import DOOR, RECORD
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId, HospitalId
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.tokens import LIFETIME, Mode

Json = dict[str, Any]


@dataclass(slots=True)
class Actor:
    """Somebody in one mode. `await actor.post("/v1/…", {…})` expects success and answers its body."""

    context: Context
    api: Api
    account_id: AccountId
    mode: Mode
    hospital_id: HospitalId | None = None
    _client: Api | None = None
    _until: datetime | None = None

    async def client(self) -> Api:
        """A client whose token holds at the business clock's now."""
        now = clock.now()
        if self._client is None or self._until is None or now >= self._until:
            signed = await sign_in(
                self.context.database, self.context.tokens, self.account_id, mode=self.mode,
                hospital_id=self.hospital_id,
            )  # fmt: skip
            self._client, self._until = self.api.signed_in(signed.access_token), now + LIFETIME
        return self._client

    async def get(self, url: str, **query: Any) -> Any:
        answer = await (await self.client()).get(url, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, url: str, body: Json | None = None) -> Any:
        answer = await (await self.client()).post(url, key=secrets.token_hex(8), json=body or {})
        assert answer.is_success, answer.text
        return answer.json()

    async def act(self, url: str) -> Any:
        """A POST without a body."""
        answer = await (await self.client()).post(url)
        assert answer.is_success, answer.text
        return answer.json()

    async def refused(self, url: str, body: Json, status: int, code: str) -> Json:
        answer = await (await self.client()).post(url, key=secrets.token_hex(8), json=body)
        return refused(answer, status, code)


@dataclass(slots=True)
class Town:
    """A hospital with one service, its desk and a nurse, and a family who needs it."""

    context: Context
    worker: Worker[Context]
    offered: Offered
    customer: Customer
    clinician: Clinician
    family: Actor
    desk: Actor
    nurse: Actor

    async def book(self, starts_at: datetime | None = None, *, place: str = "home") -> Json:
        """The family holds a place."""
        made: Json = await self.family.post("/v1/bookings", self.customer.wish(self.offered, starts_at, place=place))
        return made

    async def pay(self, booking: Json) -> Json:
        """The phone pays, and WeChat's notification is applied."""
        await self.tap(await prepay(self.customer, booking["id"]))
        return await self.booking_when(booking["id"], lambda found: found["state"] != "held")

    async def tap(self, prepaid: Json) -> None:
        """The thumb on "pay"."""
        await tap_pay(self.context, prepaid)

    async def accept_and_send(self, booking: Json) -> Json:
        """The desk takes it on and sends the nurse."""
        await self.desk.act(f"/v1/hospital/bookings/{booking['id']}/accept")
        body = {"booking_id": booking["id"], "clinician_id": str(self.clinician.id)}
        sent: Json = await self.desk.post("/v1/hospital/visits", body)
        return sent

    async def booking_when(
        self, booking_id: str, wanted: Callable[[Json], bool], whose: Actor | None = None
    ) -> Json:
        """The booking as its family sees it, once it is as wanted; the worker does what is due meanwhile, and then what
        the change itself asked for: a notification may come between the worker's turn and the look."""
        last: Json = {}

        async def look() -> bool:
            nonlocal last
            await self.worker.drain()
            last = await (whose or self.family).get(f"/v1/bookings/{booking_id}")
            return wanted(last)

        await until(look)
        await self.worker.drain()
        return last

    async def step(self, visit: Json, *steps: str, whose: Actor | None = None) -> Json:
        """The nurse does some steps, at the door of the family's home; before it starts the family signs."""
        bodies: dict[str, Json] = {"arrive": DOOR, "finish": {"record": RECORD}}
        done: Json = {}
        for each in steps:
            if each == "start":
                path = f"/v1/visits/{visit['id']}/agreement"
                text = await (whose or self.family).get(path)
                signature = {"sha256": text["sha256"], "read_at": text["served_at"], "as_guardian": True}
                await (whose or self.family).post(path, signature)
            done = await self.nurse.post(f"/v1/visits/{visit['id']}/{each}", bodies.get(each))
        return done

    async def books(self, booking: Json) -> list[tuple[str, dict[str, int]]]:
        """Every posting about a booking; each adds up to zero, and so does the hospital's whole ledger."""
        found = []
        for posting in await self.desk.get(f"/v1/hospital/settlements/postings/{booking['id']}"):
            entries = {entry["account"]: entry["amount_fen"] for entry in posting["entries"]}
            assert sum(entries.values()) == 0, posting
            found.append((posting["kind"], entries))
        assert (await self.desk.get("/v1/hospital/settlements/ledger"))["sum_fen"] == 0
        return found

    async def notices(self, booking: Json) -> list[str]:
        """What the desk was told about a booking, oldest first."""
        page = await self.desk.get("/v1/hospital/notices", limit=50)
        return [each["kind"] for each in reversed(page["items"]) if each["subject_id"] == booking["id"]]


async def make_town(api: Api, context: Context, worker: Worker[Context], **content: Any) -> Town:
    """`content` says what the service is: `code`, `category_code`, `name`, `place`, the four fees …"""
    offered, customer = await make_offer(api, context, **content), await make_customer(api, context)
    hospital_id = offered.hospital.id
    nurse = await make_clinician(context.database, hospital_id)
    staff = await desk_account(offered.desk)
    return Town(
        context=context, worker=worker, offered=offered, customer=customer, clinician=nurse,
        family=Actor(context, api, customer.account_id, Mode.PATIENT),
        desk=Actor(context, api, staff, Mode.DESK, hospital_id),
        nurse=Actor(context, api, nurse.account_id, Mode.CLINICIAN, hospital_id),
    )  # fmt: skip


async def desk_account(desk: Api) -> AccountId:
    """Whose client that is."""
    return AccountId.parse((await desk.get("/v1/accounts/me")).json()["account_id"])


async def at(moment: datetime) -> None:
    """Let that moment come."""
    if (by := moment - clock.now()) > timedelta():
        clock.move(by)


