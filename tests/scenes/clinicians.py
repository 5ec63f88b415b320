"""Nurses and doctors, in one line each."""

from __future__ import annotations

from datetime import date
from itertools import count
from typing import Any

from tests.scenes.hospitals import LONG_AGO
from yiyuebao_api.domains.accounts.service import ensure_account, grant_role
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind, ClinicianState, Sex, Title
from yiyuebao_api.domains.clinicians.rules import Practice
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import ClinicianId, HospitalId
from yiyuebao_api.kernel.tokens import Mode
from yiyuebao_api.seed.items import ITEMS

_numbers = count(1)


#: Checked, registered here, trained and insured, and granted every item.
PROVEN: dict[str, Any] = {
    "identity_checked_at": LONG_AGO, "licence_checked_at": LONG_AGO, "practice": Practice.REGISTERED, "e_reg_checked_on": LONG_AGO.date(),
    "e_reg_source": "全国护士电子注册系统", "title_checked_at": LONG_AGO, "training_passed_on": LONG_AGO.date(),
    "liability_until": date(2030, 12, 31), "malpractice_until": date(2030, 12, 31), "accident_until": date(2030, 12, 31),
    "item_codes": sorted({each.code for each in ITEMS}),
}  # fmt: skip


def new_phone() -> str:
    """E.164, of nobody yet."""
    return f"+86139{next(_numbers):08d}"


async def make_clinician(
    database: Database, hospital_id: HospitalId, *, phone: str | None = None, **changes: Any
) -> Clinician:
    """A verified nurse with the clinician role at that hospital; `kind=ClinicianKind.DOCTOR` gives a doctor."""
    kind = changes.get("kind", ClinicianKind.NURSE)
    nurse = kind is ClinicianKind.NURSE
    values: dict[str, Any] = {
        **PROVEN,
        "id": ClinicianId.new(), "hospital_id": hospital_id, "kind": kind, "name": "王海燕" if nurse else "陈明",
        "sex": Sex.FEMALE, "title": Title.SUPERVISOR_NURSE if nurse else Title.ATTENDING_DOCTOR,
        "specialty": "伤口造口护理" if nurse else "内分泌科", "intro": "从业多年。", "licence_no": "201846010023",
        "licence_valid_until": date(2030, 12, 31), "clinical_years": 8, "state": ClinicianState.VERIFIED,
        "reason": None, "verified_at": clock.now(), "version": 1, "created_at": LONG_AGO, **changes,
    }  # fmt: skip
    async with database.begin() as tx:
        account = await ensure_account(tx, phone or new_phone(), now=LONG_AGO)
        clinician = Clinician(account_id=account.id, **values)
        tx.add(clinician)
        if clinician.state is ClinicianState.VERIFIED:
            await grant_role(tx, account.id, Mode.CLINICIAN, hospital_id=hospital_id, now=LONG_AGO)
    return clinician


async def prove(database: Database, clinician: Clinician, **changes: Any) -> None:
    """As if every certificate had been approved, and the hospital had trained and insured them."""
    async with database.begin() as tx:
        row = await tx.get_one(Clinician, clinician.id)
        for name, value in {**PROVEN, **changes}.items():
            setattr(row, name, value)
