"""When an item may be published, what it costs, when it is in season, and where it is permitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Protocol, Self

from yiyuebao_api.domains.catalogue.problems import ServiceStateRefused
from yiyuebao_api.domains.files.rules import FilePurpose
from yiyuebao_api.kernel.ids import HospitalId
from yiyuebao_api.kernel.money import Fen


class Scenario(StrEnum):
    """The four scenarios of care, and everything else."""

    CHRONIC = "chronic"
    POSTOP = "postop"
    TCM = "tcm"
    MATERNAL = "maternal"
    GENERAL = "general"


class ServiceState(StrEnum):
    """Where a service stands in its life."""

    DRAFT = "draft"
    PUBLISHED = "published"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class Place(StrEnum):
    """Where a service is done. A booking has `home` or `hospital`, never `both`."""

    HOME = "home"
    HOSPITAL = "hospital"
    BOTH = "both"


class RiskGrade(StrEnum):
    """Clinical risk of an item (RULE-30)."""

    LOW = "L"
    MEDIUM = "M"
    HIGH = "H"


class Eligibility(StrEnum):
    """Why somebody may be served at home (RULE-40)."""

    AGED_OR_DISABLED = "aged_or_disabled"
    REHABILITATION = "rehabilitation"
    TERMINAL = "terminal"
    DISCHARGED = "discharged"
    IMPAIRED_MOBILITY = "impaired_mobility"
    MOTHER_OR_INFANT = "mother_or_infant"


#: Drafts of one clinician's that the desk has not decided on.
OPEN_PROPOSALS = 10
#: What may be asked for as proof of an illness or an order (RULE-43).
PROOFS = frozenset({FilePurpose.PRESCRIPTION, FilePurpose.DISEASE_PROOF, FilePurpose.WOUND_PHOTO})


class Consequence(StrEnum):
    """What a failing answer does (RULE-41, RULE-42)."""

    BLOCK = "block"
    REVIEW = "review"
    EMERGENCY = "emergency"


class PriceKind(StrEnum):
    """A part of a price (RULE-34)."""

    VISIT_FEE = "visit_fee"
    ITEM_FEE = "item_fee"
    MATERIAL_FEE = "material_fee"
    TRAVEL_FEE = "travel_fee"


class Missing(StrEnum):
    """One thing a draft lacks before it can be published (RULE-30)."""

    INTRO = "intro"
    TIPS = "tips"
    CAUTIONS = "cautions"
    RISK_GRADE = "risk_grade"
    CLINICAL = "clinical"
    DURATION = "duration_min"
    SKILLS = "skills"
    PREREQUISITES = "prerequisites"
    CONTRAINDICATIONS = "contraindications"
    CONSUMABLES = "consumables"
    MEDICAL_WASTE = "medical_waste"
    PRICE = "price"
    HOSPITAL_PRICE = "hospital_price"


MOVES: dict[ServiceState, frozenset[ServiceState]] = {
    ServiceState.DRAFT: frozenset({ServiceState.PUBLISHED, ServiceState.RETIRED}),
    ServiceState.PUBLISHED: frozenset({ServiceState.PUBLISHED, ServiceState.SUSPENDED, ServiceState.RETIRED}),
    ServiceState.SUSPENDED: frozenset({ServiceState.PUBLISHED, ServiceState.RETIRED}),
    ServiceState.RETIRED: frozenset(),
}


def check_move(now: ServiceState, wanted: ServiceState) -> None:
    """Raises ServiceStateRefused."""
    if wanted not in MOVES[now]:
        raise ServiceStateRefused(state=now.value)


# ── prices ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Priced(Protocol):
    """The parts of a price. No field knows who asks: the same item costs everybody the same (RULE-36)."""

    @property
    def visit_fee_fen(self) -> Fen: ...
    @property
    def item_fee_fen(self) -> Fen: ...
    @property
    def material_fee_fen(self) -> Fen: ...
    @property
    def travel_fee_fen(self) -> Fen: ...


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of a price, never zero."""

    kind: PriceKind
    amount_fen: Fen


def price_lines(facts: Priced, place: Place) -> list[PriceLine]:
    """What is charged at that place, part by part (RULE-34); in hospital nobody travels, so only item and material are.

    `both` is no place to be: it raises ValueError.
    """
    if place is Place.BOTH:
        raise ValueError("a price belongs to one place")
    parts = [(PriceKind.ITEM_FEE, facts.item_fee_fen), (PriceKind.MATERIAL_FEE, facts.material_fee_fen)]
    if place is Place.HOME:
        parts = [(PriceKind.VISIT_FEE, facts.visit_fee_fen), *parts, (PriceKind.TRAVEL_FEE, facts.travel_fee_fen)]
    return [PriceLine(kind, amount) for kind, amount in parts if amount]


def price_of(facts: Priced, place: Place) -> Fen:
    """The price shown in lists: that of a home visit, or of the hospital for an item done only there."""
    at = Place.HOSPITAL if place is Place.HOSPITAL else Place.HOME
    return Fen(sum(line.amount_fen for line in price_lines(facts, at)))


def places_of(place: Place) -> tuple[Place, ...]:
    """Where it can be booked."""
    return (Place.HOME, Place.HOSPITAL) if place is Place.BOTH else (place,)


# ── season ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Seasonal(Protocol):
    """From which to which day something is offered."""

    @property
    def season_from(self) -> date | None: ...
    @property
    def season_until(self) -> date | None: ...


def in_season(facts: Seasonal, on: date) -> bool:
    """Whether it is offered on that Shanghai day; both ends belong to the season, an absent end is open."""
    begun = facts.season_from is None or facts.season_from <= on
    return begun and (facts.season_until is None or on <= facts.season_until)


_NOTHING = Fen(0)


# ── completeness ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a version says. A draft may lack most of it; a published version lacks nothing (RULE-30)."""

    name: str
    place: Place
    intro: str = ""
    tips: str = ""
    cautions: str = ""
    picture_url: str | None = None
    duration_min: int | None = None
    buffer_before_min: int = 0
    buffer_after_min: int = 0
    lead_minutes: int = 240
    risk_grade: RiskGrade | None = None
    clinical: bool | None = None
    skills: tuple[str, ...] = ()
    prerequisites: str = ""
    contraindications: str = ""
    consumables: str = ""
    medical_waste: bool | None = None
    requires_order: bool = False
    screening: Mapping[str, Any] | None = None
    visit_fee_fen: Fen = _NOTHING
    item_fee_fen: Fen = _NOTHING
    material_fee_fen: Fen = _NOTHING
    travel_fee_fen: Fen = _NOTHING
    season_from: date | None = None
    season_until: date | None = None

    @property
    def price_fen(self) -> Fen:
        """The price shown in lists."""
        return price_of(self, self.place)


def missing_to_publish(content: Content) -> list[Missing]:
    """What a draft lacks (RULE-30); empty when it can become a version. At each place it must cost something."""
    absent = {
        Missing.INTRO: not content.intro,
        Missing.TIPS: not content.tips,
        Missing.CAUTIONS: not content.cautions,
        Missing.RISK_GRADE: content.risk_grade is None,
        Missing.CLINICAL: content.clinical is None,
        Missing.DURATION: content.duration_min is None,
        Missing.SKILLS: bool(content.clinical) and not content.skills,
        Missing.PREREQUISITES: not content.prerequisites,
        Missing.CONTRAINDICATIONS: not content.contraindications,
        Missing.CONSUMABLES: not content.consumables,
        Missing.MEDICAL_WASTE: content.medical_waste is None,
        Missing.PRICE: not content.price_fen,
        Missing.HOSPITAL_PRICE: content.place is Place.BOTH and not price_lines(content, Place.HOSPITAL),
    }
    return [what for what, lacking in absent.items() if lacking]


# ── screening ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Question:
    """A question before booking: the answer that fails, and what failing does."""

    code: str
    zh: str
    en: str
    failing: bool
    then: Consequence


@dataclass(frozen=True, slots=True)
class Screening:
    """What a version asks before it is booked at home (RULE-40, 41, 43, 48); by default nothing."""

    eligibility: tuple[Eligibility, ...] = ()
    questions: tuple[Question, ...] = ()
    history_required: bool = False
    companion_required: bool = False
    assessment_required: bool = False
    proofs: tuple[FilePurpose, ...] = ()

    @classmethod
    def of(cls, row: Mapping[str, Any] | None) -> Self:
        """As it is stored in a version; None asks nothing."""
        if row is None:
            return cls()
        return cls(
            eligibility=tuple(Eligibility(tag) for tag in row["eligibility"]),
            questions=tuple(Question(**{**each, "then": Consequence(each["then"])}) for each in row["questions"]),
            history_required=row["history_required"], companion_required=row["companion_required"],
            assessment_required=row["assessment_required"],
            proofs=tuple(FilePurpose(each) for each in row.get("proofs", ())),
        )  # fmt: skip


# ── regional policy ──────────────────────────────────────────────────────────────────────────────────────────────────


class Listing(StrEnum):
    """What an entry of the regional policy says about an item at home (RULE-31, RULE-32)."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    EXCEPTION = "exception"


class Policy(Protocol):
    """One entry: a region ('' = the whole country) or one hospital, an item, a verdict, and the days it holds."""

    @property
    def adcode_prefix(self) -> str: ...
    @property
    def hospital_id(self) -> HospitalId | None: ...
    @property
    def item_code(self) -> str: ...
    @property
    def listing(self) -> Listing: ...
    @property
    def reason(self) -> str: ...
    @property
    def effective_from(self) -> date: ...
    @property
    def effective_until(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an item may be done at home somewhere, by which rule, and in whose words."""

    permitted: bool
    rule: str
    reason: str


def policies_in_force(policies: Iterable[Policy], *, adcode: str, hospital_id: HospitalId, on: date) -> list[Policy]:
    """Those that hold for that place and hospital on that day, the most specific first: hospital, county … country."""
    holding = [
        each
        for each in policies
        if each.effective_from <= on
        and (each.effective_until is None or on <= each.effective_until)
        and adcode.startswith(each.adcode_prefix)
        and each.hospital_id in (None, hospital_id)
    ]
    return sorted(
        holding,
        key=lambda each: (each.hospital_id is not None, len(each.adcode_prefix), each.effective_from),
        reverse=True,
    )


def verdict(policies: Sequence[Policy], *, item_code: str, adcode: str, hospital_id: HospitalId, on: date) -> Verdict:
    """Whether an item may be done at home in that district (RULE-31, RULE-32).

    The most specific entry about the item decides; the newest of equals, and a ban before anything else of the same
    day. An item that no entry names is permitted unless the region, or the country, keeps a positive list.
    """
    holding = policies_in_force(policies, adcode=adcode, hospital_id=hospital_id, on=on)
    about = [each for each in holding if each.item_code == item_code]
    if about:
        first = about[0]
        rank = (first.hospital_id, first.adcode_prefix, first.effective_from)
        equals = [each for each in about if (each.hospital_id, each.adcode_prefix, each.effective_from) == rank]
        decisive = next((each for each in equals if each.listing is Listing.NEGATIVE), first)
        rule = "RULE-31" if decisive.listing is Listing.POSITIVE else "RULE-32"
        return Verdict(decisive.listing is not Listing.NEGATIVE, rule, decisive.reason)
    if any(each.listing is Listing.POSITIVE for each in holding):
        return Verdict(False, "RULE-31", "该地区实行项目目录管理，目录内没有此项目。")
    return Verdict(True, "RULE-31", "")


# ── what every installation starts with ──────────────────────────────────────────────────────────────────────────────

#: code, scenario, Chinese, English; in the order they are shown.
CATEGORIES: tuple[tuple[str, Scenario, str, str], ...] = (
    ("chronic", Scenario.CHRONIC, "慢病管理", "Chronic disease care"),
    ("postop", Scenario.POSTOP, "术后康复", "Post-operative recovery"),
    ("tcm", Scenario.TCM, "中医诊疗", "Traditional Chinese medicine"),
    ("maternal", Scenario.MATERNAL, "母婴护理", "Mother and baby care"),
    ("general", Scenario.GENERAL, "综合护理", "General care"),
)

#: The pilot of home nursing (80号) reached all provinces in 2020 (985号).
LISTS_SINCE = date(2020, 12, 15)

#: The positive list of the country until regions write their own (RULE-31).
LISTED_AT_HOME: dict[str, str] = {
    "N01": "静脉采血/标本采集",
    "N02": "皮下/肌肉注射",
    "N03": "留置胃管更换/鼻饲护理",
    "N04": "留置导尿/更换尿管",
    "N05": "PICC/输液港维护",
    "N06": "压力性损伤护理",
    "N07": "伤口换药/拆线",
    "N08": "造口护理",
    "N09": "气管切开护理/吸痰",
    "N10": "灌肠/人工取便",
    "N11": "膀胱冲洗",
    "N12": "雾化/氧疗指导",
    "N13": "血糖/血压监测与指导",
    "N14": "糖尿病足筛查与护理",
    "N15": "口腔/会阴/床上擦浴等基础护理",
    "N16": "术后/关节康复训练",
    "N17": "偏瘫肢体/吞咽训练",
    "N18": "艾灸",
    "N19": "拔罐/刮痧",
    "N20": "耳穴贴压/穴位贴敷/推拿",
    "N21": "母乳喂养指导/催乳",
    "N22": "产后访视/产褥护理",
    "N23": "新生儿沐浴/抚触/脐部护理",
    "N24": "新生儿黄疸监测",
    "N25": "安宁疗护上门",
    "N26": "用药/疾病健康教育与家庭照护培训",
    "D01": "医生上门巡诊",
}

#: The default negative list of the country (RULE-32); a region or one hospital may open an item with a reason.
FORBIDDEN_AT_HOME: dict[str, str] = {
    "X01": "静脉输液",
    "X02": "输血",
    "X03": "需皮试药物或首次用药",
    "X04": "抗菌药物静脉或肌肉注射",
    "X05": "生物制品注射",
    "X06": "疫苗接种",
    "X07": "化疗",
    "X08": "麻醉药品、精神药品注射",
    "X09": "首次气管切开套管更换",
    "X10": "急性尿潴留首次导尿",
    "X11": "深部清创",
    "X12": "PICC 置管",
    "X13": "接生",
}
