"""What one request costs: the service's two hottest reads beside a bare ASGI application on the same database.

    python -m benchmarks.endpoints            # about four minutes
    python -m benchmarks.endpoints --quick    # a smoke run
    python -m benchmarks.endpoints --beside ../before/src    # and another state of the code, turn by turn

Starts a durable MariaDB of its own, migrates and seeds it, and measures with as many connections as the pool has and with
four times as many; then two processes beside one. Rounds take turns, each figure is the median of three. Nothing here
asserts a time; that every answer is the right one is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import uvloop
from sqlalchemy import select

from benchmarks.harness import POOL, Figures, House, Program, fire, get, measure, once, say, tell
from tests.scenes.accounts import sign_in
from tests.scenes.patients import make_patient
from tests.servers import Redis
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import Told
from yiyuebao_api.domains.bookings.service import AskedHold, Wish, hold_together, prepare_hold
from yiyuebao_api.domains.catalogue.models import Place, Service
from yiyuebao_api.domains.schedules.service import list_slots
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.wire import Wire

_AROUND = "/v1/nearby/services?lat=20.0310&lng=110.3285&radius_m=50000"


@dataclass(frozen=True, slots=True)
class Cell:
    """One endpoint and the ceiling it is compared with."""

    name: str
    program: Program
    request: bytes
    ceiling: str | None


async def make_booking(house: House) -> tuple[Booking, str]:
    """A held booking of somebody signed in; the booking and the token."""
    database, now = house.database(pool_size=2), clock.now()
    signed = await sign_in(database, house.tokens)
    patient = await make_patient(database, signed.account_id)
    async with database.begin() as tx:
        for service in await tx.scalars(select(Service).where(Service.place != Place.HOME).order_by(Service.id)):
            first = clock.today(now) + timedelta(days=1)
            slots = await list_slots(
                tx, service.id, first=first, last=first + timedelta(days=7), place=Place.HOSPITAL, now=now
            )
            free = [slot for slot in slots if slot.left > 0]
            if free:
                break
        wish = Wish(service.id, Place.HOSPITAL, free[0].starts_at, patient.id, None, Told(note="请先打电话"))
        hold = await prepare_hold(tx, database.begin, signed.account_id, wish, house.settings.business, now=now)
        await hold_together(await Wire.of(tx), [AskedHold(hold)])
    await database.aclose()
    return hold.booking, signed.access_token


async def body_of(program: Program, request: bytes) -> dict[str, object]:
    """The body of one answer."""
    answers = await fire(program.port, [once(request)])
    found: dict[str, object] = json.loads(answers.bodies[200])
    return found


async def run(house: House, redis: Redis, options: argparse.Namespace) -> None:
    booking, token = await make_booking(house)
    one, two = house.serve(), house.serve(workers=2, YIYUEBAO_REDIS__URL=redis.url)
    beside = [house.serve(source=options.beside)] if options.beside else []
    ceiling = house.program("ceiling", "benchmarks.ceiling")
    for program in (one, two, ceiling, *beside):
        await program.ready()
    read = get(f"/v1/bookings/{booking.id}", token)
    around = get(_AROUND)
    assert (await body_of(one, read))["id"] == str(booking.id)
    listed = (await body_of(one, around))["items"]
    assert isinstance(listed, list)
    assert len(listed) == 20
    assert all(each["next_free_at"] for each in listed)
    row, rows = "one row, bare", "20 rows, bare"
    cells = [
        Cell(row, ceiling, get(f"/row/{booking.id.bytes.hex()}"), None),
        Cell(rows, ceiling, get("/rows"), None),
        Cell("GET /v1/bookings/{id}", one, read, row),
        Cell("GET /v1/nearby/services", one, around, rows),
        Cell("GET /healthz", one, get("/healthz"), None),
    ]
    for other in beside:
        cells += [
            Cell("before: bookings/{id}", other, read, row),
            Cell("before: nearby/services", other, around, rows),
            Cell("before: healthz", other, get("/healthz"), None),
        ]
    found: defaultdict[tuple[str, int], list[Figures]] = defaultdict(list)
    for cell in cells:
        await measure(cell.program, cell.request, connections=POOL, seconds=options.seconds / 2)
    for _ in range(options.rounds):
        for connections in (POOL, 4 * POOL):
            for cell in cells:
                figures = await measure(cell.program, cell.request, connections=connections, seconds=options.seconds)
                found[cell.name, connections].append(figures)
    report(cells, {key: Figures.median(rounds) for key, rounds in found.items()})
    await compare_workers(one, two, {"GET /v1/bookings/{id}": read, "GET /v1/nearby/services": around}, options)


def report(cells: list[Cell], found: dict[tuple[str, int], Figures]) -> None:
    """The table, then a line of JSON per cell."""
    say(f"\n{'':26}{'conns':>6}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'p99/p50':>9}{'CPU µs':>9}{'of ceiling':>12}")
    lines = []
    for cell in cells:
        for connections in (POOL, 4 * POOL):
            each = found[cell.name, connections]
            share = each.per_s / found[cell.ceiling, connections].per_s if cell.ceiling else None
            say(
                f"{cell.name:26}{connections:>6}{each.per_s:9.0f}{each.p50_ms:9.2f}{each.p99_ms:9.2f}"
                f"{each.p99_ms / each.p50_ms:9.1f}{each.cpu_us:9.0f}{'' if share is None else f'{share:.2f}':>12}"
            )
            lines.append((cell.name, connections, each, share))
    say("")
    for name, connections, each, share in lines:
        tell(
            "endpoints", name, connections=connections, per_s=round(each.per_s), p50_ms=round(each.p50_ms, 2),
            p99_ms=round(each.p99_ms, 2), cpu_us=round(each.cpu_us),
            of_ceiling=None if share is None else round(share, 3),
        )  # fmt: skip


async def compare_workers(one: Program, two: Program, requests: dict[str, bytes], options: argparse.Namespace) -> None:
    """Two processes beside one; generator, database and both processes on the same cores."""
    for name, request in requests.items():
        rounds: dict[int, list[Figures]] = {1: [], 2: []}
        for _ in range(options.rounds):
            for workers, program in ((1, one), (2, two)):
                rounds[workers].append(await measure(program, request, connections=4 * POOL, seconds=options.seconds))
        single, double = (Figures.median(rounds[workers]) for workers in (1, 2))
        say(
            f"{name}, two processes: {double.per_s:.0f}/s, one: {single.per_s:.0f}/s = "
            f"{double.per_s / single.per_s:.2f} x (p99 {double.p99_ms:.1f} and {single.p99_ms:.1f} ms)"
        )
        tell(
            "endpoints", f"{name}, two processes", connections=4 * POOL, per_s=round(double.per_s),
            p99_ms=round(double.p99_ms, 2), cpu_us=round(double.cpu_us), of_one=round(double.per_s / single.per_s, 3),
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of each: shows that it works, no more")
    parser.add_argument("--beside", type=Path, help="a `src` folder, of another state of the service")
    options = parser.parse_args()
    options.rounds, options.seconds = (1, 0.5) if options.quick else (3, 3.0)
    with House.standing() as house, Redis() as redis:
        house.command("seed")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(house, redis, options))


if __name__ == "__main__":
    main()
