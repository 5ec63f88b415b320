"""Who may be sent to a patient, and how a clinician's file moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol

from yiyuebao_api.domains.clinicians.problems import ClinicianStateRefused


class ClinicianKind(StrEnum):
    """What the licence is for."""

    NURSE = "nurse"
    DOCTOR = "doctor"


class ClinicianState(StrEnum):
    """Where a clinician's file stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    VERIFIED = "verified"
    REJECTED = "rejected"
    SUSPENDED = "suspended"


class Title(StrEnum):
    """Professional titles in rising order: 护士 … 主任护师, then 医师 … 主任医师."""

    NURSE = "nurse"
    SENIOR_NURSE = "senior_nurse"
    SUPERVISOR_NURSE = "supervisor_nurse"
    DEPUTY_CHIEF_NURSE = "deputy_chief_nurse"
    CHIEF_NURSE = "chief_nurse"
    RESIDENT_DOCTOR = "resident_doctor"
    ATTENDING_DOCTOR = "attending_doctor"
    DEPUTY_CHIEF_DOCTOR = "deputy_chief_doctor"
    CHIEF_DOCTOR = "chief_doctor"


TITLE_NAMES: dict[Title, str] = {
    Title.NURSE: "护士",
    Title.SENIOR_NURSE: "护师",
    Title.SUPERVISOR_NURSE: "主管护师",
    Title.DEPUTY_CHIEF_NURSE: "副主任护师",
    Title.CHIEF_NURSE: "主任护师",
    Title.RESIDENT_DOCTOR: "住院医师",
    Title.ATTENDING_DOCTOR: "主治医师",
    Title.DEPUTY_CHIEF_DOCTOR: "副主任医师",
    Title.CHIEF_DOCTOR: "主任医师",
}

TITLES: dict[ClinicianKind, frozenset[Title]] = {
    ClinicianKind.NURSE: frozenset(title for title in Title if title.value.endswith("nurse")),
    ClinicianKind.DOCTOR: frozenset(title for title in Title if title.value.endswith("doctor")),
}


class Clause(StrEnum):
    """One condition of being sent that is not met."""

    NOT_VERIFIED = "not_verified"
    LICENCE_EXPIRED = "licence_expired"
    TOO_FEW_YEARS = "too_few_years"
    TITLE_TOO_LOW = "title_too_low"


MOVES: dict[ClinicianState, frozenset[ClinicianState]] = {
    ClinicianState.DRAFT: frozenset({ClinicianState.SUBMITTED, ClinicianState.VERIFIED}),
    ClinicianState.SUBMITTED: frozenset({ClinicianState.VERIFIED, ClinicianState.REJECTED, ClinicianState.DRAFT}),
    ClinicianState.VERIFIED: frozenset({ClinicianState.SUSPENDED, ClinicianState.DRAFT}),
    ClinicianState.REJECTED: frozenset({ClinicianState.SUBMITTED, ClinicianState.DRAFT}),
    ClinicianState.SUSPENDED: frozenset({ClinicianState.VERIFIED}),
}


def check_move(now: ClinicianState, wanted: ClinicianState) -> None:
    """Raises ClinicianStateRefused."""
    if wanted not in MOVES[now]:
        raise ClinicianStateRefused(state=now.value)


@dataclass(frozen=True, slots=True)
class Gate:
    """The thresholds of RULE-22 and RULE-24, which local documents may move."""

    nurse_years: int = 5
    doctor_years: int = 3
    nurse_titles: frozenset[Title] = TITLES[ClinicianKind.NURSE] - {Title.NURSE}


class Qualified(Protocol):
    """What the gate looks at."""

    @property
    def kind(self) -> ClinicianKind: ...
    @property
    def state(self) -> ClinicianState: ...
    @property
    def licence_valid_until(self) -> date: ...
    @property
    def clinical_years(self) -> int: ...
    @property
    def title(self) -> Title: ...


def may_serve(facts: Qualified, on: date, gate: Gate | None = None) -> list[Clause]:
    """Why a clinician may not be sent on that Shanghai day; empty when they may (RULE-22, RULE-24).

    Asked at assignment and again at departure. The register of nurses, adverse records, training and insurance
    (RULE-27, RULE-28) join here when they are kept.
    """
    gate = gate or Gate()
    failed = []
    if facts.state is not ClinicianState.VERIFIED:
        failed.append(Clause.NOT_VERIFIED)
    if facts.licence_valid_until < on:
        failed.append(Clause.LICENCE_EXPIRED)
    nurse = facts.kind is ClinicianKind.NURSE
    if facts.clinical_years < (gate.nurse_years if nurse else gate.doctor_years):
        failed.append(Clause.TOO_FEW_YEARS)
    if nurse and facts.title not in gate.nurse_titles:
        failed.append(Clause.TITLE_TOO_LOW)
    return failed
