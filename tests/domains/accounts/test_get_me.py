"""Who is signed in, as what."""

from __future__ import annotations

import pytest

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import HospitalId
from yiyuebao_api.kernel.tokens import Mode

URL = "/v1/accounts/me"


@pytest.mark.parametrize("mode", list(Mode))
async def test_in_every_mode(api: Api, database: Database, context: Context, mode: Mode) -> None:
    hospital = HospitalId.new() if mode in (Mode.CLINICIAN, Mode.DESK) else None
    held = await sign_in(database, context.tokens, mode=mode, hospital_id=hospital)
    body = (await api.signed_in(held.access_token).get(URL)).json()
    assert (body["account_id"], body["mode"]) == (str(held.account_id), mode.value)
    assert body["hospital_id"] == (str(hospital) if hospital else None)
    assert body["wechat_bound"] is False
    roles = [] if mode is Mode.PATIENT else [{"mode": mode.value, "hospital_id": body["hospital_id"]}]
    assert body["roles"] == roles


async def test_wrong_callers(api: Api) -> None:
    refused(await api.get(URL), 401, "unauthenticated")
