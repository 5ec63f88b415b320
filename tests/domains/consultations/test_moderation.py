"""Reports, blocks and the operator's queue: seen without a mark, decided once, hidden and never lost (RULE-82, 86)."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.scenes.consultations import make_consultation, make_pair, row_of, say, spoken
from tests.scenes.files import document, uploaded
from tests.scenes.hospitals import as_desk, as_operator
from yiyuebao_api.context import Context
from yiyuebao_api.domains.consultations.models import Mark, Message
from yiyuebao_api.domains.consultations.rules import ConsultState
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.ids import ConsultationFlagId, ConsultationId, MessageId


async def marks(context: Context) -> list[Mark]:
    async with context.begin() as tx:
        return list((await tx.scalars(select(Mark))).all())


async def test_the_operator_reads_without_a_mark_and_hides_what_is_upheld(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    path = f"/v1/consultations/{talk.id}"
    await spoken(pair.asking, str(talk.id), "您好")
    bad = await spoken(pair.answering, str(talk.id), "加我微信 abc123456，私下转账便宜")
    reported = {"about": "fraud", "words": "要我私下付款", "message_id": bad["message_id"]}
    assert (await pair.asking.post(f"{path}/reports", json=reported)).status_code == 204
    operator = await as_operator(api, context.database)
    flags = (await operator.get("/v1/operator/consultations/flags")).json()["items"]
    assert [(each["kind"], each["rule"], each["seq"]) for each in flags] == [
        ("report", "fraud", 2), ("contact", "contact-words", 2),
    ]  # fmt: skip
    log = (await operator.get(f"/v1/operator/consultations/{talk.id}/messages")).json()
    assert [each["body"]["text"] for each in log["items"]] == ["您好", "加我微信 abc123456，私下转账便宜"]
    assert await marks(context) == []
    async with context.begin() as tx:
        (look,) = (await tx.scalars(select(AuditEntry).where(AuditEntry.action == "consultations.review"))).all()
    assert (look.subject, look.basis) == (str(talk.id), "moderation")
    decide = f"/v1/operator/consultations/flags/{flags[0]['id']}/decide"
    answers = await asyncio.gather(
        *(operator.post(decide, json={"uphold": True, "decision": "索要私下付款"}) for _ in range(5))
    )
    assert sorted(each.status_code for each in answers) == [200, 409, 409, 409, 409]
    other = f"/v1/operator/consultations/flags/{flags[1]['id']}/decide"
    assert (await operator.post(other, json={"uphold": True, "decision": "同上"})).json()["state"] == "upheld"
    seen = (await pair.asking.get(f"{path}/messages")).json()
    assert [(each["seq"], each["kind"], each["hidden"]) for each in seen["items"]] == [
        (1, "text", False), (2, "text", True), (3, "recall", False),
    ]  # fmt: skip
    assert seen["items"][1]["body"] == {}
    kept = (await operator.get(f"/v1/operator/consultations/{talk.id}/messages")).json()["items"][1]
    assert kept["body"]["text"].startswith("加我微信")
    assert (await operator.get("/v1/operator/consultations/flags")).json()["items"] == []


async def test_a_flag_is_dismissed_without_a_trace_in_the_talk(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    await spoken(pair.asking, str(talk.id), "我的电话 13800138000")
    operator = await as_operator(api, context.database)
    (flag,) = (await operator.get("/v1/operator/consultations/flags")).json()["items"]
    path = f"/v1/operator/consultations/flags/{flag['id']}/decide"
    assert (await operator.post(path, json={"uphold": False, "decision": "患者自己的号码"})).status_code == 200
    assert refused(await operator.post(path, json={"uphold": True, "decision": "x"}), 409, "flag-already-decided")
    (only,) = (await pair.asking.get(f"/v1/consultations/{talk.id}/messages")).json()["items"]
    assert only["hidden"] is False
    dismissed = (await operator.get("/v1/operator/consultations/flags", params={"state": "dismissed"})).json()["items"]
    assert [each["id"] for each in dismissed] == [flag["id"]]
    nothing = f"/v1/operator/consultations/flags/{ConsultationFlagId.new()}/decide"
    assert refused(await operator.post(nothing, json={"uphold": True, "decision": "x"}), 404, "not-found")


async def test_only_the_operator_reviews_and_only_the_two_report(api: Api, context: Context) -> None:
    pair, other = await make_pair(api, context), await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    await spoken(pair.asking, str(talk.id))
    desk = await as_desk(api, context.database, pair.hospital.id)
    for who in (pair.asking, pair.answering, desk):
        assert refused(await who.get(f"/v1/operator/consultations/{talk.id}/messages"), 403, "not-allowed")
    path = f"/v1/consultations/{talk.id}/reports"
    assert refused(await other.asking.post(path, json={"about": "abuse"}), 404, "not-found")
    foreign = {"about": "abuse", "message_id": str(MessageId.new())}
    assert refused(await pair.asking.post(path, json=foreign), 404, "not-found")
    operator = await as_operator(api, context.database)
    assert (await operator.get("/v1/operator/consultations/flags")).json()["items"] == []
    missing = f"/v1/operator/consultations/{ConsultationId.new()}/messages"
    assert refused(await operator.get(missing), 404, "not-found")


async def test_a_complaint_that_is_repeated_fills_no_queue(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    path = f"/v1/consultations/{talk.id}/reports"
    answers = await asyncio.gather(*(pair.asking.post(path, json={"about": "abuse"}) for _ in range(10)))
    assert {each.status_code for each in answers} == {204}
    assert (await pair.asking.post(path, json={"about": "fraud"})).status_code == 204
    assert (await pair.answering.post(path, json={"about": "abuse"})).status_code == 204
    operator = await as_operator(api, context.database)
    flags = (await operator.get("/v1/operator/consultations/flags")).json()["items"]
    assert sorted(each["rule"] for each in flags) == ["abuse", "abuse", "fraud"]


async def test_a_block_holds_until_whoever_made_it_takes_it_back(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, state=ConsultState.ACTIVE)
    path = f"/v1/consultations/{talk.id}"
    for _ in range(2):
        assert (await pair.asking.post(f"{path}/block")).status_code == 204
    said: dict[str, Any] = {"client_msg_id": "m", "kind": "text", "body": {"text": "?"}}
    for who in (pair.asking, pair.answering):
        assert refused(await who.post(f"{path}/messages", json=said), 409, "pair-blocked")
    assert (await pair.answering.post(f"{path}/unblock")).status_code == 204  # the other's stays
    assert refused(await pair.answering.post(f"{path}/messages", json=said), 409, "pair-blocked")
    assert (await pair.asking.post(f"{path}/unblock")).status_code == 204
    assert (await pair.answering.post(f"{path}/messages", json=said)).status_code == 200


async def test_the_same_log_over_http_with_marks_recall_and_a_checksum(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    path = f"/v1/consultations/{talk.id}"
    said = {"client_msg_id": "m-1", "kind": "text", "body": {"text": "早上 150/95"}}
    first, again = [await pair.asking.post(f"{path}/messages", json=said) for _ in range(2)]
    assert first.json() == again.json()
    await say(context, talk, pair.answerer, "收到")  # as the socket does
    wrong = {**said, "client_msg_id": "m-2", "body": {"words": "?"}}
    assert refused(await pair.asking.post(f"{path}/messages", json=wrong), 422, "message-malformed")
    log = (await pair.answering.get(f"{path}/messages", params={"after_seq": 0, "limit": 1})).json()
    assert [each["seq"] for each in log["items"]] == [1]
    assert log["last_seq"] == 2
    moved = await pair.answering.put(f"{path}/marks", json={"device_id": "pad", "delivered_seq": 2, "read_seq": 1})
    assert (moved.json()["delivered_seq"], moved.json()["read_seq"]) == (2, 1)
    (mark,) = (await pair.asking.get(f"{path}/marks")).json()
    assert (mark["reader"], mark["device_id"], mark["read_seq"]) == ("clinician", "pad", 1)
    assert (await pair.answering.get(path)).json()["read_seq"] == 1
    recalled = await pair.asking.post(f"{path}/messages/{first.json()['message_id']}/recall")
    assert (recalled.json()["seq"], recalled.json()["body"]["seq"]) == (3, 1)
    theirs = await pair.answering.post(f"{path}/messages/{first.json()['message_id']}/recall")
    assert refused(theirs, 404, "not-found")
    shown = (await pair.answering.get(f"{path}/messages")).json()["items"]
    assert [(each["hidden"], each["body"].get("text")) for each in shown[:2]] == [(True, None), (False, "收到")]
    own = hashlib.sha256("".join(f"{each['seq']} {each['message_id']}\n" for each in shown).encode()).hexdigest()
    assert (await pair.asking.get(f"{path}/checksum")).json() == {"seq": 3, "sha256": own}
    partly = (await pair.answering.get(f"{path}/checksum", params={"seq": 2})).json()
    assert partly["sha256"] != own
    async with context.begin() as tx:
        original = await tx.get_one(Message, (talk.id, 1))
    assert original.body["text"] == "早上 150/95"


async def test_a_picture_goes_to_the_two_and_to_nobody_else(api: Api, context: Context) -> None:
    pair, other = await make_pair(api, context), await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    path = f"/v1/consultations/{talk.id}/messages"
    mine = await uploaded(context, pair.asker, Purpose.CONSULTATION_IMAGE)
    theirs = await uploaded(context, other.asker, Purpose.CONSULTATION_IMAGE)
    proof = await uploaded(context, pair.asker, Purpose.DISEASE_PROOF)

    def image(number: str, file: File) -> dict[str, Any]:
        return {"client_msg_id": number, "kind": "image", "body": {"file_id": str(file.id)}}

    for number, file in (("1", theirs), ("2", proof)):
        assert refused(await pair.asking.post(path, json=image(number, file)), 422, "file-not-found")
    assert (await row_of(context.database, talk.id)).last_seq == 0
    sent = await pair.asking.post(path, json=image("3", mine))
    assert sent.status_code == 200, sent.text
    paper = await uploaded(context, pair.answerer, Purpose.CONSULTATION_FILE, document())
    body = {"client_msg_id": "4", "kind": "file", "body": {"file_id": str(paper.id), "name": "饮食建议.pdf"}}
    assert (await pair.answering.post(path, json=body)).status_code == 200
    first, second = (await pair.answering.get(path)).json()["items"]
    assert (first["kind"], second["kind"], second["file"]["thumbnail"]) == ("image", "file", None)
    for link in (first["file"]["link"], first["file"]["thumbnail"], second["file"]["link"]):
        assert (await api.get(link["url"])).status_code == 200
    fresh = f"{path}/{first['message_id']}/file"
    assert (await pair.answering.get(fresh)).json()["file_id"] == str(mine.id)
    assert refused(await other.asking.get(fresh), 404, "not-found")
    async with context.begin() as tx:
        assert (await tx.get_one(File, mine.id)).kept
        assert not (await tx.get_one(File, proof.id)).kept
    assert (await pair.asking.post(f"{path}/{first['message_id']}/recall")).status_code == 200
    assert refused(await pair.answering.get(fresh), 404, "not-found")
    hidden = (await pair.answering.get(path)).json()["items"][0]
    assert (hidden["body"], hidden["file"]) == ({}, None)


async def test_a_refused_picture_is_not_kept(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair, state=ConsultState.ENDED)
    file = await uploaded(context, pair.asker, Purpose.CONSULTATION_IMAGE)
    body = {"client_msg_id": "1", "kind": "image", "body": {"file_id": str(file.id)}}
    answer = await pair.asking.post(f"/v1/consultations/{talk.id}/messages", json=body)
    assert refused(answer, 409, "consultation-state-refused")
    async with context.begin() as tx:
        assert not (await tx.get_one(File, file.id)).kept


async def test_the_desk_sees_what_it_earns_and_not_a_word(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    await spoken(pair.asking, str(talk.id), "只说给医生听")
    desk = await as_desk(api, context.database, pair.hospital.id)
    listed = await desk.get("/v1/hospital/consultations")
    (only,) = listed.json()["items"]
    assert (only["id"], only["patient_name"], only["price_fen"]) == (str(talk.id), "陈**", 3000)
    assert "只说给医生听" not in listed.text
    assert "血压" not in listed.text
    assert (await row_of(context.database, talk.id)).last_seq == 1


@pytest.mark.parametrize("verb", ["leave", "wait", "block", "decline", "close", "accept", "terminate"])
async def test_nobody_else_moves_it(api: Api, context: Context, verb: str) -> None:
    pair, other = await make_pair(api, context), await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    bodies: dict[str, Any] = {
        "decline": {"reason": "x"}, "terminate": {"reason": "x"}, "accept": {"meets_follow_up": True},
        "close": {"complaint": "a", "findings": "b", "advice": "c", "follow_up": "d"},
    }  # fmt: skip
    who = other.answering if verb in bodies else other.asking
    answer = await who.post(f"/v1/consultations/{talk.id}/{verb}", json=bodies.get(verb))
    assert refused(answer, 404, "not-found")
    assert (await row_of(context.database, talk.id)).state is ConsultState.WAITING
