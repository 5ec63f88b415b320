"""The operator's queues: longest waiting first, with a deadline; one colleague at a time on each item (O05)."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from tests.client import Api, refused
from tests.scenes.accounts import make_staff, sign_in
from tests.scenes.clinicians import make_clinician
from tests.scenes.hospitals import make_hospital
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.rules import ClinicianState
from yiyuebao_api.domains.operations.rules import CLAIMED_FOR
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.tokens import Mode
from yiyuebao_api.settings import Settings

QUEUES = "/v1/operator/operations/queues"
ITEMS = f"{QUEUES}/items"
NURSES = {"kind": "clinician"}


async def operator(api: Api, context: Context, login: str = "operator-1", mode: Mode = Mode.OPERATOR) -> Api:
    staff = await make_staff(context.database, login, mode=mode)
    return api.signed_in((await sign_in(context.database, context.tokens, staff.id, mode=mode)).access_token)


@pytest.fixture
async def waiting(context: Context) -> list[str]:
    """Three nurses whose files wait, the first for three days."""
    hospital, now = await make_hospital(context.database), clock.now()
    made = []
    for days in (3, 1, 0):
        nurse = await make_clinician(
            context.database, hospital.id, state=ClinicianState.SUBMITTED, created_at=now - timedelta(days=days)
        )
        made.append(str(nurse.id))
    return made


async def test_what_waits_longest_comes_first_with_its_deadline(api: Api, context: Context, waiting: list[str]) -> None:
    someone = await operator(api, context)
    seen = {each["kind"]: each for each in (await someone.get(QUEUES)).json()}
    assert (seen["clinician"]["waiting"], seen["clinician"]["overdue"]) == (3, 1)
    assert (seen["dead_letter"]["waiting"], seen["dead_letter"]["oldest_since"]) == (0, None)
    listed, cursor = [], None
    while True:
        params = {"limit": 1, **({"cursor": cursor} if cursor else {})}
        page = (await someone.get(f"{QUEUES}/items", params={"kind": "clinician", **params})).json()
        listed += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [each["subject"] for each in listed] == waiting
    assert [each["overdue"] for each in listed] == [True, False, False]
    assert listed[0]["decided_at"] == f"/v1/operator/clinicians/{waiting[0]}"
    assert all(each["claimed_until"] is None for each in listed)


async def test_one_of_many_gets_it_and_gives_it_back(api: Api, context: Context, waiting: list[str]) -> None:
    people = [await operator(api, context, f"operator-{n}") for n in range(8)]
    path = f"{ITEMS}/{waiting[0]}"
    answers = await asyncio.gather(*(each.post(f"{path}/claim") for each in people))
    assert Counter(each.status_code for each in answers) == {200: 1, 409: 7}
    assert {each.json()["code"] for each in answers if each.status_code == 409} == {"claimed-by-another"}
    mine = people[[each.status_code for each in answers].index(200)]
    other = next(each for each in people if each is not mine)
    assert (await mine.post(f"{path}/claim")).status_code == 200, "a double tap"
    refused(await other.post(f"{path}/release"), 404, "not-found")  # what is another's stays theirs
    refused(await other.post(f"{path}/claim"), 409, "claimed-by-another")
    item = (await mine.get(ITEMS, params=NURSES)).json()["items"][0]
    assert item["claimed_by_me"]
    assert not (await other.get(ITEMS, params=NURSES)).json()["items"][0]["claimed_by_me"]
    assert (await mine.post(f"{path}/release")).status_code == 204
    assert (await other.post(f"{path}/claim")).status_code == 200


async def test_who_went_home_keeps_nobody_waiting(
    api: Api, context: Context, waiting: list[str], settings: Settings
) -> None:
    first, second = await operator(api, context, "early"), await operator(api, context, "late")
    path = f"{ITEMS}/{waiting[1]}/claim"
    assert (await first.post(path)).status_code == 200
    assert settings.clock_file is not None
    settings.clock_file.write_text(str(CLAIMED_FOR.total_seconds() + 1))
    clock.use_file(settings.clock_file)
    second = await operator(api, context, "later")
    assert (await second.post(path)).status_code == 200


async def test_what_does_not_wait_cannot_be_taken(api: Api, context: Context, waiting: list[str]) -> None:
    someone = await operator(api, context)
    assert (await someone.post(f"/v1/operator/clinicians/{waiting[0]}/reject", json={"reason": "照片不清"})).status_code == 200
    refused(await someone.post(f"{ITEMS}/{waiting[0]}/claim"), 404, "not-found")
    refused(await someone.post(f"{ITEMS}/{waiting[0]}/release"), 404, "not-found")
    refused(await someone.post(f"{ITEMS}/{'cln_' + 'u' * 26}/claim"), 404, "not-found")
    refused(await someone.post(f"{ITEMS}/nonsense/claim"), 422, "invalid-input")
    refused(await someone.get(ITEMS, params={"kind": "nothing"}), 422, "invalid-input")


async def test_only_operators(api: Api, context: Context, waiting: list[str]) -> None:
    auditor = await operator(api, context, "auditor-1", Mode.AUDITOR)
    refused(await auditor.get(QUEUES), 403, "not-allowed")
    refused(await auditor.get(ITEMS, params=NURSES), 403, "not-allowed")
    refused(await auditor.post(f"{ITEMS}/{waiting[0]}/claim"), 403, "not-allowed")
    refused(await api.get(QUEUES), 401, "unauthenticated")
