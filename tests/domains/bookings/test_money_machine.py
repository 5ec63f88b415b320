"""Chance at the till: bookings, payments, refunds and visits in any order and at once, and the books true after each step.

The real service over HTTP, the real worker, the real database and WeChat's sandbox, which tells only what the machine makes
it tell: late, twice, never. A failure prints its seed and every step. Environment: `YIYUEBAO_MACHINE_SECONDS` (12) and
`YIYUEBAO_MACHINE_SEED` (one fixed sequence; `random` for a new one each time).
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import combinations, pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from tests.client import Api
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import Customer, Offered, make_customer, make_offer
from tests.scenes.clinicians import make_clinician
from tests.scenes.visits import DOOR, RECORD
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking, BookingMove
from yiyuebao_api.domains.bookings.rules import LIVE, MOVES, BookingState, effective
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.partners.models import PartnerEvent
from yiyuebao_api.domains.payments import service as payment_service
from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.payments.rules import PaymentState, RefundState
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.domains.schedules.rules import Busy, is_live, peak
from yiyuebao_api.domains.settlements import queries as books
from yiyuebao_api.domains.settlements.models import Accrual
from yiyuebao_api.domains.settlements.rules import LedgerAccount as A
from yiyuebao_api.domains.visits.models import Visit
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.gateways import ProviderUnavailable
from yiyuebao_api.kernel import clock, outbox
from yiyuebao_api.kernel.ids import PaymentId
from yiyuebao_api.kernel.outbox import JobState, OutboxJob, Worker
from yiyuebao_api.kernel.tokens import Mode

S = BookingState
SECONDS = float(os.environ.get("YIYUEBAO_MACHINE_SECONDS", "12"))
CAPACITY, HOURS = 2, (9, 10, 13, 15)
#: The booking is paid for: it has a payment, and its place for good.
PAID_FOR = (S.PAID, S.ACCEPTED, S.ASSIGNED, S.UNDER_WAY, S.DONE, S.CLOSED)
NEXT_STEP = {Stage.ASSIGNED: "depart", Stage.DEPARTED: "arrive", Stage.ARRIVED: "start", Stage.STARTED: "finish"}


@dataclass(slots=True)
class Machine:
    """What the machine knows of the world, and everything it can do to it."""

    api: Api
    context: Context
    control: httpx.AsyncClient
    worker: Worker[Context]
    dice: random.Random
    offered: Offered
    customers: list[Customer]
    nurses: list[Clinician]
    started: Any
    prepaid: list[dict[str, Any]] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    tokens: dict[str, Api] = field(default_factory=dict)

    # ── who does it ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _as(self, who: str, account_id: Any, mode: Mode) -> Api:
        """Somebody's client; signed in anew after the clock was moved."""
        if who not in self.tokens:
            tenant = None if mode is Mode.PATIENT else self.offered.hospital.id
            signed = await sign_in(
                self.context.database, self.context.tokens, account_id, mode=mode, hospital_id=tenant
            )
            self.tokens[who] = self.api.signed_in(signed.access_token)
        return self.tokens[who]

    async def _customer(self, booking: Booking) -> Api:
        return await self._as(str(booking.account_id), booking.account_id, Mode.PATIENT)

    async def _desk(self) -> Api:
        return await self._as("desk", None, Mode.DESK)

    async def _bookings(self, *states: BookingState) -> list[Booking]:
        async with self.context.begin() as tx:
            found = await tx.scalars(select(Booking).order_by(Booking.id))
            return [each for each in found if not states or each.state in states]

    async def _one(self, *states: BookingState) -> Booking | None:
        """Some booking in one of these states, rather a late one; now and then one that is not."""
        fit = await self._bookings(*(states if self.dice.random() > 0.1 else ()))
        return self.dice.choice(fit[-6:]) if fit else None

    def _note(self, what: str, answer: httpx.Response) -> httpx.Response:
        code = "" if answer.status_code < 300 else f" {answer.json().get('code')}"
        self.answers[f"{what} {answer.status_code}{code}"] += 1
        self.trace.append(f"{what} → {answer.status_code}{code}")
        assert answer.status_code < 500, f"{what}: {answer.text}"
        return answer

    # ── what can happen ──────────────────────────────────────────────────────────────────────────────────────────────

    async def hold(self) -> None:
        customer = self.dice.choice(self.customers)
        start = self.offered.starts_at(days=self.dice.choice((1, 1, 2)), hour=self.dice.choice(HOURS))
        who = await self._as(str(customer.account_id), customer.account_id, Mode.PATIENT)
        body = customer.wish(self.offered, start, place=self.dice.choice(("home", "home", "hospital")))
        self._note("hold", await who.post("/v1/bookings", key=secrets.token_hex(8), json=body))

    async def prepay(self) -> None:
        booking = await self._one(S.HELD)
        if booking is None:
            return
        path, channel = f"/v1/bookings/{booking.id}/payment", self.dice.choice(("mini", "mini", "app"))
        if self.dice.random() < 0.15:
            fault = {"operation": "prepay", "status": 500, "after": self.dice.random() < 0.5, "times": 1}
            await self.control.post("/faults/calls", json=fault)
            key = secrets.token_hex(8)
            lost = await (await self._customer(booking)).post(path, key=key, json={"channel": channel})
            assert lost.status_code in (201, 404, 409, 503), lost.text
        else:
            key = secrets.token_hex(8)
        answer = await (await self._customer(booking)).post(path, key=key, json={"channel": channel})
        if answer.status_code == 201:
            self.prepaid.append(answer.json())
        if answer.status_code == 503:  # a fault that another step had planned
            assert answer.json()["code"] == "provider-unavailable"
            self.trace.append("prepay → 503 provider")
            return
        self._note("prepay", answer)

    async def tap(self) -> None:
        """The phone pays, now or long after it was handed the order; perhaps an order that nobody wants any more."""
        if self.prepaid:
            handed = self.dice.choice(self.prepaid[-5:])
            paid = await self.control.post("/phone/pay", json=handed["parameters"])
            self.trace.append(f"tap {handed['payment_id'][-6:]} → {paid.status_code}")

    async def tell(self) -> None:
        """WeChat tells of a payment: the first time, again, thrice at once."""
        paid = [each for each in (await self.control.get("/orders")).json() if each["transaction_id"]]
        if paid:
            number = self.dice.choice(paid[:6])["out_trade_no"]
            fresh = {"copies": self.dice.choice((1, 1, 3)), "fresh": self.dice.random() < 0.5}
            await self.control.post(f"/orders/{number}/notify", json=fresh)
            self.trace.append(f"tell of payment {number[-6:]}")

    async def tell_of_refund(self) -> None:
        """WeChat decides a refund that waits, or tells of one again."""
        refunds = (await self.control.get("/refunds")).json()
        if not refunds:
            return
        refund = self.dice.choice(refunds[:6])
        if refund["status"] == "PROCESSING":
            outcome = self.dice.choice(("SUCCESS", "SUCCESS", "ABNORMAL", "CLOSED"))
            await self.control.post(f"/refunds/{refund['out_refund_no']}", json={"status": outcome})
        await self.control.post(f"/refunds/{refund['out_refund_no']}/notify", json={"copies": 2})
        self.trace.append(f"tell of refund {refund['out_refund_no'][-6:]}")

    async def ask(self) -> None:
        if self.prepaid:
            payment_id = PaymentId.parse(self.dice.choice(self.prepaid[-5:])["payment_id"])
            gateway = self.context.gateways.payment
            try:
                state = await payment_service.query_payment(self.context.begin, gateway, payment_id, now=clock.now())
            except ProviderUnavailable:
                return
            self.trace.append(f"ask {str(payment_id)[-6:]} → {state.value}")

    async def cancel(self) -> None:
        if booking := await self._one(*LIVE):
            path = f"/v1/bookings/{booking.id}/cancel"
            self._note("cancel", await (await self._customer(booking)).post(path, json={"reason": "不需要了"}))

    async def reschedule(self) -> None:
        if booking := await self._one(S.HELD, S.PAID, S.ACCEPTED):
            start = self.offered.starts_at(days=self.dice.choice((1, 2, 3)), hour=self.dice.choice(HOURS))
            path, body = f"/v1/bookings/{booking.id}/reschedule", {"starts_at": start.isoformat()}
            self._note("reschedule", await (await self._customer(booking)).post(path, json=body))

    async def accept(self) -> None:
        if booking := await self._one(S.PAID):
            self._note("accept", await (await self._desk()).post(f"/v1/hospital/bookings/{booking.id}/accept"))

    async def refuse(self) -> None:
        if booking := await self._one(S.PAID, S.ACCEPTED, S.ASSIGNED):
            path = f"/v1/hospital/bookings/{booking.id}/refuse"
            self._note("refuse", await (await self._desk()).post(path, json={"reason": "护士生病"}))

    async def assign(self) -> None:
        if booking := await self._one(S.ACCEPTED):
            body = {"booking_id": str(booking.id), "clinician_id": str(self.dice.choice(self.nurses).id)}
            self._note("assign", await (await self._desk()).post("/v1/hospital/visits", json=body))

    async def unassign(self) -> None:
        if visit := await self._visit(Stage.ASSIGNED):
            path = f"/v1/hospital/visits/{visit.id}/unassign"
            self._note("unassign", await (await self._desk()).post(path, json={"reason": "换人"}))

    async def step(self) -> None:
        """The nurse's next step."""
        visit = await self._visit(*NEXT_STEP)
        if visit is None or visit.stage not in NEXT_STEP:
            return
        nurse = await self._as(str(visit.clinician_account_id), visit.clinician_account_id, Mode.CLINICIAN)
        name, body = NEXT_STEP[visit.stage], {"arrive": DOOR, "finish": {"record": RECORD}}
        if visit.place.value == "hospital" and name == "depart":
            patient = await self._as(str(visit.account_id), visit.account_id, Mode.PATIENT)
            shown = await patient.get(f"/v1/visits/{visit.id}/code")
            if shown.status_code != 200:
                return
            name, body = "check-in", {"check-in": {"code": shown.json()["code"]}}
        if name == "start" and self.dice.random() < 0.15:
            path, body_of_it = f"/v1/visits/{visit.id}/refuse-agreement", {"reason": "家属不同意"}
            self._note("unsigned", await nurse.post(path, json=body_of_it))
            return
        if name == "start":
            await self._agree(visit)
        self._note(name, await nurse.post(f"/v1/visits/{visit.id}/{name}", json=body.get(name, {})))

    async def _agree(self, visit: Visit) -> None:
        """The patient signs what is to be done, unless it was signed or is over."""
        patient = await self._as(str(visit.account_id), visit.account_id, Mode.PATIENT)
        text = await patient.get(f"/v1/visits/{visit.id}/agreement")
        if text.status_code == 200:
            signature = {"sha256": text.json()["sha256"], "read_at": text.json()["served_at"]}
            self._note("agree", await patient.post(f"/v1/visits/{visit.id}/agreement", json=signature))

    async def confirm(self) -> None:
        if visit := await self._visit(Stage.FINISHED):
            patient = await self._as(str(visit.account_id), visit.account_id, Mode.PATIENT)
            self._note("confirm", await patient.post(f"/v1/visits/{visit.id}/confirm"))

    async def _visit(self, *stages: Stage) -> Visit | None:
        async with self.context.begin() as tx:
            found = (await tx.scalars(select(Visit).where(Visit.stage.in_(stages)).order_by(Visit.id))).all()
        return self.dice.choice(found[-4:]) if found else None

    async def work(self) -> None:
        """The worker does what is due; sometimes it died in the middle of something before."""
        if self.dice.random() < 0.3:
            async with self.context.begin() as tx:
                dead = update(OutboxJob).where(OutboxJob.state == JobState.READY, OutboxJob.run_at <= clock.now())
                gone = clock.system_now() - timedelta(seconds=1)
                await tx.execute(dead.values(state=JobState.RUNNING, worker="dead", lease_until=gone))
            self.trace.append("the worker died")
        self.trace.append(f"work: {await self.worker.drain()} runs")

    async def revive(self) -> None:
        async with self.context.begin() as tx:
            for job in await outbox.list_dead(tx):
                await outbox.revive(tx, job.id, now=clock.now())

    async def decide(self) -> None:
        """How WeChat answers the next refunds."""
        outcome = self.dice.choice(("SUCCESS", "SUCCESS", "SUCCESS", "PROCESSING", "ABNORMAL", "CLOSED"))
        await self.control.post("/behaviour", json={"refund_outcome": outcome, "refund_delay_s": 0})
        self.trace.append(f"refunds will be {outcome}")

    async def wait(self) -> None:
        passed = self.dice.choice((timedelta(minutes=5), timedelta(minutes=16), timedelta(hours=3), timedelta(days=1)))
        clock.move(passed)
        self.tokens.clear()
        self.trace.append(f"{passed} pass")

    def turns(self) -> Sequence[tuple[Callable[[], Awaitable[None]], int]]:
        return (
            (self.hold, 12), (self.prepay, 14), (self.tap, 14), (self.tell, 14), (self.ask, 5), (self.cancel, 3),
            (self.reschedule, 5), (self.accept, 12), (self.refuse, 1), (self.assign, 12), (self.unassign, 1),
            (self.step, 24), (self.confirm, 6), (self.work, 9), (self.revive, 2), (self.decide, 3),
            (self.tell_of_refund, 6), (self.wait, 3),
        )  # fmt: skip

    async def turn(self) -> None:
        """One thing happens, or some things at once."""
        moves, weights = zip(*self.turns(), strict=True)
        at_once = self.dice.choice((1, 1, 1, 2, 4))
        chosen = self.dice.choices(moves, weights, k=at_once)
        if at_once > 1:
            self.trace.append(f"at once: {', '.join(each.__name__ for each in chosen)}")
            chosen = [each for each in chosen if each != self.wait]
        await asyncio.gather(*(each() for each in chosen))

    async def settle(self) -> None:
        """Everything that is on its way arrives: WeChat tells all, people look at what was given up."""
        await self.control.delete("/faults")
        await self.control.post("/behaviour", json={"refund_outcome": "SUCCESS", "refund_delay_s": 0})
        for _ in range(60):
            for order in (await self.control.get("/orders")).json():
                if order["transaction_id"]:
                    await self.control.post(f"/orders/{order['out_trade_no']}/notify", json={})
            for refund in (await self.control.get("/refunds")).json():
                if refund["status"] in ("PROCESSING", "ABNORMAL"):
                    await self.control.post(f"/refunds/{refund['out_refund_no']}", json={"status": "SUCCESS"})
            await self.revive()
            await self.worker.drain("inbox.apply", early=True)
            await self.worker.drain("payments.refund", early=True)
            async with self.context.begin() as tx:
                if set(await tx.scalars(select(Refund.state))) <= {RefundState.SUCCEEDED}:
                    return
        raise AssertionError("some refund never arrives")

    # ── what is always true ──────────────────────────────────────────────────────────────────────────────────────────

    async def check(self) -> None:
        now = clock.now()
        async with self.context.begin() as tx:
            bookings = (await tx.scalars(select(Booking).order_by(Booking.id))).all()
            payments = (await tx.scalars(select(Payment).order_by(Payment.id))).all()
            refunds = (await tx.scalars(select(Refund))).all()
            claims = {each.id: each for each in await tx.scalars(select(Claim))}
            accruals = {each.subject_id: each for each in await tx.scalars(select(Accrual))}
            moves = (await tx.scalars(select(BookingMove).order_by(BookingMove.id))).all()
            at_desk = select(Notice.subject_id).where(Notice.kind == "booking.paid", Notice.hospital_id.is_not(None))
            told = Counter(await tx.scalars(at_desk))
            events = select(PartnerEvent.subject).where(PartnerEvent.type == "booking.paid")
            published = Counter(await tx.scalars(events))
            assert not await books.unbalanced(tx), "a posting does not add up"
            balances = await books.balances(tx, self.offered.hospital.id)
        assert sum(balances.values()) == 0, "the ledger does not add up"
        promised: defaultdict[PaymentId, int] = defaultdict(int)
        arrived: defaultdict[PaymentId, int] = defaultdict(int)
        for refund in refunds:
            promised[refund.payment_id] += refund.amount_fen
            arrived[refund.payment_id] += refund.amount_fen if refund.state is RefundState.SUCCEEDED else 0
        paid = {each.id: each for each in payments if each.state is PaymentState.SUCCEEDED}
        for payment in payments:
            assert payment.refunded_fen == promised[payment.id] <= payment.amount_fen, "refunds beyond what was paid"
            assert payment.id in paid or not promised[payment.id], "a refund of what was never paid"
        assert balances[A.CLEARING] == sum(each.amount_fen for each in paid.values()) - sum(arrived.values())
        assert balances[A.HOSPITAL_SHARE] + balances[A.HOSPITAL_RELEASED] == -sum(a.hospital_fen for a in accruals.values())
        assert balances[A.PLATFORM_SHARE] + balances[A.PLATFORM_RELEASED] == -sum(a.platform_fen for a in accruals.values())
        for booking in bookings:
            mine = [each for each in payments if each.subject_id == str(booking.id)]
            self._check_booking(booking, mine, paid, promised, arrived, accruals.get(str(booking.id)))
            claim, name = claims[booking.claim_id], f"{booking.id} {booking.state.value}"
            kept = claim.kept_at is not None and claim.released_at is None
            assert kept == (booking.state in PAID_FOR), f"{name}: its place is {'' if kept else 'not '}kept"
            assert (claim.starts_at, claim.ends_at) == (booking.starts_at, booking.ends_at), name
            assert (told[str(booking.id)], published[str(booking.id)]) == ((1, 1) if booking.paid_at else (0, 0)), name
        seated = {booking.claim_id for booking in bookings}
        for each in claims.values():
            assert each.id in seated or each.released_at is not None, "a place that nobody has is taken"
        self._check_places([each for each in claims.values() if is_live(each, now)])
        self._check_people([each for each in bookings if effective(each.state, each.hold_until, now) in LIVE], now)
        by_booking: defaultdict[Any, list[BookingMove]] = defaultdict(list)
        for move in moves:
            by_booking[move.booking_id].append(move)
        for booking in bookings:
            story = by_booking[booking.id]
            assert (story[0].from_state, story[-1].to_state) == (None, booking.state)
            for before, after in pairwise(story):
                assert after.from_state is before.to_state, "a hole in the history"
                assert after.to_state is before.to_state or after.to_state in MOVES[before.to_state], "an illegal move"

    def _check_booking(
        self, booking: Booking, mine: Sequence[Payment], paid: dict[PaymentId, Payment],
        promised: dict[PaymentId, int], arrived: dict[PaymentId, int], accrual: Accrual | None,
    ) -> None:  # fmt: skip
        name = f"{booking.id} {booking.state.value}"
        assert all(each.amount_fen == booking.total_fen for each in mine), f"{name}: another price than the one shown"
        assert (booking.payment_id is None) == (booking.paid_at is None), name
        for each in mine:
            if each.id in paid and each.id != booking.payment_id:
                assert promised[each.id] == each.amount_fen, f"{name}: money that is of no use was not given back"
        if booking.state in PAID_FOR:
            assert booking.payment_id in paid, f"{name}: nobody paid it"
        if booking.payment_id is not None:
            assert booking.state in (*PAID_FOR, S.CANCELLED, S.REFUSED), name
            net = booking.total_fen - promised[booking.payment_id]
            assert booking.refund_due_fen == promised[booking.payment_id], f"{name}: promised another refund"
            assert booking.refunded_fen == arrived[booking.payment_id], f"{name}: another refund arrived"
            earned = net if booking.state in (S.CLOSED, S.CANCELLED, S.REFUSED) else 0
            assert (accrual.net_fen if accrual else 0) == earned, f"{name}: shares of another amount"
            if booking.state in (S.REFUSED, S.CANCELLED) and booking.visit_stage is None:
                assert net == 0, f"{name}: something was kept of a visit that nobody set out to"
        else:
            assert accrual is None, name
        if accrual is not None:
            assert accrual.platform_fen == accrual.net_fen * accrual.rate_bp // 10_000, name
            assert accrual.platform_fen + accrual.hospital_fen == accrual.net_fen, name

    def _check_places(self, live: Sequence[Claim]) -> None:
        spans = [
            Busy(int(each.busy_from.timestamp() // 60), int(each.busy_until.timestamp() // 60)) for each in live
        ]
        first, last = min((s.start for s in spans), default=0), max((s.end for s in spans), default=1)
        assert peak(spans, first, last) <= CAPACITY, "a place was sold twice"

    def _check_people(self, live: Sequence[Booking], now: Any) -> None:
        for one, two in combinations(live, 2):
            apart = one.ends_at <= two.starts_at or two.ends_at <= one.starts_at
            assert apart or one.patient_id != two.patient_id, f"{one.id} and {two.id}: one patient in two visits"
        holds = Counter(each.account_id for each in live if each.state is S.HELD)
        assert max(holds.values(), default=0) <= self.context.settings.business.open_holds_per_account


async def make_machine(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context], seed: str
) -> Machine:
    """Two places an hour, three customers, two nurses; WeChat tells nothing by itself."""
    await control.post("/faults/notifications", json={"drop": True, "times": 10**9})
    offered = await make_offer(api, context, capacity=CAPACITY)
    customers = [await make_customer(api, context) for _ in range(3)]
    nurses = [await make_clinician(context.database, offered.hospital.id) for _ in range(2)]
    return Machine(api, context, control, worker, random.Random(seed), offered, customers, nurses, clock.now())


@pytest.mark.timeout(SECONDS + 120)
async def test_chance_never_breaks_the_books(
    api: Api, context: Context, control: httpx.AsyncClient, worker: Worker[Context], capsys: pytest.CaptureFixture[str]
) -> None:
    seed = os.environ.get("YIYUEBAO_MACHINE_SEED", "yiyuebao")
    seed = secrets.token_hex(4) if seed == "random" else seed
    deadline = time.monotonic() + SECONDS
    machine = await make_machine(api, context, control, worker, seed)
    try:
        while time.monotonic() < deadline:
            await machine.turn()
            await machine.check()
        await machine.settle()
        await machine.check()
        await check_against_wechat(machine)
    except BaseException:
        with capsys.disabled():
            print(f"\nseed {seed}, {len(machine.trace)} steps:\n" + "\n".join(machine.trace[-80:]))
        raise
    finally:
        if os.environ.get("YIYUEBAO_MACHINE_SECONDS"):
            with capsys.disabled():
                print(f"\nseed {seed}, {len(machine.trace)} steps: {dict(sorted(machine.answers.items()))}")


async def check_against_wechat(machine: Machine) -> None:
    """I8: at rest, WeChat's books and ours are the same."""
    orders = {each["out_trade_no"]: each for each in (await machine.control.get("/orders")).json()}
    returned: Counter[str] = Counter()
    for each in (await machine.control.get("/refunds")).json():
        returned[each["out_trade_no"]] += each["refund"] if each["status"] == "SUCCESS" else 0
    async with machine.context.begin() as tx:
        payments = (await tx.scalars(select(Payment))).all()
    for payment in payments:
        order = orders.get(payment.out_trade_no)
        took = bool(order and order["transaction_id"])
        assert took == (payment.state is PaymentState.SUCCEEDED), payment.out_trade_no
        assert returned[payment.out_trade_no] == payment.refunded_fen, payment.out_trade_no
    assert set(orders) <= {payment.out_trade_no for payment in payments}, "WeChat knows an order that we do not"
