"""Countries of hospitals to search in, and the slow and simple way to search them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yiyuebao_api.domains.catalogue.events import OfferChanged
from yiyuebao_api.domains.catalogue.models import Place, Service
from yiyuebao_api.domains.hospitals.events import HospitalChanged
from yiyuebao_api.domains.nearby.rules import EARTH_M, SEX_BITS, Days, Sort, Wanted
from yiyuebao_api.domains.nearby.service import note_hospital_changed, note_offer_changed
from yiyuebao_api.domains.nearby.snapshot import OfferRow, SiteRow
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.kernel.ids import HospitalId, ServiceId, SiteId
from yiyuebao_api.kernel.money import Fen

TODAY = date(2026, 11, 23)
CATEGORIES = ("chronic", "postop", "tcm", "maternal", "general")
CITIES = ((20.02, 110.32), (39.91, 116.40), (31.23, 121.47), (23.13, 113.26), (30.57, 104.07), (45.80, 126.53))


async def announce_offers(database: Database, *services: Service) -> None:
    """What `catalogue` announces when these are published, suspended or changed."""
    async with database.begin() as tx:
        for service in services:
            await note_offer_changed(tx, OfferChanged(service.id))


async def announce_hospital(database: Database, hospital_id: HospitalId) -> None:
    """What `hospitals` announces when it is opened, suspended or edited."""
    async with database.begin() as tx:
        await note_hospital_changed(tx, HospitalChanged(hospital_id))


@dataclass(frozen=True, slots=True)
class Country:
    """Sites and offers as the feed brings them."""

    sites: list[SiteRow]
    offers: list[OfferRow]


def make_country(sites: int, offers_a_site: int, *, seed: int = 7) -> Country:
    """Clustered around six cities; some hospitals share a point, some are closed, some serve named districts only."""
    dice = random.Random(seed)
    made: list[SiteRow] = []
    offers: list[OfferRow] = []
    hospital = HospitalId.new().bytes
    for number in range(sites):
        lat, lng = dice.choice(CITIES)
        spread = dice.choice((0.02, 0.1, 0.5))
        lat, lng = lat + dice.gauss(0, spread), lng + dice.gauss(0, spread)
        if made and dice.random() < 0.05:
            lat, lng = made[-1].lat, made[-1].lng
        if dice.random() < 0.7:
            hospital = HospitalId.new().bytes
        adcode = dice.choice(("460105", "460106", "460107", "110105", "310115"))
        if dice.random() < 0.6:
            adcode = str(dice.randint(120000, 459999))
        adcodes = (dice.choice(("4601", "460106", "11", "31")),) if dice.random() < 0.3 else ()
        site = SiteRow(
            SiteId.new().bytes, hospital, lat, lng, dice.choice((3_000, 10_000, 30_000, 80_000)), adcode, adcodes,
            dice.random() < 0.85, dice.random() < 0.95,
            None if number % 97 == 0 else TODAY + timedelta(dice.randint(-20, 900)), dice.choice((0, 1, 2, 3, 3)),
        )  # fmt: skip
        made.append(site)
        for _ in range(dice.randint(0, 2 * offers_a_site)):
            price = dice.randint(1, 60) * 1000
            begin = TODAY + timedelta(dice.randint(-60, 20))
            season = (begin, begin + timedelta(dice.randint(0, 90))) if dice.random() < 0.2 else (None, None)
            reviews = dice.choice((0, 0, 1, 2, 40))
            extra = 1 << dice.randrange(62) if dice.random() < 0.1 else 0
            offers.append(
                OfferRow(
                    ServiceId.new().bytes, site.site_id, dice.random() < 0.95, dice.choice(CATEGORIES),
                    dice.choice(("home", "hospital", "both")), price, price // 2, season[0], season[1],
                    dice.choice((0, 0b0011111, 0b1111111, 0b1100000)), extra,
                    sum(dice.choices((1, 3, 4, 5), k=reviews)), reviews,
                )
            )  # fmt: skip
    dice.shuffle(offers)
    return Country(made, offers)


class Brute:
    """Looks at every offer each time, with the haversine formula and nothing clever."""

    def __init__(self, country: Country) -> None:
        numbers = {site.site_id: number for number, site in enumerate(country.sites)}
        self.offers = [offer for offer in country.offers if offer.listed]
        order = sorted(range(len(self.offers)), key=lambda n: self.offers[n].service_id)
        self.offers = [self.offers[n] for n in order]  # by id: a stable sort by distance is then the right order
        self.sites = country.sites
        self.site = np.array([numbers[offer.site_id] for offer in self.offers])
        self.lat = np.radians([site.lat for site in self.sites])
        self.lng = np.radians([site.lng for site in self.sites])
        self.radius = np.array([site.radius_m for site in self.sites])
        self.goes_home = np.array([site.goes_home for site in self.sites])
        self.usable = np.array(
            [site.open and site.licence_until is not None and site.licence_until >= TODAY for site in self.sites]
        )
        self.category = np.array([offer.category for offer in self.offers])
        self.home = np.array([offer.place != "hospital" for offer in self.offers])
        self.hospital = np.array([offer.place != "home" for offer in self.offers])
        self.price = np.array([offer.price for offer in self.offers])
        self.hospital_price = np.array([offer.hospital_price for offer in self.offers])
        self.begin = np.array([(offer.season_from or date.min).toordinal() for offer in self.offers])
        self.end = np.array([(offer.season_until or date.max).toordinal() for offer in self.offers])
        self.weekdays = np.array([offer.weekdays for offer in self.offers])
        self.extra = np.array([offer.extra_days for offer in self.offers])
        means = [offer.stars / offer.reviews if offer.reviews else 0 for offer in self.offers]
        self.rating = np.array(means, dtype=np.float32)

    def metres(self, origin: Point) -> NDArray[np.float64]:
        """To every site, rounded to a micrometre."""
        lat, lng = np.radians(origin.lat), np.radians(origin.lng)
        part = np.sin((self.lat - lat) / 2) ** 2 + np.cos(lat) * np.cos(self.lat) * np.sin((self.lng - lng) / 2) ** 2
        return np.asarray(np.round(2 * EARTH_M * np.arcsin(np.sqrt(np.minimum(part, 1))), 6))

    def find(self, wanted: Wanted, want: int) -> list[bytes]:
        """The ids in the right order."""
        today = wanted.today.toordinal()
        prices = self.hospital_price if wanted.place is Place.HOSPITAL else self.price
        mask = self.usable[self.site].copy()
        if wanted.days is None:
            mask &= (self.begin <= today) & (today <= self.end)
        else:
            days = range((wanted.days.last - wanted.days.first).days + 1)
            some = [wanted.days.first + timedelta(day) for day in days]
            mask &= (self.begin <= some[-1].toordinal()) & (self.end >= max(today, some[0].toordinal()))
            opens = np.zeros(len(mask), dtype=bool)
            for day in some:
                opens |= (self.weekdays >> day.weekday() & 1) == 1
                opens |= (self.extra >> (day.toordinal() % 62) & 1) == 1
            mask &= opens
        if wanted.category is not None:
            mask &= self.category == wanted.category
        if wanted.max_price_fen is not None:
            mask &= prices <= wanted.max_price_fen
        if wanted.min_stars is not None:
            mask &= self.rating >= np.float32(wanted.min_stars)
        if wanted.staff_sex is not None:
            mask &= np.array([bool(s.staff_sexes & SEX_BITS[wanted.staff_sex]) for s in self.sites])[self.site]
        reached, there = self.goes_home.copy(), np.ones(len(self.sites), dtype=bool)
        away = np.zeros(len(self.sites))
        if wanted.origin is not None:
            away = self.metres(wanted.origin)
            mask &= (away <= wanted.radius_m)[self.site]
            reached &= away <= self.radius
            if wanted.adcode is not None:
                reached &= np.array([not s.adcodes or wanted.adcode.startswith(s.adcodes) for s in self.sites])
        else:
            assert wanted.adcode is not None
            here = np.array([site.adcode == wanted.adcode for site in self.sites])
            serves = np.array([bool(s.adcodes) and wanted.adcode.startswith(s.adcodes) for s in self.sites])
            bare = np.array([not site.adcodes for site in self.sites])
            reached &= (here & bare) | serves
            there = here
        home, hospital = self.home & reached[self.site], self.hospital & there[self.site]
        mask &= home if wanted.place is Place.HOME else hospital if wanted.place is Place.HOSPITAL else home | hospital
        rows = np.nonzero(mask)[0]
        keys = prices[rows] if wanted.sort is Sort.PRICE else away[self.site[rows]]
        if wanted.sort is Sort.RATING:
            keys = -self.rating[rows]
        return [self.offers[row].service_id for row in rows[np.argsort(keys, kind="stable")][:want]]


def random_search(dice: random.Random, country: Country) -> Wanted:
    """Somewhere, something, in some order."""
    near = dice.choice(country.sites)
    origin: Point | None = Point(near.lat + dice.gauss(0, 0.03), near.lng + dice.gauss(0, 0.03))
    if dice.random() < 0.05:
        origin = Point(near.lat, near.lng)
    adcode = dice.choice((None, None, None, "460106", "460105"))
    if dice.random() < 0.05:
        origin, adcode = None, dice.choice(("460106", "110105"))
    first = TODAY + timedelta(dice.randint(0, 20))
    return Wanted(
        origin, adcode, TODAY, dice.choice((1_000, 5_000, 20_000, 50_000, 100_000)),
        dice.choice((None, *CATEGORIES)), dice.choice((None, Place.HOME, Place.HOSPITAL)),
        dice.choice((None, None, Fen(5000), Fen(30_000))),
        dice.choice((None, None, Days(first, first + timedelta(dice.randint(0, 3))))),
        dice.choice((Sort.PRICE, Sort.RATING)) if dice.random() < 0.15 else Sort.DISTANCE,
        dice.choice((4.0, 4.5)) if dice.random() < 0.15 else None, dice.choice((*Sex, None, None, None, None)),
    )  # fmt: skip


async def fill(database: Database, country: Country) -> None:
    """The rows of nearby alone, without catalogue and hospitals behind them, in multi-row inserts."""
    sites: list[dict[str, Any]] = [
        {
            "site_id": site.site_id, "hospital_id": site.hospital_id, "hospital_name": "医院",
            "hospital_level": "tertiary_a", "name": "院区", "address": "地址", "adcode": site.adcode, "lat": site.lat,
            "lng": site.lng, "radius_m": site.radius_m, "adcodes": json.dumps(site.adcodes),
            "goes_home": site.goes_home, "open": site.open, "licence_until": site.licence_until,
            "staff_sexes": site.staff_sexes,
        }
        for site in country.sites
    ]  # fmt: skip
    offers: list[dict[str, Any]] = [
        {
            "service_id": offer.service_id, "hospital_id": offer.site_id, "site_id": offer.site_id,
            "listed": offer.listed, "category_code": offer.category, "name": "项目", "picture_url": None,
            "duration_min": 60, "place": offer.place, "price_fen": offer.price,
            "hospital_price_fen": offer.hospital_price, "season_from": offer.season_from,
            "season_until": offer.season_until, "weekdays": offer.weekdays, "extra_days": offer.extra_days,
            "stars": offer.stars, "reviews": offer.reviews,
        }
        for offer in country.offers
    ]  # fmt: skip
    number = 0
    async with database.begin() as tx:
        connection = await tx.connection()
        filled: dict[str, list[dict[str, Any]]] = {"nearby_site": sites, "nearby_offer": offers}
        for table, rows in filled.items():
            names = [*rows[0], "change_number"]
            statement = f"INSERT INTO {table} ({', '.join(f'`{name}`' for name in names)}) VALUES ({', '.join(['%s'] * len(names))})"
            for start in range(0, len(rows), 2000):
                some = rows[start : start + 2000]
                values = [(*row.values(), number + place + 1) for place, row in enumerate(some)]
                await connection.exec_driver_sql(statement, values)
                number += len(some)
        counter = ("search", number, SiteId.new().bytes)
        await connection.exec_driver_sql("INSERT INTO nearby_change (kind, number, epoch) VALUES (%s, %s, %s)", counter)
