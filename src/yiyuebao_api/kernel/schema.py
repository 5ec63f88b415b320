"""What goes over the wire: shapes that refuse what they do not know, and times a phone can read."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, Strict, StringConstraints

from yiyuebao_api.kernel.clock import SHANGHAI
from yiyuebao_api.kernel.money import Fen


class In(BaseModel):
    """A body that clients send. Unknown fields are refused: a price sent by a client has no field to land in."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)


class Out(BaseModel):
    """A body that we send. No defaults: a field that exists is always there, null or not."""

    model_config = ConfigDict(from_attributes=True)


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("需要带时区，例如 2026-11-23T09:00:00+08:00")
    if not 2000 <= value.year <= 2199:
        raise ValueError("日期超出范围")
    return value


@lru_cache(maxsize=4096)  # a row's moment is told several times, and many rows share one
def wire_time(value: datetime) -> str:
    """RFC 3339 with `+08:00` and whole seconds: JavaScript on iOS rejects other forms."""
    return value.astimezone(SHANGHAI).replace(microsecond=0).isoformat()


#: A moment: aware in Python, `2026-11-23T09:00:00+08:00` on the wire.
Moment = Annotated[
    datetime,
    AfterValidator(_aware),
    PlainSerializer(wire_time, return_type=str, when_used="json"),
    Field(examples=["2026-11-23T09:00:00+08:00"]),
]


def _in_our_time(value: date) -> date:
    if not 2000 <= value.year <= 2199:  # a day's midnight, and the days around it, must exist
        raise ValueError("日期超出范围")
    return value


#: A calendar day in Shanghai that somebody plans with.
Day = Annotated[date, AfterValidator(_in_our_time), Field(examples=["2026-11-25"])]

#: An amount a client may set (a desk its prices): whole fen, at most 100 000 yuan.
PriceIn = Annotated[Fen, Strict(), Field(ge=0, le=10_000_000, examples=[19900])]

Whole = Annotated[int, Strict()]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$")]
Adcode = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{5}$"), Field(examples=["460106"])]
#: RULE-09: eleven digits of a Chinese mobile number, with or without +86.
Phone = Annotated[str, StringConstraints(pattern=r"^(\+86)?1[3-9][0-9]{9}$"), Field(examples=["13800138000"])]


def e164(phone: str) -> str:
    """`13800138000` → `+8613800138000`."""
    return phone if phone.startswith("+86") else "+86" + phone


def masked_phone(phone: str) -> str:
    """`+8613800138000` → `138****8000` (RULE-148)."""
    digits = phone.removeprefix("+86")
    return f"{digits[:3]}****{digits[-4:]}"


def masked_name(name: str) -> str:
    """`张三丰` → `张**` (RULE-148)."""
    return name[:1] + "*" * max(1, len(name) - 1)


def example(**fields: Any) -> ConfigDict:
    """The example of a body in the published contract."""
    return ConfigDict(json_schema_extra={"examples": [fields]})
