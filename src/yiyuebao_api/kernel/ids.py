"""Identifiers: UUIDv7 inside, a TypeID outside (`bkg_` + 26 letters of Crockford's base32), one class per entity.

Sixteen bytes in the column; on the wire a string, because JavaScript loses integers above 2^53. A class of its own per
entity makes the type checker refuse a patient's id where a booking's is expected, and the prefix makes the API refuse it.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, Self, cast
from uuid import UUID, SafeUUID

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_SHIFTS = range(120, -1, -10)
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # ten bits at a time
_FORM = re.compile(rf"[0-7][{_ALPHABET}]{{25}}")  # the first letter holds three of the 128 bits
_AS_BASE32 = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")  # the digits that `int` knows
_lock = threading.Lock()
_last = 0


def _uuid7_int() -> int:
    """RFC 9562: 48 bits of milliseconds, then 12 bits that keep the order within one millisecond, then random bits."""
    global _last
    with _lock:
        stamp = time.time_ns() * 4096 // 1_000_000  # milliseconds with a 12-bit fraction
        _last = stamp = max(stamp, _last + 1)
    milliseconds, fraction = divmod(stamp, 4096)
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return (milliseconds << 80) | (0x7 << 76) | (fraction << 64) | (0b10 << 62) | random


_new, _set = object.__new__, object.__setattr__
_UNKNOWN = SafeUUID.unknown  # a member of an enumeration is looked up anew at every mention


@lru_cache(maxsize=16_384)  # told several times: in the log, to both, in the answer; and most rows belong to few hospitals
def _text(prefix: str, value: int) -> str:
    pairs = _PAIRS
    return prefix + "_" + "".join([pairs[value >> shift & 1023] for shift in _SHIFTS])


@lru_cache(maxsize=16_384)  # a device names the same few things with every frame
def _value(prefix: str, text: str) -> int:
    head, _, tail = text.rpartition("_")
    if head != prefix or not _FORM.fullmatch(tail):
        raise ValueError(f"not an id of the form {prefix}_…")
    return int(tail.translate(_AS_BASE32), 32)


class Id(UUID):
    """One entity's identifier. `str(id)` and JSON are the TypeID; `.bytes` is the column."""

    __slots__ = ()
    prefix: ClassVar[str] = ""

    def __init_subclass__(cls, *, prefix: str, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.prefix = prefix

    @classmethod
    def _made(cls, value: int) -> Self:
        """What `UUID(int=value)` makes, in a fifth of its time: a page of rows makes a hundred of them."""
        made = _new(cls)
        _set(made, "int", value)
        _set(made, "is_safe", _UNKNOWN)
        return made

    @classmethod
    def new(cls) -> Self:
        return cls._made(_uuid7_int())

    @classmethod
    def first_at(cls, at: datetime) -> Self:
        """Every id made before that moment is smaller, by the machine's clock; no index but the key is needed to find them."""
        return cls._made(int(at.timestamp() * 1000) << 80)

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """From the sixteen bytes of the column."""
        if len(raw) != 16:
            raise ValueError("an id is 16 bytes")
        return cls._made(int.from_bytes(raw))

    @classmethod
    def text_of(cls, raw: bytes) -> str:
        """`str(of(raw))` without the object in between: a page of a search holds sixty."""
        return _text(cls.prefix, int.from_bytes(raw))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the wire. Raises ValueError for another entity's id or anything that is not one."""
        return cls._made(_value(cls.prefix, text))

    def __str__(self) -> str:
        return _text(self.prefix, self.int)

    def __repr__(self) -> str:
        return str(self)

    @classmethod
    def _validate(cls, value: Any) -> Self:
        if isinstance(value, cls):
            return value
        try:
            return cls.parse(cast("str", value))
        except (ValueError, AttributeError, TypeError):
            raise PydanticCustomError("id", "must be an id of the form {prefix}_…", {"prefix": cls.prefix}) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": f"^{cls.prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$",
            "examples": [f"{cls.prefix}_01kj4y8x3hf7a9cq2v5b6n8m0t"],
        }


class AccountId(Id, prefix="acc"): ...
class SessionId(Id, prefix="ses"): ...
class PatientId(Id, prefix="pat"): ...
class AddressId(Id, prefix="adr"): ...
class ClinicianId(Id, prefix="cln"): ...
class ConsentNoticeId(Id, prefix="cnn"): ...
class ConsentId(Id, prefix="cns"): ...
class QualificationId(Id, prefix="qlf"): ...
class HospitalId(Id, prefix="hsp"): ...
class SiteId(Id, prefix="sit"): ...
class ServiceId(Id, prefix="svc"): ...
class ServiceVersionId(Id, prefix="svv"): ...
class RegionalPolicyId(Id, prefix="rgp"): ...
class PoolId(Id, prefix="pol"): ...
class RosterId(Id, prefix="rst"): ...
class ScheduleExceptionId(Id, prefix="exc"): ...
class LeaveId(Id, prefix="lve"): ...
class ClaimId(Id, prefix="clm"): ...
class BookingId(Id, prefix="bkg"): ...
class ReviewId(Id, prefix="rvw"): ...
class VisitId(Id, prefix="vst"): ...
class PaymentId(Id, prefix="pay"): ...
class RefundId(Id, prefix="rfd"): ...
class PostingId(Id, prefix="pst"): ...
class AccrualId(Id, prefix="acr"): ...
class FileId(Id, prefix="fil"): ...
class ExportId(Id, prefix="exp"): ...
class IdentityId(Id, prefix="idt"): ...
class ConsultationId(Id, prefix="con"): ...
class ConsultationOfferId(Id, prefix="cof"): ...
class ConsultationFlagId(Id, prefix="cfl"): ...
class ConsultationPilotId(Id, prefix="cpl"): ...
class RegulatorExportId(Id, prefix="rgx"): ...
class ExtensionId(Id, prefix="cex"): ...
class MessageId(Id, prefix="msg"): ...
class NoticeId(Id, prefix="ntc"): ...
class EndpointId(Id, prefix="whe"): ...
class EventId(Id, prefix="evt"): ...
class DeliveryId(Id, prefix="dlv"): ...
class JobId(Id, prefix="job"): ...
class AssessmentId(Id, prefix="asm"): ...
class AuditId(Id, prefix="aud"): ...
class GrantId(Id, prefix="grt"): ...
class RowId(Id, prefix="row"):
    """Rows that nobody outside ever names: history, schedule templates, inbox."""


def new_number(now_digits: str) -> str:
    """A number for people and for WeChat: date digits and 14 random characters, `[0-9A-Z]` without look-alikes.

    70 random bits: nobody guesses a neighbour's order, and 32 characters (WeChat's limit) are never reached.
    """
    letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return now_digits + "".join(secrets.choice(letters) for _ in range(14))
