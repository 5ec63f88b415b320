"""The service ends with its record; the clinician is free again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.client import Api, refused
from tests.scenes.visits import RECORD, Cast, make_cast, tomorrow
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.rules import BookingState
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.kernel.ids import VisitId
from yiyuebao_api.kernel.outbox import OutboxJob


def url(visit_id: VisitId) -> str:
    return f"/v1/visits/{visit_id}/finish"


@pytest.fixture
async def begun(cast: Cast) -> VisitId:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive", "start")
    return visit_id


async def test_the_record_is_kept_and_the_patient_asked(cast: Cast, begun: VisitId) -> None:
    answer = await cast.as_nurse.post(url(begun), json={"record": RECORD})
    assert answer.status_code == 200
    assert answer.json()["stage"] == "finished"
    visit = await cast.row(begun)
    assert visit.finished_by == cast.nurse.account_id
    assert visit.finished_at is not None
    assert visit.confirms_at == visit.finished_at + timedelta(hours=24)
    assert (await cast.booking_row()).state is BookingState.DONE
    seen = (await cast.as_patient.get(f"/v1/visits/{begun}")).json()
    assert seen["record"]["procedure"] == RECORD["procedure"]
    assert seen["record"]["vital_signs_before"]["systolic_mmhg"] == 132
    newest = (await cast.as_patient.get("/v1/notices")).json()["items"][0]
    assert newest["kind"] == "visit.finished"
    async with cast.database.begin() as tx:
        job = (await tx.scalars(select(OutboxJob).where(OutboxJob.type == "visits.confirm_silent"))).one()
    assert (job.aggregateid, job.run_at) == (str(begun), visit.confirms_at)


async def test_the_record_is_sealed(cast: Cast, begun: VisitId) -> None:
    await cast.as_nurse.post(url(begun), json={"record": RECORD})
    async with cast.database.begin() as tx:
        raw: bytes = (await tx.execute(text("SELECT record FROM visit"))).scalar_one()
    assert "切口".encode() not in raw


async def test_somebody_who_is_done_early_is_free_early(cast: Cast, begun: VisitId) -> None:
    planned_until = (await cast.row(begun)).busy_until
    await cast.as_nurse.post(url(begun), json={"record": RECORD})
    assert (await cast.row(begun)).busy_until < planned_until
    await cast.assign(await cast.another_booking())


async def test_once_more_is_the_same_visit(cast: Cast, begun: VisitId) -> None:
    first = await cast.as_nurse.post(url(begun), json={"record": RECORD})
    second = await cast.as_nurse.post(url(begun), json={"record": RECORD})
    assert first.json() == second.json()
    assert len(await cast.steps(begun)) == 5
    async with cast.database.begin() as tx:
        assert len((await tx.scalars(select(OutboxJob).where(OutboxJob.type == "visits.confirm_silent"))).all()) == 1


async def test_another_record_does_not_replace_it(cast: Cast, begun: VisitId) -> None:
    await cast.as_nurse.post(url(begun), json={"record": RECORD})
    other = {**RECORD, "advice": "明天复查"}
    refused(await cast.as_nurse.post(url(begun), json={"record": other}), 409, "record-already-written")
    stored = (await cast.row(begun)).record
    assert stored is not None
    assert stored["advice"] == RECORD["advice"]


async def test_not_before_it_has_begun(cast: Cast) -> None:
    visit_id = await cast.assign()
    refused(await cast.as_nurse.post(url(visit_id), json={"record": RECORD}), 409, "visit-step-out-of-order")
    assert (await cast.row(visit_id)).record is None


@pytest.mark.parametrize(
    "changes",
    [
        {"vital_signs_before": {}},
        {"vital_signs_before": {"systolic_mmhg": 120}},
        {"vital_signs_before": {"systolic_mmhg": 80, "diastolic_mmhg": 120}},
        {"vital_signs_before": {"temperature_c": 366}},
        {"vital_signs_before": {"pulse_bpm": "76"}},
        {"vital_signs_before": {"mood": "good"}},
        {"procedure": ""},
        {"procedure": "长" * 2001},
        {"materials": [{"name": "纱布", "quantity": 0}]},
        {"materials": [{"name": "纱布", "quantity": 1}] * 51},
        {"drugs": [{"name": "肝素", "dose": "5 ml"}]},
        {"photo": "…"},
    ],
)
async def test_a_record_must_make_sense(cast: Cast, begun: VisitId, changes: dict[str, Any]) -> None:
    answer = await cast.as_nurse.post(url(begun), json={"record": {**RECORD, **changes}})
    refused(answer, 422, "invalid-input")
    assert (await cast.row(begun)).stage is Stage.STARTED


async def test_a_record_without_advice_is_none(cast: Cast, begun: VisitId) -> None:
    short = {name: value for name, value in RECORD.items() if name != "advice"}
    refused(await cast.as_nurse.post(url(begun), json={"record": short}), 422, "invalid-input")
    refused(await cast.as_nurse.post(url(begun), json={}), 422, "invalid-input")


async def test_a_record_as_long_as_its_fields_allow_is_kept_or_refused_never_cut(cast: Cast, begun: VisitId) -> None:
    longest = {
        **RECORD, "procedure": "𠮷" * 2000, "observations": "𠮷" * 2000, "advice": "𠮷" * 2000,
        "education": "𠮷" * 2000, "materials": [{"name": "𠮷" * 100, "quantity": 999, "batch_no": "𠮷" * 100}] * 50,
        "drugs": [{"name": "𠮷" * 100, "dose": "𠮷" * 100, "route": "𠮷" * 100, "batch_no": "𠮷" * 100}] * 20,
    }  # fmt: skip
    refused(await cast.as_nurse.post(url(begun), json={"record": longest}), 422, "invalid-input")
    nearly = {**longest, "materials": [], "drugs": longest["drugs"][:10]}
    assert (await cast.as_nurse.post(url(begun), json={"record": nearly})).status_code == 200
    stored = (await cast.row(begun)).record
    assert stored is not None
    assert stored["procedure"] == "𠮷" * 2000


async def test_only_who_is_sent(cast: Cast, begun: VisitId, context: Context, api: Api) -> None:
    elsewhere = await make_cast(context, api)
    body = {"record": RECORD}
    refused(await elsewhere.as_nurse.post(url(begun), json=body), 404, "not-found")
    refused(await cast.as_patient.post(url(begun), json=body), 403, "not-allowed")
    refused(await api.post(url(begun), json=body), 401, "unauthenticated")
    assert (await cast.row(begun)).starts_at.date() >= tomorrow() - timedelta(days=1)
    assert (await cast.row(begun)).stage is Stage.STARTED
