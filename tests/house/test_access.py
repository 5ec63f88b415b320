"""Who may call what, asked of the running service: every operation by everybody."""

from __future__ import annotations

import pytest

from tests.client import Api
from tests.house.calls import call_of
from tests.scenes.accounts import sign_in
from yiyuebao_api import api as contents
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.tokens import Mode

NOBODY = "nobody"


@pytest.mark.parametrize("caller", [NOBODY, *(mode.value for mode in Mode)])
async def test_everybody_at_every_door(api: Api, database: Database, caller: str) -> None:
    """The accident: a route's guard was moved to its router, the router was split, and one half had no guard."""
    here = api if caller == NOBODY else await _signed_in(api, database, Mode(caller))
    wrong = []
    for operation in contents.operations():
        call = call_of(api.app, operation.method, operation.path)
        if caller != NOBODY and operation.path.startswith("/v1/accounts/"):
            here = await _signed_in(api, database, Mode(caller))  # the one before may have signed out
        answer = await here.request(
            call.method, call.url, params=call.query, headers=dict(call.headers), json=call.body
        )
        status = answer.status_code
        if "anyone" in operation.callers:
            # Signing in with an invented code or token is refused as such.
            fine = status < 500 and status != 403 and (status != 401 or operation.name in SIGNING_IN)
        elif caller == NOBODY:
            fine = (status, answer.json()["code"]) == (401, "unauthenticated")
        elif caller in operation.callers or "member" in operation.callers:
            fine = status < 500 and (status < 400 or answer.json()["code"] not in ("unauthenticated", "not-allowed"))
        else:
            fine = (status, answer.json()["code"]) == (403, "not-allowed")
        if not fine:
            wrong.append(f"{caller}: {operation.method} {operation.path} → {status} {answer.text[:200]}")
    assert wrong == []


async def _signed_in(api: Api, database: Database, mode: Mode) -> Api:
    return api.signed_in((await sign_in(database, api.app.state.tokens, mode=mode)).access_token)


SIGNING_IN = {
    operation.name
    for operation in contents.operations()
    if operation.path.startswith("/v1/accounts/") and "anyone" in operation.callers
} | {"take_wechat_notification"}


def test_the_matrix_is_not_empty() -> None:
    """The accident: the loop above ran over an empty list for a year, green."""
    operations = contents.operations()
    assert len(operations) > 100
    asked = {caller for operation in operations for caller in operation.callers}
    assert {"anyone", "member", "patient", "clinician", "desk", "operator"} <= asked


async def test_a_token_that_ended_opens_nothing(api: Api, database: Database) -> None:
    """The accident: signing out ended the refresh token only; the stolen phone stayed signed in for a quarter of an hour."""
    wrong = []
    for mode in Mode:
        here = await _signed_in(api, database, mode)
        assert (await here.delete("/v1/accounts/sessions")).status_code == 204
        for operation in contents.operations():
            if {mode.value, "member"} & set(operation.callers):
                call = call_of(api.app, operation.method, operation.path)
                answer = await here.request(
                    call.method, call.url, params=call.query, headers=dict(call.headers), json=call.body
                )
                if answer.status_code != 401:
                    wrong.append(f"{mode}: {operation.method} {operation.path} → {answer.status_code}")
    assert wrong == []
