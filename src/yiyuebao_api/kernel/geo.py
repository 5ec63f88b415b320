"""Places on the map: one datum (GCJ-02) inside, conversions at the door, distances on the sphere.

Amap and `uni.getLocation({type: "gcj02"})` speak GCJ-02, and China's public maps must. A GPS receiver speaks WGS-84,
265 to 565 metres away from it (Haikou: 510), Baidu speaks BD-09: a search that mixes them finds the wrong neighbours
(RULE-18). So a `Point` is GCJ-02 by definition and `to_gcj02` is the only door in. Distances computed inside GCJ-02
differ from WGS-84 by a median of 2 metres on 5 kilometres, which no rule of ours can feel.

Source: the offset polynomials are the publicly known reconstruction of the GCJ-02 obfuscation (Krasovsky 1940
ellipsoid), the BD-09 step is Baidu's published-by-reconstruction polar shift; written anew here, the inverse by
fixed-point iteration instead of the usual single step (which is off by up to 4.5 metres).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import asin, atan2, cos, hypot, pi, radians, sin, sqrt

#: RULE-18: what may be stored at all. The box around China, neighbours' corners included.
LAT_BOUNDS, LNG_BOUNDS = (3.0, 54.0), (73.0, 136.0)

_EARTH_M = 6_371_008.8  # mean radius of WGS-84
_AXIS_M, _ECCENTRICITY = 6_378_245.0, 0.006_693_421_622_965_943  # Krasovsky 1940
_BAIDU = pi * 3000 / 180
_SETTLED_DEG = 1e-10  # a hundredth of a millimetre

_Forward = Callable[[float, float], tuple[float, float]]


class CoordType(StrEnum):
    """Which datum a pair of numbers was measured in."""

    GCJ02 = "gcj02"
    WGS84 = "wgs84"
    BD09 = "bd09"


@dataclass(frozen=True, slots=True)
class Point:
    """A place in GCJ-02 degrees. Raises ValueError outside lat 3 to 54, lng 73 to 136 (RULE-18) and for NaN."""

    lat: float
    lng: float

    def __post_init__(self) -> None:
        if not in_china(self.lat, self.lng):
            raise ValueError("a place outside China: expected lat 3 to 54 and lng 73 to 136 (are they swapped?)")


def in_china(lat: float, lng: float) -> bool:
    """Whether a pair of degrees lies in the box of RULE-18. A sanity check, no border."""
    return LAT_BOUNDS[0] <= lat <= LAT_BOUNDS[1] and LNG_BOUNDS[0] <= lng <= LNG_BOUNDS[1]


def to_gcj02(lat: float, lng: float, measured_in: CoordType) -> Point:
    """The place a pair of degrees of any datum means. Raises ValueError outside the box of RULE-18."""
    if not in_china(lat, lng):
        return Point(lat, lng)  # refuses, in one place and with one sentence
    match measured_in:
        case CoordType.GCJ02:
            return Point(lat, lng)
        case CoordType.WGS84:
            return Point(*_wgs84_to_gcj02(lat, lng))
        case CoordType.BD09:
            return Point(*_invert(_gcj02_to_bd09, lat, lng))


def from_gcj02(point: Point, wanted: CoordType) -> tuple[float, float]:
    """(lat, lng) of a place in another datum, exact to well below a millimetre."""
    match wanted:
        case CoordType.GCJ02:
            return point.lat, point.lng
        case CoordType.WGS84:
            return _invert(_wgs84_to_gcj02, point.lat, point.lng)
        case CoordType.BD09:
            return _gcj02_to_bd09(point.lat, point.lng)


def distance_m(a: Point, b: Point) -> float:
    """Metres along the great circle (haversine on the mean sphere)."""
    rise = sin(radians(b.lat - a.lat) / 2) ** 2
    run = sin(radians(b.lng - a.lng) / 2) ** 2
    chord = rise + cos(radians(a.lat)) * cos(radians(b.lat)) * run
    return 2 * _EARTH_M * asin(sqrt(min(1.0, chord)))


def _wgs84_to_gcj02(lat: float, lng: float) -> tuple[float, float]:
    x, y = lng - 105, lat - 35
    wave = (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3
    root = sqrt(abs(x))
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    north += (20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3
    north += (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    east += (20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3
    east += (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    magic = 1 - _ECCENTRICITY * sin(radians(lat)) ** 2
    meridian = _AXIS_M * (1 - _ECCENTRICITY) / (magic * sqrt(magic)) * pi / 180  # metres per degree of latitude
    parallel = _AXIS_M / sqrt(magic) * cos(radians(lat)) * pi / 180  # metres per degree of longitude
    return lat + north / meridian, lng + east / parallel


def _gcj02_to_bd09(lat: float, lng: float) -> tuple[float, float]:
    radius = hypot(lng, lat) + 0.00002 * sin(lat * _BAIDU)
    angle = atan2(lat, lng) + 0.000003 * cos(lng * _BAIDU)
    return radius * sin(angle) + 0.006, radius * cos(angle) + 0.0065


def _invert(forward: _Forward, lat: float, lng: float) -> tuple[float, float]:
    """The pair that `forward` maps to (lat, lng): subtract the miss until it no longer matters."""
    guess_lat, guess_lng = lat, lng
    for _ in range(20):
        there_lat, there_lng = forward(guess_lat, guess_lng)
        miss_lat, miss_lng = there_lat - lat, there_lng - lng
        guess_lat, guess_lng = guess_lat - miss_lat, guess_lng - miss_lng
        if abs(miss_lat) < _SETTLED_DEG and abs(miss_lng) < _SETTLED_DEG:
            break
    return guess_lat, guess_lng
