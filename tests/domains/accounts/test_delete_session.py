"""Signing one device out acts on its next request."""

from __future__ import annotations

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import SessionId

URL = "/v1/accounts/sessions"


async def test_the_next_request_of_that_device_is_refused(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens)
    other = await sign_in(database, context.tokens, held.account_id)
    assert (await api.signed_in(held.access_token).delete(f"{URL}/{other.session_id}")).status_code == 204
    refused(await api.signed_in(other.access_token).get("/v1/accounts/me"), 401, "unauthenticated")
    token = {"refresh_token": other.refresh_token}
    refused(await api.post("/v1/accounts/tokens/refresh", json=token), 401, "refresh-token-invalid")
    assert (await api.signed_in(held.access_token).get("/v1/accounts/me")).status_code == 200
    # it is no longer there to be ended
    refused(await api.signed_in(held.access_token).delete(f"{URL}/{other.session_id}"), 404, "not-found")


async def test_ones_own_is_logging_out(api: Api, database: Database, context: Context) -> None:
    held = await sign_in(database, context.tokens)
    mine = api.signed_in(held.access_token)
    assert (await mine.delete(f"{URL}/{held.session_id}")).status_code == 204
    refused(await mine.delete(f"{URL}/{held.session_id}"), 401, "unauthenticated")


async def test_another_accounts_session_is_not_there(api: Api, database: Database, context: Context) -> None:
    held, stranger = await sign_in(database, context.tokens), await sign_in(database, context.tokens)
    mine = api.signed_in(held.access_token)
    foreign = refused(await mine.delete(f"{URL}/{stranger.session_id}"), 404, "not-found")
    missing = refused(await mine.delete(f"{URL}/{SessionId.new()}"), 404, "not-found")
    assert foreign | {"request_id": ""} == missing | {"request_id": ""}
    assert (await api.signed_in(stranger.access_token).get("/v1/accounts/me")).status_code == 200


async def test_wrong_callers_and_ids(api: Api, database: Database, context: Context) -> None:
    refused(await api.delete(f"{URL}/{SessionId.new()}"), 401, "unauthenticated")
    mine = api.signed_in((await sign_in(database, context.tokens)).access_token)
    for wrong in ("x", str(SessionId.new()).replace("ses_", "acc_"), "ses_" + "z" * 26):
        refused(await mine.delete(f"{URL}/{wrong}"), 422, "invalid-input")
