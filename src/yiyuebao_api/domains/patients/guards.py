"""Whose patient, whose address: fetched and authorised from the path, or 404."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from yiyuebao_api.domains.accounts.guards import Patient as PatientCaller
from yiyuebao_api.domains.patients import queries
from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import AddressId, PatientId


async def access_patient(caller: PatientCaller, patient_id: PatientId, tx: Tx) -> Patient:
    """Raises NotFound."""
    return await queries.require_patient(tx, caller.account_id, patient_id)


async def access_address(caller: PatientCaller, address_id: AddressId, tx: Tx) -> Address:
    """Raises NotFound."""
    return await queries.require_address(tx, caller.account_id, address_id)


OwnPatient = Annotated[Patient, Depends(access_patient)]
OwnAddress = Annotated[Address, Depends(access_address)]
