"""The index finds what looking at every offer finds, in the same order, on every page, and after every change."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.scenes.nearby import TODAY, Brute, Country, make_country, random_search
from yiyuebao_api.domains.nearby.rules import Sort, Wanted, metres_of, on_sphere
from yiyuebao_api.domains.nearby.snapshot import Snapshot
from yiyuebao_api.kernel.geo import Point, distance_m
from yiyuebao_api.kernel.ids import ServiceId


@pytest.fixture(scope="module")
def country() -> Country:
    return make_country(1000, 8)


@pytest.fixture(scope="module")
def snapshot(country: Country) -> Snapshot:
    return Snapshot.build(country.sites, country.offers)


def test_ten_thousand_searches_equal_brute_force(country: Country, snapshot: Snapshot) -> None:
    dice, brute, found = random.Random(1), Brute(country), 0
    for _ in range(10_000):
        wanted, want = random_search(dice, country), dice.choice((1, 20, 24, 100))
        answer = [each.service_id for each in snapshot.find(wanted, want=want)]
        assert answer == brute.find(wanted, want), wanted
        found += len(answer)
    assert found > 50_000


def test_pages_have_no_repeat_and_no_gap(country: Country, snapshot: Snapshot) -> None:
    dice, brute = random.Random(2), Brute(country)
    for _ in range(300):
        wanted, size = random_search(dice, country), dice.choice((1, 3, 7, 20))
        whole = brute.find(wanted, 100)
        pages: list[bytes] = []
        after = None
        while len(pages) < 100:
            page = snapshot.find(wanted, want=size, after=after)
            pages += [each.service_id for each in page]
            if len(page) < size:
                break
            after = page[-1].key, page[-1].service_id
        assert pages[:100] == whole


def test_a_patched_snapshot_equals_a_new_one(country: Country, snapshot: Snapshot) -> None:
    """Offers come, go and change, sites move, open and close: patching gives what building gives."""
    dice = random.Random(3)
    sites, offers = {s.site_id: s for s in country.sites}, {o.service_id: o for o in country.offers}
    patched = snapshot
    for turn in range(8):
        changed_sites = []
        for before in dice.sample(sorted(sites.values()), 20 if turn % 2 else 0):
            site = before._replace(lat=before.lat + dice.gauss(0, 0.02), open=dice.random() < 0.8, radius_m=20_000)
            changed_sites.append(site)
            if dice.random() < 0.3:
                changed_sites.append(site._replace(site_id=ServiceId.new().bytes))
        sites |= {site.site_id: site for site in changed_sites}
        changed = []
        for offer in dice.sample(sorted(offers.values(), key=lambda o: o.service_id), 1500 if turn == 5 else 30):
            change = dice.random()
            if change < 0.3:
                changed.append(offer._replace(listed=not offer.listed))
            elif change < 0.6:
                changed.append(offer._replace(price=dice.randint(1, 60) * 1000, category="new" if turn == 3 else "tcm"))
            else:
                changed.append(offer._replace(service_id=ServiceId.new().bytes, site_id=dice.choice(list(sites))))
        offers |= {offer.service_id: offer for offer in changed}
        patched = patched.patched(changed_sites, changed, number=turn + 1)
        built = Snapshot.build(sites.values(), list(offers.values()))
        assert len(patched.offers) == len(built.offers)
        now = Country(list(sites.values()), list(offers.values()))
        for _ in range(100):
            wanted = random_search(dice, now)
            assert patched.find(wanted, want=50) == built.find(wanted, want=50)
            assert patched.find_hospitals(wanted, want=20) == built.find_hospitals(wanted, want=20)
    assert snapshot.number == 0, "readers of the first one still have it"


def test_hospitals_are_shown_once_at_their_nearest_site(country: Country, snapshot: Snapshot) -> None:
    dice = random.Random(4)
    usable = [s for s in country.sites if s.open and s.licence_until is not None and s.licence_until >= TODAY]
    for _ in range(200):
        near = dice.choice(usable)
        origin = Point(near.lat + 0.01, near.lng)
        wanted = Wanted(origin, None, TODAY, 30_000)
        nearest: dict[bytes, float] = {}
        for site in usable:
            away = distance_m(origin, Point(site.lat, site.lng))
            if away <= 30_000 and away < nearest.get(site.hospital_id, 1e9):
                nearest[site.hospital_id] = away
        by_id = {site.site_id: site for site in country.sites}
        pages, after = [], None
        while page := snapshot.find_hospitals(wanted, want=10, after=after):
            pages += page
            after = page[-1].squared, page[-1].site_id
        found = [(by_id[each.site_id].hospital_id, metres_of(each.squared)) for each in pages]
        assert [hospital for hospital, _ in found] == sorted(nearest, key=lambda h: (nearest[h],)) or len(
            {round(away, 3) for away in nearest.values()}
        ) < len(nearest)
        assert {hospital: round(away, 3) for hospital, away in found} == {h: round(a, 3) for h, a in nearest.items()}


def test_the_straight_line_orders_as_the_great_circle() -> None:
    dice = random.Random(5)
    for _ in range(1000):
        a = Point(dice.uniform(4, 53), dice.uniform(74, 135))
        b = Point(dice.uniform(4, 53), dice.uniform(74, 135))
        pairs = zip(on_sphere(a.lat, a.lng), on_sphere(b.lat, b.lng), strict=True)
        squared = sum((x - y) ** 2 for x, y in pairs)
        assert metres_of(squared) == pytest.approx(distance_m(a, b), rel=1e-9, abs=1e-3)


def test_nothing_is_found_in_an_empty_country() -> None:
    empty = Snapshot.build([], [])
    wanted = Wanted(Point(20, 110), None, TODAY)
    for asked in (wanted, replace(wanted, sort=Sort.PRICE), replace(wanted, origin=None, adcode="460106")):
        assert empty.find(asked, want=20) == []
        assert empty.find_hospitals(asked, want=20) == []


def test_one_site_alone_is_found(country: Country) -> None:
    site = country.sites[1]._replace(open=True, licence_until=TODAY, goes_home=True, adcodes=())
    offer = country.offers[0]._replace(
        site_id=site.site_id, listed=True, place="home", season_from=None, season_until=None
    )
    alone = Snapshot.build([site], [offer])
    assert len(alone.find(Wanted(Point(site.lat, site.lng), None, TODAY), want=5)) == 1
    assert alone.find(Wanted(Point(site.lat, site.lng), None, TODAY, category="unheard_of"), want=5) == []
