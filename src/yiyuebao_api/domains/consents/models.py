"""Rows of consents: what was told, and what was answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BINARY, JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.consents.rules import Answer, Audience, Method, NoticeText, Purpose, Signer
from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import AccountId, ConsentId, ConsentNoticeId, PatientId, SessionId


class ConsentNotice(Model):
    """Consent notices: one published version of what is told for one purpose; never changed (RULE-145)."""

    __tablename__ = "consent_notice"
    __table_args__ = (UniqueConstraint("purpose", "audience", "version"),)

    id: Mapped[ConsentNoticeId] = mapped_column(primary_key=True, comment="UUIDv7")
    purpose: Mapped[Purpose] = mapped_column(comment="what it is for")
    audience: Mapped[Audience] = mapped_column(comment="general, or child: for guardians of patients under 14")
    version: Mapped[int] = mapped_column(comment="counts from 1 for each purpose and audience")
    renews: Mapped[bool] = mapped_column(comment="consent to earlier versions counts no longer")
    title_zh: Mapped[str] = mapped_column(String(100), comment="headline in Chinese")
    title_en: Mapped[str] = mapped_column(String(200), comment="headline in English")
    text_zh: Mapped[str] = mapped_column(Text, comment="the notice in Chinese, as shown")
    text_en: Mapped[str] = mapped_column(Text, comment="the notice in English, as shown")
    data_kinds: Mapped[list[str]] = mapped_column(JSON, comment="kinds of personal data it is about")
    sha256: Mapped[bytes] = mapped_column(BINARY(32), comment="over everything that is shown, and the version")
    published_at: Mapped[datetime] = mapped_column(comment="from when it is shown")
    published_by: Mapped[AccountId | None] = mapped_column(comment="the operator; null for what we come with")

    @property
    def shown(self) -> NoticeText:
        """What the hash is taken over."""
        return NoticeText(
            self.purpose, self.audience, self.title_zh, self.title_en, self.text_zh, self.text_en, self.data_kinds
        )


class Consent(Model):
    """Consents: one row for each answer, only ever appended; the newest of a purpose stands (RULE-143)."""

    __tablename__ = "consent"
    __table_args__ = (UniqueConstraint("subject", "purpose", "number"), Index(None, "account_id", "id"))

    id: Mapped[ConsentId] = mapped_column(primary_key=True, comment="UUIDv7")
    subject: Mapped[bytes] = mapped_column(BINARY(16), comment="whom it is about: the patient's id, or the account's")
    purpose: Mapped[Purpose] = mapped_column(comment="what it is for")
    number: Mapped[int] = mapped_column(comment="counts the answers of this subject and purpose from 1")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="who answered")
    patient_id: Mapped[PatientId | None] = mapped_column(comment="the patient it is about; null for the account")
    answer: Mapped[Answer] = mapped_column(comment="given, refused, withdrawn")
    notice_id: Mapped[ConsentNoticeId] = mapped_column(ForeignKey("consent_notice.id"), comment="what was shown")
    audience: Mapped[Audience] = mapped_column(comment="of that notice")
    notice_version: Mapped[int] = mapped_column(comment="of that notice")
    sha256: Mapped[bytes] = mapped_column(BINARY(32), comment="of that notice")
    read_at: Mapped[datetime] = mapped_column(comment="when it was shown")
    answered_at: Mapped[datetime] = mapped_column(comment="when it was answered")
    signer: Mapped[Signer] = mapped_column(comment="what who answered is to whom it is about (RULE-12)")
    session_id: Mapped[SessionId] = mapped_column(comment="from which sign-in")
    device: Mapped[str] = mapped_column(String(60), comment="that session's device, as it called itself")
    method: Mapped[Method] = mapped_column(comment="tap, signature, desk")
