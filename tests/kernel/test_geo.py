"""Places: the datum is right to the millimetre, the box of RULE-18 holds, distances are metres."""

from math import cos, hypot, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiyuebao_api.kernel.geo import CoordType, Point, distance_m, from_gcj02, in_china, to_gcj02

METRES_PER_DEGREE = 111_195.0

# One degree inside the box: at its very edge a conversion may leave it.
lats = st.floats(4, 53)
lngs = st.floats(74, 135)


def gap_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two pairs so close that the earth is flat."""
    return METRES_PER_DEGREE * hypot(a[0] - b[0], (a[1] - b[1]) * cos(radians(a[0])))


@pytest.mark.parametrize("datum", list(CoordType))
@given(lat=lats, lng=lngs)
def test_there_and_back_is_exact_to_a_millimetre(datum: CoordType, lat: float, lng: float) -> None:
    point = to_gcj02(lat, lng, datum)
    assert gap_m(from_gcj02(point, datum), (lat, lng)) < 0.001


@pytest.mark.parametrize("datum", list(CoordType))
@given(lat=lats, lng=lngs)
def test_back_and_there_is_exact_to_a_millimetre(datum: CoordType, lat: float, lng: float) -> None:
    point = Point(lat, lng)
    again = to_gcj02(*from_gcj02(point, datum), datum)
    assert gap_m((again.lat, again.lng), (lat, lng)) < 0.001


@given(lat=lats, lng=lngs)
def test_the_shift_is_tens_to_hundreds_of_metres(lat: float, lng: float) -> None:
    """On a grid of tenths of a degree and around its least values: from 17.5 (37.143, 96.601) to 701 metres."""
    point = to_gcj02(lat, lng, CoordType.WGS84)
    assert 17 < gap_m((point.lat, point.lng), (lat, lng)) < 750


@pytest.mark.parametrize(
    ("wgs84", "gcj02"),
    [
        # Shanghai, Shenzhen, Beijing: the vectors in the tests of the public "eviltransform".
        ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
        ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
        ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),
    ],
)
def test_known_pairs(wgs84: tuple[float, float], gcj02: tuple[float, float]) -> None:
    point = to_gcj02(*wgs84, CoordType.WGS84)
    assert (point.lat, point.lng) == pytest.approx(gcj02, abs=1e-9)


def test_baidu_is_further_along() -> None:
    # Example in the documentation of several public converters: 116.404, 39.915.
    lat, lng = from_gcj02(Point(39.915, 116.404), CoordType.BD09)
    assert (lat, lng) == pytest.approx((39.92133699351021, 116.41036949371029), abs=1e-7)


@pytest.mark.parametrize("pair", [(2.99, 110), (54.01, 110), (20, 72.99), (20, 136.01), (float("nan"), 110),
                                  (20, float("inf")), (110.33, 20.03), (0, 0)])  # fmt: skip
@pytest.mark.parametrize("datum", list(CoordType))
def test_places_outside_the_box_are_refused(pair: tuple[float, float], datum: CoordType) -> None:
    assert not in_china(*pair)
    with pytest.raises(ValueError, match="outside China"):
        to_gcj02(*pair, datum)


def test_the_box_includes_its_edges() -> None:
    assert in_china(3, 73)
    assert in_china(54, 136)


def test_a_known_distance() -> None:
    # One degree of latitude, and one of longitude at 20 degrees north.
    assert distance_m(Point(19.0, 110.0), Point(20.0, 110.0)) == pytest.approx(111_195, abs=1)
    assert distance_m(Point(20.0, 110.0), Point(20.0, 111.0)) == pytest.approx(111_195 * cos(radians(20)), rel=1e-4)


@given(a_lat=lats, a_lng=lngs, b_lat=lats, b_lng=lngs)
def test_distance_is_symmetric_and_zero_only_at_home(a_lat: float, a_lng: float, b_lat: float, b_lng: float) -> None:
    a, b = Point(a_lat, a_lng), Point(b_lat, b_lng)
    assert distance_m(a, a) == 0
    assert distance_m(a, b) == pytest.approx(distance_m(b, a))
    assert distance_m(a, b) >= 0
