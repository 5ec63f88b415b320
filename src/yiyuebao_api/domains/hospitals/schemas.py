"""What hospitals look like on the wire."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from yiyuebao_api.domains.hospitals.models import (
    DeskMember,
    Hospital,
    HospitalLevel,
    HospitalMove,
    HospitalState,
    LicenceReview,
    LicenceReviewState,
    Site,
)
from yiyuebao_api.domains.hospitals.rules import (
    LicenceWarning,
    Requirement,
    is_uscc,
    normal_prefixes,
    prefix_of,
    warnings_about,
)
from yiyuebao_api.kernel.geo import CoordType, Point, to_gcj02
from yiyuebao_api.kernel.ids import AccountId, HospitalId, RowId, SiteId
from yiyuebao_api.kernel.schema import Adcode, In, Line, Moment, Out, Text, Whole, example


def _uscc(value: str) -> str:
    if not is_uscc(value):
        raise ValueError("统一社会信用代码校验不通过，请核对")
    return value


_PREFIX = r"^[1-9][0-9](?:[0-9]{2}){0,2}$"

#: RULE-14: the checksum is verified.
Uscc = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$"),
    AfterValidator(_uscc),
    Field(examples=["12460100428200150L"]),
]
LicenceNo = Annotated[str, StringConstraints(pattern=r"^[0-9A-Z-]{8,30}$"), Field(examples=["428200150460106120A1001"])]
HospitalPhone = Annotated[
    str, StringConstraints(pattern=r"^\+?[0-9][0-9 ()-]{3,28}[0-9]$"), Field(examples=["0898-66220120"])
]
#: A region: 2, 4 or 6 digits; `460100` means `4601` (RULE-18).
Region = Annotated[str, StringConstraints(pattern=_PREFIX), AfterValidator(prefix_of), Field(examples=["4601"])]
#: The regions a site serves; written as the shortest prefixes, without doubles.
Regions = Annotated[list[Region], AfterValidator(normal_prefixes), Field(max_length=100, examples=[["4601"]])]
MerchantNo = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{7,9}$"), Field(examples=["1900010001"])]
AppId = Annotated[str, StringConstraints(pattern=r"^wx[0-9a-zA-Z]{16}$"), Field(examples=["wx0000000000000001"])]
Login = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._@-]{2,63}$"), Field(examples=["desk.haikou"])]
Reason = Annotated[str, StringConstraints(min_length=2, max_length=500, pattern=r"^[^\x00]*$")]
Radius = Annotated[Whole, Field(ge=500, le=100_000, description="Metres.", examples=[10_000])]

_SITE = {
    "name": "龙华院区", "adcode": "460106", "address": "海口市龙华区金盘路 18 号", "lat": 20.01893, "lng": 110.31997,
    "coord_type": "gcj02", "radius_m": 15_000, "adcodes": ["4601"], "open_for_home": True,
}  # fmt: skip


class SiteIn(In):
    """A site with its service area."""

    model_config = example(**_SITE)

    name: Line
    adcode: Adcode
    address: Annotated[str, StringConstraints(min_length=2, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
    lat: float
    lng: float
    coord_type: CoordType = CoordType.GCJ02
    radius_m: Radius
    adcodes: Regions = Field(description="Regions served within the radius; empty: all.")
    open_for_home: bool

    @model_validator(mode="after")
    def _in_china(self) -> Self:
        try:
            self.point()
        except ValueError:
            raise ValueError("坐标不在中国范围内，请检查经纬度是否颠倒") from None
        return self

    def point(self) -> Point:
        """The place in GCJ-02."""
        return to_gcj02(self.lat, self.lng, self.coord_type)


class SiteOut(Out):
    """A site; coordinates are GCJ-02."""

    id: SiteId
    name: str
    adcode: str
    address: str
    lat: float
    lng: float
    coord_type: CoordType
    radius_m: int
    adcodes: list[str]
    open_for_home: bool
    version: int

    @classmethod
    def of(cls, row: Site) -> SiteOut:
        return cls(
            id=row.id, name=row.name, adcode=row.adcode, address=row.address, lat=row.lat, lng=row.lng,
            coord_type=CoordType.GCJ02, radius_m=row.radius_m, adcodes=row.adcodes, open_for_home=row.open_for_home,
            version=row.version,
        )  # fmt: skip


class LicenceOut(Out):
    """The practice licence that every hospital must show (RULE-20)."""

    uscc: str
    licence_no: str | None
    valid_until: date | None

    @classmethod
    def of(cls, row: Hospital) -> LicenceOut:
        return cls(uscc=row.uscc, licence_no=row.licence_no, valid_until=row.licence_valid_until)


class HospitalBriefOut(Out):
    """A hospital in a list."""

    id: HospitalId
    name: str
    level: HospitalLevel
    phone: str
    home_mode: bool
    sites: list[SiteOut]

    @classmethod
    def of(cls, row: Hospital, sites: list[Site]) -> HospitalBriefOut:
        return cls(
            id=row.id, name=row.name, level=row.level, phone=row.phone, home_mode=bool(row.home_mode),
            sites=[SiteOut.of(site) for site in sites],
        )  # fmt: skip


class HospitalOut(HospitalBriefOut):
    """A hospital's public page (RULE-20)."""

    intro: str
    opening: str
    departments: list[str]
    licence: LicenceOut
    version: int

    @classmethod
    def page(cls, row: Hospital, sites: list[Site]) -> HospitalOut:
        brief = HospitalBriefOut.of(row, sites)
        return cls(
            **dict(brief), intro=row.intro, opening=row.opening, departments=row.departments,
            licence=LicenceOut.of(row), version=row.version,
        )  # fmt: skip


class LicenceReviewOut(Out):
    """A licence that a desk proposed."""

    id: RowId
    hospital_id: HospitalId
    licence_no: str
    licence_valid_until: date
    state: LicenceReviewState
    reason: str | None
    submitted_at: Moment
    decided_at: Moment | None

    @classmethod
    def of(cls, row: LicenceReview) -> LicenceReviewOut:
        return cls.model_validate(row)


class HospitalFileOut(HospitalOut):
    """A hospital as its desk and the operator see it."""

    state: HospitalState
    licence_checked_at: Moment | None
    licence_review: LicenceReviewOut | None
    sub_mchid: str | None
    sub_appid: str | None
    home_mode_known: bool
    missing: list[Requirement]
    warnings: list[LicenceWarning]
    created_at: Moment

    @classmethod
    def file(
        cls, row: Hospital, sites: list[Site], review: LicenceReview | None, missing: list[Requirement]
    ) -> HospitalFileOut:
        page = HospitalOut.page(row, sites)
        return cls(
            **dict(page), state=row.state, licence_checked_at=row.licence_checked_at,
            licence_review=LicenceReviewOut.of(review) if review else None, sub_mchid=row.sub_mchid,
            sub_appid=row.sub_appid, home_mode_known=row.home_mode is not None, missing=missing,
            warnings=warnings_about(row.uscc, row.licence_no), created_at=row.created_at,
        )  # fmt: skip


class HospitalRowOut(Out):
    """A hospital in the operator's list."""

    id: HospitalId
    name: str
    level: HospitalLevel
    state: HospitalState
    licence_valid_until: date | None
    version: int
    created_at: Moment

    @classmethod
    def of(cls, row: Hospital) -> HospitalRowOut:
        return cls.model_validate(row)


class OwnHospitalIn(In):
    """What a desk edits by itself."""

    model_config = example(
        intro="三级甲等综合医院，设有互联网护理中心。", phone="0898-66220120", opening="门诊 周一至周日 08:00-17:30",
        departments=["内分泌科", "骨科", "康复医学科", "中医科", "产科"],
    )  # fmt: skip

    intro: Text
    phone: HospitalPhone
    opening: Annotated[str, StringConstraints(min_length=2, max_length=200, pattern=r"^[^\x00]*$")]
    departments: list[Line] = Field(max_length=100)


class LicenceIn(In):
    """A licence that the operator is to check."""

    model_config = example(licence_no="428200150460106120A1001", licence_valid_until="2029-12-31")

    licence_no: LicenceNo
    licence_valid_until: date


class RegistrationIn(In):
    """What the operator knows of a hospital; what is still unknown is null."""

    model_config = example(
        name="海口椰城人民医院", level="tertiary_a", uscc="12460100428200150L", licence_no="428200150460106120A1001",
        licence_valid_until="2029-12-31", home_mode=True,
    )  # fmt: skip

    name: Line
    level: HospitalLevel
    uscc: Uscc
    licence_no: LicenceNo | None = None
    licence_valid_until: date | None = None
    home_mode: bool | None = None


class HospitalIn(RegistrationIn):
    """A hospital to register."""

    model_config = example(
        name="海口椰城人民医院", level="tertiary_a", uscc="12460100428200150L", licence_no="428200150460106120A1001",
        licence_valid_until="2029-12-31", home_mode=True, intro="三级甲等综合医院，设有互联网护理中心。",
        phone="0898-66220120", opening="门诊 周一至周日 08:00-17:30", sub_mchid="1900010001",
    )  # fmt: skip

    intro: Text
    phone: HospitalPhone
    opening: Annotated[str, StringConstraints(min_length=2, max_length=200, pattern=r"^[^\x00]*$")]
    sub_mchid: MerchantNo | None = None
    sub_appid: AppId | None = None


class MerchantIn(In):
    """The WeChat Pay sub-merchant that is paid for this hospital (RULE-71)."""

    model_config = example(sub_mchid="1900010001", sub_appid=None)

    sub_mchid: MerchantNo
    sub_appid: AppId | None = None


class DecisionReasonIn(In):
    """Why; people read it later in the history."""

    model_config = example(reason="资质材料待补正，暂停服务。")

    reason: Reason


class HospitalMoveOut(Out):
    """One change of state."""

    state: HospitalState
    reason: str | None
    account_id: AccountId | None
    at: Moment

    @classmethod
    def of(cls, row: HospitalMove) -> HospitalMoveOut:
        return cls.model_validate(row)


class DeskMemberIn(In):
    """A person who will work at the hospital's desk."""

    model_config = example(login="desk.haikou", name="李主任")

    login: Login
    name: Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f]*$")]


class DeskMemberOut(Out):
    """A person who works at the hospital's desk."""

    account_id: AccountId
    login: str
    name: str
    created_at: Moment

    @classmethod
    def of(cls, row: DeskMember) -> DeskMemberOut:
        return cls.model_validate(row)


class NewDeskMemberOut(DeskMemberOut):
    """Shown once: the first password and the TOTP secret are stored only in forms that cannot be read back."""

    password: str
    totp_secret: str
