"""Showing a card, what is in doubt about it, and the operator's decision, over HTTP and the real sandbox."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date

import httpx
import pytest
from sqlalchemy import select

from tests.client import Api, refused
from tests.sandbox_server import SandboxServer
from tests.scenes.accounts import make_account, plan_fault, sign_in
from tests.scenes.consents import agree, publish
from tests.scenes.files import picture, uploaded
from tests.scenes.patients import make_patient
from yiyuebao_api.context import Context
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.domains.identities.models import Identity
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.patients.queries import id_index
from yiyuebao_api.domains.patients.rules import RealName
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId, PatientId
from yiyuebao_api.kernel.tokens import Mode
from yiyuebao_api.seed.cards import draw_back, draw_front

NUMBER, NAME = "11010519491231002X", "王秀英"
FRONT = draw_front(name=NAME, sex="女", birth="19491231", number=NUMBER)
BACK = draw_back(valid_from="20180101", valid_to="长期")


@dataclass(frozen=True, slots=True)
class Scene:
    """A patient with a number, their account, and the operator."""

    account_id: AccountId
    patient_id: PatientId
    api: Api
    operator: Api
    context: Context
    database: Database

    async def submit(self, front: bytes = FRONT, back: bytes = BACK, *, expect: int = 201) -> dict[str, object]:
        sides = [await uploaded(self.context, self.account_id, Purpose.ID_CARD, each) for each in (front, back)]
        answer = await self.api.post(
            "/v1/identities",
            json={"patient_id": str(self.patient_id), "front_file_id": str(sides[0].id), "back_file_id": str(sides[1].id)},
        )
        assert answer.status_code == expect, answer.text
        told: dict[str, object] = answer.json()
        return told

    async def real_name(self) -> RealName:
        async with self.database.begin() as tx:
            return (await tx.get_one(Patient, self.patient_id)).real_name


@pytest.fixture
async def scene(api: Api, database: Database, context: Context) -> Scene:
    mine, theirs = await sign_in(database, context.tokens), await sign_in(database, context.tokens, mode=Mode.OPERATOR)
    patient = await make_patient(
        database, mine.account_id, name=NAME, birth_date=date(1949, 12, 31), verified=False
    )
    async with database.begin() as tx:
        row = await tx.get_one(Patient, patient.id)
        row.id_no, row.id_index = NUMBER, id_index(NUMBER)
    return Scene(
        mine.account_id, patient.id, api.signed_in(mine.access_token), api.signed_in(theirs.access_token), context, database
    )


async def test_a_good_card_is_approved_by_a_person_only(scene: Scene) -> None:
    told = await scene.submit()
    assert (told["state"], told["doubts"]) == ("submitted", [])
    assert await scene.real_name() is RealName.PENDING
    queue = (await scene.operator.get("/v1/operator/operations/queues/items", params={"kind": "identity"})).json()
    assert [each["decided_at"] for each in queue["items"]] == [f"/v1/operator/identities/{told['id']}"]
    shown = (await scene.operator.get(f"/v1/operator/identities/{told['id']}")).json()
    assert shown["reading"]["front"]["name"] == NAME
    assert (await scene.operator.get("/v1/operator/identities")).json()["items"][-1]["id"] == told["id"]
    answer = await scene.operator.post(f"/v1/operator/identities/{told['id']}/approve")
    assert answer.json()["state"] == "verified"
    assert await scene.real_name() is RealName.VERIFIED
    async with scene.database.begin() as tx:
        deeds = list(await tx.scalars(select(AuditEntry.action).where(AuditEntry.subject == told["id"])))
    assert sorted(deeds) == ["identities.approve", "identities.show", "identities.submit"]
    again = await scene.operator.post(f"/v1/operator/identities/{told['id']}/reject", json={"reason": "太晚了"})
    assert again.json()["code"] == "identity-decided"
    assert (await scene.submit(expect=409))["code"] == "identity-already-verified"


@pytest.mark.parametrize(
    ("front", "back", "doubts"),
    [
        (BACK, FRONT, ["wrong_side"]),
        (draw_front(name="李四", sex="女", birth="19491231", number=NUMBER), BACK, ["name_mismatch"]),
        (FRONT, draw_back(valid_from="20000101", valid_to="20200101"), ["expired", "validity_implausible"]),
        (draw_front(name=NAME, sex="女", birth="19491231", number=NUMBER, flaw="copy"), BACK, ["copy"]),
    ],
)
async def test_what_is_in_doubt_is_told(scene: Scene, front: bytes, back: bytes, doubts: list[str]) -> None:
    assert (await scene.submit(front, back))["doubts"] == doubts


@pytest.mark.parametrize(("code", "doubt"), [("17", "ocr_over_quota"), ("282000", "ocr_unavailable"), ("6", "ocr_refused")])
async def test_a_reading_that_fails_is_still_in_the_queue(
    scene: Scene, sandbox: SandboxServer, code: str, doubt: str
) -> None:
    await plan_fault(sandbox.base_url, "baidu", kind="code", code=code, path="/rest")
    told = await scene.submit()
    assert (told["state"], told["doubts"]) == ("submitted", [doubt])


async def test_rejected_may_be_shown_again(scene: Scene) -> None:
    told = await scene.submit()
    assert (await scene.submit(expect=409))["code"] == "identity-pending"
    answer = await scene.operator.post(f"/v1/operator/identities/{told['id']}/reject", json={"reason": "照片模糊"})
    assert answer.json()["reason"] == "照片模糊"
    assert await scene.real_name() is RealName.REJECTED
    await scene.submit()


async def test_two_at_once_are_one(scene: Scene) -> None:
    told = await asyncio.gather(scene.submit(), scene.submit(), return_exceptions=True)
    assert sum(isinstance(each, dict) for each in told) == 1
    async with scene.database.begin() as tx:
        held = list(await tx.scalars(select(Identity).where(Identity.patient_id == scene.patient_id)))
    assert len(held) == 1


async def test_nobody_elses(scene: Scene, api: Api, database: Database, context: Context) -> None:
    told = await scene.submit()
    stranger = api.signed_in((await sign_in(database, context.tokens)).access_token)
    assert (await stranger.get(f"/v1/identities/{told['id']}")).status_code == 404
    assert (await stranger.get("/v1/operator/identities")).status_code == 403
    assert (await scene.api.get(f"/v1/identities/{told['id']}")).json()["id_no"] == NUMBER


# ── reading, to fill in a form ───────────────────────────────────────────────────────────────────────────────────────


async def _read(scene: Scene, content: bytes, side: str) -> httpx.Response:
    file = await uploaded(scene.context, scene.account_id, Purpose.ID_CARD, content)
    return await scene.api.post("/v1/identities/card-reading", json={"file_id": str(file.id), "side": side})


async def test_a_card_fills_in_a_form(scene: Scene) -> None:
    front, back = (await _read(scene, FRONT, "front")).json(), (await _read(scene, BACK, "back")).json()
    assert (front["name"], front["sex"], front["birth_date"], front["number"]) == (NAME, "女", "1949-12-31", NUMBER)
    assert (back["issuer"], back["valid_from"], back["valid_to"], back["long_term"]) == (
        "海口市公安局龙华分局", "2018-01-01", None, True,
    )  # fmt: skip
    assert await scene.real_name() is RealName.UNVERIFIED


@pytest.mark.parametrize(
    ("content", "side", "code"),
    [
        (BACK, "front", "card-wrong-side"),
        (FRONT, "back", "card-wrong-side"),
        (picture(), "front", "card-not-recognised"),
        (draw_front(name=NAME, sex="女", birth="19491231", number=NUMBER, flaw="blurred"), "front", "card-blurred"),
        (draw_back(valid_from="20000101", valid_to="20200101"), "back", "card-expired"),
    ],
)
async def test_a_picture_that_must_be_taken_again(scene: Scene, content: bytes, side: str, code: str) -> None:
    refused(await _read(scene, content, side), 422, code)


@pytest.mark.parametrize("fault", ["17", "282000"])
async def test_a_reader_that_is_away_is_said(scene: Scene, sandbox: SandboxServer, fault: str) -> None:
    await plan_fault(sandbox.base_url, "baidu", kind="code", code=fault, path="/rest")
    refused(await _read(scene, FRONT, "front"), 503, "card-not-readable")


async def test_only_ones_own_card_is_read(scene: Scene, api: Api, database: Database, context: Context) -> None:
    file = await uploaded(scene.context, scene.account_id, Purpose.PORTRAIT, FRONT)
    asked = {"file_id": str(file.id), "side": "front"}
    refused(await scene.api.post("/v1/identities/card-reading", json=asked), 422, "file-not-found")
    mine = await uploaded(scene.context, scene.account_id, Purpose.ID_CARD, FRONT)
    signed = await sign_in(database, context.tokens)
    async with database.begin() as tx:
        await agree(tx, signed.account_id)
    stranger = api.signed_in(signed.access_token)
    asked = {"file_id": str(mine.id), "side": "front"}
    refused(await stranger.post("/v1/identities/card-reading", json=asked), 422, "file-not-found")


async def test_no_picture_goes_to_the_reader_without_consent(api: Api, database: Database, context: Context) -> None:
    account = await make_account(database)
    mine = api.signed_in((await sign_in(database, context.tokens, account.id)).access_token)
    await publish(database)
    patient = await make_patient(database, account.id, name=NAME, verified=False, agreed=False)
    sides = [await uploaded(context, account.id, Purpose.ID_CARD, each) for each in (FRONT, BACK)]
    asked = {"file_id": str(sides[0].id), "side": "front"}
    refusal = refused(await mine.post("/v1/identities/card-reading", json=asked), 403, "consent-missing")
    assert refusal["purpose"] == "id_card_recognition"
    card = {"patient_id": str(patient.id), "front_file_id": str(sides[0].id), "back_file_id": str(sides[1].id)}
    assert refused(await mine.post("/v1/identities", json=card), 403, "consent-missing")["patient_id"] == str(patient.id)
    async with database.begin() as tx:
        assert list(await tx.scalars(select(Identity))) == []
