"""A hospital's consultations for a regulator: asked for by an operator, packed by a job, every look noted (RULE-83)."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import secrets
import zipfile
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, inspect, select, text

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.consultations import Pair, make_consultation, make_pair, make_pilot, offer, paid, say, spoken
from tests.scenes.files import uploaded
from tests.scenes.hospitals import as_desk, as_operator, as_patient, make_hospital
from tests.scenes.privacy import do_jobs
from yiyuebao_api import wiring
from yiyuebao_api.context import Context
from yiyuebao_api.domains.consultations import queries, service
from yiyuebao_api.domains.consultations.models import (
    Consultation,
    Message,
    RegulatorExport,
    RegulatorExportPart,
    Summary,
)
from yiyuebao_api.domains.consultations.problems import ExportWindowRefused
from yiyuebao_api.domains.consultations.rules import (
    EXPORT_KEPT_FOR,
    EXPORT_PREFIX,
    MAX_EXPORTED,
    ConsultKind,
    ConsultState,
    ExportScope,
    RegulatorExportState,
    check_export_window,
    fields_of,
)
from yiyuebao_api.domains.consultations.service.exports import AT_ONCE, PART
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.domains.files.service import ATTEMPT_LIFE
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.ids import ConsultationId, RegulatorExportId, new_number
from yiyuebao_api.kernel.outbox import Again, OutboxJob
from yiyuebao_api.kernel.tokens import Mode

EXPORTS = "/v1/operator/consultations/exports"


def wish(pair: Pair, **changes: Any) -> dict[str, Any]:
    """The letter of an authority that wants to know of today."""
    today = service.day_of(clock.now()).isoformat()
    return {
        "hospital_id": str(pair.hospital.id), "scope": "acts", "first_day": today, "last_day": today,
        "authority": "海南省卫生健康委员会", "document_no": "琼卫监函〔2026〕31号", **changes,
    }  # fmt: skip


async def ask(who: Api, body: dict[str, Any]) -> httpx.Response:
    return await who.post(EXPORTS, key=secrets.token_hex(8), json=body)


async def made(context: Context, operator: Api, body: dict[str, Any]) -> dict[str, Any]:
    """An export that is there, as the operator sees it."""
    answer = await ask(operator, body)
    assert answer.status_code == 201, answer.text
    await do_jobs(context, "consultations.export")
    shown = await operator.get(f"{EXPORTS}/{answer.json()['id']}")
    assert shown.json()["state"] == "ready", shown.text
    found: dict[str, Any] = shown.json()
    return found


async def opened_box(
    operator: Api, export: dict[str, Any], number: int = 1
) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """What a part is about, its lines, and all of it as text."""
    answer = await operator.get(f"{EXPORTS}/{export['id']}/parts/{number}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip"), answer.text
    part = export["parts"][number - 1]
    assert (len(answer.content), hashlib.sha256(answer.content).hexdigest()) == (part["size_bytes"], part["sha256"])
    box = zipfile.ZipFile(io.BytesIO(answer.content))
    assert box.testzip() is None
    assert box.namelist() == ["consultations.jsonl", "about.json"]
    told = box.read("consultations.jsonl").decode()
    return json.loads(box.read("about.json")), [json.loads(each) for each in told.splitlines()], told


async def audited(context: Context, action: str) -> list[AuditEntry]:
    async with context.begin() as tx:
        return list((await tx.scalars(select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id))).all())


async def counted(context: Context) -> int:
    async with context.begin() as tx:
        return (await tx.scalar(select(func.count()).select_from(RegulatorExport))) or 0


async def follow_up(context: Context, pair: Pair) -> Consultation:
    """An answered one with a recalled word, a proof and a note."""
    talk = await make_consultation(
        context.database, pair, kind=ConsultKind.ONLINE_FOLLOW_UP, state=ConsultState.ACTIVE, accepted_at=clock.now(),
        complaint="金丝雀复诊", diagnosis="金丝雀病",
    )  # fmt: skip
    await say(context, talk, pair.asker, "金丝雀问")
    said = await say(context, talk, pair.answerer, "金丝雀答")
    async with context.begin() as tx:
        await service.recall_message(
            tx, consultation_id=talk.id, sender=pair.answerer, message_id=said.message_id, now=clock.now()
        )
    async with context.begin() as tx:
        tx.add(Summary(
            consultation_id=talk.id, content={"advice": "金丝雀医嘱", "diagnosis": "金丝雀病"}, messages=[], filed_at=None,
            author_id=pair.answerer, written_at=clock.now(),
        ))  # fmt: skip
    return talk


# ── what is in it ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_acts_tell_who_did_what_when_and_not_a_word(
    api: Api, context: Context, control: httpx.AsyncClient
) -> None:
    pair, elsewhere = await make_pair(api, context), await make_pair(api, context)
    await paid(api, context, elsewhere)
    talk = await follow_up(context, pair)
    advice = await paid(api, context, pair)  # told, paid and answered through the API, moves and all
    await spoken(pair.asking, advice["id"], "金丝雀头痛，加微信 kanzhe12345")
    await spoken(pair.answering, advice["id"], "金丝雀多喝水")
    await make_consultation(context.database, pair, state=ConsultState.AWAITING_PAYMENT)
    assert (await pair.answering.get(f"/v1/consultations/{talk.id}")).status_code == 200  # a look
    operator = await as_operator(api, context.database)
    export = await made(context, operator, wish(pair))
    about, lines, words = await opened_box(operator, export)
    assert (export["consultations"], about["consultations"]) == (2, 2)
    assert about["hospital"]["licence_no"] == pair.hospital.licence_no
    assert (about["authority"], about["document_no"], about["scope"]) == ("海南省卫生健康委员会", "琼卫监函〔2026〕31号", "acts")
    assert {each["section"]: each["fields"] for each in export["contents"]} == about["fields"]
    by_id = {each["consultation"]["id"]: each for each in lines}
    assert set(by_id) == {str(talk.id), advice["id"]}
    for word in ("金丝雀", pair.patient.phone.removeprefix("+86"), pair.patient.birth_date.isoformat(), "陈秀英", "kanzhe"):
        assert word not in words, word
    for line in lines:
        assert_holds(line, ExportScope.ACTS)
    told = by_id[advice["id"]]
    assert [(each["from"], each["to"], each["actor"]) for each in told["moves"]] == [
        (None, "awaiting_payment", "patient"), ("awaiting_payment", "waiting", "system"), ("waiting", "active", "clinician"),
    ]  # fmt: skip
    assert [each["sender"] for each in told["messages"]] == ["patient", "clinician"]
    assert [each["kind"] for each in told["flags"]] == ["contact"]
    told = by_id[str(talk.id)]
    assert (told["patient"]["name"], told["patient"]["sex"], told["patient"]["age"]) == ("陈**", "female", 68)
    assert [(each["kind"], each["recalled_by"]) for each in told["messages"]] == [("text", None), ("text", 3), ("recall", None)]
    assert (told["summary"]["author_id"], told["looks"][0]["action"]) == (str(pair.answerer), "consultations.read")


def assert_holds(line: dict[str, Any], scope: ExportScope) -> None:
    """Exactly what the answer said, part by part."""
    said = fields_of(scope)
    assert set(line) == set(said)
    for part, names in said.items():
        held = line[part] if isinstance(line[part], list) else [line[part]] if line[part] is not None else []
        for each in held:
            assert set(each) == set(names), part


async def test_records_open_follow_ups_and_no_advice(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    await offer(api, context, pair, kind="online_follow_up")
    pilot = await make_pilot(api, context, pair)
    talk = await follow_up(context, pair)
    async with context.begin() as tx:
        row = await tx.get_one(Consultation, talk.id)
        row.first_visit_pilot_id = next(iter(await queries.pilots_of(tx, pair.hospital.id))).id
    advice = await make_consultation(context.database, pair, state=ConsultState.ACTIVE, complaint="红雀咨询")
    await say(context, advice, pair.asker, "红雀问")
    operator = await as_operator(api, context.database)
    export = await made(context, operator, wish(pair, scope="records"))
    about, lines, words = await opened_box(operator, export)
    by_id = {each["consultation"]["id"]: each for each in lines}
    told = by_id[str(talk.id)]
    assert_holds(told, ExportScope.RECORDS)
    assert [each["body"].get("text") for each in told["messages"]] == ["金丝雀问", "金丝雀答", None]
    assert (told["consultation"]["complaint"], told["consultation"]["diagnosis"]) == ("金丝雀复诊", "金丝雀病")
    assert told["summary"]["content"]["advice"] == "金丝雀医嘱"
    assert told["consultation"]["pilot_document_no"] == pilot["document_no"] == about["pilots"][0]["document_no"]
    assert about["approval"]["approval_no"] == "琼网医许2026-018"
    assert_holds(by_id[str(advice.id)], ExportScope.ACTS)
    assert "红雀" not in words
    assert "陈秀英" not in words


async def test_the_days_are_shanghais_and_parts_lose_nothing(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    today = service.day_of(clock.now())
    midnight = datetime.combine(today, datetime.min.time(), clock.SHANGHAI)
    second = timedelta(seconds=1)
    for paid_at in (midnight - timedelta(days=1) - second, midnight - timedelta(days=1), midnight - second, midnight):
        await make_consultation(context.database, pair, now=paid_at)
    operator = await as_operator(api, context.database)
    yesterday = (today - timedelta(days=1)).isoformat()
    export = await made(context, operator, wish(pair, first_day=yesterday, last_day=yesterday))
    _, lines, _ = await opened_box(operator, export)
    assert [each["consultation"]["paid_at"] for each in lines] == [
        f"{yesterday}T00:00:00+08:00", f"{yesterday}T23:59:59+08:00"
    ]  # fmt: skip
    await many(context, pair, 2 * PART + AT_ONCE)
    export = await made(context, operator, wish(pair))
    assert [each["consultations"] for each in export["parts"]] == [PART, PART, AT_ONCE + 1]
    ids: list[str] = []
    for number in (1, 2, 3):
        about, lines, _ = await opened_box(operator, export, number)
        assert (about["part"], about["consultations"]) == (number, len(lines))
        ids += [each["consultation"]["id"] for each in lines]
    assert (export["consultations"], len(set(ids)), ids) == (len(ids), len(ids), sorted(ids))
    assert len(await audited(context, "consultations.export")) == 2 + len(ids)
    assert refused(await operator.get(f"{EXPORTS}/{export['id']}/parts/4"), 404, "not-found")


async def many(context: Context, pair: Pair, count: int) -> None:
    """So many that were paid now."""
    one = await make_consultation(context.database, pair, state=ConsultState.AWAITING_PAYMENT)
    names = [each.key for each in inspect(Consultation).column_attrs]
    values = {name: getattr(one, name) for name in names} | {"state": ConsultState.WAITING, "paid_at": clock.now()}
    rows = [{**values, "id": ConsultationId.new(), "order_no": new_number("C261125")} for _ in range(count)]
    async with context.begin() as tx:
        await tx.execute(insert(Consultation), rows)


# ── who asks, who looks ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_asking_making_and_every_fetch_are_noted_and_the_patient_sees_it(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    operator = await as_operator(api, context.database)
    export = await made(context, operator, wish(pair))
    for _ in range(2):
        await opened_box(operator, export)
    asked, fetched = await audited(context, "consultations.ask_for_export"), await audited(context, "consultations.fetch_export")
    assert [(each.subject, each.hospital_id, each.mode) for each in (*asked, *fetched)] == [
        (export["id"], pair.hospital.id, Mode.OPERATOR)
    ] * 3
    (given,) = await audited(context, "consultations.export")
    assert (given.subject, given.patient_id, given.basis) == (str(talk.id), pair.patient.id, "regulator")
    log = await pair.asking.get("/v1/grants/access-log", params={"patient_id": str(pair.patient.id)})
    assert [each["action"] for each in log.json()["items"]] == ["consultations.export"]
    desk = await as_desk(api, context.database, pair.hospital.id)
    assert [each["id"] for each in (await desk.get("/v1/hospital/consultations/exports")).json()["items"]] == [export["id"]]
    async with context.begin() as tx:
        row = await tx.get_one(RegulatorExport, RegulatorExportId.parse(export["id"]))
        part = await tx.get_one(RegulatorExportPart, (row.id, 1))
        raw = (await tx.execute(text("SELECT data_key FROM consultation_export_part"))).scalar_one()
    assert row.made_at is not None
    assert row.expires_at == row.made_at + EXPORT_KEPT_FOR
    assert part.data_key is not None
    assert part.data_key.encode() not in raw, "the key is sealed in its column"
    assert not (await context.gateways.store.get(f"{EXPORT_PREFIX}/{part.attempt}")).startswith(b"PK"), "and the object with it"


async def test_nobody_but_the_operator_asks_or_fetches(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    operator = await as_operator(api, context.database)
    export = await made(context, operator, wish(pair))
    auditor = api.signed_in((await sign_in(context.database, context.tokens, mode=Mode.AUDITOR)).access_token)
    own = await as_desk(api, context.database, pair.hospital.id)
    for who in (own, pair.answering, pair.asking, await as_patient(api, context.database), auditor):
        assert refused(await ask(who, wish(pair)), 403, "not-allowed")
        for path in ("", f"/{export['id']}", f"/{export['id']}/parts/1", f"/{export['id']}/consultations/{talk.id}/file"):
            assert refused(await who.get(EXPORTS + path), 403, "not-allowed")
    assert refused(await ask(api, wish(pair)), 401, "unauthenticated")
    assert refused(await api.get(f"{EXPORTS}/{export['id']}/parts/1"), 401, "unauthenticated")
    other = await as_desk(api, context.database, (await make_hospital(context.database)).id)
    assert (await other.get("/v1/hospital/consultations/exports")).json()["items"] == []
    assert await counted(context) == 1
    assert await audited(context, "consultations.fetch_export") == []


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_not_asked_for(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    operator = await as_operator(api, context.database)
    today = service.day_of(clock.now())

    def day(days: int) -> str:
        return (today + timedelta(days=days)).isoformat()

    for first, last in ((day(0), day(-1)), (day(0), day(1)), (day(-31), day(0))):
        body = wish(pair, first_day=first, last_day=last)
        assert refused(await ask(operator, body), 422, "export-window-refused")
    nowhere = wish(pair, hospital_id="hsp_01kj4y8x3hf7a9cq2v5b6n8m0t")
    assert refused(await ask(operator, nowhere), 404, "not-found")
    assert refused(await ask(operator, wish(pair, scope="everything")), 422, "invalid-input")
    await many(context, pair, MAX_EXPORTED + 1)
    large = refused(await ask(operator, wish(pair)), 409, "regulator-export-too-large")
    assert f"{MAX_EXPORTED + 1}" in large["detail"]
    assert await counted(context) == 0
    assert await audited(context, "consultations.ask_for_export") == []
    async with context.begin() as tx:
        assert (await tx.scalars(select(OutboxJob).where(OutboxJob.type == "consultations.export"))).all() == []


async def test_one_hospital_one_export_at_a_time(api: Api, context: Context) -> None:
    pair, other = await make_pair(api, context), await make_pair(api, context)
    operators = [await as_operator(api, context.database) for _ in range(4)]
    answers = await asyncio.gather(*(ask(each, wish(pair)) for each in operators))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    assert {refused(each, 409, "regulator-export-pending")["code"] for each in answers if each.status_code == 409}
    assert (await ask(operators[0], wish(other))).status_code == 201
    (mine,) = [each.json()["id"] for each in answers if each.status_code == 201]
    assert refused(await operators[1].get(f"{EXPORTS}/{mine}/parts/1"), 409, "regulator-export-not-ready")
    assert await audited(context, "consultations.fetch_export") == []
    await do_jobs(context, "consultations.export")
    assert (await ask(operators[0], wish(pair))).status_code == 201
    listed = await operators[0].get(EXPORTS, params={"hospital_id": str(pair.hospital.id)})
    assert [each["state"] for each in listed.json()["items"]] == ["pending", "ready"]


async def test_an_export_that_does_not_exist(api: Api, context: Context) -> None:
    operator = await as_operator(api, context.database)
    nothing = f"{EXPORTS}/{RegulatorExportId.new()}"
    for path in ("", "/parts/1", f"/consultations/{ConsultationId.new()}/file"):
        assert refused(await operator.get(nothing + path), 404, "not-found")


async def test_two_attempts_at_once_are_one_export(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    await make_consultation(context.database, pair)
    operator, store = await as_operator(api, context.database), context.gateways.store
    export_id = RegulatorExportId.parse((await ask(operator, wish(pair))).json()["id"])
    await swept(context)
    await asyncio.gather(*(service.make_export(context.begin, store, export_id, now=clock.now()) for _ in range(3)))
    await service.make_export(context.begin, store, export_id, now=clock.now())
    async with context.begin() as tx:
        assert (await tx.scalar(select(func.count()).select_from(RegulatorExportPart))) == 1
    shown = (await operator.get(f"{EXPORTS}/{export_id}")).json()
    await opened_box(operator, shown)
    assert len(await audited(context, "consultations.export")) == 1
    assert await swept(context) == 2, "what the other attempts left"
    await opened_box(operator, shown)


async def test_who_was_slower_in_a_part_leaves_the_rest_to_be_done(api: Api, context: Context) -> None:
    """The accident: a worker that had lost its lease had made the part, the other one ended the job, and no more came."""
    pair = await make_pair(api, context)
    await many(context, pair, PART + 1)
    operator, store = await as_operator(api, context.database), context.gateways.store
    export_id = RegulatorExportId.parse((await ask(operator, wish(pair))).json()["id"])
    tried = [service.make_export(context.begin, store, export_id, now=clock.now()) for _ in range(3)]
    ends = await asyncio.gather(*tried, return_exceptions=True)
    assert [type(each) for each in ends] == [Again] * 3
    await do_jobs(context, "consultations.export")
    shown = (await operator.get(f"{EXPORTS}/{export_id}")).json()
    assert (shown["state"], [each["consultations"] for each in shown["parts"]]) == ("ready", [PART, 1])
    assert len(await audited(context, "consultations.export")) == PART + 1


async def test_pictures_are_named_and_fetched_one_by_one(api: Api, context: Context) -> None:
    """A picture of a follow-up and its proof; nothing of advice, of other days, of acts, or without a row in the audit."""
    pair = await make_pair(api, context)
    proof = await uploaded(context, pair.asker, Purpose.DISEASE_PROOF)
    talk = await make_consultation(
        context.database, pair, kind=ConsultKind.ONLINE_FOLLOW_UP, state=ConsultState.ACTIVE, accepted_at=clock.now(),
        proof_file_id=proof.id,
    )  # fmt: skip
    advice = await make_consultation(context.database, pair, state=ConsultState.ACTIVE)
    old = await make_consultation(
        context.database, pair, kind=ConsultKind.ONLINE_FOLLOW_UP, now=clock.now() - timedelta(days=2), proof_file_id=proof.id
    )
    picture = await uploaded(context, pair.asker, Purpose.CONSULTATION_IMAGE)
    for each in (talk, advice):
        file = picture if each is talk else await uploaded(context, pair.asker, Purpose.CONSULTATION_IMAGE)
        sent = {"client_msg_id": "p", "kind": "image", "body": {"file_id": str(file.id)}}
        assert (await pair.asking.post(f"/v1/consultations/{each.id}/messages", json=sent)).status_code == 200
    await say(context, talk, pair.asker, "您好")
    operator = await as_operator(api, context.database)
    answer = await ask(operator, wish(pair, scope="records"))
    base = f"{EXPORTS}/{answer.json()['id']}/consultations"
    assert refused(await operator.get(f"{base}/{talk.id}/file"), 409, "regulator-export-not-ready")
    await do_jobs(context, "consultations.export")
    _, lines, _ = await opened_box(operator, (await operator.get(f"{EXPORTS}/{answer.json()['id']}")).json())
    (told,) = [each for each in lines if each["consultation"]["id"] == str(talk.id)]
    assert told["messages"][0]["body"] == {"file_id": str(picture.id)}
    for query, file in (("?seq=1", picture), ("", proof)):
        shown = await operator.get(f"{base}/{talk.id}/file{query}")
        assert shown.json()["file_id"] == str(file.id), shown.text
        assert (await api.get(shown.json()["link"]["url"])).status_code == 200
    for path in (f"{talk.id}/file?seq=2", f"{talk.id}/file?seq=9", f"{advice.id}/file?seq=1", f"{old.id}/file"):
        assert refused(await operator.get(f"{base}/{path}"), 404, "not-found")
    noted = await audited(context, "consultations.fetch_exported_file")
    assert [(each.patient_id, each.subject) for each in noted] == [(pair.patient.id, str(talk.id))] * 2
    acts = await made(context, operator, wish(pair))
    assert refused(await operator.get(f"{EXPORTS}/{acts['id']}/consultations/{talk.id}/file"), 404, "not-found")


async def swept(context: Context) -> int:
    """The sweep, after everybody's attempts are over; tests share the store."""
    later = clock.system_now() + 2 * ATTEMPT_LIFE
    return await service.sweep_exports(context.begin, context.gateways.store, now=clock.now(), system_now=later)


async def test_after_three_years_the_content_goes_and_the_row_stays(api: Api, context: Context) -> None:
    pair = await make_pair(api, context)
    operator = await as_operator(api, context.database)
    export = await made(context, operator, wish(pair))
    await swept(context)
    await opened_box(operator, export)
    assert context.settings.clock_file is not None
    context.settings.clock_file.write_text(str(EXPORT_KEPT_FOR.total_seconds() + 1))
    clock.use_file(context.settings.clock_file)
    operator = await as_operator(api, context.database)
    path = f"{EXPORTS}/{export['id']}"
    assert refused(await operator.get(f"{path}/parts/1"), 410, "regulator-export-expired")
    gone = f"{path}/consultations/{ConsultationId.new()}/file"
    assert refused(await operator.get(gone), 410, "regulator-export-expired")
    assert (await operator.get(path)).json()["state"] == "expired"
    assert await swept(context) == 1
    async with context.begin() as tx:
        row = await tx.get_one(RegulatorExport, RegulatorExportId.parse(export["id"]))
        part = await tx.get_one(RegulatorExportPart, (row.id, 1))
    assert (row.state, part.data_key, row.document_no) == (RegulatorExportState.EXPIRED, None, export["document_no"])
    assert part.sha256.hex() == export["parts"][0]["sha256"]


def test_the_window() -> None:
    today = service.day_of(clock.now())
    check_export_window(today - timedelta(days=30), today, today)
    with pytest.raises(ExportWindowRefused):
        check_export_window(today - timedelta(days=31), today, today)


def test_the_job_and_the_sweep_are_wired() -> None:
    assert "consultations.export" in wiring.JOBS
    assert "consultations.sweep" in wiring.TIMERS


async def test_messages_are_not_opened_for_acts(api: Api, context: Context) -> None:
    """The accident: an export of acts read every word first, and left it out afterwards."""
    pair = await make_pair(api, context)
    talk = await follow_up(context, pair)
    async with context.begin() as tx:
        (first, *_) = await queries.messages_of(tx, [talk.id], words=False)
        assert "body" in inspect(first).unloaded
        (row,) = await queries.list_consultations(tx, [talk.id], words=False)
        assert {"complaint", "diagnosis"} <= inspect(row).unloaded
        assert isinstance(first, Message)
