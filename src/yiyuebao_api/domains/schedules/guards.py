"""Who may touch which pool: a desk its own hospital's, and nobody learns of others."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from yiyuebao_api.domains.accounts.guards import HospitalDesk
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.clinicians.queries import lock_clinician, require_clinician_of
from yiyuebao_api.domains.schedules import queries
from yiyuebao_api.domains.schedules.models import Leave, Pool
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.ids import ClinicianId, LeaveId, PoolId


async def access_pool(pool_id: PoolId, caller: HospitalDesk, tx: Tx) -> Pool:
    """The desk's own pool, to be read. Raises NotFound."""
    return await queries.require_pool(tx, caller.hospital_id, pool_id)


async def access_pool_to_edit(pool_id: PoolId, caller: HospitalDesk, tx: Tx) -> Pool:
    """The desk's own pool, locked. Raises NotFound."""
    return await queries.lock_pool(tx, caller.hospital_id, pool_id)


async def access_staff(clinician_id: ClinicianId, caller: HospitalDesk, tx: Tx) -> Clinician:
    """The desk's own staff, to be read. Raises NotFound."""
    return await require_clinician_of(tx, caller.hospital_id, clinician_id)


async def access_staff_to_edit(clinician_id: ClinicianId, caller: HospitalDesk, tx: Tx) -> Clinician:
    """The desk's own staff, locked. Raises NotFound."""
    await require_clinician_of(tx, caller.hospital_id, clinician_id)
    return await lock_clinician(tx, clinician_id)


async def access_leave(leave_id: LeaveId, caller: HospitalDesk, tx: Tx) -> Leave:
    """A leave the desk entered. Raises NotFound."""
    return await queries.require_leave(tx, caller.hospital_id, leave_id)


OwnPool = Annotated[Pool, Depends(access_pool)]
EditedPool = Annotated[Pool, Depends(access_pool_to_edit)]
OwnStaff = Annotated[Clinician, Depends(access_staff)]
EditedStaff = Annotated[Clinician, Depends(access_staff_to_edit)]
OwnLeave = Annotated[Leave, Depends(access_leave)]
