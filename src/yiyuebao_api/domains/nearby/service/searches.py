"""The searches: which rows may match comes from the index, whether they do from the tables, when from schedules."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import cos, degrees, radians
from typing import Any, NamedTuple

from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.nearby import queries
from yiyuebao_api.domains.nearby.index import NearbyIndex
from yiyuebao_api.domains.nearby.queries import Shown
from yiyuebao_api.domains.nearby.rules import EARTH_M, Sort, Wanted, comes_home, metres_of
from yiyuebao_api.domains.nearby.snapshot import Facets, Found, FoundSite, SiteRow, Snapshot
from yiyuebao_api.domains.schedules.rules import DAY_MINUTES, moment_of
from yiyuebao_api.domains.schedules.service import next_free
from yiyuebao_api.kernel.reading import Asks

#: Asked for beyond what is shown: rows that stopped matching a moment ago are replaced without another round.
_SPARE = 4
#: How many of the nearest offers are looked at to find the ones that are free soonest.
_SOONEST_OF = 200
#: How far ahead a free place is looked for; a pool's own horizon is nearer.
_HORIZON_DAYS = 60
#: Without an index, the nearest so many sites are read first, then four times as many.
_FALLBACK_SITES = 32
_FALLBACK_MOST = 512


class Hit(NamedTuple):
    """One line of the answer: the row, how far, when it is free, and its place in the order."""

    shown: Shown
    metres: float | None
    next_free_at: datetime | None
    key: float


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Some lines of the answer, and whether there are more."""

    hits: list[Any]
    more: bool


async def find_services(
    tx: Asks,
    index: NearbyIndex,
    wanted: Wanted,
    *,
    limit: int,
    after: tuple[float, bytes] | None,
    now: datetime,
) -> SearchPage:
    """Offers that can be had at the place asked about, in order, each with its next free time (in the days asked for).

    Exact and without repeats or gaps for distance and price. `Sort.SOONEST` orders the 200 nearest that match by their
    next free time. With days, an item without a free place on them is not shown; every number comes from schedules.
    """
    find = _Finder(tx, index, wanted)
    if wanted.sort is Sort.SOONEST:
        return await _soonest(tx, find, wanted, limit=limit, after=after, now=now)
    hits: list[Hit] = []
    while len(hits) <= limit:
        asked = limit + 1 - len(hits) + _SPARE
        found = await find(asked, after)
        true = await _still_true(tx, wanted, found)
        hits += true if wanted.days is None else await _free_then(tx, wanted, true, now)
        if len(found) < asked:
            break
        after = found[-1].key, found[-1].service_id
    shown = hits[:limit]
    return SearchPage(
        shown if wanted.days is not None else await _with_next_free(tx, wanted, shown, now), len(hits) > limit
    )


async def count_services(tx: Asks, index: NearbyIndex, wanted: Wanted) -> Facets:
    """How many services each choice of the filters would leave; as the index knows them, a second old at most."""
    return await _Finder(tx, index, wanted).count()


async def _soonest(
    tx: Asks, find: _Finder, wanted: Wanted, *, limit: int, after: tuple[float, bytes] | None, now: datetime
) -> SearchPage:
    free = await _free_then(tx, wanted, await _still_true(tx, wanted, await find(_SOONEST_OF, None)), now)
    keyed = [hit._replace(key=hit.next_free_at.timestamp()) for hit in free if hit.next_free_at is not None]
    ordered = sorted(keyed, key=lambda hit: (hit.key, hit.shown.service_id))
    if after is not None:
        ordered = [hit for hit in ordered if (hit.key, hit.shown.service_id) > after]
    return SearchPage(ordered[:limit], len(ordered) > limit)


async def _still_true(tx: Asks, wanted: Wanted, found: Sequence[Found]) -> list[Hit]:
    """What is found and holds by the tables, in the same order."""
    shown = await queries.offers_shown(tx, [each.service_id for each in found], wanted)
    return [
        Hit(shown[each.service_id], None if each.squared is None else metres_of(each.squared), None, each.key)
        for each in found
        if each.service_id in shown
    ]


async def _free_then(tx: Asks, wanted: Wanted, hits: Sequence[Hit], now: datetime) -> list[Hit]:
    """Those that have a free place (in the days asked for)."""
    return [hit for hit in await _with_next_free(tx, wanted, hits, now) if hit.next_free_at is not None]


async def _with_next_free(tx: Asks, wanted: Wanted, hits: Sequence[Hit], now: datetime) -> list[Hit]:
    """The same hits with the first free time at a place where each can be had: at home only where its staff come."""
    ids = [hit.shown.service_id for hit in hits]
    away = {hit.shown.service_id for hit in hits if not _comes(wanted, hit)}
    free = await next_free(
        tx, ids, place=wanted.place, now=now, horizon_days=_HORIZON_DAYS, not_at_home=away,
        first=moment_of(wanted.days.first, 0) if wanted.days else None,
        last=moment_of(wanted.days.last, DAY_MINUTES) if wanted.days else None,
    )  # fmt: skip
    return [Hit(shown, metres, free.get(shown.service_id), key) for shown, metres, _, key in hits]


def _comes(wanted: Wanted, hit: Hit) -> bool:
    row = hit.shown
    return row.place != _BOTH or comes_home(
        hit.metres, wanted.adcode, goes_home=bool(row.goes_home), radius_m=row.radius_m, adcodes=_adcodes(row.adcodes)
    )


_BOTH = Place.BOTH.value


@lru_cache(maxsize=4096)
def _adcodes(written: str) -> tuple[str, ...]:
    return tuple(json.loads(written))


class HospitalHit(NamedTuple):
    """A hospital at its nearest site."""

    row: Any
    metres: float | None
    services: int
    key: float


async def find_hospitals(
    tx: Asks, index: NearbyIndex, wanted: Wanted, *, limit: int, after: tuple[float, bytes] | None
) -> SearchPage:
    """Open hospitals with a site near by, nearest first, each once at its nearest site."""
    find = _Finder(tx, index, wanted)
    hits: list[HospitalHit] = []
    while len(hits) <= limit:
        asked = limit + 1 - len(hits) + _SPARE
        found = await find.hospitals(asked, after)
        rows = await queries.sites_shown(tx, [each.site_id for each in found], wanted.today)
        hits += [
            HospitalHit(
                rows[each.site_id],
                None if wanted.origin is None else metres_of(each.squared),
                each.offers,
                each.squared,
            )
            for each in found
            if each.site_id in rows
        ]
        if len(found) < asked:
            break
        after = found[-1].squared, found[-1].site_id
    return SearchPage(hits[:limit], len(hits) > limit)


class _Finder:
    """Asks the index; as long as there is none to trust, the same code on a picture of the places around."""

    def __init__(self, tx: Asks, index: NearbyIndex, wanted: Wanted) -> None:
        self._tx, self._wanted, self._index = tx, wanted, index.snapshot
        self._sites: list[tuple[float, SiteRow]] | None = None

    async def __call__(self, want: int, after: tuple[float, bytes] | None) -> list[Found]:
        if self._index is not None:
            return self._index.find(self._wanted, want=want, after=after)
        found: list[Found] = []
        async for picture in self._pictures():
            found = picture.find(self._wanted, want=want, after=after)
            if len(found) >= want and self._wanted.sort not in (Sort.PRICE, Sort.RATING):
                break
        return found

    async def count(self) -> Facets:
        """What each further choice would leave; without an index, of the sites that its fallback reads."""
        if self._index is not None:
            return self._index.count(self._wanted)
        counted = Snapshot.build([], []).count(self._wanted)
        async for picture in self._pictures():
            counted = picture.count(self._wanted)
        return counted

    async def hospitals(self, want: int, after: tuple[float, bytes] | None) -> list[FoundSite]:
        """Hospitals, by the same rules."""
        if self._index is not None:
            return self._index.find_hospitals(self._wanted, want=want, after=after)
        found: list[FoundSite] = []
        async for picture in self._pictures():
            found = picture.find_hospitals(self._wanted, want=want, after=after)
            if len(found) >= want:
                break
        return found

    async def _pictures(self) -> AsyncIterator[Snapshot]:
        """The nearest sites with their offers, then more of them; without an origin all of the region at once."""
        if self._sites is None:
            self._sites = await self._around()
        most = min(_FALLBACK_MOST, len(self._sites))
        read = _FALLBACK_SITES if self._wanted.origin is not None else most
        while True:
            upto = min(read, most)
            while 0 < upto < most and self._sites[upto][0] == self._sites[upto - 1][0]:
                upto += 1  # sites at one distance are ordered by their offers
            some = [site for _, site in self._sites[:upto]]
            offers = await queries.offers_of_sites(self._tx, [site.site_id for site in some])
            yield await asyncio.to_thread(Snapshot.build, some, offers)
            if upto >= most:
                return
            read *= 4

    async def _around(self) -> list[tuple[float, SiteRow]]:
        wanted = self._wanted
        if wanted.origin is None:
            assert wanted.adcode is not None
            return [(0.0, site) for site in await queries.sites_in_region(self._tx, wanted.adcode)]
        high = degrees(wanted.radius_m / EARTH_M) * 1.001
        wide = min(180.0, high / max(0.01, cos(radians(abs(wanted.origin.lat) + high))))
        box = wanted.origin.lat - high, wanted.origin.lat + high, wanted.origin.lng - wide, wanted.origin.lng + wide
        sites = {site.site_id: site for site in await queries.sites_in_box(self._tx, *box)}
        nearest = Snapshot.build(sites.values(), []).find_sites(wanted)
        return [(squared, sites[site_id]) for squared, site_id in nearest]
