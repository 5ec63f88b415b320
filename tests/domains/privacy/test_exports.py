"""A copy of what is held: asked for with a code, made by a job, fetched by its person alone, gone after a week."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from typing import Any

import pytest

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import Customer, accepted
from tests.scenes.files import uploaded
from tests.scenes.privacy import ASKED, code_for, do_jobs
from yiyuebao_api import wiring
from yiyuebao_api.context import Context
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.domains.files.service import ATTEMPT_LIFE
from yiyuebao_api.domains.privacy import service
from yiyuebao_api.domains.privacy.models import Export
from yiyuebao_api.domains.privacy.rules import EXPORT_LIFE, ExportState
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import ExportId


@pytest.fixture
async def customer(api: Api, context: Context) -> Customer:
    """Somebody with a paid and accepted booking, and a picture."""
    _, customer, _ = await accepted(api, context)
    await uploaded(context, customer.account_id, Purpose.RECORD)
    return customer


async def _asked(context: Context, customer: Customer) -> dict[str, Any]:
    answer = await customer.api.post(ASKED, json={"code": await code_for(context, customer.account_id)})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def _swept(context: Context) -> int:
    """The sweep, after everybody's attempts are over; tests share the store."""
    later = clock.system_now() + 2 * ATTEMPT_LIFE
    return await service.sweep(context.begin, context.gateways.store, now=clock.now(), system_now=later)


async def test_a_copy_holds_what_the_person_entered(context: Context, customer: Customer) -> None:
    made = await _asked(context, customer)
    assert made["state"] == "pending"
    path = f"{ASKED}/{made['id']}"
    refused(await customer.api.get(f"{path}/content"), 409, "export-not-ready")
    await do_jobs(context, "privacy.export")
    shown = (await customer.api.get(path)).json()
    answer = await customer.api.get(f"{path}/content")
    assert (shown["state"], answer.headers["content-type"]) == ("ready", "application/zip")
    assert len(answer.content) == shown["size_bytes"]
    box = zipfile.ZipFile(io.BytesIO(answer.content))
    assert box.testzip() is None

    def table(name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(box.read(f"data/{name}.json"))
        return rows

    (patient,), (address,), (booking,) = table("patient"), table("address"), table("booking")
    assert (patient["name"], patient["id"]) == (customer.patient.name, str(customer.patient.id))
    assert (address["detail"], booking["contact"]["name"]) == (customer.address.detail, customer.patient.name)
    assert {each["purpose"] for each in table("consent")} >= {"sensitive_health_data"}
    assert [each for each in box.namelist() if each.startswith("files/")] == [f"files/{table('file')[0]['id']}.jpg"]
    assert table("account")[0]["id"] == str(customer.account_id)
    kept = {each["table"]: each["fate"] for each in json.loads(box.read("kept.json"))}
    assert (kept["booking"], kept["address"], kept["patient"]) == ("kept", "erased", "emptied")
    assert "index" not in box.read("data/patient.json").decode(), "no blind index leaves the house"
    told = (await customer.api.get("/v1/notices")).json()["items"]
    assert told[0]["kind"] == "privacy.export_ready"


async def test_nobody_else_is_in_it_and_nobody_else_has_it(api: Api, context: Context, customer: Customer) -> None:
    other = (await accepted(api, context))[1]
    made = await _asked(context, customer)
    await do_jobs(context, "privacy.export")
    path = f"{ASKED}/{made['id']}"
    content = (await customer.api.get(f"{path}/content")).content
    for name in (box := zipfile.ZipFile(io.BytesIO(content))).namelist():
        assert str(other.account_id).encode() not in box.read(name), name
        assert str(other.patient.id).encode() not in box.read(name), name
    for door in (path, f"{path}/content", f"{ASKED}/{ExportId.new()}"):
        refused(await other.api.get(door), 404, "not-found")
    assert (await other.api.get(ASKED)).json()["items"] == []
    refused(await api.get(path), 401, "unauthenticated")


async def test_it_needs_a_code_that_was_just_sent(context: Context, customer: Customer) -> None:
    refused(await customer.api.post(ASKED, json={"code": "000000"}), 403, "proof-invalid")
    login = await code_for(context, customer.account_id, purpose="login")
    refused(await customer.api.post(ASKED, json={"code": login}), 403, "proof-invalid")
    code = await code_for(context, customer.account_id)
    assert (await customer.api.post(ASKED, json={"code": code})).status_code == 201
    refused(await customer.api.post(ASKED, json={"code": code}), 403, "proof-invalid")
    assert len((await customer.api.get(ASKED)).json()["items"]) == 1


async def test_one_at_a_time(context: Context, customer: Customer) -> None:
    await _asked(context, customer)
    again = {"code": await code_for(context, customer.account_id)}
    refused(await customer.api.post(ASKED, json=again), 409, "export-pending")
    await do_jobs(context, "privacy.export")
    await _asked(context, customer)


async def test_two_attempts_at_once_are_one_copy(context: Context, customer: Customer) -> None:
    """As after a worker that stood still until its lease had ended."""
    made = await _asked(context, customer)
    export_id = ExportId.parse(made["id"])
    store = context.gateways.store
    await _swept(context)
    await asyncio.gather(*(service.make_export(context.begin, store, export_id, now=clock.now()) for _ in range(3)))
    await service.make_export(context.begin, store, export_id, now=clock.now())
    assert (await customer.api.get(f"{ASKED}/{made['id']}/content")).status_code == 200
    assert await _swept(context) == 2, "what the other attempts left"
    assert (await customer.api.get(f"{ASKED}/{made['id']}/content")).status_code == 200


async def test_after_a_week_it_is_gone(api: Api, context: Context, customer: Customer) -> None:
    await _swept(context)
    made = await _asked(context, customer)
    await do_jobs(context, "privacy.export")
    assert context.settings.clock_file is not None
    context.settings.clock_file.write_text(str(EXPORT_LIFE.total_seconds() + 1))
    clock.use_file(context.settings.clock_file)
    signed = await sign_in(context.database, context.tokens, customer.account_id)
    path = f"{ASKED}/{made['id']}"
    back = api.signed_in(signed.access_token)
    refused(await back.get(f"{path}/content"), 410, "export-expired")
    assert (await back.get(path)).json()["state"] == "expired"
    assert await _swept(context) == 1
    async with context.begin() as tx:
        row = await tx.get_one(Export, ExportId.parse(made["id"]))
        assert (row.state, row.data_key) == (ExportState.EXPIRED, None)


def test_the_job_and_the_sweep_are_wired() -> None:
    assert "privacy.export" in wiring.JOBS
    assert "privacy.sweep" in wiring.TIMERS
