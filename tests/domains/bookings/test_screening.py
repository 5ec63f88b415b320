"""What is asked before a visit at home, and what the answers do (RULE-40 … 43, 48)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tests.client import Api, refused
from tests.scenes.bookings import hold, make_customer, make_offer, pay
from tests.scenes.catalogue import COMPLETE
from tests.scenes.files import uploaded
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.problems import EmergencyFirst
from yiyuebao_api.domains.bookings.rules import Told, screen
from yiyuebao_api.domains.catalogue.rules import Place, Screening
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.ids import FileId

ASKED: dict[str, Any] = {
    "eligibility": ["aged_or_disabled", "discharged"],
    "questions": [
        {"code": "infectious", "zh": "是否处于传染病传染期？", "en": "Infectious now?", "failing": True, "then": "block"},
        {"code": "has_order", "zh": "是否有医嘱？", "en": "Is there an order?", "failing": False, "then": "review"},
        {"code": "bleeding", "zh": "是否正在大量出血？", "en": "Bleeding heavily?", "failing": True, "then": "emergency"},
    ],
    "history_required": True,
    "companion_required": True,
    "assessment_required": False,
    "proofs": [],
}
TOLD: dict[str, Any] = {
    "eligibility": ["discharged"], "answers": {"infectious": False, "has_order": True, "bleeding": False},
    "allergies": "无", "medication": "阿司匹林", "companion": {"name": "李四", "phone": "13800138000"},
}  # fmt: skip


@pytest.mark.parametrize("note", ["老人胸痛两小时", "叫不醒", "伤口血流不止", "突然呼吸困难"])
def test_words_of_an_emergency_stop_everything(note: str) -> None:
    for place in (Place.HOME, Place.HOSPITAL):
        with pytest.raises(EmergencyFirst):
            screen(Screening(), Told(note=note), place)


@pytest.mark.parametrize("note", ["无胸痛", "没有呼吸困难", "否认昏迷", "中风后三年，偏瘫", "老人听力不好，请先打电话", None])
def test_words_that_are_denied_or_history_stop_nothing(note: str | None) -> None:
    assert screen(Screening(), Told(note=note), Place.HOME) == []


async def _nothing_saved(context: Context) -> None:
    async with context.begin() as tx:
        for model in (Booking, Claim):
            assert await tx.scalar(select(func.count()).select_from(model)) == 0


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"note": "现在胸痛"}, 409, "emergency-120"),
        ({"answers": {"bleeding": True}}, 409, "emergency-120"),
        ({"answers": {**TOLD["answers"], "infectious": True}}, 409, "excluded-by-answers"),
        ({"eligibility": ["terminal"]}, 409, "not-eligible"),
        ({"eligibility": []}, 409, "not-eligible"),
        ({"answers": {}}, 422, "screening-incomplete"),
        ({"allergies": None}, 422, "screening-incomplete"),
        ({"medication": None}, 422, "screening-incomplete"),
        ({"companion": None}, 422, "screening-incomplete"),
    ],
)
async def test_a_failing_answer_refuses_quote_and_booking_and_saves_nothing(
    api: Api, context: Context, change: dict[str, Any], status: int, code: str
) -> None:
    offered, customer = await make_offer(api, context, screening=ASKED), await make_customer(api, context)
    body = {**customer.wish(offered), **TOLD, **change}
    refused(await customer.api.post("/v1/bookings/quote", json=body), status, code)
    told = refused(await customer.api.post("/v1/bookings", key="k1", json=body), status, code)
    if code == "excluded-by-answers":
        assert told["questions"] == ["infectious"]
    await _nothing_saved(context)


async def test_what_was_told_is_sealed_and_shown_to_those_who_serve(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context, screening=ASKED), await make_customer(api, context)
    body = {**customer.wish(offered), **TOLD, "answers": {**TOLD["answers"], "has_order": False}}
    quote = await customer.api.post("/v1/bookings/quote", json=body)
    assert quote.json()["review"] == ["has_order"]
    made = await customer.api.post("/v1/bookings", key="k1", json=body)
    assert made.status_code == 201, made.text
    told = made.json()["screening"]
    assert told == {**TOLD, "answers": body["answers"], "review": ["has_order"], "proofs": []}
    async with context.begin() as tx:
        stored: bytes = await tx.scalar(text("SELECT screening FROM booking"))
    assert "阿司匹林".encode() not in stored
    assert b"13800138000" not in stored
    await pay(context, customer, made.json()["id"])
    whole = await offered.desk.get(f"/v1/hospital/bookings/{made.json()['id']}")
    assert whole.json()["screening"] == told
    listed = (await offered.desk.get("/v1/hospital/bookings")).json()["items"]
    assert [each["screening"] for each in listed] == [None]


async def test_items_that_ask_nothing_book_as_before_and_the_hospital_asks_only_emergencies(
    api: Api, context: Context
) -> None:
    plain, customer = await make_offer(api, context), await make_customer(api, context)
    assert (await hold(customer, plain))["screening"]["review"] == []
    asking, other = await make_offer(api, context, screening=ASKED), await make_customer(api, context)
    await hold(other, asking, place="hospital")


async def test_a_desk_writes_the_questions_and_patients_read_them(api: Api, context: Context) -> None:
    offered = await make_offer(api, context)
    draft = {**COMPLETE, "screening": ASKED}
    seen = await offered.desk.get(f"/v1/hospital/catalogue/services/{offered.service.id}")
    address = f"/v1/hospital/catalogue/services/{offered.service.id}"
    edited = await offered.desk.put(address, json=draft, headers={"If-Match": seen.headers["etag"]})
    assert edited.status_code == 200, edited.text
    assert edited.json()["draft"]["screening"] == ASKED
    twice = {**ASKED, "questions": [ASKED["questions"][0]] * 2}
    wrong = await offered.desk.put(
        address, json={**COMPLETE, "screening": twice}, headers={"If-Match": edited.headers["etag"]}
    )
    refused(wrong, 422, "invalid-input")


# ── what must be shown (RULE-43) ─────────────────────────────────────────────────────────────────────────────────────


async def test_what_must_be_shown_is_seen_by_those_who_serve(api: Api, context: Context) -> None:
    offered = await make_offer(api, context, screening={**ASKED, "questions": [], "eligibility": [], "history_required": False,
                               "companion_required": False, "proofs": ["prescription", "wound_photo"]})  # fmt: skip
    customer = await make_customer(api, context)
    order = await uploaded(context, customer.account_id, Purpose.PRESCRIPTION)
    wish = {**customer.wish(offered), "proof_ids": [str(order.id)]}
    problem = refused(await customer.api.post("/v1/bookings/quote", json=wish), 422, "screening-incomplete")
    assert problem["missing"] == ["wound_photo"]
    photo = await uploaded(context, customer.account_id, Purpose.WOUND_PHOTO)
    async with context.begin() as tx:  # taken too long ago
        (await tx.get_one(File, photo.id)).created_at = clock.now() - timedelta(days=8)
    wish["proof_ids"].append(str(photo.id))
    assert refused(await customer.api.post("/v1/bookings", key="old", json=wish), 422, "screening-incomplete")["missing"]
    fresh = await uploaded(context, customer.account_id, Purpose.WOUND_PHOTO)
    wish["proof_ids"] = [str(order.id), str(fresh.id), str(fresh.id)]
    held = await customer.api.post("/v1/bookings", key="fresh", json=wish)
    assert held.json()["screening"]["proofs"] == [str(order.id), str(fresh.id)]
    booking = await pay(context, customer, held.json()["id"])
    path = f"/v1/hospital/bookings/{booking['id']}/proofs"
    shown = (await offered.desk.get(path)).json()
    assert [each["purpose"] for each in shown] == ["prescription", "wound_photo"]
    assert (await api.get(shown[1]["link"]["url"])).status_code == 200
    elsewhere = await make_offer(api, context)
    refused(await elsewhere.desk.get(path), 404, "not-found")
    refused(await customer.api.get(path), 403, "not-allowed")
    async with context.begin() as tx:
        assert (await tx.get_one(File, fresh.id)).kept
        assert not (await tx.get_one(File, photo.id)).kept
        looks = await tx.scalars(select(AuditEntry.action).where(AuditEntry.subject == booking["id"]))
        assert "bookings.proofs" in set(looks)


async def test_only_ones_own_proof_is_shown(api: Api, context: Context) -> None:
    offered, customer, other = await make_offer(api, context), await make_customer(api, context), await make_customer(api, context)
    theirs = await uploaded(context, other.account_id, Purpose.PRESCRIPTION)
    portrait = await uploaded(context, customer.account_id, Purpose.PORTRAIT)
    for wrong in (theirs.id, portrait.id, FileId.new()):
        wish = {**customer.wish(offered), "proof_ids": [str(wrong)]}
        refused(await customer.api.post("/v1/bookings/quote", json=wish), 422, "file-not-found")
    await _nothing_saved(context)
