"""One picture of everything that can be searched, in arrays; immutable, so that readers keep theirs while one is built.

Offers are sorted by (site, id): a site is one slice. Sites keep their numbers for good, new ones come at the end. The
tree holds the open sites as unit vectors; how far it reaches follows the density of offers, never a fixed radius.
Distances are compared as squared straight lines, computed by plain multiplication and addition in one order, so that
every process and every page gets the very same number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.hospitals.rules import adcode_range, prefix_of
from yiyuebao_api.domains.nearby.rules import SEX_BITS, Sort, Wanted, chord_of, masks_of, on_sphere, serves
from yiyuebao_api.domains.patients.rules import Sex

HOME, HOSPITAL = 1, 2
_PLACES = {Place.HOME.value: HOME, Place.HOSPITAL.value: HOSPITAL, Place.BOTH.value: HOME | HOSPITAL}
#: Upper ends of the price bands of the facets, fen; and the ratings people choose from.
PRICE_BANDS: tuple[int, ...] = (10_000, 20_000, 30_000, 50_000)
STAR_BANDS: tuple[float, ...] = (3.0, 4.0, 4.5)
_NEVER, _ALWAYS = 0, 4_000_000  # as ordinal days
_FIRST_SITES = 16
_SAMPLE = 4000
#: Above so many changed offers sorting all of them again is cheaper than finding each its place.
_PATCHED_AT_MOST = 1000

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class SiteRow(NamedTuple):
    """A site as the feed brings it."""

    site_id: bytes
    hospital_id: bytes
    lat: float
    lng: float
    radius_m: int
    adcode: str
    adcodes: tuple[str, ...]
    goes_home: bool
    open: bool
    licence_until: date | None
    staff_sexes: int = 0


class OfferRow(NamedTuple):
    """An offer as the feed brings it."""

    service_id: bytes
    site_id: bytes
    listed: bool
    category: str
    place: str
    price: int
    hospital_price: int
    season_from: date | None
    season_until: date | None
    weekdays: int
    extra_days: int
    stars: int = 0
    reviews: int = 0


class Found(NamedTuple):
    """A row that may match. `key` is what it is ordered by; `squared` the squared line, None without origin."""

    key: float
    service_id: bytes
    squared: float | None


@dataclass(frozen=True, slots=True)
class Facets:
    """What each further choice would leave. `prices` counts per band of PRICE_BANDS, the last is above all of them."""

    categories: Mapping[str, int]
    places: Mapping[Place, int]
    prices: Sequence[int]
    stars: Mapping[float, int]
    sexes: Mapping[Sex, int]


class FoundSite(NamedTuple):
    """A site of a hospital, its nearest one."""

    squared: float
    site_id: bytes
    offers: int


@dataclass(frozen=True, slots=True)
class Sites:
    """Sites by number."""

    ids: tuple[bytes, ...]
    numbers: Mapping[bytes, int]
    hospitals: tuple[bytes, ...]
    hospital: NDArray[np.int32]
    xyz: Floats
    reach2: Floats  # squared straight line to the edge of the service area
    adcode: NDArray[np.int32]
    restricted: Bools  # serves only named districts
    adcodes: tuple[tuple[str, ...], ...]
    goes_home: Bools
    open: Bools
    licence: NDArray[np.int32]
    staff_sexes: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Offers:
    """Listed offers by (site, id); the sixteen bytes of an id are two unsigned numbers."""

    site: NDArray[np.int32]
    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    category: NDArray[np.int16]
    places: NDArray[np.uint8]
    price: NDArray[np.int32]
    hospital_price: NDArray[np.int32]
    season_from: NDArray[np.int32]
    season_until: NDArray[np.int32]
    weekdays: NDArray[np.uint8]
    extra: Ints
    rating: NDArray[np.float32]  # mean of the stars; nought before the first review

    def __len__(self) -> int:
        return len(self.site)

    def map(self, change: Any) -> Offers:
        """The same columns, each changed in the same way."""
        return Offers(*(change(getattr(self, name), name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that can be searched, as it was at one change number."""

    number: int
    epoch: bytes
    sites: Sites
    offers: Offers
    categories: Mapping[str, int]
    starts: Ints
    counts: Ints  # [site, category]; the last column is their sum
    tree: Any
    tree_sites: Ints
    _shares: dict[Any, float] = field(default_factory=dict)

    # ── building ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def build(cls, sites: Iterable[SiteRow], offers: Iterable[OfferRow]) -> Snapshot:
        """A picture from rows. Offers of a site that is not among them are left out."""
        reader = cls.reader(sites)
        reader.add(offers)
        return reader.finish(number=0, epoch=b"")

    @classmethod
    def reader(cls, sites: Iterable[SiteRow]) -> Reader:
        """The same for offers that come in portions."""
        return Reader(_sites(sites))

    def patched(self, sites: Sequence[SiteRow], offers: Sequence[OfferRow], *, number: int) -> Snapshot:
        """The next picture, from the rows that changed since this one."""
        if not sites and not offers:
            return replace(self, number=number)
        offers = list({row.service_id: row for row in offers}.values())  # the last word on each
        known = _sites(sites, self.sites) if sites else self.sites
        categories = dict(self.categories)
        columns = self.offers
        if offers:
            changed = _columns([row._replace(listed=True) for row in offers], known, categories)
            gone = np.isin(columns.low, changed.low)
            if gone.any():
                suspects = np.nonzero(gone)[0]
                gone[suspects] = np.isin(columns.high[suspects], changed.high)
                columns = columns.map(lambda column, _: column[~gone])
            columns = _inserted(columns, _columns(offers, known, categories))
        return _finished(number, self.epoch, known, columns, categories)

    # ── searching ────────────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, wanted: Wanted, *, want: int, after: tuple[float, bytes] | None = None) -> list[Found]:
        """At most `want` offers after that key and id, in order; fewer only when there are no more.

        Ordered by distance (or by price), then by id; without origin by id. `Sort.SOONEST` is ordered as distance: the
        free places are not known here.
        """
        if (wanted.category is not None and wanted.category not in self.categories) or not len(self.tree_sites):
            return []
        if wanted.origin is None:
            sites = self._in_region(wanted)
            return self._ordered(wanted, sites, np.zeros(len(sites)), want, after)
        if wanted.sort in (Sort.PRICE, Sort.RATING):
            sites, squared = self._around(wanted)
            return self._ordered(wanted, sites, squared, want, after)
        return self._nearest(wanted, want, after)

    def find_hospitals(self, wanted: Wanted, *, want: int, after: tuple[float, bytes] | None = None) -> list[FoundSite]:
        """At most `want` open hospitals after that key and site, each at its nearest site, nearest first."""
        if (wanted.category is not None and wanted.category not in self.categories) or not len(self.tree_sites):
            return []
        if wanted.origin is None:
            sites = self._in_region(wanted, located=True)
            squared = np.zeros(len(sites))
        else:
            sites, squared = self._around(wanted)
        usable = self.sites.licence[sites] >= wanted.today.toordinal()
        offers = self.counts[sites, self._column(wanted)]
        if wanted.category is not None:
            usable &= offers > 0
        rows = [
            (float(away), self.sites.ids[site], int(count), int(self.sites.hospital[site]))
            for away, site, count in zip(squared[usable], sites[usable], offers[usable], strict=True)
        ]
        nearest: dict[int, FoundSite] = {}
        for away, site_id, count, hospital in sorted(rows):
            nearest.setdefault(hospital, FoundSite(away, site_id, count))
        later = (each for each in nearest.values() if after is None or each[:2] > after)
        return [each for _, each in zip(range(want), later, strict=False)]

    def find_sites(self, wanted: Wanted) -> list[tuple[float, bytes]]:
        """Every open site within the radius with its squared line, nearest first."""
        if wanted.origin is None or not len(self.tree_sites):
            return []
        sites, squared = self._around(wanted)
        return sorted((float(away), self.sites.ids[site]) for away, site in zip(squared, sites, strict=True))

    def _column(self, wanted: Wanted) -> int:
        return self.counts.shape[1] - 1 if wanted.category is None else self.categories[wanted.category]

    def _squared(self, wanted: Wanted, sites: Ints) -> Floats:
        """Squared straight lines from the origin, always by the same operations."""
        assert wanted.origin is not None
        x, y, z = on_sphere(wanted.origin.lat, wanted.origin.lng)
        xyz = self.sites.xyz[sites]
        dx, dy, dz = xyz[:, 0] - x, xyz[:, 1] - y, xyz[:, 2] - z
        return np.asarray(dx * dx + dy * dy + dz * dz)

    def _around(self, wanted: Wanted) -> tuple[Ints, Floats]:
        assert wanted.origin is not None
        chord = chord_of(wanted.radius_m)
        point = on_sphere(wanted.origin.lat, wanted.origin.lng)
        positions = np.array(self.tree.query_ball_point(point, chord * (1 + 1e-9)), dtype=np.int64)
        sites = self.tree_sites[positions]
        squared = self._squared(wanted, sites)
        inside = squared <= chord * chord
        return sites[inside], squared[inside]

    def _in_region(self, wanted: Wanted, *, located: bool = False) -> Ints:
        """Sites in the region, and (unless `located`) those elsewhere whose staff serve it by name."""
        assert wanted.adcode is not None
        region = prefix_of(wanted.adcode)
        inside = self._located(wanted, self.tree_sites)
        if not located:
            for position in np.nonzero(self.sites.restricted[self.tree_sites] & ~inside)[0]:
                inside[position] = serves(self.sites.adcodes[self.tree_sites[position]], region)
        return self.tree_sites[inside]

    def _nearest(self, wanted: Wanted, want: int, after: tuple[float, bytes] | None) -> list[Found]:
        assert wanted.origin is not None
        chord, column = chord_of(wanted.radius_m), self._column(wanted)
        point = on_sphere(wanted.origin.lat, wanted.origin.lng)
        k, need = _FIRST_SITES, want * 1.5 / self._share(wanted)
        while True:
            k = min(k, len(self.tree_sites))
            away, positions = map(np.atleast_1d, self.tree.query(point, k=k, distance_upper_bound=chord * (1 + 1e-9)))
            inside = np.isfinite(away)
            whole = k == len(self.tree_sites) or not bool(inside.all())
            sites = self.tree_sites[positions[inside]]
            squared = self._squared(wanted, sites)
            order = np.argsort(squared, kind="stable")
            sites, squared = sites[order], squared[order]
            seen = squared <= chord * chord
            if not whole:  # sites as far as the last one may have been cut off
                seen &= squared < squared[-1] * (1 - 1e-12)
            if after is not None:
                seen &= squared >= after[0]
            sites, squared = sites[seen], squared[seen]
            offers = np.cumsum(self.counts[sites, column])
            if not whole and (not len(offers) or offers[-1] < need):
                k *= 4
                continue
            upto = int(np.searchsorted(offers, need)) + 1
            if upto < len(sites):  # all sites at the distance of the last one
                upto = int(np.searchsorted(squared, squared[upto - 1], side="right"))
            found = self._ordered(wanted, sites[:upto], squared[:upto], want, after)
            if len(found) >= want or (whole and upto >= len(sites)):
                return found
            need *= 4

    def _ordered(
        self, wanted: Wanted, sites: Ints, squared: Floats, want: int, after: tuple[float, bytes] | None
    ) -> list[Found]:
        """The first matching offers of these sites."""
        rows, away = self._rows(wanted, sites, squared)
        if wanted.sort is Sort.PRICE:
            keys = self._price(rows, wanted).astype(np.float64)
        elif wanted.sort is Sort.RATING:
            keys = -self.offers.rating[rows].astype(np.float64)
        else:
            keys = away
        if after is not None:
            high, low = _halves(after[1])
            behind = (self.offers.high[rows] > high) | (
                (self.offers.high[rows] == high) & (self.offers.low[rows] > low)
            )
            later = (keys > after[0]) | ((keys == after[0]) & behind)
            rows, away, keys = rows[later], away[later], keys[later]
        if len(rows) > want:
            few = keys <= np.partition(keys, want - 1)[want - 1]
            rows, away, keys = rows[few], away[few], keys[few]
        order = np.lexsort((self.offers.low[rows], self.offers.high[rows], keys))[:want]
        without = wanted.origin is None
        return [
            Found(key, high.to_bytes(8) + low.to_bytes(8), None if without else squared_line)
            for key, high, low, squared_line in zip(
                keys[order].tolist(), self.offers.high[rows[order]].tolist(), self.offers.low[rows[order]].tolist(),
                away[order].tolist(), strict=True,
            )
        ]  # fmt: skip

    def count(self, wanted: Wanted) -> Facets:
        """How many offers each choice would leave, everything else that is wanted staying as it is."""
        if not len(self.tree_sites):
            return Facets({}, {}, [0] * (len(PRICE_BANDS) + 1), {}, {})
        if wanted.category is not None and wanted.category not in self.categories:
            known = replace(wanted, category=None)
            by_category, rest = self._tally(known), Facets({}, {}, [0] * (len(PRICE_BANDS) + 1), {}, {})
            return replace(rest, categories=by_category)
        places = {
            place: len(self._all(replace(wanted, place=place))) for place in (Place.HOME, Place.HOSPITAL)
        }
        prices = self._price(self._all(replace(wanted, max_price_fen=None)), wanted)
        bands = np.bincount(np.searchsorted(PRICE_BANDS, prices, "left"), minlength=len(PRICE_BANDS) + 1)
        rated = self.offers.rating[self._all(replace(wanted, min_stars=None))]
        return Facets(
            self._tally(replace(wanted, category=None)), places, bands.tolist(),
            {stars: int((rated >= stars).sum()) for stars in STAR_BANDS},
            {sex: len(self._all(replace(wanted, staff_sex=sex))) for sex in Sex},
        )

    def _tally(self, wanted: Wanted) -> dict[str, int]:
        found = np.bincount(self.offers.category[self._all(wanted)], minlength=len(self.categories))
        return {code: int(found[number]) for code, number in sorted(self.categories.items()) if found[number]}

    def _all(self, wanted: Wanted) -> Ints:
        """Every matching offer."""
        if wanted.origin is None:
            sites = self._in_region(wanted)
            return self._rows(wanted, sites, np.zeros(len(sites)))[0]
        return self._rows(wanted, *self._around(wanted))[0]

    def _rows(self, wanted: Wanted, sites: Ints, squared: Floats) -> tuple[Ints, Floats]:
        """The matching offers of these sites, and how far each is."""
        counts = self.starts[sites + 1] - self.starts[sites]
        ends = np.cumsum(counts)
        rows = np.arange(ends[-1] if len(ends) else 0) + np.repeat(self.starts[sites] - ends + counts, counts)
        mask = self._matching(rows, wanted)
        mask &= np.repeat(self.sites.licence[sites] >= wanted.today.toordinal(), counts)
        if wanted.staff_sex is not None:
            mask &= np.repeat((self.sites.staff_sexes[sites] & SEX_BITS[wanted.staff_sex]) != 0, counts)
        if wanted.place is Place.HOSPITAL:
            mask &= self._at_hospital(rows, wanted, sites, counts)
        else:
            reached = np.repeat(self._reached(wanted, sites, squared), counts)
            home = (self.offers.places[rows] & HOME) != 0
            mask &= (home & reached) | self._at_hospital(rows, wanted, sites, counts)
        return rows[mask], np.repeat(squared, counts)[mask]

    def _at_hospital(self, rows: Ints, wanted: Wanted, sites: Ints, counts: Ints) -> Any:
        """Which of these offers can be had by going there, when that is asked for."""
        if wanted.place is Place.HOME:
            return False
        there = (self.offers.places[rows] & HOSPITAL) != 0
        if wanted.origin is None:
            there &= np.repeat(self._located(wanted, sites), counts)
        return there

    def _located(self, wanted: Wanted, sites: Ints) -> Bools:
        """Which of these sites stand in the region asked about."""
        assert wanted.adcode is not None
        first, last = (int(code) for code in adcode_range(prefix_of(wanted.adcode)))
        adcodes = self.sites.adcode[sites]
        return np.asarray((adcodes >= first) & (adcodes <= last))

    def _reached(self, wanted: Wanted, sites: Ints, squared: Floats) -> Bools:
        """Which of these sites send their staff to the place asked about."""
        reached = np.array(self.sites.goes_home[sites])
        if wanted.origin is not None:
            reached &= squared <= self.sites.reach2[sites]
        if wanted.adcode is not None:
            region = prefix_of(wanted.adcode)
            for position in np.nonzero(reached & self.sites.restricted[sites])[0]:
                reached[position] = serves(self.sites.adcodes[sites[position]], region)
        return reached

    def _price(self, rows: Any, wanted: Wanted) -> NDArray[np.int32]:
        prices = self.offers.hospital_price if wanted.place is Place.HOSPITAL else self.offers.price
        return np.asarray(prices[rows])

    def _matching(self, rows: Any, wanted: Wanted) -> Bools:
        """What passes the filters that ask about the offer alone."""
        offers, today = self.offers, wanted.today.toordinal()
        mask = offers.season_until[rows] >= today
        if wanted.days is None:
            mask &= offers.season_from[rows] <= today
        else:
            mask &= offers.season_from[rows] <= wanted.days.last.toordinal()
            mask &= offers.season_until[rows] >= wanted.days.first.toordinal()
            week, extra = masks_of(wanted.days)
            mask &= ((offers.weekdays[rows] & np.uint8(week)) != 0) | ((offers.extra[rows] & np.int64(extra)) != 0)
        if wanted.category is not None:
            mask &= offers.category[rows] == self.categories[wanted.category]
        if wanted.max_price_fen is not None:
            mask &= self._price(rows, wanted) <= wanted.max_price_fen
        if wanted.min_stars is not None:
            mask &= offers.rating[rows] >= np.float32(wanted.min_stars)
        return np.asarray(mask)

    def _share(self, wanted: Wanted) -> float:
        """How much of what the index counts will pass the filters, from a fixed sample; never nought."""
        asked = (wanted.category, wanted.place, wanted.max_price_fen, wanted.days, wanted.min_stars, wanted.today)
        known = self._shares.get(asked)
        if known is None:
            every = slice(None, None, max(1, len(self.offers) // _SAMPLE))
            pool = self.offers.category[every]
            offered = len(pool) if wanted.category is None else int((pool == self.categories[wanted.category]).sum())
            known = max(int(self._matching(every, wanted).sum()), 1) / max(offered, 1)
            if len(self._shares) > 500:
                self._shares.clear()
            self._shares[asked] = min(known, 1.0)
        return known


class Reader:
    """Takes offers in portions, so that no thread is held for long and no tuple is kept."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._categories: dict[str, int] = {}
        self._columns: list[Offers] = []

    def add(self, rows: Iterable[OfferRow]) -> None:
        """One portion."""
        self._columns.append(_columns(rows, self._sites, self._categories))

    def finish(self, *, number: int, epoch: bytes) -> Snapshot:
        """The picture of everything that was added."""
        parts = self._columns or [_columns((), self._sites, self._categories)]
        merged = parts[0].map(lambda _, name: np.concatenate([getattr(each, name) for each in parts]))
        return _finished(number, epoch, self._sites, _sorted(merged), self._categories)


def _ordinal(day: date | None, otherwise: int) -> int:
    return otherwise if day is None else day.toordinal()


def _halves(raw: bytes) -> tuple[np.uint64, np.uint64]:
    return np.uint64(int.from_bytes(raw[:8])), np.uint64(int.from_bytes(raw[8:]))


def _sites(rows: Iterable[SiteRow], before: Sites | None = None) -> Sites:
    """The sites of `before` with these in place of the same ones, new ones at the end."""
    known: dict[bytes, tuple[Any, ...]] = {}
    if before is not None:
        for number, site_id in enumerate(before.ids):
            known[site_id] = (
                before.hospitals[before.hospital[number]], before.xyz[number], before.reach2[number],
                before.adcode[number], before.adcodes[number], before.goes_home[number], before.open[number],
                before.licence[number], before.staff_sexes[number],
            )  # fmt: skip
    for row in rows:
        known[row.site_id] = (
            row.hospital_id, on_sphere(row.lat, row.lng), chord_of(row.radius_m) ** 2, int(row.adcode), row.adcodes,
            row.goes_home, row.open, _ordinal(row.licence_until, _NEVER), row.staff_sexes,
        )  # fmt: skip
    facts = list(known.values())
    hospitals: dict[bytes, int] = {}
    numbered = [hospitals.setdefault(fact[0], len(hospitals)) for fact in facts]
    return Sites(
        ids=tuple(known), numbers={site_id: number for number, site_id in enumerate(known)},
        hospitals=tuple(hospitals), hospital=np.array(numbered, dtype=np.int32),
        xyz=np.array([fact[1] for fact in facts], dtype=np.float64).reshape(-1, 3),
        reach2=np.array([fact[2] for fact in facts], dtype=np.float64),
        adcode=np.array([fact[3] for fact in facts], dtype=np.int32),
        restricted=np.array([bool(fact[4]) for fact in facts], dtype=np.bool_),
        adcodes=tuple(tuple(fact[4]) for fact in facts),
        goes_home=np.array([fact[5] for fact in facts], dtype=np.bool_),
        open=np.array([fact[6] for fact in facts], dtype=np.bool_),
        licence=np.array([fact[7] for fact in facts], dtype=np.int32),
        staff_sexes=np.array([fact[8] for fact in facts], dtype=np.uint8),
    )  # fmt: skip


def _columns(rows: Iterable[OfferRow], sites: Sites, categories: dict[str, int]) -> Offers:
    """Columns of the listed ones, in the order given; unseen categories are numbered."""
    some = [row for row in rows if row.listed and row.site_id in sites.numbers]
    halves = np.frombuffer(b"".join(row.service_id for row in some), dtype=">u8").reshape(-1, 2)
    return Offers(
        site=np.array([sites.numbers[row.site_id] for row in some], dtype=np.int32),
        high=halves[:, 0].astype(np.uint64), low=halves[:, 1].astype(np.uint64),
        category=np.array([categories.setdefault(row.category, len(categories)) for row in some], dtype=np.int16),
        places=np.array([_PLACES[row.place] for row in some], dtype=np.uint8),
        price=np.array([row.price for row in some], dtype=np.int32),
        hospital_price=np.array([row.hospital_price for row in some], dtype=np.int32),
        season_from=np.array([_ordinal(row.season_from, _NEVER) for row in some], dtype=np.int32),
        season_until=np.array([_ordinal(row.season_until, _ALWAYS) for row in some], dtype=np.int32),
        weekdays=np.array([row.weekdays for row in some], dtype=np.uint8),
        extra=np.array([row.extra_days for row in some], dtype=np.int64),
        rating=np.array([row.stars / row.reviews if row.reviews else 0 for row in some], dtype=np.float32),
    )  # fmt: skip


def _sorted(offers: Offers) -> Offers:
    order = np.lexsort((offers.low, offers.high, offers.site))
    return offers.map(lambda column, _: column[order])


def _inserted(into: Offers, new: Offers) -> Offers:
    """Sorted columns with a few more rows, each at its place."""
    if len(new) > _PATCHED_AT_MOST:
        return _sorted(into.map(lambda column, name: np.concatenate([column, getattr(new, name)])))
    new = _sorted(new)
    places = []
    for site, high, low in zip(new.site, new.high, new.low, strict=True):
        start, end = np.searchsorted(into.site, site, "left"), np.searchsorted(into.site, site, "right")
        first = start + np.searchsorted(into.high[start:end], high, "left")
        last = start + np.searchsorted(into.high[start:end], high, "right")
        places.append(int(first + np.searchsorted(into.low[first:last], low, "left")))
    return into.map(lambda column, name: np.insert(column, places, getattr(new, name)))


def _finished(number: int, epoch: bytes, sites: Sites, offers: Offers, categories: Mapping[str, int]) -> Snapshot:
    starts = np.searchsorted(offers.site, np.arange(len(sites) + 1)).astype(np.int64)
    width = len(categories) + 1
    cells = offers.site.astype(np.int64) * width + offers.category
    counts = np.bincount(cells, minlength=len(sites) * width).reshape(-1, width).astype(np.int64)
    counts[:, -1] = counts[:, :-1].sum(axis=1)
    visible = np.nonzero(sites.open)[0].astype(np.int64)
    tree = cKDTree(sites.xyz[visible]) if len(visible) else None
    return Snapshot(number, epoch, sites, offers, categories, starts, counts, tree, visible)
