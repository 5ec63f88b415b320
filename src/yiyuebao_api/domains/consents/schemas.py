"""Notices and consents on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from yiyuebao_api.domains.consents.models import Consent, ConsentNotice
from yiyuebao_api.domains.consents.rules import Answer, Audience, Method, NoticeText, Purpose, Signer, Standing
from yiyuebao_api.kernel.ids import AccountId, ConsentId, ConsentNoticeId, PatientId, SessionId
from yiyuebao_api.kernel.schema import In, Line, Moment, Out, example

_NOTICE, _PATIENT = "cnn_01kj4y8x3hf7a9cq2v5b6n8m0t", "pat_01kj4y8x3hf7a9cq2v5b6n8m0t"
_Body = Annotated[str, StringConstraints(min_length=1, max_length=12_000, pattern=r"^[^\x00]*$")]
_Sha256 = Field(description="SHA-256, hex.", examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])


class ConsentNoticeIn(In):
    """A new version of a notice; it replaces the one before for everybody who has not answered yet."""

    model_config = example(
        purpose="marketing", audience="general", title_zh="营销信息接收同意书", title_en="Consent: marketing messages",
        text_zh="1. 处理者：……", text_en="1. Who: …", data_kinds=["手机号"], renews=True,
    )  # fmt: skip

    purpose: Purpose
    audience: Audience = Audience.GENERAL
    title_zh: Line
    title_en: Line
    text_zh: _Body
    text_en: _Body
    data_kinds: Annotated[list[Line], Field(min_length=1, max_length=30)]
    renews: bool = Field(description="Purpose, data or receivers changed: everybody must be asked again (RULE-145).")

    @property
    def text(self) -> NoticeText:
        return NoticeText(
            self.purpose, self.audience, self.title_zh, self.title_en, self.text_zh, self.text_en, self.data_kinds
        )


class ConsentNoticeOut(Out):
    """What is told. Show it whole; send `served_at` back as `read_at` with the answer."""

    id: ConsentNoticeId
    purpose: Purpose
    audience: Audience
    version: int
    renews: bool
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str
    data_kinds: list[str]
    sha256: str = _Sha256
    published_at: Moment
    served_at: Moment = Field(description="Our clock when this was served; a phone's own may be wrong.")

    @classmethod
    def of(cls, row: ConsentNotice, now: datetime) -> Self:
        return cls(
            id=row.id, purpose=row.purpose, audience=row.audience, version=row.version, renews=row.renews,
            title_zh=row.title_zh, title_en=row.title_en, text_zh=row.text_zh, text_en=row.text_en,
            data_kinds=row.data_kinds, sha256=row.sha256.hex(), published_at=row.published_at, served_at=now,
        )  # fmt: skip


class AnswerIn(In):
    model_config = example(
        notice_id=_NOTICE, patient_id=_PATIENT, read_at="2026-11-23T09:00:00+08:00", method="tap", as_guardian=False
    )

    notice_id: ConsentNoticeId
    patient_id: PatientId | None = Field(None, description="For purposes that concern one patient.")
    read_at: Moment = Field(description="The `served_at` of the notice as it was shown.")
    method: Method = Method.TAP
    as_guardian: bool = Field(False, description="I am parent or guardian of this patient under 14.")


class WithdrawIn(In):
    model_config = example(purpose="share_with_hospital", patient_id=_PATIENT)

    purpose: Purpose
    patient_id: PatientId | None = None
    method: Method = Method.TAP


class ConsentOut(Out):
    """One row of the ledger."""

    id: ConsentId
    purpose: Purpose
    patient_id: PatientId | None
    answer: Answer
    notice_id: ConsentNoticeId
    notice_version: int
    sha256: str = _Sha256
    read_at: Moment
    answered_at: Moment
    signer: Signer
    method: Method

    @classmethod
    def of(cls, row: Consent) -> Self:
        return cls(
            id=row.id, purpose=row.purpose, patient_id=row.patient_id, answer=row.answer, notice_id=row.notice_id,
            notice_version=row.notice_version, sha256=row.sha256.hex(), read_at=row.read_at,
            answered_at=row.answered_at, signer=row.signer, method=row.method,
        )  # fmt: skip


class ProofOut(Out):
    """Machine-readable proof of one answer: hash `notice` as canonical JSON and compare."""

    consent: ConsentOut
    account_id: AccountId = Field(description="Who answered.")
    session_id: SessionId
    device: str
    notice: ConsentNoticeOut
    hash_matches: bool = Field(description="The stored text still has the hash that was signed.")

    @classmethod
    def of(cls, row: Consent, notice: ConsentNotice, now: datetime) -> Self:
        return cls(
            consent=ConsentOut.of(row), account_id=row.account_id, session_id=row.session_id, device=row.device,
            notice=ConsentNoticeOut.of(notice, now), hash_matches=notice.shown.sha256(row.notice_version) == row.sha256,
        )  # fmt: skip


class StandingOut(Out):
    """One switch of the page "privacy": a purpose, whom it concerns, and whether consent stands."""

    purpose: Purpose
    patient_id: PatientId | None
    given: bool
    answer: Answer | None = Field(description="The newest answer; `given` can be outdated by a newer notice.")
    notice_version: int | None = Field(description="The version that was answered.")
    answered_at: Moment | None
    ask_again_at: Moment | None = Field(description="Do not ask on your own before (RULE-145).")
    notice_id: ConsentNoticeId | None = Field(description="What to show.")

    @classmethod
    def of(
        cls, purpose: Purpose, patient_id: PatientId | None, standing: Standing | None, notice: ConsentNotice | None
    ) -> Self:
        return cls(
            purpose=purpose, patient_id=patient_id, given=standing is not None and standing.given,
            answer=standing and standing.answer, notice_version=standing and standing.version,
            answered_at=standing and standing.answered_at, ask_again_at=standing and standing.ask_again_at,
            notice_id=notice and notice.id,
        )  # fmt: skip
