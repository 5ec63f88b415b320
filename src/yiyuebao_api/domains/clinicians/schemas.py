"""What clinicians look like on the wire."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints

from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind, ClinicianState, Sex, Title
from yiyuebao_api.domains.clinicians.rules import TITLE_NAMES, Clause
from yiyuebao_api.kernel.ids import ClinicianId, HospitalId
from yiyuebao_api.kernel.schema import In, Line, Moment, Out, Phone, Whole, example

PersonName = Annotated[
    str, StringConstraints(min_length=2, max_length=50, pattern=r"^[^\x00-\x1f0-9]*$"), Field(examples=["王海燕"])
]
CertificateNo = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{8,40}$"), Field(examples=["201846010023"])]
Years = Annotated[Whole, Field(ge=0, le=80, description="Full years of clinical work.", examples=[8])]

_FILE = {
    "kind": "nurse", "name": "王海燕", "sex": "female", "title": "supervisor_nurse", "specialty": "伤口造口护理",
    "intro": "从事伤口造口护理八年，持有造口治疗师证书。", "licence_no": "201846010023",
    "licence_valid_until": "2029-06-30", "clinical_years": 8,
}  # fmt: skip


class ClinicianFileIn(In):
    """A clinician's file: what the operator verifies."""

    model_config = example(**_FILE)

    kind: ClinicianKind
    name: PersonName
    sex: Sex
    title: Title
    specialty: Line
    intro: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
    licence_no: CertificateNo
    licence_valid_until: date
    clinical_years: Years


class ClinicianIn(ClinicianFileIn):
    """A clinician to register: the phone number is what they will sign in with."""

    model_config = example(phone="13900139001", **_FILE)

    phone: Phone


class ClinicianOut(Out):
    """A clinician as patients see one."""

    id: ClinicianId
    hospital_id: HospitalId
    kind: ClinicianKind
    name: str
    title: Title
    title_name: str
    specialty: str
    intro: str

    @classmethod
    def of(cls, row: Clinician) -> ClinicianOut:
        return cls(
            id=row.id, hospital_id=row.hospital_id, kind=row.kind, name=row.name, title=row.title,
            title_name=TITLE_NAMES[row.title], specialty=row.specialty, intro=row.intro,
        )  # fmt: skip


class ClinicianFileOut(ClinicianOut):
    """A clinician's file as the desk, the operator and the clinician see it; the licence number is masked."""

    sex: Sex
    licence_no: str
    licence_valid_until: date
    clinical_years: int
    state: ClinicianState
    reason: str | None
    clauses: list[Clause]
    verified_at: Moment | None
    version: int
    created_at: Moment

    @classmethod
    def file(cls, row: Clinician, clauses: list[Clause]) -> ClinicianFileOut:
        return cls(
            **dict(ClinicianOut.of(row)), sex=row.sex, licence_no=_masked(row.licence_no),
            licence_valid_until=row.licence_valid_until, clinical_years=row.clinical_years, state=row.state,
            reason=row.reason, clauses=clauses, verified_at=row.verified_at, version=row.version,
            created_at=row.created_at,
        )  # fmt: skip


def _masked(number: str) -> str:
    return number[:2] + "*" * (len(number) - 4) + number[-2:]
