"""Hospitals with sites and desks, in one line each."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from tests.client import Api
from tests.scenes.accounts import sign_in
from yiyuebao_api.domains.hospitals.models import DeskMember, Hospital, HospitalLevel, HospitalState, Site
from yiyuebao_api.domains.hospitals.rules import org_code_check_letter, uscc_check_letter
from yiyuebao_api.domains.hospitals.service import add_desk_member
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import HospitalId, SiteId
from yiyuebao_api.kernel.tokens import Mode

#: Before every moment that a test names.
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
#: 海口市龙华区, GCJ-02.
HAIKOU = (20.0230, 110.3200)
_numbers = count(1)


def make_uscc(number: int, adcode: str = "460106") -> str:
    """A code whose check letters are right, different for every number."""
    organisation = f"{number:08d}"
    first = "12" + adcode + organisation + org_code_check_letter(organisation)
    return first + uscc_check_letter(first)


async def make_hospital(database: Database, **changes: Any) -> Hospital:
    """An open hospital that visits homes, with a merchant of its own, without sites."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "id": HospitalId.new(), "name": f"海口第{number}人民医院", "level": HospitalLevel.TERTIARY_A,
        "intro": "综合医院。", "phone": "0898-66220120", "opening": "周一至周日 08:00-17:30", "departments": ["骨科"],
        "state": HospitalState.OPEN, "uscc": make_uscc(number), "licence_no": f"{number:08d}1460106120A1001",
        "licence_valid_until": date(2030, 12, 31), "licence_checked_at": LONG_AGO, "home_mode": True,
        "sub_mchid": f"{1900100000 + number}", "sub_appid": None, "version": 1, "created_at": LONG_AGO, **changes,
    }  # fmt: skip
    hospital = Hospital(**values)
    async with database.begin() as tx:
        tx.add(hospital)
    return hospital


async def make_site(database: Database, hospital_id: HospitalId | None = None, **changes: Any) -> Site:
    """A site in Haikou that serves 15 km around; of a new open hospital unless one is named."""
    owner = hospital_id or (await make_hospital(database)).id
    values: dict[str, Any] = {
        "id": SiteId.new(), "hospital_id": owner, "name": "龙华院区", "adcode": "460106",
        "address": "海口市龙华区金盘路 18 号", "lat": HAIKOU[0], "lng": HAIKOU[1], "radius_m": 15_000, "adcodes": [],
        "open_for_home": True, "version": 1, "created_at": LONG_AGO, **changes,
    }  # fmt: skip
    site = Site(**values)
    async with database.begin() as tx:
        tx.add(site)
    return site


async def make_desk_member(
    database: Database, hospital_id: HospitalId, *, login: str | None = None, now: datetime = LONG_AGO
) -> DeskMember:
    """Somebody with the desk role; nobody knows the password."""
    async with database.begin() as tx:
        return await add_desk_member(
            tx, hospital_id, login=login or f"desk{next(_numbers)}", name="李主任", password_hash="!", totp_secret=None,
            now=now,
        )  # fmt: skip


async def as_desk(api: Api, database: Database, hospital_id: HospitalId) -> Api:
    """The service as called from that hospital's desk."""
    signed = await sign_in(database, api.app.state.tokens, mode=Mode.DESK, hospital_id=hospital_id)
    return api.signed_in(signed.access_token)


async def as_operator(api: Api, database: Database) -> Api:
    """The service as called by the platform's operator."""
    return api.signed_in((await sign_in(database, api.app.state.tokens, mode=Mode.OPERATOR)).access_token)


async def as_patient(api: Api, database: Database) -> Api:
    """The service as called by somebody who is only a patient."""
    return api.signed_in((await sign_in(database, api.app.state.tokens)).access_token)
