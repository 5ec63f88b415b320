"""What is searched for, and the two masks that tell on which days an item may have places at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from math import asin, cos, radians, sin, sqrt

from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.hospitals.rules import prefix_of
from yiyuebao_api.domains.nearby.problems import PeriodNotSearchable
from yiyuebao_api.domains.patients.rules import Sex
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.kernel.money import Fen

#: The same sphere as `kernel.geo.distance_m`.
EARTH_M = 6_371_008.8
EXTRA_DAYS = 62  # bits of a BIGINT that are never its sign
RADIUS_M = 20_000
SEARCHED_AT_MOST = timedelta(days=31)


class Sort(StrEnum):
    """What comes first."""

    DISTANCE = "distance"
    PRICE = "price"
    SOONEST = "soonest"
    RATING = "rating"


#: Bits of `NearbySite.staff_sexes`.
SEX_BITS: dict[Sex, int] = {Sex.FEMALE: 1, Sex.MALE: 2}


@dataclass(frozen=True, slots=True)
class Days:
    """A period of days in Shanghai, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Wanted:
    """One search: around `origin` within `radius_m`, or without it in the region of `adcode`, without distances."""

    origin: Point | None
    adcode: str | None
    today: date
    radius_m: int = RADIUS_M
    category: str | None = None
    place: Place | None = None
    max_price_fen: Fen | None = None
    days: Days | None = None
    sort: Sort = Sort.DISTANCE
    min_stars: float | None = None
    staff_sex: Sex | None = None


def sex_mask(sexes: Iterable[Sex]) -> int:
    """The sexes among a hospital's staff as bits."""
    mask = 0
    for sex in sexes:
        mask |= SEX_BITS[sex]
    return mask


def stars_of(stars: int, reviews: int) -> float | None:
    """The mean of all reviews, one decimal; None before the first."""
    return round(stars / reviews, 1) if reviews else None


def searched_days(earliest: date | None, latest: date | None, today: date) -> Days | None:
    """The days asked about, none before today; None without a wish. Raises PeriodNotSearchable."""
    if earliest is None and latest is None:
        return None
    first = max(earliest or today, today)
    last = latest or first + SEARCHED_AT_MOST
    if last < first or last - first > SEARCHED_AT_MOST:
        raise PeriodNotSearchable
    return Days(first, last)


def serves(prefixes: Iterable[str], region: str) -> bool:
    """Whether named districts and the region asked about have a place in common."""
    return any(region.startswith(prefix) or prefix.startswith(region) for prefix in prefixes)


def comes_home(
    metres: float | None, adcode: str | None, *, goes_home: bool, radius_m: int, adcodes: Sequence[str]
) -> bool:
    """Whether a site's staff come to the place asked about, as far as the search knows it (RULE-44)."""
    if not goes_home or (metres is not None and metres > radius_m):
        return False
    return adcode is None or not adcodes or serves(adcodes, prefix_of(adcode))


# ── days ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def week_mask(weekdays: Iterable[int]) -> int:
    """Bit 0 is Monday."""
    mask = 0
    for weekday in weekdays:
        mask |= 1 << weekday
    return mask


def extra_mask(days: Iterable[date]) -> int:
    """One bit per day number modulo 62. Two days may share a bit: a mask may promise too much, never too little."""
    mask = 0
    for day in days:
        mask |= 1 << day.toordinal() % EXTRA_DAYS
    return mask


def masks_of(days: Days) -> tuple[int, int]:
    """The weekdays and the extra days of a period."""
    some = [days.first + timedelta(days=n) for n in range((days.last - days.first).days + 1)]
    return week_mask(day.weekday() for day in some), extra_mask(some)


# ── the sphere ───────────────────────────────────────────────────────────────────────────────────────────────────────


def on_sphere(lat: float, lng: float) -> tuple[float, float, float]:
    """A place as a unit vector. The straight line between two orders them as the great circle does.

    Computed by `math`, one at a time: every process gets the same bits, as a cursor that travels needs.
    """
    high, around = radians(lat), radians(lng)
    return cos(high) * cos(around), cos(high) * sin(around), sin(high)


def chord_of(metres: float) -> float:
    """The straight line through the unit sphere that spans so many metres of great circle."""
    return 2 * sin(min(metres / EARTH_M, 3.14) / 2)


def metres_of(squared_chord: float) -> float:
    """Metres along the great circle from the square of the straight line."""
    return 2 * EARTH_M * asin(min(1.0, sqrt(squared_chord) / 2))
