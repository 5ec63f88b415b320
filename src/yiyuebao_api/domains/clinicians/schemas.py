"""What clinicians look like on the wire."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints

from yiyuebao_api.domains.clinicians.models import (
    Clinician,
    ClinicianKind,
    ClinicianState,
    Qualification,
    Sex,
    Title,
)
from yiyuebao_api.domains.clinicians.rules import (
    TITLE_NAMES,
    AdverseKind,
    Clause,
    Fault,
    Practice,
    QualificationKind,
    QualificationState,
    Reading,
    differences,
    read_certificate,
)
from yiyuebao_api.domains.files.schemas import FileLinkOut
from yiyuebao_api.kernel.ids import ClinicianId, FileId, HospitalId, QualificationId
from yiyuebao_api.kernel.schema import Day, In, Line, Moment, Out, Phone, Whole, example

PersonName = Annotated[
    str, StringConstraints(min_length=2, max_length=50, pattern=r"^[^\x00-\x1f0-9]*$"), Field(examples=["王海燕"])
]
CertificateNo = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{8,40}$"), Field(examples=["201846010023"])]
PaperNo = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z-]{6,40}$", to_upper=True), Field(examples=["201846010023"])
]
DecisionText = Annotated[str, StringConstraints(min_length=2, max_length=500, pattern=r"^[^\x00]*$")]
Lines = Annotated[
    list[Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]], Field(min_length=1, max_length=100)
]
GrantedCode = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9-]{1,19}$"), Field(examples=["N05"])]
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
    licence_checked_at: Moment | None
    practice: Practice | None
    e_reg_checked_on: date | None
    e_reg_source: str | None
    title_checked_at: Moment | None
    training_passed_on: date | None
    liability_until: date | None
    malpractice_until: date | None
    accident_until: date | None
    item_codes: list[str] = Field(description="Items they may be sent for (RULE-46).")
    version: int
    created_at: Moment

    @classmethod
    def file(cls, row: Clinician, clauses: list[Clause]) -> ClinicianFileOut:
        return cls(
            **dict(ClinicianOut.of(row)), sex=row.sex, licence_no=_masked(row.licence_no),
            licence_valid_until=row.licence_valid_until, clinical_years=row.clinical_years, state=row.state,
            reason=row.reason, clauses=clauses, verified_at=row.verified_at,
            licence_checked_at=row.licence_checked_at, practice=row.practice, e_reg_checked_on=row.e_reg_checked_on,
            e_reg_source=row.e_reg_source, title_checked_at=row.title_checked_at,
            training_passed_on=row.training_passed_on, liability_until=row.liability_until,
            malpractice_until=row.malpractice_until, accident_until=row.accident_until, item_codes=row.item_codes,
            version=row.version, created_at=row.created_at,
        )  # fmt: skip


def _masked(number: str) -> str:
    return number[:2] + "*" * (len(number) - 4) + number[-2:]


class ReadinessIn(In):
    """What the hospital has trained and insured; null where it has not (RULE-27)."""

    model_config = example(
        training_passed_on="2026-03-01", liability_until="2027-12-31", malpractice_until="2027-12-31",
        accident_until="2027-12-31",
    )  # fmt: skip

    training_passed_on: Day | None
    liability_until: Day | None
    malpractice_until: Day | None
    accident_until: Day | None


class GrantedItemsIn(In):
    """What somebody is able to do, in their hospital's judgement: codes of items (RULE-46)."""

    model_config = example(item_codes=["N05", "N06"])

    item_codes: list[GrantedCode] = Field(max_length=200)


class AdverseRecordIn(In):
    """What was found against a person; it ends their work at every hospital here (RULE-28)."""

    model_config = example(kind="licence_revoked", reason="卫生行政部门吊销护士执业证书。", happened_on="2026-11-20")

    kind: AdverseKind
    reason: DecisionText
    happened_on: Day


# ── certificates ─────────────────────────────────────────────────────────────────────────────────────────────────────

_PAPER = {
    "holder_name": "王海燕", "number": "201846010023", "issued_on": "2018-05-04", "valid_until": "2030-06-30",
    "title": None, "practice_place": "海口市人民医院", "photo_ids": ["fil_01kj4y8x3hf7a9cq2v5b6n8m0t"],
}  # fmt: skip


class RecognisedIn(In):
    """Lines of text recognised on a photographed certificate."""

    model_config = example(kind="nurse_licence", lines=["姓 名：王海燕", "护士执业证书编号：201846010023"])

    kind: QualificationKind
    lines: Lines


class PhotoIn(In):
    """A photograph of a certificate, uploaded for `licence`."""

    model_config = example(kind="nurse_licence", file_id="fil_01kj4y8x3hf7a9cq2v5b6n8m0t")

    kind: QualificationKind
    file_id: FileId


class ReadingOut(Out):
    """What was found in the lines; the person confirms or corrects it."""

    holder_name: str | None
    number: str | None
    issued_on: date | None
    valid_until: date | None
    title: Title | None
    practice_place: str | None

    @classmethod
    def of(cls, reading: Reading) -> ReadingOut:
        return cls.model_validate(reading)


class QualificationFieldsIn(In):
    """What a certificate says, confirmed by its holder."""

    model_config = example(**_PAPER)

    holder_name: PersonName
    number: PaperNo
    issued_on: date | None = None
    valid_until: Day | None = None
    title: Title | None = None
    practice_place: Line | None = None
    photo_ids: Annotated[list[FileId], Field(max_length=4)] = Field(
        default_factory=list, description="Its photographs, uploaded for `licence`; at least one to submit it."
    )


class QualificationIn(QualificationFieldsIn):
    """A certificate to begin, for one of the caller's own files."""

    model_config = example(clinician_id="cln_01kj4y8x3hf7a9cq2v5b6n8m0t", kind="nurse_licence", **_PAPER)

    clinician_id: ClinicianId
    kind: QualificationKind


class QualificationApprovalIn(In):
    """What the reviewer found in the register; a licence needs the first, a nurse's licence all three."""

    model_config = example(practice="registered", e_reg_checked_on="2026-11-23", e_reg_source="全国护士电子注册系统")

    practice: Practice | None = None
    e_reg_checked_on: Day | None = None
    e_reg_source: Line | None = None


class QualificationRejectionIn(In):
    """Why a certificate is sent back: the clause, and words that help its holder."""

    model_config = example(fault="unreadable", reason="照片反光，编号看不清，请重新拍摄。")

    fault: Fault
    reason: DecisionText


class QualificationOut(Out):
    """A certificate as its holder and the reviewer see it."""

    id: QualificationId
    clinician_id: ClinicianId
    kind: QualificationKind
    state: QualificationState
    holder_name: str
    number: str
    issued_on: date | None
    valid_until: date | None
    title: Title | None
    practice_place: str | None
    photo_ids: list[FileId]
    fault: Fault | None
    reason: str | None
    submitted_at: Moment | None
    decided_at: Moment | None
    version: int
    created_at: Moment

    @classmethod
    def of(cls, row: Qualification) -> QualificationOut:
        return cls.model_validate(row)


class QualificationFileOut(QualificationOut):
    """A certificate with its photographs, and what a machine read of them after it was submitted."""

    photos: list[FileLinkOut] = Field(description="Links of five minutes, in the order of `photo_ids`.")
    read: ReadingOut | None = Field(description="Null: not read, not yet or not readable.")
    differences: list[str] = Field(description="Fields in which the holder's words are not what was read.")

    @classmethod
    def file(cls, row: Qualification, photos: list[FileLinkOut]) -> QualificationFileOut:
        lines = (row.recognised or {}).get("lines")
        reading = read_certificate(row.kind, lines) if lines else None
        return cls(
            **QualificationOut.of(row).model_dump(), photos=photos,
            read=None if reading is None else ReadingOut.of(reading),
            differences=[] if reading is None else differences(reading, row),
        )  # fmt: skip
