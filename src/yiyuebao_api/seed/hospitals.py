"""The hospitals of development: invented names at plausible places of seven cities, Haikou first. Coordinates are GCJ-02."""

from __future__ import annotations

from dataclasses import dataclass

from yiyuebao_api.domains.hospitals.rules import HospitalLevel, org_code_check_letter, uscc_check_letter

_EVERYTHING: tuple[str, ...] = (
    *(f"N{number:02d}" for number in range(1, 27)), "D01", "C01", "C02", "C03",
)  # fmt: skip
_GENERAL: tuple[str, ...] = (
    "N01", "N02", "N03", "N04", "N05", "N06", "N07", "N08", "N10", "N12", "N13", "N14", "N16", "N22", "N26", "D01", "C03",
)  # fmt: skip
_TCM: tuple[str, ...] = ("N01", "N07", "N13", "N16", "N17", "N18", "N19", "N20", "N25", "N26", "D01", "C01", "C03")
_MATERNAL: tuple[str, ...] = ("N01", "N07", "N20", "N21", "N22", "N23", "N24", "N26", "D01", "C02")
_REHAB: tuple[str, ...] = ("N06", "N07", "N08", "N15", "N16", "N17", "N18", "N20", "N25", "N26", "D01", "C01")


@dataclass(frozen=True, slots=True)
class PlannedSite:
    """Where a site stands, and how far its staff go."""

    name: str
    adcode: str
    address: str
    lat: float
    lng: float
    radius_m: int = 15_000
    adcodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedHospital:
    """One hospital. `key` is part of its desk's login; `price_level` is in percent of the list."""

    key: str
    name: str
    level: HospitalLevel
    area_code: str
    price_level: int
    items: tuple[str, ...]
    departments: tuple[str, ...]
    sites: tuple[PlannedSite, ...]

    @property
    def organisation(self) -> str:
        """Nine characters with a right check letter."""
        number = f"8{sum(map(ord, self.key)) * 7919 % 10_000_000:07d}"
        return number + org_code_check_letter(number)

    @property
    def uscc(self) -> str:
        """A unified social credit code with right check letters."""
        first = "12" + self.sites[0].adcode[:4] + "00" + self.organisation
        return first + uscc_check_letter(first)

    @property
    def licence_no(self) -> str:
        """Twenty-two characters in the usual order (RULE-15)."""
        return f"{self.organisation}{self.sites[0].adcode}12A1001"

    @property
    def phone(self) -> str:
        """A number of the city that nobody has."""
        return f"{self.area_code}-6{self.organisation[2:8]}0"


_AAA, _AA = HospitalLevel.TERTIARY_A, HospitalLevel.SECONDARY_A

HOSPITALS: tuple[PlannedHospital, ...] = (
    PlannedHospital(
        "haikou", "海口椰城人民医院", _AAA, "0898", 100, _EVERYTHING,
        ("内分泌科", "骨科", "康复医学科", "中医科", "产科", "肿瘤科"),
        (
            PlannedSite("龙华院区", "460106", "海南省海口市龙华区金贸西路 21 号", 20.0301, 110.3068, 20_000, ("4601",)),
            PlannedSite("江东院区", "460108", "海南省海口市美兰区江东大道 66 号", 20.0312, 110.4325, 15_000),
        ),
    ),
    PlannedHospital(
        "haikoutcm", "海口南渡江中医院", _AAA, "0898", 95, _EVERYTHING, ("针灸推拿科", "中医内科", "康复科", "治未病中心"),
        (PlannedSite("琼山院区", "460107", "海南省海口市琼山区府城中山路 9 号", 20.0032, 110.3541, 12_000),),
    ),
    PlannedHospital(
        "haikoumch", "海口琼州妇幼保健院", _AA, "0898", 105, _EVERYTHING, ("产科", "新生儿科", "妇女保健科", "儿童保健科"),
        (PlannedSite("秀英院区", "460105", "海南省海口市秀英区长滨路 58 号", 20.0086, 110.2743, 18_000),),
    ),
    PlannedHospital(
        "beijing", "北京燕都协康医院", _AAA, "010", 130, _GENERAL, ("心内科", "内分泌科", "骨科", "肿瘤科"),
        (
            PlannedSite("朝阳院区", "110105", "北京市朝阳区团结湖北路 12 号", 39.9278, 116.4651, 10_000),
            PlannedSite("通州院区", "110112", "北京市通州区新华东街 118 号", 39.9081, 116.6642, 15_000),
        ),
    ),
    PlannedHospital(
        "beijingrehab", "北京玉泉康复医院", _AA, "010", 125, _REHAB, ("神经康复科", "骨科康复", "中医康复科"),
        (PlannedSite("海淀院区", "110108", "北京市海淀区玉泉路 40 号", 39.9071, 116.2527, 12_000, ("1101",)),),
    ),
    PlannedHospital(
        "shanghai", "上海浦江仁心医院", _AAA, "021", 130, _GENERAL, ("内分泌科", "普外科", "骨科", "老年医学科"),
        (
            PlannedSite("徐汇院区", "310104", "上海市徐汇区肇嘉浜路 800 号", 31.1992, 121.4458, 10_000),
            PlannedSite("浦东院区", "310115", "上海市浦东新区世纪大道 2200 号", 31.2287, 121.5441, 15_000),
        ),
    ),
    PlannedHospital(
        "shanghaimch", "上海云间妇婴保健院", _AAA, "021", 135, _MATERNAL, ("产科", "新生儿科", "盆底康复中心"),
        (PlannedSite("静安院区", "310106", "上海市静安区新闸路 1300 号", 31.2372, 121.4493, 12_000),),
    ),
    PlannedHospital(
        "guangzhou", "广州岭海中医院", _AAA, "020", 115, _TCM, ("针灸科", "推拿科", "中医内科", "康复科"),
        (PlannedSite("荔湾院区", "440103", "广东省广州市荔湾区多宝路 63 号", 23.1187, 113.2421, 12_000),),
    ),
    PlannedHospital(
        "guangzhoumch", "广州珠水妇幼保健院", _AA, "020", 112, _MATERNAL, ("产科", "新生儿科", "儿童保健科"),
        (PlannedSite("天河院区", "440106", "广东省广州市天河区体育东路 118 号", 23.1301, 113.3262, 12_000),),
    ),
    PlannedHospital(
        "shenzhen", "深圳鹏湾人民医院", _AAA, "0755", 128, _GENERAL, ("内分泌科", "骨科", "肿瘤科", "社康中心"),
        (
            PlannedSite("福田院区", "440304", "广东省深圳市福田区深南中路 3025 号", 22.5431, 114.0823, 10_000),
            PlannedSite("宝安院区", "440306", "广东省深圳市宝安区创业二路 120 号", 22.5702, 113.9013, 15_000),
        ),
    ),
    PlannedHospital(
        "shenzhenrehab", "深圳梧桐康复医院", _AA, "0755", 120, _REHAB, ("骨科康复", "神经康复科", "疼痛科"),
        (PlannedSite("罗湖院区", "440303", "广东省深圳市罗湖区莲塘罗沙路 2080 号", 22.5608, 114.1742, 12_000),),
    ),
    PlannedHospital(
        "chengdu", "成都锦城惠民医院", _AA, "028", 98, _GENERAL, ("全科", "内分泌科", "骨科", "中医科"),
        (PlannedSite("武侯院区", "510107", "四川省成都市武侯区人民南路四段 21 号", 30.6283, 104.0672, 12_000),),
    ),
    PlannedHospital(
        "hangzhou", "杭州西泠护理院", HospitalLevel.PRIMARY, "0571", 108, _REHAB, ("老年医学科", "安宁疗护科", "康复科"),
        (PlannedSite("西湖院区", "330106", "浙江省杭州市西湖区文三路 388 号", 30.2778, 120.1262, 12_000),),
    ),
)  # fmt: skip
