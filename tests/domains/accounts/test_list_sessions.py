"""The list of signed-in devices: one's own, living ones, page by page."""

from __future__ import annotations

from datetime import timedelta

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.tokens import Mode

URL = "/v1/accounts/sessions"


async def test_ones_own_newest_first_page_by_page(api: Api, database: Database, context: Context) -> None:
    first = await sign_in(database, context.tokens)
    others = [await sign_in(database, context.tokens, first.account_id) for _ in range(4)]
    await sign_in(database, context.tokens)  # somebody else
    mine = api.signed_in(first.access_token)
    seen, cursor = [], None
    while True:
        got = (await mine.get(URL, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += got["items"]
        if (cursor := got["next_cursor"]) is None:
            break
    expected = [str(each.session_id) for each in [*reversed(others), first]]
    assert [each["id"] for each in seen] == expected
    assert [each["current"] for each in seen] == [False] * 4 + [True]


async def test_what_has_ended_is_not_listed(api: Api, database: Database, context: Context) -> None:
    staff = await sign_in(database, context.tokens, mode=Mode.DESK)
    clock.move(timedelta(minutes=31))
    held = await sign_in(database, context.tokens, staff.account_id)
    gone = await sign_in(database, context.tokens, staff.account_id)
    mine = api.signed_in(held.access_token)
    assert (await mine.delete(f"{URL}/{gone.session_id}")).status_code == 204
    assert [each["id"] for each in (await mine.get(URL)).json()["items"]] == [str(held.session_id)]


async def test_wrong_callers_and_cursors(api: Api, database: Database, context: Context) -> None:
    refused(await api.get(URL), 401, "unauthenticated")
    mine = api.signed_in((await sign_in(database, context.tokens)).access_token)
    refused(await mine.get(URL, params={"cursor": "AAAA"}), 422, "invalid-cursor")
    refused(await mine.get(URL, params={"limit": 101}), 422, "invalid-input")
