"""Amap's web service, v3: geocode/geo and geocode/regeo, signed.

Source: lbs.amap.com, web service guide (geocoding, error codes, digital signature). Always HTTP 200; every
value is a string, and `[]` stands where a value is empty.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.http import HttpGateway, ask, open_client
from yiyuebao_api.gateways.maps import Address, Place
from yiyuebao_api.kernel.database import assert_no_transaction
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.settings import Maps

_OK = "10000"
_NO_DATA = "30001"  # for geocoding: the words name no place
_MISCONFIGURED: Final = frozenset(
    {"10001", "10005", "10006", "10007", "10008", "10009", "10011", "10012", "10013", "10026", "10041"}
)
#: Levels of geocode/geo that mean the very spot.
_PRECISE: Final = frozenset({"门牌号", "单元号", "楼号", "兴趣点", "门址", "住宅区", "公交地铁站点"})


def _empty_list(value: Any) -> Any:
    return "" if value == [] else value


_Text = Annotated[str, BeforeValidator(_empty_list)]


class _Said(BaseModel):
    status: str
    info: str = ""
    infocode: str = ""


class _Geocode(BaseModel):
    formatted_address: _Text = ""
    province: _Text = ""
    city: _Text = ""
    district: _Text = ""
    adcode: _Text = ""
    location: _Text = ""
    level: _Text = ""


class _Geocodes(_Said):
    geocodes: list[_Geocode] = []


class _Component(BaseModel):
    province: _Text = ""
    city: _Text = ""
    district: _Text = ""
    adcode: _Text = ""


class _Regeocode(BaseModel):
    formatted_address: _Text = ""
    component: _Component = Field(alias="addressComponent")


class _Regeocodes(_Said):
    regeocode: _Regeocode | None = None


_Answer = TypeVar("_Answer", bound=_Said)


class AmapMaps(HttpGateway):
    """Amap through one web service key and its signing key."""

    def __init__(self, settings: Maps) -> None:
        super().__init__(open_client(settings.base_url, timeout_s=settings.timeout_s, ca_bundle=settings.ca_bundle))
        self._key = settings.key
        self._private_key = settings.private_key

    async def geocode(self, address: str, city: str | None = None) -> Place | None:
        assert_no_transaction()
        asked = {"address": address} | ({"city": city} if city else {})
        answer = await self._ask(_Geocodes, "/v3/geocode/geo", asked)
        if answer.infocode == _NO_DATA:
            return None
        _accept(answer)
        if not answer.geocodes:
            return None
        best = answer.geocodes[0]
        return Place(
            point=_point(best.location),
            address=_address(best.adcode, best.province, best.city, best.district, best.formatted_address),
            precise=best.level in _PRECISE,
        )

    async def reverse(self, point: Point) -> Address:
        assert_no_transaction()
        asked = {"location": f"{point.lng:.6f},{point.lat:.6f}", "extensions": "base"}
        answer = await self._ask(_Regeocodes, "/v3/geocode/regeo", asked)
        _accept(answer)
        if answer.regeocode is None:
            raise ProviderUnavailable("maps: an answer without an address")
        found = answer.regeocode.component
        if not found.adcode:
            raise ProviderRefused("no-address", "maps: nothing is known at this place")
        formatted = answer.regeocode.formatted_address
        return _address(found.adcode, found.province, found.city, found.district, formatted)

    async def _ask(self, shape: type[_Answer], path: str, asked: dict[str, str]) -> _Answer:
        """The signature covers the raw values; the client then encodes them, `+` included."""
        asked = {**asked, "key": self._key.get_secret_value(), "output": "JSON"}
        raw = "&".join(f"{name}={value}" for name, value in sorted(asked.items()))
        signed = (raw + self._private_key.get_secret_value()).encode()
        asked["sig"] = hashlib.md5(signed, usedforsecurity=False).hexdigest()  # Amap's choice
        status, body = await ask("maps", self._client, self._client.build_request("GET", path, params=asked))
        try:
            return shape.model_validate_json(body)
        except ValidationError:
            raise ProviderUnavailable(f"maps: HTTP {status} with an answer that cannot be read") from None


def _accept(answer: _Said) -> None:
    """Quotas, overload and unknown errors pass; keys, signatures and parameters do not mend themselves."""
    if answer.status == "1" and answer.infocode == _OK:
        return
    said = f"maps: {answer.infocode} {answer.info}"
    if answer.infocode in _MISCONFIGURED:
        raise ProviderRefused("misconfigured", said)
    if answer.infocode.startswith("2") and answer.infocode != "20003":
        raise ProviderRefused("refused", said)
    raise ProviderUnavailable(said)


def _point(location: str) -> Point:
    lng, _, lat = location.partition(",")
    try:
        return Point(float(lat), float(lng))
    except ValueError:
        raise ProviderUnavailable("maps: a place that is none") from None


def _address(adcode: str, province: str, city: str, district: str, formatted: str) -> Address:
    if len(adcode) != 6 or not adcode.isdecimal() or not province:
        raise ProviderUnavailable("maps: an address without an adcode")
    if not city:  # 直辖市, 港澳台: the province is the city; 省直辖县: the county is
        ruled_by_province = district and province.endswith(("省", "自治区"))
        city = district if ruled_by_province else province
    return Address(adcode, province, city, district, formatted or f"{province}{city}{district}")
