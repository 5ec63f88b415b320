"""What goes over the wire around patients and addresses."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, Strict, StringConstraints, model_validator

from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.domains.patients.rules import EARLIEST_BIRTH, RealName, Relation, Sex
from yiyuebao_api.kernel.geo import CoordType
from yiyuebao_api.kernel.ids import AddressId, PatientId
from yiyuebao_api.kernel.schema import Adcode, In, Line, Moment, Out, Phone, example


def _only_text(value: Any) -> Any:
    """A number is no date: pydantic would take it for seconds since 1970."""
    if not isinstance(value, str) or len(value) != 10:
        raise ValueError("日期格式应为 1958-03-02")
    return value


def _not_before_our_time(value: date) -> date:
    """`Field(ge=…)` on a date would put a keyword into the published schema that JSON Schema does not know."""
    if value < EARLIEST_BIRTH:
        raise ValueError(f"不能早于 {EARLIEST_BIRTH}")
    return value


_Day = Annotated[
    date, BeforeValidator(_only_text), AfterValidator(_not_before_our_time), Field(examples=["1958-03-02"])
]
_Name = Annotated[
    str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f]*$"), Field(examples=["陈秀英"])
]
_IdNo = Annotated[str, StringConstraints(min_length=15, max_length=18, pattern=r"^[0-9A-Za-z]*$")]
_Degrees = Annotated[float, Strict(), Field(ge=-180, le=180)]


class PatientIn(In):
    model_config = example(
        relation="parent", name="陈秀英", phone="13800138000", sex="female", birth_date="1958-03-02", id_no=None
    )

    relation: Relation
    name: _Name
    phone: Phone
    sex: Sex
    birth_date: _Day
    id_no: _IdNo | None = Field(None, description="ID card or residence permit; sealed at rest.")


class PatientOut(Out):
    """A patient as their account sees them: nothing is masked."""

    id: PatientId
    relation: Relation
    name: str
    phone: str
    sex: Sex
    birth_date: date
    id_no: str | None
    real_name: RealName
    version: int
    created_at: Moment

    @classmethod
    def of(cls, row: Patient) -> PatientOut:
        return cls.model_validate(row)


class AddressIn(In):
    """With coordinates, or without: then the map is asked where it is."""

    model_config = example(
        recipient="陈秀英", phone="13800138000", adcode="460108", district="海南省海口市美兰区",
        detail="人民大道 58 号 3 栋 502", lat=20.0587, lng=110.3281, coord_type="gcj02",
    )  # fmt: skip

    recipient: _Name
    phone: Phone
    adcode: Adcode
    district: Line
    detail: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
    lat: _Degrees | None = None
    lng: _Degrees | None = None
    coord_type: CoordType = CoordType.GCJ02

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.lat is None) != (self.lng is None):
            raise ValueError("lat 与 lng 须同时填写，或同时不填")
        return self


class AddressOut(Out):
    """An address as its account sees it; coordinates are GCJ-02 whatever was sent."""

    id: AddressId
    recipient: str
    phone: str
    adcode: str
    district: str
    detail: str
    lat: float
    lng: float
    coord_type: CoordType
    precise: bool = Field(description="False: the map knew no more than the street; let the user pick the place.")
    version: int
    created_at: Moment

    @classmethod
    def of(cls, row: Address) -> AddressOut:
        return cls(
            id=row.id, recipient=row.recipient, phone=row.phone, adcode=row.adcode, district=row.district,
            detail=row.detail, lat=row.point.lat, lng=row.point.lng, coord_type=CoordType.GCJ02, precise=row.precise,
            version=row.version, created_at=row.created_at,
        )  # fmt: skip
