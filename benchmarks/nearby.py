"""How fast is "the nearest twenty"? In floors: twenty rows by primary key, measured in the same run on the same server.

    python -m benchmarks.nearby                      # one million services, about ten minutes
    python -m benchmarks.nearby --services 20000     # a smoke run, under a minute

Starts a MariaDB of its own, seeds it, and prints a table and one JSON line per cell. Each figure is the median of some
rounds, the ways taking turns within each. Two figures per filter and radius: `search` is the index and the rows by key
with all filters repeated; `answer` is the whole use case, with each row's next free time computed by schedules. Nothing
here asserts a time; what is asserted is that the answers are right.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.servers import database_server
from yiyuebao_api import tables
from yiyuebao_api.domains.nearby import queries
from yiyuebao_api.domains.nearby.index import NearbyIndex
from yiyuebao_api.domains.nearby.rules import Days, Wanted, chord_of, on_sphere
from yiyuebao_api.domains.nearby.service import find_services
from yiyuebao_api.domains.nearby.snapshot import Snapshot
from yiyuebao_api.domains.schedules.rules import day_of
from yiyuebao_api.kernel import clock, secrets
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.reading import Reader
from yiyuebao_api.seed import seed_reference
from yiyuebao_api.seed.cities import CITIES
from yiyuebao_api.seed.scale import seed_scale
from yiyuebao_api.settings import Settings

SHOWN = 20
SPARE = 4
RADII = (1_000, 5_000, 20_000, 50_000)
FILTERS = ("none", "category", "category + price", "category + 3 days", "all three, 1 day")
Cell = tuple[str, str, int]
Way = Callable[[Any, Wanted], Awaitable[object]]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _id(high: Any, low: Any) -> bytes:
    return int(high).to_bytes(8) + int(low).to_bytes(8)


class Bench:
    """One seeded database, one index, and the ways to ask."""

    def __init__(self, database: Database, index: NearbyIndex, *, queries_a_cell: int) -> None:
        self.database, self.index, self.many = database, index, queries_a_cell
        self.dice = random.Random(11)
        snapshot = index.snapshot
        assert snapshot is not None
        self.snapshot: Snapshot = snapshot
        self.today = day_of(clock.now())
        self.times: defaultdict[Cell, list[list[float]]] = defaultdict(list)
        self.category = max(snapshot.categories, key=lambda code: snapshot.counts[:, snapshot.categories[code]].sum())
        of_category = snapshot.offers.category == snapshot.categories[self.category]
        self.cheap = Fen(int(np.quantile(snapshot.offers.price[of_category], 0.08)))
        rows = np.random.default_rng(3).permutation(len(snapshot.offers))[:4000]
        offers = snapshot.offers
        self.keys = [_id(offers.high[row], offers.low[row]) for row in rows]

    def wanted(self, filters: str, radius_m: int) -> Wanted:
        """A search from somewhere near a site."""
        x, y, z = self.snapshot.sites.xyz[self.dice.randrange(len(self.snapshot.sites))]
        lat, lng = float(np.degrees(np.arcsin(z))), float(np.degrees(np.arctan2(y, x)))
        origin = Point(lat + self.dice.gauss(0, 0.03), lng + self.dice.gauss(0, 0.03))
        first = self.today + timedelta(5)
        return Wanted(
            origin, None, self.today, radius_m,
            None if filters == "none" else self.category, None,
            self.cheap if "price" in filters or "all" in filters else None,
            Days(first, first + timedelta(2)) if "3 days" in filters else Days(first, first) if "1 day" in filters else None,
        )  # fmt: skip

    # ── the ways ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def floor(self, asks: Reader) -> None:
        some = self.dice.sample(self.keys, SHOWN)
        holders = ",".join(["%s"] * SHOWN)
        statement = f"SELECT service_id, name, category_code, place, price_fen, site_id FROM nearby_offer WHERE service_id IN ({holders})"
        rows = await asks.rows(statement, some)
        assert len(rows) == SHOWN

    async def paper(self, asks: Reader) -> None:
        city = self.dice.choice(CITIES)[0]
        statement = (
            "SELECT s.id, s.name, s.price_fen FROM service s JOIN site t ON t.id = s.site_id"
            " WHERE t.address LIKE %s AND s.state = 'published' ORDER BY s.created_at DESC, s.id DESC LIMIT 20"
        )
        await asks.rows(statement, [f"%{city}%"])

    async def search(self, asks: Reader, wanted: Wanted) -> list[bytes]:
        found = self.snapshot.find(wanted, want=SHOWN + SPARE)
        shown = await queries.offers_shown(asks, [each.service_id for each in found], wanted)
        return [each.service_id for each in found if each.service_id in shown][:SHOWN]

    async def answer(self, asks: Reader, wanted: Wanted) -> None:
        await find_services(asks, self.index, wanted, limit=SHOWN, after=None, now=clock.now())

    def reader(self) -> Reader:
        """Asks as a request does."""
        return Reader(self.database.readers, SimpleNamespace())

    # ── measuring ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def measure(self, cell: Cell, ask: Callable[[Any], Awaitable[object]], many: int) -> None:
        """One round of one cell on one connection."""
        taken = []
        asks = self.reader()
        await ask(asks)
        for _ in range(many):
            began = time.perf_counter()
            await ask(asks)
            taken.append(time.perf_counter() - began)
        self.times[cell].append(sorted(taken))

    async def together(self, ask: Callable[[Any], Awaitable[object]], seconds: float, clients: int = 8) -> float:
        """Requests a second of so many connections."""
        done, until = 0, time.perf_counter() + seconds

        async def client() -> None:
            nonlocal done
            asks = self.reader()
            while time.perf_counter() < until:
                await ask(asks)
                done += 1

        await asyncio.gather(*(client() for _ in range(clients)))
        return done / seconds

    def brute(self, wanted: Wanted) -> list[bytes]:
        """Every offer looked at; the arrays of the snapshot, but no tree, no counts and no guess of how many sites."""
        s, o = self.snapshot.sites, self.snapshot.offers
        assert wanted.origin is not None
        squared = ((s.xyz - np.array(on_sphere(wanted.origin.lat, wanted.origin.lng))) ** 2).sum(axis=1)
        usable = s.open & (s.licence >= wanted.today.toordinal()) & (squared <= chord_of(wanted.radius_m) ** 2)
        reached = s.goes_home & (squared <= s.reach2)
        mask = usable[o.site] & (((o.places & 1 != 0) & reached[o.site]) | (o.places & 2 != 0))
        first = (wanted.days.first if wanted.days else wanted.today).toordinal()
        last = (wanted.days.last if wanted.days else wanted.today).toordinal()
        mask &= (o.season_from <= last) & (o.season_until >= max(first, wanted.today.toordinal()))
        if wanted.category is not None:
            mask &= o.category == self.snapshot.categories[wanted.category]
        if wanted.max_price_fen is not None:
            mask &= o.price <= wanted.max_price_fen
        if wanted.days is not None:
            some = [wanted.days.first + timedelta(n) for n in range(last - first + 1)]
            opens = np.zeros(len(o), dtype=bool)
            for day in some:
                opens |= (o.weekdays >> day.weekday() & 1 == 1) | (o.extra >> (day.toordinal() % 62) & 1 == 1)
            mask &= opens
        rows = np.nonzero(mask)[0]
        order = np.lexsort((o.low[rows], o.high[rows], np.round(squared[o.site[rows]], 18)))[:SHOWN]
        return [_id(o.high[row], o.low[row]) for row in rows[order]]


def _each(way: Way, asked: list[Wanted]) -> Callable[[Any], Awaitable[object]]:
    """One way, asking for the next of these each time."""
    mine = iter(asked)
    return lambda asks: way(asks, next(mine))


async def run(options: argparse.Namespace) -> None:
    server = database_server()
    try:
        await prepared(server.url, options)
    finally:
        server.stop()


async def prepared(url: Callable[[str], str], options: argparse.Namespace) -> None:
    """A database of that size, then all rounds."""
    root = create_async_engine(url(""), poolclass=NullPool)
    async with root.begin() as connection:
        await connection.execute(text("CREATE DATABASE benchmark CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"))
        try:
            await connection.execute(text("SET GLOBAL innodb_buffer_pool_size = 1073741824"))
        except Exception as error:
            say(f"buffer pool left as it is: {type(error).__name__}")
    settings = Settings()
    secrets.install(settings.secrets)
    limits = settings.database.model_copy(update={"statement_timeout_s": 600.0})
    database = Database(limits, url=url("benchmark"), pool_size=10)
    async with database.engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    began = time.perf_counter()
    await seed_reference(database, now=clock.now())
    await seed_scale(database, options.services)
    async with database.begin() as tx:
        await tx.execute(text("ANALYZE TABLE nearby_offer, nearby_site, service, site, claim, pool_service"))
    say(f"seeded {options.services} services in {time.perf_counter() - began:.0f} s")
    index = NearbyIndex(database)
    began = time.perf_counter()
    await index.refresh()
    built = time.perf_counter() - began
    await index.refresh()  # what was read slowly is not trusted before it has been compared once more
    index.start()  # and goes on polling, as in production
    snapshot = index.snapshot
    assert snapshot is not None
    size = sum(getattr(snapshot.offers, name).nbytes for name in snapshot.offers.__slots__) / 1e6
    say(
        f"index of {len(snapshot.offers)} offers at {len(snapshot.sites)} sites: {built:.1f} s, {size:.1f} MB of arrays"
    )
    if options.freeze:
        gc.collect()
        gc.freeze()
    try:
        await rounds(Bench(database, index, queries_a_cell=options.queries), options)
    finally:
        await index.aclose()
        await database.aclose()
        await root.dispose()


async def rounds(bench: Bench, options: argparse.Namespace) -> None:
    """Everything takes turns, round by round."""
    wrong = checked = 0
    floor: Cell = ("floor", "20 rows by key", 0)
    paper: Cell = ("paper", "LIKE '%city%'", 0)
    for number in range(options.rounds):
        await bench.measure(paper, bench.paper, max(5, bench.many // 40))
        for filters in FILTERS:
            for radius in RADII:
                await bench.measure(floor, bench.floor, bench.many // 4)
                asked = [bench.wanted(filters, radius) for _ in range(bench.many + 1)]
                ways: dict[str, Way] = {"search": bench.search, "answer": bench.answer}
                for name, way in ways.items():
                    await bench.measure((name, filters, radius), _each(way, asked), bench.many)
                if number == 0:
                    asks = bench.reader()
                    for wanted in asked[: options.checked]:
                        checked += 1
                        wrong += await bench.search(asks, wanted) != bench.brute(wanted)
    report(bench, floor)
    say(f"compared with brute force: {checked} searches, {wrong} wrong")
    assert wrong == 0
    ratios = []
    for _ in range(options.rounds):
        base = await bench.together(bench.floor, options.seconds)
        ours = await bench.together(lambda asks: bench.search(asks, bench.wanted("none", 20_000)), options.seconds)
        ratios.append((ours / base, base, ours))
    ratio, base, ours = sorted(ratios)[len(ratios) // 2]
    say(f"8 connections, 20 km, no filter: {ours:.0f} searches/s, floor {base:.0f}/s = {ratio:.2f} of the floor")
    say(
        json.dumps(
            {
                "benchmark": "nearby",
                "cell": "8 connections",
                "per_s": round(ours),
                "floor_per_s": round(base),
                "ratio": round(ratio, 3),
            }
        )
    )


def report(bench: Bench, floor: Cell) -> None:
    """The table, then a JSON line per cell."""

    def figures(cell: Cell) -> tuple[float, float]:
        each = bench.times[cell]
        return median(t[len(t) // 2] for t in each), median(t[int(len(t) * 0.99)] for t in each)

    base, base_tail = figures(floor)
    say(f"\n{'way':8}{'filters':22}{'km':>4}{'p50 ms':>9}{'p99 ms':>9}{'p50/floor':>11}{'p99/floor':>11}")
    lines = []
    for way, filters, radius in bench.times:
        middle, tail = figures((way, filters, radius))
        say(
            f"{way:8}{filters:22}{radius // 1000 or '':>4}{middle * 1e3:9.2f}{tail * 1e3:9.2f}{middle / base:11.2f}{tail / base:11.2f}"
        )
        lines.append(
            {
                "benchmark": "nearby", "way": way, "filters": filters, "radius_m": radius, "p50_ms": round(middle * 1e3, 3),
                "p99_ms": round(tail * 1e3, 3), "p50_floors": round(middle / base, 2), "p99_floors": round(tail / base, 2),
                "offers": len(bench.snapshot.offers),
            }
        )  # fmt: skip
    say(f"(floor p99 {base_tail * 1e3:.2f} ms; all floors are its p50)\n")
    for line in lines:
        say(json.dumps(line))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=400, help="per cell and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--checked", type=int, default=10, help="compared with brute force, per cell")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round with 8 connections")
    parser.add_argument("--no-freeze", dest="freeze", action="store_false", help="leave the garbage collector alone")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
