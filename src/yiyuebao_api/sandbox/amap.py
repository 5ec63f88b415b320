"""Amap's web service (restapi.amap.com): geocoding and reverse geocoding with the signature really verified.

It knows the districts of ten cities and counties (`places.py`) and keeps the habits of the real one that
break clients: always HTTP 200, every value a string, `[]` where a value is empty, and no `city` in the reverse
answer of a municipality, of a county that the province rules directly, and of nowhere. An address in a known
district gets a point of its own, the same every time, so close to the district's centre that reverse geocoding
finds the district again.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from yiyuebao_api.sandbox import faults
from yiyuebao_api.sandbox.faults import Fault
from yiyuebao_api.sandbox.places import PLACES, Place

KEY = "sandbox-amap-key"
PRIVATE_KEY = "sandbox-amap-private-key"

MAX_OFFSET_M = 1500.0
REACH_M = 60_000.0  # a point further from every known centre is nowhere
METRES_PER_DEGREE = 111_195.0

OK: dict[str, Any] = {"status": "1", "info": "OK", "infocode": "10000"}
INFO = {
    "10001": "INVALID_USER_KEY",
    "10002": "SERVICE_NOT_AVAILABLE",
    "10003": "DAILY_QUERY_OVER_LIMIT",
    "10004": "ACCESS_TOO_FREQUENT",
    "10005": "INVALID_USER_IP",
    "10007": "INVALID_USER_SIGNATURE",
    "10009": "USERKEY_PLAT_NOMATCH",
    "10010": "IP_QUERY_OVER_LIMIT",
    "10014": "QPS_HAS_EXCEEDED_THE_LIMIT",
    "10019": "CQPS_HAS_EXCEEDED_THE_LIMIT",
    "10020": "CKQPS_HAS_EXCEEDED_THE_LIMIT",
    "10021": "CUQPS_HAS_EXCEEDED_THE_LIMIT",
    "10044": "USER_DAILY_QUERY_OVER_LIMIT",
    "20000": "INVALID_PARAMS",
    "20001": "MISSING_REQUIRED_PARAMS",
    "20003": "UNKNOWN_ERROR",
    "30001": "ENGINE_RESPONSE_DATA_ERROR",
}


@dataclass(slots=True)
class Amap:
    """Everything this provider remembers."""

    faults: list[Fault] = field(default_factory=list)


def start(app: Starlette, home: Path) -> None:
    app.state.amap = Amap()


def routes() -> list[BaseRoute]:
    return [
        Route("/v3/geocode/geo", faults.breakable("amap", geocode, _refused), methods=["GET"]),
        Route("/v3/geocode/regeo", faults.breakable("amap", reverse, _refused), methods=["GET"]),
        *faults.routes("amap"),
    ]


async def geocode(request: Request) -> Response:
    given = dict(request.query_params)
    if refused := _unauthorised(given):
        return _refused(refused)
    address = re.sub(r"\s", "", given.get("address", ""))
    if not address:
        return _refused("20001" if "address" not in given else "20000")
    places = list(_in_city(given.get("city", "")))
    found = _find(address, places)
    if found is None and len(places) < len(PLACES) and _find(address, PLACES) is not None:
        return JSONResponse(OK | {"count": "0", "geocodes": []})
    if found is None:
        return _refused("30001")
    place, whole_city = found
    exact = not whole_city and re.sub(_names(place), "", address) != ""
    lng, lat = _within(place, address) if exact else (place.lng, place.lat)
    detail = _detail(place, address) if exact else ""
    district = "" if whole_city else place.district
    answer: dict[str, Any] = {
        "formatted_address": f"{place.province}{'' if place.municipality else place.city}{district}{detail}",
        "country": "中国", "province": place.province, "citycode": place.citycode,
        "city": place.city or [], "district": district or [], "township": [],
        "neighborhood": {"name": [], "type": []}, "building": {"name": [], "type": []},
        "adcode": place.city_adcode if whole_city else place.adcode, "street": [], "number": [],
        "location": f"{lng:.6f},{lat:.6f}", "level": "市" if whole_city else _level(detail),
    }  # fmt: skip
    return JSONResponse(OK | {"count": "1", "geocodes": [answer]})


async def reverse(request: Request) -> Response:
    given = dict(request.query_params)
    if refused := _unauthorised(given):
        return _refused(refused)
    held = re.fullmatch(r"(-?\d{1,3}(?:\.\d{1,6})?),(-?\d{1,2}(?:\.\d{1,6})?)", given.get("location", ""))
    if held is None:
        return _refused("20001" if "location" not in given else "20000")
    lng, lat = float(held[1]), float(held[2])
    place = min(PLACES, key=lambda known: _metres(known, lng, lat))
    nowhere = _metres(place, lng, lat) > REACH_M
    component: dict[str, Any] = {
        "country": "中国", "province": place.province,
        "city": [] if place.municipality or not place.city else place.city,
        "citycode": place.citycode, "district": place.district or [], "adcode": place.adcode,
        "township": [], "towncode": [], "neighborhood": {"name": [], "type": []},
        "building": {"name": [], "type": []},
        "streetNumber": {"street": [], "number": [], "location": [], "direction": [], "distance": []},
        "businessAreas": [[]],
    }  # fmt: skip
    formatted = f"{place.province}{'' if place.municipality else place.city}{place.district}"
    if nowhere:
        empty = ("country", "province", "city", "citycode", "district", "adcode")
        component, formatted = component | {key: [] for key in empty}, ""
    regeocode: dict[str, Any] = {"formatted_address": formatted or [], "addressComponent": component}
    return JSONResponse(OK | {"regeocode": regeocode})


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────


def _unauthorised(given: dict[str, str]) -> str:
    """`sig` is the MD5 of the sorted raw parameters with the private key behind them."""
    if given.get("key") != KEY:
        return "10001"
    sorted_pairs = "&".join(f"{name}={value}" for name, value in sorted(given.items()) if name != "sig")
    expected = hashlib.md5((sorted_pairs + PRIVATE_KEY).encode(), usedforsecurity=False).hexdigest()
    return "" if hmac.compare_digest(expected.encode(), given.get("sig", "").encode()) else "10007"


def _refused(infocode: str) -> Response:
    info = INFO.get(infocode, "UNKNOWN_ERROR")
    return JSONResponse({"status": "0", "info": info, "infocode": infocode})


def _in_city(city: str) -> Iterable[Place]:
    """The places of a city given by name, area code or adcode; all of them when none is given."""
    for place in PLACES:
        names = {"", _short(place.city), place.citycode, place.city_adcode, place.adcode}
        if _short(city) in names:
            yield place


def _find(address: str, places: list[Place] | tuple[Place, ...]) -> tuple[Place, bool] | None:
    """The district an address names, else its city's first district and True, else None."""

    def names_city(place: Place) -> bool:
        return bool(place.city) and _short(place.city) in address

    in_district = [place for place in places if place.district and _short(place.district) in address]
    in_both = [place for place in in_district if names_city(place)]
    if best := in_both or in_district:
        # 龙华区 is in Haikou and in Shenzhen: without a city the name alone decides nothing.
        certain = bool(in_both) or len({place.city_adcode for place in best}) == 1
        return (max(best, key=lambda place: place.district in address), False) if certain else None
    in_city = [place for place in places if names_city(place)]
    if not in_city:
        return None
    return in_city[0], bool(in_city[0].district)


def _short(name: str) -> str:
    """海口市 → 海口, 龙华区 → 龙华: people leave the last character out."""
    return name[:-1] if len(name) > 2 and name[-1] in "市区县" else name


def _names(place: Place) -> str:
    """A pattern of everything in an address that only names the district."""
    full = [place.province, place.city, place.district]
    return "|".join(re.escape(name) for name in [*full, *map(_short, full)] if name)


def _detail(place: Place, address: str) -> str:
    """The part of an address behind its district."""
    rest = address
    for name in (place.province, place.city, place.district):
        rest = rest.removeprefix(name) if name else rest
    return rest


def _level(detail: str) -> str:
    if not detail:
        return "区县"
    if re.search(r"\d+号", detail):
        return "门牌号"
    return "道路" if re.search(r"[路街道]$", detail) else "兴趣点"


def _metres(place: Place, lng: float, lat: float) -> float:
    east = (lng - place.lng) * math.cos(math.radians(place.lat))
    return METRES_PER_DEGREE * math.hypot(east, lat - place.lat)


def _within(place: Place, address: str) -> tuple[float, float]:
    """(lng, lat) of an address: always the same, nearer to its own district's centre than to any other."""
    nearest = min(_metres(other, place.lng, place.lat) for other in PLACES if other is not place)
    reach = min(MAX_OFFSET_M, 0.4 * nearest)
    digest = hashlib.sha256(address.encode()).digest()
    angle = 2 * math.pi * int.from_bytes(digest[:4]) / 2**32
    far = reach * math.sqrt(int.from_bytes(digest[4:8]) / 2**32)
    north = far * math.sin(angle) / METRES_PER_DEGREE
    east = far * math.cos(angle) / METRES_PER_DEGREE / math.cos(math.radians(place.lat))
    return place.lng + east, place.lat + north
