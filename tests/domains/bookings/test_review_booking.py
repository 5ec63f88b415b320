"""POST /v1/bookings/{id}/review: one a visit, counted in the search, answered in public, never deleted (RULE-63)."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from tests.client import Api, refused
from tests.scenes.hospitals import HAIKOU
from tests.scenes.nearby import announce_offers
from tests.scenes.visits import Cast, make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Review
from yiyuebao_api.domains.bookings.rules import REVIEWED_WITHIN
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.tokens import Mode
from yiyuebao_api.settings import Settings

GOOD: dict[str, Any] = {"stars": 5, "words": "护士很耐心，换药一点也不疼。"}


@pytest.fixture
async def cast(context: Context, api: Api) -> Cast:
    return await make_cast(context, api)


async def serve(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive", "start", "finish")


def url(cast: Cast) -> str:
    return f"/v1/bookings/{cast.booking.id}/review"


async def test_everybody_reads_it_and_the_hospital_answers_once(cast: Cast) -> None:
    await serve(cast)
    answer = await cast.as_patient.post(url(cast), json=GOOD)
    assert answer.status_code == 200, answer.text
    review = answer.json()
    assert (review["stars"], review["words"]) == (5, GOOD["words"])
    assert review["author"].endswith("*")
    reply = f"/v1/hospital/bookings/reviews/{review['id']}/reply"
    assert (await cast.as_desk.post(reply, json={"words": "谢谢信任"})).status_code == 200
    refused(await cast.as_desk.post(reply, json={"words": "再谢"}), 409, "review-already-answered")
    public = Api(cast.as_desk.app)
    shown = (await public.get("/v1/bookings/reviews", params={"service_id": str(cast.booking.service_id)})).json()
    assert [(each["words"], each["reply"]) for each in shown["items"]] == [(GOOD["words"], "谢谢信任")]
    assert (await cast.as_patient.get(url(cast))).json()["reply"] == "谢谢信任"
    assert cast.booking.contact["name"] not in str(shown)


async def test_not_before_it_was_done(cast: Cast) -> None:
    refused(await cast.as_patient.post(url(cast), json=GOOD), 409, "booking-state-refused")
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive", "start")
    refused(await cast.as_patient.post(url(cast), json=GOOD), 409, "booking-state-refused")
    refused(await cast.as_patient.get(url(cast)), 404, "not-found")


async def test_not_after_fifteen_days(cast: Cast, settings: Settings) -> None:
    await serve(cast)
    assert settings.clock_file is not None
    settings.clock_file.write_text(str((REVIEWED_WITHIN + timedelta(hours=1)).total_seconds()))
    clock.use_file(settings.clock_file)
    later = await cast.signed_in(Mode.PATIENT, cast.booking.account_id)
    refused(await later.post(url(cast), json=GOOD), 409, "review-period-over")


async def test_twenty_taps_are_one_review(cast: Cast, app: FastAPI) -> None:
    await serve(cast)
    await announce_offers(cast.database, cast.service[0])
    answers = await asyncio.gather(*(cast.as_patient.post(url(cast), json=GOOD) for _ in range(20)))
    assert Counter(each.status_code for each in answers) == {200: 1, 409: 19}
    assert {each.json().get("code") for each in answers if each.status_code == 409} == {"already-reviewed"}
    await app.state.nearby.refresh()
    found = await cast.as_patient.get("/v1/nearby/services", params={"lat": HAIKOU[0], "lng": HAIKOU[1]})
    assert [(each["stars"], each["reviews"]) for each in found.json()["items"]] == [(5.0, 1)]


@pytest.mark.parametrize("body", [{"stars": 0}, {"stars": 6}, {"stars": "5"}, {"stars": 4.5}, {}, {**GOOD, "price": 1}])
async def test_wrong_shapes(cast: Cast, body: dict[str, Any]) -> None:
    await serve(cast)
    refused(await cast.as_patient.post(url(cast), json=body), 422, "invalid-input")
    async with cast.database.begin() as tx:
        assert await tx.get(Review, cast.booking.id) is None


async def test_strangers_and_other_desks(cast: Cast) -> None:
    await serve(cast)
    refused(await cast.as_stranger.post(url(cast), json=GOOD), 404, "not-found")
    refused(await cast.as_nurse.post(url(cast), json=GOOD), 403, "not-allowed")
    review = (await cast.as_patient.post(url(cast), json=GOOD)).json()
    elsewhere = await cast.signed_in(Mode.DESK, elsewhere=True)
    refused(await elsewhere.post(f"/v1/hospital/bookings/reviews/{review['id']}/reply", json={"words": "好"}), 404, "not-found")
    assert (await elsewhere.get("/v1/hospital/bookings/reviews")).json()["items"] == []
    assert len((await cast.as_desk.get("/v1/hospital/bookings/reviews")).json()["items"]) == 1


async def test_the_operator_folds_and_nobody_deletes(cast: Cast) -> None:
    await serve(cast)
    review = (await cast.as_patient.post(url(cast), json={"stars": 1, "words": "骂人的话"})).json()
    operator = await cast.signed_in(Mode.OPERATOR)
    fold = f"/v1/operator/bookings/reviews/{review['id']}/fold"
    assert (await operator.post(fold, json={"reason": "网络信息内容生态治理规定第六条"})).json()["folded"]
    assert (await operator.post(fold, json={"reason": "再来一次"})).status_code == 200
    public = Api(cast.as_desk.app)
    shown = await public.get("/v1/bookings/reviews", params={"service_id": str(cast.booking.service_id)})
    assert shown.json()["items"] == []
    mine = (await cast.as_patient.get(url(cast))).json()
    assert (mine["folded"], mine["words"]) == (True, "骂人的话")
    assert len((await cast.as_desk.get("/v1/hospital/bookings/reviews")).json()["items"]) == 1
