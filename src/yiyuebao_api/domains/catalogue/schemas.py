"""What the catalogue looks like on the wire."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from yiyuebao_api.domains.catalogue.models import (
    Category,
    Listing,
    Place,
    RegionalPolicy,
    RiskGrade,
    Scenario,
    Service,
    ServiceMove,
    ServiceState,
    ServiceVersion,
)
from yiyuebao_api.domains.catalogue.rules import (
    PROOFS,
    Consequence,
    Content,
    Eligibility,
    Missing,
    PriceKind,
    missing_to_publish,
    places_of,
    price_lines,
)
from yiyuebao_api.domains.files.rules import FilePurpose
from yiyuebao_api.domains.hospitals.models import Hospital, Site
from yiyuebao_api.domains.hospitals.rules import prefix_of
from yiyuebao_api.kernel.ids import (
    AccountId,
    ClinicianId,
    HospitalId,
    RegionalPolicyId,
    ServiceId,
    ServiceVersionId,
    SiteId,
)
from yiyuebao_api.kernel.money import Fen, total
from yiyuebao_api.kernel.schema import Day, In, Line, Moment, Out, PriceIn, Whole, example

Prose = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
ItemCode = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9-]{1,19}$"), Field(examples=["N05"])]
CategoryCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,19}$"), Field(examples=["postop"])]
PictureUrl = Annotated[str, StringConstraints(pattern=r"^https://[^\s\x00-\x1f]{4,480}$")]
Minutes = Annotated[Whole, Field(ge=0, le=240)]
_PREFIX = r"^(?:[1-9][0-9](?:[0-9]{2}){0,2})?$"

_CONTENT = {
    "name": "PICC/输液港维护", "place": "both", "intro": "持证护士上门维护 PICC 导管或输液港，更换敷料与接头。",
    "tips": "请备好导管维护手册，穿宽松上衣。", "cautions": "置管侧手臂红肿疼痛或发热时请先到院就诊。",
    "picture_url": None, "duration_min": 45, "buffer_before_min": 0, "buffer_after_min": 15, "lead_minutes": 240,
    "risk_grade": "H", "clinical": True, "skills": ["PICC 维护资质"],
    "prerequisites": "有导管维护手册，距上次维护不超过 7 天。", "contraindications": "导管堵塞、断裂或疑似感染。",
    "consumables": "PICC 维护包、无针接头、透明敷料。", "medical_waste": True, "requires_order": True,
    "visit_fee_fen": 8000, "item_fee_fen": 9000, "material_fee_fen": 4500, "travel_fee_fen": 3000,
    "season_from": None, "season_until": None,
}  # fmt: skip


class CategoryOut(Out):
    """A category of services."""

    code: str
    scenario: Scenario
    name_zh: str
    name_en: str

    @classmethod
    def of(cls, row: Category) -> CategoryOut:
        return cls.model_validate(row)


class QuestionIn(In):
    """A question before booking, answered yes or no, and what the failing answer does (RULE-41, RULE-42)."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,29}$")]
    zh: Line
    en: Line
    failing: bool = Field(description="The answer that fails.")
    then: Consequence


def _is_proof(value: FilePurpose) -> FilePurpose:
    if value not in PROOFS:
        raise ValueError("只能是处方、疾病证明或创面照片")
    return value


Proof = Annotated[FilePurpose, AfterValidator(_is_proof)]


class ScreeningIn(In):
    """What is asked before a booking at home."""

    eligibility: list[Eligibility] = Field(
        default_factory=list, max_length=10, description="One of these must hold (RULE-40); empty: everybody."
    )
    questions: list[QuestionIn] = Field(default_factory=list, max_length=20)
    history_required: bool = Field(False, description="Allergies (`无` when none) and medication must be told (RULE-43).")
    companion_required: bool = Field(False, description="An adult of the family must be there (RULE-48).")
    assessment_required: bool = Field(False, description="A first assessment stands before acceptance (RULE-39).")
    proofs: list[Proof] = Field(
        default_factory=list, max_length=3, description="Pictures or papers that must be shown: prescription, disease_proof, "
        "wound_photo of the last seven days (RULE-43).",
    )  # fmt: skip

    @model_validator(mode="after")
    def _codes_differ(self) -> Self:
        if len({each.code for each in self.questions}) != len(self.questions):
            raise ValueError("问题编码不能重复")
        return self


class QuestionOut(Out):
    """A question before booking."""

    code: str
    zh: str
    en: str
    failing: bool
    then: Consequence


class ScreeningOut(Out):
    """What is asked before a booking at home."""

    eligibility: list[Eligibility]
    questions: list[QuestionOut]
    history_required: bool
    companion_required: bool
    assessment_required: bool
    proofs: list[FilePurpose]


class DraftIn(In):
    """What a service is to say. A draft may lack what is optional here; publishing tells what is missing (RULE-30)."""

    model_config = example(**_CONTENT)

    name: Line
    place: Place
    intro: Prose = ""
    tips: Prose = ""
    cautions: Prose = ""
    picture_url: PictureUrl | None = None
    duration_min: Annotated[Whole, Field(ge=5, le=480)] | None = None
    buffer_before_min: Minutes = 0
    buffer_after_min: Minutes = 0
    lead_minutes: Annotated[Whole, Field(ge=0, le=20_160, description="Shortest notice (RULE-44).")] = 240
    risk_grade: RiskGrade | None = None
    clinical: bool | None = None
    skills: list[Line] = Field(default_factory=list, max_length=20)
    prerequisites: Prose = ""
    contraindications: Prose = ""
    consumables: Prose = ""
    medical_waste: bool | None = None
    requires_order: bool = False
    screening: ScreeningIn | None = None
    visit_fee_fen: PriceIn = Fen(0)
    item_fee_fen: PriceIn = Fen(0)
    material_fee_fen: PriceIn = Fen(0)
    travel_fee_fen: PriceIn = Fen(0)
    season_from: Day | None = None
    season_until: Day | None = None

    @model_validator(mode="after")
    def _season_runs_forward(self) -> Self:
        if self.season_from and self.season_until and self.season_until < self.season_from:
            raise ValueError("服务期的结束日期不能早于开始日期")
        return self

    def content(self) -> Content:
        """The same as the rules know it."""
        return content_of(self.model_dump())


class ServiceIn(DraftIn):
    """A service to offer; site, category and item code stay what they are."""

    model_config = example(site_id="sit_01kj4y8x3hf7a9cq2v5b6n8m0t", category_code="postop", code="N05", **_CONTENT)

    site_id: SiteId
    category_code: CategoryCode
    code: ItemCode


def content_of(stored: dict[str, Any]) -> Content:
    """A draft as it is stored, as the rules know it."""
    known = {name: value for name, value in stored.items() if name in DraftIn.model_fields}
    read = DraftIn.model_validate(known)
    screening = read.screening.model_dump(mode="json") if read.screening is not None else None
    return Content(**{**dict(read), "skills": tuple(read.skills), "screening": screening})


class DraftOut(Out):
    """Edits that wait for publication, and what they lack."""

    name: str
    place: Place
    intro: str
    tips: str
    cautions: str
    picture_url: str | None
    duration_min: int | None
    buffer_before_min: int
    buffer_after_min: int
    lead_minutes: int
    risk_grade: RiskGrade | None
    clinical: bool | None
    skills: list[str]
    prerequisites: str
    contraindications: str
    consumables: str
    medical_waste: bool | None
    requires_order: bool
    screening: ScreeningOut | None
    visit_fee_fen: Fen
    item_fee_fen: Fen
    material_fee_fen: Fen
    travel_fee_fen: Fen
    price_fen: Fen
    season_from: date | None
    season_until: date | None
    missing: list[Missing]

    @classmethod
    def of(cls, content: Content) -> DraftOut:
        fields = {name: getattr(content, name) for name in cls.model_fields if name != "missing"}
        return cls(**{**fields, "skills": list(content.skills)}, missing=missing_to_publish(content))


class PriceLineOut(Out):
    """One line of a price."""

    kind: PriceKind
    amount_fen: Fen


class PriceOut(Out):
    """What is charged at one place: the lines and their sum (RULE-34, RULE-36)."""

    place: Place
    currency: Literal["CNY"]
    unit: Literal["per_visit"]
    lines: list[PriceLineOut]
    total_fen: Fen

    @classmethod
    def at(cls, version: ServiceVersion, place: Place) -> PriceOut:
        lines = price_lines(version, place)
        return cls(
            place=place, currency="CNY", unit="per_visit",
            lines=[PriceLineOut(kind=line.kind, amount_fen=line.amount_fen) for line in lines],
            total_fen=total(line.amount_fen for line in lines),
        )  # fmt: skip


class VersionOut(Out):
    """One published version; it never changes (RULE-37)."""

    id: ServiceVersionId
    number: int
    name: str
    intro: str
    tips: str
    cautions: str
    picture_url: str | None
    place: Place
    duration_min: int
    buffer_before_min: int
    buffer_after_min: int
    lead_minutes: int
    risk_grade: RiskGrade
    clinical: bool
    skills: list[str]
    prerequisites: str
    contraindications: str
    consumables: str
    medical_waste: bool
    requires_order: bool
    screening: ScreeningOut | None
    prices: list[PriceOut]
    price_fen: Fen
    season_from: date | None
    season_until: date | None
    published_at: Moment

    @classmethod
    def of(cls, row: ServiceVersion) -> VersionOut:
        plain = {name: getattr(row, name) for name in cls.model_fields if name != "prices"}
        return cls(**plain, prices=[PriceOut.at(row, place) for place in places_of(row.place)])


class ServiceBriefOut(Out):
    """A service in a list."""

    id: ServiceId
    hospital_id: HospitalId
    site_id: SiteId
    category_code: str
    code: str
    name: str
    place: Place
    price_fen: Fen
    season_from: date | None
    season_until: date | None

    @classmethod
    def of(cls, row: Service) -> ServiceBriefOut:
        return cls.model_validate(row)


class ServiceOut(Out):
    """A service's public page: the version in force, who offers it, and from where."""

    id: ServiceId
    code: str
    category: CategoryOut
    hospital_id: HospitalId
    hospital_name: str
    site_id: SiteId
    site_name: str
    site_address: str
    version: VersionOut

    @classmethod
    def page(
        cls, row: Service, version: ServiceVersion, category: Category, hospital: Hospital, site: Site
    ) -> ServiceOut:
        return cls(
            id=row.id, code=row.code, category=CategoryOut.of(category), hospital_id=hospital.id,
            hospital_name=hospital.name, site_id=site.id, site_name=site.name, site_address=site.address,
            version=VersionOut.of(version),
        )  # fmt: skip


class ServiceFileOut(ServiceBriefOut):
    """A service as its desk sees it: state, edits that wait, and the version in force."""

    state: ServiceState
    version: int
    draft: DraftOut | None
    current: VersionOut | None
    created_at: Moment

    @classmethod
    def file(cls, row: Service, current: ServiceVersion | None) -> ServiceFileOut:
        return cls(
            **dict(ServiceBriefOut.of(row)), state=row.state, version=row.version,
            draft=DraftOut.of(content_of(row.draft)) if row.draft is not None else None,
            current=VersionOut.of(current) if current is not None else None, created_at=row.created_at,
        )  # fmt: skip


class ServiceRowOut(ServiceBriefOut):
    """A service in the desk's list."""

    state: ServiceState
    has_draft: bool
    proposed_by: ClinicianId | None = Field(description="Which clinician proposed it; null: the desk's own.")
    version: int

    @classmethod
    def row(cls, row: Service) -> ServiceRowOut:
        brief = ServiceBriefOut.of(row)
        return cls(
            **dict(brief), state=row.state, has_draft=row.draft is not None, proposed_by=row.proposed_by, version=row.version
        )


class ServiceMoveOut(Out):
    """One change of state."""

    state: ServiceState
    version_id: ServiceVersionId | None
    reason: str | None
    account_id: AccountId | None
    at: Moment

    @classmethod
    def of(cls, row: ServiceMove) -> ServiceMoveOut:
        return cls.model_validate(row)


class PolicyIn(In):
    """An entry of the regional policy."""

    model_config = example(
        adcode_prefix="4601", hospital_id=None, item_code="N05", listing="positive",
        reason="列入海口市“互联网+护理服务”项目目录。", effective_from="2026-01-01", effective_until=None,
    )  # fmt: skip

    adcode_prefix: Annotated[
        str, StringConstraints(pattern=_PREFIX), AfterValidator(lambda code: prefix_of(code) if code else code),
        Field(description="2, 4 or 6 digits; empty: the whole country."),
    ]  # fmt: skip
    hospital_id: HospitalId | None = None
    item_code: ItemCode
    listing: Listing
    reason: Annotated[str, StringConstraints(min_length=2, max_length=500, pattern=r"^[^\x00]*$")]
    effective_from: Day
    effective_until: Day | None = None

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.effective_until is not None and self.effective_until < self.effective_from:
            raise ValueError("结束日期不能早于开始日期")
        return self


class PolicyEndIn(In):
    """The last day on which an entry holds."""

    model_config = example(effective_until="2026-12-31")

    effective_until: Day


class RegionalPolicyOut(Out):
    """An entry of the regional policy."""

    id: RegionalPolicyId
    adcode_prefix: str
    hospital_id: HospitalId | None
    item_code: str
    listing: Listing
    reason: str
    effective_from: date
    effective_until: date | None
    created_at: Moment

    @classmethod
    def of(cls, row: RegionalPolicy) -> RegionalPolicyOut:
        return cls.model_validate(row)
