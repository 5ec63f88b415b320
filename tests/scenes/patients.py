"""Scenes of patients: people and addresses that exist."""

from __future__ import annotations

from datetime import date

from tests.scenes.consents import agree, publish
from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.domains.patients.rules import RealName, Relation, Sex
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.kernel.ids import AccountId, AddressId, PatientId
from yiyuebao_api.kernel.secrets import blind

HAIKOU = Point(20.0310, 110.3285)


async def make_patient(
    database: Database, account_id: AccountId, *, name: str = "陈秀英", relation: Relation = Relation.PARENT,
    sex: Sex = Sex.FEMALE, birth_date: date = date(1958, 3, 2), phone: str = "+8613800138000", verified: bool = True,
    agreed: bool = True,
) -> Patient:  # fmt: skip
    """Somebody the account cares for, and to whose care it has consented."""
    now = clock.now()
    patient = Patient(
        id=PatientId.new(), account_id=account_id, relation=relation, name=name,
        name_index=blind("patients.name", name), phone=phone, phone_index=blind("patients.phone", phone), sex=sex,
        birth_date=birth_date, id_no=None, id_index=None,
        real_name=RealName.VERIFIED if verified else RealName.UNVERIFIED, verified_at=now if verified else None,
        version=1, created_at=now, deleted_at=None,
    )  # fmt: skip
    if agreed:
        await publish(database)
    async with database.begin() as tx:
        tx.add(patient)
        await tx.flush()
        if agreed:
            await agree(tx, account_id, patient.id)
    return patient


async def make_address(
    database: Database, account_id: AccountId, *, point: Point = HAIKOU, adcode: str = "460106",
    district: str = "海南省海口市龙华区", detail: str = "滨海大道 1 号 2 栋 301", phone: str = "+8613800138000",
) -> Address:  # fmt: skip
    """Somewhere a visit may go; by default in the middle of Haikou's Longhua district."""
    address = Address(
        id=AddressId.new(), account_id=account_id, recipient="陈秀英", phone=phone,
        phone_index=blind("addresses.phone", phone), adcode=adcode, district=district, detail=detail, precise=True,
        version=1, created_at=clock.now(), deleted_at=None,
    )  # fmt: skip
    address.point = point
    async with database.begin() as tx:
        tx.add(address)
    return address
