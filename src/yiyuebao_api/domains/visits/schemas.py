"""What goes over the wire around visits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from yiyuebao_api.domains.bookings.rules import ActorKind
from yiyuebao_api.domains.catalogue.rules import Place
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.rules import ClinicianKind, Title
from yiyuebao_api.domains.consents.rules import Signer
from yiyuebao_api.domains.visits.models import ShownAgreement, VisitSheet, VisitStep
from yiyuebao_api.domains.visits.rules import ArrivalReason, Blocker, Confirmer, Stage, Viewer, may_see_address
from yiyuebao_api.kernel.geo import CoordType, Point, to_gcj02
from yiyuebao_api.kernel.ids import BookingId, ClinicianId, FileId, HospitalId, PatientId, VisitId
from yiyuebao_api.kernel.schema import Day, In, Line, Moment, Out, Text, Whole, example, masked_name, masked_phone

#: What fits into the sealed column with room to spare.
_RECORD_BYTES = 60_000

Reason = Annotated[
    str, StringConstraints(min_length=2, max_length=200, pattern=r"^[^\x00-\x1f]*$"), Field(examples=["原人员临时请假"])
]


# ── what the desk sends ──────────────────────────────────────────────────────────────────────────────────────────────


class AssignIn(In):
    model_config = example(booking_id="bkg_01kj4y8x3hf7a9cq2v5b6n8m0t", clinician_id="cln_01kj4y8x3hf7a9cq2v5b6n8m0t")

    booking_id: BookingId
    clinician_id: ClinicianId


class ReassignIn(In):
    model_config = example(clinician_id="cln_01kj4y8x3hf7a9cq2v5b6n8m0t", reason="原人员临时请假")

    clinician_id: ClinicianId
    reason: Reason


class UnassignIn(In):
    model_config = example(reason="暂无可派人员，与患者另约时间")

    reason: Reason


# ── what the clinician sends ─────────────────────────────────────────────────────────────────────────────────────────


class StepIn(In):
    """Everything is optional: the server's clock is what counts."""

    model_config = example(client_time="2026-11-23T08:31:07+08:00")

    client_time: Moment | None = Field(None, description="The phone's clock when the button was pressed.")


class ArriveIn(StepIn):
    model_config = example(lat=20.0174, lng=110.3492, coord_type="gcj02", accuracy_m=15)

    lat: float = Field(ge=-90, le=90, examples=[20.0174])
    lng: float = Field(ge=-180, le=180, examples=[110.3492])
    coord_type: CoordType = CoordType.GCJ02
    accuracy_m: float | None = Field(None, ge=0, le=100_000, description="As the phone reports it, metres.")
    reason: ArrivalReason | None = Field(None, description="Needed more than 500 m from the address.")
    note: Reason | None = Field(None, description="The reason in words.")

    @model_validator(mode="after")
    def _is_in_china(self) -> Self:
        try:
            self.point()
        except ValueError:
            raise ValueError("位置不在中国境内，请检查经纬度是否颠倒") from None
        return self

    def point(self) -> Point:
        """GCJ-02. Raises ValueError outside the box of RULE-18."""
        return to_gcj02(self.lat, self.lng, self.coord_type)


class CheckInIn(StepIn):
    model_config = example(code="482915")

    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] = Field(
        description="What the patient's app shows.", examples=["482915"]
    )


class VitalSigns(In):
    """At least one of them; nobody takes the blood pressure of a newborn."""

    temperature_c: float | None = Field(None, ge=25, le=45, examples=[36.6])
    pulse_bpm: Whole | None = Field(None, ge=10, le=300, examples=[76])
    respiration_per_min: Whole | None = Field(None, ge=2, le=120, examples=[18])
    systolic_mmhg: Whole | None = Field(None, ge=30, le=300, examples=[132])
    diastolic_mmhg: Whole | None = Field(None, ge=20, le=200, examples=[84])
    spo2_percent: Whole | None = Field(None, ge=30, le=100, examples=[98])
    glucose_mmol_l: float | None = Field(None, ge=0.5, le=50, examples=[5.8])
    pain_score: Whole | None = Field(None, ge=0, le=10, examples=[2])

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("请至少填写一项生命体征")
        if (self.systolic_mmhg is None) != (self.diastolic_mmhg is None):
            raise ValueError("收缩压与舒张压需同时填写")
        if (self.systolic_mmhg or 0) <= (self.diastolic_mmhg or 0) and self.systolic_mmhg is not None:
            raise ValueError("收缩压应高于舒张压")
        return self


class Material(In):
    """Something that was used up."""

    name: Line = Field(examples=["一次性换药包"])
    quantity: Whole = Field(ge=1, le=999, examples=[1])
    batch_no: Line | None = Field(None, examples=["20260801"])


class Drug(In):
    """Something that was given, checked before (RULE-59)."""

    name: Line = Field(examples=["0.9% 氯化钠注射液"])
    dose: Line = Field(examples=["10 ml"])
    route: Line = Field(examples=["冲管"])
    batch_no: Line | None = None
    expires_on: Day | None = None


_RECORD: dict[str, Any] = {
    "vital_signs_before": {"temperature_c": 36.6, "pulse_bpm": 76, "systolic_mmhg": 132, "diastolic_mmhg": 84},
    "procedure": "清洁切口，更换敷料。",
    "observations": "切口干燥，无红肿渗液。",
    "materials": [{"name": "一次性换药包", "quantity": 1, "batch_no": "20260801"}],
    "advice": "保持干燥，三天后复查。",
}


class RefuseAgreementIn(StepIn):
    """What the patient's side said when it would not sign."""

    model_config = example(reason="家属认为风险过高，决定改到医院处理")

    reason: Reason


class NursingRecord(In):
    """What was found and done (RULE-59). The server stamps the times; the writer is whoever is signed in."""

    model_config = example(**_RECORD)

    vital_signs_before: VitalSigns
    vital_signs_after: VitalSigns | None = None
    procedure: Text = Field(examples=["清洁切口，更换敷料。"])
    observations: Text = Field(examples=["切口干燥，无红肿渗液。"])
    materials: list[Material] = Field(default_factory=list, max_length=50)
    drugs: list[Drug] = Field(default_factory=list, max_length=20)
    education: Text | None = Field(None, description="What the patient and the family were taught.")
    advice: Text = Field(examples=["保持干燥，三天后复查。"])

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(json.dumps(self.stored(), ensure_ascii=False).encode()) > _RECORD_BYTES:
            raise ValueError("护理记录过长，请精简后提交")
        return self

    def stored(self) -> dict[str, Any]:
        """As it is kept and shown."""
        return self.model_dump(mode="json")


class FinishIn(StepIn):
    model_config = example(record=_RECORD)

    record: NursingRecord


# ── what we send ─────────────────────────────────────────────────────────────────────────────────────────────────────


class SentClinicianOut(Out):
    """Who comes, as the patient may check at the door."""

    id: ClinicianId
    kind: ClinicianKind
    name: str = Field(examples=["王秀英"])
    title: Title
    licence_last4: str = Field(examples=["0417"])

    @classmethod
    def of(cls, row: Clinician) -> SentClinicianOut:
        return cls(id=row.id, kind=row.kind, name=row.name, title=row.title, licence_last4=row.licence_no[-4:])


class VisitedPatientOut(Out):
    """Who is visited; masked for whoever need not know."""

    id: PatientId
    name: str = Field(examples=["张*"])
    phone: str = Field(examples=["138****8000"])

    @classmethod
    def of(cls, patient_id: PatientId, contact: dict[str, Any], *, whole: bool) -> VisitedPatientOut:
        name, phone = str(contact["name"]), str(contact["phone"])
        if not whole:
            name, phone = masked_name(name), masked_phone(phone)
        return cls(id=patient_id, name=name, phone=phone)


class VisitAddressOut(Out):
    """Where to; beyond the district null for whoever need not know."""

    adcode: str = Field(examples=["460106"])
    district: str = Field(examples=["海南省海口市龙华区"])
    detail: str | None = Field(examples=["国贸路 1 号 2 栋 301"])
    recipient: str | None
    phone: str | None
    lat: float | None = Field(description="GCJ-02 degrees.")
    lng: float | None = Field(description="GCJ-02 degrees.")

    @classmethod
    def of(cls, address: dict[str, Any], *, whole: bool) -> VisitAddressOut:
        rest = ("detail", "recipient", "phone", "lat", "lng")
        return cls(
            adcode=address["adcode"], district=address["district"],
            **{name: address[name] if whole else None for name in rest},
        )  # fmt: skip


class VisitOut(Out):
    """A visit: the patient's side sees all, the clinician the address while needed, the desk the district."""

    id: VisitId
    booking_id: BookingId
    order_no: str
    hospital_id: HospitalId
    service_code: str = Field(examples=["N05"])
    service_name: str = Field(examples=["伤口换药"])
    place: Place
    starts_at: Moment
    ends_at: Moment
    stage: Stage
    clinician: SentClinicianOut
    patient: VisitedPatientOut
    address: VisitAddressOut | None = Field(description="Null at the hospital.")
    note: str | None = Field(description="What the patient wrote.")
    assigned_at: Moment
    departed_at: Moment | None
    arrived_at: Moment | None
    checked_in_at: Moment | None = Field(description="When the patient's code was typed.")
    started_at: Moment | None
    finished_at: Moment | None
    confirms_at: Moment | None = Field(description="When silence confirms it.")
    confirmed_at: Moment | None
    confirmed_by: Confirmer | None
    unsigned_at: Moment | None = Field(description="When the patient's side refused to sign at the door; it ended there.")
    cancelled_at: Moment | None
    distance_m: int | None = Field(description="From the address at arrival, metres.")
    arrival_reason: ArrivalReason | None = Field(description="Why it was more than 500 m.")
    version: int

    @classmethod
    def of(cls, sheet: VisitSheet, *, viewer: Viewer, now: datetime) -> VisitOut:
        return cls(**cls._facts(sheet, viewer, now))

    @staticmethod
    def _facts(sheet: VisitSheet, viewer: Viewer, now: datetime) -> dict[str, Any]:
        visit, booking = sheet.visit, sheet.booking
        whole = may_see_address(viewer, visit.stage, visit.finished_at, now)
        whole = whole and (sheet.granted or viewer is Viewer.PATIENT)
        return {
            "id": visit.id, "booking_id": visit.booking_id, "order_no": visit.order_no,
            "hospital_id": visit.hospital_id, "service_code": booking.service_code,
            "service_name": booking.service_name, "place": visit.place,
            "starts_at": visit.starts_at, "ends_at": visit.ends_at, "stage": visit.stage,
            "clinician": SentClinicianOut.of(sheet.clinician),
            "patient": VisitedPatientOut.of(visit.patient_id, booking.contact, whole=whole),
            "address": None if booking.address is None else VisitAddressOut.of(booking.address, whole=whole),
            "note": booking.note if whole else None,
            "assigned_at": visit.assigned_at, "departed_at": visit.departed_at, "arrived_at": visit.arrived_at,
            "checked_in_at": visit.checked_in_at, "started_at": visit.started_at, "finished_at": visit.finished_at,
            "confirms_at": visit.confirms_at, "confirmed_at": visit.confirmed_at, "confirmed_by": visit.confirmed_by,
            "unsigned_at": visit.unsigned_at, "cancelled_at": visit.cancelled_at,
            "distance_m": visit.distance_m, "arrival_reason": visit.arrival_reason, "version": visit.version,
        }  # fmt: skip


class VisitStepOut(Out):
    """One line of the history."""

    stage: Stage
    actor: ActorKind
    at: Moment
    client_time: Moment | None
    reason: str | None

    @classmethod
    def of(cls, row: VisitStep) -> VisitStepOut:
        return cls(stage=row.stage, actor=row.actor, at=row.at, client_time=row.client_time, reason=row.reason)


class VisitDetailOut(VisitOut):
    """A visit with its nursing record and its history, oldest first."""

    record: NursingRecord | None
    steps: list[VisitStepOut]

    @classmethod
    def of_all(cls, sheet: VisitSheet, steps: Sequence[VisitStep], *, viewer: Viewer, now: datetime) -> VisitDetailOut:
        record = sheet.visit.record
        return cls(
            **cls._facts(sheet, viewer, now),
            record=None if record is None else NursingRecord.model_validate(record),
            steps=[VisitStepOut.of(step) for step in steps],
        )


class CheckInCodeOut(Out):
    """What the patient shows or says when the clinician has come."""

    code: str = Field(examples=["482915"])
    valid_until: Moment


class CandidateOut(Out):
    """Somebody who might be sent, and why not."""

    clinician: SentClinicianOut
    free: bool
    blockers: list[Blocker] = Field(description="Empty when free.")
    on_duty: bool | None = Field(description="By the roster; null when no hours were entered.")
    visits_that_day: int
    knows_patient: bool = Field(description="Has visited this patient before.")


class CandidatesOut(Out):
    """Free ones first; then who is on duty, knows the patient, has fewer visits that day, has been there longest."""

    items: list[CandidateOut]


# ── what is agreed to ────────────────────────────────────────────────────────────────────────────────────────────────


class SectionOut(Out):
    """One part of the text."""

    title: str = Field(examples=["风险与注意"])
    words: str = Field(examples=["任何护理操作都可能出现不适或意外。"])


class AgreementOut(Out):
    """The consent to one service (知情同意书): to be read before it is signed, and afterwards as it was signed."""

    title: str = Field(examples=["糖尿病足筛查与护理知情同意书"])
    sections: list[SectionOut]
    sha256: str = Field(description="Of the text, in hexadecimal: what is signed.", examples=["9f86d081884c7d65" * 4])
    signature_needed: bool = Field(description="A picture of the signature is asked for.")
    served_at: Moment = Field(description="When this text was opened: `read_at` of the signature.")
    signer: Signer | None = Field(description="Null until it is signed.")
    signed_at: Moment | None

    @classmethod
    def of(cls, shown: ShownAgreement, now: datetime) -> Self:
        text, signed = shown.text, shown.signed
        return cls(
            title=text.title, sections=[SectionOut(title=title, words=words) for title, words in text.sections],
            sha256=text.sha256.hex(), signature_needed=text.signature_needed, served_at=now,
            signer=None if signed is None else signed.signer, signed_at=None if signed is None else signed.signed_at,
        )  # fmt: skip


class SignIn(In):
    """The signature under the text that was read."""

    model_config = example(sha256="9f86d081884c7d65" * 4, read_at="2026-11-25T09:00:00+08:00", as_guardian=False)

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    read_at: Moment
    as_guardian: bool = Field(default=False, description="For a patient under 14: signed as the guardian.")
    signature_file_id: FileId | None = Field(default=None, description="Uploaded with purpose `signature`.")
