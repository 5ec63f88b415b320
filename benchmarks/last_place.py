"""Many want one slot: how many get it in a second, how long they wait, and that nobody gets a place that is not there.

    python -m benchmarks.last_place            # about five minutes
    python -m benchmarks.last_place --quick    # a smoke run

Every client has an account, a patient, an address and a session of its own, and asks once, all at the same moment, on a
connection of its own. Twice: on the disk as it is, and with the binlog on and two milliseconds more for each flush, as a
production server has it (made by strace; left out, by name, where that is not allowed). Times are never asserted. What
is: exactly as many bookings as places, and as many claims in the table.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

import uvloop
from sqlalchemy import func, select

from benchmarks.harness import Answers, House, ProductionDisk, Program, fire, load, once, post, say, tell
from tests.scenes.catalogue import make_service
from tests.scenes.consents import agree
from tests.scenes.hospitals import make_hospital, make_site
from tests.scenes.schedules import make_pool
from tests.servers import MariaDb, Redis
from yiyuebao_api.domains.accounts.models import Account, Session
from yiyuebao_api.domains.accounts.rules import AccountStatus, SignInMethod
from yiyuebao_api.domains.catalogue.models import Place, Service
from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.domains.patients.rules import RealName, Relation, Sex
from yiyuebao_api.domains.schedules.models import Claim, Pool
from yiyuebao_api.domains.schedules.queries import draw_for
from yiyuebao_api.domains.schedules.rules import Need
from yiyuebao_api.domains.schedules.service import Want, claim_place, lock_seats, need_of, require_crew
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database, is_away
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.kernel.grouped import Grouped
from yiyuebao_api.kernel.ids import AccountId, AddressId, ClaimId, PatientId, RowId, SessionId
from yiyuebao_api.kernel.schema import wire_time
from yiyuebao_api.kernel.secrets import blind
from yiyuebao_api.kernel.tokens import Claims, Mode

_TASKS, _COMPONENT_POOL = 100, 32
_OTHERS = 4
_UNLIMITED = "100000"


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody signed in who could book."""

    claims: Claims
    patient_id: PatientId
    address_id: AddressId


@dataclass(frozen=True, slots=True)
class World:
    """One item whose pool has so many places at a time, and those who want one."""

    house: House
    database: Database
    service: Service
    need: Need
    pool: Pool
    places: int
    clients: Sequence[Client]
    today: datetime  # in Shanghai, also for a run that outlasts it

    def starts_at(self, day: int, hour: int = 9) -> datetime:
        """A slot some days ahead."""
        return self.today + timedelta(days=day, hours=hour)

    def wish(self, client: Client, starts_at: datetime) -> bytes:
        """The request for it, under a key that was never used."""
        body = {
            "service_id": str(self.service.id), "place": "home", "starts_at": wire_time(starts_at),
            "patient_id": str(client.patient_id), "address_id": str(client.address_id),
        }  # fmt: skip
        token = self.house.tokens.issue(client.claims, now=clock.now())
        return post("/v1/bookings", body, token, str(RowId.new()))

    async def claimed(self, starts_at: datetime) -> int:
        """Claims of that time, from the table."""
        async with self.database.begin() as tx:
            counted = select(func.count()).where(Claim.pool_id == self.pool.id, Claim.starts_at == starts_at)
            return (await tx.scalar(counted)) or 0


async def make_world(house: House, *, clients: int, places: int) -> World:
    database = house.database(pool_size=_COMPONENT_POOL)
    site = await make_site(database, (await make_hospital(database)).id)
    service, version = await make_service(database, site=site)
    pool = await make_pool(database, service, capacity=places, horizon_days=60)
    made = [row for number in range(clients) for row in _rows(number)]
    async with database.begin() as tx:
        for kind in (Account, Session, Patient, Address):
            tx.add_all(row for row in made if isinstance(row, kind))
            await tx.flush()
        for row in made:
            if isinstance(row, Patient):
                await agree(tx, row.account_id, row.id)
    sessions = [row for row in made if isinstance(row, Session)]
    patients = [row for row in made if isinstance(row, Patient)]
    addresses = [row for row in made if isinstance(row, Address)]
    ready = [
        Client(Claims(session.account_id, session.id, Mode.PATIENT, None), patient.id, address.id)
        for session, patient, address in zip(sessions, patients, addresses, strict=True)
    ]
    return World(house, database, service, need_of(service, version), pool, places, ready, clock.today(clock.now()))


def _rows(number: int) -> Iterable[Any]:
    now, phone = clock.now(), f"+86137{number:08d}"
    account = Account(
        id=AccountId.new(), phone=phone, phone_index=blind("accounts.phone", phone), status=AccountStatus.ACTIVE,
        created_at=now,
    )  # fmt: skip
    yield account
    yield Session(
        id=SessionId.new(), account_id=account.id, method=SignInMethod.SMS, mode=Mode.PATIENT, hospital_id=None,
        device="benchmark", created_at=now, last_used_at=now, expires_at=now + timedelta(days=1), revoked_at=None,
        end_reason=None,
    )  # fmt: skip
    yield Patient(
        id=PatientId.new(), account_id=account.id, relation=Relation.PARENT, name="陈秀英",
        name_index=blind("patients.name", "陈秀英"), phone=phone, phone_index=blind("patients.phone", phone),
        sex=Sex.FEMALE, birth_date=date(1958, 3, 2), id_no=None, id_index=None, real_name=RealName.VERIFIED,
        verified_at=now, version=1, created_at=now, deleted_at=None,
    )  # fmt: skip
    address = Address(
        id=AddressId.new(), account_id=account.id, recipient="陈秀英", phone=phone,
        phone_index=blind("addresses.phone", phone), adcode="460106", district="海南省海口市龙华区",
        detail="滨海大道 1 号 2 栋 301", precise=True, version=1, created_at=now, deleted_at=None,
    )  # fmt: skip
    address.point = Point(20.0310, 110.3285)
    yield address


# ── through the endpoint ─────────────────────────────────────────────────────────────────────────────────────────────


async def storm(world: World, program: Program, starts_at: datetime) -> Answers:
    """All clients want that slot at once. Asserts that exactly its places were given away."""
    answers = await fire(program.port, [once(world.wish(client, starts_at)) for client in world.clients])
    granted, wanted = answers.statuses[201], min(world.places, len(world.clients))
    claimed = await world.claimed(starts_at)
    assert granted == claimed == wanted, f"{granted} told, {claimed} in the table, {wanted} there: {answers.statuses}"
    assert set(answers.statuses) <= {201, 409, 503}, answers.statuses
    return answers


async def others(world: World, program: Program, slots: Sequence[datetime], until: asyncio.Event) -> Answers:
    """A few people who book at other days of the same pool, one after the other."""
    mine = iter(slots)
    some = iter(random.sample(world.clients, len(world.clients)) * 50)

    def ask(status: int) -> bytes | None:
        assert status in (0, 201, 409, 503), status
        return None if until.is_set() else world.wish(next(some), next(mine))

    return await fire(program.port, [ask] * _OTHERS)


async def measure_endpoint(world: World, disk: str, options: argparse.Namespace) -> None:
    """Whole bookings, by one process and by two, beside the least that a hold can be, in turns."""
    one = world.house.serve(YIYUEBAO_BUSINESS__OPEN_HOLDS_PER_ACCOUNT=_UNLIMITED)
    least = world.house.program("least-hold", "benchmarks.least_hold")
    for program in (one, least):
        await program.ready()
    await storm(world, one, world.starts_at(3))  # caches, connections
    found: dict[str, list[Answers]] = {"endpoint": [], "endpoint: FOR UPDATE": [], "endpoint: nothing": []}
    for number in range(options.rounds):
        found["endpoint"].append(await storm(world, one, world.starts_at(4 + number)))
        for name, path in (("endpoint: FOR UPDATE", "/for-update"), ("endpoint: nothing", "/nothing")):
            found[name].append(await fire(least.port, [once(post(path, {}, "", "k"))] * len(world.clients)))
    least.stop()
    base = _per_s(found["endpoint: FOR UPDATE"])
    for name, storms in found.items():
        _tell_storms(world, name, disk, storms, of_for_update=round(_per_s(storms) / base, 2))
    await measure_lone(world, one, disk, options)
    await measure_refusals(world, one, disk, options)
    await measure_others(world, one, disk, options)
    one.stop()
    with Redis() as redis:
        two = world.house.serve(
            workers=2, YIYUEBAO_REDIS__URL=redis.url, YIYUEBAO_BUSINESS__OPEN_HOLDS_PER_ACCOUNT=_UNLIMITED
        )
        await two.ready()
        await storm(world, two, world.starts_at(50))
        storms = [await storm(world, two, world.starts_at(51 + number)) for number in range(options.rounds)]
        _tell_storms(world, "endpoint: two processes", disk, storms, of_one=round(_per_s(storms) / _per_s(found["endpoint"]), 2))
        two.stop()


def _per_s(storms: Sequence[Answers]) -> float:
    return median(each.statuses[201] / each.seconds for each in storms)


def _tell_storms(world: World, name: str, disk: str, storms: Sequence[Answers], **ratios: float) -> None:
    per_s, p99 = _per_s(storms), median(each.quantile(0.99) for each in storms)
    of = "".join(f", {ratio:.2f} {words.replace('_', ' ')}" for words, ratio in ratios.items())
    say(f"{disk}: {name}, {len(world.clients)} clients: {per_s:.0f}/s, p99 {p99:.0f} ms{of}")
    tell(
        "last_place", name, disk=disk, clients=len(world.clients), places=world.places, holds_per_s=round(per_s),
        p99_ms=round(p99), told_503=sum(each.statuses[503] for each in storms), **ratios,
    )  # fmt: skip


async def measure_lone(world: World, program: Program, disk: str, options: argparse.Namespace) -> None:
    """Somebody who has the slot for themselves, beside one bare commit after the other."""
    held: list[float] = []
    bare: list[float] = []
    for number in range(options.rounds):
        clients = iter(world.clients[: min(100, world.places)])

        def ask(status: int, slot: datetime = world.starts_at(4 + number, 14), clients: Iterator[Client] = clients) -> bytes | None:
            assert status in (0, 201), status
            client = next(clients, None)
            return None if client is None else world.wish(client, slot)

        held.append((await fire(program.port, [ask])).quantile(0.5))
        times = []
        for _ in range(100):
            began = time.perf_counter()
            async with world.database.begin_wire() as wire:
                await wire.put("INSERT INTO bare VALUES (%s)", [RowId.new().bytes])
            times.append((time.perf_counter() - began) * 1e3)
        bare.append(median(times))
    lone, commit = median(held), median(bare)
    say(f"{disk}: alone: a hold in {lone:.1f} ms, a bare commit in {commit:.1f} ms = {commit / lone:.2f}")
    tell("last_place", "alone", disk=disk, hold_ms=round(lone, 2), bare_commit_ms=round(commit, 2), ratio=round(commit / lone, 2))


async def measure_refusals(world: World, program: Program, disk: str, options: argparse.Namespace) -> None:
    """The slot of the first storm is sold out."""
    request = world.wish(world.clients[-1], world.starts_at(3, 9))
    before = await _redo_bytes(world.database)
    answers = await load(program.port, request, connections=40, seconds=options.seconds)
    written = (await _redo_bytes(world.database) - before) / len(answers.times)
    assert set(answers.statuses) <= {409, 503}, answers.statuses
    per_s = answers.statuses[409] / answers.seconds
    say(
        f"{disk}: sold out: {per_s:.0f} refusals/s, p99 {answers.quantile(0.99):.0f} ms, {written:.0f} bytes of redo log each"
    )
    tell(
        "last_place", "sold out", disk=disk, refusals_per_s=round(per_s), p99_ms=round(answers.quantile(0.99)),
        redo_bytes=round(written), told_503=answers.statuses[503],
    )  # fmt: skip


async def _redo_bytes(database: Database) -> int:
    async with database.begin() as tx:
        status = await (await tx.connection()).exec_driver_sql("SHOW GLOBAL STATUS LIKE 'Innodb_lsn_current'")
        return int(status.scalars(1).one())


async def measure_others(world: World, program: Program, disk: str, options: argparse.Namespace) -> None:
    """What a storm on one slot does to those who want another."""
    calm: list[float] = []
    stormed: list[float] = []
    for number in range(options.rounds):
        slots = [world.starts_at(20 + day, hour) for day in range(30) for hour in range(8, 17)] * 20
        random.shuffle(slots)
        for heard, is_storm in ((calm, False), (stormed, True)):
            over = asyncio.Event()
            booking = asyncio.create_task(others(world, program, slots, over))
            if is_storm:
                await storm(world, program, world.starts_at(10 + number))
            else:
                await asyncio.sleep(options.seconds)
            over.set()
            heard.append((await booking).quantile(0.99))
    quiet, loud = median(calm), median(stormed)
    say(f"{disk}: other slots: p99 {quiet:.0f} ms, while one is stormed {loud:.0f} ms = {loud / quiet:.1f} x")
    tell(
        "last_place",
        "other slots",
        disk=disk,
        p99_ms=round(quiet),
        p99_stormed_ms=round(loud),
        ratio=round(loud / quiet, 2),
    )


# ── the component alone ──────────────────────────────────────────────────────────────────────────────────────────────


async def together(each: Callable[[], Awaitable[None]], count: int) -> tuple[float, float]:
    """That often by a hundred tasks; per second, and p99 in milliseconds."""
    left, times = count, []

    async def task() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            began = time.perf_counter()
            await each()
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(task() for _ in range(_TASKS)))
    taken = time.perf_counter() - began
    return count / taken, sorted(times)[int(len(times) * 0.99)] * 1e3


async def measure_component(world: World, disk: str, options: argparse.Namespace) -> None:
    """Claims in transactions of their own and in shared ones, beside commits that do nothing else and a locked counter."""
    database = world.database
    async with database.begin() as tx:
        connection = await tx.connection()
        await connection.exec_driver_sql("CREATE TABLE bare (id BINARY(16) PRIMARY KEY)")
        await connection.exec_driver_sql("CREATE TABLE counter (id INT PRIMARY KEY, places INT NOT NULL)")
        await connection.exec_driver_sql("INSERT INTO counter VALUES (1, 1000000)")

    async def bare() -> None:
        async with database.begin() as tx:
            await (await tx.connection()).exec_driver_sql("INSERT INTO bare VALUES (%s)", (RowId.new().bytes,))

    async def for_update() -> None:
        async with database.begin() as tx:
            connection = await tx.connection()
            locked = await connection.exec_driver_sql("SELECT places FROM counter WHERE id = 1 FOR UPDATE")
            assert locked.one()[0] > 0
            await connection.exec_driver_sql("UPDATE counter SET places = places - 1 WHERE id = 1")
            await connection.exec_driver_sql("INSERT INTO bare VALUES (%s)", (RowId.new().bytes,))

    async def claim() -> None:
        now, starts_at = clock.now(), world.starts_at(15 + number)
        async with database.begin() as tx:
            await claim_place(
                tx, service=world.need, place=Place.HOME, starts_at=starts_at, claim_id=ClaimId.new(),
                held_until=now + timedelta(minutes=15), now=now,
            )  # fmt: skip

    async def seat(wants: Sequence[Want]) -> Sequence[Claim]:
        async with database.begin_wire() as wire:
            seats = await lock_seats(wire, [want.day for want in wants], now=clock.now())
            claims = [seats.take(want) for want in wants]
            await seats.write(wire)
        return claims

    line = Grouped(seat, hopeless=is_away, most=32, lanes=1)

    async def claim_together() -> None:
        now, starts_at = clock.now(), world.starts_at(15 + number, 13)
        async with database.begin_wire() as wire:
            draw = await draw_for(wire, world.service.id, Place.HOME)
            crew = await require_crew(wire, draw, now=now)
        await line(Want(crew, world.need.fit, starts_at, ClaimId.new(), now + timedelta(minutes=15)))

    ways = {"bare commits": bare, "FOR UPDATE": for_update, "claim_place": claim, "claims together": claim_together}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(options.rounds):
        for name, way in ways.items():
            found[name].append(await together(way, world.places))
        for hour in (9, 13):
            assert await world.claimed(world.starts_at(15 + number, hour)) == world.places
    base = median(rate for rate, _ in found["FOR UPDATE"])
    for name, rounds in found.items():
        per_s, p99 = (median(values) for values in zip(*rounds, strict=True))
        say(f"{disk}: {name}: {per_s:.0f}/s, p99 {p99:.0f} ms = {per_s / base:.2f} of FOR UPDATE")
        tell(
            "last_place", f"component: {name}", disk=disk, per_s=round(per_s), p99_ms=round(p99),
            of_for_update=round(per_s / base, 2),
        )  # fmt: skip


async def run(house: House, disk: str, options: argparse.Namespace) -> None:
    world = await make_world(house, clients=options.clients, places=options.places)
    await measure_component(world, disk, options)
    await measure_endpoint(world, disk, options)
    await world.database.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--places", type=int, default=400)
    parser.add_argument("--disk", choices=("fast", "production"), help="only this one")
    parser.add_argument("--quick", action="store_true", help="few clients, one round: shows that it works, no more")
    options = parser.parse_args()
    options.rounds, options.seconds = 3, 3.0
    if options.quick:
        options.clients, options.places, options.rounds, options.seconds = 40, 30, 1, 0.5
    for disk in ("fast", "production"):
        if options.disk not in (None, disk):
            continue
        if disk == "production" and (refusal := ProductionDisk.refusal()) is not None:
            say(f"production disk: skipped, {refusal}")
            continue
        server = ProductionDisk() if disk == "production" else MariaDb(durable=True)
        with House.standing(server) as house, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(house, disk, options))


if __name__ == "__main__":
    main()
