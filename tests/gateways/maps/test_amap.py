"""Addresses become places and places addresses, through every oddity of the provider."""

import pytest
from pydantic import SecretStr

from tests.gateways.sandboxes import Sandboxed
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.maps import Address
from yiyuebao_api.gateways.maps.amap import AmapMaps
from yiyuebao_api.kernel.geo import Point, distance_m
from yiyuebao_api.sandbox.places import PLACES
from yiyuebao_api.settings import Maps

HAIKOU = Point(20.031007, 110.328492)


# ── an address becomes a place ──


@pytest.mark.parametrize(
    ("written", "province", "city", "district", "adcode"),
    [
        ("海南省海口市龙华区龙昆南路15号", "海南省", "海口市", "龙华区", "460106"),
        ("海口市秀英区秀华路19号海南省人民医院", "海南省", "海口市", "秀英区", "460105"),
        ("北京市东城区帅府园1号北京协和医院", "北京市", "北京市", "东城区", "110101"),
        ("上海市徐汇区医学院路136号", "上海市", "上海市", "徐汇区", "310104"),
        ("广东省广州市越秀区中山二路58号", "广东省", "广州市", "越秀区", "440104"),
        ("深圳市南山区科技园南区8栋301", "广东省", "深圳市", "南山区", "440305"),
        ("四川省成都市武侯区国学巷37号", "四川省", "成都市", "武侯区", "510107"),
        ("浙江省杭州市上城区庆春路79号", "浙江省", "杭州市", "上城区", "330102"),
        ("海南省三亚市海棠区海棠北路", "海南省", "三亚市", "海棠区", "460202"),
    ],
)
async def test_there_and_back(
    maps: AmapMaps, written: str, province: str, city: str, district: str, adcode: str
) -> None:
    place = await maps.geocode(written)
    assert place is not None
    address = place.address
    assert (address.province, address.city, address.district, address.adcode) == (province, city, district, adcode)
    again = await maps.reverse(place.point)
    assert (again.province, again.city, again.district, again.adcode) == (province, city, district, adcode)


async def test_the_same_words_mean_the_same_place_and_other_words_another(maps: AmapMaps) -> None:
    one, same, other = [
        await maps.geocode(written)
        for written in ("海口市龙华区海府路1号", "海口市龙华区海府路 1号", "海口市龙华区海府路2号")
    ]
    assert one is not None
    assert other is not None
    assert one == same
    assert one.point != other.point
    assert distance_m(one.point, HAIKOU) < 1500


@pytest.mark.parametrize(
    ("written", "precise"),
    [
        ("海口市龙华区海府路1号", True),
        ("海口市龙华区某某医院", True),
        ("海口市龙华区海府路", False),
        ("海口市龙华区", False),
        ("海口市", False),
    ],
)
async def test_how_much_was_recognised(maps: AmapMaps, written: str, precise: bool) -> None:
    place = await maps.geocode(written)
    assert place is not None
    assert place.precise is precise
    assert place.address.city == "海口市"
    assert place.address.adcode == ("460100" if written == "海口市" else "460106")


async def test_a_city_decides_between_namesakes(maps: AmapMaps) -> None:
    assert await maps.geocode("龙华区人民路1号") is None
    for city, adcode in (("海口", "460106"), ("海口市", "460106"), ("0755", "440309"), ("440300", "440309")):
        place = await maps.geocode("龙华区人民路1号", city)
        assert place is not None
        assert place.address.adcode == adcode


@pytest.mark.parametrize("written", ["火星第一大道1号", "abc", "?", "🏥"])
async def test_words_that_name_no_place(maps: AmapMaps, written: str) -> None:
    assert await maps.geocode(written) is None


async def test_a_place_in_another_city_than_asked_for(maps: AmapMaps) -> None:
    assert await maps.geocode("成都市武侯区国学巷37号", city="海口市") is None


@pytest.mark.parametrize("tail", ["1+1号", "A&B座#3?x=1", "100%大厦", "a b", "'\"<>", "é/ü"])
async def test_the_signature_holds_for_every_character(maps: AmapMaps, tail: str) -> None:
    assert await maps.geocode("海口市龙华区海府路" + tail) is not None


# ── a place becomes an address ──


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.adcode)
async def test_every_known_district_is_found_from_its_centre(maps: AmapMaps, place: object) -> None:
    known = next(one for one in PLACES if one is place)
    found = await maps.reverse(Point(known.lat, known.lng))
    assert found.adcode == known.adcode
    assert found.city


async def test_a_municipality_is_its_own_city(maps: AmapMaps) -> None:
    assert await maps.reverse(Point(39.92147, 116.443108)) == Address(
        adcode="110105", province="北京市", city="北京市", district="朝阳区", formatted="北京市朝阳区"
    )


async def test_a_county_that_the_province_rules_directly(maps: AmapMaps) -> None:
    there = await maps.geocode("海南省文昌市文城镇文建路1号")
    assert there is not None
    for address in (there.address, await maps.reverse(there.point)):
        assert (address.adcode, address.city, address.district) == ("469005", "文昌市", "文昌市")


async def test_a_city_without_districts(maps: AmapMaps) -> None:
    there = await maps.geocode("广东省东莞市鸿福路1号")
    assert there is not None
    for address in (there.address, await maps.reverse(there.point)):
        assert (address.adcode, address.city, address.district) == ("441900", "东莞市", "")


async def test_nobody_lives_at_sea(maps: AmapMaps) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await maps.reverse(Point(15.0, 115.0))
    assert refused.value.code == "no-address"


# ── refusals ──


@pytest.mark.parametrize(
    "wrong", [{"key": SecretStr("another-key")}, {"private_key": SecretStr("not-the-key")}], ids=["key", "signature"]
)
async def test_wrong_settings(given: Maps, wrong: dict[str, SecretStr]) -> None:
    async with AmapMaps(given.model_copy(update=wrong)) as maps:
        for attempt in (maps.geocode("海口市龙华区"), maps.reverse(HAIKOU)):
            with pytest.raises(ProviderRefused) as refused:
                await attempt
            assert refused.value.code == "misconfigured"


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("10001", "misconfigured"),
        ("10005", "misconfigured"),
        ("10007", "misconfigured"),
        ("10009", "misconfigured"),
        ("20000", "refused"),
        ("20001", "refused"),
    ],
)
async def test_every_refusal_has_a_meaning(maps: AmapMaps, amap_here: Sandboxed, said: str, meaning: str) -> None:
    amap_here.plan("code", code=said, times=2)
    for attempt in (maps.geocode("海口市龙华区"), maps.reverse(HAIKOU)):
        with pytest.raises(ProviderRefused) as refused:
            await attempt
        assert refused.value.code == meaning
        assert said in refused.value.message


@pytest.mark.parametrize("said", ["10002", "10003", "10004", "10014", "10020", "10021", "10044", "20003", "77777"])
async def test_what_passes_by_itself(maps: AmapMaps, amap_here: Sandboxed, said: str) -> None:
    amap_here.plan("code", code=said, times=2)
    for attempt in (maps.geocode("海口市龙华区"), maps.reverse(HAIKOU)):
        with pytest.raises(ProviderUnavailable):
            await attempt
    assert await maps.geocode("海口市龙华区") is not None


async def test_an_engine_failure_is_no_answer_about_a_place(maps: AmapMaps, amap_here: Sandboxed) -> None:
    amap_here.plan("code", code="30001")
    with pytest.raises(ProviderUnavailable):
        await maps.reverse(HAIKOU)


# ── the wire breaks ──


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 200},
        {"kind": "status", "status": 302},
        {"kind": "status", "status": 404},
        {"kind": "status", "status": 502},
        {"kind": "hang", "seconds": 5},
        {"kind": "drop"},
    ],
    ids=str,
)
async def test_no_answer(maps: AmapMaps, amap_here: Sandboxed, fault: dict[str, str]) -> None:
    amap_here.plan(**fault, times=2)
    for attempt in (maps.geocode("海口市龙华区"), maps.reverse(HAIKOU)):
        with pytest.raises(ProviderUnavailable):
            await attempt
