"""Giving, refusing and taking back consents: separate for each purpose, with proof, effective on the next request."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.domains.consents.conftest import Json, Person
from tests.scenes.accounts import sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.domains.consents import queries
from yiyuebao_api.domains.consents.models import Consent
from yiyuebao_api.domains.consents.rules import Purpose
from yiyuebao_api.kernel.ids import ConsentId, ConsentNoticeId, PatientId
from yiyuebao_api.kernel.schema import wire_time
from yiyuebao_api.kernel.tokens import Mode

HEALTH, TERMS = Purpose.SENSITIVE_HEALTH_DATA, Purpose.TERMS_AND_PRIVACY


async def _rows(context: Context) -> int:
    async with context.begin() as tx:
        return (await tx.scalar(select(func.count()).select_from(Consent))) or 0


async def test_nothing_is_agreed_to_beforehand(me: Person) -> None:
    standing = (await me.api.get("/v1/consents")).json()
    assert len(standing) == 4 + 4  # of the account; of the one patient (one's own card counts with both)
    assert not any(each["given"] or each["answer"] for each in standing)
    assert all(each["notice_id"] for each in standing)
    assert {each["patient_id"] for each in standing} == {None, str(me.patient.id)}


async def test_a_consent_stands_for_one_purpose_and_has_a_proof(me: Person) -> None:
    notice = await me.notice(HEALTH)
    given = await me.give(HEALTH)
    assert (given["purpose"], given["answer"], given["signer"]) == ("sensitive_health_data", "given", "representative")
    assert (given["notice_version"], given["sha256"]) == (1, notice["sha256"])
    assert await me.given() == {"sensitive_health_data"}
    proof = (await me.api.get(f"/v1/consents/{given['id']}/proof")).json()
    assert proof["hash_matches"] is True
    assert proof["consent"] == given
    assert proof["notice"]["text_zh"] == notice["text_zh"]
    assert (proof["account_id"], proof["device"]) == (str(me.account_id), "test")


async def test_the_same_answer_twice_is_one_row(me: Person, context: Context) -> None:
    assert await me.give(TERMS) == await me.give(TERMS)
    assert await _rows(context) == 1


async def test_taken_back_as_easily_as_given_and_at_once(me: Person, context: Context) -> None:
    await me.give(TERMS)
    given = await me.give(HEALTH)
    body = {"purpose": HEALTH.value, "patient_id": str(me.patient.id)}
    taken = await me.api.post("/v1/consents/withdraw", json=body)
    assert taken.status_code == 200, taken.text
    assert await me.given() == {"terms_and_privacy"}, "other purposes go on"
    async with context.begin() as tx:
        assert not await queries.has_consent(tx, me.account_id, me.patient.id, HEALTH)
        assert await queries.has_consent(tx, me.account_id, None, TERMS)
    assert (await me.api.post("/v1/consents/withdraw", json=body)).json() == taken.json(), "a double tap"
    ledger = (await me.api.get("/v1/consents/ledger")).json()["items"]
    assert [each["answer"] for each in ledger] == ["withdrawn", "given", "given"]
    assert given["id"] in {each["id"] for each in ledger}, "nothing is ever changed"
    await me.give(HEALTH)
    assert await me.given() == {"terms_and_privacy", "sensitive_health_data"}


async def test_who_refused_is_left_alone_for_a_week(me: Person) -> None:
    answer = await me.api.post("/v1/consents/refuse", json=await me.body(Purpose.MARKETING))
    assert answer.status_code == 201, answer.text
    marketing = next(each for each in (await me.api.get("/v1/consents")).json() if each["purpose"] == "marketing")
    assert (marketing["given"], marketing["answer"]) == (False, "refused")
    asked_at = datetime.fromisoformat(marketing["answered_at"])
    assert datetime.fromisoformat(marketing["ask_again_at"]) - asked_at == timedelta(days=7)
    refused(await me.api.post("/v1/consents/withdraw", json={"purpose": "marketing"}), 409, "nothing-to-withdraw")


async def test_nothing_to_take_back(me: Person, context: Context) -> None:
    refused(await me.api.post("/v1/consents/withdraw", json={"purpose": "location"}), 409, "nothing-to-withdraw")
    assert await _rows(context) == 0


async def test_for_a_child_its_guardian_signs_on_a_notice_of_its_own(mother: Person, context: Context) -> None:
    """RULE-12."""
    path = "/v1/consents"
    refused(await mother.api.post(path, json=await mother.body(HEALTH, as_guardian=True)), 422, "wrong-notice")
    refused(await mother.api.post(path, json=await mother.body(HEALTH, "child")), 422, "guardian-needed")
    assert await _rows(context) == 0
    answer = await mother.api.post(path, json=await mother.body(HEALTH, "child", as_guardian=True))
    assert (answer.status_code, answer.json()["signer"]) == (201, "guardian")


@pytest.mark.parametrize(
    ("purpose", "changed", "status", "code"),
    [
        (HEALTH, {"notice_id": str(ConsentNoticeId.new())}, 422, "notice-not-found"),
        (HEALTH, {"patient_id": None}, 422, "patient-needed"),
        (HEALTH, {"patient_id": str(PatientId.new())}, 404, "not-found"),
        (HEALTH, {"read_at": wire_time(datetime.now(UTC) + timedelta(hours=1))}, 422, "notice-not-read"),
        (HEALTH, {"read_at": wire_time(datetime.now(UTC) - timedelta(days=2))}, 422, "notice-not-read"),
        (TERMS, {"patient_id": "own"}, 422, "patient-not-asked"),
        (HEALTH, {"price": 1}, 422, "invalid-input"),
    ],
)
async def test_refusals_change_nothing(
    me: Person, context: Context, purpose: Purpose, changed: Json, status: int, code: str
) -> None:
    body = await me.body(purpose) | changed
    if body["patient_id"] == "own":
        body["patient_id"] = str(me.patient.id)
    for path in ("/v1/consents", "/v1/consents/refuse"):
        refused(await me.api.post(path, json=body), status, code)
    assert await _rows(context) == 0


async def test_withdrawing_names_whom_it_is_about(me: Person) -> None:
    path = "/v1/consents/withdraw"
    refused(await me.api.post(path, json={"purpose": HEALTH.value}), 422, "patient-needed")
    both: dict[str, Any] = {"purpose": TERMS.value, "patient_id": str(me.patient.id)}
    refused(await me.api.post(path, json=both), 422, "patient-not-asked")
    nobody = {"purpose": HEALTH.value, "patient_id": str(PatientId.new())}
    refused(await me.api.post(path, json=nobody), 404, "not-found")


async def test_nobody_signs_for_another_account_or_sees_its_proofs(me: Person, stranger: Person, api: Api) -> None:
    given = await me.give(HEALTH)
    theirs = await me.body(HEALTH)
    refused(await stranger.api.post("/v1/consents", json=theirs), 404, "not-found")
    refused(await stranger.api.get(f"/v1/consents/{given['id']}/proof"), 404, "not-found")
    refused(await me.api.get(f"/v1/consents/{ConsentId.new()}/proof"), 404, "not-found")
    assert (await stranger.api.get("/v1/consents/ledger")).json()["items"] == []
    for method, path in (("GET", "/v1/consents"), ("GET", "/v1/consents/ledger"), ("POST", "/v1/consents")):
        refused(await api.request(method, path, json=theirs if method == "POST" else None), 401, "unauthenticated")


async def test_giving_and_taking_back_at_once_leaves_one_order(me: Person, context: Context) -> None:
    """Twenty taps on a switch: every answer has its number, without a gap, and the newest stands."""
    await me.give(TERMS)
    body = await me.body(TERMS)
    taps = [
        me.api.post("/v1/consents", json=body) if number % 2 else me.api.post("/v1/consents/withdraw", json={"purpose": TERMS.value})
        for number in range(20)
    ]  # fmt: skip
    assert {answer.status_code for answer in await asyncio.gather(*taps)} <= {200, 201}
    async with context.begin() as tx:
        rows = (await tx.scalars(select(Consent).order_by(Consent.number))).all()
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert all(one.answer is not other.answer for one, other in itertools.pairwise(rows))
    assert ("terms_and_privacy" in await me.given()) is (rows[-1].answer.value == "given")


async def test_a_new_version_that_renews_asks_everybody_again(me: Person, api: Api, context: Context) -> None:
    operator = await sign_in(context.database, context.tokens, mode=Mode.OPERATOR)
    desk = api.signed_in(operator.access_token)
    old = await me.notice(TERMS)
    await me.give(TERMS)
    stale = await me.body(TERMS)
    new = {name: old[name] for name in ("purpose", "audience", "title_zh", "title_en", "text_zh", "text_en", "data_kinds")}
    path = "/v1/operator/consents/notices"
    second = await desk.post(path, json={**new, "text_zh": "文字校订", "renews": False})
    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert await me.given() == {"terms_and_privacy"}, "a better wording asks nobody again"
    refused(await me.api.post("/v1/consents", json=stale), 409, "notice-superseded")
    third = await desk.post(path, json={**new, "text_zh": "新增处理目的", "renews": True})
    assert third.json()["version"] == 3
    assert await me.given() == set()
    assert (await me.notice(TERMS))["version"] == 3
    assert (await me.api.get(f"/v1/consents/notices/{old['id']}")).json()["text_zh"] == old["text_zh"]
    await me.give(TERMS)
    assert await me.given() == {"terms_and_privacy"}
    versions = (await desk.get(path, params={"purpose": TERMS.value})).json()["items"]
    assert [each["version"] for each in versions] == [3, 2, 1]
    refused(await me.api.post(path, json={**new, "renews": True}), 403, "not-allowed")


async def test_operators_who_publish_at_once_get_versions_of_their_own(api: Api, context: Context, me: Person) -> None:
    operator = await sign_in(context.database, context.tokens, mode=Mode.OPERATOR)
    desk = api.signed_in(operator.access_token)
    body = {
        "purpose": "marketing", "title_zh": "一", "title_en": "one", "text_zh": "一", "text_en": "one",
        "data_kinds": ["手机号"], "renews": False,
    }  # fmt: skip
    answers = await asyncio.gather(*(desk.post("/v1/operator/consents/notices", json=body) for _ in range(6)))
    published = sorted(each.json()["version"] for each in answers if each.status_code == 201)
    assert published == list(range(2, 2 + len(published)))
    assert {each.status_code for each in answers} <= {201, 409}


async def test_no_such_notice(api: Api) -> None:
    refused(await api.get(f"/v1/consents/notices/{ConsentNoticeId.new()}"), 404, "not-found")
