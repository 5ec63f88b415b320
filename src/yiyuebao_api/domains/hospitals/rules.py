"""What a hospital must be to open, which places its sites serve, and how its numbers are checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol

from yiyuebao_api.domains.hospitals.problems import HospitalStateRefused
from yiyuebao_api.kernel.geo import Point, distance_m


class HospitalState(StrEnum):
    """Where an organisation stands with the platform."""

    DRAFT = "draft"
    OPEN = "open"
    SUSPENDED = "suspended"


class HospitalLevel(StrEnum):
    """Grade given by the health authority (医院等级)."""

    TERTIARY_A = "tertiary_a"
    TERTIARY_B = "tertiary_b"
    SECONDARY_A = "secondary_a"
    SECONDARY_B = "secondary_b"
    PRIMARY = "primary"
    COMMUNITY = "community"
    UNRATED = "unrated"


class LicenceReviewState(StrEnum):
    """What became of a licence that a desk proposed."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"


class Requirement(StrEnum):
    """One thing a hospital still lacks before it can open."""

    LICENCE_MISSING = "licence_missing"
    LICENCE_EXPIRED = "licence_expired"
    HOME_MODE_UNKNOWN = "home_mode_unknown"
    SITE_MISSING = "site_missing"
    MERCHANT_MISSING = "merchant_missing"


class LicenceWarning(StrEnum):
    """Something an operator should look at; nothing is refused for it."""

    LICENCE_NO_UNUSUAL = "licence_no_unusual"
    LICENCE_NO_ORG_MISMATCH = "licence_no_org_mismatch"
    ORG_CODE_CHECK_FAILED = "org_code_check_failed"


MOVES: dict[HospitalState, frozenset[HospitalState]] = {
    HospitalState.DRAFT: frozenset({HospitalState.OPEN}),
    HospitalState.OPEN: frozenset({HospitalState.SUSPENDED}),
    HospitalState.SUSPENDED: frozenset({HospitalState.OPEN}),
}


def check_move(now: HospitalState, wanted: HospitalState) -> None:
    """Raises HospitalStateRefused."""
    if wanted not in MOVES[now]:
        raise HospitalStateRefused(state=now.value)


class Licensed(Protocol):
    """What decides whether a hospital may be offered to patients."""

    @property
    def state(self) -> HospitalState: ...
    @property
    def licence_valid_until(self) -> date | None: ...


def is_open(hospital: Licensed, today: date) -> bool:
    """Whether patients may be sent there on `today` (Shanghai): open, and its licence covers that day (RULE-19)."""
    valid_until = hospital.licence_valid_until
    return hospital.state is HospitalState.OPEN and valid_until is not None and today <= valid_until


def missing_to_open(
    *, licence_no: str | None, licence_valid_until: date | None, home_mode: bool | None, sites: int,
    sub_mchid: str | None, merchant_needed: bool, today: date,
) -> list[Requirement]:  # fmt: skip
    """Everything that still stands between a hospital and its opening (RULE-19, RULE-71); empty when nothing does."""
    missing = []
    if not licence_no or licence_valid_until is None:
        missing.append(Requirement.LICENCE_MISSING)
    elif licence_valid_until < today:
        missing.append(Requirement.LICENCE_EXPIRED)
    if home_mode is None:
        missing.append(Requirement.HOME_MODE_UNKNOWN)
    if sites == 0:
        missing.append(Requirement.SITE_MISSING)
    if merchant_needed and sub_mchid is None:
        missing.append(Requirement.MERCHANT_MISSING)
    return missing


# ── service areas ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ServiceArea:
    """Where a site's staff go: a circle, and within it only the named districts when there are any."""

    point: Point
    radius_m: int
    adcodes: tuple[str, ...]


def covers(area: ServiceArea, point: Point, adcode: str | None) -> bool:
    """Whether a visit may go there (RULE-44): inside the circle, its rim included, and in one of the named districts.

    `adcode` None means that the district is not known yet (a search by GPS): then the circle alone decides, and the
    district is checked when the address is. A booking always knows it.
    """
    if distance_m(area.point, point) > area.radius_m:
        return False
    return adcode is None or not area.adcodes or any(adcode.startswith(prefix) for prefix in area.adcodes)


def prefix_of(adcode: str) -> str:
    """The 2, 4 or 6 digits all places of a region share: `460000` → `46`, `460100` → `4601`, `460106` → `460106`.

    Counties directly under a province (`469001`) need no exception: `469000` → `4690` is what they share (RULE-18).
    """
    while len(adcode) > 2 and adcode.endswith("00"):
        adcode = adcode[:-2]
    return adcode


def adcode_range(prefix: str) -> tuple[str, str]:
    """The first and the last 6-digit code of a region, for a search by index."""
    return prefix.ljust(6, "0"), prefix.ljust(6, "9")


def normal_prefixes(adcodes: Sequence[str]) -> list[str]:
    """District codes as prefixes: sorted, no doubles, and none that another one already covers."""
    prefixes = sorted({prefix_of(adcode) for adcode in adcodes})
    kept: list[str] = []
    for prefix in prefixes:
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept


# ── numbers on certificates ──────────────────────────────────────────────────────────────────────────────────────────

_USCC = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}", re.ASCII)
_USCC_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORG_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_LICENCE_NO = re.compile(r"[0-9A-Z]{9}\d{6}\d{2}[A-Z]\d{3}\d", re.ASCII)


def uscc_check_letter(first: str) -> str:
    """The 18th character of a unified social credit code, from its first 17 (RULE-14a, GB 32100-2015)."""
    weighted = sum(_USCC_LETTERS.index(letter) * pow(3, place, 31) for place, letter in enumerate(first))
    return _USCC_LETTERS[(31 - weighted % 31) % 31]


def is_uscc(code: str) -> bool:
    """RULE-14a: 18 characters of the standard's alphabet, and the last one proves the others."""
    return _USCC.fullmatch(code) is not None and uscc_check_letter(code[:17]) == code[17]


def org_code_check_letter(first: str) -> str:
    """The check letter of an 8-character organisation code (GB 11714-1997)."""
    weighted = sum(_ORG_LETTERS.index(letter) * weight for letter, weight in zip(first, _ORG_WEIGHTS, strict=True))
    rest = 11 - weighted % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


def warnings_about(uscc: str, licence_no: str | None) -> list[LicenceWarning]:
    """What an operator should look at before opening (RULE-14b, RULE-15); small clinics may differ rightly."""
    warnings = []
    if org_code_check_letter(uscc[8:16]) != uscc[16]:
        warnings.append(LicenceWarning.ORG_CODE_CHECK_FAILED)
    if licence_no is not None:
        if _LICENCE_NO.fullmatch(licence_no) is None:
            warnings.append(LicenceWarning.LICENCE_NO_UNUSUAL)
        elif not licence_no.startswith("PDY") and licence_no[:9] != uscc[8:17]:
            warnings.append(LicenceWarning.LICENCE_NO_ORG_MISMATCH)
    return warnings
