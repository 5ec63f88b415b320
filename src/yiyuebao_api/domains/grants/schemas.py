"""Grants and looks on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import Field

from yiyuebao_api.domains.grants.models import Grant
from yiyuebao_api.domains.grants.rules import DEEDS, OTHER_DEED, Basis, GranteeKind, Scope, is_open
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.ids import AccountId, AuditId, ClinicianId, GrantId, HospitalId, PatientId
from yiyuebao_api.kernel.schema import Moment, Out, masked_name
from yiyuebao_api.kernel.tokens import Mode


class GrantOut(Out):
    """Who may see whose data, by what right, until when."""

    id: GrantId
    patient_id: PatientId
    grantee_kind: GranteeKind
    grantee_name: str = Field(description="The hospital, or the clinician masked.", examples=["海口市第一人民医院"])
    hospital_name: str = Field(description="Where the grantee works.", examples=["海口市第一人民医院"])
    basis: Basis
    scope: Scope
    subject: str = Field(description="What it comes from.", examples=["bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"])
    from_at: Moment
    until_at: Moment | None = Field(description="Null while it is needed.")
    revoked_at: Moment | None
    open: bool = Field(description="Whether the grantee may look now.")

    @classmethod
    def of(
        cls, grant: Grant, hospitals: Mapping[HospitalId, str], clinicians: Mapping[ClinicianId, tuple[str, HospitalId]],
        now: datetime,
    ) -> Self:  # fmt: skip
        if grant.grantee_kind is GranteeKind.CLINICIAN:
            name, hospital_id = clinicians[ClinicianId.parse(grant.grantee)]
            name, hospital = masked_name(name), hospitals[hospital_id]
        else:
            name = hospital = hospitals[HospitalId.parse(grant.grantee)]
        return cls(
            id=grant.id, patient_id=grant.patient_id, grantee_kind=grant.grantee_kind, grantee_name=name,
            hospital_name=hospital, basis=grant.basis, scope=grant.scope, subject=grant.subject, from_at=grant.from_at,
            until_at=grant.until_at, revoked_at=grant.revoked_at,
            open=is_open(grant.from_at, grant.until_at, grant.revoked_at, now),
        )  # fmt: skip


class LookOut(Out):
    """Somebody saw or changed this patient's data."""

    id: AuditId
    at: Moment
    role: Mode | None = Field(description="As what they were signed in; null for the service itself.")
    hospital_name: str | None = Field(description="For which hospital they acted; null for the platform.")
    name: str | None = Field(description="Masked; null where no name is kept.", examples=["王**"])
    action: str = Field(examples=["visits.read"])
    deed: str = Field(description="The action in words.", examples=["查看服务任务"])
    basis: str = Field(examples=["booking"])
    subject: str = Field(description="What they looked at.", examples=["vst_01kj4y8x3hf7a9cq2v5b6n8m0t"])

    @classmethod
    def of(
        cls, entry: AuditEntry, hospitals: Mapping[HospitalId, str], staff: Mapping[tuple[AccountId, HospitalId], str]
    ) -> Self:
        name = None
        if entry.actor_id is not None and entry.hospital_id is not None:
            name = staff.get((entry.actor_id, entry.hospital_id))
        return cls(
            id=entry.id, at=entry.at, role=entry.mode,
            hospital_name=hospitals.get(entry.hospital_id) if entry.hospital_id is not None else None,
            name=None if name is None else masked_name(name), action=entry.action,
            deed=DEEDS.get(entry.action, OTHER_DEED), basis=entry.basis, subject=entry.subject,
        )  # fmt: skip
