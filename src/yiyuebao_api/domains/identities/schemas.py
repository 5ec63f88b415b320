"""Identities on the wire."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints

from yiyuebao_api.domains.files.schemas import FileLinkOut
from yiyuebao_api.domains.identities.models import Identity
from yiyuebao_api.domains.identities.rules import Doubt, IdentityState
from yiyuebao_api.gateways.identity_ocr import CardRisk, CardSide, IdCardReading
from yiyuebao_api.kernel.ids import FileId, IdentityId, PatientId
from yiyuebao_api.kernel.schema import In, Moment, Out, example

DECIDED_WITHIN = timedelta(days=1)


class IdentityIn(In):
    """Both sides of the patient's ID card, uploaded with purpose `id_card`."""

    model_config = example(
        patient_id="pat_01kj4y8x3hf7a9cq2v5b6n8m0t", front_file_id="fil_01kj4y8x3hf7a9cq2v5b6n8m0t",
        back_file_id="fil_01kj4y8x3hf7a9cq2v5b6n8m0v",
    )  # fmt: skip

    patient_id: PatientId
    front_file_id: FileId = Field(description="The side with the person.")
    back_file_id: FileId = Field(description="The side with the validity.")


class CardIn(In):
    """A photograph of one side, uploaded with purpose `id_card`."""

    model_config = example(file_id="fil_01kj4y8x3hf7a9cq2v5b6n8m0t", side="front")

    file_id: FileId
    side: CardSide


class CardReadingOut(Out):
    """What was read of one side, to fill in a form; the person confirms or corrects it."""

    name: str | None = Field(examples=["王秀英"])
    sex: str | None = Field(description="As printed.", examples=["女"])
    nation: str | None = Field(examples=["汉"])
    birth_date: date | None
    address: str | None = Field(examples=["海南省海口市龙华区学院路3号"])
    number: str | None = Field(examples=["11010519491231002X"])
    issuer: str | None = Field(examples=[None])
    valid_from: date | None
    valid_to: date | None
    long_term: bool = Field(description="Valid without end.")
    risks: list[CardRisk] = Field(description="Why a person will look twice.")

    @classmethod
    def of(cls, reading: IdCardReading) -> Self:
        held = {each.name: getattr(reading, each.name) for each in fields(reading)}
        return cls(**{name: held[name] for name in cls.model_fields} | {"risks": sorted(reading.risks)})


class RejectionIn(In):
    """Why, in words the owner reads."""

    model_config = example(reason="照片模糊，请在光线充足处重新拍摄。")

    reason: Annotated[str, StringConstraints(min_length=2, max_length=500, pattern=r"^[^\x00]*$")]


class IdentityOut(Out):
    """A submission and where it stands; no pictures and no numbers."""

    id: IdentityId
    patient_id: PatientId
    state: IdentityState
    doubts: list[Doubt] = Field(description="What the person who decides will look at twice.")
    reason: str | None = Field(description="Why it was rejected.", examples=[None])
    created_at: Moment
    decide_until: Moment = Field(description="When it should be decided.")
    decided_at: Moment | None

    @classmethod
    def of(cls, identity: Identity) -> Self:
        return cls(**_common(identity))


class IdentityFileOut(IdentityOut):
    """The whole submission, for its owner and the operator; links live for five minutes (RULE-08)."""

    name: str = Field(examples=["王秀英"])
    id_no: str = Field(examples=["11010519491231002X"])
    reading: dict[str, Any] | None = Field(description="What was read of the card; null when nothing was.")
    front: FileLinkOut
    back: FileLinkOut

    @classmethod
    def file(cls, identity: Identity, front: FileLinkOut, back: FileLinkOut) -> Self:
        return cls(
            name=identity.name, id_no=identity.id_no, reading=identity.reading, front=front, back=back, **_common(identity)
        )


def _common(identity: Identity) -> dict[str, Any]:
    until: datetime = identity.created_at + DECIDED_WITHIN
    return {
        "id": identity.id, "patient_id": identity.patient_id, "state": identity.state, "doubts": identity.doubts,
        "reason": identity.reason, "created_at": identity.created_at, "decide_until": until,
        "decided_at": identity.decided_at,
    }  # fmt: skip
