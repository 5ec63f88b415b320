"""Signing out everywhere ends every device of the account and no other."""

from __future__ import annotations

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.kernel.database import Database

URL = "/v1/accounts/sessions"


async def test_everywhere(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens)
    others = [await sign_in(database, context.tokens, held.account_id) for _ in range(2)]
    stranger = await sign_in(database, context.tokens)
    assert (await api.signed_in(held.access_token).delete(URL)).status_code == 204
    for each in [held, *others]:
        refused(await api.signed_in(each.access_token).get("/v1/accounts/me"), 401, "unauthenticated")
        token = {"refresh_token": each.refresh_token}
        refused(await api.post("/v1/accounts/tokens/refresh", json=token), 401, "refresh-token-invalid")
    assert (await api.signed_in(stranger.access_token).get("/v1/accounts/me")).status_code == 200


async def test_wrong_callers(api: Api) -> None:
    refused(await api.delete(URL), 401, "unauthenticated")
