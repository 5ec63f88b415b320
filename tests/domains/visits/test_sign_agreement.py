"""Nothing starts before the patient's side has signed what is to be done (RULE-47, V08)."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.client import Api, refused
from tests.scenes.files import uploaded
from tests.scenes.visits import Cast, make_cast, sign
from yiyuebao_api.context import Context
from yiyuebao_api.domains.catalogue.rules import RiskGrade
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.domains.visits.models import Agreement
from yiyuebao_api.domains.visits.rules import TEMPLATE, agreement_text
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import FileId
from yiyuebao_api.kernel.money import Fen


def _signature(shown: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"sha256": shown["sha256"], "read_at": shown["served_at"], **changes}


async def _signed(cast: Cast) -> list[Agreement]:
    async with cast.database.begin() as tx:
        return list(await tx.scalars(select(Agreement)))


async def test_it_starts_after_the_signature_and_not_before(cast: Cast) -> None:
    visit_id = await cast.assign()
    path = f"/v1/visits/{visit_id}"
    shown = (await cast.as_patient.get(f"{path}/agreement")).json()
    words = " ".join(each["words"] for each in shown["sections"])
    assert (await cast.booking_row()).service_name in shown["title"]
    assert all(each in words for each in ("¥245.00", "120", "有权拒绝"))
    assert (shown["signer"], shown["signed_at"], shown["signature_needed"]) == (None, None, False)
    await cast.step(visit_id, "depart", "arrive")
    refused(await cast.as_nurse.post(f"{path}/start"), 409, "agreement-missing")
    signed = await sign(cast.as_patient, visit_id)
    assert (signed["signer"], signed["sha256"]) == ("representative", shown["sha256"])
    assert (await cast.as_nurse.get(f"{path}/agreement")).json()["signed_at"] == signed["signed_at"]
    assert (await cast.as_nurse.post(f"{path}/start")).json()["stage"] == "started"
    (row,) = await _signed(cast)
    assert (row.template, row.sha256.hex(), row.account_id) == (TEMPLATE, shown["sha256"], cast.booking.account_id)
    assert row.service_version_id == cast.booking.service_version_id


async def test_what_was_not_read_is_not_signed(cast: Cast) -> None:
    visit_id = await cast.assign()
    path = f"/v1/visits/{visit_id}/agreement"
    shown = (await cast.as_patient.get(path)).json()
    refused(await cast.as_patient.post(path, json=_signature(shown, sha256="0" * 64)), 409, "agreement-changed")
    for moment in (clock.now() - timedelta(days=1), clock.now() + timedelta(hours=1)):
        early = _signature(shown, read_at=moment.astimezone(UTC).isoformat())
        refused(await cast.as_patient.post(path, json=early), 422, "agreement-not-read")
    refused(await cast.as_patient.post(path, json={"sha256": shown["sha256"]}), 422, "invalid-input")
    assert await _signed(cast) == []


async def test_high_risk_needs_a_signature_by_hand(cast: Cast, context: Context) -> None:
    async with cast.database.begin() as tx:
        await tx.execute(text("UPDATE service_version SET risk_grade = 'H'"))
    visit_id = await cast.assign()
    path = f"/v1/visits/{visit_id}/agreement"
    shown = (await cast.as_patient.get(path)).json()
    assert shown["signature_needed"]
    refused(await cast.as_patient.post(path, json=_signature(shown)), 422, "signature-needed")
    for purpose, owner in ((Purpose.PORTRAIT, cast.booking.account_id), (Purpose.SIGNATURE, cast.nurse.account_id)):
        wrong = await uploaded(context, owner, purpose)
        signature = _signature(shown, signature_file_id=str(wrong.id))
        refused(await cast.as_patient.post(path, json=signature), 422, "file-not-found")
    refused(await cast.as_patient.post(path, json=_signature(shown, signature_file_id=str(FileId.new()))), 422, "file-not-found")
    mine = await uploaded(context, cast.booking.account_id, Purpose.SIGNATURE)
    await sign(cast.as_patient, visit_id, signature_file_id=str(mine.id))
    (row,) = await _signed(cast)
    assert (row.method.value, row.signature_file_id) == ("signature", mine.id)


async def test_for_a_child_the_guardian_signs(cast: Cast) -> None:
    async with cast.database.begin() as tx:
        await tx.execute(text("UPDATE patient SET birth_date = '2020-01-01', relation = 'child'"))
    visit_id = await cast.assign()
    path = f"/v1/visits/{visit_id}/agreement"
    shown = (await cast.as_patient.get(path)).json()
    refused(await cast.as_patient.post(path, json=_signature(shown)), 422, "guardian-needed")
    assert (await sign(cast.as_patient, visit_id, as_guardian=True))["signer"] == "guardian"


async def test_many_taps_are_one_signature(cast: Cast) -> None:
    visit_id = await cast.assign()
    path = f"/v1/visits/{visit_id}/agreement"
    shown = (await cast.as_patient.get(path)).json()
    answers = await asyncio.gather(*(cast.as_patient.post(path, json=_signature(shown)) for _ in range(6)))
    assert {each.status_code for each in answers} == {200}
    assert len({each.json()["signed_at"] for each in answers}) == 1
    assert len(await _signed(cast)) == 1


async def test_only_whose_visit_it_is(cast: Cast, context: Context, api: Api) -> None:
    visit_id = await cast.assign()
    path = f"/v1/visits/{visit_id}/agreement"
    shown = (await cast.as_patient.get(path)).json()
    elsewhere = await make_cast(context, api)
    for stranger in (cast.as_stranger, elsewhere.as_patient):
        refused(await stranger.get(path), 404, "not-found")
        refused(await stranger.post(path, json=_signature(shown)), 404, "not-found")
    refused(await elsewhere.as_nurse.get(path), 404, "not-found")
    refused(await cast.as_nurse.post(path, json=_signature(shown)), 403, "not-allowed")
    refused(await cast.as_desk.get(path), 404, "not-found")
    refused(await api.get(path), 401, "unauthenticated")
    assert await _signed(cast) == []


async def test_after_the_visit_is_over_nothing_is_signed(cast: Cast) -> None:
    visit_id = await cast.assign()
    path = f"/v1/visits/{visit_id}/agreement"
    shown = (await cast.as_patient.get(path)).json()
    taken_back = await cast.as_desk.post(f"/v1/hospital/visits/{visit_id}/unassign", json={"reason": "护士临时请假"})
    assert taken_back.status_code == 200, taken_back.text
    refused(await cast.as_patient.post(path, json=_signature(shown)), 409, "visit-step-out-of-order")


@pytest.mark.parametrize(("fact", "value"), [("name", "换药"), ("risk_grade", RiskGrade.HIGH), ("cautions", "保持干燥")])
def test_every_word_is_in_the_hash(fact: str, value: object) -> None:
    class Version:
        name, intro, tips, cautions, contraindications, consumables = "测血压", "测量", "静坐", "避免", "无", "无"
        duration_min, risk_grade = 30, RiskGrade.LOW

    before = agreement_text(Version(), hospital="医院", total_fen=Fen(100)).sha256
    assert before == agreement_text(Version(), hospital="医院", total_fen=Fen(100)).sha256
    setattr(Version, fact, value)
    assert before != agreement_text(Version(), hospital="医院", total_fen=Fen(100)).sha256
    assert before != agreement_text(Version(), hospital="医院", total_fen=Fen(101)).sha256
