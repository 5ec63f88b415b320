"""A consultation from the path, for one of the two who take part, or 404."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from yiyuebao_api.domains.accounts.guards import Clinician, Member, Patient
from yiyuebao_api.domains.consultations import queries
from yiyuebao_api.domains.consultations.models import Consultation
from yiyuebao_api.domains.consultations.rules import SenderRole
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import AccountId, ConsultationId
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.tokens import Mode


@dataclass(frozen=True, slots=True)
class Party:
    """A consultation, and which of the two looks at it."""

    consultation: Consultation
    account_id: AccountId
    role: SenderRole

    @property
    def other(self) -> AccountId:
        """The other one's account."""
        patient, clinician = self.consultation.accounts
        return clinician if self.role is SenderRole.PATIENT else patient


async def access_own_consultation(caller: Patient, consultation_id: ConsultationId, tx: Tx) -> Consultation:
    """One that the caller asked for."""
    return await queries.require_own(tx, caller.account_id, consultation_id)


async def access_served_consultation(caller: Clinician, consultation_id: ConsultationId, tx: Tx) -> Consultation:
    """A paid one that the caller answers, for the hospital they are signed in for."""
    return await queries.require_served(tx, caller.account_id, caller.hospital_id, consultation_id)


async def access_party(caller: Member, consultation_id: ConsultationId, tx: Tx) -> Party:
    """Either of the two, in the mode they take part in; nobody else finds it here (RULE-84)."""
    if caller.mode is Mode.PATIENT:
        found = await queries.require_own(tx, caller.account_id, consultation_id)
        return Party(found, caller.account_id, SenderRole.PATIENT)
    if caller.mode is Mode.CLINICIAN and caller.hospital_id is not None:
        found = await queries.require_served(tx, caller.account_id, caller.hospital_id, consultation_id)
        return Party(found, caller.account_id, SenderRole.CLINICIAN)
    raise NotFound


OwnConsultation = Annotated[Consultation, Depends(access_own_consultation)]
ServedConsultation = Annotated[Consultation, Depends(access_served_consultation)]
AsParty = Annotated[Party, Depends(access_party)]
